"""Downloads from a server on the loopback that can misbehave in every way."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpriv_core.download import download, has_checksum
from medpriv_core.errors import DataHomeError, DownloadError
from medpriv_core.progress import Cancelled
from tests.web import Web, serve

DATA = bytes(range(256)) * 4000
MD5 = f"md5:{hashlib.md5(DATA).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as web:
        web.files["/file.bin"] = DATA
        yield web


@pytest.mark.parametrize("checksum", [MD5, SHA256, SHA256[: len("sha256:") + 8], SHA256.upper()])
def test_a_file_arrives_whole_and_under_its_name_only(web: Web, tmp_path: Path, checksum: str) -> None:
    target = tmp_path / "new" / "file.bin"
    assert download(f"{web.url}/file.bin", target, checksum=checksum) == target
    assert target.read_bytes() == DATA
    assert not list(target.parent.glob("*.part"))


def test_progress_counts_bytes(web: Web, tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    download(f"{web.url}/file.bin", tmp_path / "f", checksum=MD5, progress=lambda *call: calls.append(call))
    assert ("Downloading f", 0, len(DATA)) in calls
    assert calls[-1] == ("Downloading f", len(DATA), len(DATA))
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)


def test_a_server_that_does_not_say_the_length_is_fine(web: Web, tmp_path: Path) -> None:
    calls: list[int] = []
    download(
        f"{web.url}/file.bin?nolength", tmp_path / "f", checksum=MD5, progress=lambda _, __, total: calls.append(total)
    )
    assert set(calls) == {0}
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_file_that_is_there_and_right_is_not_fetched_again(web: Web, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    download(f"{web.url}/file.bin", tmp_path / "f", checksum=MD5)
    assert web.asked == []


def test_a_file_that_is_there_and_wrong_is_replaced(web: Web, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA[:-1])
    download(f"{web.url}/file.bin", tmp_path / "f", checksum=MD5)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_wrong_checksum_keeps_what_was_there(web: Web, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"older")
    with pytest.raises(DownloadError, match=r"wrong checksum.*download it in a browser from http"):
        download(f"{web.url}/file.bin", tmp_path / "f", checksum="md5:" + "0" * 32)
    assert (tmp_path / "f").read_bytes() == b"older"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing.bin", r"answered 404 .*download it in a browser"),
        ("/file.bin?short", r"broke off after 512,000 of 1,024,000 bytes"),
        ("/file.bin?hang", r"cannot be reached .*Check the network connection"),
    ],
)
def test_a_server_that_fails_is_explained(web: Web, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        download(web.url + path, tmp_path / "f", checksum=MD5, timeout_s=0.5)
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".lock"] == []


def test_no_network_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]  # bound but not listening: connections are refused
        with pytest.raises(DownloadError, match=r"cannot be reached .*refused"):
            download(f"http://127.0.0.1:{port}/f", tmp_path / "f", checksum=MD5, timeout_s=2)


def test_cancelling_removes_what_has_arrived(web: Web, tmp_path: Path) -> None:
    def stop(phase: str, done: int, total: int) -> None:
        if done:
            assert len(list(tmp_path.glob("*.part"))) == 1
            raise Cancelled

    with pytest.raises(Cancelled):
        download(f"{web.url}/file.bin", tmp_path / "f", checksum=MD5, progress=stop)
    assert not list(tmp_path.glob("*.part"))
    assert not (tmp_path / "f").exists()


def test_a_place_that_cannot_be_written_is_explained(web: Web, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DataHomeError, match="is not a folder"):
        download(f"{web.url}/file.bin", tmp_path / "folder" / "f", checksum=MD5)


def test_two_downloads_of_one_file_fetch_it_once(web: Web, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=download, args=(f"{web.url}/file.bin?slow", tmp_path / "f"), kwargs={"checksum": MD5})
        for _ in range(2)
    ]
    web.files["/file.bin"] = DATA
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert web.asked == ["/file.bin?slow"]
    assert (tmp_path / "f").read_bytes() == DATA


@pytest.mark.parametrize("checksum", ["", "md5:123", "sha256:1234567", "sha1:" + "0" * 40, "md5:" + "g" * 32, MD5[4:]])
def test_a_malformed_checksum_is_a_programming_error(tmp_path: Path, checksum: str) -> None:
    with pytest.raises(ValueError, match="not a checksum"):
        download("http://127.0.0.1/f", tmp_path / "f", checksum=checksum)


def test_local_files_are_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    with pytest.raises(ValueError, match="not an address on the web"):
        download((tmp_path / "secret").as_uri(), tmp_path / "f", checksum=MD5)


def test_checksums_are_compared_with_the_published_digest(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the test vectors of RFC 1321 and FIPS 180
    assert has_checksum(tmp_path / "abc", "md5:900150983cd24fb0d6963f7d28e17f72")
    assert has_checksum(tmp_path / "abc", "sha256:ba7816bf")
    assert not has_checksum(tmp_path / "abc", "sha256:ba7816be")


@pytest.mark.real_data
def test_a_real_dataset_file(web: Web, shared_data: Path, tmp_path: Path) -> None:
    original = (shared_data / "pneumoniamnist.npz").read_bytes()
    web.files["/pneumoniamnist.npz"] = original
    checksum = f"md5:{hashlib.md5(original).hexdigest()}"
    target = download(f"{web.url}/pneumoniamnist.npz", tmp_path / "p.npz", checksum=checksum)
    assert target.read_bytes() == original
