"""All datasets, each by the class that reads it: built in, known by name, and the user's own of a data home."""

from __future__ import annotations

from collections.abc import Mapping

from medpriv_core.datasets.aptos import Aptos2019
from medpriv_core.datasets.base import AddedDataset, Dataset
from medpriv_core.datasets.idrid import Idrid
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.medmnist import READERS
from medpriv_core.datasets.own.dataset import own_readers
from medpriv_core.datasets.retina_photo import RetinaPhoto
from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS
from medpriv_core.home import DataHome

_BUILT_IN: tuple[Dataset, ...] = (*SYNTHETIC_DATASETS.values(), RetinaPhoto())
_ADDABLE: tuple[type[AddedDataset], ...] = (ChestXray, Aptos2019, Idrid, *READERS.values())

BUILT_IN: dict[str, Dataset] = {dataset.info.name: dataset for dataset in _BUILT_IN}
ADDABLE: dict[str, type[AddedDataset]] = {reader.info.name: reader for reader in _ADDABLE}


def readers(home: DataHome) -> Mapping[str, type[AddedDataset]]:
    """The classes that read what the user adds, by name: the known ones, then those of the user's own datasets."""
    return ADDABLE | {name: reader for name, reader in own_readers(home).items() if name not in BUILT_IN | ADDABLE}
