"""Which noise: the mechanism, and its strength, given as an amount or as the ε that the picture shall have."""

from __future__ import annotations

import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.catalog import MECHANISMS, USUAL, picture_noise
from medpriv_core.mechanisms.picture_noise import Parameter, PictureNoise
from medpriv_core.mechanisms.strength import with_image_epsilon
from medpriv_core.privacy.statement import format_delta
from medpriv_core.spec import BOUNDS
from pages.parts.explore.glossary import TERMS
from pages.parts.links import from_link, named_in_link, to_link, with_linked
from pages.parts.picture_viewer import dragged_to

BETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 25, 50, 100, 250, 500, 1000)
EPSILONS = (0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
VIEWER = "pictures"  # which follows the slider
BY_BETA, BY_EPSILON = "amount of noise", "ε of the image"
BY = {"beta": BY_BETA, "epsilon": BY_EPSILON}


def choose_noise(shape: tuple[int, int, int]) -> PictureNoise:
    """The controls for it, for a picture of ``shape``. Raises ``SettingError`` if no amount of noise would do."""
    name = st.selectbox(
        "Kind of noise (mechanism)",
        list(MECHANISMS),
        index=list(MECHANISMS).index(from_link("mechanism", list(MECHANISMS), USUAL)),
        format_func=lambda key: MECHANISMS[key].title,
        key="mechanism",
        persist_state="session",
        help="  \n".join(f"**{info.title}**: {info.explanation}" for info in MECHANISMS.values()),
    )
    kind = MECHANISMS[name]
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall")
    own = {one: _choose_number(row, one, known) for one, known in kind.parameters().items()}
    to_link(**own)
    noise = picture_noise(name, beta=1.0, **own)
    by = st.segmented_control(
        "Set it by",
        (BY_BETA, BY_EPSILON),
        default=BY[named_in_link("by", BY, "beta")],
        required=True,
        key="by",
        persist_state="session",
        label_visibility="collapsed",
        width="stretch",
        help="How much noise to add; or how well the whole image is to be protected, and the noise follows.",
    )
    if by == BY_EPSILON:
        epsilon = st.select_slider(
            f"ε of the image (δ = {format_delta(DEFAULT_DELTA)}): more ← noise → less",
            EPSILONS,
            value=from_link("epsilon", EPSILONS, 8),
            format_func=lambda value: f"{value:,}",
            key="epsilon",
            persist_state="session",
            help=f"{TERMS['ε']} 1 to 8 is usual; below 10 counts as protection.  \n{TERMS['δ']}",
        )
        epsilon = next((one for one in EPSILONS if f"{one:,}" == dragged_to(VIEWER)), epsilon)
        noise = with_image_epsilon(noise, epsilon=epsilon, shape=shape, delta=DEFAULT_DELTA)
        to_link(epsilon=epsilon, beta=None)
    else:
        betas = with_linked(BETAS, "beta", low=BOUNDS["beta"][0], high=BOUNDS["beta"][1])
        beta = st.select_slider(
            "Your amount of noise (β): less ← → more",
            betas,
            value=from_link("beta", betas, 0.5),
            key="beta",
            persist_state="session",
            help=f"{TERMS['β']} Of this kind of noise: {kind.beta_term}.",
        )
        beta = next((one for one in betas if str(one) == dragged_to(VIEWER)), beta)
        noise = noise.changed(beta=beta)
        to_link(epsilon=None, beta=beta)
    if st.button("Draw again", icon=":material/casino:", key="redraw", help="New random numbers, same settings."):
        st.session_state["noise_seed"] = noise_seed() + 1
    to_link(mechanism=name, by=None if by == BY_BETA else "epsilon")
    return noise


def noise_seed() -> int:
    """Of the noise on screen; another one when it is drawn again."""
    return int(st.session_state.get("noise_seed", 0))


def _choose_number(row: st.delta_generator.DeltaGenerator, name: str, known: Parameter) -> int:
    options = with_linked(known.options, name, low=known.low, high=known.high)
    return int(
        row.selectbox(
            known.label,
            options,
            index=options.index(from_link(name, options, known.default)),
            key=name,
            persist_state="session",
            width=100 + 3 * len(known.label),
            help=known.help,
        )
    )
