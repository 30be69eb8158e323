"""All datasets, each by the class that reads it: those that are built in, and those whose files the user adds."""

from __future__ import annotations

from medpriv_core.datasets.aptos import Aptos2019
from medpriv_core.datasets.base import AddedDataset, Dataset
from medpriv_core.datasets.idrid import Idrid
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.medmnist import READERS
from medpriv_core.datasets.retina_photo import RetinaPhoto
from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS

_BUILT_IN: tuple[Dataset, ...] = (*SYNTHETIC_DATASETS.values(), RetinaPhoto())
_ADDABLE: tuple[type[AddedDataset], ...] = (ChestXray, Aptos2019, Idrid, *READERS.values())

BUILT_IN: dict[str, Dataset] = {dataset.info.name: dataset for dataset in _BUILT_IN}
ADDABLE: dict[str, type[AddedDataset]] = {reader.info.name: reader for reader in _ADDABLE}
