"""The privacy statement is one printed page, in letters that can be read."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser

from medpriv_core.exports.privacy_statement import read_statement
from medpriv_core.exports.privacy_statement_files import statement_file
from medpriv_core.home import DataHome
from medpriv_core.spec import RunSpec
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, RUN_ID, put_run

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("spec", [PRIVATE, LOCAL, PLAIN], ids=lambda spec: spec.method)
def test_it_prints_to_one_page(browser: Browser, home: DataHome, spec: RunSpec) -> None:
    put_run(home, spec)
    page = browser.new_page()  # no app: the file is all there is
    page.set_content(statement_file(read_statement(home, RUN_ID), ".html"))

    pdf = page.pdf(prefer_css_page_size=True)

    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    smallest = page.evaluate(
        "Math.min(...[...document.body.querySelectorAll('*')].map(one => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert smallest * 72 / 96 >= 8.5 - 1e-3  # browsers round
    page.close()
