"""How often a tab looks at runs that train: every second, and less often where many tabs look.

Each look takes some of the one core that all tabs share: a class of twenty that looked every second would take all of
it, and everybody would wait longer for a page than an epoch takes.
"""

from __future__ import annotations

import math
import threading
import time
from secrets import token_hex

import streamlit as st

REFRESH_S = 1.0
TABS_A_SECOND = 5
GONE_AFTER_S = 30.0  # far more than the longest time between two looks

_last_looks: dict[str, float] = {}
_counting = threading.Lock()


def refresh_s() -> float:
    """Seconds between two looks of this tab, which is counted from now on as one that looks."""
    tab: str = st.session_state.setdefault("runs_watcher", token_hex(8))
    return REFRESH_S * max(1, math.ceil(count_with(tab, now=time.monotonic()) / TABS_A_SECOND))


def count_with(tab: str, *, now: float) -> int:
    """How many tabs have looked lately, this one included; ``now`` in seconds of a clock that only goes forward."""
    with _counting:
        _last_looks[tab] = now
        for other, looked in list(_last_looks.items()):
            if now - looked > GONE_AFTER_S:
                del _last_looks[other]
        return len(_last_looks)
