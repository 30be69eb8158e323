"""The process beside the app: shared, restarted, given up on, and never outliving the app."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from medpriv_core.errors import RunError, WeightsError
from medpriv_core.runs import prediction_process
from medpriv_core.runs.prediction_process import PredictionProcess
from tests.server.looking import holds

PATIENCE_S = 120.0
ROOT = Path(__file__).resolve().parents[2]

# Processes of ours look for modules neither in their folder nor where PYTHONPATH points.
FROM_HERE = f"import sys; sys.path.append({str(ROOT)!r})"
# Stands in for the real one, which would load torch: what it does with each message is up to the test.
STAND_IN = f"""{FROM_HERE}
import os, signal, sys, time
from medpriv_core.runs.messages import read_message, write_message
requests, replies = open(0, "rb", 0), open(1, "wb", 0)
def receive(): return read_message(requests)
def send(header, arrays=()): write_message(replies, header, arrays)
"""
ECHO = "while True:\n    header, arrays = receive()\n    send({'pid': os.getpid(), **header}, arrays)"


@pytest.fixture
def process() -> Iterator[PredictionProcess]:
    made = PredictionProcess()
    yield made
    made.close()


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what processes do that are started from now on."""

    def set_behaviour(script: str) -> None:
        monkeypatch.setattr(prediction_process, "COMMAND", (sys.executable, "-c", STAND_IN + script))

    return set_behaviour


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_process_answers_question_after_question(process: PredictionProcess, behave: Callable[[str], None]) -> None:
    behave(ECHO)
    assert process.pid is None
    picture = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    first, arrays = process.ask({"n": 1}, [picture, picture[:5]])
    second, _ = process.ask({"n": 2}, [])
    assert (first["n"], second["n"]) == (1, 2)
    assert first["pid"] == second["pid"] == process.pid != os.getpid()
    assert np.array_equal(arrays[0], picture)
    assert np.array_equal(arrays[1], picture[:5])


def test_sessions_that_ask_at_once_get_their_own_answers(
    process: PredictionProcess, behave: Callable[[str], None]
) -> None:
    behave(ECHO)

    def ask(number: int) -> tuple[int, int, int]:
        reply, (array,) = process.ask({"n": number}, [np.full(50_000, number)])
        assert (array == number).all()
        return number, reply["n"], reply["pid"]

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(100)))
    assert all(asked == answered for asked, answered, _ in answers)
    assert {pid for _, _, pid in answers} == {process.pid}


def test_a_process_that_died_between_two_questions_is_replaced(
    process: PredictionProcess, behave: Callable[[str], None]
) -> None:
    behave(ECHO)
    first, _ = process.ask({}, [])
    os.kill(first["pid"], signal.SIGKILL)
    second, _ = process.ask({}, [])
    assert second["pid"] != first["pid"]
    assert not psutil.pid_exists(first["pid"])  # not even as a zombie


def test_a_process_that_leaves_just_when_it_is_asked_is_replaced(
    process: PredictionProcess, behave: Callable[[str], None]
) -> None:
    behave("receive(); send({'pid': os.getpid()}); receive()")
    first, _ = process.ask({}, [])
    second, _ = process.ask({}, [])
    assert second["pid"] != first["pid"]


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("receive(); os.kill(os.getpid(), signal.SIGKILL)", "most likely because the memory of this machine is full"),
        ("receive(); sys.exit(3)", r"ended unexpectedly \(exit code 3\)"),
        ("sys.exit(1)", r"ended unexpectedly \(exit code 1\)"),
        ("receive(); print('hello, this is no message'); sys.exit(0)", r"ended unexpectedly \(exit code 0\)"),
    ],
    ids=["killed", "crashed", "never there", "talks nonsense"],
)
def test_a_death_is_one_sentence_and_the_next_question_starts_anew(
    process: PredictionProcess, behave: Callable[[str], None], script: Any, sentence: Any
) -> None:
    behave(script)
    with pytest.raises(RunError, match=sentence):
        process.ask({}, [np.zeros(1_000_000)])
    behave(ECHO)
    assert process.ask({"n": 1}, [])[0]["n"] == 1


