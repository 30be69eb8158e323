"""Zips of runs as they come back from people's machines: unpacked, looked into, packed again, or left unpacked."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.archive_members import read_runs
from medpriv_core.runs.imports import import_run, import_runs
from tests.runs.archives import RUN_ID, members, zipped

OTHER = "20260102-030405-eeee"


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def other_run() -> dict[str, bytes]:
    files = members()
    return files | {"about.json": json.dumps(json.loads(files["about.json"]) | {"id": OTHER}).encode()}


def under(folder: str, files: Mapping[str, bytes], *, by: str = "/") -> dict[str, bytes]:
    return {f"{folder}{by}{name}": content for name, content in files.items()}


def mac(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """As Finder's "Compress" leaves them."""
    return {
        "my run/": b"",
        **under("my run", files),
        "my run/.DS_Store": b"x",
        "__MACOSX/": b"",
        "__MACOSX/my run/": b"",
        "__MACOSX/my run/._spec.json": b"x",
        "__MACOSX/._my run": b"x",
    }


def windows(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {**under("Röntgen", files, by="\\"), "Röntgen\\Thumbs.db": b"x", "Röntgen\\desktop.ini": b"x"}


REPACKED: dict[str, Callable[[Mapping[str, bytes]], dict[str, bytes]]] = {
    "mac": mac,
    "windows": windows,
    "two folders": lambda files: under("Downloads/run", files),
    "dot in front": lambda files: under(".", files),
    "other order": lambda files: dict(reversed(list(files.items()))),
    "network disk": lambda files: {**under("run", files), "run/@eaDir/spec.json@SynoEAStream": b"x"},
    "zones": lambda files: dict(files) | {"spec.json:Zone.Identifier": b"x"},
    "linux": lambda files: under("run", files) | {"run/.directory": b"x"},
}


@pytest.mark.parametrize("pack", REPACKED.values(), ids=REPACKED)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_packed_again_on_a_desktop_holds_the_same_files(pack: Any, compression: int) -> None:
    assert read_runs(zipped(pack(members()), compression=compression)) == [members()]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [REPACKED["mac"], REPACKED["windows"]])
def test_it_is_imported(home: DataHome, pack: Any) -> None:
    assert import_run(home, zipped(pack(members()))) == RUN_ID
    assert service.load_run(home, RUN_ID).epochs_done == 2


def test_the_unpacked_folder_is_imported_as_it_lies(home: DataHome, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name, content in mac(members()).items():
        if not name.endswith("/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    assert import_run(home, folder) == RUN_ID


def test_a_zip_in_a_zip_and_an_export_of_several_runs_are_imported(home: DataHome) -> None:
    both = {"medpriv-run-1.zip": zipped(members()), "medpriv-run-2.zip": zipped(mac(other_run()))}

    assert import_runs(home, zipped(under("medpriv-runs", both))).ids == (RUN_ID, OTHER)


def test_of_several_runs_those_that_are_here_already_are_told(home: DataHome) -> None:
    import_run(home, zipped(members()))
    both = {"a.zip": zipped(members()), "b.zip": zipped(other_run())}

    imported = import_runs(home, zipped(both))

    assert imported.ids == (OTHER,)
    assert "here already" in imported.complaints[0]


def test_several_unpacked_runs_in_one_folder_are_imported(home: DataHome) -> None:
    assert import_runs(home, zipped(under("a", members()) | under("b", other_run()))).ids == (RUN_ID, OTHER)


def test_a_zip_within_a_zip_within_a_zip_is_not_followed(home: DataHome) -> None:
    inner = zipped({"run.zip": zipped({"run.zip": zipped(members())})})

    with pytest.raises(RunError, match="which no run has"):
        import_runs(home, inner)


@pytest.mark.parametrize("name", ["run/../spec.json", "../spec.json", "/spec.json", "run//spec.json", "C:/spec.json"])
def test_a_path_that_leads_elsewhere_is_refused_beside_a_folder(home: DataHome, name: str) -> None:
    with pytest.raises(RunError, match=r"which no run has|missing"):
        import_run(home, zipped(under("run", members()) | {name: b"{}"}))


def test_the_same_file_at_two_places_is_refused(home: DataHome) -> None:
    with pytest.raises(RunError, match="twice"):
        import_run(home, zipped(under("run", members()) | {"run\\spec.json": b"{}"}))


def packed_by(method: int) -> bytes:
    """A zip that says that it is packed by another method."""
    content = bytearray(zipped(members(), compression=zipfile.ZIP_STORED))
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        at = content.find(start)
        while at >= 0:
            place = at + (8 if start.endswith(b"\x04") else 10)
            content[place : place + 2] = method.to_bytes(2, "little")
            at = content.find(start, at + 1)
    return bytes(content)


def tar_of(mode: str) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members().items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return output.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed_by(9), "packed by Deflate64"),
        (packed_by(93), "packed by Zstandard"),
        (packed_by(77), "packed by method 77"),
        (tar_of("w"), "a tar archive"),
        (tar_of("w:gz"), "a gzip archive"),
        (gzip.compress(b"x", mtime=0), "a gzip archive"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c\x00", "a 7-Zip archive"),
    ],
)
def test_of_other_archives_it_is_said_what_they_are_and_not_that_they_are_damaged(content: bytes, words: str) -> None:
    with pytest.raises(RunError, match=words) as error:
        read_runs(content)
    assert "damaged" not in str(error.value)


def test_a_locked_zip_is_told(home: DataHome) -> None:
    content = bytearray(zipped(members(), compression=zipfile.ZIP_STORED))
    at = content.find(b"PK\x01\x02")
    content[at + 8] |= 1

    with pytest.raises(RunError, match="password"):
        import_run(home, bytes(content))


def test_other_folders_and_files_are_refused_by_what_they_are(home: DataHome, tmp_path: Path) -> None:
    kept = tmp_path / "runs" / RUN_ID
    kept.mkdir(parents=True)
    for name in ("spec.json", "setup.json", "metrics.jsonl", "checkpoint.pt", "worker.log"):
        (kept / name).write_bytes(b"{}")
    empty = tmp_path / "empty"
    empty.mkdir()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "x.png").write_bytes(b"x")
    linked = tmp_path / "linked"
    linked.mkdir()
    os.symlink("/etc/passwd", linked / "spec.json")

    for source, words in (
        (kept, "folder of a run in a data home"),
        (empty, "is empty"),
        (pictures, "'x.png', which no run has"),
        (linked, "a link"),
        (kept / "spec.json", "one file of a run"),
        (tmp_path / "gone", "no file and no folder"),
        (Path("/dev/null"), "is a device and not an ordinary file"),
    ):
        with pytest.raises(RunError, match=words):
            import_run(home, source)
