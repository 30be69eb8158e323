"""Opening an upload as the page does: through the child, with every refusal in one sentence."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file

from medpriv_core.errors import ImageError, SettingError
from medpriv_core.pictures.decoded import Decoded, receive
from medpriv_core.pictures.kinds import kind_of
from medpriv_core.uploads import isolation
from medpriv_core.uploads.child import answer_with
from medpriv_core.uploads.opening import MAX_UPLOAD_MB, open_upload
from tests.datasets.test_images import encoded, png_header
from tests.uploads.dicoms import SECRETS, ct, described, encapsulated, lookup_table, sequence_item, written

NAME = "Zaphodson_19770131_ZX-998877.dcm"
RAMP = np.arange(1024, dtype=np.uint16).reshape(32, 32)


def refusal(data: bytes, name: str = "scan.dcm") -> str:
    with pytest.raises(ImageError) as error:
        open_upload(name, data)
    return str(error.value)


def decode_without_a_child(data: bytes) -> Decoded:
    """What the child would answer, by its own code in this process, which takes a hundredth of the time."""
    answer = io.BytesIO()
    answer_with(kind_of("upload", data), data, answer)
    return receive(io.BufferedReader(io.BytesIO(answer.getvalue())))


def bundled(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    assert path is not None
    with open(path, "rb") as file:
        return file.read()


def test_a_picture_and_a_dicom_come_back_as_they_are() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    upload = open_upload("retina.png", encoded(Image.fromarray(pixels)))
    assert np.array_equal(upload.render(), pixels)
    assert any("is not removed" in note for note in upload.notes)

    upload = open_upload("slice.dcm", written(ct(RAMP)))
    assert upload.kind == "DICOM"
    assert upload.unit == "HU"
    assert upload.presets[0].name == "Soft tissue"
    assert any("is not removed" in note for note in upload.notes)


def test_frames_scales_and_tables_survive_the_pipe() -> None:
    frames = np.stack([RAMP, RAMP[::-1], RAMP + 500])
    dataset = described(frames)
    dataset.VOILUTSequence = [lookup_table(np.arange(0, 4096, 4, dtype=np.uint16), first=0, bits=12)]
    upload = open_upload("x", written(dataset))
    assert upload.frames == 3
    assert np.array_equal(upload.render(1), upload.render(0)[::-1])
    assert np.abs(upload.render(0)[:, :, 0].astype(int) - RAMP // 4).max() <= 1
    with pytest.raises(SettingError, match="no frame 4; this file has 3"):
        upload.render(3)


def test_nothing_of_the_header_and_the_name_comes_out() -> None:
    dataset = ct(RAMP)
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.WindowCenterWidthExplanation = "Zaphodson"
    dataset.RequestAttributesSequence = [sequence_item(RequestedProcedureID=SECRETS[1])]
    upload = open_upload(NAME, written(dataset))
    words = repr(upload) + str(vars(upload)) + str(vars(upload._decoded))
    for secret in SECRETS:
        assert secret not in words
        assert secret.encode() not in upload._decoded.frames.tobytes()


def test_messages_and_logs_repeat_neither_header_nor_name(caplog: pytest.LogCaptureFixture) -> None:
    whole = written(ct(RAMP))
    for data in (whole[:-200], whole[:400], b"text " * 99):
        message = refusal(data, NAME)
        assert not any(secret in message for secret in (*SECRETS, NAME))
    assert caplog.text == ""


def test_what_pydicom_warns_of_reaches_no_terminal() -> None:
    # A name where a number belongs: pydicom's warning quotes it.
    data = without_pixels("1.2.3.4.5").replace(b"1.2.3.4.5", SECRETS[0].encode())
    script = (
        "import sys; from medpriv_core.errors import ImageError; from medpriv_core.uploads.opening import open_upload\n"
        "try: open_upload('x', sys.stdin.buffer.read())\n"
        "except ImageError as error: print(error)\n"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, cwd=root, check=True)
    assert run.stdout.startswith(b"This DICOM holds other data")
    assert run.stderr == b""


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    open_upload("x", written(ct(RAMP)))
    refusal(b"\xff\xd8\xff" + b"no jpeg" * 50)
    assert list(tmp_path.iterdir()) == []


def time_and_slices(count: int = 4) -> bytes:
    dataset = described(np.stack([RAMP] * count))
    dataset.DimensionIndexSequence = [
        sequence_item(DimensionIndexPointer=0x00209128),  # temporal position
        sequence_item(DimensionIndexPointer=0x00209057),  # position in the stack
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        sequence_item(FrameContentSequence=[sequence_item(DimensionIndexValues=[1 + index // 2, 1 + index % 2])])
        for index in range(count)
    ]
    return written(dataset)


def test_frames_along_one_axis_are_read_and_slices_at_several_times_are_not() -> None:
    assert open_upload("x", time_and_slices(2)).frames == 2
    assert "4D" in refusal(time_and_slices(4))
    dataset = described(np.stack([RAMP] * 4))
    dataset.FrameIncrementPointer = [0x00540070, 0x00540080]  # time slots and slices
    assert "along one axis" in refusal(written(dataset))


def without_pixels(sop_class: str, **attributes: object) -> bytes:
    dataset = described(RAMP)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class  # type: ignore[assignment]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def changed(**attributes: object) -> bytes:
    dataset = described(RAMP)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def deflated_bomb() -> bytes:
    """A DICOM whose megabyte inflates to a gigabyte."""
    head = written(described(RAMP), uid.DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    megabyte = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head[:start] + megabyte * 1024 + packer.flush()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"a note, not a picture", "not an image of a known kind"),
        (encoded(Image.new("L", (64, 64)), "JPEG2000"), "JPEG 2000.*PNG, JPEG, TIFF or DICOM"),
        (b"%PDF-1.7", "PDF"),
        (gzip.compress(b"volume"), "archive"),
        (b"\x30\x80\x06\x09" + bytes.fromhex("2a864886f70d010703") + bytes(200), "encrypted"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
        (png_header(10_000, 10_000), "10,000 × 10,000 pixels, 100 million in all; up to 64 million"),
        (encoded(Image.new("L", (5, 9))), "only 5 × 9 pixels"),
        (bytes(128) + b"DICM", "damaged or cut short"),
        (without_pixels(uid.CTImageStorage), "other data and no image"),
        (without_pixels("1.2.840.10008.5.1.4.1.1.88.11"), "structured report"),
        (without_pixels("1.2.840.10008.5.1.4.1.1.104.1"), r"document \(such as a PDF\)"),
        (without_pixels("1.2.840.10008.5.1.4.1.1.9.1.1"), "waveform"),
        (
            without_pixels(uid.CTImageStorage, EncryptedAttributesSequence=[sequence_item(EncryptedContent=b"secret")]),
            "encrypted",
        ),
        (changed(PixelData=RAMP.tobytes()[:-64]), "another number of pixels"),
        (changed(PixelData=RAMP.tobytes() * 2, NumberOfFrames=1), "another number of pixels"),
        (changed(NumberOfFrames=5), "another number of pixels"),
        (changed(Rows=9000, Columns=9000), "9,000 × 9,000 pixels, 81 million in all; up to 64 million"),
        (changed(Rows=0), r"does not say how many rows.*\(its element Rows"),
        (changed(PhotometricInterpretation="CMYK"), "colours in a way"),
        (changed(PixelPresentation="COLOR"), "lays colours over"),
        (encapsulated(described(RAMP), [b"\0" * 64], uid.MPEG2MPML), "as a video"),
        (encapsulated(described(RAMP), [b"\0" * 64], uid.UID("1.2.840.10008.1.2.4.53")), "way that is not read"),
        (encapsulated(described(RAMP), [b"\0" * 64], uid.JPEG2000Lossless), "damaged"),
        (bundled("waveform_ecg.dcm"), "waveform"),
        (bundled("DICOMDIR"), "table of contents of a disc"),
        (bundled("test-SR.dcm"), "structured report"),
        (bundled("MR_truncated.dcm"), "another number of pixels"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_bad_input_is_refused_with_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        decode_without_a_child(data)


def test_a_file_that_inflates_to_a_gigabyte_is_stopped_by_the_limit_of_memory() -> None:
    assert "more memory" in refusal(deflated_bomb())


def test_a_tiff_of_100_megapixels_is_refused_before_it_is_decoded() -> None:
    data = encoded(Image.new("1", (12_500, 8_000)), "TIFF", compression="group4")
    assert len(data) < 100_000
    assert "12,500 × 8,000 pixels, 100 million in all; up to 64 million" in refusal(data)


def test_a_file_over_the_limit_is_refused_by_its_length() -> None:
    assert f"up to {MAX_UPLOAD_MB} MB" in refusal(bytes(MAX_UPLOAD_MB * 2**20 + 1))


def test_the_limit_is_the_one_of_the_server() -> None:
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] == MAX_UPLOAD_MB


def test_a_child_that_dies_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_START", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert "damaged" in refusal(encoded(Image.new("L", (2000, 2000))))


def test_a_child_that_takes_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_START", "import sys, time; sys.stdin.buffer.read(); time.sleep(600)")
    monkeypatch.setattr(isolation, "MAX_TIME_S", 0.3)
    assert "took too long" in refusal(encoded(Image.new("L", (20, 20))))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processor time are POSIX's")
def test_a_child_that_uses_up_its_processor_time_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # As child.py limits itself, with one second.
    loop = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 5))\nwhile True: pass"
    monkeypatch.setattr(isolation, "_START", loop)
    assert "took too long" in refusal(encoded(Image.new("L", (20, 20))))


def test_a_child_that_answers_nonsense_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (
        "no json",
        '{"shape": [99999, 99999, 99], "dtype": "uint8"}',
        '{"shape": [4], "dtype": "object"}',
        "[]",
    ):
        start = f"import sys; sys.stdin.buffer.read(); print({answer!r})"
        monkeypatch.setattr(isolation, "_START", start)
        assert "damaged" in refusal(encoded(Image.new("L", (20, 20))))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_the_child_has_limits_and_writes_no_file(tmp_path: Path) -> None:
    script = (
        "import sys; from medpriv_core.uploads.child import limit_itself; limit_itself()\n"
        "try: bytearray(2**30)\n"
        "except MemoryError: print('memory')\n"
        "try: open(sys.argv[1], 'wb', buffering=0).write(b'x')\n"
        "except OSError: print('files')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "file")]
    root = Path(__file__).parents[2]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True).stdout
    assert printed.split() == ["memory", "files"]


def test_the_web_process_does_not_load_the_decoders() -> None:
    script = (
        "import sys; from medpriv_core.uploads.opening import open_upload\n"
        "open_upload('x', sys.stdin.buffer.read())\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        input=written(ct(RAMP)),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    ).stdout.decode()
    assert "medpriv_core" in loaded
    assert not {"pydicom", "pylibjpeg", "openjpeg", "libjpeg"} & set(loaded.split())


@pytest.mark.real_data
def test_real_photographs_and_radiographs_are_read(shared_data: Path) -> None:
    radiograph = next((shared_data / "chest_xray_originals" / "NORMAL").glob("*.jpeg"))
    photograph = next((shared_data / "idrid" / "train").glob("*.jpg"))
    upload = open_upload(radiograph.name, radiograph.read_bytes())
    assert upload.channels == 1
    with Image.open(io.BytesIO(radiograph.read_bytes())) as image:
        assert np.array_equal(upload.render()[:, :, 0], np.asarray(image.convert("L")))
    assert open_upload(photograph.name, photograph.read_bytes()).channels == 3
