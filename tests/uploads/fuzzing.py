"""A thousand damaged files: truncated, bits flipped, lengths forged. Each must give a picture or a sentence.

    python -m tests.uploads.fuzzing --cases 1000 --seed 0

prints how many gave which, the most memory that this process and a decoding child took together, and every case
that gave something else, by the number that makes it again. ``--fork`` decodes in copies of this process, which
spares each case the start of a Python; their limits are the same.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGBaseline8Bit

from medpriv_core.errors import MedprivError
from medpriv_core.pictures.decoded import Decoded, receive
from medpriv_core.pictures.kinds import Kind
from medpriv_core.uploads import isolation, opening
from medpriv_core.uploads.child import answer_with, limit_itself
from tests.uploads.dicoms import ct, described, encapsulated, jpeg, written

RADIOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "chest_xray_originals"
# All transfer syntaxes and photometric interpretations among the files of pydicom's wheel, and odd headers.
BUNDLED = """
    693_J2KI CT_small GDCMJ2K_TextGBR J2K_pixelrep_mismatch JPEG2000 JPEGLSNearLossless_16 JPGExtended MR_small
    MR_small_RLE MR_small_bigendian MR_small_jpeg_ls_lossless SC_rgb_jls_lossy_line SC_rgb_jpeg_dcmtk
    SC_rgb_jpeg_gdcm SC_rgb_rle_16bit_2frame SC_rgb_rle_32bit SC_ybr_full_422_uncompressed badVR examples_jpeg2k
    examples_palette examples_ybr_color image_dfl liver_1frame reportsi rtdose_rle waveform_ecg
"""
FORGED = (b"\xff" * 4, b"\x00" * 4, b"\xff\xff\xff\x7f", b"\xff\xff", b"\x00\x00")


def sound_files() -> list[bytes]:
    """Real files of all four kinds; radiographs where they are on this machine."""
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    colour = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    deep = smooth.astype(np.uint16) * 257
    files = []
    for pixels, file_format, options in (
        (smooth, "PNG", {}),
        (colour, "PNG", {"icc_profile": bytes(200)}),
        (deep, "PNG", {}),
        (smooth, "JPEG", {"progressive": True}),
        (colour, "JPEG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}),
        (smooth, "TIFF", {"compression": "tiff_lzw"}),
        (colour, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        (smooth, "TIFF", {"save_all": True, "append_images": [Image.fromarray(smooth)] * 3}),
    ):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, file_format, **options)  # type: ignore[arg-type]
        files.append(stream.getvalue())
    files.append(written(ct(deep)))
    files.append(encapsulated(described(np.stack([smooth] * 3)), [jpeg(smooth)] * 3, JPEGBaseline8Bit))
    for name in BUNDLED.split():
        path = get_testdata_file(f"{name}.dcm", download=False)
        files.append(Path(str(path)).read_bytes())
    files += [file.read_bytes() for file in sorted(RADIOGRAPHS.glob("*/*.jpeg"))[:3]]
    return files


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """The file cut short, with bits flipped, with a forged number, or with a piece missing or doubled."""
    changed = bytearray(data)
    # Half of the damage falls where lengths and types stand.
    reach = min(len(data), 2000) if rng.random() < 0.5 else len(data)
    how = rng.integers(0, 5)
    if how == 0:
        return data[: rng.integers(0, len(data))]
    if how == 1:
        for place in rng.integers(0, reach, 2 ** rng.integers(0, 8)):
            changed[place] ^= 1 << rng.integers(0, 8)
    elif how == 2:
        for place in rng.integers(0, reach, rng.integers(1, 4)):
            forged = FORGED[rng.integers(0, len(FORGED))]
            changed[place : place + len(forged)] = forged
    else:
        start = int(rng.integers(0, reach))
        piece = bytes(changed[start : start + int(rng.integers(1, 200))])
        changed[start : start + len(piece)] = b"" if how == 3 else piece * 2
    return bytes(changed)


def decode_in_a_fork(kind: Kind, data: bytes, *, visitor: str = "") -> Decoded:
    """As ``isolation.decode_apart``, in a copy of this process instead of a new Python."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.close(readable)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        limit_itself()
        with open(writable, "wb") as answer:
            answer_with(kind, data, answer)
        os._exit(0)
    os.close(writable)
    clock = threading.Timer(isolation.MAX_TIME_S, os.kill, (child, 9))
    clock.start()
    try:
        with open(readable, "rb") as answer:
            return receive(answer)
    finally:
        clock.cancel()
        clock.join()
        os.waitpid(child, 0)


def outcome(data: bytes) -> str:
    """ "picture", "sentence", or what went wrong."""
    try:
        upload = opening.open_upload("scan.dcm", data)
        for frame in {0, upload.frames - 1}:
            picture = upload.render(frame)
            if picture.dtype != np.uint8 or picture.ndim != 3 or max(picture.shape[:2]) > 1024:
                return f"a picture of {picture.dtype} and shape {picture.shape}"
    except MedprivError as error:
        sentence = str(error)
        return "sentence" if sentence.endswith(".") and len(sentence) < 250 else f"the sentence {sentence!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "picture"


def fuzz(cases: int, seed: int) -> dict[str, object]:
    """Try this many damaged files; every file is used about equally often."""
    files = sound_files()
    counts: Counter[str] = Counter()
    failures: list[str] = []
    slowest_s = 0.0
    for case in range(cases):
        data = damaged(files[case % len(files)], np.random.default_rng((seed, case)))
        started = time.perf_counter()
        result = outcome(data)
        slowest_s = max(slowest_s, time.perf_counter() - started)
        counts[result if result in ("picture", "sentence") else "failure"] += 1
        if result not in ("picture", "sentence"):
            failures.append(f"case {case}: {result}")
    peak_kb = _own_peak_kb() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {**counts, "failures": failures, "peak_mb": round(peak_kb / 1024), "slowest_s": round(slowest_s, 1)}


def _own_peak_kb() -> int:
    """Of this process alone: Linux's getrusage counts the one that it was started from."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(dict(line.split(":", 1) for line in status.read_text().splitlines())["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Fuzz, print JSON, and exit with 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fork", action="store_true")
    options = parser.parse_args()
    if options.fork:
        opening.decode_apart = decode_in_a_fork
    report = fuzz(options.cases, options.seed)
    print(json.dumps(report))
    sys.exit(bool(report["failures"]))


if __name__ == "__main__":
    main()
