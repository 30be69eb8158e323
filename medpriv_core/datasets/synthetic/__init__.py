"""Synthetic medical images, drawn by a program: the embedded default that needs no download and no patient.

They exist so that every page works at once and so that noise can be shown on something that looks like the real
thing. They are always labelled as synthetic and say nothing about any disease.
"""

from medpriv_core.datasets.synthetic.chest import draw_chest
from medpriv_core.datasets.synthetic.dataset import SYNTHETIC_DATASETS, SyntheticDataset, SyntheticSplit
from medpriv_core.datasets.synthetic.fundus import draw_fundus

__all__ = ["SYNTHETIC_DATASETS", "SyntheticDataset", "SyntheticSplit", "draw_chest", "draw_fundus"]
