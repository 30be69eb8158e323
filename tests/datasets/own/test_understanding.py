"""What is understood of folders and tables as people have them, and what is refused with a true sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from medpriv_core.datasets.own import tables, understanding
from medpriv_core.datasets.own.adding import add_own, look
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.own.recipe import OwnClass
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.datasets.own.understood import Understood
from medpriv_core.errors import DatasetError, UnclearTableError
from medpriv_core.home import DataHome
from tests.datasets.builders import image_bytes, write_folder, write_zip

CASES = Path(__file__).parents[4] / "shared" / "cases"


def tree(*folders: str, images: int = 12, mode: str = "L") -> dict[str, bytes]:
    """So many different images in each folder."""
    return {
        f"{folder}/p{number:02}_{place}.png": image_bytes(100 * place + number, mode=mode)
        for place, folder in enumerate(folders)
        for number in range(images)
    }


def table(lines: str, images: int = 12, *, name: str = "labels.csv", folder: str = "images") -> dict[str, bytes]:
    """A table beside images img00 to img11."""
    return {name: lines.encode()} | {f"{folder}/img{n:02}.png": image_bytes(n) for n in range(images)}


def understood(home: DataHome, tmp_path: Path, files: Mapping[str, bytes], **choices: object) -> Understood:
    return look(home, "mine", write_folder(tmp_path / "set", files), Choices(**choices))  # type: ignore[arg-type]


def rows(labels: str, *, images: int = 12, more: str = "", header: str = "file,label") -> str:
    return header + "\n" + "".join(f"img{n:02},{labels[n % len(labels)]}{more}\n" for n in range(images))


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (("NORMAL", "PNEUMONIA"), ["NORMAL", "PNEUMONIA"]),
        (("train/covid", "train/normal", "test/covid", "test/normal"), ["normal", "covid"]),
        (("data/a/Train/No_DR", "data/a/Train/Mild", "data/a/val/No_DR", "data/a/val/Mild"), ["No DR", "Mild"]),
        (("colored_images/2", "colored_images/10", "colored_images/0"), ["0", "2", "10"]),
        (("set/ill/ann", "set/ill/bob", "set/well/cyd"), ["ill", "well"]),
    ],
)
def test_folders_are_classes_in_any_depth(
    home: DataHome, tmp_path: Path, folders: tuple[str, ...], classes: list[str]
) -> None:
    found = understood(home, tmp_path, tree(*folders))
    assert [one.name for one in found.recipe.classes] == classes
    assert sum(found.counts("train")) + sum(found.counts("test")) == 12 * len(folders)
    assert all(found.counts("train"))
    assert all(found.counts("test"))


def test_a_zip_is_understood_as_its_folder_is(home: DataHome, tmp_path: Path) -> None:
    files = tree("train/a", "train/b", "test/a", "test/b")
    folder = understood(home, tmp_path, files)
    zipped = look(home, "mine", write_zip(tmp_path / "set.zip", files), Choices())
    assert zipped.images == folder.images


def test_a_second_tree_further_down_is_told_and_beside_it_refused(home: DataHome, tmp_path: Path) -> None:
    files = tree("train/a", "train/b", "test/a", "test/b", "copy/train/a", "copy/train/b")
    found = understood(home, tmp_path, files)
    assert [(item.reason, item.count) for item in found.left_out] == [("images in a second tree of classes", 24)]
    with pytest.raises(DatasetError, match=r"several trees of classes \(one/ and two/\)"):
        look(home, "mine", write_folder(tmp_path / "two", tree("one/train/a", "two/train/b")), Choices())


@pytest.mark.parametrize(
    "written",
    [
        rows("01"),
        rows("01").replace(",", ";"),
        rows("01").replace(",", "\t"),
        rows("01").replace("\n", "\r\n"),
        "\ufeff" + rows("01", header=" File Name ,Diagnosis"),
        rows("01").replace("img", "C:\\data\\images\\img").replace(",0", ".png,0.0").replace(",1", ".PNG,1.0"),
        rows("01").replace("img", "/home/ann/set/images/img"),
    ],
)
def test_a_table_is_read_as_people_have_them(home: DataHome, tmp_path: Path, written: str) -> None:
    found = understood(home, tmp_path, table(written))
    assert [one.name for one in found.recipe.classes] == ["0", "1"]
    assert sorted(image.label for image in found.images) == [0] * 6 + [1] * 6
    assert [image.label for image in found.images][:2] == [0, 1]


def test_columns_are_guessed_shown_and_given(home: DataHome, tmp_path: Path) -> None:
    lines = "id,who,sex,finding,split\n" + "".join(
        f"img{n:02}.png,pat{n // 2},{'FM'[n % 2]},{['ill', 'well'][n % 2]},{'train' if n < 8 else 'test'}\n"
        for n in range(12)
    )
    found = understood(home, tmp_path, table(lines))
    assert dict(found.recipe.columns.named()) == {"file": "id", "label": "finding", "split": "split", "group": "sex"}
    assert (found.counts("train"), found.counts("test")) == ([4, 4], [2, 2])
    assert found.images[1].groups == ("M",)
    assert found.images[0].patient is None  # nobody said that "who" is a patient
    given = understood(home, tmp_path / "b", table(lines), columns=Columns(patient="who", label="SEX"))
    assert [one.name for one in given.recipe.classes] == ["F", "M"]
    assert given.images[3].patient == "pat1"
    with pytest.raises(DatasetError, match=r"has no column nobody\. It has 'id', 'who'"):
        understood(home, tmp_path / "c", table(lines), columns=Columns(label="nobody"))


def test_a_table_from_elsewhere_and_one_for_each_split(home: DataHome, tmp_path: Path) -> None:
    images = {name: content for name, content in table("").items() if name.endswith(".png")}
    (tmp_path / "elsewhere.csv").write_text(rows("ab"))
    found = understood(home, tmp_path, images, table=tmp_path / "elsewhere.csv")
    assert [one.name for one in found.recipe.classes] == ["a", "b"]
    both = images | {
        "train.csv": b"file,label\n" + b"".join(b"img%02d,%d\n" % (n, n % 2) for n in range(8)),
        "test.csv": b"file,label\n" + b"".join(b"img%02d,%d\n" % (n, n % 2) for n in range(8, 12)),
    }
    split = understood(home, tmp_path / "b", both)
    assert (split.counts("train"), split.counts("test")) == ([4, 4], [2, 2])


def test_what_a_table_leaves_out_is_counted(home: DataHome, tmp_path: Path) -> None:
    lines = rows("01") + "img00,0\nimg99,1\nimg98,0\nimg11,\n,1\n"
    files = table(lines.replace("img10,0\n", "img10,\n")) | {"images/note.pdf": b"%PDF"}
    found = understood(home, tmp_path, files)
    counts = {item.reason: item.count for item in found.left_out}
    assert counts["rows whose image is not there"] == 2
    assert counts["rows without a label"] == 2
    assert counts["rows that name an image again"] == 1
    assert counts["rows without the name of an image"] == 1
    assert counts["images that no row of a table labels"] == 1
    assert counts["files that are no images"] == 1
    assert len(found.images) == 11


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (rows("01").replace("img", "pic"), "No column of labels.csv names images that are there"),
        (rows("0"), "All images have one label, '0'"),
        (rows("01") + "img00,1\n", "gives the image images/img00.png the labels 0 and 1"),
        ("file,file\nimg00,1\n", "has the column file twice"),
        ("file,label\n", "has no rows"),
        (rows("01", header="file,x").replace("0\n", "0.5\n").replace("1\n", "0.25\n"), None),
        (rows("01", more=",later", header="file,label,split"), None),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(home: DataHome, tmp_path: Path, lines: str, why: str | None) -> None:
    if why is None:  # odd, and yet plain
        assert len(understood(home, tmp_path, table(lines)).images) == 12
        return
    with pytest.raises(DatasetError, match=why):
        understood(home, tmp_path, table(lines), layout="table")


@pytest.mark.parametrize("heading", ["DR-Grad (0-4)", "Retinopathy grade", "Diagnose", "my label"])
def test_a_column_that_is_nearly_called_so_holds_the_classes(home: DataHome, tmp_path: Path, heading: str) -> None:
    lines = rows("01", more=",left,ann", header=f"Bild,{heading},eye,doctor").replace("img03,1,left", "img03,1,right")
    assert understood(home, tmp_path, table(lines)).recipe.columns.label == heading


UNPLAIN = rows("01", more=",left", header="file,x,eye").replace("img03,1,left", "img03,1,right")


@pytest.mark.parametrize(
    ("lines", "why", "header"),
    [
        (UNPLAIN, r"not plain which column of labels\.csv holds the classes: 'x', 'eye'", ("file", "x", "eye")),
        (rows("01").replace("img", "pic"), r"No column of labels\.csv names images that are there", ("file", "label")),
    ],
)
def test_where_folders_tell_nothing_either_it_says_what_is_not_plain_of_the_table(
    home: DataHome, tmp_path: Path, lines: str, why: str, header: tuple[str, ...]
) -> None:
    """All images in one folder: that there is no other folder is true, and helps nobody who has a table."""
    with pytest.raises(UnclearTableError, match=why) as refused:
        understood(home, tmp_path, table(lines))
    assert refused.value.header == header


def test_a_table_that_cannot_be_read_is_what_counts_where_folders_tell_nothing(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 5)
    with pytest.raises(DatasetError, match="has more than 6 rows"):
        understood(home, tmp_path, table(rows("01")))


@pytest.mark.parametrize(
    ("lines", "images", "why"),
    [
        (rows("0"), 12, "All images have one label, '0', so there is nothing to tell apart"),
        ("file,label\n" + "".join(f"img{n:02},c{n}\n" for n in range(120)), 120, "There are 120 different labels"),
    ],
)
def test_a_column_that_is_called_so_is_it_though_its_labels_cannot_be_classes(
    home: DataHome, tmp_path: Path, lines: str, images: int, why: str
) -> None:
    with pytest.raises(DatasetError, match=why):
        understood(home, tmp_path, table(lines, images))


def test_a_table_that_was_set_aside_is_told(home: DataHome, tmp_path: Path) -> None:
    found = understood(home, tmp_path, tree("ill", "well") | {"a.csv": UNPLAIN.replace("img", "p").encode()})
    assert found.recipe.layout == "folders"
    assert any("Folders tell the classes here. " in note and "a.csv" in note for note in found.notes)


def test_labels_of_several_spellings_are_one_and_that_is_said(home: DataHome, tmp_path: Path) -> None:
    labels = ["Normal", "normal ", "NORMAL", "Ill_now"]
    lines = "file,label\n" + "".join(f"img{n:02},{labels[n % 4]}\n" for n in range(12))
    found = understood(home, tmp_path, table(lines))
    assert [one.name for one in found.recipe.classes] == ["Normal", "Ill now"]
    assert "Taken as one label: Normal, normal, NORMAL." in found.notes or any(
        note.startswith("Taken as one label: ") for note in found.notes
    )


def test_classes_are_named_ordered_and_joined_by_choice(home: DataHome, tmp_path: Path) -> None:
    lines = rows("012")
    chosen = (OwnClass("Ill", ("2", "1")), OwnClass("Well", ("0",)))
    found = understood(home, tmp_path, table(lines), classes=chosen)
    assert [one.name for one in found.recipe.classes] == ["Ill", "Well"]
    assert sorted(image.label for image in found.images) == [0] * 8 + [1] * 4
    for wrong, why in (
        ((OwnClass("Ill", ("2",)), OwnClass("Well", ("0",))), "'1' is in no class"),
        ((*chosen, OwnClass("Other", ("7",))), "'7' is no label of any image"),
        ((*chosen, OwnClass("Other", ("0",))), "'0' is given twice"),
    ):
        with pytest.raises(DatasetError, match=why):
            look(home, "mine", tmp_path / "set", Choices(classes=wrong))


def test_patients_come_from_a_column_a_name_or_a_header_and_stay_on_one_side(home: DataHome, tmp_path: Path) -> None:
    found = understood(home, tmp_path, tree("a", "b", images=20), patient_pattern=r"^(p\d)")
    assert {image.patient for image in found.images} == {"p0", "p1"}
    sides = {(image.patient, image.split) for image in found.images}
    assert len(sides) == 2  # each patient on one side
    with pytest.raises(DatasetError, match="is no regular expression"):
        look(home, "mine", tmp_path / "set", Choices(patient_pattern="("))


@pytest.mark.parametrize(
    ("name", "hinted"),
    [
        ("P{who:03}_{n:02}.png", True),
        ("person{who}_bacteria_{n}.jpeg", True),
        ("img{n:02}.png", False),  # one number: nothing in common
        ("scan_{n}.png", False),
        ("P{who}{n:03}_01.png", False),  # every patient once
    ],
)
def test_names_that_may_tell_patients_are_a_hint_and_no_guess(
    home: DataHome, tmp_path: Path, name: str, hinted: bool
) -> None:
    files = {
        f"{folder}/{name.format(who=n // 3 + 100 * place, n=n)}": image_bytes(100 * place + n)
        for place, folder in enumerate(("ill", "well"))
        for n in range(12)
    }
    found = understood(home, tmp_path, files)
    assert {image.patient for image in found.images} == {None}
    (note,) = (note for note in found.notes if "Nothing says whose the images are" in note)
    assert ("--patient-pattern" in note) == hinted
    if hinted:
        pattern = note.partition("--patient-pattern '")[2].partition("'")[0]
        named = understood(home, tmp_path / "b", files, patient_pattern=pattern)
        assert len({image.patient for image in named.images}) == 8


def test_a_patient_in_both_given_splits_is_refused_or_moved_by_choice(home: DataHome, tmp_path: Path) -> None:
    files = tree("train/a", "train/b", "test/a", "test/b", images=4)
    with pytest.raises(DatasetError, match="4 patients have images both to learn from and to test on"):
        understood(home, tmp_path, files, patient_pattern=r"^p\d\d")
    files |= {"test/a/q1.png": image_bytes(901), "test/b/q2.png": image_bytes(902)}
    moved = understood(home, tmp_path / "b", files, patient_pattern=r"^[pq]\d+", move_patients=True)
    assert (moved.counts("train"), moved.counts("test")) == ([8, 8], [1, 1])
    assert any("moved there: 8" in note for note in moved.notes)


def test_copies_stay_on_one_side_of_a_split_that_is_made(home: DataHome, tmp_path: Path) -> None:
    files = tree("a", "b", images=20)
    files |= {f"a/again{n}.png": files["a/p00_0.png"] for n in range(5)}
    found = understood(home, tmp_path, files)
    sides = {image.split for image in found.images if "again" in image.file or image.file == "a/p00_0.png"}
    assert len(sides) == 1
    again = look(home, "mine", tmp_path / "set", Choices())
    assert again.images == found.images
    assert look(home, "mine", tmp_path / "set", Choices(seed=1)).images != found.images


def test_grey_and_colour_are_told_by_the_pixels(home: DataHome, tmp_path: Path) -> None:
    assert understood(home, tmp_path, tree("a", "b")).recipe.channels == 1
    assert understood(home, tmp_path / "b", tree("a", "b", mode="RGB")).recipe.channels == 3
    assert look(home, "mine", tmp_path / "b" / "set", Choices(channels=1)).recipe.channels == 1


def test_one_class_one_folder_and_far_too_many_classes_are_refused(home: DataHome, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="lie in one folder, only, so there is nothing to tell apart"):
        understood(home, tmp_path, tree("only"))
    with pytest.raises(DatasetError, match="no images in folders"):
        understood(home, tmp_path / "b", {f"x{n}.png": image_bytes(n) for n in range(4)})
    with pytest.raises(DatasetError, match="There are 500 different labels, and medpriv tells at most 100"):
        understood(home, tmp_path / "c", tree(*(f"class{n}" for n in range(500)), images=1))
    with pytest.raises(DatasetError, match="There are no images that medpriv reads"):
        understood(home, tmp_path / "d", {"a/x.txt": b"text"})
    with pytest.raises(DatasetError, match="There are no images to test on"):
        understood(home, tmp_path / "e", tree("a", "b", images=1))


def test_names_of_classes_are_never_more_than_text(home: DataHome, tmp_path: Path) -> None:
    names = ["=HYPERLINK(1)", "<script>alert(1)</script>", "two\u202eeno"]
    lines = "file,label\n" + "".join(f'img{n:02},"{names[n % 3]}"\n' for n in range(12))
    found = understood(home, tmp_path, table(lines))
    assert {one.name for one in found.recipe.classes} == set(names)


def test_no_name_in_a_table_leads_out_of_the_folder(home: DataHome, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(image_bytes(99))
    lines = rows("01").replace("img00", "../secret").replace("img01", str(tmp_path / "secret.png"))
    found = understood(home, tmp_path, table(lines))
    assert len(found.images) == 10
    assert all("secret" not in image.file for image in found.images)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="the system has no links")
def test_links_within_a_folder_are_followed_once(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", tree("a", "b"))
    (folder / "round").symlink_to(folder, target_is_directory=True)
    assert len(look(home, "mine", folder, Choices()).images) == 24


def test_what_cannot_be_read_is_listed_and_left_out_on_demand(home: DataHome, tmp_path: Path) -> None:
    files = tree("a", "b") | {"a/broken.png": image_bytes(5)[:60], "b/film.png": b"\0\0\0\x18ftypmp42" + b"\0" * 400}
    listed = understood(home, tmp_path, files, every_image=True)
    assert any("2 files cannot be read as images (a/broken.png, b/film.png)" in note for note in listed.notes)
    assert len(listed.images) == 26
    skipped = look(home, "mine", tmp_path / "set", Choices(skip_unreadable=True))
    assert len(skipped.images) == 24
    assert ("files that cannot be read as images", 2) in [(item.reason, item.count) for item in skipped.left_out]


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize(
    ("case", "classes", "train", "test"),
    [
        ("S02_third_class_covid.zip", 3, [2, 2, 2], [2, 2, 2]),
        ("S04_tiff_bmp_webp_jfif_beside_jpeg.zip", 2, [5, 3], [2, 2]),
        *((f"A{name}.zip", 5, [2] * 5, [1] * 5) for name in (
            "01_semicolons", "03_ids_with_png", "05_header_case_and_space", "06_nested_train_images",
            "08_colored_images_by_grade",
        )),
    ],
)  # fmt: skip
def test_shared_cases(home: DataHome, case: str, classes: int, train: list[int], test: list[int]) -> None:
    found = look(home, "mine", CASES / case, Choices())
    assert (len(found.recipe.classes), found.counts("train"), found.counts("test")) == (classes, train, test)


def test_a_broken_image_is_found_before_anything_is_kept(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tree("well", "ill") | {"ill/broken.png": image_bytes(7)[:60]}
    place = write_folder(tmp_path / "set", files)
    found = look(home, "mine", place, Choices())
    assert found.unreadable is not None
    assert any("1 file cannot be read as images (ill/broken.png)" in note for note in found.notes)
    with pytest.raises(DatasetError, match="or have it left out"):
        add_own(home, "mine", place, Choices())
    assert add_own(home, "mine", place, Choices(skip_unreadable=True)).available
    # Of more images than are looked at unasked that is said, and those that are kept are named when a run needs them.
    monkeypatch.setattr(understanding, "QUICKLY_LOOKED_AT", 10)
    found = look(home, "mine", place, Choices())
    assert found.unreadable is None
    assert any("Not each of the 25 images was opened" in note for note in found.notes)
    assert look(home, "mine", place, Choices(every_image=True)).unreadable is not None
