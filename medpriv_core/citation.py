"""What to cite: medpriv, and the paper whose claims it checks. ``CITATION.cff`` says the same for other programs."""

from __future__ import annotations

from medpriv_core import __version__

PAPER_TITLE = "Benchmarking Differentially Private Residual Networks for Medical Imagery"
PAPER_AUTHORS = ("Singh, Sahib", "Sikka, Harshvardhan", "Kotti, Sasikanth", "Trask, Andrew")
PAPER_YEAR = 2020
PAPER_ARXIV = "2005.13099"


def bibtex() -> str:
    """Both as entries of BibTeX, with the version that runs."""
    return f"""@software{{medpriv,
  title   = {{medpriv: see, measure and understand differential privacy on medical images}},
  author  = {{{{The medpriv authors}}}},
  version = {{{__version__}}}
}}

@misc{{singh{PAPER_YEAR}benchmarking,
  title         = {{{PAPER_TITLE}}},
  author        = {{{" and ".join(PAPER_AUTHORS)}}},
  year          = {{{PAPER_YEAR}}},
  eprint        = {{{PAPER_ARXIV}}},
  archivePrefix = {{arXiv}}
}}
"""
