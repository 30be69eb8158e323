"""What a public function owes those who use it from another room: its parameters, its result and its errors by name.

Read from the source, as in ``test_rooms.py``. A function that only its own room uses may say it as it likes; where it
has these sections nevertheless, they have to be true.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from medpriv_core import errors
from tests.test_rooms import CORE, PAGES, imports_of, is_within, module_name, parse

# The rooms of what the project exists for.
ROOMS = [
    f"medpriv_core.{room}"
    for room in ("attacks", "evaluation", "mechanisms", "privacy", "setting", "spec", "training.clipping")
]
SECTION = re.compile(r"(Args|Returns|Yields|Raises):")
ENTRY = re.compile(r" {4}(\*{0,2}\w+): \S")
ELSEWHERE = re.compile(r"See ``(\w+)``")  # the docstring of an override says only what differs from its base
IN_PROSE = re.compile(r"\b[Rr]aises? ``(\w+)``")
ARRAYS = ("ndarray", "Tensor")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Offered:
    """A function at the top of a module, or a method of a class there (``owner``)."""

    module: str
    tree: ast.Module
    node: Function
    owner: ast.ClassDef | None = None

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name

    @property
    def decorators(self) -> set[str]:
        return {ast.unparse(each) for each in self.node.decorator_list}

    @property
    def is_property(self) -> bool:
        return bool(self.decorators & {"property", "functools.cached_property"})

    @property
    def parameters(self) -> list[str]:
        """As they are written under Args; without the object or class that a method belongs to."""
        args = self.node.args
        names = [each.arg for each in (*args.posonlyargs, *args.args)]
        if self.owner is not None and "staticmethod" not in self.decorators:
            names = names[1:]
        return [
            *names,
            *([f"*{args.vararg.arg}"] if args.vararg else []),
            *(each.arg for each in args.kwonlyargs),
            *([f"**{args.kwarg.arg}"] if args.kwarg else []),
        ]

    @property
    def gives_something(self) -> bool:
        return self.node.returns is not None and ast.unparse(self.node.returns) not in ("None", "NoReturn", "Never")

    @property
    def has_arrays(self) -> bool:
        hints = [each.annotation for each in ast.walk(self.node.args) if isinstance(each, ast.arg)]
        return any(kind in ast.unparse(hint) for hint in (*hints, self.node.returns) if hint for kind in ARRAYS)

    def raised(self) -> set[str]:
        """The exceptions that it raises itself, or by way of other functions of its module or class."""
        return {kind.__name__ for kind in _raised(self.node, self, frozenset())}

    def called(self, call: ast.Call) -> Function | None:
        """The function of this module, or method of this class, that is called, if it is one."""
        match call.func:
            case ast.Name(id=name):
                among: list[ast.stmt] = self.tree.body
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if self.owner is not None:
                among = self.owner.body
            case _:
                return None
        return next((each for each in among if isinstance(each, Function) and each.name == name), None)


def _raised(node: ast.AST, of: Offered, seen: frozenset[Function]) -> set[type[BaseException]]:
    if isinstance(node, ast.Try):
        caught = tuple(kind for handler in node.handlers for kind in _caught(handler))
        risked = set().union(*(_raised(each, of, seen) for each in node.body))
        rest = [*node.handlers, *node.orelse, *node.finalbody]
        return {kind for kind in risked if not issubclass(kind, caught)}.union(
            *(_raised(each, of, seen) for each in rest)
        )
    found: set[type[BaseException]] = set()
    if isinstance(node, ast.Raise) and node.exc is not None:
        kind = exception(ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc))
        found |= {kind} if kind is not None else set()
    if isinstance(node, ast.Call) and (function := of.called(node)) is not None and function not in seen:
        found |= _raised(function, of, seen | {function})
    return found.union(*(_raised(child, of, seen) for child in ast.iter_child_nodes(node)))


def _caught(handler: ast.ExceptHandler) -> list[type[BaseException]]:
    if handler.type is None:
        return [BaseException]
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [kind for name in names if (kind := exception(ast.unparse(name))) is not None]


def exception(name: str) -> type[BaseException] | None:
    """Of this name, among ours and Python's own."""
    kind = getattr(errors, name, getattr(builtins, name, None))
    return kind if isinstance(kind, type) and issubclass(kind, BaseException) else None


def functions_in(module: str, tree: ast.Module) -> Iterator[Offered]:
    for node in tree.body:
        if isinstance(node, Function):
            yield Offered(module, tree, node)
        elif isinstance(node, ast.ClassDef):
            yield from (Offered(module, tree, each, node) for each in node.body if isinstance(each, Function))


@cache
def all_functions() -> list[Offered]:
    return [each for file in CORE for each in functions_in(module_name(file), parse(file))]


def room_of(module: str) -> str:
    """The room among ``ROOMS``; of modules elsewhere, something that is none of them."""
    return next((room for room in ROOMS if is_within(module, room)), "")


def used_from(file: Path, modules: set[str]) -> Iterator[tuple[str, str]]:
    """The names of other ``modules`` that ``file`` uses: imported by name, or looked up in an imported module."""
    short = {name.rpartition(".")[2]: name for name in imports_of(file) if name in modules}
    for name in imports_of(file):
        module, _, what = name.rpartition(".")
        if module in modules:
            yield module, what
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in short:
            yield short[node.value.id], node.attr


