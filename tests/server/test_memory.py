"""What is freed is overwritten; looked at from outside, in the memory of another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.looking import holds

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = f"""
import sys; sys.path.append({str(ROOT)!r})
import gc
from medpriv_core.server.memory import forget, overwrite_what_is_freed
if "overwrite" in sys.argv:
    assert overwrite_what_is_freed()
def say(word): print(word, flush=True); sys.stdin.readline()
canary = b"CANARY-" + str(sys.argv[1]).encode()
class Cycle: pass
kept, held = Cycle(), [canary * 600 + bytes(n) for n in (0, 30_000, 3_000_000)]
kept.itself, kept.held, kept.small = kept, held, [canary + bytes([n]) for n in range(200)]
gc.freeze()
say("held")
del kept, held, canary
sys.argv[1] = ""
if "forget" in sys.argv: forget()
say("gone")
"""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into the memory of a process by /proc")


def canaries(*how: str) -> tuple[bool, bool]:
    """Whether a process holds what it keeps, and whether it still does when it has let go of it."""
    number = "4711"
    command = [sys.executable, "-P", "-c", SCRIPT, number, *how]
    found = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        for said in ("held", "gone"):
            assert process.stdout.readline().strip() == said
            found.append(holds(process.pid, b"CANARY-" + number.encode()))
            process.stdin.write("\n")
            process.stdin.flush()
    return found[0], found[1]


@linux
def test_without_our_doing_what_was_freed_still_lies_in_memory() -> None:
    assert canaries() == (True, True)


@linux
def test_what_nothing_refers_to_is_freed_and_overwritten_in_large_and_in_small_pieces_also_what_was_kept_for_good() -> (
    None
):
    assert canaries("overwrite", "forget") == (True, False)
