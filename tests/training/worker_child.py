"""A worker in a process of its own, on the toy dataset of the fixtures."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from medpriv_core.runs.directory import RunDirectory

ROOT = Path(__file__).resolve().parents[2]

# The toy dataset of the fixtures, prepared in the child instead of read from the registry.
CHILD = """
import sys
from pathlib import Path
import numpy as np
from medpriv_core.datasets.base import DatasetInfo, PreparedDataset
from medpriv_core.home import data_home
from medpriv_core.training import worker
from medpriv_core.training.data import TrainingData
from tests.training.conftest import SIZE, toy_split
rng = np.random.default_rng(0)
info = DatasetInfo("toy", "Toy images", ("dark", "bright"), 1, True, "Drawn by a test.")
toy = PreparedDataset(info, "toy-key", SIZE, Path("unused"), toy_split(40, rng), toy_split(12, rng))
worker.prepare_dataset = lambda home, name, *, image_size, progress, say: toy
sys.exit(worker.run_worker(Path(sys.argv[1]), data_home()))
"""


def start_child(directory: RunDirectory) -> subprocess.Popen[bytes]:
    with open(directory.log, "ab") as log:
        return subprocess.Popen([sys.executable, "-c", CHILD, str(directory.path)], cwd=ROOT, stderr=log)


def wait_for_epochs(directory: RunDirectory, count: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while len(directory.read_epochs()) < count:
        assert child.poll() is None, directory.log_tail()
        assert time.monotonic() < deadline, directory.log_tail()
        time.sleep(0.02)
