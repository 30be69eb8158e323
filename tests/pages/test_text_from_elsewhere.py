"""Hostile names wherever pages show what others wrote: what reaches the browser is text and nothing else."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from medpriv_core.datasets import registry
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.imports import import_run
from medpriv_core.shown_text import for_markdown
from pages.parts import take_away_runs
from tests.hostile_text import ELSEWHERE, MARKDOWN
from tests.pages.recorded_runs import add_run, open_tab, put_in_state
from tests.results.chosen_results import PLAIN, PRIVATE
from tests.runs.archives import RUN_ID, members, zipped

OpenPage = Callable[..., AppTest]
# A picture, a link, HTML, a heading, mathematics, a colour, an icon and a bare address.
HOSTILE = f"![x]({ELSEWHERE}) <b>b</b> # h $y$ :red[c] :material/home: {ELSEWHERE} \x1b[2J\u202e"
CLASS = f"=[k]({ELSEWHERE}) <i>"
# Fields of Streamlit's messages that its browser's side does not read as Markdown.
PLAIN_FIELDS = {
    "id", "form_id", "options", "raw_values", "raw_value", "default", "value", "code_text", "spec", "url", "alt",
    "placeholder", "data", "query_params", "page_script_hash", "key", "user_key", "element_id", "columns", "config",
    "json_args", "mixed_json", "html_content", "css_content", "js_content", "icon", "file_name", "string_value",
}  # fmt: skip


def fields_of(proto: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a message that are read as Markdown, with their names."""
    for field, value in proto.ListFields():
        if field.name in PLAIN_FIELDS:
            continue
        for one in value if field.is_repeated else [value]:
            if isinstance(one, str):
                yield f"{path}.{field.name}", one
            elif hasattr(one, "ListFields"):
                yield from fields_of(one, f"{path}.{field.name}")


def everything(page: AppTest) -> list[tuple[str, str]]:
    """Each text of the page that is read as Markdown, with where it stands."""
    found = []
    for node in page._tree:
        proto = getattr(node, "proto", None)
        if proto is not None:
            found += [(f"{node.type}{path}", text) for path, text in fields_of(proto)]
    return found


def look_through(page: AppTest, *hostile: str) -> int:
    """Fail where one of these texts stands unescaped, or in pieces; how often they stand there escaped."""
    assert not page.exception
    escaped = 0
    for place, text in everything(page):
        rest = text
        for safe in sorted(map(for_markdown, hostile), key=len, reverse=True):
            escaped += rest.count(safe)
            rest = rest.replace(safe, "")
        assert not any(one in rest for one in hostile), (place, text)
        # Nor a part of one that was cut, or put together with something else.
        assert not re.search(r"(?<!\\)(\[[xk]\]|<[bi]>|http://|\$y|:red\[c|:material/home)", rest), (place, text)
        assert "\x1b" not in text, (place, text)
    return escaped


def figures_of(page: AppTest) -> list[str]:
    """Each chart of the page as the browser gets it."""
    return [element.proto.spec for element in page.get("plotly_chart")]


def cells_of(page: AppTest) -> list[str]:
    """Every text in a table of the page, the headers too."""
    cells: list[str] = []
    for element in page.get("arrow_data_frame") or page.dataframe:
        table = pyarrow.ipc.open_stream(io.BytesIO(element.proto.arrow_data.data)).read_all()
        cells += table.column_names
        for column in table.columns:
            for value in column.to_pylist():
                cells += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    return cells


@pytest.fixture
def run_from_elsewhere(home: DataHome) -> str:
    """An imported run whose every text is hostile."""
    files = members(PLAIN)
    setup = json.loads(files["setup.json"])
    setup |= {"classes": [CLASS, f"{CLASS}2"], "device": CLASS, "weights": CLASS, "weights_doubt": CLASS}
    labels = {"name": f"{CLASS} run", "tags": ["=cmd", f"<b>[k]({ELSEWHERE})"[:40]], "notes": f"[k]({ELSEWHERE})"}
    spec = json.loads(files["spec.json"]) | {"weights": f"<b>[k]({ELSEWHERE}).pth"}
    changed = {"setup.json": setup, "labels.json": labels, "spec.json": spec}
    return import_run(home, zipped(files | {name: json.dumps(value).encode() for name, value in changed.items()}))


@pytest.mark.parametrize(
    "query",
    [
        {"run": HOSTILE},
        {"runs": f"{HOSTILE},# Log in again"},
        {"run": "r1", "figure": HOSTILE, "against": HOSTILE, "images": HOSTILE, "hide": HOSTILE, "highlight": HOSTILE},
    ],
    ids=lambda query: "+".join(query),
)
def test_an_address_names_only_what_exists(open_page: OpenPage, home: DataHome, query: dict[str, str]) -> None:
    add_run(home)
    page = open_page("runs", **query)
    assert look_through(page, HOSTILE, "# Log in again") == 0


