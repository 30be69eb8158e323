"""Whose the data home is: closed to others, refused where it cannot be, and never a folder that is not medpriv's."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from pathlib import Path

import pytest

from medpriv_core import home_rights
from medpriv_core.atomic import atomic_folder
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome, data_home
from medpriv_core.home_rights import check_rights
from medpriv_core.leftovers import import_lock, remove_leftovers
from medpriv_core.locks import hold_lock
from medpriv_core.runs import list_lines, rebuilding, service
from medpriv_core.secret import noise_secret
from tests.cli.conftest import Command, Refusal, medpriv, refused  # noqa: F401 - fixtures

FIXTURES = Path(__file__).parent / "fixtures"
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give things to another account")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def folder(path: Path, *names: str, opened: int = 0o755) -> Path:
    """A folder with these files, and folders whose names end in a slash, that is open so far."""
    path.mkdir()
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).mkdir() if name.endswith("/") else (path / name).write_text("")
    path.chmod(opened)
    return path


def test_a_home_of_the_version_before_is_closed_when_it_is_opened(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    folder(home.root)
    with zipfile.ZipFile(FIXTURES / "home_0_1_0.zip") as archive:
        archive.extractall(home.root)
    opened = data_home()

    assert mode(home.root) == 0o700
    assert len(service.list_runs(opened)) == 4


@pytest.mark.parametrize("opened", [0o755, 0o750, 0o711, 0o777, 0o775, 0o1777])
def test_an_empty_folder_is_closed(tmp_path: Path, opened: int) -> None:
    check_rights(folder(tmp_path / "home", opened=opened))
    assert mode(tmp_path / "home") == 0o700


@pytest.mark.parametrize(
    "names",
    [
        ("runs.sqlite3",),
        ("datasets.json", "datasets.lock", "fingerprints/"),
        ("runs/20261130-073513-effc20b6/spec.json", "prepared/", ".DS_Store"),
        ("prepared/1234-28/meta.json", "lost+found/", "._prepared"),
        ("runner.lock", "runner.log", "runs.sqlite3.damaged-20261130-101010", "runs.sqlite3-wal"),
    ],
)
def test_what_holds_only_what_medpriv_writes_is_closed(tmp_path: Path, names: tuple[str, ...]) -> None:
    check_rights(folder(tmp_path / "home", *names))
    assert mode(tmp_path / "home") == 0o700


@pytest.mark.parametrize(
    "names",
    [
        (".bashrc", "Documents/"),
        ("runs.sqlite3", "runs/", "thesis.tex"),  # beside medpriv's
        ("runs/", "weights/"),  # as many a project has
        ("runs/exp1/weights.pt", "features/"),
        ("weights/",),
    ],
)
def test_the_rights_of_a_folder_that_holds_other_things_are_left_alone(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = folder(tmp_path / "home", *names)
    with pytest.raises(DataHomeError, match=r"holds other things than medpriv's.*home/medpriv.*chmod 700"):
        check_rights(root)

    assert mode(root) == 0o755
    # Either advice helps.
    check_rights(root / "medpriv")
    root.chmod(0o700)
    check_rights(root)


@pytest.mark.parametrize("opened", [0o775, 0o777, 0o720, 0o702, 0o1777])
@pytest.mark.parametrize(
    ("names", "advice"), [(("runs.sqlite3",), "close it .chmod 700"), (("a",), "Point MEDPRIV_HOME")]
)
def test_what_others_could_write_to_is_refused_and_left_as_it_is(
    tmp_path: Path, opened: int, names: tuple[str, ...], advice: str
) -> None:
    root = folder(tmp_path / "home", *names, opened=opened)
    with pytest.raises(DataHomeError, match=rf"can write to the data home.*\(mode {opened:o}\).*{advice}"):
        check_rights(root)
    assert mode(root) == opened


def test_the_home_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "home", opened=0o700)
    monkeypatch.setattr(home_rights.os, "geteuid", lambda: root.stat().st_uid + 1)
    with pytest.raises(DataHomeError, match=r"belongs to .*\(?uid .*Run it as its owner, or point MEDPRIV_HOME"):
        check_rights(root)


@ROOT_ONLY
def test_a_link_that_somebody_else_has_made_is_not_followed(tmp_path: Path) -> None:
    folder(tmp_path / "mine")
    link = tmp_path / "home"
    link.symlink_to(tmp_path / "mine")
    check_rights(link)
    assert mode(tmp_path / "mine") == 0o700
    os.lchown(link, 4242, 4242)
    with pytest.raises(DataHomeError, match=r"is a link that the account with uid 4242 has made"):
        check_rights(link)


@pytest.mark.parametrize("there", [True, False])
def test_a_home_that_everybody_could_replace_is_refused_but_in_a_folder_for_temporary_files(
    tmp_path: Path, there: bool
) -> None:
    shared = folder(tmp_path / "shared", opened=0o777)
    root = shared / "home"
    if there:
        folder(root, opened=0o700)
    with pytest.raises(DataHomeError, match=r"Every account can replace the data home.*chmod o-w"):
        check_rights(root)
    shared.chmod(0o1777)
    check_rights(root)


@pytest.mark.parametrize("name", ["prepared", "runs", "spent", "weights", "runs.sqlite3", "noise.secret"])
def test_no_link_leads_out_of_the_home(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path / "home", "own", opened=0o700)
    (root / name).symlink_to(root / "own")
    check_rights(root)
    (root / name).unlink()
    (root / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(
        DataHomeError, match=rf"home/{name} is a link to .*elsewhere, and medpriv follows no link out of"
    ):
        check_rights(root)
    assert (root / name).is_symlink()


def test_a_disk_that_keeps_no_rights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "home")
    monkeypatch.setattr(home_rights.os, "fchmod", lambda *_: None)
    with pytest.raises(DataHomeError, match="does not keep the rights of folders"):
        check_rights(root)


def test_what_lies_open_on_a_read_only_disk_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    root = folder(tmp_path / "home", "runs.sqlite3")
    monkeypatch.setattr(home_rights.os, "fchmod", refuse)
    monkeypatch.setattr(home_rights.os, "access", lambda *_: False)
    check_rights(root)


def test_every_place_of_the_home_is_known_as_medprivs(home: DataHome) -> None:
    places = [name for name, value in vars(DataHome).items() if isinstance(value, property)]

    assert len(places) > 10
    assert [name for name in places if not home_rights._OURS.fullmatch(getattr(home, name).name)] == []


def test_a_home_in_use_holds_nothing_that_is_not_known_as_medprivs(home: DataHome) -> None:
    noise_secret(home)
    with hold_lock(import_lock(home)):
        list_lines._write(home, {})
        there = [path.name for path in home.root.iterdir()]
    there += [path.name for path in rebuilding._with_its_own(home.root / ".runs.sqlite3.new")]

    assert {"noise.mark", "noise.secret", "noise.lock", "import.lock", "lines.json"} <= set(there)
    assert [name for name in there if not home_rights._OURS.fullmatch(name)] == []


@pytest.mark.parametrize("root", ["/", "/etc", "/tmp"])
def test_folders_of_the_system_are_refused_by_every_command_and_left_as_they_are(
    refused: Refusal,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    root: str,
) -> None:
    before = os.stat(root)
    monkeypatch.setenv("MEDPRIV_HOME", root)
    said = refused("runs", "list")

    assert "point MEDPRIV_HOME" in said or "Point MEDPRIV_HOME" in said
    assert (os.stat(root).st_mode, os.stat(root).st_uid) == (before.st_mode, before.st_uid)


def test_an_account_that_is_not_known_is_said(refused: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("MEDPRIV_HOME", "~nosuchuser/x")
    assert "The account in ~nosuchuser/x is not known" in refused("runs", "list")


def test_what_a_command_writes_to_a_place_of_the_users_choice_follows_the_umask(
    medpriv: Command,  # noqa: F811
    home: DataHome,
    tmp_path: Path,
) -> None:
    output = tmp_path / "runs.csv"
    before = os.umask(0o022)
    try:
        assert medpriv("export", "csv", "--output", output).code == 0
    finally:
        os.umask(before)
    assert mode(output) == 0o644


def test_nothing_is_removed_or_moved_where_a_link_among_prepared_images_leads(home: DataHome, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for name in (".laplace-per_pixel-1.0a1b2c3d.part", ".x.0a1b2c3d.part", "laplace-per_pixel-1", "x"):
        (elsewhere / name).mkdir(parents=True)
        (elsewhere / name / "train.npy").write_bytes(b"precious")
    before = sorted(elsewhere.rglob("*"))
    home.check_writable()
    home.prepared.mkdir()
    link = home.prepared / "1234-28"
    link.symlink_to(elsewhere)
    remove_leftovers(home)
    with pytest.raises(DataHomeError, match="1234-28 is a link"), atomic_folder(link / "x"):
        pytest.fail("made where the link leads")
    with atomic_folder(link) as part:
        (part / "meta.json").write_text("{}")

    assert sorted(elsewhere.rglob("*")) == before
    assert not link.is_symlink()  # the new folder has taken its place
