"""The trade-off curve as a chart, and its numbers as a table."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.tradeoff import WHAT_IT_DOES_NOT_SAY, curve_rows, tradeoff_alt, tradeoff_figure
from medpriv_core.privacy.risk_subject import RiskSubject
from medpriv_core.privacy.risk_words import fit_sentence
from medpriv_core.shown_text import for_markdown
from pages.parts.charts import draw_chart
from pages.parts.links import from_link, to_link

LOG, EVEN = "rare false alarms", "all"


def draw_curve(subject: RiskSubject) -> None:
    """The chart, on logarithmic axes unless asked otherwise."""
    shown = st.segmented_control(
        "Axes",
        (LOG, EVEN),
        default=EVEN if from_link("axes", ("log", "even"), "log") == "even" else LOG,
        required=True,
        key="risk_axes",
        persist_state="session",
        label_visibility="collapsed",
        help="Logarithmic axes show what happens at few false alarms, which is what harms people.",
    )
    to_link(axes="even" if shown == EVEN else None)
    draw_chart(
        tradeoff_figure(subject, log=shown == LOG),
        key="risk_curve",
        name="Most that an attacker finds",
        alt=tradeoff_alt(subject),
        caption=(f"{subject.statement}.", WHAT_IT_DOES_NOT_SAY),
    )


def draw_numbers(subject: RiskSubject) -> None:
    """The same as a table, with the single numbers that are made of a curve."""
    rows = curve_rows(subject)
    st.dataframe(
        [
            {
                "false alarms, or right by chance (κ)": f"{row.false_alarms:.2%}",
                "found, or picked out, at most": f"{row.hits:.3%}",
                "gained by what was released": f"{row.gained:.3%}",
            }
            | ({} if row.relaxed is None else {"by an attacker who does not know the record": f"{row.relaxed:.3%}"})
            for row in rows
        ],
        hide_index=True,
        height="content",
    )
    st.markdown(
        f"Advantage (highest difference of the two shares): **{subject.risk.advantage:.3g}**; area under the curve: "
        f"**{subject.curve.area:.3g}** (guessing: 0.5).  \n{for_markdown(fit_sentence(subject))}"
    )
    if rows[0].relaxed is not None:
        st.caption(
            "An attacker who does not know the record, but how strong the noise is and how far a record can move the "
            "result, looks at the length of what he sees (GLRT). This is no guarantee: others know more."
        )
    st.caption(
        "The same curve bounds identification: an attacker who would pick the right one of many candidates by chance "
        "with probability κ picks it with the probability beside it at most (reconstruction robustness, ReRo). κ is an "
        "assumption about what he knows."
    )
    st.caption(for_markdown(WHAT_IT_DOES_NOT_SAY))
