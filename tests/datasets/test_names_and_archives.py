"""Names that are not UTF-8, archives of other sorts, and files that are something else than they are called."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import pytest

from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.datasets.report import AddReport
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from tests.datasets.builders import (
    aptos_files,
    chest_files,
    image_bytes,
    write_folder,
    write_npz,
    write_zip,
)


def left_out(report: AddReport | None) -> dict[str, int]:
    assert report is not None
    return {item.reason: item.count for item in report.left_out}


# Names that are not UTF-8


def write_bytes_tree(folder: Path, files: dict[bytes, bytes]) -> Path:
    for name, data in files.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    return folder


def test_files_and_folders_whose_names_are_no_utf8_are_read(home: DataHome, tmp_path: Path) -> None:
    files = {name.encode(): data for name, data in chest_files(train=3, test=2).items()}
    files |= {b"train/NORMAL/Andr\xe9.jpeg": image_bytes(60, file_format="JPEG")}
    files |= {b"holdout/\xff\xfe.jpeg": image_bytes(61, file_format="JPEG")}
    place = tmp_path / os.fsdecode(b"Bj\xf8rn")
    entry = add_dataset(home, "chest_xray", write_bytes_tree(place, files))
    assert entry.train == 7
    json.dumps([entry.location, entry.report.sentences], ensure_ascii=False).encode("utf-8")  # as a page sends it
    assert entry.location.endswith("Bj\ufffdrn")
    [listed] = [entry for entry in list_datasets(home) if entry.info.name == "chest_xray"]
    assert (listed.available, listed.train, listed.location) == (True, 7, entry.location)
    prepared = prepare_dataset(home, "chest_xray", image_size=16)
    assert prepared.train.images.shape[0] == 7
    " ".join(open_dataset(home, "chest_xray").split("train").ids).encode("utf-8")


def test_an_unreadable_file_with_such_a_name_is_named_in_a_sentence_for_any_screen(
    home: DataHome, tmp_path: Path
) -> None:
    files = {name.encode(): data for name, data in chest_files().items()} | {b"train/NORMAL/\xe9.jpeg": b"text"}
    with pytest.raises(DatasetError) as caught:
        add_dataset(home, "chest_xray", write_bytes_tree(tmp_path / "set", files))
    assert "train/NORMAL/\ufffd.jpeg is no image" in str(caught.value)
    str(caught.value).encode("utf-8")


@pytest.mark.parametrize("encoding", ["cp437", "latin-1", "utf-8"])
def test_members_of_a_zip_in_any_alphabet(home: DataHome, tmp_path: Path, encoding: str) -> None:
    grades = {(f"f\u00fc{n}" if n % 2 else f"id{n}"): n % 5 for n in range(25)}
    path = write_zip(tmp_path / "set.zip", {name.replace("\u00fc", "##"): d for name, d in aptos_files(grades).items()})
    data = path.read_bytes().replace(b"##", "\u00fc".encode(encoding).ljust(2, b"_"))
    path.write_bytes(data)
    if encoding == "utf-8":
        assert add_dataset(home, "aptos2019", path).train == 20
    else:  # the table says another name: it is named, and nothing breaks
        with pytest.raises(DatasetError, match=r"does not exist"):
            add_dataset(home, "aptos2019", path)
    chest = write_zip(tmp_path / "chest.zip", chest_files() | {"train/NORMAL/##.jpeg": image_bytes(9)})
    chest.write_bytes(chest.read_bytes().replace(b"##", "\u00fc".encode(encoding).ljust(2, b"_")))
    entry = add_dataset(home, "chest_xray", chest)
    assert entry.train == 7
    prepare_dataset(home, "chest_xray", image_size=16)


def test_a_zip_that_claims_utf8_wrongly_is_not_called_damaged(home: DataHome, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", chest_files() | {"train/NORMAL/\u00fc.jpeg": image_bytes(9)})
    path.write_bytes(path.read_bytes().replace("\u00fc".encode(), b"\xfc_"))
    with pytest.raises(DatasetError, match=r"says that its names are in UTF-8, and they are not\. Unpack it"):
        add_dataset(home, "chest_xray", path)


def test_a_name_that_comes_twice_in_a_zip_is_counted(home: DataHome, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", chest_files())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("train/NORMAL/IM-train-0-0.jpeg", image_bytes(77, file_format="JPEG"))
    entry = add_dataset(home, "chest_xray", path)
    assert entry.train == 6
    assert left_out(entry.report) == {"files under a name that the zip holds again further on": 1}


# Zips and other archives


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (95, "xz"), (98, "PPMd"), (97, "method 97")]
)
def test_a_compression_that_cannot_be_unpacked_is_said_when_added(
    home: DataHome, tmp_path: Path, method: int, name: str
) -> None:
    path = _with_method(write_zip(tmp_path / "set.zip", chest_files()), method)
    with pytest.raises(DatasetError, match=f"is sound, but compressed by {name}, which") as caught:
        add_dataset(home, "chest_xray", path)
    assert "damaged" not in str(caught.value)
    npz = _with_method(write_npz(tmp_path / "pneumoniamnist.npz"), method)
    with pytest.raises(DatasetError, match=f"is sound, but compressed by {name}, which"):
        add_dataset(home, "pneumoniamnist", npz)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_read(home: DataHome, tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w", method) as archive:
        for name, data in chest_files().items():
            archive.writestr(name, data)
    add_dataset(home, "chest_xray", tmp_path / "set.zip")
    assert prepare_dataset(home, "chest_xray", image_size=16).train.images.shape[0] == 6


def test_an_encrypted_zip_is_said_when_added(home: DataHome, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", chest_files())
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 8] |= 1
        at += 4
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"is encrypted .*Unpack it with its password"):
        add_dataset(home, "chest_xray", path)


@pytest.mark.parametrize(
    ("name", "file", "data", "sentence"),
    [
        ("aptos2019", "train.csv", b"id_code,diagnosis\n", "is not a zip file: it is text. Give the folder"),
        ("chest_xray", "a.jpeg", b"\xff\xd8\xff\xe0", "is not a zip file: it is an image. Give the folder"),
        ("chest_xray", "OCT2017.tar.gz", b"\x1f\x8b\x08\0", "is a tar archive, which medpriv does not open. Unpack it"),
        ("chest_xray", "set.rar", b"Rar!\x1a\x07\0", "is a RAR archive, which medpriv does not open"),
        ("idrid", "B.7z", b"7z\xbc\xaf\x27\x1c\0", "is a 7z archive, which medpriv does not open"),
        ("idrid", "B.zip.001", b"PK\x03\x04", "is one part of an archive that was split"),
        ("aptos2019", "set.zip", b"<!DOCTYPE html><html>", "it is a web page. The site may have wanted a login"),
        ("aptos2019", "set.zip", b"", "it is an empty file"),
        ("pneumoniamnist", "p.npz", b"Rar!\x1a\x07\0", "is a RAR archive"),
        ("pneumoniamnist", "p.npz", b"<html>", "is not a sound npz file: it is a web page"),
        ("pneumoniamnist", "train.csv", b"a,b\n", "is not a sound npz file: it is text"),
        ("pneumoniamnist", "x.npy", b"\x93NUMPY\1\0", "it is a single numpy array"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(
    home: DataHome, tmp_path: Path, name: str, file: str, data: bytes, sentence: str
) -> None:
    (tmp_path / file).write_bytes(data)
    with pytest.raises(DatasetError, match=sentence) as caught:
        add_dataset(home, name, f' "{tmp_path / file}" ')
    assert "ownload it again" not in str(caught.value)


def test_an_archive_inside_the_download_is_named(home: DataHome, tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", chest_files()).read_bytes()
    for place in (
        write_folder(tmp_path / "set", {"ZhangLabData.zip": inner}),
        write_zip(tmp_path / "set.zip", {"rscbjbr9sj-3/ZhangLabData.zip": inner}),
    ):
        with pytest.raises(DatasetError, match=r"It holds the archive (rscbjbr9sj-3/)?ZhangLabData.zip: unpack it"):
            add_dataset(home, "chest_xray", place)


def test_the_folder_of_images_beside_the_table_is_recognised(home: DataHome, tmp_path: Path) -> None:
    write_folder(tmp_path / "set", aptos_files({f"eye{n}": n % 5 for n in range(25)}))
    with pytest.raises(DatasetError, match=r"There is one beside this folder: give .*set\."):
        add_dataset(home, "aptos2019", tmp_path / "set" / "train_images")


def test_arrays_in_the_place_of_image_files_are_told_where_they_belong(home: DataHome, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "pneumoniamnist.npz")
    for name in ("chest_xray", "aptos2019", "idrid"):
        with pytest.raises(DatasetError, match="It is an npz file of arrays: if it is MedMNIST's, add it as pneumonia"):
            add_dataset(home, name, path)


def test_the_folder_of_one_split_is_recognised(home: DataHome, tmp_path: Path) -> None:
    write_folder(tmp_path / "set", chest_files())
    with pytest.raises(DatasetError, match="give the folder that holds train and test"):
        add_dataset(home, "chest_xray", tmp_path / "set" / "train")


def test_a_pipe_among_the_files_does_not_hold_up(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", chest_files())
    os.mkfifo(folder / "train" / "NORMAL" / "x.jpeg")
    with pytest.raises(DatasetError, match=r"The file train/NORMAL/x.jpeg in .* is a pipe and not an ordinary file"):
        add_dataset(home, "chest_xray", folder)


def _with_method(path: Path, method: int) -> Path:
    """The zip with another method of compression in its headers."""
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        at = 0
        while (at := data.find(signature, at)) >= 0:
            struct.pack_into("<H", data, at + offset, method)
            at += 4
    path.write_bytes(data)
    return path
