"""The form of a run: data, protection, budget, training; what is rarely touched is folded away.

Every widget is bound to the session under ``train_<setting>``, so that a preset can fill the form.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import DatasetEntry, dataset_info
from medpriv_core.mechanisms.in_runs import OWN_PARAMETERS
from medpriv_core.presets import authors_noise
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import DEFAULTS, SETTINGS
from medpriv_core.weights_source import IMAGENET_SIZE_MB, weights_status
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.run_presets import FORM_DEFAULTS, SIZES, choose_authors_noise, follow_preset
from pages.parts.words import offered

PRIVACY_BY = {"target_epsilon": "the privacy budget (ε)", "noise_multiplier": "the noise (σ)"}
PAPER_BETAS = (1, 2, 4)
# No setting: it shortens the epochs.
STOP = "stop_epsilon"
# Asked for by other words: how strong the noise is, and whether every image is in every step.
# And what stands beside them where the dataset knows its patients.
NOT_ASKED = {"noise_multiplier", "target_epsilon", "delta", "sampling", "unit", "images_drawn"}


def draw_form(entries: dict[str, DatasetEntry], *, authors: bool) -> tuple[DatasetEntry, dict[str, Any]]:
    """The chosen dataset, and settings for a RunSpec; ``authors``: offer the noise of the authors' notebooks."""
    entry = draw_data(entries)
    values: dict[str, Any] = {"dataset": entry.info.name, "image_size": st.session_state["train_image_size"]}
    values |= draw_protection(entry)
    method = values["method"]
    if method != "none":
        values |= draw_budget(method, authors=authors)
    full_batch = values["sampling"] == "full_batch" if method == "dp_sgd" else st.session_state["train_full_batch"]
    values |= draw_training(full_batch=full_batch)
    with st.expander("More settings", icon=":material/tune:"):
        values |= draw_more_training(method, entry)
        values["crop_size"] = values["image_size"] * 7 // 8 if values.pop("crop") else None
        if method == "dp_sgd":
            values |= draw_more_protection()
        values |= draw_the_rest(values)
    return entry, values


def draw_data(entries: dict[str, DatasetEntry]) -> DatasetEntry:
    """Which images, and how large."""
    st.header("Data", anchor=False)
    left, right = st.columns(2)
    name = left.selectbox(
        "Dataset",
        list(entries),
        format_func=lambda key: entries[key].info.title,
        key="train_dataset",
        on_change=follow_preset,
        persist_state="session",
    )
    entry = entries[name]
    right.select_slider(
        SETTINGS["image_size"].label,
        SIZES,
        key="train_image_size",
        help=SETTINGS["image_size"].help,
        persist_state="session",
    )
    # No caption: it would fade the badge.
    left.markdown(
        f"{origin_badge(entry.info)} :small[{entry.train or 0:,} training and {entry.test or 0:,} test images]"
    )
    if entry.changed:
        st.warning(for_markdown(entry.changed), icon=":material/sync_problem:")
    return entry


def draw_protection(entry: DatasetEntry) -> dict[str, Any]:
    """The method, and how it works."""
    st.header("Protection", anchor=False)
    values: dict[str, Any] = {"method": segments(st, "method", on_change=follow_preset)}
    if values["method"] == "local_dp":
        values["noise_draw"] = choice(st.container(), "noise_draw")
        own = [name for name in OWN_PARAMETERS if SETTINGS[name].matters(DEFAULTS | values)]
        for place, name in zip(st.columns(len(own) or 1), own, strict=False):
            values[name] = number(place, name)
    elif values["method"] == "dp_sgd":
        left, right = st.columns(2)
        values["sampling"] = choice(left, "sampling")
        values["max_grad_norm"] = number(right, "max_grad_norm")
        values |= draw_record(left, right, entry)
    return values


