"""What the forms of the sweep page ask for, and the controls that they share."""

from __future__ import annotations

from dataclasses import dataclass

from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import SETTINGS
from medpriv_core.sweeps.grid import Grid
from medpriv_core.weights_source import weights_status
from pages.parts import cached
from pages.parts.badges import origin_badge

# Of the session: the view to show after a launch.
NEXT_VIEW = "sweep_next_view"


@dataclass(frozen=True)
class Request:
    """A grid to be queued under a title."""

    grid: Grid
    title: str


def choose_dataset(place: DeltaGenerator, *, key: str) -> DatasetEntry:
    """One of the datasets that are on this machine and can be trained on."""
    entries = {name: entry for name, entry in cached.available_datasets().items() if entry.info.trainable}
    name = place.selectbox(
        "Dataset", list(entries), format_func=lambda key: entries[key].info.title, key=key, persist_state="session"
    )
    entry = entries[name]
    place.markdown(
        f"{origin_badge(entry.info)} :small[{entry.train or 0:,} training and {entry.test or 0:,} test images]"
    )
    if entry.changed:
        place.warning(for_markdown(entry.changed), icon=":material/sync_problem:")
    return entry


def choose_weights(place: DeltaGenerator, *, key: str) -> str:
    """imagenet or none; at first what needs no download."""
    status = weights_status(cached.home())
    titles = {name: SETTINGS["weights"].choices[name].form for name in ("imagenet", "none")}
    name = place.selectbox(
        SETTINGS["weights"].label,
        list(titles),
        index=1 if status.state == "to_download" else 0,
        format_func=lambda key: titles[key],
        key=key,
        persist_state="session",
    )
    if name == "imagenet":
        place.caption(for_markdown(status.sentence))
    else:
        place.caption("Starting from random numbers: expect much lower accuracy, above all with the last layer only.")
    return str(name)


def choose_device(place: DeltaGenerator, *, key: str) -> str:
    """What the runs are computed on."""
    return str(
        place.selectbox(SETTINGS["device"].label, list(SETTINGS["device"].choices), key=key, persist_state="session")
    )


def write_title(place: DeltaGenerator, *, default: str, limit: int, key: str) -> str:
    """What the sweep is called; empty means the default, which follows the other controls."""
    typed = place.text_input(
        "Title",
        key=key,
        max_chars=limit,
        placeholder=default,
        persist_state="session",
        help="Its runs carry it as a tag.",
    )
    return typed.strip() or default
