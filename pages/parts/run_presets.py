"""Cards that fill the form of a run, and what has been changed since."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import SettingError
from medpriv_core.presets import PRESETS, authors_noise, differing, fill_preset, follows_sound
from medpriv_core.recipes import RECIPE_SETTINGS
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import BOUNDS, DEFAULTS, SETTINGS, RunSpec
from medpriv_core.weights_source import weights_status
from pages.parts import cached
from pages.parts.words import in_words

CHOSEN, PRESET_SETTINGS, COPIED = "train_preset", "train_preset_settings", "train_copied_from"
# The preset that the form follows, and what it has for the dataset, method and epsilon in the form. A copy of a run by
# the recipe of sound DP follows it too.
FOLLOWED, FOLLOWED_SETTINGS = "train_followed_preset", "train_followed_settings"
SIZES = (28, 32, 64, 96, 128, 160, 224, 256)
STRENGTHS = ("beta", "noise_multiplier", "target_epsilon")
# What the form holds where a setting belongs to another method.
FORM_DEFAULTS: dict[str, Any] = {
    **DEFAULTS,
    "beta": 1.0,
    "noise_multiplier": 1.0,
    "target_epsilon": 3.0,
}
MOST_CLASSES = 10


def chosen_preset() -> str | None:
    """The name of the preset that the form was last filled from, at first that of the quick one; None for a run."""
    if PRESET_SETTINGS not in st.session_state:
        apply_preset("quick")
    name: str | None = st.session_state[CHOSEN]
    return name


def source() -> str:
    """What the form was last filled from, as markdown: "Changed from *Sound DP*", "Copied from *a run*"."""
    preset = chosen_preset()
    if preset is not None:
        return f"Changed from *{PRESETS[preset].title}*"
    return f"Copied from *{for_markdown(st.session_state[COPIED])}*; changed"


def apply_preset(name: str) -> None:
    """Put a preset's settings into the form."""
    settings = form_settings(name, {})
    st.session_state.update(
        controls(settings) | {CHOSEN: name, PRESET_SETTINGS: settings, FOLLOWED: name, FOLLOWED_SETTINGS: settings}
    )


def apply_copy(name: str, spec: RunSpec) -> None:
    """Put the settings of a run called ``name`` into the form; what the form cannot say is told as a difference."""
    # Of noise and privacy budget the spec holds the one that was given.
    settings = {key: value for key, value in vars(spec).items() if value is not None or key not in STRENGTHS}
    form = controls(settings)
    if spec.image_size not in SIZES:
        form["train_image_size"] = min(SIZES, key=lambda size: abs(size - spec.image_size))
    if spec.device not in SETTINGS["device"].choices:
        form["train_device"] = spec.device.partition(":")[0]
    if spec.weights not in SETTINGS["weights"].choices:
        form |= {"train_weights": "path", "train_weights_path": spec.weights}
    if spec.dataset not in cached.available_datasets():
        form["train_dataset"] = "synthetic_chest"
        name = f"{name} (its dataset, {spec.dataset}, is not on this machine)"
        sound = False
    else:
        sound = follows_sound(spec, ordered=dataset_info(spec.dataset).ordered)
    followed = {FOLLOWED: "sound" if sound else None, FOLLOWED_SETTINGS: settings}
    st.session_state.update(form | {CHOSEN: None, COPIED: name, PRESET_SETTINGS: settings} | followed)


