"""The one way from the bytes of a file to its picture, for pages, command line and datasets alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoded import DAMAGED, TOO_MUCH_MEMORY, Decoded
from medpriv_core.pictures.frames import Wanted
from medpriv_core.pictures.kinds import Kind
from medpriv_core.pictures.parts import refuse_too_many_parts


def decode(kind: Kind, data: bytes, wanted: Wanted) -> Decoded:
    """Decode a file of this kind. Every failure is an ``ImageError`` that repeats nothing of the file."""
    with told_as_damage():
        refuse_too_many_parts(kind, data)
        # Each imports what the other does without: a PNG needs no pydicom.
        if kind == "DICOM":
            from medpriv_core.pictures.dicom import decode_dicom

            return decode_dicom(data, wanted)
        from medpriv_core.pictures.raster import decode_raster

        return decode_raster(data, kind, wanted)


@contextmanager
def told_as_damage() -> Iterator[None]:
    """Makes an ``ImageError`` of whatever a reader raises, which repeats nothing of the file."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(TOO_MUCH_MEMORY) from None
    except Exception:
        # Readers raise whatever they stumble over, and their messages quote the file: neither goes further.
        raise ImageError(DAMAGED) from None
