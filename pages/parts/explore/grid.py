"""All images of a dataset to leaf through, a row a class, as in Figure 1 of the paper."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.datasets.viewing import images_of_class
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.messages import explain_errors

PER_ROW = 8
ASSETS = Path(__file__).parent.parent / "assets"


@st.dialog("Choose an image", width="large")
def browse(entry: DatasetEntry, dataset: cached.Dataset, *, class_name: str | None) -> None:
    """Thumbnails of each class; a click shows that image on the page."""
    with explain_errors():
        name, classes = entry.info.name, entry.info.classes
        st.markdown(f"**{for_markdown(entry.info.title)}** {origin_badge(entry.info)}")
        indexes = {title: images_of_class(dataset, title) for title in classes}
        longest = max(len(found) for found in indexes.values())
        pages = -(-longest // PER_ROW)
        page = st.slider("Page", 1, pages, key=f"grid_page_{name}") if pages > 1 else 1
        first = (page - 1) * PER_ROW
        rows = [
            {
                "title": f"{title} ({len(found):,})",
                "images": [
                    {
                        "number": first + place + 1,
                        "alt": f"{title}, image {first + place + 1}",
                        "src": _source(cached.thumbnail(name, cached.identity(entry), int(index))),
                    }
                    for place, index in enumerate(found[first : first + PER_ROW])
                ],
                "class_name": title,
            }
            for title, found in indexes.items()
        ]
        clicked = _component(data=rows, key=f"grid_{name}", on_clicked_change=lambda: None).clicked
        if clicked:
            # Numbers count within the class that the page shows; with all classes, within all.
            index = int(indexes[clicked["class_name"]][clicked["number"] - 1])
            number = index + 1 if class_name is None else clicked["number"]
            shown = None if class_name is None else clicked["class_name"]
            st.session_state["clicked_image"] = (name, shown, number)
            st.rerun()


def take_clicked() -> None:
    """Put the image that was clicked into the page's controls; to be called before these are drawn."""
    clicked = st.session_state.pop("clicked_image", None)
    if clicked is not None:
        name, class_name, number = clicked
        st.session_state[f"show_{name}"] = class_name
        st.session_state[f"image_{name}_{class_name}"] = number


def _source(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


_component = st.components.v2.component(
    "picture_grid",
    html='<div class="grid"></div>',
    css=(ASSETS / "picture_grid.css").read_text(encoding="utf-8"),
    js=(ASSETS / "picture_grid.js").read_text(encoding="utf-8"),
)
