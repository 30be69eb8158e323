"""Which noise: the mechanism, and its strength, given as an amount or as the ε that the picture shall have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.catalog import MECHANISMS, make_mechanism
from medpriv_core.mechanisms.mechanism import Mechanism
from medpriv_core.privacy.image_cells import MAX_BLOCK, MAX_CHANGED_PIXELS
from medpriv_core.privacy.image_epsilon import beta_for_image_epsilon
from medpriv_core.privacy.statement import format_delta
from medpriv_core.spec import BOUNDS
from pages.parts.explore.terms import TERMS
from pages.parts.links import from_link, to_link, with_linked

BETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 25, 50, 100, 250, 500, 1000)
EPSILONS = (0.1, 0.5, 1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
BLOCKS = (2, 4, 8, 16, 32)
CHANGED = (1, 4, 16, 64, 256)
BY_BETA, BY_EPSILON = "amount of noise", "ε of the picture"


@dataclass(frozen=True)
class Noise:
    """The mechanism and all that it needs; ``seed`` changes when the noise is drawn again."""

    name: str
    beta: float
    block: int
    changed_pixels: int
    seed: int

    def mechanism(self) -> Mechanism:
        """The mechanism itself."""
        return make_mechanism(self.name, beta=self.beta, block=self.block, changed_pixels=self.changed_pixels)

    def changed(self, **values: str | float) -> Noise:
        """The same with some values replaced."""
        return replace(self, **values)  # type: ignore[arg-type]


def choose_noise(shape: tuple[int, int, int]) -> Noise:
    """The controls for it, for a picture of ``shape``. Raises ``SettingError`` if no amount of noise would do."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    name = row.selectbox(
        "Kind of noise (mechanism)",
        list(MECHANISMS),
        index=list(MECHANISMS).index(from_link("mechanism", list(MECHANISMS), "laplace_per_pixel")),
        format_func=lambda key: MECHANISMS[key].title,
        key="mechanism",
        persist_state="session",
        width=330,
        help="  \n".join(f"**{info.title}**: {info.explanation}" for info in MECHANISMS.values()),
    )
    block, changed_pixels = 8, 16
    if name == "dp_pix":
        block, changed_pixels = _choose_cells(row)
    by = row.segmented_control(
        "Set it by",
        (BY_BETA, BY_EPSILON),
        default=from_link("by", (BY_BETA, BY_EPSILON), BY_BETA),
        required=True,
        key="by",
        persist_state="session",
        help="How much noise to add; or how well the whole picture shall be protected, and the noise follows.",
    )
    if by == BY_EPSILON:
        epsilon = row.select_slider(
            f"ε of the whole picture (δ = {format_delta(DEFAULT_DELTA)}): more noise ← → sharper",
            EPSILONS,
            value=from_link("epsilon", EPSILONS, 8),
            format_func=lambda value: f"{value:,}",
            key="epsilon",
            persist_state="session",
            width=380,
            help=f"{TERMS['ε']} 1 to 8 is usual; below 10 counts as protection.  \n{TERMS['δ']}",
        )
        beta = beta_for_image_epsilon(
            name, epsilon=epsilon, shape=shape, delta=DEFAULT_DELTA, block=block, changed_pixels=changed_pixels
        )
        to_link(epsilon=epsilon, beta=None)
    else:
        betas = with_linked(BETAS, "beta", low=BOUNDS["beta"][0], high=BOUNDS["beta"][1])
        beta = row.select_slider(
            "Your amount of noise (β): sharper ← → more noise",
            betas,
            value=from_link("beta", betas, 0.5),
            key="beta",
            persist_state="session",
            width=380,
            help=f"{TERMS['β']} Of this kind of noise: {MECHANISMS[name].beta_term}.",
        )
        to_link(epsilon=None, beta=beta)
    if row.button("Draw again", icon=":material/casino:", key="redraw", help="New random numbers, same settings."):
        st.session_state["noise_seed"] = st.session_state.get("noise_seed", 0) + 1
    to_link(mechanism=name, by=None if by == BY_BETA else by)
    info = MECHANISMS[name]
    st.caption(f"{info.explanation} In a formula: `{info.formula}`")
    return Noise(name, float(beta), block, changed_pixels, st.session_state.get("noise_seed", 0))


def _choose_cells(row: st.delta_generator.DeltaGenerator) -> tuple[int, int]:
    block = _choose_number(
        row,
        "Cell side (pixels)",
        BLOCKS,
        name="block",
        usual=8,
        most=MAX_BLOCK,
        width=130,
        words="The picture is cut into square cells, and each shows its mean.",
    )
    changed_pixels = _choose_number(
        row,
        "Hides changes of up to … pixels (m)",
        CHANGED,
        name="changed_pixels",
        usual=16,
        most=MAX_CHANGED_PIXELS,
        width=190,
        words="Two pictures count as neighbours if they differ in at most this many pixels.",
    )
    to_link(block=block, changed_pixels=changed_pixels)
    return block, changed_pixels


def _choose_number(
    row: st.delta_generator.DeltaGenerator,
    label: str,
    usual_options: tuple[int, ...],
    *,
    name: str,
    usual: int,
    most: int,
    width: int,
    words: str,
) -> int:
    options = with_linked(usual_options, name, low=1, high=most)
    return int(
        row.selectbox(
            label,
            options,
            index=options.index(from_link(name, options, usual)),
            key=name,
            persist_state="session",
            width=width,
            help=words,
        )
    )
