"""Files of a run as a damaged disk, another hand or a hostile neighbour leaves them: the others must not suffer."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

from benchmarks.fuzzing.addresses import open_address
from benchmarks.fuzzing.homes import OTHERS, SWEEP, VICTIM, copied, make_home
from benchmarks.fuzzing.mutations import damage, damage_json
from benchmarks.fuzzing.subject import Case, Fault, command
from medpriv_core.errors import MedprivError, RunTableError
from medpriv_core.home import DataHome
from medpriv_core.privacy.checks import check_run
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.health import run_health

JSON_FILES = ("spec.json", "setup.json", "metrics.jsonl", "spent.json", "outcome.json", "labels.json", "progress.json")
BINARY_FILES = ("predictions.npz", "checkpoint.pt", "worker.log")
BESIDE = ("runs.sqlite3", f"sweeps/{SWEEP}.json", "spent", "datasets.json")
# What must answer for all runs whatever is wrong with one of them.
OF_ALL = (("runs", "list"), ("runs", "list", "--json"), ("export", "csv"), ("compare", "synthetic_chest"))
OF_ONE = (
    ("runs", "show", VICTIM),
    ("runs", "show", VICTIM, "--json", "--with-training-figures"),
    ("runs", "log", VICTIM),
    ("runs", "extend", VICTIM, "--epochs", "9", "--dry-run"),
    ("export", "csv", VICTIM, "--epochs"),
    ("sweep", "list"),
    ("sweep", "show", SWEEP, "--json"),
    ("datasets", "list"),
)


class RunFiles:
    """One file of one of three runs, or of what lies beside them, is spoilt."""

    canaries = ()

    def __init__(self, folder: Path) -> None:
        self._template, self._place = folder / "template", folder / "home"
        make_home(DataHome(self._template), checkpoint=True)
        home = copied(self._template, self._place)
        self._sound = {run.id: run for run in service.list_runs(home)}
        run = self._template / "runs" / VICTIM
        self._files = {
            name: (run / name).read_bytes() for name in (*JSON_FILES, *BINARY_FILES) if (run / name).exists()
        }
        self._files |= {"worker.log": b"epoch 1\nepoch 2\n", "progress.json": b'{"phase": "x", "done": 1, "pid": 1}'}

    def make(self, rng: random.Random) -> Case:
        beside = rng.random() < 0.15
        name = rng.choice(BESIDE if beside else sorted(self._files))
        how = rng.choice(("spoilt",) * 12 + ("missing", "folder", "link", "unreadable"))
        path = self._path(DataHome(self._template), name)
        data = self._files.get(name) or (path.read_bytes() if path.is_file() else b"{}")
        others = list(self._files.values())
        spoilt = (damage_json if name.endswith((".json", ".jsonl")) else damage)(data, rng, others)
        also = rng.choice(("page", "export", *[""] * 18))
        files = {Path(name).name: spoilt} if how == "spoilt" else {}
        return Case(
            f"{name} {how}, {len(spoilt):,} bytes {also}",
            files,
            (name, how, beside, also, rng.sample(OF_ALL, 2), rng.sample(OF_ONE, 3)),
        )

    def _path(self, home: DataHome, name: str) -> Path:
        if name == "spent":
            return next(iter(home.spent.glob("*.jsonl")))
        return home.root / name if name in BESIDE else home.runs / VICTIM / name

    def attempt(self, case: Case) -> None:
        name, how, beside, also, of_all, of_one = case.given
        home = copied(self._template, self._place)
        path = self._path(home, name)
        if path.exists() and how != "spoilt":
            path.unlink()
        if how == "spoilt":
            path.write_bytes(next(iter(case.files.values())))
        elif how == "folder":
            path.mkdir()
        elif how == "link":
            path.symlink_to(path)
        elif how == "unreadable":
            path.write_bytes(b"{}")
            path.chmod(0)
        refusals: list[MedprivError] = []
        self._look_at_all(home, name)
        for words in () if beside else of_all:
            command(*words) if name in self._files else self._bear(refusals, *words)
        for words in of_one:
            self._bear(refusals, *words)
        if also == "export":
            self._bear(refusals, "export", "run", VICTIM, "--output", str(self._place / "out.zip"))
        self._look_at_one(home, refusals)
        if also == "page":
            open_address("runs", {"run": VICTIM})
        if name == "checkpoint.pt":
            self._load_checkpoint(home, refusals)
        self._rebuild(home, name, how)
        self._delete(home)
        if refusals:
            raise refusals[0]

    def _bear(self, refusals: list[MedprivError], *words: str) -> None:
        """A command that may be refused with a sentence."""
        try:
            command(*words)
        except MedprivError as refusal:
            refusals.append(refusal)

    def _look_at_all(self, home: DataHome, name: str) -> None:
        """The runs beside it stay listed as they were, and so does it, whatever is said of it."""
        try:
            runs = {run.id: run for run in service.list_runs(home)}
        except RunTableError:
            if name != "runs.sqlite3":
                raise Fault("The table of runs is called damaged, which it is not.") from None
            return
        except MedprivError as error:
            if name in self._files:
                raise Fault(f"One run with a damaged {name} keeps the list from being shown: {error}") from None
            return
        if name == "runs.sqlite3":  # what is left of it is what it says
            return
        if VICTIM not in runs:
            raise Fault(f"The run with a damaged {name} is not listed.")
        changed = [other for other in OTHERS if runs.get(other) != self._sound[other]]
        if changed:
            raise Fault(f"A damaged {name} of {VICTIM} changed {changed[0]}: {runs.get(changed[0])}")

    def _look_at_one(self, home: DataHome, refusals: list[MedprivError]) -> None:
        """As its page does."""
        try:
            run = service.load_run(home, VICTIM)
            service.read_log(home, VICTIM)
            run_health(run)
            if run.spec is not None:
                run_verdict(run.spec, setup=run.setup, spent=run.spent)
                check_run(run.spec, setup=run.setup, spent=run.spent)
        except MedprivError as refusal:
            refusals.append(refusal)

    def _load_checkpoint(self, home: DataHome, refusals: list[MedprivError]) -> None:
        """What is not as it was written is refused."""
        from medpriv_core.training.checkpoint import load_checkpoint  # torch comes with it

        path = home.runs / VICTIM / "checkpoint.pt"
        if not path.is_file():
            return
        try:
            load_checkpoint(path)
        except MedprivError as refusal:
            refusals.append(refusal)

    def _rebuild(self, home: DataHome, name: str, how: str) -> None:
        """Without the table, every run comes back from its folder."""
        for suffix in ("", "-wal", "-shm"):
            table = home.database.with_name(home.database.name + suffix)
            if table.is_dir() and not table.is_symlink():
                shutil.rmtree(table)
            elif os.path.lexists(table):
                table.unlink()
        service.rebuild(home)
        back = {run.id for run in service.list_runs(home)}
        missing = {*OTHERS, VICTIM} - back - {run.id for run in service.list_runs(home, deleted=True)}
        if missing and not (missing == {VICTIM} and name == "spec.json" and how != "spoilt"):
            raise Fault(f"With a damaged {name}, making the table again loses {sorted(missing)}.")

    def _delete(self, home: DataHome) -> None:
        """A run can be deleted and purged, however damaged it is."""
        if VICTIM not in {run.id for run in service.list_runs(home)}:
            return
        service.delete(home, VICTIM)
        service.purge(home, VICTIM)
        if RunDirectory(home.runs / VICTIM).path.exists():
            raise Fault("A purged run is still there.")
