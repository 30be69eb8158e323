"""A curve epoch by epoch: replayed once it is there, or followed while it grows, two epochs a second.

A quick run is over before a class has looked up. Its training is not slowed for that: what is drawn lags behind what is
stored. Where the pace cannot be held, because many look, epochs are passed over, so that everybody sees the same one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from medpriv_core.runs import service
from medpriv_core.runs.service import Run
from pages.parts import cached
from pages.parts.runs.watchers import refresh_s

EPOCHS_A_SECOND = 2
WIDTH = 260
REPLAY, SLIDER = "runs_replay", "runs_replay_epoch_{}"


@dataclass(frozen=True)
class Replay:
    """Where a replay stands.

    ids     of the runs that are on the chart
    epoch   the last one drawn at ``since`` (seconds of ``time.monotonic``); 0 while the first is waited for
    halt    counts how often it came to stand still, each time with a slider of its own: what a tab says of an earlier
            one, late, is not taken for a choice
    """

    ids: tuple[str, ...]
    epoch: int
    since: float
    playing: bool
    halt: int = 0


def follow(run_id: str) -> None:
    """Draw this run, which is about to begin, at the pace."""
    st.session_state[REPLAY] = Replay((run_id,), 0, 0.0, playing=True)


def replay_of(runs: Sequence[Run]) -> Replay | None:
    """The replay of the runs on the chart, if they are replayed."""
    replay: Replay | None = st.session_state.get(REPLAY)
    return replay if replay is not None and replay.ids == tuple(run.id for run in runs) else None


def every_s(runs: Sequence[Run]) -> float | None:
    """How often the chart must be drawn anew for it."""
    replay = replay_of(runs)
    return refresh_s() / EPOCHS_A_SECOND if replay is not None and replay.playing else None


def advance(runs: Sequence[Run]) -> list[Run]:
    """The runs as they are now, after the replay has gone on to where it should be."""
    replay = replay_of(runs)
    if replay is None or not replay.playing:
        return list(runs)
    runs = [run if run.ended else service.load_run(cached.home(), run.id) for run in runs]
    now, last = time.monotonic(), last_epoch(runs)
    due = replay.epoch + int((now - replay.since) * EPOCHS_A_SECOND) if replay.epoch else 1
    if due >= last or not replay.epoch:
        # The next epoch of a run that trains is due half a second after it is there.
        replay = replace(replay, epoch=min(due, last), since=now)
    if last and due >= last and all(run.ended for run in runs):
        stand_at(replay.ids, last)
        st.rerun()  # the whole page, so that nothing ticks any more
    st.session_state[REPLAY] = replay
    return list(runs)


def as_replayed(runs: Sequence[Run]) -> list[Run]:
    """The runs with the epochs that the replay has come to."""
    replay = replay_of(runs)
    if replay is None:
        return list(runs)
    epoch = epoch_of(replay)
    return [replace(run, epochs=[row for row in run.epochs if row.epoch <= epoch]) for run in runs]


def epoch_of(replay: Replay) -> int:
    """The epoch that is drawn now."""
    if not replay.playing or not replay.epoch:
        return replay.epoch
    return replay.epoch + int((time.monotonic() - replay.since) * EPOCHS_A_SECOND)


def last_epoch(runs: Sequence[Run]) -> int:
    """The last one that is there."""
    return max((run.epochs[-1].epoch for run in runs if run.epochs), default=0)


def draw_replay(runs: Sequence[Run]) -> None:
    """Play, pause, step by step, any epoch, and the way out."""
    replay = replay_of(runs)
    last = last_epoch(runs)
    if replay is None or last < 2:
        return
    epoch = min(max(1, epoch_of(replay)), last)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="runs_replay_row")
    ids = replay.ids
    if replay.playing:
        row.button("Pause", icon=":material/pause:", key="replay_pause", on_click=stand_at, args=(ids, epoch))
    else:
        begin = 1 if epoch == last else epoch
        row.button("Play", icon=":material/play_arrow:", key="replay_play", on_click=play, args=(ids, begin))
    for words, icon, to in (("Previous", "skip_previous", epoch - 1), ("Next", "skip_next", epoch + 1)):
        row.button(
            words,
            icon=f":material/{icon}:",
            key=f"replay_{words.lower()}",
            disabled=not 1 <= to <= last,
            on_click=stand_at,
            args=(ids, to),
        )
    if replay.playing:
        row.progress(epoch / last, f"Epoch {epoch:,} of {last:,}", width=WIDTH)
    else:
        key = SLIDER.format(replay.halt)
        row.slider("Epoch", 1, last, epoch, key=key, on_change=slide, args=(replay,), width=WIDTH)
    row.button("Close the replay", icon=":material/close:", key="replay_close", type="tertiary", on_click=close)


def play(ids: tuple[str, ...], epoch: int) -> None:
    """Go on from this epoch."""
    st.session_state[REPLAY] = Replay(ids, epoch, time.monotonic(), playing=True, halt=_halts())


def stand_at(ids: tuple[str, ...], epoch: int) -> None:
    """Draw this epoch and wait."""
    st.session_state[REPLAY] = Replay(ids, epoch, 0.0, playing=False, halt=_halts() + 1)


def slide(replay: Replay) -> None:
    """Draw the epoch that the slider has."""
    st.session_state[REPLAY] = replace(replay, epoch=st.session_state[SLIDER.format(replay.halt)])


def _halts() -> int:
    before: Replay | None = st.session_state.get(REPLAY)
    return before.halt if before is not None else 0


def close() -> None:
    """Draw all epochs again."""
    st.session_state.pop(REPLAY, None)
