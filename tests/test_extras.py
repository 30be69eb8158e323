"""What needs more than the package brings says so in one sentence, with the command that installs it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels.common import CoderBase

from medpriv_core import extras
from medpriv_core.cli.main import main
from medpriv_core.errors import ImageError, MissingExtraError
from medpriv_core.extras import EXTRAS, why_missing
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import Job
from medpriv_core.mechanisms import sources
from medpriv_core.pictures.decoded import Decoded
from medpriv_core.pictures.dicom import decode_dicom
from medpriv_core.runs.diagnosis import diagnose
from medpriv_core.runs.service import extend, resume, submit
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec
from medpriv_core.sweeps import service as sweeps
from medpriv_core.sweeps.grid import Grid, vary

ROOT = Path(__file__).resolve().parents[1]
NO_TORCH = (
    "Training a network, asking it and taking it away needs PyTorch and Opacus, which are not installed here; "
    "pip install -r requirements.txt installs them."
)
SPEC = RunSpec(dataset="synthetic_chest", weights="none")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``pip install medpriv``, without any extra."""
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    sources._exact_sampler.cache_clear()


def test_in_this_environment_nothing_is_missing() -> None:
    assert [why_missing(name) for name in EXTRAS] == [None, None, None]


def test_the_sentence_names_what_is_missing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "opacus")

    assert why_missing("train") == (
        "Training a network, asking it and taking it away needs Opacus, which is not installed here; pip install -r "
        "requirements.txt installs it."
    )


def test_far_from_the_source_tree_the_command_names_the_extra(
    bare: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "PACKAGE_PARENT", str(tmp_path))

    assert 'pip install "medpriv[release]" installs it' in (why_missing("release") or "")


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--dataset", "synthetic_chest", "--weights", "none"),
        ("sweep", "paper", "--dataset", "synthetic_chest"),
        ("bench", "dpsgd"),
        ("audit",),
        ("worker", "folder"),
        ("predictor",),
    ],
    ids=lambda command: command[0],
)
def test_commands_that_need_torch_say_so(
    bare: None, home: DataHome, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"medpriv: {NO_TORCH}"


@pytest.mark.parametrize(
    "action",
    [
        lambda home: submit(home, SPEC),
        lambda home: resume(home, "no_such_run"),
        lambda home: extend(home, "no_such_run", epochs=9),
        lambda home: diagnose(home, "no_such_run", []),
        lambda home: Job(home.root / "job").start(home, "weights", folder="", directories=[]),
        lambda home: sweeps.submit(home, Grid(SPEC.to_dict(), (vary("seed", range(2)),)), title="two"),
    ],
    ids=["submit", "resume", "extend", "diagnose", "weights", "sweep"],
)
def test_what_pages_do_with_networks_is_refused_before_anything_is_queued(
    bare: None, home: DataHome, action: Callable[[DataHome], object]
) -> None:
    with pytest.raises(MissingExtraError, match="PyTorch"):
        action(home)
    assert RunStore(home).all() == []
    assert sweeps.list_sweeps(home).sweeps == ()


def test_a_release_without_opendp_is_refused_and_other_noise_is_not(
    bare: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.png"
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(picture)

    noise = ["noise", str(picture), "--beta", "1", "--output"]

    assert main([*noise, str(tmp_path / "a.png"), "--mechanism", "discrete_laplace"]) == 2
    assert "Exact discrete Laplace noise needs OpenDP" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
    assert main([*noise, str(tmp_path / "b.png")]) == 0


def test_a_dicom_that_only_the_gpl_decoder_reads_says_so_and_an_uncompressed_one_is_read(
    bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CoderBase, "available_plugins", ())

    def decoded(name: str) -> Decoded:
        file = get_testdata_file(name, download=False)
        assert isinstance(file, str)
        return decode_dicom(Path(file).read_bytes())

    with pytest.raises(ImageError, match="needs pylibjpeg-libjpeg, which is not installed here"):
        decoded("MR_small_jpeg_ls_lossless.dcm")
    assert decoded("MR_small.dcm").frames.shape[1:3] == (64, 64)


def test_every_way_into_training_asks_first_whether_torch_is_there() -> None:
    """Else somebody without it sees a traceback."""
    ways = 0
    for file in (ROOT / "medpriv_core" / "cli").glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            lines = {
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medpriv_core.training")
            }
            asked = {
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and ast.unparse(node) == "require('train')"
            }
            if lines:
                ways += 1
                assert asked, f"{file.name}: {function.name}"
                assert min(asked) < min(lines), f"{file.name}: {function.name}"
    assert ways == 6
