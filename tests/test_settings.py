"""What a setting says about itself: complete, and nowhere a second time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from medpriv_core.setting import Setting
from medpriv_core.spec import BOUNDS, SETTINGS, RunSpec

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    file for folder in ("medpriv_core", "pages") for file in (ROOT / folder).rglob("*.py") if file.name != "spec.py"
)
# Words for others than the readers of a form or a chart, and what is no word.
REVIEWED = {
    "pages/parts/sweep/any_form.py": "values to begin with",
    "medpriv_core/attacks/membership_words.py": "several records, in a sentence",
    "medpriv_core/exports/statement_lines.py": "sentences of a statement, for each method",
    "medpriv_core/exports/privacy_statement_files.py": "what another registry calls a trust model",
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=list(SETTINGS))
def test_each_says_what_it_is_and_what_it_does(setting: Setting) -> None:
    assert setting.label.strip(".")[-1:] == setting.label[-1:] != ""
    assert setting.help.endswith(".")
    values = get_args(setting.kind) if get_args(setting.kind) else (True, False) if setting.kind is bool else ()
    assert set(values) <= set(setting.choices)
    if setting.kind in (int, float):
        assert setting.bounds is not None


def test_its_default_is_one_that_a_run_may_have() -> None:
    spec = RunSpec(dataset="d")
    for name, setting in SETTINGS.items():
        assert setting.checked(getattr(spec, name)) == getattr(spec, name)
    assert BOUNDS["momentum"] == (0.0, 0.999)


def tables(tree: ast.AST) -> Iterator[set[str]]:
    """The keys of each table of texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and len(node.keys) > 1:
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            texts = [isinstance(value, ast.Constant) and isinstance(value.value, str) for value in node.values]
            if len(keys) == len(node.keys) and all(texts):
                yield set(keys)


def second_words(source: str) -> list[set[str]]:
    """Tables that call settings, or most values of one of them, something."""
    values = [set(map(str, setting.choices)) for setting in SETTINGS.values() if len(setting.choices) > 1]
    return [
        keys
        for keys in tables(ast.parse(source))
        if len(keys & set(SETTINGS)) > 2 or any(keys <= known and len(keys) + 1 >= len(known) for known in values)
    ]


def test_no_other_file_has_words_for_settings_and_their_values() -> None:
    found = {file.relative_to(ROOT).as_posix() for file in FILES if second_words(file.read_text("utf-8"))}
    assert found == set(REVIEWED)


@pytest.mark.parametrize(
    "source",
    [
        'HELP = {"epochs": "how often", "batch_size": "images a step", "momentum": "of SGD"}',
        'trained = {"head": "last layer", "norms": "and norms", "all": "all layers"}[spec.trainable]',
        'draw = {"per_pixel": "a", "per_image": "b", "gaussian": "c", "dp_pix": "d"}[spec.noise_draw]',
        'SAMPLED = {"poisson": "a", "full_batch": "b", "shuffled": "c"}',
    ],
)
def test_a_second_table_is_found(source: str) -> None:
    assert second_words(source)
