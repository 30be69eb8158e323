"""Runs from other machines: sound ones join the list, and of all others a sentence says what is wrong."""

from __future__ import annotations

import io
import json
import pickle
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpriv_core.errors import DatasetError, MedprivError, RunError, RunTableError
from medpriv_core.home import DataHome
from medpriv_core.private_files import make_folder
from medpriv_core.records.epoch import read_row
from medpriv_core.records.setup import Setup
from medpriv_core.runs import archive_format, archive_members, service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.imports import import_run, read_import_mark
from medpriv_core.runs.store import RunStore
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.runs.archives import RUN_ID, changed, members, zipped


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def untouched(home: DataHome) -> bool:
    """Whether neither a run nor a half of one is in the data home."""
    folders = [path for path in home.root.rglob("*") if path.is_dir()] if home.root.exists() else []
    runs = service.list_runs(home) + service.list_runs(home, deleted=True)
    return runs == [] and not any("import" in folder.name or folder.parent == home.runs for folder in folders)


@pytest.mark.parametrize("spec", [PLAIN, LOCAL, PRIVATE], ids=["none", "local_dp", "dp_sgd"])
def test_an_imported_run_is_in_the_list_as_it_was(home: DataHome, spec: Any) -> None:
    files = members(spec)

    assert import_run(home, zipped(files)) == RUN_ID

    (summary,) = service.list_runs(home)
    run = service.load_run(home, RUN_ID)
    assert (run.name, run.tags, run.notes, run.state) == ("Pilot", ("first",), "seen 👩‍⚕️", "finished")
    assert (run.created_at, run.ended_at) == (1_767_323_045.5, 1_767_323_099.0)
    assert run.spec == spec
    assert run.setup == Setup.from_dict(json.loads(files["setup.json"]))
    assert run.epochs == [read_row(json.loads(line)) for line in files["metrics.jsonl"].splitlines()]
    assert summary.last == run.epochs[-1]


def test_it_can_be_read_from_a_file(home: DataHome, tmp_path: Path) -> None:
    (tmp_path / "run.zip").write_bytes(zipped(members()))

    assert import_run(home, tmp_path / "run.zip") == RUN_ID


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_it_is_marked_and_cannot_go_on(home: DataHome, state: str) -> None:
    import_run(home, zipped(members() | changed_state(state)))

    run = service.load_run(home, RUN_ID)
    assert (run.state, run.imported) == (state, True)
    assert (read_import_mark(RunDirectory(home.runs / RUN_ID)) or {})["id"] == RUN_ID
    assert not run.extendable
    assert not run.resumable
    if state != "finished":
        with pytest.raises(RunError, match="imported without the state of its training"):
            service.resume(home, RUN_ID)
    with pytest.raises(RunError, match="no checkpoint on this machine"):
        service.extend(home, RUN_ID, epochs=100)
    assert service.load_run(home, RUN_ID).state == state


def changed_state(state: str) -> dict[str, bytes]:
    """What a zip says of a run that ended so."""
    about, outcome = (json.loads(members()[name]) | {"state": state} for name in ("about.json", "outcome.json"))
    return {"about.json": json.dumps(about).encode(), "outcome.json": json.dumps(outcome).encode()}


def test_a_run_of_this_machine_is_not_marked(home: DataHome) -> None:
    run_id = service.submit(home, PLAIN)

    assert not service.load_run(home, run_id).imported
    assert read_import_mark(RunDirectory(home.runs / run_id)) is None


def test_the_same_run_is_not_imported_twice(home: DataHome) -> None:
    import_run(home, zipped(members()))

    with pytest.raises(RunError, match="here already"):
        import_run(home, zipped(members()))
    service.delete(home, RUN_ID)
    with pytest.raises(RunError, match="among the removed ones"):
        import_run(home, zipped(members()))


