"""Where this ε stands beside those that others have published."""

from __future__ import annotations

import streamlit as st

from medpriv_core.figures.deployments import deployments_alt, deployments_figure
from medpriv_core.privacy.deployments import CAUTION, DEPLOYMENTS
from medpriv_core.privacy.risk_subject import RiskSubject
from medpriv_core.privacy.statement import format_delta
from pages.parts.charts import draw_chart


def draw_deployments(subject: RiskSubject) -> None:
    """The chart, a word of caution, and the same as a table with sources."""
    st.markdown(CAUTION)
    draw_chart(
        deployments_figure(subject.epsilon),
        key="risk_others",
        name="Published values of ε",
        alt=deployments_alt(subject.epsilon),
        caption=(f"Here: {subject.statement}.", CAUTION),
    )
    st.dataframe(
        [
            {
                "use": one.name,
                "ε": one.epsilon,
                "δ": format_delta(one.delta),
                "promised to": one.unit,
                "model": one.model,
                "year": str(one.year),
                "source": one.source,
            }
            for one in DEPLOYMENTS
        ],
        hide_index=True,
        height="content",
    )