def draw_record(left: DeltaGenerator, right: DeltaGenerator, entry: DatasetEntry) -> dict[str, Any]:
    """Whether patients or images are protected; asked only where both can be, and are not the same."""
    microbatches = st.session_state["train_engine"] == "microbatch"
    if entry.patients is None or entry.patients.largest == 1 or microbatches:
        return {"unit": "auto", "images_drawn": 1}
    values: dict[str, Any] = {"unit": choice(left, "unit", on_change=follow_preset)}
    of_features = st.session_state["train_trainable"] == "head" and not st.session_state["train_augment"]
    if values["unit"] != "image" and of_features:
        values["images_drawn"] = number(right, "images_drawn")
    left.caption(f"{entry.patients.patients:,} patients; the one with the most has {entry.patients.largest} images.")
    return values


def draw_budget(method: str, *, authors: bool) -> dict[str, Any]:
    """How much noise, or how much may be found out."""
    st.header("Budget", anchor=False)
    left, right = st.columns(2)
    if method == "local_dp":
        return {"beta": number(left, "beta")}
    by = left.segmented_control(
        "Choose",
        list(PRIVACY_BY),
        format_func=lambda key: PRIVACY_BY[key],
        required=True,
        key="train_privacy_by",
        on_change=follow_preset,
        persist_state="session",
    )
    assert by is not None
    values = {by: number(right, by, on_change=follow_preset)}
    if by == "noise_multiplier" and authors:
        draw_authors_noise(right)
    values["delta"] = number(left, "delta", format="%.1e")
    if by == "noise_multiplier":
        values[STOP] = right.number_input(
            "Stop at ε",
            value=None,
            step=0.5,
            key="train_stop_epsilon",
            placeholder="after all epochs",
            persist_state="session",
            help="The run has at most as many epochs as this ε allows. They are known before it begins.",
        )
    return values


def draw_authors_noise(place: DeltaGenerator) -> None:
    """The noise multipliers of the published notebooks, by the paper's name for them."""
    noise = authors_noise(ordered=dataset_info(st.session_state["train_dataset"]).ordered)
    running = st.session_state["train_noise_multiplier"]
    st.session_state["train_authors_beta"] = next((beta for beta in PAPER_BETAS if noise[beta] == running), None)
    place.segmented_control(
        "The paper's β",
        PAPER_BETAS,
        format_func=lambda beta: f"β = {beta} (σ {noise[beta]:g})",
        key="train_authors_beta",
        on_change=choose_authors_noise,
        help="What the paper calls β = 1, 2 and 4 ran with these noise multipliers in the authors' published "
        "notebooks, found for claims of ε = 1, 0.5 and 0.25. Images of the eye in grades take those for APTOS, all "
        "others those for the chest X-rays.",
    )


def draw_training(*, full_batch: bool) -> dict[str, Any]:
    """How long the network learns, and what of it."""
    st.header("Training", anchor=False)
    left, right = st.columns(2)
    values = {
        "epochs": number(left, "epochs", label="Epochs (one step each)" if full_batch else "Epochs"),
        "batch_size": number(
            right,
            "batch_size",
            disabled=full_batch,
            help="Not used: every image is in every step." if full_batch else SETTINGS["batch_size"].help,
        ),
        "trainable": choice(left, "trainable"),
    }
    return values | {"weights": choose_weights(right)}


def draw_more_training(method: str, entry: DatasetEntry) -> dict[str, Any]:
    """The rest of how the network learns."""
    left, right = st.columns(2)
    values: dict[str, Any] = {}
    values["learning_rate"] = number(left, "learning_rate")
    values["momentum"] = number(right, "momentum")
    values["weight_decay"] = number(left, "weight_decay")
    values["average_last"] = number(right, "average_last")
    values["norm"] = choice(left, "norm")
    values["seed"] = number(right, "seed")
    if method != "dp_sgd":
        values["max_grad_norm"] = number(
            left,
            "max_grad_norm",
            label="Longest gradient of a batch",
            help="Keeps training from diverging.",
        )
        whole = right.toggle(
            SETTINGS["sampling"].choices["full_batch"].form, key="train_full_batch", persist_state="session"
        )
        values["sampling"] = "full_batch" if whole else "auto"
    left, right = st.columns(2)
    values["augment"] = control(left, "augment")
    values["crop"] = right.toggle(
        "Crop to 7/8 of the side, as in the paper",
        key="train_crop",
        help=SETTINGS["crop_size"].help,
        persist_state="session",
    )
    # Beside text, a button for help has no name of its own: what it would say stands below.
    st.markdown(SETTINGS["class_weights"].label)
    st.caption(SETTINGS["class_weights"].help)
    row = st.container(horizontal=True)
    weights = []
    for place, name in enumerate(entry.info.classes):
        key = f"train_class_weight_{place}"
        weights.append(
            row.number_input(for_markdown(name), 0.01, 1000.0, step=0.5, key=key, persist_state="session", width=140)
        )
    values["class_weights"] = None if set(weights) == {1.0} else tuple(weights)
    return values


