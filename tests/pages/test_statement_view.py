"""The statement of a run on a page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from medpriv_core.home import DataHome
from tests.exports.runs import PRIVATE, RUN_ID, put_run


def script(run_id: str) -> None:
    from pages.parts.risk.statement_view import draw_statement

    draw_statement(run_id)


@pytest.mark.usefixtures("home")
def test_what_people_fill_in_is_text_in_the_statement(home: DataHome) -> None:
    put_run(home, PRIVATE)
    page = AppTest.from_function(script, args=(RUN_ID,), default_timeout=60).run()

    page.text_input(key=f"statement_{RUN_ID}_recipient").set_value("# a clinic").run()

    assert not page.exception
    assert any("a clinic" in one.value and not one.value.startswith("#") for one in page.markdown)
    assert any("What is not covered" in one.value for one in page.markdown)
