"""What is written aside takes its place whole or not at all, and nothing half-written stays."""

from __future__ import annotations

import ast
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from medpriv_core import atomic
from medpriv_core.atomic import atomic_file, atomic_folder, part_of, put_aside, remove_parts, replace_file, target_name
from medpriv_core.errors import DataHomeError, DiskFullError
from tests.test_rooms import CORE, module_name, parse

# SQLite's three files of a table, an import that enters the table in the same step, noised copies that stay a release.
MOVES_ELSEWHERE = {
    "medpriv_core.systems": 1,  # the call itself, with what Windows needs
    "medpriv_core.runs.rebuilding": 2,
    "medpriv_core.runs.imports": 1,
    "medpriv_core.datasets.prepared": 1,
}


@pytest.fixture
def no_room() -> Iterator[None]:
    """Files of this process may not grow beyond 4 KB, as on a full disk; the system itself refuses."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("no_room")
def test_on_a_full_disk_what_was_there_stays_and_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"older")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "older").write_bytes(b"")
    with pytest.raises(DiskFullError, match="may not become as large as it has to"):
        replace_file(tmp_path / "file", bytes(8192))
    with pytest.raises(OSError, match="File too large"), atomic_folder(tmp_path / "folder") as part:
        (part / "array").write_bytes(bytes(8192))

    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"older"
    assert names(tmp_path / "folder") == ["older"]


def test_an_error_in_the_block_leaves_what_was_there(tmp_path: Path) -> None:
    def half_a_file() -> None:
        with atomic_file(tmp_path / "file") as file:
            file.write(b"half")
            assert (tmp_path / "file").read_bytes() == b"older"
            raise ZeroDivisionError

    def half_a_folder() -> None:
        with atomic_folder(tmp_path / "folder") as part:
            (part / "half").touch()
            assert not (tmp_path / "folder").exists()
            raise ZeroDivisionError

    (tmp_path / "file").write_bytes(b"older")
    for write in (half_a_file, half_a_folder):
        with pytest.raises(ZeroDivisionError):
            write()
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"older"


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o644)])
def test_a_file_of_the_data_home_is_its_owners_alone_and_one_elsewhere_follows_the_umask(
    tmp_path: Path, private: bool, mode: int
) -> None:
    before = os.umask(0o022)
    try:
        with atomic_file(tmp_path / "file", private=private, sync=True) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    replace_file(tmp_path / "link", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "link").read_bytes() == b"new"


def test_what_killed_processes_left_of_the_same_thing_is_removed_and_of_others_stays(tmp_path: Path) -> None:
    wanted, other = tmp_path / "a[1].npz", tmp_path / "b"
    left = [part_of(wanted), part_of(wanted), tmp_path / "a[1].npz.0a1b.part", tmp_path / "a[1].npz.part"]
    for part in left:
        part.mkdir() if part == left[1] else part.touch()
    part_of(other).touch()
    assert target_name(left[0]) == "a[1].npz"
    remove_parts(wanted)
    assert [target_name(tmp_path / name) for name in names(tmp_path)] == ["b"]


def test_a_folder_that_has_no_room_is_not_begun(tmp_path: Path) -> None:
    with (
        pytest.raises(DataHomeError, match=r"need 1,000,000,000,000 MB .* Free some space"),
        atomic_folder(tmp_path / "above" / "folder", room_bytes=10**18),
    ):
        pytest.fail("begun")
    assert names(tmp_path / "above") == []


def test_a_folder_in_the_place_of_a_file_is_put_aside_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "labels.json").mkdir()
    (tmp_path / "labels.json" / "mine").touch()
    assert put_aside(tmp_path / "labels.json")
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("labels.json.")
    assert names(aside) == ["mine"]
    assert not put_aside(tmp_path / "labels.json")


def test_a_file_of_the_data_home_takes_the_place_of_such_a_folder_and_one_elsewhere_does_not(tmp_path: Path) -> None:
    (tmp_path / "home" / "file" / "mine").mkdir(parents=True)
    replace_file(tmp_path / "home" / "file", b"new")
    assert (tmp_path / "home" / "file").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "home").glob("file.*/*")] == ["mine"]

    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError), atomic_file(tmp_path / "file", private=False) as file:
        file.write(b"new")
    assert names(tmp_path) == ["file", "home"]


def moves_of(tree: ast.AST) -> list[str]:
    """The calls in a source that put one file in the place of another."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = []
    for call, called in ((call, call.func) for call in calls):
        if isinstance(called, ast.Attribute):
            owner = getattr(called.value, "id", "")
            by_system = owner in ("os", "shutil", "systems") and called.attr in ("replace", "rename", "move", "link")
            if by_system or (called.attr == "rename" and len(call.args) == 1 and not call.keywords):
                found.append(f"{owner}.{called.attr}, line {call.lineno}")
    return found


def test_the_core_puts_files_in_place_by_this_module_alone() -> None:
    assert moves_of(ast.parse("os.replace(a, b); part.rename(c); shutil.move(a, b)"))
    found = {module_name(file): len(moves_of(parse(file))) for file in CORE}
    assert found.pop(atomic.__name__)
    assert {name: count for name, count in found.items() if count} == MOVES_ELSEWHERE
