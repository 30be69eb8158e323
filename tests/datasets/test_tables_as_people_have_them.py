"""Tables and layouts of graded photographs after spreadsheets, archivers and other people's uploads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core.datasets.aptos import Aptos2019
from medpriv_core.datasets.files import open_files
from medpriv_core.datasets.graded_table import parse_grade, read_grades
from medpriv_core.datasets.idrid import Idrid
from medpriv_core.errors import DatasetError
from tests.datasets.builders import aptos_files, idrid_files, image_bytes, write_folder, write_zip

GRADES = {f"00{n:02}ab" if n % 2 else f"id{n}": n % 5 for n in range(25)}
NAMES = ("No_DR", "Mild", "Moderate", "Severe", "Proliferate_DR")
FILES = aptos_files(GRADES)
PLAIN = FILES["train.csv"].decode().replace("\r\n", "\n")


def opened(tmp_path: Path, files: dict[str, bytes]) -> Aptos2019:
    """The dataset from a folder; from a zip it must be the same."""
    folder = Aptos2019(open_files(write_folder(tmp_path / "set", files)))
    assert Aptos2019(open_files(write_zip(tmp_path / "set.zip", files))).content_key() == folder.content_key()
    return folder


def labels_of(dataset: Aptos2019) -> dict[str, int]:
    return {
        id_: int(label)
        for side in ("train", "test")
        for id_, label in zip(dataset.split(side).ids, dataset.split(side).labels, strict=True)
    }


def with_table(text: str | bytes, name: str = "train.csv") -> dict[str, bytes]:
    images = {file: data for file, data in FILES.items() if not file.endswith(".csv")}
    return images | {name: text if isinstance(text, bytes) else text.encode()}


TABLES: dict[str, Callable[[], str | bytes]] = {
    "semicolons": lambda: PLAIN.replace(",", ";"),
    "tabs": lambda: PLAIN.replace(",", "\t"),
    "bars": lambda: PLAIN.replace(",", "|"),
    "Excel's sep line": lambda: "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
    "old Mac's line ends": lambda: PLAIN.replace("\n", "\r"),
    "UTF-8 with mark": lambda: b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": lambda: PLAIN.encode("utf-16"),
    "UTF-16 without mark": lambda: PLAIN.encode("utf-16-le"),
    "UTF-16 big-endian": lambda: b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "Latin-1 in another column": lambda: PLAIN.replace("\n", ",gr\u00f6\u00dfe\n").encode("latin-1"),
    "header in capitals with blanks": lambda: PLAIN.replace("id_code,diagnosis", " ID_CODE , Diagnosis "),
    "header of EyePACS": lambda: PLAIN.replace("id_code,diagnosis", "image,level"),
    "quotes": lambda: "\n".join('"' + line.replace(",", '", "') + '"' for line in PLAIN.splitlines()),
    "ids with endings": lambda: PLAIN.replace(",", ".png,").replace("id_code.png", "id_code"),
    "ids with folders": lambda: "\n".join(
        line if line.startswith("id_code") else f"train_images/{line.split(',')[0]}.PNG,{line.split(',')[1]}"
        for line in PLAIN.splitlines()
    ),
    "ids in capitals": lambda: PLAIN.replace("ab,", "AB,"),
    "lost zeros": lambda: "\n".join(line.lstrip("0") for line in PLAIN.splitlines()),
    "decimal grades": lambda: "\n".join(
        line if line.startswith("id_code") else f"{line}.0" for line in PLAIN.splitlines()
    ),
    "grades with blanks": lambda: PLAIN.replace(",", ", ").replace("\n", " \n"),
    "grades in words": lambda: "\n".join(
        line if line.startswith("id_code") else f"{line.split(',')[0]},{NAMES[int(line.split(',')[1])]}"
        for line in PLAIN.splitlines()
    ),
    "a column of row numbers": lambda: "\n".join(
        f"{'' if n == 0 else n},{line}" for n, line in enumerate(PLAIN.splitlines())
    ),
    "empty rows at the end": lambda: PLAIN + ",\n,\n\n",
}


@pytest.mark.parametrize("write", TABLES.values(), ids=TABLES)
def test_a_table_is_read_however_it_was_saved(tmp_path: Path, write: Callable[[], str | bytes]) -> None:
    dataset = opened(tmp_path, with_table(write()))
    assert labels_of(dataset) == GRADES
    # However the table is written, the same images are for testing.
    assert dataset.content_key() == opened(tmp_path / "plain", FILES).content_key()


def moved(move: Callable[[str], str]) -> dict[str, bytes]:
    return {move(name): data for name, data in FILES.items()}


def of_grade(name: str, *, names: tuple[str, ...] = NAMES, root: str = "colored_images") -> str:
    if name.endswith(".csv"):
        return name
    stem = name.rsplit("/", 1)[-1]
    return f"{root}/{names[GRADES[stem.removesuffix('.png')]]}/{stem}"


LAYOUTS: dict[str, dict[str, bytes]] = {
    "nested": moved(lambda name: name.replace("train_images/", "train_images/train_images/")),
    "below a folder": moved(lambda name: f"aptos/data/{name}"),
    "images beside the table": moved(lambda name: name.replace("train_images/", "")),
    "sorted by grade": moved(of_grade),
    "sorted by grade, nested": moved(
        lambda name: of_grade(name, root="gaussian_filtered_images/gaussian_filtered_images")
    ),
    "of 2019 beside 2015": moved(
        lambda name: name.replace("train.csv", "labels/trainLabels19.csv").replace("train_images", "resized train 19")
    )
    | {
        "labels/trainLabels15.csv": b"image,level\n1_left,0\n1_right,3\n",
        "labels/testLabels15.csv": b"image,level\n2_left,0\n2_right,3\n",
        "resized train 15/1_left.jpg": image_bytes(90, mode="RGB", file_format="JPEG"),
        "resized train 15/1_right.jpg": image_bytes(91, mode="RGB", file_format="JPEG"),
        "resized test 15/2_left.jpg": image_bytes(92, mode="RGB", file_format="JPEG"),
        "resized test 19/abc.jpg": image_bytes(93, mode="RGB", file_format="JPEG"),
    },
    "Kaggle's own with its ungraded images": FILES
    | {
        "test.csv": b"id_code\nxyz\n",
        "sample_submission.csv": b"id_code,diagnosis\nxyz,0\n",
        "test_images/xyz.png": image_bytes(94, mode="RGB"),
    },
    "another name of the table": moved(lambda name: name.replace("train.csv", "trainLabels.csv")),
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_images_are_found_wherever_they_were_put(tmp_path: Path, files: dict[str, bytes]) -> None:
    dataset = opened(tmp_path, files)
    assert labels_of(dataset) == GRADES
    assert dataset.content_key() == opened(tmp_path / "plain", FILES).content_key()
    pixels = dataset.split("train").image(0).tobytes()
    assert pixels == opened(tmp_path / "again", FILES).split("train").image(0).tobytes()


@pytest.mark.parametrize("names", [NAMES, ("0", "1", "2", "3", "4"), ("No DR", "mild", "MODERATE", "severe", "PDR")])
def test_folders_of_grades_need_no_table(tmp_path: Path, names: tuple[str, ...]) -> None:
    files = {of_grade(name, names=names): data for name, data in FILES.items() if not name.endswith(".csv")}
    dataset = opened(tmp_path, files)
    assert labels_of(dataset) == GRADES
    assert any("folders' names are taken for the grades" in note for note in dataset.notes())


def test_a_split_in_several_tables_is_kept(tmp_path: Path) -> None:
    sides = {
        "train_1.csv": ("train_images", 0, 15),
        "valid.csv": ("val_images", 15, 20),
        "test.csv": ("test_images", 20, 25),
    }
    files = {}
    for table, (folder, start, end) in sides.items():
        some = dict(list(GRADES.items())[start:end])
        files[table] = ("id_code,diagnosis\n" + "".join(f"{id_},{grade}\n" for id_, grade in some.items())).encode()
        files |= {f"{folder}/{folder}/{id_}.png": FILES[f"train_images/{id_}.png"] for id_ in some}
    dataset = opened(tmp_path, files)
    assert set(dataset.split("test").ids) == set(list(GRADES)[20:])
    assert set(dataset.split("train").ids) == set(list(GRADES)[:20])
    assert labels_of(dataset) == GRADES
    assert any("the one that came with the files" in note for note in dataset.notes())


def test_grade_folders_in_a_split_of_folders(tmp_path: Path) -> None:
    files = {}
    for n, (id_, grade) in enumerate(GRADES.items()):
        side = "test" if n >= 20 else "train"
        files[f"{side}/{grade}/{id_}.png"] = FILES[f"train_images/{id_}.png"]
    dataset = opened(tmp_path, files)
    assert set(dataset.split("test").ids) == set(list(GRADES)[20:])
    assert labels_of(dataset) == GRADES


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (moved(of_grade) | {"colored_images/Mild/id0.png": image_bytes(5)}, "may be colored_images/Mild/id0.png or"),
        (
            {name.replace("No_DR/id0.", "Severe/id0."): data for name, data in moved(of_grade).items()},
            "gives id0 the grade 0, but its image lies in the folder Severe",
        ),
        (with_table("a01.png,1\n"), "no column id_code and no column diagnosis"),
        (
            with_table(PLAIN.replace("diagnosis", "level").replace("\n", ",1\n").replace("level,1", "level,grade")),
            "both may be the diagnosis",
        ),
        (with_table(PLAIN + "id0.png,0\n"), "names 'id0' and 'id0.png', which are both the image"),
        (with_table(PLAIN + "0001,0\n") | {"train_images/001.png": b"", "train_images/01.png": b""}, "which may be"),
        (with_table(b"PK\x03\x04xlsx"), "is a spreadsheet under another name"),
        (moved(lambda name: name.replace(".csv", ".xlsx")), "train.xlsx is a spreadsheet: save it as csv"),
        ({"aptos2019-blindness-detection.zip": b"PK"}, "It holds the archive aptos2019-blindness-detection.zip"),
        (
            moved(of_grade) | moved(lambda name: of_grade(name, root="filtered_images")),
            "lie in colored_images/ and again in filtered_images/",
        ),
        (with_table(PLAIN, "a/train_1.csv") | with_table(PLAIN, "a/train_2.csv"), "several tables of grades"),
    ],
)
def test_what_could_mean_two_things_is_refused(tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        Aptos2019(open_files(write_folder(tmp_path, files)))


def test_eyepacs_is_recognised_by_the_names_of_its_images(tmp_path: Path) -> None:
    grades = {f"{n // 2}_{'left' if n % 2 else 'right'}": n % 5 for n in range(30)}
    dataset = opened(tmp_path, aptos_files(grades, columns=("image", "level")))
    assert any("EyePACS" in note for note in dataset.notes())
    assert not any("EyePACS" in note for note in opened(tmp_path / "b", FILES).notes())


GRADES_AS_WRITTEN: dict[str, int | None] = {
    "2": 2, " 3 ": 3, "2.0": 2, "2,0": 2, "4.000": 4, "Moderate": 2, "No_DR": 0, "no dr": 0,
    "Proliferative DR": 4, "Severe NPDR": 3, "grade 1": 1, "Level_2": 2, "DR3": 3, "0 - No DR": 0,
    "1.5": None, "5": None, "-1": None, "": None, "yes": None, "2 - Mild": None, "22": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "grade"),
    GRADES_AS_WRITTEN.items(),
)
def test_a_grade_is_a_number_or_its_name(text: str, grade: int | None) -> None:
    assert parse_grade(text) == grade


def test_umlauts_are_one_letter_or_two(tmp_path: Path) -> None:
    composed = {f"auge_f\u00fc{n}": n % 5 for n in range(25)}
    files = aptos_files(composed)
    files = {name.replace("\u00fc", "u\u0308") if name.endswith(".png") else name: data for name, data in files.items()}
    assert Counter(labels_of(opened(tmp_path, files)).values()) == Counter(composed.values())


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize(
    "change",
    [str.lower, str.upper, lambda name: name.replace(" ", "_"), lambda name: name.replace(" ", "")],
    ids=["small", "capitals", "underscores", "no blanks"],
)  # fmt: skip
def test_idrid_is_found_in_other_case_and_with_underscores(
    tmp_path: Path, published: bool, change: Callable[[str], str]
) -> None:
    original = Idrid(open_files(write_folder(tmp_path / "a", idrid_files(published=published))))
    files = {change(name): data for name, data in idrid_files(published=published).items()}
    changed = Idrid(open_files(write_folder(tmp_path / "b", {f"B. Disease Grading/{n}": d for n, d in files.items()})))
    for side in ("train", "test"):
        assert changed.split(side).labels.tolist() == original.split(side).labels.tolist()
        assert [id_.lower() for id_ in changed.split(side).ids] == [id_.lower() for id_ in original.split(side).ids]


def test_idrid_with_semicolons_endings_and_decimal_grades(tmp_path: Path) -> None:
    files = idrid_files()
    for table in ("train.csv", "test.csv"):
        header, *rows = files[table].decode().splitlines()
        cells = [row.split(",") for row in rows]
        lines = [header.upper(), *(f"{id_}.jpg,{grade}.0,0" for id_, grade, _ in cells)]
        files[table] = "\n".join(lines).replace(",", ";").encode("utf-16")
    assert (
        Idrid(open_files(write_folder(tmp_path / "b", files))).content_key()
        == Idrid(open_files(write_folder(tmp_path / "a", idrid_files()))).content_key()
    )


def test_the_publishers_columns_come_first() -> None:
    table = b"id,image,level,diagnosis,id_code\n1,a,4,0,x\n2,b,3,1,y\n"
    assert read_grades(table, "t.csv", id_column="id_code", grade_column="diagnosis") == {"x": 0, "y": 1}
