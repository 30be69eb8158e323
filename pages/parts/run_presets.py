"""Cards that fill the form of a run, and what has been changed since."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medpriv_core.presets import PRESETS, authors_noise
from medpriv_core.spec import RunSpec
from medpriv_core.weights_source import weights_status
from pages.parts import cached
from pages.parts.words import LABELS, in_words

CHOSEN = "train_preset"
# What the form holds where a setting belongs to another method.
FORM_DEFAULTS: dict[str, Any] = {
    **{name: field.default for name, field in RunSpec.__dataclass_fields__.items() if name != "dataset"},
    "beta": 1.0,
    "noise_multiplier": 1.0,
    "target_epsilon": 3.0,
}
MOST_CLASSES = 10


def chosen_preset() -> str:
    """The name of the preset that the form was last filled from; at first that of the quick one."""
    if CHOSEN not in st.session_state:
        apply_preset("quick")
    return str(st.session_state[CHOSEN])


def apply_preset(name: str) -> None:
    """Put a preset's settings into the form."""
    settings = preset_settings(name)
    form = FORM_DEFAULTS | settings
    for setting, value in form.items():
        st.session_state[f"train_{setting}"] = value
    st.session_state[CHOSEN] = name
    st.session_state["train_crop"] = form["crop_size"] is not None
    st.session_state["train_full_batch"] = form["sampling"] == "full_batch"
    st.session_state["train_privacy_by"] = "noise_multiplier" if "noise_multiplier" in settings else "target_epsilon"
    weights = form["class_weights"] or ()
    for place in range(MOST_CLASSES):
        st.session_state[f"train_class_weight_{place}"] = weights[place] if place < len(weights) else 1.0


def preset_settings(name: str) -> dict[str, Any]:
    """A preset's settings on this machine and for the dataset in the form."""
    settings = dict(PRESETS[name].settings)
    if PRESETS[name].offline and weights_status(cached.home()).state == "to_download":
        settings["weights"] = "none"
    if name == "authors":
        settings["noise_multiplier"] = authors_noise(st.session_state.get("train_dataset", ""))[1]
    return settings


def draw_presets(chosen: str) -> None:
    """One card a preset."""
    row = st.container(horizontal=True)
    for preset in PRESETS.values():
        card = row.container(border=True, width=290, height="stretch", vertical_alignment="distribute")
        card.markdown(f"**{preset.title}**  \n{preset.shows}")
        card.button(
            "Chosen" if chosen == preset.name else "Use this",
            icon=":material/check:" if chosen == preset.name else None,
            key=f"preset_{preset.name}",
            on_click=apply_preset,
            args=(preset.name,),
        )


def differences(values: dict[str, Any], chosen: str) -> list[str]:
    """What the form changes of the preset, one phrase a setting."""
    preset = {name: field.default for name, field in RunSpec.__dataclass_fields__.items()} | preset_settings(chosen)
    now = {name: field.default for name, field in RunSpec.__dataclass_fields__.items()} | values
    unseen = {"dataset"}
    if now["sampling"] == "full_batch":
        unseen.add("batch_size")
    if now["method"] != preset["method"]:
        unseen |= {"beta", "noise_draw", "noise_multiplier", "target_epsilon"}
    if now["crop_size"] and preset["crop_size"]:
        unseen.add("crop_size")  # it follows the size of the image
    return [
        f"{LABELS[name]}: {in_words(name, now[name])} instead of {in_words(name, preset[name])}"
        for name in LABELS
        if name not in unseen and now[name] != preset[name]
    ]
