"""Fixtures for pages run without a browser."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from medpriv_core.attacks import trials
from medpriv_core.home import DataHome
from medpriv_core.privacy.second_accountant import wait_for_answer
from medpriv_core.runs import service
from pages.parts import guarantee
from pages.parts.explore import answers_view

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


@pytest.fixture(scope="session", autouse=True)
def installed_components() -> Iterator[None]:
    """What is installed is looked through once: each ``AppTest`` does so anew, which is three quarters of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def open_page(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page in an empty data home, with a query if wanted; workers are never started."""
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    # Pages ask it aside; here its word is there at once, so that what they say does not depend on how fast it is.
    monkeypatch.setattr(guarantee, "ask_second_epsilon", wait_for_answer)
    monkeypatch.setattr(trials, "count_aside", trials.count_now)
    monkeypatch.setattr(answers_view, "ASKED_FROM", 0)
    monkeypatch.delenv("MEDPRIV_WEIGHTS", raising=False)
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_it(name: str, **query: str) -> AppTest:
        page = AppTest.from_file(str(ROOT / "pages" / "index.py"), default_timeout=PATIENCE_S)
        if name != "explore":
            page.switch_page(f"{name}.py")
        for key, value in query.items():
            page.query_params[key] = value
        return page.run()

    return open_it


def texts(page: AppTest) -> str:
    """Everything that the page says, in one string."""
    kinds = (page.title, page.markdown, page.caption, page.info, page.warning, page.error, page.header, page.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def viewers(page: AppTest) -> list[list[dict[str, Any]]]:
    """The panels of each picture viewer on the page: what is said of each, and its pixels."""
    found = []
    for element in page.get("bidi_component"):
        message = element.proto.bytes
        if not message:
            continue  # a component without pictures
        end = 4 + int.from_bytes(message[:4], "big")
        panels = json.loads(message[4:end])["panels"]
        for panel in panels:
            panel["pixels"] = np.asarray(Image.open(io.BytesIO(message[end : end + panel["bytes"]])))
            end += panel["bytes"]
        found.append(panels)
    return found
