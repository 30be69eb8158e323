"""Claims of docs/threat-model.md that no other test looks at."""

from __future__ import annotations

import re
import tempfile
import tomllib
from pathlib import Path

import pytest

from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.patients import count_patients
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset
from medpriv_core.errors import ImageError
from medpriv_core.home import DataHome
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.privacy.image_epsilon import laplace_guarantee
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.statement import format_epsilon
from tests.datasets.builders import chest_files, write_zip
from tests.documents.sentences import DOCUMENT, PROJECT, sentences

SOURCES = (".py", ".js", ".css", ".html", ".svg")


def sentence(beginning: str) -> str:
    """The one sentence of the document that begins so."""
    (found,) = [one for one in sentences(DOCUMENT.read_text(encoding="utf-8")) if one.startswith(beginning)]
    return found


def test_the_epsilon_of_a_grey_picture_is_the_accountants() -> None:
    said = sentence("For a grey image of 256 × 256 at β = 1")
    guarantee = laplace_guarantee(beta=1.0, shape=(256, 256, 1), delta=1e-5)

    assert f"it is {format_epsilon(guarantee.epsilon_image_pure)} " in said
    assert f"({format_epsilon(guarantee.epsilon_image)} at δ = 1e-5)" in said


def test_the_epsilon_of_a_patient_with_several_images_is_the_accountants() -> None:
    said = sentence("With k images of a patient in the training set")
    plan = plan_dp_sgd(train_size=5232, batch_size=128, epochs=50, delta=1e-5, noise_multiplier=2.0)
    one, two, five = (format_epsilon(plan.epsilon_patient(images)) for images in (1, 2, 5))

    assert f"{one} for one, {two} for two, {five} for five" in said


def test_one_patient_of_the_chest_x_rays_has_as_many_images_as_is_said(shared_data: Path) -> None:
    names = [path.name for path in (shared_data / "chest_xray" / "train").rglob("*.jpeg")]
    keys = [key for name in names if (key := ChestXray.patient_key(name)) is not None]
    patients = count_patients(keys)

    assert patients is not None
    assert len(keys) == len(names)
    assert sentence("In the chest X-rays one patient has") == f"In the chest X-rays one patient has {patients.largest}."


def test_a_zip_is_read_where_it_lies(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    archive = write_zip(tmp_path / "archive" / "chest.zip", chest_files())
    add_dataset(home, "chest_xray", archive)
    prepare_dataset(home, "chest_xray", image_size=32)

    written = [path for folder in (home.root, elsewhere) for path in folder.rglob("*") if path.is_file()]
    assert written  # the arrays, and what is remembered
    assert not [path for path in written if path.suffix in (".jpeg", ".zip") or _is_picture(path)]
    assert list(archive.parent.iterdir()) == [archive]


def _is_picture(path: Path) -> bool:
    try:
        kind_of(path.name, path.read_bytes())
    except ImageError:
        return False
    return True


def test_the_server_listens_here_alone_and_tells_nobody() -> None:
    config = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))

    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["enableXsrfProtection"] is True
    assert config["browser"]["gatherUsageStats"] is False


def test_no_page_names_a_font_an_icon_or_a_script_of_another_machine() -> None:
    files = [PROJECT / "app.py", *(path for path in (PROJECT / "pages").rglob("*") if path.suffix in SOURCES)]
    asked = re.compile(
        r"(?:src|href)\s*=\s*[\"']https?://|url\(\s*[\"']?https?://|@import|<script[^>]+src", re.IGNORECASE
    )

    assert len(files) > 40
    assert [path.name for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