def test_a_run_that_failed_says_where_and_is_the_same_after_the_table_is_made_again(home: DataHome) -> None:
    import_run(home, changed("about.json", state="failed"))
    (before,) = service.list_runs(home)

    home.database.unlink()
    service.rebuild(home)

    (after,) = service.list_runs(home)
    assert before.message == "This run failed on the machine that it came from."
    assert (after.id, after.name, after.state, after.message) == (before.id, before.name, "failed", before.message)


def test_of_a_path_to_weights_only_the_name_is_kept(home: DataHome) -> None:
    import_run(home, changed("spec.json", weights="/etc/../home/somebody/w.pth"))

    run = service.load_run(home, RUN_ID)
    assert run.spec is not None
    assert run.spec.weights == "w.pth"


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/passwd", "runs/spec.json", "checkpoint.pt", "..\\spec.json", "x"]
)
def test_members_that_no_run_has_are_refused_by_name(home: DataHome, name: str) -> None:
    with pytest.raises(RunError, match="which no run has"):
        import_run(home, zipped(members() | {name: b"x"}))
    assert untouched(home)


def test_a_name_that_ends_at_a_zero_byte_is_refused(home: DataHome) -> None:
    content = zipped(members() | {"outcome.jsonXevil": b"{}"}).replace(b"outcome.jsonXevil", b"outcome.json\0evil")

    with pytest.raises(RunError, match=r"which no run has|damaged"):
        import_run(home, content)
    assert untouched(home)


def test_links_are_refused(home: DataHome) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, content in members().items():
            member = zipfile.ZipInfo(name)
            if name == "labels.json":
                member.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(member, content)

    with pytest.raises(RunError, match="a link"):
        import_run(home, output.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(home: DataHome) -> None:
    output = io.BytesIO(zipped({name: content for name, content in members().items() if name != "outcome.json"}))
    with zipfile.ZipFile(output, "a") as archive:
        archive.writestr("spec.json", b"{}")

    with pytest.raises(RunError, match="twice"):
        import_run(home, output.getvalue())


def test_too_many_members_are_refused_before_they_are_looked_at(home: DataHome) -> None:
    with pytest.raises(RunError, match=r"2,006 files"):
        import_run(home, zipped(members() | {f"{number}": b"" for number in range(2000)}))


@pytest.mark.parametrize("name", ["metrics.jsonl", "setup.json", "model_card.md", "predictions.npz"])
def test_a_bomb_is_not_unpacked(home: DataHome, name: str) -> None:
    bomb = zipped(members() | {name: b" " * (40 << 20)})
    assert len(bomb) < 1 << 20

    with pytest.raises(RunError, match="unpacks to more than any run needs"):
        import_run(home, bomb)
    assert untouched(home)


def test_a_bomb_that_denies_its_size_is_not_unpacked(home: DataHome) -> None:
    content = bytearray(zipped(members() | {"setup.json": b" " * (40 << 20)}))
    size = struct.pack("<I", 40 << 20)
    while size in content:
        at = content.index(size)
        content[at : at + 4] = struct.pack("<I", 100)

    with pytest.raises(RunError):
        import_run(home, bytes(content))
    assert untouched(home)


def test_a_file_too_large_is_refused(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_members, "MAX_BYTES", 1000)
    (tmp_path / "run.zip").write_bytes(zipped(members()))

    with pytest.raises(RunError, match="too large"):
        import_run(home, tmp_path / "run.zip")


@pytest.mark.parametrize("name", ["about.json", "spec.json", "setup.json", "metrics.jsonl"])
def test_a_missing_member_is_named(home: DataHome, name: str) -> None:
    files = members()
    del files[name]

    with pytest.raises(RunError, match=f"{name} is missing"):
        import_run(home, zipped(files))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"not a zip", "no zip of a run"),
        (zipped(members())[:-100], "damaged"),
        (zipped({}), "about.json is missing"),
        (changed("about.json", version=2), "newer version"),
        (changed("about.json", format="other"), "not the zip of a run"),
        (changed("about.json", id="../../etc"), "about.json"),
        (changed("about.json", id=None), "about.json"),
        (changed("about.json", state="running"), "about.json"),
        (changed("about.json", created_at="now"), "about.json"),
        (changed("about.json", ended_at=1e300), "about.json"),
        (changed("spec.json", warp=9), "settings that this version of medpriv does not know \\(warp\\)"),
        (changed("spec.json", epochs=[]), "epochs"),
        (changed("spec.json", epochs=1), "metrics.jsonl"),
        (changed("spec.json", dataset={}), "dataset"),
        (changed("spec.json", method="magic"), "method"),
        (changed("setup.json", classes="AB"), "setup.json"),
        (changed("setup.json", train_size=-5), "setup.json"),
        (changed("setup.json", majority_rate=3), "setup.json"),
        (changed("setup.json", guarantee=7), "setup.json"),
        (changed("setup.json", guarantee={"noise_multiplier": 1e-9}), "setup.json"),
        (changed("setup.json", guarantee={"sampling": [], "sample_rate": 0.5, "steps_per_epoch": 2}), "setup.json"),
        (changed("setup.json", guarantee={"earlier_segments": [{"steps": "x"}]}), "setup.json"),
        (changed("setup.json", guarantee={"earlier_segments": [1]}), "setup.json"),
        (changed("setup.json", note="x\x00y"), "setup.json"),
        (changed("setup.json", deep=[[[[[[[[[[1]]]]]]]]]]), "setup.json"),
        (changed("setup.json", many=list(range(6000))), "setup.json"),
        (changed("setup.json", number=10**400), "setup.json"),
        (changed("outcome.json", test_accuracy=2), "outcome.json"),
        (changed("labels.json", name=""), "needs a name"),
        (changed("labels.json", name=5), "labels.json"),
        (changed("labels.json", tags=["x" * 81]), "tag"),
        (changed("labels.json", tags={"a": 1}), "labels.json"),
    ],
)
def test_foreign_and_damaged_content_is_refused_with_its_reason(home: DataHome, content: bytes, message: str) -> None:
    with pytest.raises(MedprivError, match=message):
        import_run(home, content)
    assert untouched(home)


