"""The rules that hold the rooms apart: who may import whom, and what every module owes its reader."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CORE = sorted((PROJECT / "medpriv_core").rglob("*.py"))
PAGES = [PROJECT / "app.py", *sorted((PROJECT / "pages").rglob("*.py"))]
OTHERS = sorted(file for folder in ("tests", "benchmarks", "docs") for file in (PROJECT / folder).rglob("*.py"))
TRAINING = "medpriv_core.training"
TORCH = {"torch", "torchvision", "opacus"}
MAX_LINES = 400
# The rooms that look at many runs at once, what an attacker learns from a dataset, and the command line.
ABOVE_RUNS = ("cli", "figures", "priors", "results", "sweeps")


def module_name(file: Path) -> str:
    name = ".".join(file.relative_to(PROJECT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported_modules(tree: ast.AST, module: str, *, package: bool = False) -> Iterator[str]:
    """What the source imports, at the top or inside functions, by full name.

    ``from a import b`` gives both ``a`` and ``a.b``, because b may be a module. ``package`` says that the source
    is the ``__init__`` of ``module``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = module.split(".")
                parents = parts[: len(parts) - node.level + package]
                source = ".".join([*parents, *filter(None, [node.module])])
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


@cache
def imports_of(file: Path) -> set[str]:
    return set(imported_modules(parse(file), module_name(file), package=file.name == "__init__.py"))


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def is_within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def users_of(room: str, files: list[Path]) -> set[str]:
    """The modules among ``files`` that import ``room`` or anything in it."""
    return {module_name(file) for file in files if any(is_within(name, room) for name in imports_of(file))}


def module_parameters(files: list[Path]) -> list[object]:
    return [pytest.param(file, id=module_name(file)) for file in files]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn as nn", "torch.nn"),
        ("from torch import nn", "torch.nn"),
        ("def lazily():\n    import torch", "torch"),
        ("from ..training import loop", "medpriv_core.training.loop"),
        ("from . import store", "medpriv_core.runs.store"),
    ],
)
def test_no_way_of_importing_goes_unnoticed(source: str, expected: str) -> None:
    assert expected in set(imported_modules(ast.parse(source), "medpriv_core.runs.runner"))


def test_relative_imports_of_a_package_start_at_the_package() -> None:
    found = set(imported_modules(ast.parse("from . import store"), "medpriv_core.runs", package=True))

    assert "medpriv_core.runs.store" in found


def test_the_core_knows_neither_streamlit_nor_the_pages() -> None:
    assert users_of("streamlit", CORE) == set()
    assert users_of("pages", CORE) == set()
    assert users_of("app", CORE) == set()


def test_only_training_imports_torch() -> None:
    users = set().union(*(users_of(name, CORE + PAGES) for name in TORCH))

    assert users, "the search itself must find something"
    assert {user for user in users if not is_within(user, TRAINING)} == set()


def test_training_is_imported_by_the_commands_alone_that_train() -> None:
    users = {user for user in users_of(TRAINING, CORE + PAGES) if not is_within(user, TRAINING)}

    assert users == {f"medpriv_core.cli.{command}" for command in ("audit", "bench", "processes")}


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        # Lowest first: what a room does without, so that it can be understood, tested and changed without it.
        (
            "jobs",
            ["attacks", "datasets", "exports", "mechanisms", "privacy", *ABOVE_RUNS, "runs", "training", "uploads"],
        ),
        ("privacy", ["attacks", "datasets", "exports", "mechanisms", *ABOVE_RUNS, "runs", "training", "uploads"]),
        ("mechanisms", ["attacks", "datasets", "exports", *ABOVE_RUNS, "runs", "training", "uploads"]),
        (
            "pictures",
            ["attacks", "datasets", "exports", "mechanisms", "privacy", *ABOVE_RUNS, "runs", "training", "uploads"],
        ),
        ("attacks", ["datasets", "exports", *ABOVE_RUNS, "runs", "training", "uploads"]),
        ("datasets", ["attacks", "exports", "privacy", *ABOVE_RUNS, "runs", "training", "uploads"]),
        ("uploads", ["attacks", "datasets", "exports", "mechanisms", "privacy", *ABOVE_RUNS, "runs", "training"]),
        ("evaluation", ["attacks", "datasets", "exports", "mechanisms", *ABOVE_RUNS, "runs", "training", "uploads"]),
        ("runs", ["attacks", "exports", *ABOVE_RUNS, "training", "uploads"]),
        ("sweeps", ["attacks", "exports", "figures", "results", "training", "uploads", "cli"]),
        ("results", ["attacks", "exports", "figures", "sweeps", "training", "uploads", "cli"]),
        ("priors", ["exports", "figures", "results", "sweeps", "runs", "training", "uploads", "cli"]),
        ("exports", ["priors", "training", "uploads", "cli"]),
        ("training", [*ABOVE_RUNS]),
        # What stands in front of the pages knows nothing of what they show.
        (
            "server",
            ["attacks", "datasets", "exports", "mechanisms", "pictures", "privacy", *ABOVE_RUNS, "runs", "uploads"],
        ),
    ],
)
def test_rooms_import_in_one_direction(room: str, forbidden: list[str]) -> None:
    files = [file for file in CORE if is_within(module_name(file), f"medpriv_core.{room}")]

    assert files
    assert {other for other in forbidden if users_of(f"medpriv_core.{other}", files)} == set()


def test_importing_all_of_the_core_but_training_leaves_torch_out() -> None:
    names = [module_name(file) for file in CORE if not is_within(module_name(file), TRAINING)]
    names.remove("medpriv_core.__main__")  # it parses the command line
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *names], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())

    assert "medpriv_core" in loaded
    assert loaded & {*TORCH, "streamlit"} == set()


def test_modules_and_what_they_offer_are_explained() -> None:
    silent = []
    for file in CORE:
        if file.stat().st_size:
            tree, name = parse(file), module_name(file)
            offered = [
                node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            ]
            silent += [] if ast.get_docstring(tree) else [name]
            silent += [
                f"{name}.{node.name}"
                for node in offered
                if not node.name.startswith("_") and not ast.get_docstring(node)
            ]

    assert silent == []


def examples_in(file: Path) -> bool:
    return ">>> " in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "file",
    module_parameters([file for file in CORE if examples_in(file) and not is_within(module_name(file), TRAINING)]),
)
def test_examples_in_docstrings_are_true(file: Path) -> None:
    result = doctest.testmod(importlib.import_module(module_name(file)))

    assert result.attempted > 0
    assert result.failed == 0


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    lengths = {module_name(file): len(file.read_text().splitlines()) for file in CORE + PAGES + OTHERS}

    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
