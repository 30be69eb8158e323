"""A page that shows text from elsewhere at each of its borders, for the browser to judge what becomes of it."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st  # noqa: TID251 - a page, if only for tests

from medpriv_core.shown_text import for_chart, for_markdown, for_terminal
from tests.hostile_text import ALL, HTML, MARKDOWN, random_texts

HARMLESS = "x"
# The first is what all others must look like.
TEXTS = [HARMLESS, *(text for text in [*ALL, *random_texts(150, seed=3)] if for_terminal(text).strip())]
LABELS = [HARMLESS, *MARKDOWN, *HTML]
NAMES = [*HTML, *MARKDOWN[:8], "$x^2$"]

if __name__ == "__main__":
    st.set_page_config(layout="wide")
    for number, text in enumerate(TEXTS):
        shown = for_markdown(text)
        with st.container(key=f"text_{number}"):
            st.markdown(
                f"{shown}\n\n- {shown}\n\n**Ours** {shown} :red-badge[ours] {shown}: *ours* {shown}\n\n> {shown}"
            )
    for number, text in enumerate(LABELS):
        with st.container(key=f"label_{number}"):
            st.button(for_markdown(text), key=f"button_{number}", help=None)
    figure = go.Figure()
    for number, name in enumerate(NAMES):
        shown = for_chart(name)
        figure.add_scatter(x=[shown, "b"], y=[number, number], name=shown, text=[shown, ""], mode="markers+text")
        figure.add_annotation(x="b", y=number, text=shown)
    figure.update_layout(height=900, title=for_chart(HTML[0]), xaxis={"title": for_chart(HTML[0])})
    st.plotly_chart(figure, key="chart", config={"typesetMath": False})
    st.markdown("all is drawn")
