"""What the noise does to the diagnosis: a trained run's opinion of the original, the noised and the undone picture."""

from __future__ import annotations

import numpy as np
import streamlit as st

from medpriv_core.attacks.undo import attackers_choice
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.mechanisms.comparison import noise_alone
from medpriv_core.runs.diagnosis import TrainedRun, diagnose, runs_for_diagnosis
from medpriv_core.runs.likeness import likeness, training_measures
from medpriv_core.shown_text import for_cell, for_markdown
from pages.parts import cached
from pages.parts.explore.network_offer import draw_ways_to_train, draw_without_network
from pages.parts.explore.scene import Scene, is_quick
from pages.parts.explore.undo_view import attempts_of
from pages.parts.guarantee import draw_verdict

NOISE_ALONE_PLACE = 300  # no picture on screen has it


def draw(scene: Scene) -> None:
    """Choose a finished run and see what its network says."""
    runs = _runs(scene)
    if not runs:
        draw_without_network(scene)
        return
    own = scene.chosen.dataset is None
    name, run = st.selectbox(
        "Trained network",
        runs,
        format_func=lambda one: f"{_title(one[0])}: {one[1].title}" if own else one[1].title,
        key=f"diagnosing_run_{scene.chosen.dataset_name}",
        width=620,
        help="A finished run with the images of this dataset; for an image of your own, of any.",
    )
    if own and cached.available_datasets()[name].info.synthetic:
        st.warning(
            "This network learned from drawings. Of a real image it knows nothing, so no figures are shown: they "
            "would look like a diagnosis and be none. Train a network on real images of the same kind.",
            icon=":material/warning:",
        )
        draw_ways_to_train(scene)
        return
    if own:
        st.warning(
            f"This network knows images like those of {for_markdown(_title(name))} alone. It names one of its "
            "classes for any image, also for one of another kind, or for nothing but noise: look at the last row.",
            icon=":material/warning:",
        )
        _draw_unlike(scene, run, name)
    if run.verdict is not None:
        draw_verdict(run.verdict, prefix="This network's training images: ")
    with st.spinner("Asking the network… (a few seconds the first time)"):
        undone = attackers_choice(attempts_of(scene))
        pictures = {
            "Original": scene.picture,
            "Noised": scene.yours.panel.pixels,
            f"Undone ({undone.title})": undone.picture,
            "Noise alone": _noise_alone(scene),
        }
        diagnosis = diagnose(cached.home(), run.id, list(pictures.values()))
    classes = [for_cell(name) for name in diagnosis.classes]
    st.dataframe(
        [
            {
                "image": title,
                "the network says": classes[int(row.argmax())],
                **{name: 100 * float(share) for name, share in zip(classes, row, strict=True)},
            }
            for title, row in zip(pictures, diagnosis.probabilities, strict=True)
        ],
        hide_index=True,
        width="content",
        column_config={
            name: st.column_config.ProgressColumn(name, format="%.1f %%", min_value=0, max_value=100)
            for name in classes
        },
    )
    if scene.chosen.dataset is not None and len(scene.chosen.dataset.info.classes) > 1:
        st.markdown(f"The dataset says: **{for_markdown(scene.chosen.label)}**. It is one of the images to train on.")
    st.caption(for_markdown(diagnosis.caveat))


def _draw_unlike(scene: Scene, run: TrainedRun, dataset: str) -> None:
    """Say it where a picture from elsewhere is sharper, darker and so on than all that the network knows."""
    location = cached.identity(cached.available_datasets()[dataset])
    typical = cached.training_measures(run.id, location, lambda: training_measures(cached.home(), run))
    if said := likeness(run, typical, scene.picture).sentence:
        st.warning(for_markdown(said), icon=":material/compare:")


def _noise_alone(scene: Scene) -> np.ndarray:
    """The same amount of noise on nobody's picture."""
    noise = scene.yours.noise
    # Exact noise would be slow to draw for a large picture, and no other to look at.
    alike = noise if is_quick(noise, scene.chosen) else LaplacePerPixel(noise.beta)
    return noise_alone(scene.picture.shape, alike, seed=(scene.yours.seed, NOISE_ALONE_PLACE))


def _runs(scene: Scene) -> list[tuple[str, TrainedRun]]:
    """The networks that can be asked, each with the name of its dataset."""
    dataset = scene.chosen.dataset
    names = list(cached.available_datasets()) if dataset is None else [dataset.info.name]
    return [(name, run) for name in names for run in runs_for_diagnosis(cached.home(), name)]


def _title(dataset: str) -> str:
    return cached.available_datasets()[dataset].info.title
