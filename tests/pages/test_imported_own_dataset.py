"""A run on somebody's own dataset, where that dataset is not: shown by the record that its zip brings."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets.own.adding import add_own, is_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.dataset import forget
from medpriv_core.datasets.own.recipe import OwnClass
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.registry import dataset_info, dataset_names, list_datasets
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.exports.run_archive import export_run
from medpriv_core.home import DataHome
from medpriv_core.pictures.reading import Reading
from medpriv_core.runs import deletion, service
from medpriv_core.runs.described import remove_own_dataset
from medpriv_core.runs.imports import import_run
from tests.datasets.builders import image_bytes, write_folder
from tests.exports.runs import PLAIN, RUN_ID, put_run
from tests.pages.conftest import texts

OpenPage = Callable[..., AppTest]
NAME = "my_lungs"


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The zip of a run that another hospital trained on its own images."""
    home = DataHome(tmp_path / "sender")
    monkeypatch.setenv("MEDPRIV_HOME", str(home.root))
    lines = "scan,result,who\n" + "".join(f"p{n:02},{('well', 'ill')[n % 2]},Doe{n // 2}\n" for n in range(24))
    files = {f"pics/p{n:02}.png": image_bytes(n) for n in range(24)} | {"of_dr_doe.csv": lines.encode()}
    choices = Choices(
        title="Lungs of ours",
        columns=Columns(patient="who"),
        classes=(OwnClass("Healthy", ("well",)), OwnClass("Ill", ("ill",))),
        reading=Reading(fit="pad"),
    )
    add_own(home, NAME, write_folder(tmp_path / "set", files), choices)
    put_run(home, PLAIN.changed(dataset=NAME), classes=("Healthy", "Ill"))
    return export_run(home, RUN_ID)