@cache
def used_elsewhere() -> set[tuple[str, str]]:
    """(module, name) of what another room than its own uses."""
    modules = {module_name(file) for file in CORE}
    return {
        (module, name)
        for file in CORE + PAGES
        for module, name in used_from(file, modules)
        if not room_of(module) or room_of(module) != room_of(module_name(file))
    }


def expected() -> list[Offered]:
    """What the rule is for, with what the docstrings of these refer to."""
    rule = [
        each
        for each in all_functions()
        if room_of(each.module)
        and not each.node.name.startswith("_")
        and (each.module, each.owner.name if each.owner else each.node.name) in used_elsewhere()
    ]
    bases = {f"{base}.{each.node.name}" for each in rule if (base := base_named(each)) is not None}
    return [*rule, *(each for each in all_functions() if each.name in bases and each not in rule)]


def base_named(offered: Offered) -> str | None:
    found = ELSEWHERE.match(ast.get_docstring(offered.node) or "")
    return found[1] if found else None


def sections(docstring: str) -> dict[str, list[str]]:
    """The lines of each section, indented as they are under its head."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in docstring.splitlines():
        if head := SECTION.fullmatch(line):
            lines = found[head[1]] = []
        elif line.startswith("    ") or not line:
            lines.append(line)
        else:
            lines = []
    return found


def entries(lines: list[str]) -> list[str]:
    return [found[1] for line in lines if (found := ENTRY.match(line))]


def problems(offered: Offered) -> list[str]:
    """What its docstring does not say, or says wrongly."""
    if offered.is_property:  # it reads as a value, and is explained as one
        return []
    docstring = ast.get_docstring(offered.node) or ""
    raised, said = offered.raised(), sections(docstring)
    found = false_sections(offered)
    if len(offered.parameters) > 1 or offered.has_arrays:
        if offered.parameters and "Args" not in said:
            found.append("no Args")
        if offered.gives_something and not said.keys() & {"Returns", "Yields"}:
            found.append("no Returns")
    if missing := raised - set(entries(said.get("Raises", []))):
        found.append(f"raises {', '.join(sorted(missing))}")
    if told := IN_PROSE.findall(docstring):
        found.append(f"says outside of Raises that it raises {', '.join(told)}")
    return found


def false_sections(offered: Offered) -> list[str]:
    said, found = sections(ast.get_docstring(offered.node) or ""), []
    if "Args" in said and entries(said["Args"]) != offered.parameters:
        found.append(f"Args are {', '.join(offered.parameters)}, not {', '.join(entries(said['Args']))}")
    if "Returns" in said and not (offered.gives_something and any(said["Returns"])):
        found.append("Returns something that it does not")
    named = entries(said.get("Raises", []))
    if ("Raises" in said and not named) or not all(map(exception, named)):
        found.append(f"Raises what is no exception: {', '.join(named)}")
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_what_other_rooms_use_names_its_parameters_its_result_and_its_errors(room: str) -> None:
    looked_at = [each for each in expected() if room_of(each.module) == room]

    assert looked_at
    assert {each.name: found for each in looked_at if base_named(each) is None and (found := problems(each))} == {}


def test_sections_are_true_wherever_they_stand() -> None:
    assert {f"{each.module}.{each.name}": found for each in all_functions() if (found := false_sections(each))} == {}


def test_an_override_refers_to_a_method_that_there_is() -> None:
    known = {each.name for each in all_functions()}
    named = {f"{base}.{each.node.name}" for each in all_functions() if each.owner and (base := base_named(each))}

    assert named
    assert named - known == set()


EXAMPLE = '''
def ratio(part, whole, *, digits=2) -> float:
    """A share.

    Args:
        part: At least 0.
        whole: Above 0.
        digits: After the point.

    Returns:
        From 0 to 1.

    Raises:
        SettingError: For no whole.
    """
    _check(whole)

def _check(whole) -> None:
    if not whole:
        raise SettingError("whole")
'''


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("", "", None),
        ("        digits: After the point.\n", "", "Args are part, whole, digits, not part, whole"),
        ("part: At", "parts: At", "Args are part, whole, digits, not parts, whole, digits"),
        ("    Args:\n", "    Parameters:\n", "no Args"),
        ("    Returns:\n        From 0 to 1.\n", "", "no Returns"),
        ("-> float", "-> None", "Returns something that it does not"),
        ("    Raises:\n        SettingError: For no whole.\n", "", "raises SettingError"),
        ("SettingError: For", "NoSuchError: For", "Raises what is no exception: NoSuchError"),
        ("    _check(whole)", "    raise RunError(whole)", "raises RunError"),
        ("    _check(whole)", "    try:\n        _check(whole)\n    except MedprivError:\n        pass", None),
    ],
)
def test_what_is_missing_or_false_is_found(before: str, after: str, problem: str | None) -> None:
    tree = ast.parse(EXAMPLE.replace(before, after, 1) if before else EXAMPLE)
    offered = next(functions_in("example", tree))

    assert (problem in problems(offered)) if problem else problems(offered) == []
