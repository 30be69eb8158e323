"""No process of ours runs what happens to lie in the folder where it was started."""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.served_app import serve_app
from medpriv_core.datasets.fetching import start_fetch
from medpriv_core.errors import DownloadError, MedprivError
from medpriv_core.home import DataHome
from medpriv_core.jobs import folder
from medpriv_core.locks import is_held
from medpriv_core.processes import command_line, environment, start_process
from medpriv_core.runs.prediction_process import PredictionProcess
from medpriv_core.uploads.opening import open_upload
from tests.uploads.dicoms import ct, written

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 120
# Modules of Python, of what is installed and of medpriv, and those that Python looks for by itself.
PLANTED = (
    *("random", "json", "secrets", "types", "runpy", "sitecustomize", "usercustomize", "tomllib", "resource"),
    *(
        "platformdirs",
        "filelock",
        "numpy",
        "torch",
        "torchvision",
        "PIL",
        "pydicom",
        "streamlit",
        "uvicorn",
        "starlette",
    ),
    *("medpriv_core", "pages", "app", "psutil", "cryptography", "matplotlib", "sqlite3", "multiprocessing"),
)
PLANT = """
import os, sys
with open(os.environ["MARKS"], "a") as marks:
    marks.write(f"{__name__} in {sys.argv}\\n")
raise ImportError("planted")
"""


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands in a folder full of planted modules; what ran of them is written into this file."""
    folder, marks = tmp_path / "planted", tmp_path / "marks"
    folder.mkdir()
    marks.touch()
    for name in PLANTED:
        (folder / f"{name}.py").write_text(PLANT)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MARKS", str(marks))
    # Both stand for the folder in which a process is started.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", os.environ.get("PYTHONPATH", "")]))
    yield marks
    assert marks.read_text() == ""


def until_it_ends(process: subprocess.Popen[bytes], log: Path) -> str:
    process.wait(PATIENCE_S)
    return log.read_text()


def test_the_planted_modules_are_run_where_nothing_prevents_it(marks: Path) -> None:
    subprocess.run([sys.executable, "-c", "import platformdirs"], stderr=subprocess.DEVNULL, check=False)
    assert "platformdirs" in marks.read_text()
    marks.write_text("")


@pytest.mark.parametrize("command", [("runner",), ("worker", "no_such_run"), ("weights", "folder", "no_such_run")])
def test_what_works_in_the_background_runs_nothing_from_there(
    marks: Path, home: DataHome, tmp_path: Path, command: tuple[str, ...]
) -> None:
    home.root.mkdir(parents=True)
    log = tmp_path / "log"

    process = start_process(home, *command, log=log)
    if command == ("runner",):  # which waits for runs for a while
        deadline = time.monotonic() + PATIENCE_S
        while not is_held(home.runner_lock) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.terminate()
    said = until_it_ends(process, log)

    assert "planted" not in said
    assert "ImportError" not in said


def test_nor_does_a_download(marks: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "STARTUP_S", PATIENCE_S)
    job = start_fetch(home, "pneumoniamnist", 28, base_url="http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1"):
        job.wait(within_s=PATIENCE_S)


def test_nor_does_the_process_that_asks_networks(marks: Path, home: DataHome) -> None:
    process = PredictionProcess()
    with contextlib.suppress(MedprivError):
        process.ask({"run": "no_such_run"}, [])
    process.close()


def test_nor_does_the_one_that_decodes_pictures(marks: Path) -> None:
    assert open_upload("scan.dcm", written(ct(np.zeros((32, 32), np.int16)))).kind == "DICOM"


def test_nor_does_the_app(marks: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    # The app's own folder of modules is no business of PYTHONPATH; whoever starts the app with "." in it wants that.
    monkeypatch.delenv("PYTHONPATH")
    with serve_app(home, folder=Path.cwd()):
        pass


@pytest.mark.parametrize("start", ["-m", "-c"])
def test_nor_does_a_command_though_python_looks_into_that_folder_first(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """As somebody runs it in medpriv's folder, where files of their own lie too."""
    (tmp_path / "medpriv_core").symlink_to(ROOT / "medpriv_core")
    for name in ("platformdirs", "filelock", "numpy", "random", "PIL"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('planted')")
    how = (
        ["-m", "medpriv_core"]
        if start == "-m"
        else ["-c", "import runpy; runpy.run_module('medpriv_core', None, '__main__', True)"]
    )

    done = subprocess.run(
        [sys.executable, *how, "datasets", "list"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_process_that_medpriv_starts_is_started_in_the_one_way_that_looks_nowhere_else() -> None:
    starters = set()
    for file in (ROOT / "medpriv_core").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable":
                starters.add(str(file.relative_to(ROOT / "medpriv_core")))
    assert starters == {"processes.py", "uploads/isolation.py"}
    assert "-P" in command_line("runner")
    assert "python -P -m streamlit run app.py" in (ROOT / "Makefile").read_text()


def test_of_pythonpath_only_whole_paths_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "lib", "/opt/lib"]))
    assert environment()["PYTHONPATH"] == "/opt/lib"
    assert environment(A="b")["A"] == "b"
    monkeypatch.setenv("PYTHONPATH", "")
    assert "PYTHONPATH" not in environment()
    assert environment()["PYTHONSAFEPATH"] == "1"


def test_while_a_page_is_drawn_the_folders_of_modules_stay_as_they_are() -> None:
    """An import in another thread passes over a folder when one before it is taken out of the list meanwhile."""
    code = """
import sys
sys.path.append(sys.argv[1])
import app
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path

before = list(sys.path)
with modified_sys_path("pages/index.py"):
    assert sys.path == before, sys.path
"""
    subprocess.run([sys.executable, "-c", code, str(ROOT)], cwd=ROOT, env=environment(), check=True)