@pytest.mark.parametrize("name", ["explore", "train", "sweep", "compare", "risk", "datasets"])
def test_no_page_repeats_what_its_address_says(open_page: OpenPage, home: DataHome, name: str) -> None:
    names = ("dataset", "show", "image", "size", "mechanism", "beta", "epsilon", "by", "compare", "question", "view")
    page = open_page(name, **dict.fromkeys((*names, "tags", "sources", "runs", "learned", "measure", "epoch"), HOSTILE))
    assert look_through(page, HOSTILE) == 0


def test_names_tags_and_notes_are_text(open_page: OpenPage, home: DataHome) -> None:
    for run_id in ("r1", "r2"):
        add_run(home, run_id)
        service.rename(home, run_id, HOSTILE[:119] + run_id[-1])
        service.set_tags(home, run_id, [HOSTILE[:40]])
        service.set_notes(home, run_id, HOSTILE, expected="")
    put_in_state(home, "r1", "failed", f"The image {HOSTILE} cannot be read; lower [batch_size].")
    names = [f"{HOSTILE[:119]}{number}" for number in "12"]
    page = open_page("runs", run="r1")
    assert look_through(page, *names, HOSTILE) >= 2
    assert any("**Batch size**" in error.value for error in page.error)
    for tab in ("Guarantee", "Numbers", "Evaluation", "Settings", "Name, tags, notes", "Export", "Log"):
        look_through(open_tab(page, tab), *names, HOSTILE)
    look_through(open_page("risk", run="r1"), *names, HOSTILE)
    both = open_page("runs", runs="r1,r2")
    assert look_through(both, *names, HOSTILE) >= 1
    for spec in figures_of(both):
        assert "<b>" not in spec
        assert "&lt;b&gt;" in spec


def test_an_imported_run_is_text_on_every_tab(open_page: OpenPage, home: DataHome, run_from_elsewhere: str) -> None:
    page = open_page("runs", run=run_from_elsewhere)
    for tab in ("Guarantee", "Numbers", "Evaluation", "Settings", "Name, tags, notes", "Export", "Log"):
        assert look_through(open_tab(page, tab), CLASS) >= 1
        for spec in figures_of(page):
            assert not re.search("<(?!br>|extra>|/extra>)", json.dumps(json.loads(spec)))
    cells = cells_of(page)
    assert f"'{CLASS} run" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    for name in ("compare", "sweep", "train", "risk"):
        look_through(open_page(name), CLASS)


def test_what_cannot_be_imported_is_text(open_page: OpenPage, home: DataHome, run_from_elsewhere: str) -> None:
    good, said = take_away_runs._import(home, f"{HOSTILE}.zip", zipped(members(PRIVATE)))
    assert not good
    assert for_markdown(f"{HOSTILE}.zip") in said
    assert RUN_ID in said


def hostile_zip(folder: Path) -> Path:
    file = folder / "images.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA"):
            archive.writestr(f"{name}/![x]({ELSEWHERE.replace('/', '_')})<b>.jpeg", b"no picture")
    return file


def hostile_folder(folder: Path) -> Path:
    place = folder / "![x](y)<b>"
    place.mkdir()
    return place


def hostile_ids(folder: Path) -> Path:
    place = folder / "aptos"
    (place / "train_images").mkdir(parents=True)
    rows = "".join(f'"![x]({ELSEWHERE})<b>{grade}",{grade}\n' for grade in range(5))
    (place / "train.csv").write_text(f"id_code,diagnosis\n{rows}", "utf-8")
    Image.new("L", (32, 32)).save(place / "train_images" / "other.png")
    return place


@pytest.mark.parametrize(
    ("dataset", "make"),
    [("chest_xray", hostile_zip), ("chest_xray", hostile_folder), ("aptos2019", hostile_ids)],
    ids=["member of a zip", "folder", "id in a table"],
)
def test_names_in_a_dataset_that_cannot_be_added_are_text(
    open_page: OpenPage, home: DataHome, tmp_path: Path, dataset: str, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    with pytest.raises(DatasetError):
        registry.add_dataset(home, dataset, str(path))
    page = open_page("datasets")
    page.text_input(key=f"path_{dataset}").set_value(str(path)).run()
    page.button(key=f"add_{dataset}").click().run()
    assert page.error
    assert look_through(page, "![x]", "<b>") >= 1


def test_the_path_of_weights_is_text(open_page: OpenPage, home: DataHome, tmp_path: Path) -> None:
    page = open_page("train")
    page.selectbox(key="train_weights").set_value("path").run()
    page.text_input(key="train_weights_path").set_value(f"{tmp_path}/{MARKDOWN[0]}<b>").run()
    assert "cannot be launched" in page.error[0].value
    assert look_through(page, f"{MARKDOWN[0]}<b>") >= 1
