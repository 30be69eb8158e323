"""The source is read for text that goes around the functions of its border (``medpriv_core/shown_text.py``).

Of pages, each value that is put into Markdown must be a number, words of our own, or what one of these functions made.
What a reader of the source cannot tell by its form is listed here with the file: whoever adds a value either escapes it
or says here that nobody else can have written it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
CORE = sorted((PROJECT / "medpriv_core").rglob("*.py"))
PAGES = sorted((PROJECT / "pages").rglob("*.py"))

# What Streamlit reads as Markdown: the first argument of these, and these of any.
BODIES = {
    "button", "caption", "checkbox", "download_button", "error", "expander", "file_uploader", "form_submit_button",
    "header", "info", "markdown", "menu_button", "metric", "multiselect", "number_input", "page_link", "pills",
    "popover", "radio", "segmented_control", "select_slider", "selectbox", "slider", "spinner", "subheader",
    "success", "tabs",
    "text_area", "text_input", "title", "toast", "toggle", "warning", "write",
}  # fmt: skip
KEYWORDS = {"help", "label", "caption", "text", "body"}
SECOND = {"progress"}
# They make their argument ready, or say nothing but words of our own and numbers.
READY = {
    "for_markdown", "sentence", "why_failed", "in_form_words", "origin_badge", "state_badge", "format_epsilon",
    "format_delta", "format_duration", "format_size", "len", "sum", "count", "share", "span", "summary", "strftime",
    "capitalize", "_marked", "source", "exact_noise_s", "abstention_sentence", "calibration_sentence",
    "multiplicity_sentence", "format_psnr", "inversion_statement",
    "copies_statement", "dp_sgd_statement", "enough_statement", "identification_statement", "image_epsilon_statement",
    "left_statement",
    "finding_statement", "image_neighbours", "local_dp_meaning", "undoing_statement",
}  # fmt: skip
# What stands in the source, in tables of ours or in a choice among them, and numbers.
REVIEWED: dict[str, set[str]] = {
    "pages/compare.py": {"report.sentence"},
    "pages/datasets.py": {"title"},
    "pages/docs.py": {"document(name, address='docs?document=')"},
    "pages/explore.py": {
        "chosen.badge", "chosen.keeping", "noise.explanation", "noise.formula",
        "scene.yours.guarantee.why_none",
    },
    "pages/parts/compare/choice.py": {"old"},
    "pages/parts/compare/frontier_view.py": {"hidden"},
    "pages/parts/compare/differences.py": {"each.authors", "each.here", "each.name"},
    "pages/parts/evaluation_view.py": {"predictions.epoch"},
    "pages/parts/budget_view.py": {"word"},
    "pages/parts/risk/corridor_view.py": {"shape[0]", "shape[1]"},
    "pages/parts/risk/inversion_view.py": {"found.batch_size"},
    "pages/parts/groups_view.py": {"table.intervals", "table.why_left_out"},
    "pages/parts/explore/enough_view.py": {
        "both_answer(left, hidden_from=hidden_from(tried))", "each.learned", "each.title",
    },
    "pages/parts/explore/network_offer.py": {"cached.available_datasets()[BUILT_IN].info.title"},
    "pages/parts/explore/answers_view.py": {"answer.detail", "answer.question", "answer.word"},
    "pages/parts/explore/identify_view.py": {"done", "found.badge", "number", "phase", "total"},
    "pages/parts/explore/scene.py": {"phase"},
    "pages/parts/explore/noise_choice.py": {
        "info.explanation", "info.title", "kind.beta_term", "known.help", "known.label",
    },
    "pages/parts/explore/numbers_view.py": {"guarantee.unit", "noise.explanation", "noise.formula", "noise.title"},
    "pages/parts/compare/counterpart_view.py": {
        "SETTINGS[name].label.lower()", "said", "st.session_state.pop(FAILED, None)",
    },
    "pages/parts/explore/own_picture.py": {
        "one.explanation", "st.get_option('server.maxUploadSize')", "title", "upload.bits", "upload.frames",
        "upload.kind", "upload.unit", "words",
    },
    "pages/parts/explore/slides.py": {"done", "make_sheet(told)", "slide", "success.draws"},
    "pages/parts/explore/take_away_view.py": {"label"},
    "pages/parts/making_view.py": {"help", "label"},
    "pages/parts/explore/glossary.py": {"names", "words"},
    "pages/parts/explore/others_view.py": {"others.side"},
    "pages/parts/explore/undo_view.py": {"attempt.title", "height", "width"},
    "pages/parts/footer.py": {"__version__", "title"},
    "pages/parts/risk/subject_choice.py": {"label"},
    "pages/parts/guarantee.py": {"check.name", "colour", "icon", "prefix", "word"},
    "pages/parts/own_images.py": {"label", "of"},
    "pages/parts/protection.py": {"several_images_statement(several, patients.largest)"},
    "pages/parts/run_form.py": {
        "SETTINGS['sampling'].choices['full_batch'].form", "entry.patients.largest", "label", "setting.help",
        "setting.label",
    },
    "pages/parts/run_presets.py": {"preset.shows", "preset.title"},
    "pages/parts/runs/actions.py": {"said.text"},
    "pages/parts/runs/chart.py": {"fact", "measure.title"},
    "pages/parts/runs/control.py": {"extension.in_full(epsilon)", "run.place", "when"},
    "pages/parts/runs/replay.py": {"words"},
    "pages/parts/runs/run_list.py": {"dataset_words(dataset)", "label"},
    "pages/parts/sweep/any_form.py": {"('Vary', 'and', 'and')[place]"},
    "pages/parts/sweep/summary.py": {
        "copies.image_size", "done",
        "filter(None, map(_settings, part.where))", "instead", "notes.title", "service.PHASE", "total", "values",
    },
    "pages/parts/sweep/sweep_list.py": {
        "colour", "counts[state]", "label", "status.done", "status.to_resume", "status.total",
    },
    "pages/train.py": {"replay.EPOCHS_A_SECOND"},
    "pages/parts/tabs.py": {"list(titles.values())"},
    "pages/parts/take_away_runs.py": {"about", "label"},
}  # fmt: skip


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def markdown_of(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that Streamlit reads as Markdown."""
    if called(call) in BODIES:
        yield from call.args[:1]
    if called(call) in SECOND:
        yield from call.args[1:2]
    if called(call) in BODIES | SECOND | {"TextColumn", "NumberColumn", "ProgressColumn", "column"}:
        yield from (keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS)


