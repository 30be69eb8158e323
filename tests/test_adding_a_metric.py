"""A metric of the table of runs is added in two files, as docs/architecture.md says under "Adding things".

The example is put into a copy of the program. There a process of its own trains a run and asks whether everybody knows
what it measured: file, table of runs, ``runs show``, CSV, curves, compare page and command, model card, evaluation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from medpriv_core.home import DataHome

ROOT = Path(__file__).resolve().parents[1]
CONFUSION, METRICS = "medpriv_core/evaluation/confusion.py", "medpriv_core/evaluation/metrics.py"
ADDED = [
    (
        CONFUSION,
        "def weighted_kappa(",
        "def mean_f1(matrix: np.ndarray) -> float:\n"
        '    """Mean over the classes of the harmonic mean of recall and precision."""\n'
        "    return float((2 * np.diag(matrix) / np.maximum(1, matrix.sum(0) + matrix.sum(1))).mean())\n\n\n"
        "def weighted_kappa(",
    ),
    (METRICS, "    kappa_interval,\n    weighted", "    kappa_interval,\n    mean_f1,\n    weighted"),
    (
        METRICS,
        "    calibration_error: Share | None = metric(",
        "    f1: Share | None = metric(\n"
        '        title="F1, mean of the classes",\n'
        '        meaning="balance of found and rightly called",\n'
        '        word="F1",\n'
        "        share=True,\n"
        '        listed=("test",),\n'
        "        compute=lambda answers: mean_f1(answers.matrix),\n"
        "    )\n"
        "    calibration_error: Share | None = metric(",
    ),
]
ASK = r"""
import json
from pathlib import Path

import pytest
from sklearn.metrics import f1_score
from streamlit.testing.v1 import AppTest
from medpriv_core.cli.main import main
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.evaluation.report import report
from medpriv_core.exports.run_archive import export_run
from medpriv_core.exports.run_tables import epochs_csv, runs_csv
from medpriv_core.exports.tensorboard import event_file
from medpriv_core.figures.curves import MEASURES, curves_of, describe_curves
from medpriv_core.privacy.coverage import left_out_of
from medpriv_core.records.epoch import COMPARED, read_row
from medpriv_core.runs import service
from medpriv_core.strict_json import Unreadable
from pages.parts import cached
from tests.exports.test_run_archive import unpacked
from tests.small_data import NAME, add_small_dataset
from tests.trained_runs import train_run

service.ensure_runner = lambda home: None
home = cached.home()
add_small_dataset(home, Path.cwd())
directory = train_run(home, "20260102-030405-abcd")
run = service.load_run(home, directory.path.name)

said = read_predictions(directory.path / "predictions.npz")
value = f1_score(said.labels, said.test.argmax(1), average="macro")
assert run.last.test.f1 == pytest.approx(value), "it is measured"
assert json.loads((directory.path / "metrics.jsonl").read_text().splitlines()[-1])["test_f1"] == run.last.test.f1
assert read_row({"epoch": 1, "test_accuracy": 0.5}).test.f1 is None, "a row of an earlier version has none"
with pytest.raises(Unreadable, match="test_f1 cannot be 1.5"):
    read_row({"epoch": 1, "test_f1": 1.5})
assert "test_f1" not in left_out_of(run.last), "test images are covered"

shown = f"{100 * value:.1f}"
assert "last_test_f1" in runs_csv([run]) and "test_f1" in epochs_csv([run])
assert b"test/f1" in event_file(run)
assert f"test {shown}%" in describe_curves([curves_of(run)], MEASURES["f1"], "epoch")
assert {figure.name: figure.value for figure in report(said.test, said.labels, ordered=False)}["f1"] == run.last.test.f1
card = unpacked(export_run(home, run.id))["model_card.md"].decode()
assert f"| F1, mean of the classes | test images | {value:.3f} |" in card
assert COMPARED["test_f1"].title == "test F1"

page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("runs.py").run()
assert not page.exception
(table,) = [each.value for each in page.dataframe if "run" in each.value]
assert list(table["test F1"]) == [pytest.approx(100 * value)]

main(["runs", "show", run.id])
main(["compare", NAME, "--column", "test_f1"])
"""


def test_a_field_and_the_function_that_computes_it_are_all_that_a_metric_needs(tmp_path: Path, home: DataHome) -> None:
    for name in ("medpriv_core", "pages", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    for name, before, after in ADDED:
        file = tmp_path / name
        text = file.read_text("utf-8")
        assert text.count(before) == 1
        file.write_text(text.replace(before, after), "utf-8")

    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env=os.environ | {"MEDPRIV_HOME": str(home.root), "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert "test F1 " in done.stdout, "runs show"
    assert "what privacy costs in F1" in done.stdout, "compare"
