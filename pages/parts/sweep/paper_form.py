"""The form of the paper's grid: which images, what learns, which noise, how many seeds."""

from __future__ import annotations

import streamlit as st

from medpriv_core.presets import authors_noise
from medpriv_core.spec import BOUNDS
from medpriv_core.sweeps.paper import (
    EPOCHS,
    FULL_IMAGE_SIZE,
    MULTIPLIERS,
    PAPER_DRAWS,
    PAPER_TRAINABLE,
    paper_grid,
    paper_title,
)
from medpriv_core.sweeps.service import LONGEST_TITLE
from pages.parts.sweep.request import Request, choose_dataset, choose_device, choose_weights, write_title
from pages.parts.words import offered

SIZES = (32, 64, 96, 128, 160, 224, 256)
MOST_SEEDS = 50


def draw() -> Request:
    """The controls; raises ``SettingError`` or ``DatasetError`` for what cannot be."""
    st.caption(
        "No privacy, noise on the images (Local-DP) and noise on the gradients (DP-SGD), each with β = 1, 2 and 4: the "
        "cells of the paper's Figures 3 and 4. DP-SGD is trained so that its ε holds, unlike the authors' own runs."
    )
    left, right = st.columns(2)
    entry = choose_dataset(left, key="sweep_paper_dataset")
    weights = choose_weights(right, key="sweep_paper_weights")
    left, right = st.columns(2)
    trainable = left.segmented_control(
        "Trainable layers",
        PAPER_TRAINABLE,
        format_func=lambda name: offered("trainable")[name],
        default="head",
        required=True,
        key="sweep_paper_trainable",
        persist_state="session",
        help="The last layer: seconds a run, once the frozen network has looked at each image. All layers: by the "
        "paper's text, minutes to hours a run.",
    )
    seeds = right.number_input(
        "Seeds",
        1,
        MOST_SEEDS,
        3,
        key="sweep_paper_seeds",
        persist_state="session",
        help="Runs of each cell. Several show how much is chance; of DP-SGD, each is one more release.",
    )
    draws = st.pills(
        "Noise of Local-DP",
        list(offered("noise_draw")),
        format_func=lambda name: offered("noise_draw")[name],
        selection_mode="multi",
        default=PAPER_DRAWS,
        key="sweep_paper_draws",
        persist_state="session",
        help="The paper's text means Laplace per pixel; its published code did Laplace per image.",
    )
    noise = authors_noise(ordered=entry.info.ordered)
    titles = {
        "authors": "As the authors ran it (σ " + ", ".join(f"{sigma:g}" for sigma in noise.values()) + ")",
        "text": "As the text reads (σ = β)",
    }
    # Not a row of segments: on a narrow window it would be cut off.
    multipliers = st.radio(
        "Noise of DP-SGD for β = 1, 2, 4",
        MULTIPLIERS,
        format_func=lambda name: titles[name],
        key="sweep_paper_multipliers",
        persist_state="session",
        help="What the paper calls β is a label: the authors' published notebooks ran these noise multipliers, found "
        "for claims of ε = 1, 0.5 and 0.25.",
    )
    assert trainable is not None
    with st.expander("More settings", icon=":material/tune:"):
        left, right = st.columns(2)
        size = left.select_slider(
            "Pixels a side",
            SIZES,
            value=224 if trainable == "head" else FULL_IMAGE_SIZE,
            key=f"sweep_paper_size_{trainable}",
            persist_state="session",
            help="The paper has 256 for all layers, which takes hours a run without a graphics card.",
        )
        low, high = (int(bound) for bound in BOUNDS["epochs"])
        epochs = right.number_input("Epochs", low, high, EPOCHS, key="sweep_paper_epochs", persist_state="session")
        device = choose_device(left, key="sweep_paper_device")
        default = paper_title(entry.info.name, trainable)
        title = write_title(right, default=default, limit=LONGEST_TITLE, key="sweep_paper_title")
    grid = paper_grid(
        entry.info.name,
        train_size=entry.train or 0,
        seeds=seeds,
        noise_draws=draws,
        trainable=trainable,
        image_size=size,
        epochs=epochs,
        noise_multipliers=multipliers,
        weights=weights,
        device=device,
    )
    return Request(grid, title)
