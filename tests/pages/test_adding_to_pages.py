"""A page, a question on the explore page and a chart are added as docs/architecture.md says under "Adding things".

Two files each: the new one, and the line that names it. A copy of the program has all three, and a process of its own
opens them there.
"""

from __future__ import annotations

from pathlib import Path

from medpriv_core.home import DataHome
from tests.changed_program import ask, changed_program

PAGE = """
import streamlit as st

from medpriv_core.datasets.registry import dataset_names


def main() -> None:
    st.title("How many?")
    st.markdown(f"{len(dataset_names())} datasets")


main()
"""
CHART = """
import numpy as np
import plotly.graph_objects as go


def rows_figure(image: np.ndarray) -> go.Figure:
    return go.Figure(go.Scatter(y=image.mean(axis=(1, 2)), line={"color": "#0072B2"}))


def rows_alt(image: np.ndarray) -> str:
    return f"How bright each of {len(image)} rows is."
"""
QUESTION = """
import streamlit as st

from medpriv_core.figures.rows import rows_alt, rows_figure
from pages.parts.charts import draw_chart
from pages.parts.explore.scene import Scene


def draw(scene: Scene) -> None:
    st.markdown(f"The image has {len(scene.picture)} rows.")
    draw_chart(rows_figure(scene.picture), key="rows", name="Rows", alt=rows_alt(scene.picture), caption=())
"""
NEW = {
    "pages/how_many.py": PAGE,
    "medpriv_core/figures/rows.py": CHART,
    "pages/parts/explore/rows_view.py": QUESTION,
}
LINES = {
    "pages/index.py": [
        (
            '        st.Page("datasets.py"',
            '        st.Page("how_many.py", title="How many", icon=":material/tag:"),\n        st.Page("datasets.py"',
        )
    ],
    "tests/exports/chart_samples.py": [
        ("from medpriv_core.spec", "from medpriv_core.figures.rows import rows_figure\nfrom medpriv_core.spec"),
        (
            '    "roc_figure": roc,',
            '    "roc_figure": roc,\n    "rows_figure": lambda: rows_figure(np.ones((8, 8, 3), np.uint8)),',
        ),
    ],
    "pages/explore.py": [
        ("    numbers_view,\n", "    numbers_view,\n    rows_view,\n"),
        ('    "take"', '    "rows": ("How bright is each row?", rows_view.draw),\n    "take"'),
    ],
}
ASK = r"""
import pytest
from streamlit.testing.v1 import AppTest
from medpriv_core.datasets.registry import dataset_names
from tests.exports import test_charts
from tests.exports.chart_samples import SAMPLES

page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("how_many.py").run()
assert not page.exception
assert (page.title[0].value, page.markdown[-1].value) == ("How many?", f"{len(dataset_names())} datasets")

page = AppTest.from_file("pages/index.py", default_timeout=60)
page.query_params["dataset"], page.query_params["size"] = "synthetic_chest", "64"
page.query_params["question"] = "rows"
page.run()
assert not page.exception
assert "The image has 64 rows." in [text.value for text in page.markdown]

test_charts.test_there_is_a_sample_of_every_figure_of_the_app()
test_charts.test_every_figure_of_the_app_can_be_exported("rows_figure")
del SAMPLES["rows_figure"]
with pytest.raises(AssertionError):
    test_charts.test_there_is_a_sample_of_every_figure_of_the_app()
"""


def test_a_page_a_question_and_a_chart_are_a_file_and_a_line_each(tmp_path: Path, home: DataHome) -> None:
    ask(changed_program(tmp_path, new=NEW, changes=LINES), ASK, home=home.root)

    assert [len(NEW), len(LINES)] == [3, 3]
