"""The frame around every page: configuration, navigation, and what happens to errors."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.cached import home, wake_accountant
from pages.parts.links import say_link_again
from pages.parts.messages import explain_errors
from pages.parts.one_entry import keep_one_entry

# A file of our own: a named symbol would be fetched from another company's server by the browser.
ICON = Path(__file__).parent / "parts" / "assets" / "icon.svg"

st.set_page_config(page_icon=str(ICON), layout="wide")
st.html(
    """<style>
    .block-container {padding: 3.75rem 2rem 3rem 2rem; max-width: 90rem;}
    .block-container h1 {font-size: 1.5rem; padding: 0.25rem 0;}
    /* The explore page in one window: controls in a narrow column, the rest for the pictures. */
    .block-container:has(.st-key-controls) {max-width: none; padding-left: 1rem; padding-right: 1rem;}
    @media (min-width: 641px) {
        [data-testid="stColumn"]:has(.st-key-controls) {flex: 0 0 16rem; min-width: 16rem;}
        [data-testid="stColumn"]:has(.st-key-answers) {flex: 1 1 0; min-width: 0;}
    }
    .st-key-answers > * {flex: 1 1 11rem; min-width: 9.5rem;}
    .st-key-answers [data-testid="stMarkdownContainer"] p {line-height: 1.45; min-height: 5.1em;}
    .st-key-one_entry {display: none;}
    /* Streamlit's green for code is too faint on its grey. */
    .block-container code {color: inherit;}
    .epsilon-scale {max-width: 60rem; padding-top: 6px;}
    .epsilon-scale .line {position: relative; height: 8px; border-radius: 4px; background: #808080;}
    .epsilon-scale .line i {position: absolute; inset: 0 auto 0 0; border-radius: 4px; background: #008F6B;}
    .epsilon-scale .line b {
        position: absolute; top: -5px; width: 18px; height: 18px; margin-left: -9px; box-sizing: border-box;
        border-radius: 50%; background: #D55E00; border: 3px solid #FFFFFF;
    }
    .epsilon-scale .ticks {position: relative; height: 1.2rem; margin-top: 4px; font-size: 0.8rem; opacity: 0.85;}
    .epsilon-scale .ticks span {position: absolute; transform: translateX(-50%); white-space: nowrap;}
    .epsilon-scale .ticks span:first-child {transform: none;}
    .epsilon-scale .ticks span:last-child {transform: translateX(-100%);}
    /* Beside the form the summary stays in view while the form is scrolled; on a narrow window it follows it. */
    @media (min-width: 641px) {
        [data-testid="stLayoutWrapper"]:has(> .st-key-summary) {
            position: sticky; top: 4.25rem; max-height: calc(100vh - 5rem); overflow-y: auto;
        }
    }
    .st-key-presets > [data-testid="stLayoutWrapper"] {flex: 1 1 17rem; width: auto;}
    /* Streamlit's grey for the letters on a chart is too faint on white. */
    .stPlotlyChart :is([class$="tick"], [class^="g-x"], [class^="g-y"], .annotation) text {
        fill: currentColor !important;
    }
    [class*="st-key-pixels"] img {image-rendering: pixelated; max-width: none; background: #808080;}
    </style>"""
)

chosen = st.navigation(
    [
        st.Page("explore.py", title="Explore", icon=":material/visibility:", default=True),
        st.Page("train.py", title="Train", icon=":material/tune:"),
        st.Page("sweep.py", title="Sweep", icon=":material/grid_view:"),
        st.Page("runs.py", title="Runs", icon=":material/monitoring:"),
        st.Page("compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("datasets.py", title="Datasets", icon=":material/photo_library:"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{chosen.title} · medpriv")
keep_one_entry()
with explain_errors():
    opened = home()  # what is refused is said once, and no page is tried in it
    with explain_errors():
        opened.check_writable()
    chosen.run()
    say_link_again()
# Whatever page came first is on its way to the screen.
wake_accountant()
