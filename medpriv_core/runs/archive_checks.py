"""What the files of an imported run say, checked before anything is kept: settings, figures, facts and labels.

An imported run is drawn on charts beside one's own, and its epsilon is reckoned from what it says that it recorded. So
figures must be figures, in the order of the epochs and within their bounds, and the facts must be such that the
accountant can count them, and what it counts must be the epsilon that is stated (``archive_epsilon``). That they are
true, nobody can check here: an imported run is as good as its sender.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import RunError, SettingError
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.spent import Spent, spent_from_dict, spent_without_record
from medpriv_core.privacy.steps import MOST_STEPS
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.records.epoch import EpochRow, read_figures
from medpriv_core.records.kinds import Newer, is_number, is_texts, is_time, is_whole
from medpriv_core.records.outcome import Outcome, OutcomeState
from medpriv_core.records.setup import Setup
from medpriv_core.runs.archive_epsilon import check_epsilon
from medpriv_core.runs.archive_format import FORMAT, VERSION
from medpriv_core.runs.archive_members import CHOOSE, FOREIGN
from medpriv_core.runs.labels import LONGEST_NOTES, clean_name, clean_tags
from medpriv_core.runs.records import check_labels
from medpriv_core.runs.store import ENDED
from medpriv_core.spec import BOUNDS, SETTINGS, RunSpec
from medpriv_core.strict_json import Unreadable, parse_json
from medpriv_core.unit import with_stored_unit

# Why is not part of the zip, because it might name an image.
FAILED_ELSEWHERE = "This run failed on the machine that it came from."
MAX_DEPTH = 8
MAX_PARTS = 5000  # values in one JSON object
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4,16}")
_TEXT = re.compile("[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]*")
_ABOUT = (
    "id",
    "state",
    "created_at",
    "started_at",
    "ended_at",
    "medpriv_version",
    "pretrained_weights",
    "left_out",  # names of what the export left out; not in archives of 0.1.0, which held everything
)


@dataclass(frozen=True)
class ArchivedRun:
    """The files of a run's zip as they go into its directory, checked."""

    about: dict[str, Any]
    spec: RunSpec
    setup: Setup
    epochs: list[EpochRow]
    outcome: Outcome
    labels: dict[str, Any]
    spent: Spent | None


def check_files(files: Mapping[str, bytes]) -> ArchivedRun:
    """The JSON files of a run's zip; raises ``RunError``, ``SettingError`` or ``DatasetError`` where one is not fit."""
    about = _about(read_object(files["about.json"], "about.json"))
    spec = _spec(read_object(files["spec.json"], "spec.json"))
    setup = _setup(read_object(files["setup.json"], "setup.json"))
    epochs = _epochs(files["metrics.jsonl"], spec)
    if about["state"] == "finished" and not epochs:
        raise changed("metrics.jsonl")
    ended = read_object(files["outcome.json"], "outcome.json") if "outcome.json" in files else {}
    outcome = _outcome(ended, about["state"])
    labels = read_object(files["labels.json"], "labels.json") if "labels.json" in files else {}
    spent = _spent(read_object(files["spent.json"], "spent.json"), spec, epochs) if "spent.json" in files else None
    _check_accounting(spec, setup, spent, epochs=epochs, outcome=outcome.last)
    return ArchivedRun(about, spec, setup, epochs, outcome, _labels(labels, about["id"]), spent)


def check_digests(files: Mapping[str, bytes]) -> None:
    """Raise ``RunError`` where a file of an unpacked zip is not the one that was exported.

    A zip has sums of its own. Exports of earlier versions do not say what their files were.
    """
    digests = read_object(files["about.json"], "about.json").get("sha256")
    for name, digest in digests.items() if isinstance(digests, dict) else ():
        if name in files and hashlib.sha256(files[name]).hexdigest() != digest:
            raise changed(name)


