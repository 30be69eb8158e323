"""The public interface is what docs/reference.md says, and loads nothing that is not asked for."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import medpriv_core
from docs.reference import MARK, PAGE, reference

FUNCTIONS = [name for name in medpriv_core.__all__ if inspect.isfunction(getattr(medpriv_core, name))]


def test_the_page_is_what_the_docstrings_give() -> None:
    made = PAGE.read_text("utf-8").partition(MARK)[2]

    assert made == reference() + "\n", "Make it anew: python -m docs.reference"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_result_and_error_is_explained(name: str) -> None:
    function = getattr(medpriv_core, name)
    said = inspect.getdoc(function) or ""
    parameters = re.findall(r"^    \*{0,2}(\w+): ", said.partition("Args:")[2].partition("\nReturns:")[0], re.MULTILINE)

    expected = list(inspect.signature(function).parameters)
    assert [each for each in parameters if each in expected] == expected
    assert "Raises:" in said
    assert ("Returns:" in said) == (name != "stop_run")


def test_the_package_and_each_of_its_names_load_neither_torch_nor_streamlit() -> None:
    script = (
        "import sys, medpriv_core\n"
        "assert 'numpy' not in sys.modules, 'the package alone loads nothing'\n"
        "for name in medpriv_core.__all__:\n"
        "    assert getattr(medpriv_core, name) is vars(medpriv_core)[name]\n"
        "assert set(medpriv_core.__all__) <= set(dir(medpriv_core))\n"
        "print(*sorted({'torch', 'streamlit', 'matplotlib', 'plotly', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["scipy"], "plan_dp_sgd computes with it; the others are loaded by what needs them"


def test_a_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = medpriv_core.nothing
