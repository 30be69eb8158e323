"""Weights by the path that somebody types, or that ``MEDPRIV_WEIGHTS`` holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from medpriv_core import weights_file, weights_source
from medpriv_core.errors import WeightsError
from medpriv_core.home import DataHome
from medpriv_core.training.weights import load_weights
from medpriv_core.weights_file import look_into, sha256_of
from medpriv_core.weights_source import check_weights, resolve_weights, weights_status


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _endless(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)


ODD = {
    "pipe": (_pipe, "is a pipe"),
    "device": (_device, "is a device"),
    "folder": (_folder, "is a folder"),
    "circle": (_circle, "leads in a circle"),
    "endless": (_endless, "up to 2,048 MB are read"),
}


@pytest.mark.parametrize(("make", "sentence"), ODD.values(), ids=ODD)
def test_a_weights_file_that_is_no_ordinary_file_is_called_what_it_is(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "w.pth"
    make(path)
    for choice in (str(path), f"'{path}'", "imagenet"):
        if choice == "imagenet":
            monkeypatch.setenv("MEDPRIV_WEIGHTS", str(path))
            weights_status(home)
        for ask in (
            resolve_weights,
            lambda choice: check_weights(choice, norm="batch_norm", home=home),
            lambda choice: load_weights(choice, home=home),
        ):
            with pytest.raises(WeightsError, match=sentence):
                ask(choice)
    assert sha256_of(path) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("~nosuchuser/w.pth", "There is no user 'nosuchuser'"),
        ("/x" * 2500, "This path has 5,000 characters"),
        ("/tmp/" + "x" * 300, "no weights file at|names a weights file that does not exist"),
        ("C:\\weights\\w.pth", "is a path of Windows"),
        ("https://example.org/w.pth", "is an address on the web"),
        ("/tmp/\udcff.pth", "no weights file at|names a weights file that does not exist"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_where_it_is_typed_and_in_the_variable(
    home: DataHome, monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        resolve_weights(given)
    monkeypatch.setenv("MEDPRIV_WEIGHTS", given)
    with pytest.raises(WeightsError, match=sentence):
        resolve_weights("imagenet")
    with pytest.raises(WeightsError):
        load_weights("imagenet", home=home)
    said = weights_status(home).sentence
    assert "MEDPRIV_WEIGHTS" in said
    said.encode()  # as a page sends it


def test_quotes_and_the_home_folder_are_understood_for_weights_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my w.safetensors").write_bytes(b"any")
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (f'"{tmp_path}/my w.safetensors"', "~/my w.safetensors", f"file://{tmp_path}/my%20w.safetensors"):
        assert resolve_weights(given) == str(tmp_path / "my w.safetensors")


def test_what_is_looked_at_and_what_is_read_have_one_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(bytes(2000))
    for module in (weights_file, weights_source):
        monkeypatch.setattr(module, "MOST_FILE_BYTES", 1000)
    with pytest.raises(WeightsError, match="are read"):
        look_into(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="are read"):
        resolve_weights(str(tmp_path / "w.pth"))
