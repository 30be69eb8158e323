"""A run's figures as a TensorBoard event file, for those who compare runs there.

TensorBoard's own package brings a web server and 20 MB, to write a format that fits on this page: a sequence of
records (length, checksum, bytes, checksum), each a protocol buffer ``Event`` with a time, a step and named numbers.

>>> hex(crc32c(b"123456789"))  # the check value that the checksum's definition gives
'0xe3069283'
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from medpriv_core.errors import RunError
from medpriv_core.exports.sharing import shared_run
from medpriv_core.privacy.coverage import coverage_in_words
from medpriv_core.records.epoch import EpochRow
from medpriv_core.runs.service import Run, RunSummary
from medpriv_core.shown_text import for_terminal
from medpriv_core.zips import NO_DATE

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed (RFC 3720)
_NO_FIGURES = {"epoch", "delta"}
# Groups of charts: the first word of a figure's name.
_GROUPS = ("train", "test_noised", "test")


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def event_file_name(run: RunSummary) -> str:
    """The name by which TensorBoard finds the file; the same run gives the same name."""
    return f"events.out.tfevents.{int(run.created_at)}.{run.id}"


def event_file(run: Run, *, with_training_figures: bool = False) -> bytes:
    """Every numeric figure of every epoch as a scalar at that epoch, with delta as text in epsilon's name.

    Of a DP-SGD run those that epsilon does not cover are left out, unless ``with_training_figures``; a text says which
    it is. Raises ``RunError`` for a run without a finished epoch.
    """
    if not run.epochs:
        raise RunError(f"Run {run.id} has no finished epoch yet, so there is nothing to write.")
    said = coverage_in_words(run.spec, with_training_figures=with_training_figures)
    run = shared_run(run, with_training_figures=with_training_figures)
    content = _record(_event(run.created_at, version="brain.Event:2"))
    if said.statements:
        texts = {f"privacy/{said.heading}": "\n\n".join(said.statements)}
        content += _record(_event(run.created_at, texts=texts))
    for row in run.epochs:
        content += _record(_event(_time(row, run), step=row.epoch, scalars=dict(_scalars(row))))
    return content


def event_files(runs: Sequence[Run], *, with_training_figures: bool = False) -> bytes:
    """A zip to unpack into TensorBoard's log folder: a folder for each run, with its event file.

    Else as ``event_file``: raises ``RunError`` for a run without a finished epoch.
    """
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in runs:
            member = zipfile.ZipInfo(f"{run.id}/{event_file_name(run)}", date_time=NO_DATE)
            member.external_attr = 0o644 << 16
            content = event_file(run, with_training_figures=with_training_figures)
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return output.getvalue()


def write_event_file(run: Run, folder: Path, *, with_training_figures: bool = False) -> Path:
    """Put the event file into ``folder/<run id>`` (made if it is missing) and return its path.

    Raises ``RunError`` for a run without a finished epoch, and ``OSError`` where the system refuses.
    """
    content = event_file(run, with_training_figures=with_training_figures)
    path = folder / run.id / event_file_name(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def crc32c(data: bytes) -> int:
    """The CRC-32C checksum."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def _scalars(row: EpochRow) -> Iterator[tuple[str, float]]:
    for name, value in row.to_dict().items():
        if name in _NO_FIGURES or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name == "epsilon":
            yield f"privacy/epsilon at delta {row.delta or 0:g}", value
            continue
        group = next((group for group in _GROUPS if name.startswith(f"{group}_")), "pace")
        # An imported run names its figures itself.
        yield for_terminal(f"{group}/{name.removeprefix(f'{group}_')}"), value


def _time(row: EpochRow, run: Run) -> float:
    try:
        return datetime.fromisoformat(row.finished_at or "").timestamp()
    except ValueError:
        return run.created_at


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    """A checksum of checksums is weak, so records keep it rotated and shifted (as the format says)."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _event(
    wall_time: float,
    *,
    step: int = 0,
    version: str | None = None,
    scalars: dict[str, float] | None = None,
    texts: dict[str, str] | None = None,
) -> bytes:
    # Event: wall_time = 1 (double), step = 2, file_version = 3, summary = 5. Summary.Value: tag = 1, simple_value = 2,
    # tensor = 8, metadata = 9.
    event = b"\x09" + struct.pack("<d", wall_time) + b"\x10" + _varint(step)
    if version is not None:
        event += _field(3, version.encode())
    if scalars:
        values = (_field(1, tag.encode()) + b"\x15" + struct.pack("<f", value) for tag, value in scalars.items())
        event += _field(5, b"".join(_field(1, value) for value in values))
    for tag, text in (texts or {}).items():
        # TensorProto: dtype = 1 (7: string), tensor_shape = 2, string_val = 8. The metadata name the plugin that shows
        # it: SummaryMetadata: plugin_data = 1, PluginData: plugin_name = 1.
        tensor = b"\x08\x07" + _field(2, b"") + _field(8, text.encode())
        value = _field(1, tag.encode()) + _field(8, tensor) + _field(9, _field(1, _field(1, b"text")))
        event += _field(5, _field(1, value))
    return event


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    output = bytearray()
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)
    return bytes(output)
