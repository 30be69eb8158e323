"""A sample of damaged files; all thousand with ``MEDPRIV_FUZZ_CASES=1000``, each in a child of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL_CASES = int(os.environ.get("MEDPRIV_FUZZ_CASES", "0"))
SAMPLE_CASES = 150


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and resource limits")
def test_damaged_files_give_a_picture_or_a_sentence_within_a_gigabyte() -> None:
    how = ["--cases", str(FULL_CASES)] if FULL_CASES else ["--cases", str(SAMPLE_CASES), "--fork"]
    # In a process of its own, whose children are the decoders alone: their memory is measured.
    run = subprocess.run(
        [sys.executable, "-m", "tests.uploads.fuzzing", *how],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    report = json.loads(run.stdout.splitlines()[-1])
    assert report["failures"] == []
    assert report["picture"] + report["sentence"] == (FULL_CASES or SAMPLE_CASES)
    # Damage of both kinds is among the cases: that which shows, and that which does not.
    assert min(report["picture"], report["sentence"]) > 10
    assert report["peak_mb"] < 1024
