"""Addresses that somebody sends: every page with every name that it reads from its address, and hostile values."""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.fuzzing.homes import BINNED, OTHERS, VICTIM, copied, make_home
from benchmarks.fuzzing.mutations import hostile_text
from benchmarks.fuzzing.subject import Case, Fault
from medpriv_core.home import DataHome
from medpriv_core.privacy.second_accountant import wait_for_answer
from pages.parts import guarantee
from pages.parts.messages import OUR_FAULT

PAGES = Path(__file__).resolve().parents[2] / "pages"
PATIENCE_S = 100
# What pages know, so that some addresses lead further than to their defaults.
KNOWN = (
    VICTIM, *OTHERS, BINNED, f"{VICTIM},{OTHERS[0]}", "synthetic_chest",
    "synthetic_fundus", "retina_photo", "chest_xray",
    "laplace_per_pixel", "laplace_per_image", "gaussian", "dp_pix", "beta", "epsilon", "mechanisms",
    "figure-2", "frontier",
    "figure-3", "figure-4", "mine", "authors", "reference", "head", "all", "train", "test",
    "time", "epoch", "x", "y", "xy",
    "off", "none", "0", "1", "2", "4", "0.5", "64", "128", "256", "99", "Normal", "Pneumonia",
)  # fmt: skip
# Texts that would make a browser ask for something, or put a link or a title into the app's own words.
ACTIVE = ("![x](http", "[x](http", "<a href", "<img src", "<b>x</b>", "</script>")
TITLE = "# Log in again"
QUICK = {"dataset": "synthetic_chest", "size": "32"}


@cache
def names() -> tuple[str, ...]:
    """Every name that a page reads from its address or puts into it, found in the pages' sources."""
    found: set[str] = set()
    for file in sorted(PAGES.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called.endswith("query_params.get") or called.rpartition(".")[2].endswith("_link"):
                found |= {
                    word.value
                    for word in node.args[:1]
                    if isinstance(word, ast.Constant) and isinstance(word.value, str)
                }
                found |= {keyword.arg for keyword in node.keywords if keyword.arg and called.endswith("to_link")}
            found |= {
                keyword.value.value
                for keyword in node.keywords
                if keyword.arg == "parameter"
                and isinstance(keyword.value, ast.Constant)
                and isinstance(keyword.value.value, str)
            }
    return tuple(sorted(found))


def open_address(name: str, query: Mapping[str, str]) -> AppTest:
    """A page by its address; raises ``Fault`` where it fails or says what an address must not make it say."""
    guarantee.ask_second_epsilon = wait_for_answer  # type: ignore[assignment]
    page = AppTest.from_file(str(PAGES / "index.py"), default_timeout=PATIENCE_S)
    if name != "explore":
        # Which pages there are, it learns from its first run, on a small picture.
        page.query_params.update(QUICK)
        page.run()
        page.query_params.clear()
        page.switch_page(f"{name}.py")
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    if page.exception:
        raise Fault(f"{name}?{dict(query)} ends in {page.exception[0].value}\n{page.exception[0].stack_trace}")
    kinds = (page.title, page.header, page.subheader, page.markdown, page.caption)
    for element in (
        element for kind in (*kinds, page.info, page.warning, page.error, page.success) for element in kind
    ):
        said = str(element.value)
        if OUR_FAULT in said:
            raise Fault(f"{name}?{dict(query)} is our fault, by its own words.")
        if any(text in said for text in ACTIVE) or any(line.startswith(TITLE) for line in said.splitlines()):
            raise Fault(f"{name}?{dict(query)} puts mark-up into the page: {said!r:.500}")
    return page


class Addresses:
    """Pages of a data home with runs, opened by addresses of which one part at least is not as a page writes it."""

    canaries = ()

    def __init__(self, folder: Path) -> None:
        make_home(DataHome(folder / "template"))
        copied(folder / "template", folder / "home")
        self._pages = sorted(file.stem for file in PAGES.glob("*.py") if file.stem != "index")

    def make(self, rng: random.Random) -> Case:
        page = rng.choice(self._pages)
        query = {rng.choice(names()): self._value(rng) for _ in range(rng.choice((1, 1, 2, 3, 6)))}
        if rng.random() < 0.1:
            query[hostile_text(rng) or "x"] = hostile_text(rng)
        # Half letters are none in an address: a browser sends the mark that stands for them.
        query = {_sent(name): _sent(value) for name, value in query.items()}
        return Case(f"{page}?{query!r:.200}", {}, (page, query))

    def _value(self, rng: random.Random) -> str:
        how = rng.random()
        if how < 0.5:
            return hostile_text(rng)
        if how < 0.8:
            return rng.choice(KNOWN)
        return rng.choice((",", "", " ")).join((rng.choice(KNOWN), hostile_text(rng)))

    def attempt(self, case: Case) -> None:
        open_address(*case.given)


def _sent(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