def follow_preset() -> None:
    """After a change of dataset, method or strength: what is still as the preset had it becomes what it has now."""
    preset = st.session_state.get(FOLLOWED)
    if preset is None:
        return  # a copy of a run by no recipe has no other version of itself
    now = st.session_state
    method, by = now["train_method"], now["train_privacy_by"]
    given: dict[str, Any] = {"method": method}
    if method == "dp_sgd":
        low, high = BOUNDS[by]
        if not low <= now[f"train_{by}"] <= high:
            return  # no recipe for it; why it cannot be launched is said beside the button
        given |= {by: now[f"train_{by}"], "sampling": now["train_sampling"], "delta": now["train_delta"]}
        given["unit"] = now["train_unit"]
    try:
        after = form_settings(preset, given)
    except SettingError:
        return  # no recipe for noise whose epsilon depends on how batches are drawn
    before = now[FOLLOWED_SETTINGS]
    if chosen_preset() is None:  # seed, size of the batch and the like are the copied run's
        after = before | {name: FORM_DEFAULTS[name] for name in RECIPE_SETTINGS} | after
    # What the preset is followed in is told as a change of it.
    for name in ("method", *STRENGTHS):
        after.pop(name, None)
        if name in before:
            after[name] = before[name]
    if preset == "authors":
        after["noise_multiplier"] = authors_noise(ordered=dataset_info(now["train_dataset"]).ordered)[
            now.get("train_authors_beta") or 1
        ]
    old = controls(before)
    for key, value in controls(after).items():
        if value != old[key] and now[key] == old[key]:
            now[key] = value
    now[FOLLOWED_SETTINGS] = after
    if chosen_preset() is not None:
        now[PRESET_SETTINGS] = after


def choose_authors_noise() -> None:
    """Put the noise that the authors ran with for the chosen beta into the form."""
    beta = st.session_state["train_authors_beta"]
    if beta is not None:
        noise_multiplier = authors_noise(ordered=dataset_info(st.session_state["train_dataset"]).ordered)[beta]
        st.session_state["train_noise_multiplier"] = noise_multiplier
        for key in (PRESET_SETTINGS, FOLLOWED_SETTINGS):
            st.session_state[key] = st.session_state[key] | {"noise_multiplier": noise_multiplier}


def form_settings(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a preset has on this machine for the dataset in the form, and for what is given beside it."""
    dataset = st.session_state.get("train_dataset", "synthetic_chest")
    return _offline(name, fill_preset(name, given | {"dataset": dataset}, ordered=dataset_info(dataset).ordered).preset)


def quick_spec(dataset: str) -> RunSpec:
    """The quick preset for a dataset, as the form would fill it on this machine."""
    settings = fill_preset("quick", {"dataset": dataset}, ordered=dataset_info(dataset).ordered).preset
    return RunSpec(**_offline("quick", settings) | {"dataset": dataset})


def _offline(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A preset that is to work offline takes no weights that must be fetched first."""
    if PRESETS[name].offline and weights_status(cached.home()).state == "to_download":
        return settings | {"weights": "none"}
    return settings


def controls(settings: dict[str, Any]) -> dict[str, Any]:
    """What the controls of the form say for these settings, by their keys."""
    form = FORM_DEFAULTS | settings
    weights = form["class_weights"] or ()
    return {
        **{f"train_{setting}": value for setting, value in form.items()},
        **{
            f"train_class_weight_{place}": weights[place] if place < len(weights) else 1.0
            for place in range(MOST_CLASSES)
        },
        # The form says these by other words, which mean the same.
        "train_unit": "auto" if form["unit"] == "patient" else form["unit"],
        "train_sampling": "auto" if form["sampling"] == "poisson" else form["sampling"],
        "train_crop": form["crop_size"] is not None,
        "train_full_batch": form["sampling"] == "full_batch",
        "train_privacy_by": "noise_multiplier" if "noise_multiplier" in settings else "target_epsilon",
    }


def draw_presets(chosen: str | None) -> None:
    """One card a preset."""
    row = st.container(horizontal=True, key="presets")
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


def differences(values: dict[str, Any]) -> list[str]:
    """What the form changes of the preset, one phrase a setting."""
    preset, now = DEFAULTS | st.session_state[PRESET_SETTINGS], DEFAULTS | values
    # Of noise and privacy budget, the one that is given.
    unseen = {"dataset"} | {name for name in ("noise_multiplier", "target_epsilon") if now[name] is None}
    if now["method"] != preset["method"]:
        unseen |= {"noise_draw", *STRENGTHS}
    if now["crop_size"] and preset["crop_size"]:
        unseen.add("crop_size")  # it follows the size of the image
    said = {
        name: (in_words(name, now[name]), in_words(name, preset[name]))
        for name in differing(now, preset)
        if name not in unseen
    }
    # What follows another setting ("auto") is another thing under another method, by the same word.
    return [f"{SETTINGS[name].label}: {new} instead of {old}" for name, (new, old) in said.items() if new != old]
