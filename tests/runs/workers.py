"""A launcher without processes, and runs in the queue for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from medpriv_core.home import DataHome
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.launcher import Poll
from medpriv_core.runs.store import LOCAL, RunRow, RunStore
from medpriv_core.spec import RunSpec


@dataclass
class Workers:
    """The launcher, whose workers the test controls."""

    polls: dict[str, Poll] = field(default_factory=dict)
    stopped: list[tuple[str, bool]] = field(default_factory=list)
    devices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refuse: bool = False
    found: bool = True

    def slots(self, wanted: str) -> tuple[str, ...]:
        return self.devices.get(wanted, (wanted,))

    def start(self, row: RunRow, directory: RunDirectory) -> str:
        if self.refuse:
            raise OSError("no more processes")
        self.polls[row.id] = Poll(alive=True)
        return "job 4242"

    def poll(self, row: RunRow, directory: RunDirectory) -> Poll:
        return self.polls.get(row.id, Poll(alive=False))

    def stop(self, row: RunRow, *, force: bool) -> bool:
        self.stopped.append((row.id, force))
        return self.found


def queue(home: DataHome, run_id: str, *, launcher: str = LOCAL, device: str = "cpu") -> RunDirectory:
    """Queue a run."""
    directory = RunDirectory(home.runs / run_id)
    directory.create(RunSpec(dataset="d"))
    RunStore(home).add(run_id, name=run_id, slot=device, launcher=launcher)
    return directory