@pytest.mark.parametrize(
    "text", [b"[1]", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b'"\\ud800"']
)
def test_what_is_no_object_of_json_is_refused(home: DataHome, text: bytes) -> None:
    for name in ("about.json", "setup.json", "labels.json", "metrics.jsonl"):
        with pytest.raises(RunError, match=f"{name} in this zip"):
            import_run(home, zipped(members() | {name: text}))


def test_a_dataset_that_this_version_does_not_know_is_refused(home: DataHome) -> None:
    with pytest.raises(DatasetError, match="mars"):
        import_run(home, changed("spec.json", dataset="mars"))


ROW = json.loads(members()["metrics.jsonl"].splitlines()[0])


@pytest.mark.parametrize(
    "rows",
    [
        [ROW, ROW],
        [ROW | {"epoch": 0}],
        [ROW | {"epoch": True}],
        [ROW | {"epoch": 1.5}],
        [ROW | {"epoch": 99}],
        [ROW | {"test_accuracy": 1.1}],
        [ROW | {"test_accuracy": "0.9"}],
        [ROW | {"test_class_recall": [0.5, "x"]}],
        [ROW | {"epsilon": -1}],
        [ROW | {"steps": 10**9}],
        [ROW | {"steps": 0}],
        [ROW | {"delta": None}],
        [{name: value for name, value in ROW.items() if name != "epsilon"}],
        [ROW | {"extra": {"a": 1}}],
        [],
    ],
)
def test_figures_that_no_run_can_have_are_refused(home: DataHome, rows: list[dict[str, Any]]) -> None:
    content = zipped(members() | {"metrics.jsonl": "\n".join(map(json.dumps, rows)).encode()})

    with pytest.raises(RunError, match=r"metrics\.jsonl|setup\.json"):
        import_run(home, content)
    assert untouched(home)


