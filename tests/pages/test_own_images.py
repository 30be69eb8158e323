"""One's own images on the datasets page: looked at, decided about, added, and what is said when that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.own.adding import add_own, adding_job
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.registry import dataset_info, dataset_names, list_datasets
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import Reading
from medpriv_core.shown_text import for_markdown
from tests.datasets.builders import image_bytes, write_folder
from tests.jobs.here import work_here
from tests.pages.conftest import texts
from tests.uploads.dicoms import described, written

OpenPage = Callable[..., AppTest]
NAME = "my_lungs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = "image,patient,sex,grade\n" + "".join(f"p{n:02},ann{n // 2},{'FM'[n % 2]},{n % 3}\n" for n in range(24))
    images = {f"pics/p{n:02}.png": image_bytes(n) for n in range(24)}
    return write_folder(tmp_path / "<b>set</b>", images | {"labels.csv": lines.encode()})


def looked(open_page: OpenPage, folder: Path, name: str = NAME) -> AppTest:
    page = open_page("datasets")
    page.text_input(key="own_name").set_value(name)
    page.text_input(key="own_path").set_value(str(folder)).run()
    return page.button(key="own_look").click().run()


def widget(page: AppTest, kind: str, start: str):  # type: ignore[no-untyped-def]
    return next(one for one in getattr(page, kind) if str(one.key).startswith(start))


def test_what_is_understood_is_shown_before_anything_is_kept(open_page: OpenPage, home: DataHome, folder: Path) -> None:
    page = looked(open_page, folder)
    assert not page.exception
    said = texts(page)
    assert f"**{for_markdown(NAME)}**: 24 grey images, 3 classes, by a table." in said
    assert "No split was given, so one was made by patient" in said
    assert "If the classes are grades of one disease, say so" in said
    assert widget(page, "selectbox", "own_column_patient").value == "patient"
    assert widget(page, "multiselect", "own_column_groups").value == ["sex"]
    assert NAME not in dataset_names(home)


def test_columns_that_are_not_plain_are_asked_for(open_page: OpenPage, home: DataHome, folder: Path) -> None:
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("image,patient,sex,grade", "Bild,who,sex,stage"))
    page = looked(open_page, folder)
    assert "not plain which column of labels.csv holds the classes" in texts(page)
    widget(page, "selectbox", "own_unclear_classes").set_value("stage").run()
    page.button(key="own_unclear_look").click().run()
    assert not page.exception
    assert "24 grey images, 3 classes, by a table." in texts(page)
    assert widget(page, "selectbox", "own_column_label").value == "stage"
    assert not [box for box in page.selectbox if str(box.key).startswith("own_unclear")]


def test_it_is_added_with_what_was_decided(
    open_page: OpenPage, home: DataHome, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)
    page = looked(open_page, folder)
    widget(page, "text_input", "own_title").set_value("Lungs")
    widget(page, "toggle", "own_ordered").set_value(True)
    widget(page, "multiselect", "own_column_groups").set_value([]).run()
    page.button(key="own_add").click().run()
    adding_job(home, NAME).wait()
    page.run()
    assert [one.value for one in page.success] == ["Lungs is added: it stands below, and all pages offer it."]
    page = open_page("datasets")
    assert not page.success
    assert texts(page).index("**Lungs**") < texts(page).index("**Synthetic chest")  # one's own come first
    assert dataset_info(NAME).ordered
    entry = next(entry for entry in list_datasets(home) if entry.info.name == NAME)
    assert entry.patients is not None
    page.button(key=f"forget_{NAME}").click().run()
    assert NAME not in dataset_names(home)


def test_a_decision_is_looked_at_again(open_page: OpenPage, folder: Path) -> None:
    page = looked(open_page, folder)
    assert page.button(key="own_again").disabled
    widget(page, "selectbox", "own_column_label").set_value("sex").run()
    assert not page.button(key="own_again").disabled
    page.button(key="own_again").click().run()
    assert "24 grey images, 2 classes" in texts(page)


@pytest.mark.parametrize(
    ("name", "path", "why"),
    [
        ("My Lungs", None, "cannot be the name of a dataset"),
        ("chest_xray", None, "that medpriv knows by that name"),
        (NAME, "/nowhere/at/all", "nowhere"),
        (NAME, "pics", "There are no images in folders"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_is_lost(
    open_page: OpenPage, folder: Path, name: str, path: str | None, why: str
) -> None:
    place = folder if path is None else Path(path) if path.startswith("/") else folder / path
    page = looked(open_page, place, name)
    assert not page.exception
    assert why in page.error[0].value
    assert page.text_input(key="own_name").value == name


def test_an_adding_that_failed_is_told_when_the_page_is_read_anew(
    open_page: OpenPage, home: DataHome, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)
    page = looked(open_page, folder)
    (folder / "pics" / "p03.png").write_bytes(b"%PDF-1.4")
    page.button(key="own_add").click().run()
    with pytest.raises(Exception, match="cannot be read as images"):
        adding_job(home, NAME).wait()
    anew = open_page("datasets")
    assert "1 file cannot be read as images (pics/p03.png)" in " ".join(error.value for error in anew.error)


@pytest.mark.parametrize("side", [1, 12])
def test_tiny_images_are_looked_at_as_they_are(open_page: OpenPage, home: DataHome, tmp_path: Path, side: int) -> None:
    """Below 16 pixels a side there is no smaller size to choose, and none larger: nothing is enlarged."""
    images = {f"{label}/{n}.png": image_bytes(n, size=(side, side)) for label in "ab" for n in range(8)}
    add_own(home, NAME, write_folder(tmp_path / "tiny", images), Choices())
    page = open_page("explore", dataset=NAME)
    assert not page.exception
    assert not page.error
    assert page.selectbox(key="dataset").value == NAME
    assert "Seen by eye?" in texts(page)


def test_fit_window_and_frames_can_be_chosen(
    open_page: OpenPage, home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)
    files = {}
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 4096, (3, 20, 30)).astype(np.uint16)
        dataset = described(pixels)
        dataset.PatientID = f"P{number}"
        files[f"{'ab'[number % 2]}/{number}.dcm"] = written(dataset)
    page = looked(open_page, write_folder(tmp_path / "films", files))
    assert "12 DICOM files hold several frames, up to 3; the first of each is used." in texts(page)
    for name, value in (("fit", "pad"), ("window", "percentiles"), ("frames", "each")):
        widget(page, "selectbox", f"own_reading_{name}").set_value(value)
    page.run()
    page.button(key="own_again").click().run()
    assert not page.exception
    assert "36 grey images, 2 classes" in texts(page)
    page.button(key="own_add").click().run()
    adding_job(home, NAME).wait()
    assert dataset_info(NAME).reading == Reading(fit="pad", window="percentiles", frames="each")


def test_windows_and_frames_are_asked_for_with_dicom_alone(open_page: OpenPage, folder: Path) -> None:
    page = looked(open_page, folder)
    keys = [str(box.key).rsplit("_", 1)[0] for box in page.selectbox if "own_reading" in str(box.key)]
    assert keys == ["own_reading_fit"]
