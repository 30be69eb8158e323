"""Can the patient be found? The noised picture against a gallery of pictures of known patients."""

from __future__ import annotations

import numpy as np
import streamlit as st

from medpriv_core.attacks.reidentification import CurvePoint, SuccessRate, identify, success_curves, success_rate
from medpriv_core.attacks.statement import identification_statement
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.datasets.viewing import Gallery
from medpriv_core.figures.identification import identification_figure
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.uploads.fitting import fit
from pages.parts import cached
from pages.parts.badges import origin_badge
from pages.parts.charts import draw_chart
from pages.parts.explore.glossary import draw_terms
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
        "patients asks for which of them the noised one would be most likely; every pixel adds to the answer."
    )
    found = _gallery(scene)
    if found is None:
        st.info(
            "This needs pictures of many patients to compare with: add a dataset on the page Datasets.",
            icon=":material/groups:",
        )
        return
    gallery, name, badge, words = found
    with st.spinner("Comparing the noised picture with every picture of the gallery…"):
        success = _success(scene, gallery)
    st.info(
        identification_statement(success, pictures=len(gallery.pictures), beta=scene.yours.noise.beta),
        icon=":material/person_search:",
    )
    _draw_likeliest(scene, gallery)
    st.caption(f"{badge} {words}")
    draw_terms("gallery", "likelihood", "95 % interval")
    _draw_curves(scene, gallery, name, gallery_words=words)


def _gallery(scene: Scene) -> tuple[Gallery, str, str, str] | None:
    """The pictures to compare with, their dataset, its badge, and words on them; None if no dataset has several."""
    entry, index = scene.chosen.dataset, scene.chosen.index
    worst = (
        "Each trial noises another of them, and the attacker holds the very picture that was noised: the worst case, "
        "in which nothing but the noise protects."
    )
    if entry is not None and index is not None and _has_several(entry):
        size = min(max(scene.picture.shape[:2]), LARGEST_SIDE)
        gallery = cached.gallery(entry.info.name, entry.location, index, size)
        count = len(gallery.pictures)
        words = f"Gallery: {count} training images of {entry.info.title}, squashed to {size} × {size} pixels. {worst}"
        return gallery, entry.info.name, origin_badge(entry.info), words
    entries = {name: one for name, one in cached.available_datasets().items() if _has_several(one)}
    if not entries:
        return None
    names = sorted(entries, key=lambda one: _unlike(entries[one], scene))
    name = st.selectbox(
        "Among the pictures of",
        names,
        format_func=lambda key: entries[key].info.title,
        key="gallery_of",
        persist_state="session",
        width=420,
        help="The picture above is put among those of a dataset, and looked for.",
    )
    picture = fit(scene.picture, LARGEST_SIDE)
    height, width, channels = picture.shape
    others = cached.pictures_to_tell_from(name, entries[name].location, (height, width, channels))
    info = entries[name].info
    words = (
        f"Gallery: the picture above and {len(others)} training images of {info.title}, squashed "
        f"to its {width} × {height} pixels{' and turned grey' if channels == 1 < info.channels else ''}. {worst} The "
        "less the picture above is like them (another device, another part of the body), the easier it is to find."
    )
    return Gallery(np.concatenate([picture[np.newaxis], others]), 0), name, origin_badge(info), words


def _unlike(entry: DatasetEntry, scene: Scene) -> tuple[bool, bool]:
    """The least for real pictures of as many colours."""
    return entry.info.channels != scene.picture.shape[2], entry.info.synthetic


def _has_several(entry: DatasetEntry) -> bool:
    return sum(entry.train_counts or ()) > 1


def _draw_likeliest(scene: Scene, gallery: Gallery) -> None:
    noise, rng = scene.yours.noise, np.random.default_rng((scene.yours.seed, 200))
    release = noise.release(to_unit(gallery.pictures[gallery.place]), rng)
    found = identify(release, gallery.pictures, gallery.place, noise)
    st.markdown(
        f"**One trial**, with the picture above: it comes {_ordinal(found.rank)} of {len(gallery.pictures)}. "
        "The likeliest, in order:"
    )
    row = st.container(horizontal=True, gap="small", key="pixels_likeliest")
    for number, place in enumerate(found.order[:LIKELIEST], start=1):
        column = row.container(width=THUMBNAIL, gap="xsmall")
        right = place == gallery.place
        column.image(encode_png(gallery.pictures[place]), width=THUMBNAIL, alt=f"Likeliest picture {number}")
        column.caption("**the right one**" if right else "another picture")


def _draw_curves(scene: Scene, gallery: Gallery, name: str, *, gallery_words: str) -> None:
    st.markdown("**More noise protects; more pixels betray**")
    with st.spinner("Trying other sizes and amounts of noise… (some seconds the first time)"):
        noise = scene.yours.noise.changed(beta=1.0)
        points = _points((*scene.chosen.key, name), noise.to_dict(), scene.yours.seed, gallery.pictures, noise)
    draw_chart(
        identification_figure(points),
        key="identification",
        name="How often the patient is found",
        alt="; ".join(
            f"{p.shape[1]} by {p.shape[0]} pixels, β {p.beta:g}: found in {p.success.rate:.0%}" for p in points
        ),
        caption=(f"{noise.title}; {points[0].success.draws} trials each, bars are 95 % intervals", gallery_words),
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


# They do not depend on the amount of noise that is chosen, so moving it need not wait for them.
@st.cache_data(max_entries=8, show_spinner=False, scope="session")
def _points(
    key: tuple[str | float | None, ...],  # noqa: ARG001  # what the cache tells galleries apart by
    settings: dict[str, str | float],  # noqa: ARG001  # and noises
    seed: int,
    _gallery: np.ndarray,
    _noise: PictureNoise,
) -> list[CurvePoint]:
    return list(success_curves(_gallery, _noise, betas=CURVE_BETAS, sides=CURVE_SIDES, seed=seed))


def _success(scene: Scene, gallery: Gallery) -> SuccessRate:
    return success_rate(gallery.pictures, scene.yours.noise, draws=100, seed=scene.yours.seed)


def _ordinal(number: int) -> str:
    return "first" if number == 1 else f"in place {number}"
