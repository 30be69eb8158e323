"""The documents say what the program says: their tables of epsilon and their command lines are checked here."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from medpriv_core.privacy.dp_sgd import composed_epsilon
from medpriv_core.privacy.image_epsilon import laplace_guarantee
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.privacy.steps import Steps
from tests.commands import commands_in, complaints, texts_of

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
PROGRAM = [
    PROJECT / "app.py",
    *sorted(file for folder in ("medpriv_core", "pages", "benchmarks") for file in (PROJECT / folder).rglob("*.py")),
]
PAPER = (PROJECT / "docs" / "paper.md").read_text(encoding="utf-8")


def table(header_start: str) -> list[list[str]]:
    """The cells of the table in the paper's document whose header line begins so."""
    lines = PAPER[PAPER.index(header_start) :].splitlines()
    rows = [line for line in lines[: lines.index("")] if not line.startswith("| ---")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def spent(*, train_size: int, noise_multiplier: float, delta: float, batch_size: int = 128) -> str:
    plan = plan_dp_sgd(
        train_size=train_size, batch_size=batch_size, epochs=50, delta=delta, noise_multiplier=noise_multiplier
    )
    return format_epsilon(plan.epsilon)


def test_the_table_of_image_epsilons_is_what_the_accountant_says() -> None:
    sizes = 0
    values = 1
    for title, *cells in table("| values |"):
        if title.startswith(("28", "256")):
            values = math.prod(int(number) for number in re.findall(r"\d+", title.partition(",")[0]))
            sizes += 1
        for beta, cell in zip((1.0, 2.0, 4.0), cells, strict=True):
            guarantee = laplace_guarantee(beta=beta, shape=(values, 1, 1), delta=1e-5)
            pure = "1e-5" not in title
            assert cell == format_epsilon(guarantee.epsilon_image_pure if pure else guarantee.epsilon_image), title
    assert sizes == 3


def test_the_table_of_the_text_s_noise_is_what_the_accountant_says() -> None:
    rows = table("| training images |")

    assert len(rows) == 2
    for title, *cells in rows:
        train_size = int(title.split()[0].replace(",", ""))
        for noise_multiplier, cell in zip((1.0, 2.0, 4.0), cells, strict=True):
            expected = spent(train_size=train_size, noise_multiplier=noise_multiplier, delta=1e-5)
            assert cell.removeprefix("ε = ") == expected, (title, noise_multiplier)


def test_the_table_of_the_code_s_noise_is_what_the_accountant_says() -> None:
    rows = table("| | σ in the code |")
    train_size = 5218

    assert len(rows) == 6
    for name, multiplier, _claimed, assumed, doubled, unamplified, both in rows:
        train_size = 2929 if name == "APTOS" else train_size
        for cell, factor, batch_size in (
            (assumed, 1.0, 128),
            (doubled, 0.5, 128),
            (unamplified, 1.0, train_size),
            (both, 0.5, train_size),
        ):
            noise_multiplier = factor * float(multiplier)
            assert cell == spent(
                train_size=train_size, noise_multiplier=noise_multiplier, delta=1e-4, batch_size=batch_size
            ), (name, noise_multiplier, batch_size)


def test_what_several_networks_cost_is_what_the_accountant_says() -> None:
    text = (PROJECT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)

    assert len(rows) == 3
    for multiplier, one, five in rows:
        run = Steps(float(multiplier), 128 / 5232, 2044)
        assert one == format_epsilon(composed_epsilon([run], delta=1e-5))
        assert five == format_epsilon(composed_epsilon([run] * 5, delta=1e-5))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_in_the_documents_exists(document: Path) -> None:
    assert complaints(document.read_text(encoding="utf-8")) == []


def test_every_command_in_docstrings_help_texts_and_pages_exists() -> None:
    found = {
        str(file.relative_to(PROJECT)): complaint
        for file in PROGRAM
        for text in texts_of(file)
        for complaint in complaints(text)
    }
    assert found == {}


def test_the_readme_s_commands_are_found() -> None:
    """All of the indented block, of the table, and of the prose around them."""
    found = commands_in((PROJECT / "README.md").read_text(encoding="utf-8"))

    assert sum(program == "medpriv_core" and "…" not in rest for program, rest in found) >= 14
    assert sum(program.startswith("benchmarks.") for program, _ in found) >= 8
    assert {"run", "test"} <= {rest for program, rest in found if program == "make"}
    assert len(found) >= 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\npython -m medpriv_core runz list\n```", "no command runz"),
        ("    python -m medpriv_core run --dataset chest_xray --epsilonn 3", "no option --epsilonn"),
        ("    python -m medpriv_core run --dataset chest_xray --epochs many", "must be a whole number"),
        ("    python -m medpriv_core bench speed", "invalid choice"),
        ("Type `python -m medpriv_core sweep paper --dataset D --seed 3`.", "no option --seed"),
        ("Or python -m medpriv_core runs remake, which takes a while.", "no command remake"),
        ("```\npython -m medpriv_core epsilon \\\n    --dataset-sizes 5\n```", "no option --dataset-sizes"),
        ("then `epsilon --adjacencies replace-one`", "no option --adjacencies"),
        ("then `run --method dp-sgd --epochs 3`", "--method cannot be dp-sgd"),
        ("    python -m benchmarks.spead", "no such benchmark"),
        ("    python -m benchmarks.speed [--image FOLDER]", "no option --image"),
        ("`python -m benchmarks.reference chest_xray --parts heads`", "--parts cannot be heads"),
        ("    python -m benchmarks.explore --size 256", "no option --size"),
        ("    make tests", "no such target: tests"),
        ("`MEDPRIV_HOME=/tmp/trial make runn`", "no such target: runn"),
        ("    .venv/bin/python -m pytest tests/privacies", "no such file"),
        ("    medpriv app --ports 8502", "no option --ports"),
        ("Then type `medpriv apps`.", "no command apps"),
        ("set `--memory-gb` first", "no command has this option"),
    ],
)
def test_a_wrong_document_is_found_out(text: str, said: str) -> None:
    found = complaints(f"# A document\n\nWith a sentence.\n\n{text}\n\nAnd another.\n")

    assert len(found) >= 1
    assert said in found[0]


def test_a_wrong_docstring_or_f_string_is_found_out(tmp_path: Path) -> None:
    file = tmp_path / "page.py"
    file.write_text(
        "'''Lesson.\n\n    python -m benchmarks.speed --imagez F\n'''\n"
        'print(f"To go on: python -m medpriv_core runs resum {run_id}")\n'
        'st.caption("It is in `runs resume` and, for all, in `runs resumed ID`.")\n',
        encoding="utf-8",
    )

    found = [complaint for text in texts_of(file) for complaint in complaints(text)]

    assert len(found) == 3


def test_what_exists_is_left_alone() -> None:
    text = """
Call `python -m medpriv_core run --dataset ID`, or `run --dataset chest_xray --method dp_sgd …`. See ``python -m
medpriv_core runs --help``. `run` alone is a word, and so is "the audit".

    python -m medpriv_core runs list            # and show, log
    make test VENV=/path/to/venv
"""
    assert complaints(text) == []
