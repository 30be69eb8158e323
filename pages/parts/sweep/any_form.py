"""The form of any other grid: a preset, filled in for each run by itself, and up to three settings that are varied."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medpriv_core.presets import PRESETS
from medpriv_core.spec import METHODS, SETTINGS
from medpriv_core.sweeps.grid import Axis, Cell, Grid
from medpriv_core.sweeps.service import LONGEST_TITLE
from medpriv_core.sweeps.titles import grid_title
from medpriv_core.sweeps.values import parse_values
from pages.parts.sweep.request import Request, choose_dataset, choose_device, choose_weights, write_title
from pages.parts.words import in_words, offered

# Values that stand there at first, of numbers.
EXAMPLES = {
    "seed": "0, 1, 2",
    "learning_rate": "0.01, 0.1, 1",
    "epochs": "5, 10, 20",
    "batch_size": "32, 64, 128",
    "beta": "1, 2, 4",
    "noise_multiplier": "1, 2, 4",
    "target_epsilon": "1, 3, 8",
    "max_grad_norm": "0.1, 1",
    "image_size": "32, 64",
    "momentum": "0, 0.9",
    "weight_decay": "0, 0.001",
    "average_last": "0, 0.5",
    "augmentation_multiplicity": "1, 2",
    "delta": "1e-5, 1e-6",
}
# Everything that changes what comes out and has a value for itself; an engine and its generator are no experiment.
VARIED = tuple(
    name
    for name, setting in SETTINGS.items()
    if (setting.bounds or setting.choices)
    and not setting.machine
    and name not in ("weights", "crop_size", "engine", "microbatch_size", "noise_generator")
)
AT_FIRST = ("learning_rate", "seed", None)
# How strong a method is where neither the preset nor an axis says it.
STRENGTHS: dict[str, dict[str, Any]] = {"none": {}, "local_dp": {"beta": 1.0}, "dp_sgd": {"target_epsilon": 3.0}}


def draw() -> Request:
    """The controls; raises ``SettingError`` or ``DatasetError`` for what cannot be."""
    st.caption(
        "All combinations of up to three settings, on top of what a preset says. Each run gets what the preset has for "
        "its own ε, method and images."
    )
    left, right = st.columns(2)
    entry = choose_dataset(left, key="sweep_any_dataset")
    weights = choose_weights(right, key="sweep_any_weights")
    left, right = st.columns(2)
    preset = left.selectbox(
        "What is not varied is set as in",
        list(PRESETS),
        format_func=lambda name: PRESETS[name].title,
        key="sweep_any_preset",
        persist_state="session",
    )
    method = right.segmented_control(
        SETTINGS["method"].label,
        METHODS,
        format_func=lambda name: offered("method")[name],
        default=PRESETS[preset].method,
        required=True,
        key=f"sweep_any_method_{preset}",
        persist_state="session",
        help=SETTINGS["method"].help,
    )
    assert method is not None
    varied = [axis for place, name in enumerate(AT_FIRST) if (axis := draw_axis(place, name)) is not None]
    with st.expander("More settings", icon=":material/tune:"):
        left, right = st.columns(2)
        device = choose_device(left, key="sweep_any_device")
        title = write_title(right, default=grid_title(entry.info.name), limit=LONGEST_TITLE, key="sweep_any_title")
    base = {"dataset": entry.info.name, "weights": weights, "device": device}
    return Request(_grid(preset, base, method, varied), title)


def draw_axis(place: int, at_first: str | None) -> tuple[str, list[Any]] | None:
    """A setting and its values; None where nothing is chosen."""
    left, right = st.columns([2, 3])
    name = left.selectbox(
        ("Vary", "and", "and")[place],
        VARIED,
        index=None if at_first is None else VARIED.index(at_first),
        format_func=lambda setting: SETTINGS[setting].label,
        placeholder="nothing more",
        key=f"sweep_any_setting_{place}",
        persist_state="session",
    )
    if name is None:
        return None
    key = f"sweep_any_values_{place}_{name}"
    values: list[Any]
    if not SETTINGS[name].choices:
        text = right.text_input(
            "Values",
            EXAMPLES.get(name, str(SETTINGS[name].default)),
            key=key,
            persist_state="session",
            help="Numbers with commas between them.",
        )
        values = parse_values(name, text) if text.strip() else []
    else:
        options = list(offered(name))
        values = right.multiselect(
            "Values",
            options,
            default=options,
            format_func=lambda value: in_words(name, value),
            key=key,
            persist_state="session",
        )
    return name, values


def _grid(preset: str, base: dict[str, Any], method: str, varied: list[tuple[str, list[Any]]]) -> Grid:
    """All combinations; a method that the preset is not made for has its usual strength unless that is varied too."""
    names = [name for name, _ in varied]
    if "method" not in names:
        base = base | _strength(preset, method, names)
    axes = []
    for name, values in varied:
        cells = []
        for value in values:
            settings = _strength(preset, value, names) if name == "method" else {name: value}
            cells.append(Cell(f"{SETTINGS[name].label}: {in_words(name, value)}", settings))
        axes.append(Axis(name, tuple(cells)))
    return Grid(base, tuple(axes), preset)


def _strength(preset: str, method: str, varied: list[str]) -> dict[str, Any]:
    usual = STRENGTHS[method] if method != PRESETS[preset].method else {}
    # A varied noise multiplier says how strong DP-SGD is as well as a varied epsilon does.
    taken = {"noise_multiplier", "target_epsilon"} if {"noise_multiplier", "target_epsilon"} & set(varied) else set()
    return {"method": method} | {name: much for name, much in usual.items() if name not in {*varied, *taken}}
