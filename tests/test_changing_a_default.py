"""A default is changed in one file, as docs/architecture.md says under "Adding things": everybody else follows."""

from __future__ import annotations

from pathlib import Path

from medpriv_core.home import DataHome
from tests.changed_program import ask, changed_program

EPOCHS = {"medpriv_core/spec.py": [('10,\n        "Epochs"', '17,\n        "Epochs"')]}
DELTA = {"medpriv_core/defaults.py": [("DEFAULT_DELTA = 1e-5", "DEFAULT_DELTA = 3e-6")]}
ASK = r"""
from docs import reference
from streamlit.testing.v1 import AppTest
from medpriv_core.cli.main import main
from medpriv_core.mechanisms.catalog import picture_noise
from medpriv_core.spec import RunSpec

spec = RunSpec(dataset="synthetic_chest")
assert (spec.epochs, spec.delta) == (17, 3e-6)
assert picture_noise("gaussian", beta=1.0).guarantee((64, 64, 1)).delta == 3e-6
page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("train.py").run()
page.segmented_control(key="train_method").set_value("dp_sgd").run()
assert not page.exception
assert page.number_input(key="train_delta").value == 3e-6
made = reference.reference()
assert made + "\n" != reference.PAGE.read_text("utf-8").partition(reference.MARK)[2], "a test asks for a new page"
assert "each training record is used. (1 to 1000; default 17)" in made
assert "delta: float = 3e-06," in made
try:
    main(["run", "--help"])
except SystemExit:
    pass
"""


def test_form_help_reference_page_and_guarantees_follow_the_one_place(tmp_path: Path, home: DataHome) -> None:
    said = ask(changed_program(tmp_path, changes=EPOCHS | DELTA), ASK, home=home.root)

    assert "(1 to 1000; default 17)" in said
    assert "default 3e-06" in said
