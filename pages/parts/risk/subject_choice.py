"""Of what the risk is: a training that may be done, noised images, one's own runs, or an ε from elsewhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import streamlit as st

from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.catalog import MECHANISMS, USUAL, picture_noise
from medpriv_core.privacy.dp_sgd import MAX_IMAGES_PER_PATIENT
from medpriv_core.privacy.image_epsilon import MAX_COPIES
from medpriv_core.privacy.plan import DpSgdPlan
from medpriv_core.privacy.risk_subject import (
    RiskSubject,
    plan_of_settings,
    subject_of_images,
    subject_of_plan,
    subject_of_point,
)
from medpriv_core.privacy.statement import SAMPLING_WORDS, format_delta
from medpriv_core.results.risk_subjects import AskedRuns, subject_of_dataset, subject_of_run, subject_of_runs
from medpriv_core.runs import service
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell
from medpriv_core.spec import BOUNDS, SETTINGS
from medpriv_core.unit import Unit
from pages.parts import cached
from pages.parts.links import from_link, number_from_link, to_link, with_linked
from pages.parts.risk.link import ASKED
from pages.parts.runs.states import distinct_names

NOISES = (0, 0.3, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 20, 50, 100, 1000)
BETAS = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 4, 8, 16, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000)
SIZES = ("28x28", "64x64", "112x112", "128x128", "224x224", "256x256", "512x512", "1024x1024")
LONGEST_SIDE = 20_000
DELTAS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)
EPSILONS = (0.1, 0.2, 0.5, 1, 2, 3, 4, 6, 8, 10, 16, 32, 100, 1000, 10**6, 10**9)
OF = {"training": "A training", "images": "Noised images", "run": "A run", "runs": "Several runs", "epsilon": "An ε"}
# What the address says of each.
LINKED = {
    "training": "sigma n batch epochs sampling unit delta images",
    "images": "mechanism beta size channels delta copies about",
    "run": "run",
    "runs": "runs",
    "epsilon": "epsilon delta unit",
}
MOST_RECORDS = 10**9
CHOSEN, EVERY, GIVEN = "those that I choose", "all ever trained here", "all that were given away"


@dataclass(frozen=True)
class Asked:
    """What was chosen.

    subject  None where there is nothing to choose from yet
    notes    what must be said beside it
    plan     of a training, which has so many epochs in batches of so many
    run      the one run
    """

    subject: RiskSubject | None
    notes: tuple[str, ...] = ()
    plan: DpSgdPlan | None = None
    epochs: int = 0
    batch: int = 0
    run: str | None = None


def choose_subject() -> Asked:
    """The controls, and what they stand for. Raises ``MedprivError`` for settings of which nothing can be said."""
    # By a link, what it asks counts, and no earlier choice of this visit.
    if st.query_params.pop(ASKED, None) is not None:
        for key in [key for key in st.session_state if str(key).startswith("risk_")]:
            del st.session_state[key]
    linked = "runs" if "runs" in st.query_params else "run" if "run" in st.query_params else "training"
    of = st.segmented_control(
        "Of",
        list(OF),
        default=from_link("of", list(OF), linked),
        format_func=lambda name: OF[name],
        required=True,
        key="risk_of",
        persist_state="session",
        label_visibility="collapsed",
    )
    to_link(of=of)
    own = LINKED[of].split()
    to_link(**{name: None for names in LINKED.values() for name in names.split() if name not in own})
    choices: dict[str, Callable[[], Asked]] = {
        "training": choose_training,
        "images": choose_images,
        "run": choose_run,
        "runs": choose_runs,
        "epsilon": choose_epsilon,
    }
    return choices[of]()


def choose_training() -> Asked:
    """Noise, records, batch and epochs of DP-SGD."""
    noises = with_linked(NOISES, "sigma", low=0, high=BOUNDS["noise_multiplier"][1])
    noise = st.select_slider(
        "Noise multiplier (σ): less ← → more",
        noises,
        value=from_link("sigma", noises, 1),
        key="risk_sigma",
        persist_state="session",
        help="Standard deviation of the noise on each step, in clipping norms. 0 is training without privacy.",
    )
    left, right = st.columns(2)
    records = _whole(left, "n", "Training records", 5232, 1, MOST_RECORDS)
    batch = _whole(right, "batch", "Batch size", 128, 1, MOST_RECORDS)
    epochs = _whole(left, "epochs", "Epochs", 50, 1, int(BOUNDS["epochs"][1]))
    unit = _unit(right)
    with st.expander("Sampling, δ, several images", icon=":material/tune:"):
        samplings = list(SAMPLING_WORDS)
        sampling = st.selectbox(
            "Sampling",
            samplings,
            index=samplings.index(from_link("sampling", samplings, "poisson")),
            format_func=lambda name: SAMPLING_WORDS[name],
            key="risk_sampling",
            persist_state="session",
            help=SETTINGS["sampling"].help,
        )
        delta = _delta(st.container())
        images = 1
        if unit == "image":
            images = _whole(st.container(), "images", "Images of one patient", 1, 1, MAX_IMAGES_PER_PATIENT)
    plan = plan_of_settings(
        train_size=records,
        batch_size=batch,
        epochs=epochs,
        noise_multiplier=float(noise),
        delta=delta,
        sampling=sampling,
        unit=unit,
    )
    to_link(sigma=noise, n=records, batch=batch, epochs=epochs, sampling=sampling, unit=unit, delta=delta)
    to_link(images=images if images > 1 else None)
    return Asked(subject_of_plan(plan, images_per_patient=images), plan=plan, epochs=epochs, batch=batch)


def choose_images() -> Asked:
    """Mechanism and amount of noise, size and copies of the image."""
    name = st.selectbox(
        "Kind of noise (mechanism)",
        list(MECHANISMS),
        index=list(MECHANISMS).index(from_link("mechanism", list(MECHANISMS), USUAL)),
        format_func=lambda key: MECHANISMS[key].title,
        key="risk_mechanism",
        persist_state="session",
    )
    betas = with_linked(BETAS, "beta", low=BOUNDS["beta"][0], high=BOUNDS["beta"][1])
    beta = st.select_slider(
        "Amount of noise (β): less ← → more",
        betas,
        value=from_link("beta", betas, 1),
        key="risk_beta",
        persist_state="session",
        help=f"Of this kind of noise: {MECHANISMS[name].beta_term}.",
    )
    left, right = st.columns(2)
    sizes = _sizes()
    size = left.selectbox(
        "Size in pixels", sizes, index=sizes.index(from_link("size", sizes, "224x224")), key="risk_size",
        format_func=lambda size: size.replace("x", " × "), persist_state="session",
    )  # fmt: skip
    channels = right.selectbox(
        "Colours", (1, 3), index=(1, 3).index(from_link("channels", (1, 3), 1)), key="risk_channels",
        format_func=lambda count: "grey" if count == 1 else "red, green, blue", persist_state="session",
    )  # fmt: skip
    copies = _whole(left, "copies", "Noised copies", 1, 1, MAX_COPIES)
    delta = _delta(right)
    whole, pixel = "the whole image", "one pixel"
    asked = st.segmented_control(
        "About", (whole, pixel), default=pixel if st.query_params.get("about") == "pixel" else whole, required=True,
        key="risk_about", persist_state="session",
        help="Two images that may differ in everything, or in one pixel (of a colour image: in one value).",
    )  # fmt: skip
    noise = picture_noise(name, beta=float(beta))
    width, height = map(int, size.split("x"))
    guarantee = noise.guarantee((height, width, channels), delta=delta, copies=copies)
    to_link(mechanism=name, beta=beta, size=size, channels=channels, delta=delta)
    to_link(copies=copies if copies > 1 else None, about="pixel" if asked == pixel else None)
    notes = () if math.isfinite(guarantee.epsilon_image) else (guarantee.why_none,)
    return Asked(subject_of_images(guarantee, asked="pixel" if asked == pixel else "image"), notes=notes)


def _sizes() -> tuple[str, ...]:
    """Width by height: the usual ones, and those that the address asked for in this session."""
    asked: set[str] = st.session_state.setdefault("linked_risk_size", set())
    wanted = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", st.query_params.get("size", ""))
    if wanted and max(int(side) for side in wanted.groups()) <= LONGEST_SIDE:
        asked.add(wanted[0])
    return tuple(sorted({*SIZES, *asked}, key=lambda size: math.prod(map(int, size.split("x")))))


def choose_run() -> Asked:
    """One of the runs that have settings."""
    runs = _runs()
    if not runs:
        st.info("No runs yet. Train one, or look at a training that may be done.", icon=":material/hourglass_empty:")
        return Asked(None)
    names, ids = distinct_names(runs), [run.id for run in runs]
    chosen = st.selectbox(
        "Run", ids, index=ids.index(from_link("run", ids, ids[0])), format_func=lambda one: for_cell(names[one]),
        key="risk_run", persist_state="session",
    )  # fmt: skip
    to_link(run=chosen)
    asked = subject_of_run(cached.home(), next(run for run in runs if run.id == chosen))
    return Asked(asked.subject, asked.notes, run=chosen)


def choose_runs() -> Asked:
    """Several runs, or all networks on the images of one dataset."""
    private = [run for run in _runs() if run.spec is not None and run.spec.method != "local_dp"]
    which = st.radio("Networks", (CHOSEN, EVERY, GIVEN), key="risk_which", persist_state="session")
    datasets = sorted({run.spec.dataset for run in private if run.spec is not None})
    if not datasets:
        st.info("No network was trained here yet.", icon=":material/hourglass_empty:")
        return Asked(None)
    if which == CHOSEN:
        asked: AskedRuns | None = _choose_several(private)
    else:
        titles = {name: entry.info.title for name, entry in cached.available_datasets().items()}
        dataset = st.selectbox(
            "Dataset", datasets, format_func=lambda name: for_cell(titles.get(name, name)), key="risk_dataset",
            persist_state="session",
        )  # fmt: skip
        asked = subject_of_dataset(cached.home(), dataset, given_away=which == GIVEN)
        if asked is None:
            st.info("There is no such network of this dataset.", icon=":material/hourglass_empty:")
    return Asked(None) if asked is None else Asked(asked.subject, asked.notes)


def _choose_several(private: Sequence[RunSummary]) -> AskedRuns | None:
    names, ids = distinct_names(private), [run.id for run in private]
    linked = [name for name in st.query_params.get("runs", "").split(",") if name in ids]
    chosen = st.multiselect(
        "Runs", ids, default=linked, format_func=lambda one: for_cell(names[one]), key="risk_runs",
        persist_state="session",
    )  # fmt: skip
    to_link(runs=",".join(chosen) or None)
    if len(chosen) < 2:
        st.caption("Choose at least two runs of one dataset.")
        return None
    return subject_of_runs([run for run in private if run.id in chosen])


def choose_epsilon() -> Asked:
    """An ε that was published somewhere, with its δ."""
    epsilons = with_linked(EPSILONS, "epsilon", low=0, high=1e9)
    epsilon = st.select_slider(
        "ε: more private ← → less",
        epsilons,
        value=from_link("epsilon", epsilons, 8),
        format_func=lambda value: f"{value:,}",
        key="risk_epsilon",
        persist_state="session",
    )
    left, right = st.columns(2)
    delta, unit = _delta(left), _unit(right)
    to_link(epsilon=epsilon, delta=delta, unit=unit)
    return Asked(subject_of_point(epsilon=float(epsilon), delta=delta, unit=unit))


def _runs() -> list[RunSummary]:
    return [run for run in service.list_runs(cached.home()) if run.spec is not None]


def _whole(place: st.delta_generator.DeltaGenerator, name: str, label: str, default: int, low: int, high: int) -> int:
    value = number_from_link(name, low=low, high=high, default=default)
    return int(place.number_input(label, low, high, value, key=f"risk_{name}", persist_state="session"))


def _delta(place: st.delta_generator.DeltaGenerator) -> float:
    deltas = with_linked(DELTAS, "delta", low=BOUNDS["delta"][0], high=BOUNDS["delta"][1])
    return float(
        place.selectbox(
            "δ",
            deltas,
            index=deltas.index(from_link("delta", deltas, DEFAULT_DELTA)),
            format_func=format_delta,
            key="risk_delta",
            persist_state="session",
            help="The chance with which the promise of ε may fail. It should be far below one over the records.",
        )
    )


def _unit(place: st.delta_generator.DeltaGenerator) -> Unit:
    units = get_args(Unit)
    chosen: Unit = place.selectbox(
        "Protected is",
        units,
        index=units.index(from_link("unit", units, "image")),
        format_func=lambda unit: "one image" if unit == "image" else "one patient",
        key="risk_unit",
        persist_state="session",
    )
    return chosen