def read_object(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object in ``content``, of limited depth and size; raises ``RunError`` naming the file ``name``."""
    try:
        value = parse_json(content, deepest=MAX_DEPTH)
        if isinstance(value, dict) and _parts(value) <= MAX_PARTS:
            return value
    except ValueError as error:
        raise changed(name) from error
    raise changed(name)


def changed(name: str) -> RunError:
    """The error for a file that is not as medpriv writes it."""
    return RunError(
        f"The file {name} in this zip is damaged or was changed. Export the run again on the other machine, and bring "
        "that file."
    )


def _parts(value: Any) -> int:
    """How many values there are in a JSON value; raises ``ValueError`` for what no file of a run holds."""
    if isinstance(value, dict | list):
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return 1 + sum(map(_parts, inner))
    if isinstance(value, str):
        if len(value) > LONGEST_NOTES or not _TEXT.fullmatch(value):
            raise ValueError("a text with control characters, or too long")
    elif value is not None and not abs(value) < 1e18:
        raise ValueError("a number too large")
    return 1


def _about(about: dict[str, Any]) -> dict[str, Any]:
    if about.get("format") != FORMAT or not is_whole(about.get("version")):
        raise RunError(f"{FOREIGN}. {CHOOSE}")
    if about["version"] > VERSION:
        raise RunError("This run was exported by a newer version of medpriv. Update medpriv, then import it.")
    proper = (
        isinstance(about.get("id"), str)
        and _ID.fullmatch(about["id"])
        and about.get("state") in ENDED
        and is_time(about.get("created_at"))
        and all(about.get(name) is None or is_time(about[name]) for name in ("started_at", "ended_at"))
        and is_texts(about.get("left_out") or [])
    )
    if not proper:
        raise changed("about.json")
    return {name: about.get(name) for name in _ABOUT}


def _spec(values: dict[str, Any]) -> RunSpec:
    unknown = sorted(set(values) - set(SETTINGS))
    if unknown:
        raise RunError(
            f"This run has settings that this version of medpriv does not know ({', '.join(unknown)[:100]}). Update "
            "medpriv, then import it."
        )
    try:
        spec = RunSpec.from_dict(with_stored_unit(values))
        spec = spec.changed(weights=PurePosixPath(spec.weights).name or "none")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise changed("spec.json") from error
    dataset_info(spec.dataset)  # of which this version must know something
    return spec


def _setup(values: dict[str, Any]) -> Setup:
    try:
        return Setup.from_dict(values)
    except Newer as error:
        raise _newer() from error
    except Unreadable as error:
        raise changed("setup.json") from error


def _spent(values: dict[str, Any], spec: RunSpec, epochs: list[EpochRow]) -> Spent:
    """The record of the network; it must cover every epoch that is shown."""
    try:
        spent = spent_from_dict(values)
    except ValueError as error:
        raise changed("spent.json") from error
    shown = max((row.steps or 0 for row in epochs), default=0)
    if (spent.epsilon is None) == (spec.method == "dp_sgd") or spent.steps < shown:
        raise changed("spent.json")
    return spent


def _check_accounting(
    spec: RunSpec,
    setup: Setup,
    spent: Spent | None,
    *,
    epochs: list[EpochRow],
    outcome: EpochRow,
) -> None:
    """Make sure, by trying, that epsilon and every condition can be reckoned from what was recorded."""
    if spec.method != "dp_sgd":
        return
    noise_multiplier = setup.guarantee.noise_multiplier
    steps = max((row.steps or 0 for row in (*epochs[-1:], outcome)), default=0)
    # Beyond these bounds the accountants would take hours.
    low, _ = BOUNDS["noise_multiplier"]
    if steps > MOST_STEPS or (noise_multiplier is not None and noise_multiplier < low):
        raise changed("setup.json")
    try:
        last = epochs[-1] if epochs else EpochRow()
        recorded, spent = spent, spent or spent_without_record(spec, setup=setup, last=last, outcome=outcome)
        run_verdict(spec, setup=setup, spent=spent)
        check_run(spec, setup=setup, spent=spent, imported=True)
        check_epsilon(spec, setup, recorded, epochs=epochs, outcome=outcome)
    except (SettingError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise changed("setup.json") from error


def _epochs(content: bytes, spec: RunSpec) -> list[EpochRow]:
    rows: list[EpochRow] = []
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        row = _figures(read_object(line, "metrics.jsonl"), "metrics.jsonl")
        before = rows[-1].epoch if rows else 0
        # Without its epsilon, an epoch must not be shown as private.
        private = spec.method != "dp_sgd" or None not in (row.epsilon, row.delta, row.steps)
        if not before < row.epoch <= spec.epochs or not private:
            raise changed("metrics.jsonl")
        rows.append(row)
    return rows


def _figures(values: dict[str, Any], name: str) -> EpochRow:
    """Figures as in any run; beyond that, what no version of medpriv has measured is no figure."""
    try:
        row = read_figures(values)
    except Newer as error:
        raise _newer() from error
    except Unreadable as error:
        raise changed(name) from error
    if (row.steps is not None and row.steps < 1) or not all(
        value is None or is_number(value) for value in row.others.values()
    ):
        raise changed(name)
    return row


def _outcome(values: dict[str, Any], state: OutcomeState) -> Outcome:
    about = ("state", "message", "exit_code")
    last = _figures({name: value for name, value in values.items() if name not in about}, "outcome.json")
    return Outcome(state, FAILED_ELSEWHERE if state == "failed" else None, last)


def _newer() -> RunError:
    return RunError("This run was made by a newer version of medpriv. Update medpriv, then import it.")


def _labels(labels: dict[str, Any], run_id: str) -> dict[str, Any]:
    name, tags, notes = labels.get("name", run_id), labels.get("tags", []), labels.get("notes", "")
    try:
        check_labels(labels)
    except Unreadable as error:
        raise changed("labels.json") from error
    return {"name": clean_name(name), "tags": list(clean_tags(tags)), "notes": notes}
