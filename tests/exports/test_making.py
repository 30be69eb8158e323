"""A file made aside: told, stopped, kept, and forgotten with its holder."""

from __future__ import annotations

import gc
import threading

from medpriv_core.errors import SettingError
from medpriv_core.exports.making import Making
from medpriv_core.progress import Cancelled, ProgressCallback

PATIENCE_S = 30


def test_progress_is_told_and_the_file_is_there_at_the_end() -> None:
    told, goes_on = threading.Event(), threading.Event()

    def make(progress: ProgressCallback) -> bytes:
        progress("Drawing", 1, 3)
        told.set()
        assert goes_on.wait(PATIENCE_S)
        return b"file"

    making = Making("key", make)
    assert told.wait(PATIENCE_S)
    assert (making.running, making.progress, making.content) == (True, ("Drawing", 1, 3), None)
    goes_on.set()
    making.wait()

    assert (making.running, making.content, making.refusal) == (False, b"file", "")


def test_it_stops_at_the_next_step_and_leaves_no_file() -> None:
    steps = []
    at_work, goes_on = threading.Event(), threading.Event()

    def make(progress: ProgressCallback) -> bytes:
        at_work.set()
        assert goes_on.wait(PATIENCE_S)
        progress("Drawing", 0, 1)
        steps.append("went on")
        return b"file"

    making = Making("key", make)
    assert at_work.wait(PATIENCE_S)
    making.stop()
    goes_on.set()
    making.wait()

    assert (steps, making.content, making.refusal, making.running) == ([], None, "", False)


def test_what_goes_wrong_is_a_sentence() -> None:
    def refuse(progress: ProgressCallback) -> bytes:
        raise SettingError("There are too many images.")

    def fail(progress: ProgressCallback) -> bytes:
        raise ZeroDivisionError("secret")

    makings = Making("key", refuse), Making("key", fail)
    for making in makings:
        making.wait()

    assert makings[0].refusal == "There are too many images."
    assert "secret" not in makings[1].refusal
    assert makings[1].refusal


def test_where_its_holder_is_gone_it_stops() -> None:
    at_work, goes_on, ended = threading.Event(), threading.Event(), threading.Event()
    stopped = []

    def make(progress: ProgressCallback) -> bytes:
        at_work.set()
        assert goes_on.wait(PATIENCE_S)
        try:
            progress("Drawing", 0, 1)
        except Cancelled:
            stopped.append(True)
            raise
        finally:
            ended.set()
        return b"file"

    making = Making("key", make)
    assert at_work.wait(PATIENCE_S)
    del making
    gc.collect()
    goes_on.set()

    assert ended.wait(PATIENCE_S)
    assert stopped == [True]
