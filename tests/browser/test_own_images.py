"""From a folder of a hospital's own images to a network that protects its patients, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import App
from tests.datasets.builders import image_bytes, write_folder

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """48 images of 24 patients, and a table with headings of its own."""
    rows = [f"p{n:02};Müller {n // 2};{n % 3}.0;{'lr'[n % 2]}" for n in range(48)]
    lines = "\n".join(["Bild;Patient;Stadium;Auge", *rows])
    images = {f"aufnahmen/p{n:02}.png": image_bytes(n) for n in range(48)}
    return write_folder(tmp_path / "set", images | {"liste.csv": lines.encode("latin-1")})


def fill(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("textbox", name=label)
    field.fill(value)
    field.press("Tab")


def test_a_table_of_images_is_looked_at_added_explored_and_its_patients_protected(
    page: Page, app: App, folder: Path
) -> None:
    page.goto(f"{app.url}/datasets")
    fill(page, "Name", "my_eyes")
    fill(page, "Folder or zip on this computer", str(folder))
    page.get_by_role("button", name="Look", exact=True).click()
    expect(page.get_by_text("It is not plain which column of liste.csv holds the classes")).to_be_visible()
    page.get_by_role("combobox", name=re.compile("Column of the classes")).click()
    page.get_by_role("option", name="Stadium").click()
    page.get_by_role("button", name="Look with these columns").click()
    expect(page.get_by_text("48 grey images, 3 classes, by a table.")).to_be_visible()
    expect(
        page.get_by_text(re.compile("The training images are of .* patients; the one with the most has 2"))
    ).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.get_by_text("My eyes is added: it stands below, and all pages offer it.")).to_be_visible()
    expect(page.get_by_text("Müller")).to_have_count(0)

    page.goto(f"{app.url}/?dataset=my_eyes")
    expect(page.get_by_text("yours, β = 0.5")).to_be_visible()
    expect(page.get_by_text("Own images.")).to_be_visible()

    page.goto(f"{app.url}/train")
    page.get_by_role("combobox", name=re.compile("^Dataset")).click()
    page.get_by_role("option", name="My eyes").click()
    page.get_by_text("DP-SGD", exact=True).first.click()
    expect(page.get_by_text(re.compile(r"^\d+ patients; the one with the most has 2"))).to_be_visible()