class Reader:
    """Finds in an expression the values of which its form does not say that they are ours."""

    def __init__(self, function: ast.AST, helpers: Mapping[str, ast.FunctionDef] | None = None) -> None:
        self._helpers = dict(helpers or {})
        self._given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value]):
                    self._given.setdefault(name, []).append(value)
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    self._given.setdefault(target.id, []).append(node.value)  # type: ignore[attr-defined]

    def doubtful(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        """What is in ``node`` that may be somebody else's, as source."""
        match node:
            case ast.Constant():
                return
            case ast.JoinedStr(values=values):
                for value in values:
                    yield from self.doubtful(value, seen)
            case ast.FormattedValue(value=value, format_spec=spec):
                if spec is None or not re.search("[,dgfe%]", ast.unparse(spec)):
                    yield from self.doubtful(value, seen)
            case ast.BinOp(left=left, right=right):
                yield from self.doubtful(left, seen)
                yield from self.doubtful(right, seen)
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
                for value in values:
                    yield from self.doubtful(value, seen)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self.doubtful(body, seen)
                yield from self.doubtful(orelse, seen)
            case ast.Starred(value=value):
                yield from self.doubtful(value, seen)
            case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt):
                yield from self.doubtful(elt, seen)
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[parts]):
                yield from self.doubtful(parts, seen)
            case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id=name), *_]) if name in READY:
                return
            case ast.Call() if called(node) in READY:
                return
            case ast.Call(func=ast.Name(id=name)) if name in self._helpers and name not in seen:
                # What a function beside it makes of it.
                helper = self._helpers[name]
                reader = Reader(helper, self._helpers)
                for inner in ast.walk(helper):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield from reader.doubtful(inner.value, seen | {name})
            case ast.UnaryOp() | ast.Compare():
                return
            case ast.Name(id=name) if name.isupper():
                return
            case ast.Call(func=ast.Attribute(attr="number_input")):  # a number
                return
            case ast.Name(id=name) if name in self._given and name not in seen:
                for value in self._given[name]:
                    yield from self.doubtful(value, seen | {name})
            case ast.Subscript(value=ast.Name(id=name)) if name.isupper():
                return
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=[_]) if name.isupper():
                return
            case ast.Attribute(value=ast.Subscript(value=ast.Name(id=name))) if name.isupper():
                return
            case _:
                yield ast.unparse(node)


def functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Each function at the top of a module or of a class, and the module's own statements."""
    rest = ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node
        else:
            rest.body.append(node)
    yield rest


def doubtful_in(source: str) -> set[str]:
    """The values that a page's source puts into Markdown and of which its form does not say that they are ours."""
    found: set[str] = set()
    tree = ast.parse(source)
    helpers = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for function in functions(tree):
        reader = Reader(function, helpers)
        for call in calls(function):
            for argument in markdown_of(call):
                found |= set(reader.doubtful(argument))
    return found


def name_of(file: Path) -> str:
    return file.relative_to(PROJECT).as_posix()


@pytest.mark.parametrize("file", [pytest.param(file, id=name_of(file)) for file in PAGES])
def test_what_a_page_puts_into_markdown_is_ours_or_escaped(file: Path) -> None:
    assert doubtful_in(file.read_text("utf-8")) - REVIEWED.get(name_of(file), set()) == set()


def test_nothing_is_listed_that_is_no_longer_there() -> None:
    gone = {
        name: listed - doubtful_in((PROJECT / name).read_text("utf-8"))
        for name, listed in REVIEWED.items()
        if (PROJECT / name).exists()
    }

    assert set(REVIEWED) <= set(map(name_of, PAGES))
    assert {name: values for name, values in gone.items() if values} == {}


@pytest.mark.parametrize(
    "source",
    [
        'st.markdown(f"**{run.name}**")',
        'st.error(str(error), icon=":material/error:")',
        'place.caption(", ".join(names))',
        'def draw(run):\n    said = f"Of {run.name}"\n    st.info(said)',
        'st.progress(0.5, f"{phase}: {done:,}")',
        'st.slider("a", help=f"of {name}")',
        'st.expander(title)',
        'st.markdown("Of " + name)',
        'st.markdown(name if name else "none")',
    ],
)  # fmt: skip
def test_what_goes_around_the_escape_is_found(source: str) -> None:
    assert doubtful_in(source)


@pytest.mark.parametrize(
    "source",
    [
        'st.markdown("**bold** on purpose")',
        'st.markdown(f"**{for_markdown(run.name)}** {share:.1%}")',
        'st.error(sentence(error))',
        'place.caption(", ".join(f"{count:,} {for_markdown(name)}" for name in names))',
        'def draw(run):\n    said = for_markdown(run.name)\n    st.info(f"Of {said}")',
        'st.selectbox(SETTINGS[name].label, options, help=HELP.get(name))',
    ],
)  # fmt: skip
def test_what_is_ours_or_escaped_is_let_through(source: str) -> None:
    assert doubtful_in(source) == set()


def test_commands_print_through_one_function() -> None:
    output = PROJECT / "medpriv_core" / "cli" / "output.py"
    around = {
        name_of(file): ast.unparse(call)
        for file in CORE
        if file.parent == output.parent and file != output
        for call in calls(ast.parse(file.read_text("utf-8")))
        if called(call) == "print" or re.search(r"\bstd(out|err)\.write", ast.unparse(call.func))
    }

    assert around == {}


def test_tables_are_written_by_one_function() -> None:
    writers = {
        name_of(file)
        for file in CORE + PAGES
        for call in calls(ast.parse(file.read_text("utf-8")))
        if ast.unparse(call.func) in ("csv.writer", "csv.DictWriter", "writer", "DictWriter")
        or called(call) == "to_csv"
    }

    # Page and command hand the rows of a comparison to ``results.table.to_csv``, which has no writer of its own.
    assert writers == {
        "medpriv_core/shown_text.py", "medpriv_core/cli/compare.py", "pages/parts/compare/tables.py",
    }  # fmt: skip


def test_no_page_turns_html_on() -> None:
    pages = {name_of(file): list(calls(ast.parse(file.read_text("utf-8")))) for file in PAGES}

    assert not [
        name for name, made in pages.items() if "unsafe_allow_html" in {k.arg for c in made for k in c.keywords}
    ]
    # Styles of our own, in which the number of a bar and a time are filled in.
    styles = {name for name, made in pages.items() if "st.html" in {ast.unparse(call.func) for call in made}}
    # And thumbnails, with the names of classes escaped.
    assert styles == {
        "pages/parts/epsilon_scale.py",
        "pages/parts/own_images.py",
        "pages/parts/risk/odds_view.py",
        "pages/parts/runs/actions.py",
    }
