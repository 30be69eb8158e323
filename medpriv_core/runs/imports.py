"""A run from another machine: its zip is read, checked, and put beside one's own runs.

The file may come from anywhere, so nothing in it is trusted. Its members are told by name from a short list, none of
them says where it is written to, and what is read of each is counted while it is unpacked, whatever the zip's own
header claims. JSON is read to a limited depth, figures must be figures, and neither pickles nor code are ever loaded.
A run that was imported can be looked at, compared and exported; to go on it would need a checkpoint.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import secrets
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError, RunError
from medpriv_core.evaluation.predictions import read_predictions
from medpriv_core.home import DataHome, explain_disk_errors, read_json, write_json
from medpriv_core.runs.archive_format import FORMAT, KEPT, MB, MEMBERS, NEEDED, VERSION
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.labels import clean_name, clean_tags
from medpriv_core.runs.store import ENDED, RunRow, RunStore
from medpriv_core.spec import RunSpec

MAX_BYTES = 512 * MB  # of the file, and of all that is unpacked
MAX_RATIO = 200  # unpacked to packed; text of a run packs some ten times
MAX_DEPTH = 8
MAX_EPOCHS = 1000
MAX_NUMBERS = 2000  # in one row or file of JSON
LONGEST_TEXT = 10_000
MARK = "imported.json"
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
_PIECE = 1 << 16


def import_run(home: DataHome, source: bytes | Path) -> str:
    """Put the run in a zip, as ``exports.run_archive`` makes it, into the list and return its id.

    Raises ``RunError`` if the file is no such zip, is damaged, too large, of a newer version or of a run that is here
    already, and ``SettingError`` for impossible settings; then nothing has been changed.
    """
    files = _read_members(_read_source(source))
    about = _checked_about(_json(files["about.json"], "about.json"))
    spec = RunSpec.from_dict(_json(files["spec.json"], "spec.json"))
    dataset_info(spec.dataset)  # of which this version must know something
    setup = _object(files, "setup.json")
    epochs = _checked_epochs(files["metrics.jsonl"], spec)
    outcome = _checked_outcome(_object(files, "outcome.json"), about["state"])
    labels = _checked_labels(_object(files, "labels.json"), about["id"])
    _check_setup(setup)
    _check_network(files.get("model.safetensors"))
    run_id = _free_id(home, about["id"])
    home.check_writable()
    # Made aside and moved in one step: a half-written run is never seen.
    part = RunDirectory(home.runs / f".{run_id}.{secrets.token_hex(4)}.part")
    try:
        part.create(spec)
        with explain_disk_errors(part.path):
            part.write_setup(setup)
            part.append_epochs(epochs)
            for name in ("predictions.npz", "model.safetensors"):
                if name in files:
                    (part.path / name).write_bytes(files[name])
            write_json(part.path / "outcome.json", outcome)
            write_json(part.path / MARK, {**about, "imported_at": time.time()})
        part.write_labels(labels | {"created_at": about["created_at"], "deleted_at": None})
        if "predictions.npz" in files:
            _check_predictions(part.path / "predictions.npz")
        with explain_disk_errors(home.runs):
            part.path.rename(home.runs / run_id)
        try:
            RunStore(home).insert([_row(run_id, about, labels)])
        except MedprivError:
            shutil.rmtree(home.runs / run_id, ignore_errors=True)
            raise
    finally:
        shutil.rmtree(part.path, ignore_errors=True)
    return run_id


def read_import_mark(directory: RunDirectory) -> dict[str, Any] | None:
    """Where an imported run came from (its id there, when it was imported); None for a run of this machine."""
    mark = read_json(directory.path / MARK)
    return mark if isinstance(mark, dict) else None


def refuse_imported(directory: RunDirectory) -> None:
    """Raise ``RunError`` if the run was imported: it has no checkpoint, so it can neither go on nor be extended."""
    if (directory.path / MARK).exists():
        raise RunError(
            f"Run {directory.path.name} was imported, without the state of its training, so it cannot go on. Start a "
            "new run with the same settings."
        )


def _read_source(source: bytes | Path) -> bytes:
    if isinstance(source, Path):
        with explain_disk_errors(source.parent):
            if not source.is_file():
                raise RunError(f"There is no file {source}. Correct the path.")
            with open(source, "rb") as file:
                source = file.read(MAX_BYTES + 1)
    if len(source) > MAX_BYTES:
        raise RunError(f"This file is too large for a run: more than {MAX_BYTES // MB} MB. Choose the zip of one run.")
    return source


def _read_members(content: bytes) -> dict[str, bytes]:
    """The members that are kept, by name; raises ``RunError`` for anything that a run's zip does not hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_names(members)
            files, left = {}, min(MAX_BYTES, MAX_RATIO * len(content))
            for member in members:
                data = _unpack(archive, member, min(MEMBERS[member.filename], left))
                left -= len(data)
                if member.filename in KEPT:
                    files[member.filename] = data
    except MedprivError:
        raise
    # Damage shows inside zipfile in many ways: BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ...
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, IndexError, KeyError) as error:
        raise RunError(
            "This file is damaged or is no zip of a run. Export the run again on the other machine, and bring that file."
        ) from error
    except Exception as error:
        if type(error).__module__ in ("struct", "lzma", "_lzma"):
            raise RunError("This file is damaged. Export the run again on the other machine.") from error
        raise
    for name in NEEDED:
        if name not in files:
            raise RunError(f"This zip is not that of a run: {name} is missing. Choose a zip that medpriv has exported.")
    return files


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if names and all(name.startswith("medpriv-run-") and name.endswith(".zip") for name in names):
        raise RunError("This zip holds several runs. Unpack it, and import the zips in it.")
    if len(members) > len(MEMBERS):
        raise RunError(
            f"This zip is not that of a run: it has {len(members):,} files. Choose one medpriv has exported."
        )
    for member in members:
        # ``orig_filename``: zipfile cuts names at a zero byte.
        if member.filename not in MEMBERS or member.orig_filename != member.filename:
            raise RunError(
                f"This zip is not that of a run: it holds {_shown(member.orig_filename)}, which no run has. Choose a "
                "zip that medpriv has exported."
            )
        if stat.S_ISLNK(member.external_attr >> 16) or member.flag_bits & 1:
            raise RunError("This zip is not that of a run: it holds a link or a locked file.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RunError("This zip is packed in a way that medpriv does not use. Choose one that it has exported.")
    if len(set(names)) < len(names):
        raise RunError("This zip is not that of a run: it holds one file twice.")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    output = bytearray()
    with archive.open(member) as packed:
        while piece := packed.read(_PIECE):
            output += piece
            if len(output) > most:
                raise RunError(
                    f"This zip is not that of a run: {member.filename} unpacks to more than any run needs, so it was "
                    "not read further."
                )
    return bytes(output)


def _shown(name: str) -> str:
    """A foreign name, short and without anything that could mislead."""
    return repr(name if len(name) <= 60 else f"{name[:60]}…")


def _object(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    return _json(files[name], name) if name in files else {}


def _json(content: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(content.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable(name) from error
    if not isinstance(value, dict) or not _is_tame(value, MAX_DEPTH) or _count(value) > MAX_NUMBERS:
        raise _unreadable(name)
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _is_tame(value: Any, depth: int) -> bool:
    """Whether a JSON value is of limited depth, with numbers and texts of usual size."""
    if isinstance(value, dict):
        return depth > 0 and all(len(key) < 200 and _is_tame(part, depth - 1) for key, part in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_tame(part, depth - 1) for part in value)
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and value.isprintable() or all(c.isprintable() or c in "\n\t" for c in value)
    return value is None or isinstance(value, bool) or (math.isfinite(value) and abs(value) < 1e18)


def _count(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, parts))


def _unreadable(name: str) -> RunError:
    return RunError(
        f"The file {name} in this zip is damaged or was changed. Export the run again, and bring that file."
    )


def _checked_about(about: dict[str, Any]) -> dict[str, Any]:
    if about.get("format") != FORMAT or not isinstance(about.get("version"), int):
        raise RunError("This zip is not that of a run. Choose a zip that medpriv has exported.")
    if about["version"] > VERSION:
        raise RunError("This run was exported by a newer version of medpriv. Update medpriv, then import it.")
    times = [about.get(name) for name in ("created_at", "started_at", "ended_at")]
    proper = (
        _ID.fullmatch(str(about.get("id")))
        and about.get("state") in ENDED
        and times[0] is not None
        and all(moment is None or (_is_number(moment) and 0 <= moment < 1e11) for moment in times)
    )
    if not proper:
        raise _unreadable("about.json")
    kept = ("id", "state", "created_at", "started_at", "ended_at", "medpriv_version", "pretrained_weights")
    return {name: about.get(name) for name in kept}


def _checked_epochs(content: bytes, spec: RunSpec) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    lines = content.splitlines()
    if len(lines) > MAX_EPOCHS:
        raise _unreadable("metrics.jsonl")
    for line in lines:
        row = _json(line, "metrics.jsonl")
        epoch, before = row.get("epoch"), rows[-1]["epoch"] if rows else 0
        if not isinstance(epoch, int) or isinstance(epoch, bool) or not before < epoch <= spec.epochs:
            raise _unreadable("metrics.jsonl")
        if not all(_is_figure(name, value) for name, value in row.items()):
            raise _unreadable("metrics.jsonl")
        if spec.method == "dp_sgd" and not {"epsilon", "delta", "steps"} <= set(row):
            raise _unreadable("metrics.jsonl")  # without its epsilon, an epoch must not be shown as private
        rows.append(row)
    return rows


def _is_figure(name: str, value: Any) -> bool:
    if name == "finished_at":
        return isinstance(value, str) and len(value) < 50
    if isinstance(value, list):  # figures by class
        return all(part is None or (_is_number(part) and 0 <= part <= 1) for part in value)
    if name.endswith(("accuracy", "auroc", "calibration_error")) and _is_number(value):
        return 0 <= value <= 1
    if name in ("epsilon", "delta", "steps") and _is_number(value):
        return bool(value >= 0)
    return value is None or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_outcome(outcome: dict[str, Any], state: str) -> dict[str, Any]:
    if outcome and outcome.get("state") not in ENDED:
        raise _unreadable("outcome.json")
    figures = {name: value for name, value in outcome.items() if name not in ("state", "message")}
    if not all(_is_figure(name, value) for name, value in figures.items()):
        raise _unreadable("outcome.json")
    return {"state": state, "message": None, **figures}


def _checked_labels(labels: dict[str, Any], run_id: str) -> dict[str, Any]:
    name, tags, notes = labels.get("name", run_id), labels.get("tags", []), labels.get("notes", "")
    texts = isinstance(name, str) and isinstance(notes, str) and isinstance(tags, list)
    if not texts or not all(isinstance(tag, str) for tag in tags) or len(notes) > LONGEST_TEXT:
        raise _unreadable("labels.json")
    return {"name": clean_name(name), "tags": list(clean_tags(tags)), "notes": notes}


def _check_setup(setup: Mapping[str, Any]) -> None:
    classes, train_size = setup.get("classes", []), setup.get("train_size", 1)
    counts = [setup.get(name, []) for name in ("train_class_counts", "test_class_counts")]
    fits = (
        isinstance(classes, list)
        and all(isinstance(name, str) and 0 < len(name) < 200 for name in classes)
        and isinstance(train_size, int)
        and train_size > 0
        and all(isinstance(count, list) and all(_is_number(part) for part in count) for count in counts)
        and isinstance(setup.get("guarantee", {}), dict)
    )
    share = setup.get("majority_rate")
    if not fits or not (share is None or (_is_number(share) and 0 <= share <= 1)):
        raise _unreadable("setup.json")


def _check_network(content: bytes | None) -> None:
    """Let safetensors' own reader judge the file; it checks every length against the file's."""
    from safetensors import SafetensorError, deserialize

    if content is None:
        return
    try:
        deserialize(content)
    except SafetensorError as error:
        raise _unreadable("model.safetensors") from error


def _check_predictions(path: Path) -> None:
    try:
        read_predictions(path)
    except RunError as error:
        raise _unreadable("predictions.npz") from error


def _free_id(home: DataHome, run_id: str) -> str:
    """The run's own id; raises ``RunError`` if a run of that id is here, deleted or not."""
    known = {row.id for deleted in (False, True) for row in RunStore(home).all(deleted=deleted)}
    if run_id in known or (home.runs / run_id).exists():
        raise RunError(f"This run is here already: {run_id}, perhaps among the deleted ones. Nothing was imported.")
    return run_id


def _row(run_id: str, about: Mapping[str, Any], labels: Mapping[str, Any]) -> RunRow:
    return RunRow(
        id=run_id,
        name=labels["name"],
        state=about["state"],
        slot="cpu",
        position=0,
        cancel_requested=False,
        pid=None,
        created_at=about["created_at"],
        started_at=about["started_at"],
        ended_at=about["ended_at"],
        message=None,
        tags=tuple(labels["tags"]),
        notes=labels["notes"],
        deleted_at=None,
    )
