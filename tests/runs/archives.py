"""Zips of runs for tests of their import: sound ones, and the same with one thing changed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from medpriv_core.records.outcome import Outcome
from medpriv_core.runs.archive_format import FORMAT, VERSION
from medpriv_core.spec import RunSpec
from tests.results.chosen_results import PRIVATE, rows_of, setup_of

RUN_ID = "20260102-030405-abcd"


def members(spec: RunSpec = PRIVATE) -> dict[str, bytes]:
    """The members of a finished run's zip that an import needs, and its labels and outcome."""
    rows = rows_of(spec, (0.7, 0.8), auroc=0.9)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "medpriv_version": "0.1.0",
        "id": RUN_ID,
        "state": "finished",
        "created_at": 1_767_323_045.5,
        "started_at": 1_767_323_046.0,
        "ended_at": 1_767_323_099.0,
    }
    files: dict[str, Any] = {
        "about.json": about,
        "spec.json": spec.to_dict(),
        "setup.json": setup_of(spec).to_dict(),
        "outcome.json": Outcome("finished", None, rows[-1]).to_dict(),
        "labels.json": {"name": "Pilot", "tags": ["first"], "notes": "seen 👩‍⚕️"},
    }
    packed = {name: json.dumps(value).encode() for name, value in files.items()}
    return packed | {"metrics.jsonl": "".join(json.dumps(row.to_dict()) + "\n" for row in rows).encode()}


def zipped(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return output.getvalue()


def changed(name: str, /, **values: Any) -> bytes:
    """A sound zip but for some values in one JSON member."""
    files = members()
    return zipped(files | {name: json.dumps(json.loads(files[name]) | values).encode()})
