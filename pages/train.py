"""Train: what would this cost, and what would it protect? From a form to a queued run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import MedprivError, SettingError
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.presets import PRESETS
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.statement import dp_sgd_meaning, dp_sgd_statement
from medpriv_core.progress import format_duration
from medpriv_core.runs import service
from medpriv_core.runs.estimate import estimate_time
from medpriv_core.spec import BOUNDS, METHODS, RunSpec
from medpriv_core.weights_source import IMAGENET_SIZE_MB, weights_status
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.protection import draw_local_dp

SIZES = (28, 64, 96, 128, 160, 224, 256)
TRAINABLE = {
    "head": "The last layer only",
    "norms": "The last layer, and scale and shift of the normalisation",
    "all": "All layers",
}
NORMS = {"frozen_batch_norm": "Frozen BatchNorm (keeps the pretrained network)", "group_norm": "GroupNorm"}
WEIGHTS = {"imagenet": "ImageNet", "none": "None (random start)", "path": "A file of mine"}
DRAWS = {"per_pixel": "Every pixel its own noise", "per_image": "One number for the picture"}
PRIVACY_BY = {"target_epsilon": "the privacy budget (ε)", "noise_multiplier": "the noise (σ)"}
DEFAULTS: dict[str, Any] = {
    **{name: field.default for name, field in RunSpec.__dataclass_fields__.items() if name != "dataset"},
    "beta": 1.0,
    "noise_multiplier": 1.0,
    "target_epsilon": 3.0,
}


def main() -> None:
    st.title("What would this cost, and what would it protect?", anchor=False)
    if "train_preset" not in st.session_state:
        apply_preset("quick")
    draw_presets()
    entries = {name: entry for name, entry in cached.available_datasets().items() if entry.info.trainable}
    form, summary = st.columns([3, 2], gap="large")
    with form:
        entry = draw_data(entries)
        values: dict[str, Any] = {"dataset": entry.info.name}
        values |= draw_protection()
        values |= draw_training(values["method"])
    with summary.container(border=True):
        draw_summary(values, entry)


def apply_preset(name: str) -> None:
    """Put a preset's settings into the form."""
    st.session_state["train_preset"] = name
    settings = {**DEFAULTS, **PRESETS[name].settings}
    if PRESETS[name].offline and weights_status(cached.home()).state == "to_download":
        settings["weights"] = "none"
    for setting, value in settings.items():
        st.session_state[f"train_{setting}"] = value
    st.session_state["train_crop"] = settings["crop_size"] is not None
    st.session_state["train_privacy_by"] = "target_epsilon"


def draw_presets() -> None:
    """Cards that fill the form."""
    row = st.container(horizontal=True)
    for preset in PRESETS.values():
        card = row.container(border=True, width=360, height="stretch")
        card.markdown(f"**{preset.title}**  \n{preset.shows}")
        chosen = st.session_state["train_preset"] == preset.name
        card.button(
            "Chosen" if chosen else "Use this",
            icon=":material/check:" if chosen else None,
            key=f"preset_{preset.name}",
            on_click=apply_preset,
            args=(preset.name,),
        )


def draw_data(entries: dict[str, DatasetEntry]) -> DatasetEntry:
    """Which images, and how large."""
    st.subheader("Data", anchor=False)
    left, right = st.columns(2)
    name = left.selectbox(
        "Dataset",
        list(entries),
        format_func=lambda key: entries[key].info.title,
        key="train_dataset",
        persist_state="session",
    )
    entry = entries[name]
    right.select_slider(
        "Pixels a side", SIZES, key="train_image_size", help="Smaller is faster.", persist_state="session"
    )
    left.caption(f"{origin_badge(entry.info)} {entry.train or 0:,} training and {entry.test or 0:,} test images")
    return entry


def draw_protection() -> dict[str, Any]:
    """The method and its strength."""
    st.subheader("Protection", anchor=False)
    method = st.segmented_control(
        "Method",
        METHODS,
        format_func=lambda key: METHOD_STYLES[key].title,
        required=True,
        key="train_method",
        persist_state="session",
        help="**Local-DP** puts noise on every image before training. **DP-SGD** puts noise on what the network "
        "learns from each batch (clipped gradients). **No privacy** is the yardstick.",
    )
    values: dict[str, Any] = {"method": method}
    left, right = st.columns(2)
    if method == "local_dp":
        values["beta"] = number(left, "Amount of noise (Laplace scale β)", "beta", step=0.5)
        values["noise_draw"] = right.segmented_control(
            "Noise",
            list(DRAWS),
            format_func=lambda key: DRAWS[key],
            required=True,
            key="train_noise_draw",
            persist_state="session",
            help="The paper's text means noise for every pixel; its published code drew one number a picture.",
        )
    elif method == "dp_sgd":
        by = left.segmented_control(
            "Choose",
            ["target_epsilon", "noise_multiplier"],
            format_func=lambda key: PRIVACY_BY[key],
            required=True,
            key="train_privacy_by",
            persist_state="session",
        )
        if by == "target_epsilon":
            values["target_epsilon"] = number(
                right, "Privacy budget (ε)", "target_epsilon", step=0.5, help="Smaller protects more; 1 to 8 is usual."
            )
        else:
            values["noise_multiplier"] = number(
                right,
                "Noise multiplier (σ)",
                "noise_multiplier",
                step=0.5,
                help="Standard deviation of the noise, in units of the clipping norm.",
            )
        values["max_grad_norm"] = number(
            left,
            "Clipping norm (C)",
            "max_grad_norm",
            step=0.1,
            help="No single image may push the network further than this in one step.",
        )
        values["delta"] = number(
            right, "Chance of failure (δ)", "delta", step=1e-6, format="%.1e", help="Must be well below 1/n."
        )
    return values


