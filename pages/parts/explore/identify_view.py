"""Can the patient be found? The noised picture against a gallery of pictures of known patients."""

from __future__ import annotations

import numpy as np
import streamlit as st

from medpriv_core.attacks import trials
from medpriv_core.attacks.reidentification import CurvePoint, identify, success_curves
from medpriv_core.attacks.statement import identification_statement
from medpriv_core.datasets.viewing import Gallery
from medpriv_core.figures.identification import identification_figure
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.progress import ProgressCallback
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.charts import draw_chart
from pages.parts.explore.gallery_choice import CHOSEN, gallery_names, gallery_of, trials_key, trials_of
from pages.parts.explore.glossary import draw_terms
from pages.parts.explore.scene import Scene
from pages.parts.picture_viewer import encode_png

CURVE_SIDES = (32, 64, 128)
CURVE_BETAS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
LIKELIEST, THUMBNAIL = 5, 110


def draw(scene: Scene) -> None:
    """One release and its likeliest owners, the success over many trials, and how it depends on noise and size."""
    st.markdown(
        "The noised image need not be recognisable to betray whose it is. An attacker who holds images of many "
        "patients asks for which of them the noised one would be most likely; every pixel adds to the answer."
    )
    names = gallery_names(scene)
    if names:
        st.selectbox(
            "Among the images of",
            names,
            format_func=lambda key: cached.available_datasets()[key].info.title,
            key=CHOSEN,
            persist_state="session",
            width=420,
            help="The image above is put among those of a dataset, and looked for.",
        )
    found = gallery_of(scene)
    if found is None:
        st.info(
            "This needs images of many patients to compare with: add a dataset on the page Datasets.",
            icon=":material/groups:",
        )
        return
    gallery = found.gallery
    with st.spinner("Comparing the noised image with every image of the gallery…"):
        if scene.chosen.dataset is None:
            *_, success = trials_of(scene)()
        else:
            known = trials.count_now(trials_key(scene), trials_of(scene))
            assert known.success is not None
            success = known.success
    st.info(
        identification_statement(success, pictures=len(gallery.pictures), beta=scene.yours.noise.beta),
        icon=":material/person_search:",
    )
    _draw_likeliest(scene, gallery)
    st.caption(f"{found.badge} {for_markdown(found.words)}")
    draw_terms("gallery", "likelihood", "95% interval")
    height, width = gallery.pictures.shape[1:3]
    yours = CurvePoint(scene.yours.noise.beta, (height, width), success)
    _draw_curves(scene, gallery, found.name, yours, gallery_words=found.words)


def _draw_likeliest(scene: Scene, gallery: Gallery) -> None:
    noise, rng = scene.yours.noise, np.random.default_rng((scene.yours.seed, 200))
    release = noise.release(to_unit(gallery.pictures[gallery.place]), rng)
    found = identify(release, gallery.pictures, gallery.place, noise)
    st.markdown(
        f"**One trial**, with the image above: it comes {_ordinal(found.rank)} of {len(gallery.pictures)}. "
        "The likeliest, in order:"
    )
    row = st.container(horizontal=True, gap="small", key="pixels_likeliest")
    for number, place in enumerate(found.order[:LIKELIEST], start=1):
        column = row.container(width=THUMBNAIL, gap="xsmall")
        right = place == gallery.place
        column.image(encode_png(gallery.pictures[place]), width=THUMBNAIL, alt=f"Likeliest image {number}")
        column.caption("**the right one**" if right else "another image")


def _draw_curves(scene: Scene, gallery: Gallery, name: str, yours: CurvePoint, *, gallery_words: str) -> None:
    st.markdown("**More noise protects; more pixels betray**")
    place, noise = st.empty(), scene.yours.noise.changed(beta=1.0)

    def progress(phase: str, done: int, total: int) -> None:
        # What is drawn here also lets a newer choice of the visitor end this run of the page.
        place.progress(done / total, f"{phase}: {done} of {total}")

    points = _points(
        (*scene.chosen.key, name),
        noise.to_dict(),
        scene.yours.seed,
        gallery.pictures,
        noise,
        cached.beside_caches(progress),
    )
    place.empty()
    draw_chart(
        identification_figure(points, yours),
        key="identification",
        name="How often the patient is found",
        alt="; ".join(
            f"{p.shape[1]} by {p.shape[0]} pixels, β {p.beta:g}: found in {p.success.rate:.0%}"
            for p in (*points, yours)
        ),
        caption=(f"{noise.title}; {points[0].success.draws} trials each, bars are 95% intervals", gallery_words),
    )
    with st.expander("The same numbers"):
        st.dataframe(
            [
                {
                    "pixels": f"{p.shape[1]} × {p.shape[0]}",
                    "β": p.beta,
                    "found": f"{p.success.found} of {p.success.draws}",
                    "95% interval": f"{p.success.interval[0]:.1%} to {p.success.interval[1]:.1%}",
                }
                for p in (*points, yours)
            ],
            hide_index=True,
            width="content",
        )


# They do not depend on the amount of noise that is chosen, so moving it need not wait for them.
@st.cache_data(max_entries=8, show_spinner=False, scope="session")
def _points(
    key: tuple[str | float | None, ...],  # noqa: ARG001  # what the cache tells galleries apart by
    settings: dict[str, str | float],  # noqa: ARG001  # and noises
    seed: int,
    _gallery: np.ndarray,
    _noise: PictureNoise,
    _progress: ProgressCallback,
) -> list[CurvePoint]:
    points: list[CurvePoint] = []
    for point in success_curves(_gallery, _noise, betas=CURVE_BETAS, sides=CURVE_SIDES, seed=seed):
        points.append(point)
        _progress("Trying sizes and amounts of noise", len(points), len(CURVE_BETAS) * len(CURVE_SIDES))
    return points


def _ordinal(number: int) -> str:
    return "first" if number == 1 else f"in place {number}"