@pytest.fixture
def here(sent: bytes, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> DataHome:
    monkeypatch.setenv("MEDPRIV_HOME", str(home.root))
    return home


def with_record(sent: bytes, change: Callable[[str], str] | None) -> bytes:
    """The zip with another record, or without one."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sent)) as old, zipfile.ZipFile(output, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "dataset.toml":
                if change is None:
                    continue
                data = change(data.decode()).encode()
            new.writestr(name, data)
    return output.getvalue()


def test_it_is_imported_listed_and_shown(sent: bytes, here: DataHome, open_page: OpenPage) -> None:
    assert import_run(here, sent) == RUN_ID
    info = dataset_info(NAME, here)
    assert (info.title, info.classes, info.reading) == ("Lungs of ours", ("Healthy", "Ill"), Reading(fit="pad"))
    assert [run.spec.dataset for run in service.list_runs(here)] == [NAME]
    entry = next(entry for entry in list_datasets(here) if entry.info.name == NAME)
    assert not entry.available
    for name in ("runs", "compare", "datasets", "explore", "train"):
        page = open_page(name, **({"run": RUN_ID} if name == "runs" else {}))
        assert not page.exception
        assert not page.error, (name, [one.value for one in page.error])
    page = open_page("datasets")
    assert "There are runs on these images, and the images are not here." in texts(page)


def test_the_zip_says_nothing_of_how_the_images_were_found(sent: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(sent)) as archive:
        record = archive.read("dataset.toml").decode()
    for told in ("doe", "who", "scan", "csv", "pics"):
        assert told not in record.lower()
    assert 'name = "Healthy"' in record


def test_who_has_the_images_adds_them_under_that_name(sent: bytes, here: DataHome, tmp_path: Path) -> None:
    import_run(here, sent)
    images = {f"{'ill' if n % 2 else 'well'}/{n:02}.png": image_bytes(n) for n in range(24)}
    entry = add_own(here, NAME, write_folder(tmp_path / "mine", images), Choices())
    assert entry.available
    assert import_is_there(here)


def import_is_there(home: DataHome) -> bool:
    return [run.id for run in service.list_runs(home)] == [RUN_ID]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("[[class]]", "[[klass]]"), "dataset.toml in this zip is damaged or was changed"),
        (lambda text: text.replace('"my_lungs"', '"other_lungs"'), "dataset.toml in this zip is damaged"),
        (lambda text: "\0" + text, "dataset.toml in this zip is damaged"),
        (None, "There is no dataset 'my_lungs'"),
    ],
)
def test_a_record_that_cannot_be_is_refused_and_nothing_is_kept(
    sent: bytes, here: DataHome, change: Callable[[str], str] | None, said: str
) -> None:
    with pytest.raises(MedprivError, match=said):
        import_run(here, with_record(sent, change))
    assert NAME not in dataset_names(here)
    assert not service.list_runs(here)


def test_what_fails_later_leaves_no_dataset_behind(
    sent: bytes, here: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise RunError("No.")

    monkeypatch.setattr("medpriv_core.runs.imports._put", refuse)
    with pytest.raises(RunError, match="No"):
        import_run(here, sent)
    assert not is_own(here, NAME)


def test_another_dataset_of_that_name_is_not_taken_for_it(sent: bytes, here: DataHome, tmp_path: Path) -> None:
    images = {f"{'abc'[n % 3]}/{n:02}.png": image_bytes(n) for n in range(24)}
    add_own(here, NAME, write_folder(tmp_path / "mine", images), Choices())
    with pytest.raises(RunError, match="with the classes Healthy, Ill, and the one that is called so here has a, b, c"):
        import_run(here, sent)
    assert dataset_info(NAME, here).classes == ("a", "b", "c")


def test_an_imported_run_is_exported_with_the_record_again(sent: bytes, here: DataHome) -> None:
    import_run(here, sent)
    with zipfile.ZipFile(io.BytesIO(export_run(here, RUN_ID))) as again, zipfile.ZipFile(io.BytesIO(sent)) as first:
        assert again.read("dataset.toml") == first.read("dataset.toml")


def test_pages_stay_open_where_the_dataset_of_a_run_was_removed(
    sent: bytes, here: DataHome, open_page: OpenPage
) -> None:
    import_run(here, sent)
    forget(here, NAME)
    for name in ("runs", "compare", "datasets", "explore", "train", "sweep"):
        page = open_page(name, **({"run": RUN_ID} if name == "runs" else {}))
        assert not page.exception, name
        assert not page.error, (name, [one.value for one in page.error])


def test_a_removed_dataset_stays_known_by_name_while_there_are_runs_on_it(
    sent: bytes, here: DataHome, open_page: OpenPage, tmp_path: Path
) -> None:
    images = {f"{'ill' if n % 2 else 'well'}/{n:02}.png": image_bytes(n) for n in range(24)}
    classes = (OwnClass("Healthy", ("well",)), OwnClass("Ill", ("ill",)))
    add_own(here, NAME, write_folder(tmp_path / "mine", images), Choices(classes=classes, title="Ours"))
    import_run(here, sent)
    page = open_page("datasets")
    page.button(key=f"forget_{NAME}").click().run()
    assert dataset_info(NAME, here).title == "Ours"
    assert not (here.root / "own" / NAME / "images.json").exists()
    assert "There are runs on these images, and the images are not here." in texts(page)
    for name in ("runs", "compare", "train", "sweep"):
        page = open_page(name, **({"run": RUN_ID} if name == "runs" else {}))
        assert not page.exception
        assert not page.error, (name, [one.value for one in page.error])
    deletion.delete(here, RUN_ID)
    deletion.purge(here, RUN_ID, at_once=True)
    remove_own_dataset(here, NAME)
    assert NAME not in dataset_names(here)


def test_a_dataset_of_that_name_with_other_colours_or_in_grades_is_not_taken_for_it(
    sent: bytes, here: DataHome, tmp_path: Path
) -> None:
    images = {f"{'ill' if n % 2 else 'well'}/{n:02}.png": image_bytes(n, mode="RGB") for n in range(24)}
    classes = (OwnClass("Healthy", ("well",)), OwnClass("Ill", ("ill",)))
    place = write_folder(tmp_path / "mine", images)
    add_own(here, NAME, place, Choices(classes=classes, channels=3))
    with pytest.raises(RunError, match="of grey images in classes, and the one that is called so here is of colour"):
        import_run(here, sent)
    add_own(here, NAME, place, Choices(classes=classes, channels=1, ordered=True))
    with pytest.raises(RunError, match="here is of grey images in grades"):
        import_run(here, sent)
