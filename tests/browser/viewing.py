"""What is on screen in the picture viewer, and hands to use it with."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

SERVER_MS = 60_000  # for whatever waits for the server on a busy machine


def settle(page: Page) -> None:
    """Until all pictures on screen are decoded and drawn, and the page runs no more."""
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=SERVER_MS)
    for picture in page.locator(".viewer img").all():
        # Once more if the next picture arrived meanwhile, which ends the decoding of the one before.
        picture.evaluate("image => image.decode().catch(() => image.decode())")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def on_screen(page: Page, number: int) -> np.ndarray:
    """What a window shows, as (h, w, 3) screen pixels."""
    settle(page)
    box = page.locator(".viewer .window").nth(number).bounding_box()
    assert box is not None
    # The browser draws a box from the nearest whole pixel on; Playwright would round outwards.
    clip = {side: math.floor(box[side] + 0.5) for side in ("x", "y", "width", "height")}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))  # type: ignore[arg-type]


def places(page: Page) -> list[str]:
    """Size and place of every picture in its window."""
    return [picture.get_attribute("style") or "" for picture in page.locator(".viewer img").all()]


def stage(page: Page) -> Locator:
    return page.get_by_role("group", name=re.compile("Test images: zoom"))


def readout(page: Page) -> Locator:
    return page.locator(".viewer output")


def choose_mode(page: Page, name: str, windows: int) -> None:
    page.get_by_role("radio", name=name).click()
    expect(page.locator(".viewer .window")).to_have_count(windows, timeout=SERVER_MS)
    settle(page)


def region(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """First and last column, first and last row of the ramp on screen."""
    return int(pixels[0, 0, 0]), int(pixels[0, -1, 0]), int(pixels[0, 0, 1]), int(pixels[-1, 0, 1])


def middle(pixels: np.ndarray) -> tuple[float, float]:
    """Column and row of the ramp in the middle of the screen."""
    left, right, top, bottom = region(pixels)
    return (left + right) / 2, (top + bottom) / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def boxes(page: Page) -> list[Any]:
    return [window.bounding_box() for window in page.locator(".viewer .window").all()]