def draw_more_protection() -> dict[str, Any]:
    """How the private step is made."""
    left, right = st.columns(2)
    values: dict[str, Any] = {"engine": choice(left, "engine")}
    values["noise_generator"] = segments(right, "noise_generator")
    if values["engine"] == "microbatch":
        values["microbatch_size"] = number(left, "microbatch_size")
    return values


def draw_the_rest(values: dict[str, Any]) -> dict[str, Any]:
    """Every setting that matters in this run and was not asked for before, in the order of the specification."""
    columns, rest = st.columns(2), dict[str, Any]()
    for name, setting in SETTINGS.items():
        known = DEFAULTS | values | rest
        only_one = len(setting.options) == 1  # nothing to choose
        if name not in values and name not in NOT_ASKED and not only_one and setting.matters(known):
            rest[name] = control(columns[len(rest) % 2], name)
    return rest


def choose_weights(place: DeltaGenerator) -> str:
    """imagenet, none or a path; says at once where they would come from."""
    kind = choice(place, "weights")
    if kind == "path":
        path = place.text_input("Path of a ResNet-18 state dict", key="train_weights_path", persist_state="session")
        return path.strip()
    status = weights_status(cached.home())
    if kind == "imagenet":
        place.caption(for_markdown(status.sentence))
    else:
        place.caption("Starting from random numbers: expect much lower accuracy, above all with the last layer only.")
        if status.state == "to_download":
            place.caption(
                "The ImageNet weights are not on this computer yet. Choose ImageNet to have them downloaded "
                f"({IMAGENET_SIZE_MB} MB)."
            )
    return kind


def control(place: DeltaGenerator, name: str) -> Any:
    """What asks for a setting of this kind: a list of choices, a switch, a number or a text."""
    setting = SETTINGS[name]
    if setting.kind is bool:
        return place.toggle(setting.label, key=f"train_{name}", help=setting.help, persist_state="session")
    if setting.choices:
        return choice(place, name)
    if setting.bounds is not None:
        return number(place, name)
    return place.text_input(setting.label, key=f"train_{name}", help=setting.help, persist_state="session")


def number(place: DeltaGenerator, name: str, *, label: str | None = None, **options: Any) -> Any:
    """A number for a RunSpec setting.

    The field has no bounds of its own: it would keep what is out of them to itself, and the last good value would be
    launched. The specification says what is wrong beside the greyed button.
    """
    setting = SETTINGS[name]
    options = {"help": setting.help, "format": "%.4g" if setting.kind is float else None} | options
    if FORM_DEFAULTS[name] is None:
        options |= {"value": None, "placeholder": "automatic"}
    step = int(setting.step) if setting.kind is int else setting.step
    return place.number_input(
        label or setting.label, step=step, key=f"train_{name}", persist_state="session", **options
    )


def choice(place: DeltaGenerator, name: str, **options: Any) -> Any:
    """One of the values of a RunSpec setting, from a list."""
    setting, titles = SETTINGS[name], offered(name)
    return place.selectbox(
        setting.label,
        list(titles),
        format_func=lambda key: titles[key],
        key=f"train_{name}",
        help=setting.help,
        persist_state="session",
        **options,
    )


def segments(place: Any, name: str, **options: Any) -> Any:
    """One of the values of a RunSpec setting, all in view."""
    setting, titles = SETTINGS[name], offered(name)
    return place.segmented_control(
        setting.label,
        list(titles),
        format_func=lambda key: titles[key],
        required=True,
        key=f"train_{name}",
        help=setting.help,
        persist_state="session",
        **options,
    )
