"""The notebooks run from their first cell to the last, by the public interface alone."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import medpriv_core
from medpriv_core.home import DataHome

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ALLOWED = {"matplotlib.pyplot", "medpriv_core", "numpy"}


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def run(code: str, home: DataHome) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MEDPRIV_WEIGHTS"}
    return subprocess.run(
        [sys.executable, "-W", "ignore:FigureCanvasAgg is non-interactive", "-c", code],
        env=environment | {"MPLBACKEND": "agg", "MEDPRIV_HOME": str(home.root)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_public_names_only_and_keeps_no_output(notebook: Path) -> None:
    tree = ast.parse(code_of(notebook))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "medpriv"
    }
    cells = json.loads(notebook.read_text("utf-8"))["cells"]

    assert modules <= ALLOWED
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert used
    assert used <= set(medpriv_core.__all__)
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []


def test_noise_on_a_picture_runs_without_torch(home: DataHome) -> None:
    done = run(code_of(FOLDER / "noise.ipynb") + "\nimport sys\nprint('torch' in sys.modules)", home)

    assert done.returncode == 0, done.stderr
    assert "β = 0.5: ε = 2 for one pixel, ε = " in done.stdout
    assert done.stdout.endswith("False\n")


def test_training_with_dp_sgd_runs_and_tells_its_epsilon(home: DataHome) -> None:
    done = run(code_of(FOLDER / "dp-sgd.ipynb"), home)

    assert done.returncode == 0, done.stderr
    assert "epoch 5: ε = " in done.stdout
    assert "the training set: ε = " in done.stdout
    assert "trained without privacy: no ε holds" in done.stdout
