"""How much of a zip is really unpacked, however large it says that it is."""

from __future__ import annotations

import zipfile

import pytest


def counted_unpacking(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the pieces that are unpacked from now on, of any zip."""
    pieces: list[int] = []
    read = zipfile.ZipExtFile._read1  # type: ignore[attr-defined]

    def counted(self: zipfile.ZipExtFile, n: int) -> bytes:
        data = read(self, n)
        pieces.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "_read1", counted)
    return pieces
