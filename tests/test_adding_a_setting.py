"""A setting is added by two changes, as docs/architecture.md says under "Adding things": its field, and where it acts.

The example is put into a copy of the program, and a process of its own asks there whether everybody knows it.
"""

from __future__ import annotations

from pathlib import Path

from medpriv_core.home import DataHome
from tests.changed_program import ask, changed_program

ADDED = {
    "medpriv_core/spec.py": [
        (
            "    momentum: float = setting(",
            "    rate_factor: float = setting(\n"
            '        1.0, "Factor of the rate", "Longer steps.", bounds=(0.5, 4.0), unit="x"\n'
            "    )\n"
            "    momentum: float = setting(",
        )
    ],
    "medpriv_core/training/steps.py": [("lr=spec.learning_rate", "lr=spec.learning_rate * spec.rate_factor")],
}
ASK = r"""
import pytest, torch
from streamlit.testing.v1 import AppTest
from medpriv_core.cli.main import main
from medpriv_core.errors import SettingError
from medpriv_core.exports.run_tables import SPEC_COLUMNS
from medpriv_core.presets import fill_preset
from medpriv_core.runs import service
from medpriv_core.spec import SETTINGS, RunSpec
from medpriv_core.sweeps.grid import Grid, vary
from medpriv_core.sweeps.values import parse_values
from medpriv_core.training.steps import sgd
from pages.parts import cached
from pages.parts.words import sentence
from tests.results.chosen_results import PLAIN, result
from medpriv_core.results.groups import group_results
from medpriv_core.results.labels import labelled

old = {name: value for name, value in PLAIN.to_dict().items() if name != "rate_factor"}
assert RunSpec.from_dict(old) == PLAIN, "a file of an earlier version has the default"
other = PLAIN.changed(rate_factor=2)
assert RunSpec.from_dict(other.to_dict()) == other
assert other.canonical() != PLAIN.canonical(), "it makes another run"
with pytest.raises(SettingError) as caught:
    PLAIN.changed(rate_factor=5.0)
assert sentence(caught.value) == "**Factor of the rate** must be between 0.5 and 4, but is 5.0."

layer = torch.nn.Linear(2, 2)
assert sgd(layer, other).param_groups[0]["lr"] == 2 * PLAIN.learning_rate, "it acts"

groups = labelled(group_results([result(PLAIN, run_id="a"), result(other, run_id="b")]))
assert [group.label for group in groups] == ["No privacy, 1.0 x", "No privacy, 2.0 x"], groups
assert "rate_factor" in SPEC_COLUMNS
assert parse_values("rate_factor", "1, 2") == [1.0, 2.0]
grid = Grid(PLAIN.to_dict(), (vary("rate_factor", [1.0, 2.0]),))
assert len({run.spec.canonical() for run in grid.expand().runs}) == 2
filled = fill_preset("quick", {"dataset": "synthetic_chest", "rate_factor": 2.0}, ordered=False)
assert [(change.setting, change.value, change.preset) for change in filled.changes] == [("rate_factor", 2.0, 1.0)]

service.ensure_runner = lambda home: None
page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("train.py").run()
assert not page.exception
field = page.number_input(key="train_rate_factor")
assert (field.label, field.value) == ("Factor of the rate", 1.0)
field.set_value(2.0).run()
assert "Factor of the rate: 2 instead of 1" in " ".join(each.value for each in page.caption)
page.button(key="launch").click().run()
(run,) = service.list_runs(cached.home())
assert run.spec.rate_factor == 2.0

try:
    main(["run", "--help"])
except SystemExit:
    pass
"""


def test_a_field_and_the_place_where_it_acts_are_all_that_a_setting_needs(tmp_path: Path, home: DataHome) -> None:
    said = ask(changed_program(tmp_path, changes=ADDED), ASK, home=home.root)

    assert len(ADDED) == 2
    assert "--rate-factor X" in said
    assert "Longer steps. (0.5 to 4; default 1.0)" in said
