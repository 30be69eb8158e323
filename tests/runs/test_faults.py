"""The loop of faults in short; ``python -m benchmarks.faults`` is the long one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.faults import PRIVATE, Trial, kill_everything, spoil_table, tear_last_line
from medpriv_core.home import DataHome
from tests.small_data import NAME, add_small_dataset


def test_what_was_shown_stays_true_whatever_is_killed_torn_or_spoilt(home: DataHome, tmp_path: Path):
    add_small_dataset(home, tmp_path)
    spec = PRIVATE.changed(dataset=NAME, image_size=28, batch_size=30, delta=1e-3)
    trial = Trial(home, seed=0, specs=[spec])
    try:
        trial.round(tear_last_line, after_epoch=True, wait_s=0.0)
        trial.round(kill_everything, after_epoch=False, wait_s=0.5)
        trial.round(spoil_table, after_epoch=True, wait_s=0.0)
        trial.finish()
    finally:
        trial.close()
    assert trial.violations == []
    assert trial.epochs_shown > 1
    assert trial.resumed >= 2
