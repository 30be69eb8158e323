"""Tables as Excel workbooks and Parquet: the same dataset as from the csv, or a sentence that says what to do."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas
import pytest

from medpriv_core.datasets.own import sheets
from medpriv_core.datasets.own.adding import add_own, look, refresh_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.sheets import read_sheets
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.errors import DatasetError, UnclearTableError
from medpriv_core.home import DataHome
from tests.datasets.builders import image_bytes, write_folder

HEADER = ("file", "finding", "patient", "sex")
LINES = [(f"img{n:02}", ("normal", "ill")[n % 2], n // 2, "fm"[n % 2]) for n in range(12)]
IMAGES = {f"images/img{n:02}.png": image_bytes(n) for n in range(12)}


def workbook(*tables: tuple[str, Sequence[Sequence[object]]]) -> bytes:
    """Bytes of an xlsx with these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in tables:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def parquet(rows: Sequence[Sequence[object]], header: Sequence[str] = HEADER) -> bytes:
    """Bytes of a Parquet file."""
    kept = io.BytesIO()
    pandas.DataFrame(rows, columns=list(header)).to_parquet(kept)
    return kept.getvalue()


def csv() -> bytes:
    return "\n".join(",".join(map(str, row)) for row in (HEADER, *LINES)).encode()


def understood(home: DataHome, place: Path, files: dict[str, bytes], **choices: object) -> Understood:
    return look(home, "mine", write_folder(place, IMAGES | files), Choices(**choices))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "table",
    [
        {"labels.xlsx": workbook(("Sheet1", [HEADER, *LINES]))},
        {"labels.xlsx": workbook(("Notes", [("made by", "us"), ("in", 2020)]), ("Data", [(), HEADER, (), *LINES]))},
        {"labels.csv": workbook(("Data", [HEADER, *LINES]))},  # under another name
        {"labels.xlsx": workbook(("Data", [("Our images",), (), ("as of 2026",), HEADER, *LINES]))},
        {"labels.parquet": parquet(LINES)},
    ],
    ids=["workbook", "second sheet", "called csv", "title", "parquet"],
)
def test_the_same_as_from_a_csv(home: DataHome, tmp_path: Path, table: dict[str, bytes]) -> None:
    plain = understood(home, tmp_path / "csv", {"labels.csv": csv()})
    found = understood(home, tmp_path / "other", table)
    assert (found.images, found.recipe.columns, found.group_names) == (plain.images, plain.recipe.columns, ("sex",))
    assert found.left_out == plain.left_out
    assert found.recipe.tables == tuple(table)


def test_a_table_elsewhere_may_be_a_workbook(home: DataHome, tmp_path: Path) -> None:
    elsewhere = tmp_path / "labels.xlsx"
    elsewhere.write_bytes(workbook(("Notes", [("a", "b"), ("c", "d")]), ("Data", [HEADER, *LINES])))
    assert len(understood(home, tmp_path / "set", {}, table=elsewhere).images) == 12


def test_sheets_of_one_header_are_splits_by_their_names(home: DataHome, tmp_path: Path) -> None:
    table = workbook(("Train", [HEADER, *LINES[:8]]), ("Test", [HEADER, *LINES[8:]]))
    found = understood(home, tmp_path / "set", {"labels.xlsx": table})
    assert [image.split for image in found.images] == ["train"] * 8 + ["test"] * 4


def test_a_dataset_of_a_workbook_can_be_added_again(home: DataHome, tmp_path: Path) -> None:
    place = write_folder(tmp_path / "set", IMAGES | {"labels.xlsx": workbook(("a", [HEADER, *LINES]), ("b", [(1,)]))})
    first = add_own(home, "mine", place, Choices())
    (place / "labels.xlsx").write_bytes(workbook(("a", [HEADER, *LINES[:10]])))
    again = refresh_own(home, "mine")
    assert (first.train + first.test, again.train + again.test) == (12, 10)


def test_cells_are_what_people_mean_by_them() -> None:
    rows = [("id", "grade", "when", "formula"), (7, 2.0, datetime.date(2020, 1, 31), "=1+1"), (None, None, None, None)]
    assert read_sheets(workbook(("a", rows)), "t.xlsx", most_rows=9) == {
        "a": [["id", "grade", "when", "formula"], ["7", "2", "2020-01-31", ""]]
    }
    gaps = parquet([("a", 1.0), ("b", None)], ("file", "label"))
    assert read_sheets(gaps, "t.parquet", most_rows=9) == {"": [["file", "label"], ["a", "1"], ["b", ""]]}


def test_columns_that_are_no_cells_are_not_read() -> None:
    rows = [({"bytes": b"x" * 99, "path": "a"}, "a", 1), ({"bytes": b"y", "path": "b"}, "b", 0)]
    found = read_sheets(parquet(rows, ("image", "path", "label")), "t.parquet", most_rows=9)
    assert found == {"": [["path", "label"], ["a", "1"], ["b", "0"]]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 and nothing more", "is not an Excel workbook that can be read. Save it as xlsx or csv"),
        (workbook(("a", [HEADER]))[:-400], "is not an Excel workbook that can be read"),
        (b"PAR1 and nothing more", "is not a Parquet file that can be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "locked by a password or of an Excel before 2007"),
        (workbook(("a", [])), "has no rows"),
        (workbook(("a", [HEADER])), "has no rows"),
        (workbook(("a", [("x", "x"), (1, 2)])), "has the column x twice"),
        (workbook(("a", [HEADER, *LINES]), ("b", [HEADER, *LINES])), "several tables of its images"),
        (
            workbook(("Train", [HEADER, *LINES]), ("Test", [(*HEADER, "note"), *((*one, "x") for one in LINES)])),
            "sheet Train of labels.xlsx and sheet Test of labels.xlsx both name images, and have different columns",
        ),
        (
            workbook(("a", [("b",), ("c",)]), ("d", [("e",), ("f",)])),
            "No column of sheet a of labels.xlsx names images",
        ),
    ],
)
def test_what_cannot_be_read_is_one_true_sentence(home: DataHome, tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        understood(home, tmp_path / "set", {"labels.xlsx": data}, layout="table")


def test_bounds_hold_before_anything_large_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (workbook(("a", [HEADER, *LINES])), parquet(LINES)):
        with pytest.raises(DatasetError, match="more than 9 rows"):
            read_sheets(data, "t", most_rows=9)
        monkeypatch.setattr(sheets, "_MAX_UNPACKED_BYTES", 100)
        with pytest.raises(DatasetError, match=r"Save it as csv|or save it as csv"):
            read_sheets(data, "t", most_rows=99)
        monkeypatch.undo()


def test_of_a_workbook_the_sheet_that_names_images_is_asked_about(home: DataHome, tmp_path: Path) -> None:
    unclear = [("image", "who", "sex", "stage"), *((name, who, sex, who % 3) for name, _, who, sex in LINES)]
    place = {"labels.xlsx": workbook(("Hints", [("as of", "x"), ("2026", "y")]), ("Data", unclear))}
    with pytest.raises(
        UnclearTableError, match=r"which column of sheet Data of labels.xlsx holds the classes"
    ) as refused:
        understood(home, tmp_path / "set", place)
    assert refused.value.header == ("image", "who", "sex", "stage")
    found = understood(home, tmp_path / "set", {}, columns=Columns(label="stage"))
    assert len(found.recipe.classes) == 3
