"""Decoding in a process of its own, with limits, because the file comes from a stranger.

Decoders for JPEG, JPEG-LS, JPEG 2000, TIFF and PNG are C and C++ code, and pydicom trusts lengths that the file
states. A damaged stream can make them crash, loop, or ask for any amount of memory. In the web process each of
these would end every visitor's session. Here it ends a child: its address space is limited, so is its processor
time, a clock on the wall ends it too, and the visitor reads a sentence.

Bytes go in and out by pipes; the child may not write any file, not even a core dump (``child.py``). How many files are
decoded at a time is limited too (``places.py``): for the server, whose memory it is, and for each visitor.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading

from medpriv_core.errors import ImageError
from medpriv_core.pictures.decoded import Decoded, receive
from medpriv_core.pictures.kinds import Kind
from medpriv_core.processes import environment
from medpriv_core.safe_path import PACKAGE_PARENT
from medpriv_core.uploads.places import MAX_WAIT_S, PLACES

MAX_TIME_S = 60.0  # on a busy machine; of processor time the child takes a third (child.py)

_OUT_OF_PROCESSOR_TIME = -24  # SIGXCPU, which Windows does not know

_START = "import sys; sys.path.append(sys.argv[1]); from medpriv_core.uploads.child import main; main(sys.argv[2])"


def decode_apart(kind: Kind, data: bytes, *, visitor: str = "") -> Decoded:
    """Decode the file in a child process, for a visitor.

    Raises ``ImageError`` if it is refused, damaged, or takes too much, or if no decoder is free.
    """
    with PLACES.take(visitor, within_s=MAX_WAIT_S):
        # -P: no module is taken from the folder that the server happens to run in; -B: none is written.
        process = subprocess.Popen(
            [sys.executable, "-P", "-B", "-c", _START, PACKAGE_PARENT, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # pydicom's warnings quote values of the header
            # Each thread of the numeric library would reserve address space that the pixels need.
            env=environment(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"),
        )
        assert process.stdin is not None
        assert isinstance(process.stdout, io.BufferedReader)
        too_late = threading.Event()

        def stop() -> None:
            too_late.set()
            process.kill()

        clock = threading.Timer(MAX_TIME_S, stop)
        clock.start()
        try:
            # The child reads to the end before it answers; if it is gone already, its answer tells why.
            with contextlib.suppress(BrokenPipeError), process.stdin as stream:
                stream.write(data)
            return receive(process.stdout)
        except ImageError:
            process.kill()
            if too_late.is_set() or process.wait() == _OUT_OF_PROCESSOR_TIME:
                raise ImageError(
                    "Reading this image took too long, so it was stopped. Export it uncompressed, or a part of it."
                ) from None
            raise
        finally:
            clock.cancel()
            process.kill()
            process.wait()
            process.stdout.close()
