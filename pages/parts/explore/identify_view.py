"""Can the patient be found? The noised picture against a gallery of pictures of the same dataset."""

from __future__ import annotations

import numpy as np
import streamlit as st

from medpriv_core.attacks.reidentification import SuccessRate, identify, success_curves, success_rate
from medpriv_core.attacks.statement import identification_statement
from medpriv_core.datasets.viewing import Gallery
from medpriv_core.figures.identification import identification_figure
from medpriv_core.mechanisms.laplace import to_unit
from pages.parts import cached
from pages.parts.explore.scene import Scene
from pages.parts.picture_viewer import encode_png

LARGEST_SIDE = 224
CURVE_SIDES = (32, 64, 128)
CURVE_BETAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
LIKELIEST, THUMBNAIL = 5, 110


def draw(scene: Scene) -> None:
    """One release and its likeliest owners, the success over many trials, and how it depends on noise and size."""
    st.markdown(
        "The noised picture need not be recognisable to betray whose it is. An attacker who holds pictures of many "
        "patients asks which of them makes the noised one most likely; every pixel adds to the answer."
    )
    entry, index = scene.chosen.dataset, scene.chosen.index
    if entry is None or index is None or sum(entry.train_counts or ()) < 2:
        st.info(
            "This needs pictures of many patients: choose a dataset with more than one picture above.",
            icon=":material/groups:",
        )
        return
    size = min(max(scene.picture.shape[:2]), LARGEST_SIDE)
    gallery = cached.gallery(entry.info.name, entry.location, index, size)
    with st.spinner("Comparing the noised picture with every picture of the gallery…"):
        success = _success(scene, gallery)
    st.info(
        identification_statement(success, pictures=len(gallery.pictures), beta=scene.yours.noise.beta),
        icon=":material/person_search:",
    )
    _draw_likeliest(scene, gallery)
    st.markdown("**More noise protects; more pixels betray**")
    noise = scene.yours.noise
    points = list(
        success_curves(
            gallery.pictures,
            lambda beta: noise.changed(beta=beta).mechanism(),
            betas=CURVE_BETAS,
            sides=CURVE_SIDES,
            seed=noise.seed,
        )
    )
    st.plotly_chart(
        identification_figure(points),
        key="identification",
        alt="; ".join(
            f"{p.shape[1]} by {p.shape[0]} pixels, β {p.beta:g}: found in {p.success.rate:.0%}" for p in points
        ),
        config={"displayModeBar": False},
    )
    with st.expander("The same numbers"):
        st.dataframe(
            [
                {
                    "pixels": f"{p.shape[1]} × {p.shape[0]}",
                    "β": p.beta,
                    "found": f"{p.success.found} of {p.success.draws}",
                    "95 % interval": f"{p.success.interval[0]:.1%} to {p.success.interval[1]:.1%}",
                }
                for p in points
            ],
            hide_index=True,
            width="content",
        )
    st.caption(
        f"Gallery: {len(gallery.pictures)} training images of this dataset, squashed to {size} × {size} pixels, each "
        "the very picture that was noised. That is the worst case, in which nothing but the noise protects. The "
        "attacker takes the likeliest one (maximum likelihood)."
    )


def _draw_likeliest(scene: Scene, gallery: Gallery) -> None:
    mechanism, noise = scene.yours.panel.mechanism, scene.yours.noise
    release = mechanism.release(to_unit(gallery.pictures[gallery.place]), np.random.default_rng((noise.seed, 200)))
    found = identify(release, gallery.pictures, gallery.place, mechanism)
    st.markdown(
        f"**One trial**: the right picture comes {_ordinal(found.rank)} of {len(gallery.pictures)}. "
        "The likeliest, in order:"
    )
    row = st.container(horizontal=True, gap="small", key="pixels_likeliest")
    for number, place in enumerate(found.order[:LIKELIEST], start=1):
        column = row.container(width=THUMBNAIL, gap="xsmall")
        right = place == gallery.place
        column.image(encode_png(gallery.pictures[place]), width=THUMBNAIL, alt=f"Likeliest picture {number}")
        column.caption("**the right one**" if right else "another picture")


def _success(scene: Scene, gallery: Gallery) -> SuccessRate:
    return success_rate(gallery.pictures, scene.yours.panel.mechanism, draws=100, seed=scene.yours.noise.seed)


def _ordinal(number: int) -> str:
    return "first" if number == 1 else f"in place {number}"
