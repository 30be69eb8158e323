"""A copy of the program to which something is added as docs/architecture.md says under "Adding things"."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# By file of the program: texts that stand in it once, and what stands there instead.
Changes = Mapping[str, Sequence[tuple[str, str]]]


def changed_program(folder: Path, *, new: Mapping[str, str] | None = None, changes: Changes) -> Path:
    """A copy of the program in ``folder``, with these new files and changes."""
    left_out = shutil.ignore_patterns("__pycache__", "fixtures", "images")
    for name in ("medpriv_core", "pages", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name, content in (new or {}).items():
        assert not (folder / name).exists(), f"{name} is not new"
        (folder / name).write_text(content, "utf-8")
    for name, pairs in changes.items():
        text = (folder / name).read_text("utf-8")
        for before, after in pairs:
            assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {name}"
            text = text.replace(before, after)
        (folder / name).write_text(text, "utf-8")
    return folder


def ask(program: Path, script: str, *, home: Path) -> str:
    """What ``script`` prints in a process that has the changed program; the test fails where the script does."""
    environment = {name: value for name, value in os.environ.items() if name != "MEDPRIV_WEIGHTS"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=program,
        env=environment | {"MEDPRIV_HOME": str(home), "PYTHONPATH": str(program), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
