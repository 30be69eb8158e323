"""Memory that a training process keeps: the kernel is not asked for the same pages again at each step."""

from __future__ import annotations

import subprocess
import sys

import pytest

PAGE_FAULTS = """
import platform, resource, sys
import numpy as np
from medpriv_core.training.memory import keep_freed_memory

keep_freed_memory(sys.argv[1])
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(20_000_000)  # 160 MB, given back at once
before = faults()
np.ones(20_000_000)
print(faults() - before)
"""


def faults_of_a_second_tensor(engine: str) -> int:
    done = subprocess.run([sys.executable, "-c", PAGE_FAULTS, engine], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told to keep memory")
def test_memory_is_used_again_but_for_opacus() -> None:
    # Even with the largest pages that the kernel has, 2 MB, fresh memory takes 80.
    assert faults_of_a_second_tensor("one_pass") < 20
    assert faults_of_a_second_tensor("opacus") > 60