def test_a_question_that_takes_too_long_is_given_up(
    process: PredictionProcess, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    behave("receive(); send({'pid': os.getpid()}); receive(); time.sleep(1000)")
    pid = process.ask({}, [])[0]["pid"]
    monkeypatch.setattr(prediction_process, "TIME_LIMIT_S", 0.5)
    with pytest.raises(RunError, match=r"gave no answer within 0\.5 seconds"):
        process.ask({}, [])
    assert not psutil.pid_exists(pid)


def test_a_process_that_never_listens_is_given_up_too(
    process: PredictionProcess, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    behave("time.sleep(1000)")
    with monkeypatch.context() as impatient:
        impatient.setattr(prediction_process, "TIME_LIMIT_S", 0.5)
        with pytest.raises(RunError, match="gave no answer"):
            process.ask({}, [np.zeros(100), np.zeros(1_000_000)])  # more than the pipe takes
    behave(ECHO)
    assert process.ask({"n": 1}, [])[0]["n"] == 1


def test_a_process_that_has_closed_its_ears_is_replaced(
    process: PredictionProcess, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_process, "LEAVING_S", 0.1)
    behave("receive(); os.close(0); send({'pid': os.getpid()}); time.sleep(1000)")
    first, second = (process.ask({}, [])[0]["pid"] for _ in range(2))
    assert second == process.pid
    assert not psutil.pid_exists(first)


def test_who_would_wait_too_long_for_others_is_told(
    process: PredictionProcess, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    behave("receive(); send({}); receive(); time.sleep(1000)")
    process.ask({}, [])

    def ask_too() -> None:
        with contextlib.suppress(RunError):
            process.ask({}, [])

    other = threading.Thread(target=ask_too)
    other.start()
    wait_until(process._asking.locked)
    monkeypatch.setattr(prediction_process, "TIME_LIMIT_S", 0.1)
    with pytest.raises(RunError, match="Others are asking"):
        process.ask({}, [])
    process.close()
    other.join(PATIENCE_S)


def test_an_error_of_the_other_side_is_raised_here(process: PredictionProcess, behave: Callable[[str], None]) -> None:
    behave("receive(); send({'error': 'WeightsError', 'message': 'They are gone.'}); receive()")
    with pytest.raises(WeightsError, match=r"They are gone\."):
        process.ask({}, [])


def test_a_system_that_refuses_is_one_sentence(process: PredictionProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_process, "COMMAND", ("/no/such/program",))
    with pytest.raises(RunError, match="refused to start"):
        process.ask({}, [])


# The real server without its networks, and so without torch.
SERVER = f"""{FROM_HERE}
import os, sys, time, types
torchless = types.ModuleType("predictor")
torchless.Predictor = torchless.load_predictor = None
sys.modules["medpriv_core.training.predictor"] = torchless
from medpriv_core.cli.main import main
from medpriv_core.training import prediction_server
"""
ENDLESS = """
def answer(*_):
    print(os.getpid(), file=sys.stderr, flush=True)
    time.sleep(1000)
prediction_server.answer = answer
main(["predictor"])
"""
# Bored at once, and chatty.
IMPATIENT = """
def answer(*_):
    print("what a library might say")
    return {"said": "yes"}, []
prediction_server.answer, prediction_server.IDLE_EXIT_S = answer, 0.1
main(["predictor"])
"""
# Works on the picture as a network does: with copies of it.
HOLDING = """
def answer(header, images, networks):
    copies = [images[0].copy(), images[0][:20].copy(), images[0].tobytes()]
    return {"sum": sum(copies[2])}, []
prediction_server.answer = answer
"""
APP = """
import sys, threading
from medpriv_core.runs import prediction_process
prediction_process.COMMAND = (sys.executable, "-c", sys.argv[1])
threading.Thread(target=prediction_process.PROCESS.ask, args=({}, []), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, None], ids=["killed", "terminated", "left"])
def test_it_never_outlives_the_app_even_in_the_middle_of_a_prediction(number: Any) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", APP, SERVER + ENDLESS], cwd=ROOT, text=True, **pipes) as app:
        assert app.stderr
        child = psutil.Process(int(app.stderr.readline()))
        assert child.ppid() == app.pid
        if number is not None:
            app.send_signal(number)
            app.wait(PATIENCE_S)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="looks into another process by /proc")
def test_a_picture_is_gone_from_its_memory_once_it_is_answered(
    process: PredictionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_process, "COMMAND", (sys.executable, "-c", SERVER + HOLDING + "main(['predictor'])"))
    canary = secrets.token_bytes(12)
    picture = np.frombuffer(canary * 50_000, np.uint8).reshape(600, 1000)
    reply, _ = process.ask({"look": "now"}, [picture])
    assert reply == {"sum": int(picture.sum())}
    assert isinstance(process._process.stdin, io.FileIO)  # no buffer on this side, in which its end would lie
    assert not holds(process.pid, canary * 6)  # fewer may stay where the processor copied them last


def test_it_leaves_by_itself_and_what_it_prints_is_no_answer(
    process: PredictionProcess, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prediction_process, "COMMAND", (sys.executable, "-c", SERVER + IMPATIENT))
    assert process.ask({}, []) == ({"said": "yes"}, [])
    child = process._process
    wait_until(lambda: process.pid is None)
    assert child.returncode == 0
    assert capfd.readouterr().err == "what a library might say\n"
