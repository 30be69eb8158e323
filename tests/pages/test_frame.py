"""What holds for all pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.messages import explain_errors
from tests.pages.conftest import ROOT

PAGES = ("explore.py", "train.py", "runs.py", "datasets.py")


def test_every_page_opens_from_the_frame_and_torch_stays_out(tmp_path: Path) -> None:
    # In a process of its own, because other tests may have imported torch.
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "pages" / "index.py")!r}, default_timeout=60).run()
assert not app.exception, app.exception
for name in {PAGES!r}:
    app.switch_page(name).run()
    assert not app.exception, (name, app.exception)
    assert app.title, name
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MEDPRIV_HOME": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_an_internal_error_shows_a_sentence_and_no_traceback(
    open_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from medpriv_core.runs import service

    def fail(home: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(service, "list_lines", fail)
    page = open_page("runs")
    assert not page.exception
    assert "Something went wrong inside medpriv" in page.error[0].value
    assert "a bug" not in page.error[0].value
    assert "ZeroDivisionError" in caplog.text


def test_control_flow_passes_through() -> None:
    class Stop(BaseException):
        pass

    with pytest.raises(Stop), explain_errors():
        raise Stop
