"""A further job, added from outside as docs/architecture.md says: a function, and a line in JOBS."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from medpriv_core import processes
from medpriv_core.errors import DatasetError, DiskFullError, JobError, MedprivError
from medpriv_core.home import DataHome
from medpriv_core.jobs import folder as folder_module
from medpriv_core.jobs import job as job_module
from medpriv_core.jobs.job import Job, JobStatus, job_at
from medpriv_core.jobs.kinds import JOBS
from medpriv_core.jobs.process import do_job
from medpriv_core.locks import hold_lock
from medpriv_core.processes import process_begun
from medpriv_core.progress import Cancelled
from tests.jobs.counting import LINE, START
from tests.jobs.here import work_here
from tests.processes import processes as processes_of

PATIENCE_S = 60.0
MORE = b'{"phase": "x", "done": 0, "total": 1, "state": "finished", "kind": "count", "more": 1}'


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JOBS, "count", LINE)
    monkeypatch.setattr(processes, "_START", START)


@pytest.fixture
def job(home: DataHome) -> Job:
    home.check_writable()
    return job_at(home, "count", "some")


def until(job: Job, good: Callable[[JobStatus], bool]) -> JobStatus:
    """The status, once it is good."""
    deadline = time.monotonic() + PATIENCE_S
    while (status := job.status()) is None or not good(status):
        assert time.monotonic() < deadline, (status, job.log_tail())
        time.sleep(0.02)
    return status


def at_work(status: JobStatus) -> bool:
    return status.phase == "Counting"


def test_its_progress_is_seen_and_its_result_read(home: DataHome, job: Job) -> None:
    assert job.status() is None
    seen: list[tuple[str, int, int]] = []

    job.start(home, "count", to=30)
    started = job.status()
    assert started is not None
    assert started.state == "running"
    assert job.wait(progress=lambda *call: seen.append(call), within_s=PATIENCE_S) == {"counted": 30}

    assert {("Counting", 30)} <= {(phase, total) for phase, _, total in seen}
    assert Job(job.path).status() == job.status()  # by whoever comes along
    assert job.status().state == "finished"


def test_it_stops_by_the_file_alone_and_says_how_far_it_came(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "ask_to_end", lambda identity: False)  # Windows, or another machine
    job.start(home, "count", to=100_000)
    until(job, at_work)
    job.start(home, "count", to=1)  # it is at work, so this is nothing
    job.stop()

    ended = until(job, lambda status: status.state != "running")
    assert (ended.state, ended.message) == ("cancelled", None)
    assert 0 < ended.result["counted"] < 100_000
    with pytest.raises(Cancelled):
        job.wait()

    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    job.start(home, "count", to=1)  # the wish was for that start alone
    assert do_job(job.path, home) == 0
    assert job.wait() == {"counted": 1}


def test_it_survives_the_process_that_started_it(home: DataHome, job: Job) -> None:
    script = (
        "import os, tests.jobs.counting as it; from pathlib import Path; from medpriv_core import processes\n"
        "from medpriv_core.home import data_home; from medpriv_core.jobs.job import Job\n"
        "processes._START = it.START; it.JOBS['count'] = it.LINE\n"
        f"Job(Path({str(job.path)!r})).start(data_home(), 'count', to=300)\n"
        f"os.kill(os.getpid(), {signal.SIGKILL:d})"
    )
    app = subprocess.run([sys.executable, "-c", script], cwd=processes.PACKAGE_PARENT, check=False)

    assert app.returncode == -signal.SIGKILL
    assert job.wait(within_s=PATIENCE_S) == {"counted": 300}


def test_one_that_is_killed_is_told_as_killed_and_can_be_started_again(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.start(home, "count", to=100_000)
    until(job, at_work)
    (process,) = processes_of(home, "job")
    process.kill()

    killed = until(job, lambda status: status.state != "running")
    assert (killed.state, killed.message) == ("failed", Job.KILLED)
    with pytest.raises(JobError, match="interrupted before it was complete"):
        job.wait()
    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    job.start(home, "count", to=1)
    assert do_job(job.path, home) == 0
    assert job.wait() == {"counted": 1}


def test_one_that_does_not_listen_is_killed_when_it_is_asked_again(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.start(home, "count", to=100_000, deaf=True)
    until(job, at_work)
    job.stop()
    assert job.is_asked_to_stop
    now = time.monotonic()
    monkeypatch.setattr(job_module.time, "monotonic", lambda: now + job_module.STOP_GRACE_S + 1)
    job.stop()
    monkeypatch.undo()

    assert until(job, lambda status: status.state != "running").message == Job.KILLED


def test_a_wait_that_takes_too_long_or_is_broken_off_ends_the_job(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_here(monkeypatch)

    def leave(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    job.start(home, "count", to=100_000)
    with pytest.raises(KeyboardInterrupt):
        job.wait(progress=leave)
    assert job.status().state == "cancelled"

    job.start(home, "count", to=100_000)
    with pytest.raises(JobError, match=r"longer than 0\.1 seconds"):
        job.wait(within_s=0.1)
    assert job.status().state == "cancelled"


def test_what_it_raises_is_raised_where_it_is_waited_for(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work_here(monkeypatch)
    job.start(home, "count", to=1, refuse=True)
    with pytest.raises(DatasetError, match=r"There is nothing to count\."):
        job.wait(within_s=PATIENCE_S)

    job.start(home, "count", too=1)  # a setting that it has not
    with pytest.raises(JobError, match=r"internal error \(TypeError"):
        job.wait(within_s=PATIENCE_S)
    assert "Traceback" in capsys.readouterr().err


def test_a_job_of_no_known_kind_is_refused_by_who_starts_it_and_by_its_process(home: DataHome, job: Job) -> None:
    kinds = "count, fetch, membership, own, prior, weights"
    with pytest.raises(JobError, match=f"knows no job of the kind 'dance'; there are {kinds}"):
        job.start(home, "dance")
    assert job.status() is None
    with pytest.raises(JobError, match=r"no job\.json"):
        do_job(job.path, home)


def test_two_processes_do_not_do_the_same_job_twice(home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    job.start(home, "count", to=1)
    with hold_lock(job.lock):
        assert do_job(job.path, home) == 3
    assert do_job(job.path, home) == 0
    assert do_job(job.path, home) == 3


def test_one_that_arrives_between_two_looks_is_not_taken_for_killed(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **more: None)
    job.start(home, "count", to=1)
    with ExitStack() as arrived:

        def arrive(self: Job, start: object) -> bool:
            arrived.enter_context(hold_lock(job.lock))
            return False  # it has said a word

        monkeypatch.setattr(Job, "is_starting", arrive)
        status = job.status()
        assert status is not None
        assert status.state == "running"


def test_one_that_never_says_a_word_is_given_up_by_this_processs_own_clock(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    job.start(home, "count", to=1)
    assert job.status().state == "running"
    now[0] += folder_module.STARTUP_S + 1
    assert job.status().state == "failed"
    job.start(home, "count", to=1)
    assert job.status().state == "running"


def test_one_that_cannot_be_started_says_where_to_look(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    job.start(home, "count", to=1)
    assert "could not be started" in (until(job, lambda status: status.state == "failed").message or "")


def test_what_is_said_of_a_start_that_failed_never_ends_the_next_start(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Callable[[], None]] = []
    monkeypatch.setattr(job_module, "start_process", lambda *command, on_exit, **options: ended.append(on_exit))
    monkeypatch.setattr(Job, "status", lambda self: None)  # nobody is at it
    clear = Job.clear_outcome
    job.start(home, "count", to=1)
    watchers = [threading.Thread(target=ended[0])]

    def slowly(self: Job) -> None:
        clear(self)
        watchers[0].start()
        watchers[0].join(timeout=0.5)

    monkeypatch.setattr(Job, "clear_outcome", slowly)
    job.start(home, "count", to=2)
    watchers[0].join(timeout=PATIENCE_S)
    assert not watchers[0].is_alive()
    assert not job.has_ended


@pytest.mark.parametrize(("number", "error"), [(errno.EAGAIN, JobError), (errno.ENOSPC, DiskFullError)])
def test_one_for_which_the_system_has_no_process_or_room_is_refused_and_does_not_seem_to_run(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch, number: int, error: type[MedprivError]
) -> None:
    def refuse(*_command: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(job_module, "start_process", refuse)
    with pytest.raises(error):
        job.start(home, "count", to=1)
    assert job.status() is None


def test_no_stranger_is_asked_to_stop_or_killed_in_its_place(
    home: DataHome, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    job.start(home, "count", to=1)
    with (
        subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as stranger,
        hold_lock(job.lock),
    ):
        who = {"pid": stranger.pid, "begun": "another boot 4711"}
        monkeypatch.setattr(folder_module, "own_identity", lambda: who)
        job.write_progress(phase="Counting", done=1, total=2, seconds_left=None)
        monkeypatch.setattr(job_module, "STOP_GRACE_S", -1.0)
        job.stop()
        assert process_begun(stranger.pid)
        stranger.kill()


@pytest.mark.parametrize("name", ["job.json", "outcome.json", "progress.json"])
@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"state": "done"}', b'{"phase": 5, "done": -1, "total": 1e9}', MORE]
)
def test_damaged_files_of_it_end_in_a_sentence_and_it_can_be_started_again(
    home: DataHome, job: Job, name: str, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "start_process", lambda *command, **options: None)
    job.start(home, "count", to=1)
    assert do_job(job.path, home) == 0
    (job.path / name).write_bytes(damage)

    status = job.status()
    assert status is None or status.state in ("finished", "failed")
    job.start(home, "count", to=2)
    assert do_job(job.path, home) == 0
    assert job.wait() == {"counted": 2}


def test_its_files_are_for_their_owner_only(home: DataHome, job: Job) -> None:
    job.start(home, "count", to=1)
    job.wait(within_s=PATIENCE_S)

    assert {path.name for path in job.path.iterdir()} >= {"job.json", "outcome.json", "worker.log", "worker.lock"}
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in [job.path, *job.path.iterdir()]} == {0}