class _Code:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (exec, ("raise SystemExit('code was run')",))


def npz(**arrays: Any) -> bytes:
    output = io.BytesIO()
    np.savez(output, **arrays)
    return output.getvalue()


def test_no_code_is_ever_run(home: DataHome) -> None:
    evil = np.array([_Code()], dtype=object)
    for name, content in (
        ("predictions.npz", npz(epoch=1, labels=evil, test=evil)),
        ("predictions.npz", pickle.dumps(_Code())),
        ("model.safetensors", pickle.dumps(_Code())),
    ):
        with pytest.raises(RunError, match=name):
            import_run(home, zipped(members() | {name: content}))
    assert untouched(home)


def test_predictions_that_unpack_to_too_much_are_refused(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(archive_format.KEPT, "predictions.npz", 1 << 20)
    bomb = zipped({"labels.npy": b"\0" * (2 << 20)})

    with pytest.raises(RunError, match=r"predictions\.npz"):
        import_run(home, zipped(members() | {"predictions.npz": bomb}, compression=zipfile.ZIP_STORED))


def test_a_thousand_damaged_zips_give_a_run_or_a_sentence(tmp_path: Path) -> None:
    rng = random.Random(7)
    # Each epsilon is reckoned anew, so a private run would take long a thousand times.
    files = members(PLAIN)
    whole = zipped(files)
    imported: list[str] = []
    sentences: list[str] = []
    for number in range(1000):
        if number % 2:
            content = bytearray(whole)
            for _ in range(rng.choice((1, 1, 3, 20))):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            if number % 3 == 0:
                del content[rng.randrange(len(content)) :]
        else:  # with right checksums, so that the damage gets further
            name = rng.choice(list(files))
            text = bytearray(files[name])
            for _ in range(rng.choice((1, 2, 5))):
                text[rng.randrange(len(text))] = rng.choice(b'0123456789"{}[]:,.-e \x00\xff')
            content = bytearray(zipped(files | {name: bytes(text)}, compression=zipfile.ZIP_STORED))
        home = DataHome(tmp_path / str(number))
        try:
            run_id = import_run(home, bytes(content))
        except MedprivError as error:
            sentences.append(str(error))
            assert not home.runs.exists()
        else:
            imported.append(run_id)
            assert RunStore(home).get(run_id).state == "finished"
    assert len(imported) + len(sentences) == 1000
    assert min(len(imported), len(sentences)) > 50
    assert all(sentence.endswith(".") for sentence in sentences)


def test_what_a_killed_import_left_is_removed_by_the_next(home: DataHome) -> None:
    left = home.root / f".import-{RUN_ID}-0a1b2c3d"
    make_folder(left)
    (left / "spec.json").write_bytes(members()["spec.json"])

    import_run(home, zipped(members()))

    assert not left.exists()
    assert [run.id for run in service.list_runs(home)] == [RUN_ID]


def test_a_run_whose_import_was_killed_before_it_came_into_the_list_comes_in_with_the_next(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object, make: Callable[[], None]) -> None:
        make()
        raise KeyboardInterrupt

    monkeypatch.setattr("medpriv_core.runs.imports.RunStore.insert", kill)
    monkeypatch.setattr("medpriv_core.runs.imports.shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        import_run(home, zipped(members()))
    assert (home.runs / RUN_ID / "imported.json").exists()
    monkeypatch.undo()
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    with pytest.raises(RunTableError, match="a run lies in the folder beside it"):
        service.list_runs(home)

    assert import_run(home, zipped(members())) == RUN_ID
    assert [run.id for run in service.list_runs(home)] == [RUN_ID]
    with pytest.raises(RunError, match="here already"):
        import_run(home, zipped(members()))
