"""Zips of runs from other machines: each is imported, and then shown like any run, or refused with a sentence."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.fuzzing.datasets import lying, packed
from benchmarks.fuzzing.homes import OTHERS, VICTIM, copied, make_home
from benchmarks.fuzzing.mutations import damage, damage_json, hostile_text
from benchmarks.fuzzing.subject import Case, Fault, command
from medpriv_core.errors import MedprivError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_runs
from tests.results.chosen_results import LOCAL, PLAIN, PRIVATE
from tests.runs.archives import RUN_ID, members, zipped


class Imports:
    """Sound archives of every method, with one thing wrong."""

    canaries = ()

    def __init__(self, folder: Path) -> None:
        self._template, self._place = folder / "template", folder / "home"
        home = DataHome(self._template)
        make_home(home)
        run = home.runs / VICTIM
        more = {name: (run / name).read_bytes() for name in ("predictions.npz", "spent.json")}
        service.delete(home, VICTIM)
        service.purge(home, VICTIM)  # so that the archive's id is free
        self._archives = [members(spec) for spec in (PRIVATE, PLAIN, LOCAL)]
        self._archives.append(members(PRIVATE) | more)
        home = copied(self._template, self._place)
        self._sound = {run.id: run for run in service.list_runs(home)}

    def make(self, rng: random.Random) -> Case:
        files = dict(rng.choice(self._archives))
        how = rng.choice(("json", "json", "json", "json", "bytes", "headers", "names", "missing", "nested", "link"))
        if how == "json":
            for name in rng.sample(sorted(files), rng.choice((1, 1, 1, 2))):
                files[name] = (damage if name.endswith(".npz") else damage_json)(files[name], rng, list(files.values()))
        elif how == "names":
            files[hostile_text(rng).replace("\x00", "")] = b"x"
        elif how == "missing":
            del files[rng.choice(sorted(files))]
        data = self._packed(files, how, rng)
        return Case(f"run as a zip, {how}, {len(data):,} bytes", {"run.zip": data})

    def _packed(self, files: Mapping[str, bytes], how: str, rng: random.Random) -> bytes:
        data = packed(files, rng=rng, link=how == "link")
        if how == "bytes":
            return damage(data, rng, list(files.values()))
        if how == "headers":
            return lying(data, rng)
        if how == "nested":
            return zipped({"a.zip": data, "b.zip": damage(data, rng)})
        return data

    def attempt(self, case: Case) -> None:
        home = copied(self._template, self._place)
        refusal = None
        try:
            imported = import_runs(home, case.files["run.zip"])
        except MedprivError as error:
            imported, refusal = None, error
        runs = {run.id: run for run in service.list_runs(home)}
        changed = [other for other in OTHERS if runs.get(other) != self._sound[other]]
        if changed:
            raise Fault(f"An import changed {changed[0]}: {runs.get(changed[0])}")
        if refusal is not None:
            self._check_untouched(home)
            raise refusal
        assert imported is not None
        for run_id in imported.ids:
            self._use(home, run_id)

    def _check_untouched(self, home: DataHome) -> None:
        """A refused import leaves nothing behind."""
        left = [path.name for path in home.root.glob(".import-*")]
        if left or (home.runs / RUN_ID).exists():
            raise Fault(f"A refused import left {left or RUN_ID}.")

    def _use(self, home: DataHome, run_id: str) -> None:
        """As pages and commands do; what was accepted can be shown, compared, exported and deleted."""
        service.load_run(home, run_id)
        for words in (("list",), ("show", run_id), ("show", run_id, "--json"), ("list", "--json")):
            command("runs", *words)
        command("export", "csv", "--epochs", run_id)
        command("compare", "synthetic_chest")
        service.delete(home, run_id)
        service.purge(home, run_id)
