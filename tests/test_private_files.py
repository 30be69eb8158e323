"""What is written into the data home is for its owner alone, and no link is followed out of it."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpriv_core.errors import DataHomeError
from medpriv_core.private_files import make_folder, open_private, remove_whole
from tests.test_rooms import CORE, module_name, parse

# What writes elsewhere: to places that the user names, to a folder that is this process's own, or a byte of a trial.
ELSEWHERE = {
    "medpriv_core.private_files",
    "medpriv_core.cli.compare",
    "medpriv_core.cli.export",
    "medpriv_core.atomic",
    "medpriv_core.exports.tensorboard",
    "medpriv_core.results.reference",
}
ALLOWED = {"medpriv_core.home": 1}
WRITING = {"mkdir", "makedirs", "write_bytes", "write_text", "touch", "symlink_to", "copytree"}


@pytest.fixture(params=[0o000, 0o022, 0o077], ids="umask {:03o}".format)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_folders_and_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    make_folder(folder)
    with open_private(folder / "file", "ab") as file:
        file.write(b"x")

    assert [mode(path) for path in (folder.parent.parent, folder.parent, folder)] == [0o700] * 3
    assert mode(folder / "file") == 0o600


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    make_folder(tmp_path / "open")
    make_folder(tmp_path / "open" / "new")

    assert (mode(tmp_path / "open"), mode(tmp_path / "open" / "new")) == (0o755, 0o700)


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file" / "below")


@pytest.mark.parametrize("way", ["wb", "ab", "a+b"])
def test_nothing_is_written_through_a_link(tmp_path: Path, way: str) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(DataHomeError, match=r"link is a link, and medpriv does not write through links"):
        open_private(tmp_path / "link", way)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_removing_takes_away_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"precious")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "file").write_bytes(b"")
    for name in ("link", "inside", "file", "nothing"):
        remove_whole(tmp_path / name)

    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert (tmp_path / "precious" / "file").read_bytes() == b"precious"


def writes_of(tree: ast.AST) -> Iterator[str]:
    """The calls in a source that make a file or folder with the mode that the umask leaves."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        given = [*call.args, *(word.value for word in call.keywords)]
        modes = [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        opened = name == "open" and any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)
        if name in WRITING or opened:
            yield f"{name}, line {call.lineno}"


@pytest.mark.parametrize(
    "source", ['open(path, "ab")', 'path.open(mode="w")', "path.mkdir()", "os.makedirs(path)", 'path.write_text("")']
)
def test_the_search_finds_every_way_of_writing(source: str) -> None:
    assert list(writes_of(ast.parse(source)))


def test_the_core_writes_into_the_data_home_by_this_module_alone() -> None:
    found = {module_name(file): list(writes_of(parse(file))) for file in CORE}

    assert set(found) >= ELSEWHERE
    around = {name: writes for name, writes in found.items() if name not in ELSEWHERE and writes}
    assert {name: writes for name, writes in around.items() if len(writes) != ALLOWED.get(name)} == {}
