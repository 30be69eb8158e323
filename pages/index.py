"""The frame around every page: configuration, navigation, and what happens to errors."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.cached import home, wake_accountant
from pages.parts.footer import draw_footer
from pages.parts.links import say_link_again
from pages.parts.messages import explain_errors
from pages.parts.one_entry import keep_one_entry

# A file of our own: a named symbol would be fetched from another company's server by the browser.
ICON = Path(__file__).parent / "parts" / "assets" / "icon.svg"

st.set_page_config(page_icon=str(ICON), layout="wide")

chosen = st.navigation(
    [
        st.Page("explore.py", title="Explore", icon=":material/visibility:", default=True),
        st.Page("train.py", title="Train", icon=":material/tune:"),
        st.Page("sweep.py", title="Sweep", icon=":material/grid_view:"),
        st.Page("runs.py", title="Runs", icon=":material/monitoring:"),
        st.Page("compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("risk.py", title="Risk", icon=":material/person_search:"),
        st.Page("datasets.py", title="Datasets", icon=":material/photo_library:"),
        st.Page("docs.py", title="Documents", icon=":material/menu_book:", visibility="hidden"),
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
    draw_footer()
    say_link_again()
# Whatever page came first is on its way to the screen.
wake_accountant()
