"""A membership attack on a run: what it does and how long it takes, how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from medpriv_core.attacks.membership_words import (
    NO_EXPORT,
    WHAT_IT_DOES_NOT_SAY,
    alarm_sentences,
    conditions,
    finding,
    found_by_sentence,
    table,
)
from medpriv_core.errors import MedprivError
from medpriv_core.extras import why_missing
from medpriv_core.figures.membership import membership_alt, membership_figure
from medpriv_core.jobs.job import JobStatus
from medpriv_core.progress import format_duration
from medpriv_core.records.membership import MembershipReport
from medpriv_core.runs import attacked, service
from medpriv_core.shown_text import for_markdown
from pages.parts import cached
from pages.parts.messages import explain_errors

REFRESH_S = 1.0
REFERENCES = (16, 32, 64, 128)
TARGETS = 8
COLUMNS = 6
WHAT_IT_DOES = (
    "This trains networks by the run's own recipe, each from a random half of its training records. Some of them are "
    "attacked: an attacker compares what they say of a record with what networks say that did or did not learn from "
    "it, and names who was in the training. It is done for you to see; the run itself is not changed."
)
EXPOSED_ARE = (
    "The records whose networks with and without them differ most. Shown here only: they are in no export. A high "
    "place does not say that the record was found in this run's network."
)


def draw_membership(run_id: str) -> None:
    """The attack on one run, from its offer to its result."""
    with explain_errors():
        status = attacked.attack_status(cached.home(), run_id)
        if status is not None and status.state == "running":
            st.fragment(run_every=REFRESH_S)(draw_progress)(run_id)
            return
        draw_offer(run_id, status)
        report = attacked.read_attack(cached.home(), run_id)
        if report is not None:
            if _has_no_result(status):
                st.caption("What stands below is of an earlier attack.")
            draw_report(run_id, report)


def draw_offer(run_id: str, status: JobStatus | None) -> None:
    """What an attack does, what it will take, and the button; why there can be none, where there can be none."""
    if status is not None and status.state == "failed":
        st.error(for_markdown(status.message or "The attack failed."), icon=":material/error:")
    elif _has_no_result(status):
        st.info("The attack was stopped before enough networks were trained, so there is no result of it.")
    reason = why_missing("train") or attacked.why_not_attackable(cached.home(), run_id)
    if reason is not None:
        st.info(for_markdown(reason), icon=":material/block:")
        return
    st.markdown(WHAT_IT_DOES)
    row = st.container(horizontal=True, vertical_alignment="bottom")
    references = row.segmented_control(
        "Reference networks",
        REFERENCES,
        default=64,
        required=True,
        key="membership_references",
        help="More make the attack stronger and take longer.",
    )
    row.button(
        "Attack this run" if status is None else "Attack again",
        key="membership_start",
        type="primary",
        icon=":material/target:",
        on_click=start,
        args=(run_id, references),
    )
    st.caption(_duration(run_id, networks=references + TARGETS))


def start(run_id: str, references: int) -> None:
    """Start the attack; a repeated one draws other halves."""
    with explain_errors():
        home = cached.home()
        seed = attacked.next_seed(home, run_id)
        attacked.start_attack(home, run_id, references=references, targets=TARGETS, seed=seed)


def draw_progress(run_id: str) -> None:
    """How far the attack is; the page is drawn anew when it has ended."""
    with explain_errors():
        status = attacked.attack_status(cached.home(), run_id)
        if status is None or status.state != "running":
            st.rerun()
        share = min(1.0, status.done / status.total) if status.total else 0.0
        left = "" if status.seconds_left is None else f", {format_duration(status.seconds_left)} left"
        st.progress(share, f"{for_markdown(status.phase or 'Starting')}{left}")
        if st.button("Stop", key="membership_stop", icon=":material/stop:"):
            attacked.stop_attack(cached.home(), run_id)
        st.caption(
            "You can leave this page; the attack goes on. Stopped, it ends with the networks that it has, if they are "
            "enough."
        )


def draw_report(run_id: str, report: MembershipReport) -> None:
    """What was found: a sentence, the alarm, the curves, the numbers, and who is most exposed."""
    st.markdown(f"**{for_markdown(finding(report))}**")
    for sentence in alarm_sentences(report):
        st.error(for_markdown(sentence), icon=":material/warning:")
    # No download: these figures are counted on the training records and must not leave by a click.
    st.plotly_chart(membership_figure(report), key="membership_curve", config={"displayModeBar": False})
    st.caption(for_markdown(membership_alt(report)))
    st.dataframe(table(report), hide_index=True, height="content")
    st.markdown(for_markdown(found_by_sentence(report)))
    for sentence in (*conditions(report), WHAT_IT_DOES_NOT_SAY, NO_EXPORT):
        st.caption(for_markdown(sentence))
    with st.expander("The most exposed images", key="membership_exposed"), _said_if_gone():
        draw_exposed(run_id, report)


def draw_exposed(run_id: str, report: MembershipReport) -> None:
    """Their images, the most exposed first."""
    st.caption(EXPOSED_ARE)
    spec = service.load_run(cached.home(), run_id).spec
    entry = None if spec is None else cached.available_datasets().get(spec.dataset)
    if spec is None or entry is None:
        st.info("The dataset of this run is no longer here, so its images cannot be shown.")
        return
    location = cached.identity(entry)
    dataset = cached.dataset(spec.dataset, location)
    if dataset.content_key() != report.content:
        st.info("The images of this dataset have changed since the attack, so they are not shown.")
        return
    split = dataset.split("train")
    columns = st.columns(COLUMNS)
    for place, one in enumerate(report.exposed[: 2 * COLUMNS]):
        with columns[place % COLUMNS]:
            st.image(cached.png(split.image(one["image"]).resize((192, 192))), width="stretch")
            st.caption(
                f"{one['separation']:.1f} standard deviations; found in {one['found']:d} of {one['member_of']:d} "
                "networks that learned from it"
            )


@contextmanager
def _said_if_gone() -> Iterator[None]:
    """Images that cannot be read are no reason to hide the figures."""
    try:
        yield
    except MedprivError as error:
        st.info(for_markdown(str(error)))


def _has_no_result(status: JobStatus | None) -> bool:
    """Whether the last attack ended before it found anything."""
    return status is not None and status.state != "finished" and "targets" not in status.result


def _duration(run_id: str, *, networks: int) -> str:
    spec = service.load_run(cached.home(), run_id).spec
    seconds = attacked.estimate_s(cached.home(), run_id, networks=networks)
    about = "It is not known how long this takes" if seconds is None else f"About {format_duration(seconds)}"
    if spec is not None and attacked.on_features(spec):
        return f"{about} for {networks:d} networks: each learns its last layer from the stored features of the images."
    return (
        f"{about} for {networks:d} networks: each trains the layers that this run trained, which can take long without "
        "a GPU."
    )
