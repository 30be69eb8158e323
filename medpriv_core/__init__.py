"""medpriv_core: differential privacy on medical images, without any user interface.

Rooms: ``datasets`` (read and prepare images), ``mechanisms`` (noise on arrays), ``privacy`` (what
epsilon holds), ``training`` (the only room that imports torch) and ``runs`` (queue, run
directories, worker processes). Nothing in here imports streamlit.
"""

__version__ = "0.2.0"
