"""Train: what would this cost, and what would it protect? From a form to a queued run."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.errors import DataHomeError, MedprivError, RunTableError, SettingError, WeightsError
from medpriv_core.extras import why_missing
from medpriv_core.privacy.checks import check_plan
from medpriv_core.privacy.dp_sgd import MAX_IMAGES_PER_PATIENT
from medpriv_core.privacy.per_image import image_instead
from medpriv_core.privacy.plan import DpSgdPlan, plan_run
from medpriv_core.privacy.statement import dp_sgd_statement, format_delta, format_epsilon
from medpriv_core.privacy.verdict import planned_question, planned_verdict
from medpriv_core.progress import format_duration
from medpriv_core.results.guarantee import picture_guarantee
from medpriv_core.runs import service
from medpriv_core.runs.budget import check_budget
from medpriv_core.runs.estimate import estimate_disk, estimate_memory, estimate_time
from medpriv_core.runs.spare import SPARE_MB
from medpriv_core.runs.stopping import stop_at_budget, stop_at_epsilon
from medpriv_core.shown_text import for_markdown
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_unit
from medpriv_core.weights_source import check_weights, resolve_weights
from pages.parts import cached
from pages.parts.budget_view import draw_left
from pages.parts.exposure_view import draw_exposure, meaning_of_images, meaning_of_training
from pages.parts.guarantee import draw_confirmed, draw_green_lights, draw_lights, draw_verdict
from pages.parts.messages import show_error
from pages.parts.protection import draw_local_dp
from pages.parts.risk.link import draw_risk_link
from pages.parts.run_form import STOP, draw_form
from pages.parts.run_presets import chosen_preset, differences, draw_presets, source
from pages.parts.runs import replay
from pages.parts.words import format_size, sentence

# Of the session: what was said of the epochs that fit into the budget.
FITTED = "train_fitted"
ONCE_SAID_S = 5.0  # what is made once and takes longer is said


def main() -> None:
    st.title("What would this cost, and what would it protect?", anchor=False)
    preset = chosen_preset()
    draw_presets(preset)
    changed = st.empty()
    entries = {name: entry for name, entry in cached.available_datasets().items() if entry.info.trainable}
    form, summary = st.columns([3, 2], gap="large")
    with form:
        entry, values = draw_form(entries, authors=preset == "authors")
    stop = values.pop(STOP, None)
    if phrases := differences(values):
        changed.caption(f"{source()}: {for_markdown('; '.join(phrases))}.")
    elif preset is None:
        changed.caption(f"{source()}: nothing yet.")
    with summary.container(border=True, key="summary", gap="xsmall"):
        draw_summary(values, entry, stop)
    service.expect_launch(cached.home())


def draw_summary(values: dict[str, Any], entry: DatasetEntry, stop: float | None) -> None:
    """What the run would protect and cost, and the button; ``stop`` is the ε at which it is to stop."""
    st.header("Before you launch", anchor=False)
    test_size = entry.test or 0
    protection, cost, launch, more = st.container(), st.container(), st.container(), st.container()
    try:
        spec = with_unit(RunSpec(**values), entry.patients)
        records = entry.records(spec)
        spec.check_dataset_size(records)
        if stop is not None:
            stopped = stop_at_epsilon(spec, records=records, epsilon=stop)
            spec = stopped.spec
            protection.caption(for_markdown(stopped.sentence))
        plan = plan_run(spec, train_size=records) if spec.method == "dp_sgd" else None
        check_weights(spec.weights, norm=spec.norm, home=cached.home())
        if not draw_budget_check(protection, spec, entry):
            draw_launch(launch, None)
            return
    except (SettingError, WeightsError, DataHomeError) as error:
        protection.error(f"This cannot be launched: {sentence(error)}", icon=":material/block:")
        draw_launch(launch, None)
        return
    try:
        with cost:
            draw_cost(spec, entry, test_size)
            if spec.method != "none":
                draw_left(entry)
    except RunTableError as error:
        show_error(protection, error)
        draw_launch(launch, None)
        return
    draw_launch(launch, spec)
    with protection:
        if plan is not None:
            draw_dp_sgd(spec, plan, entry, more)
        elif spec.method == "local_dp":
            draw_local_dp(spec, entry.patients)
            with more:
                draw_exposure(meaning_of_images(picture_guarantee(spec)), key="train_exposure", small=True)
        else:
            st.markdown(
                "**No protection.** The network may remember single patients; nothing bounds what it gives away."
            )


def draw_budget_check(place: DeltaGenerator, spec: RunSpec, entry: DatasetEntry) -> bool:
    """Whether the run stays within the budget of its images; if not, why, and how many epochs would."""
    try:
        check_budget(cached.home(), [spec])
    except SettingError as error:
        place.error(f"This cannot be launched: {sentence(error)}", icon=":material/block:")
        if spec.method == "dp_sgd" and spec.noise_multiplier is not None:
            place.button("As many epochs as fit", key="train_fit", on_click=take_fewer_epochs, args=(spec, entry))
        if said := st.session_state.pop(FITTED, None):
            place.caption(for_markdown(said))
        return False
    if said := st.session_state.pop(FITTED, None):
        place.caption(for_markdown(said))
    return True


def take_fewer_epochs(spec: RunSpec, entry: DatasetEntry) -> None:
    """Fill the form with the epochs that the budget allows; before the form is drawn."""
    try:
        stopped = stop_at_budget(cached.home(), spec, entry)
    except MedprivError as error:
        st.session_state[FITTED] = sentence(error)
    else:
        st.session_state["train_epochs"] = stopped.spec.epochs
        st.session_state[FITTED] = stopped.sentence


def draw_launch(place: DeltaGenerator, spec: RunSpec | None) -> None:
    """The button; greyed without a specification that can run, or without what training needs."""
    if untrainable := why_missing("train"):
        place.warning(for_markdown(untrainable), icon=":material/extension_off:")
        spec = None
    paced = place.container()
    if not place.button(
        "Launch",
        type="primary",
        icon=":material/play_arrow:",
        key="launch",
        disabled=spec is None,
        width="stretch",
        help="While this page is in use, and for ten minutes after, a worker waits, so that a run begins at once. It "
        f"takes {format_size(SPARE_MB)}.",
    ):
        draw_pace(paced, spec)
        return
    assert spec is not None
    pace = draw_pace(paced, spec)
    try:
        run_id = service.submit(cached.home(), spec)
    except MedprivError as error:
        place.error(sentence(error), icon=":material/error:")
    else:
        if pace:
            replay.follow(run_id)
        st.switch_page("runs.py", query_params={"run": run_id})


def draw_pace(place: DeltaGenerator, spec: RunSpec | None) -> bool:
    """Whether the curve is to be drawn at a pace; asked only of runs that are quicker than anybody can follow."""
    if spec is None or spec.trainable != "head" or spec.augment:
        return False
    return place.toggle(
        f"Show {replay.EPOCHS_A_SECOND} epochs a second",
        key="train_pace",
        persist_state="session",
        help="Its epochs take milliseconds each. The curve is drawn so that a class can follow it; the training itself "
        "is not slowed, and every curve can be replayed.",
    )


def draw_cost(spec: RunSpec, entry: DatasetEntry, test_size: int) -> None:
    """Time, memory and disk."""
    train_size = entry.train or 0
    time = estimate_time(cached.home(), spec, train_size=train_size, test_size=test_size, patients=entry.patients)
    memory_mb = estimate_memory(spec, train_size=train_size, test_size=test_size)
    disk = estimate_disk(spec, train_size=train_size, test_size=test_size)
    basis = "going by like runs on this machine" if time.measured else "a rough guess before the first like run"
    once = f", {format_duration(time.once_s)} of it for images and features that later runs share"
    st.markdown(
        f"**Time:** about {format_duration(time.seconds)} ({basis}{once if time.once_s > ONCE_SAID_S else ''})  \n"
        f"**Memory:** about {format_size(memory_mb)} · **Disk:** about {format_size(disk.own_mb)}, and up to "
        f"{format_size(disk.shared_mb)} of prepared images shared with like runs"
    )


def draw_dp_sgd(spec: RunSpec, plan: DpSgdPlan, entry: DatasetEntry, more: DeltaGenerator) -> None:
    """The epsilon that holds and what it rests on; in ``more``, on demand, the rest."""
    with suppress(WeightsError):  # told when it is launched
        spec = spec.changed(weights=resolve_weights(spec.weights))
    records = entry.records(spec)
    said, people, lights = st.container(), more.empty(), more.container()
    patient = more.container(horizontal=True, vertical_alignment="bottom")

    def draw_what_holds() -> None:
        verdict = planned_verdict(spec, train_size=records)
        checks = check_plan(spec, train_size=records, patients=entry.patients)
        assert verdict is not None
        with said:
            draw_verdict(verdict)
        with people.container():  # in the place of those that are there
            draw_exposure(meaning_of_training(verdict), key="train_exposure", small=True)
        draw_lights(checks, doubtful=lights)
        with lights:
            draw_green_lights(checks, key="train_lights")

    draw_confirmed(planned_question(plan), draw_what_holds)
    with more:
        draw_risk_link(
            of="training",
            sigma=f"{plan.noise_multiplier:.12g}",
            n=str(records),
            batch=str(min(spec.batch_size, records)),
            epochs=str(spec.epochs),
            sampling=plan.mechanism.sampling,
            unit=plan.mechanism.unit,
            delta=format_delta(plan.delta),
        )
        details = st.expander("Noise, steps, classic accountant", key="train_details", on_change="rerun")
        if details.open:
            with details:
                draw_details(plan)
    if plan.mechanism.unit == "patient":
        with suppress(SettingError):  # a batch of more records than there are images
            patient.caption(for_markdown(image_instead(spec, images=entry.train or 0, patients=entry.patients)))
    elif math.isfinite(plan.epsilon):
        draw_patient(patient, plan, entry)


def draw_details(plan: DpSgdPlan) -> None:
    """What is counted, and the second line."""
    record = "a patient" if plan.mechanism.unit == "patient" else "an image"
    st.markdown(
        f"Noise multiplier σ = {plan.noise_multiplier:g}; {plan.steps:,} counted steps, in each of which {record} "
        f"takes part with probability {plan.sample_rate:.4g}."
    )
    with st.spinner("Asking the classic accountant…"):
        second = format_epsilon(plan.epsilon_rdp)
    st.markdown(
        f"By the classic accountant (RDP), which is looser and computes in another way: ε = {second}, all else alike."
    )
    st.markdown("Test images, the accuracy curves and images given to the model later are not protected.")


def draw_patient(place: DeltaGenerator, plan: DpSgdPlan, entry: DatasetEntry) -> None:
    """What holds for a patient with several images: of the dataset's largest one, or when asked for."""
    largest = min(entry.patients.largest, MAX_IMAGES_PER_PATIENT) if entry.patients else 1
    known = [entry.info.name, largest]
    if st.session_state.get("train_patient_of") != known:
        st.session_state["train_patient_of"] = known
        st.session_state["train_several_images"] = largest
    images = place.number_input(
        "Images of one patient",
        1,
        MAX_IMAGES_PER_PATIENT,
        key="train_several_images",
        persist_state="session",
        width=150,
        help="ε counts single images. For a patient with several images in the training set more is at stake. Begins "
        "with the patient who has the most, where names of files tell.",
    )
    answer = place.container(width=240)
    if images == 1:
        answer.caption("A patient with several images is protected less. How much less?")
        return
    with answer:
        try:
            epsilon = plan.epsilon_patient(images)
        except SettingError as error:
            st.caption(sentence(error))
            return
        st.markdown(
            dp_sgd_statement(
                epsilon=epsilon,
                delta=plan.delta,
                adjacency=plan.adjacency,
                sampling=plan.mechanism.sampling,
                accountant=plan.accountant,
                images_per_patient=images,
            )
        )


main()
