"""The documents say what the program says: their tables of epsilon and their command lines are checked here."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import pytest

from medpriv_core.cli.main import build_parser
from medpriv_core.privacy.image_epsilon import image_guarantee
from medpriv_core.privacy.plan import plan_dp_sgd
from medpriv_core.privacy.statement import format_epsilon

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
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
            guarantee = image_guarantee(beta=beta, values=values, draw="per_pixel", delta=1e-5)
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


def commands() -> list[object]:
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"^```\w*\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                _, caller, arguments = line.partition("python -m medpriv_core ")
                if caller and "…" not in arguments and "--help" not in arguments:
                    words = shlex.split(arguments, comments=True)
                    found.append(pytest.param(words, id=f"{document.name}: {' '.join(words)}"))
    return found


@pytest.mark.parametrize("arguments", commands())
def test_every_command_in_the_documents_exists(arguments: list[str]) -> None:
    assert build_parser().parse_args(arguments).command is not None