def draw_training(method: str) -> dict[str, Any]:
    """How long and how the network learns; what is rarely touched is folded away."""
    st.subheader("Training", anchor=False)
    left, right = st.columns(2)
    values: dict[str, Any] = {
        "image_size": st.session_state["train_image_size"],
        "epochs": number(left, "Epochs", "epochs", step=1),
        "batch_size": number(
            right, "Batch size", "batch_size", step=16, help="Under DP-SGD: the expected number of images a step."
        ),
        "trainable": left.selectbox(
            "What learns",
            list(TRAINABLE),
            format_func=lambda key: TRAINABLE[key],
            key="train_trainable",
            persist_state="session",
        ),
    }
    values["weights"] = choose_weights(right)
    with st.expander("More settings"):
        left, right = st.columns(2)
        values["learning_rate"] = number(left, "Learning rate", "learning_rate", step=0.01, format="%.4g")
        values["momentum"] = number(right, "Momentum", "momentum", step=0.1, format="%.3g")
        values["weight_decay"] = number(left, "Weight decay", "weight_decay", step=0.001, format="%.4g")
        if method != "dp_sgd":
            values["max_grad_norm"] = number(
                right, "Longest gradient of a batch", "max_grad_norm", step=0.1, help="Keeps training from diverging."
            )
        values["seed"] = number(
            right, "Seed", "seed", step=1, help="For the start and the order of images; never for a mechanism's noise."
        )
        values["norm"] = left.selectbox(
            "Normalisation layers",
            list(NORMS),
            format_func=lambda key: NORMS[key],
            key="train_norm",
            persist_state="session",
        )
        values["device"] = right.selectbox(
            "Device", ["auto", "cpu", "cuda", "mps"], key="train_device", persist_state="session"
        )
        values["augment"] = left.toggle(
            "Vary the training images a little (augmentation)", key="train_augment", persist_state="session"
        )
        cropped = right.toggle("Crop to 7/8 of the side, as in the paper", key="train_crop", persist_state="session")
        values["crop_size"] = values["image_size"] * 7 // 8 if cropped else None
    return values


def choose_weights(place: st.delta_generator.DeltaGenerator) -> str:
    """imagenet, none or a path; says at once where they would come from."""
    kind = place.selectbox(
        "Pretrained weights",
        list(WEIGHTS),
        format_func=lambda key: WEIGHTS[key],
        key="train_weights",
        persist_state="session",
    )
    if kind == "path":
        path = place.text_input("Path of a ResNet-18 state dict", key="train_weights_path", persist_state="session")
        return path.strip()
    status = weights_status(cached.home())
    if kind == "imagenet":
        place.caption(status.sentence)
    else:
        place.caption("Starting from random numbers: expect much lower accuracy, above all with the last layer only.")
        if status.state == "to_download":
            place.caption(
                "The ImageNet weights are not on this computer yet. Choose ImageNet to have them downloaded "
                f"({IMAGENET_SIZE_MB} MB)."
            )
    return kind


def number(place: st.delta_generator.DeltaGenerator, label: str, name: str, **options: Any) -> Any:
    """A number within the bounds of a RunSpec setting."""
    low, high = BOUNDS[name]
    if isinstance(options["step"], int):
        low, high = int(low), int(high)
    return place.number_input(label, low, high, key=f"train_{name}", persist_state="session", **options)


def draw_summary(values: dict[str, Any], entry: DatasetEntry) -> None:
    """What the run would protect and cost, and the button."""
    st.subheader("Before you launch", anchor=False)
    reason = None
    try:
        spec = RunSpec(**values)
        spec.check_dataset_size(entry.train or 0)
        describe_protection(spec, entry)
        estimate = estimate_time(cached.home(), spec, train_size=entry.train or 0, test_size=entry.test or 0)
        basis = "going by like runs on this machine" if estimate.measured else "a rough guess before the first like run"
        st.markdown(f"**Time:** about {format_duration(estimate.seconds)} ({basis})")
    except SettingError as error:
        reason = str(error)
        st.error(f"This cannot be launched: {reason}", icon=":material/block:")
    if st.button(
        "Launch",
        type="primary",
        icon=":material/play_arrow:",
        key="launch",
        disabled=reason is not None,
        width="stretch",
    ):
        try:
            run_id = service.submit(cached.home(), spec)
        except MedprivError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.switch_page("runs.py", query_params={"run": run_id})


def describe_protection(spec: RunSpec, entry: DatasetEntry) -> None:
    """The guarantee in words, with everything that epsilon depends on."""
    if spec.method == "none":
        st.markdown("**No protection.** The network may remember single patients; nothing bounds what it gives away.")
    elif spec.method == "local_dp":
        draw_local_dp(spec)
    else:
        with st.spinner("Working out the privacy budget…"):
            plan = plan_run(spec, train_size=entry.train or 0)
        st.markdown(f"**{dp_sgd_statement(epsilon=plan.epsilon, delta=plan.delta)}**")
        st.markdown(dp_sgd_meaning(epsilon=plan.epsilon, delta=plan.delta))
        st.caption(
            f"Noise multiplier σ = {plan.noise_multiplier:g}, sampling rate {plan.sample_rate:.4g}, {plan.steps:,} "
            "steps. A person with several images is protected less. Test images, the accuracy curves and pictures "
            "given to the model later are not protected."
        )


main()
