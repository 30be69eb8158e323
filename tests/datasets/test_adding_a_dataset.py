"""A dataset is added by two changes, as docs/architecture.md says under "Adding things": its class, and a line.

Once one that is built in, and once one whose files the user adds. A copy of the program has both; there a process of
its own lists them, adds the files of one and trains on them.
"""

from __future__ import annotations

from pathlib import Path

from medpriv_core.home import DataHome
from tests.changed_program import ask, changed_program
from tests.datasets.builders import image_bytes, write_folder

NEW = {
    "medpriv_core/datasets/moles.py": '''"""Moles, one folder a class and split: train-benign, test-melanoma, ..."""

from __future__ import annotations

import numpy as np

from medpriv_core.datasets.base import DatasetInfo
from medpriv_core.datasets.file_dataset import FileDataset
from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.files import FileSplit
from medpriv_core.datasets.report import LeftOut, unread
from medpriv_core.errors import DatasetError


class Moles(FileDataset):
    """The dataset ``moles``."""

    info = DatasetInfo(
        name="moles",
        title="Moles, melanoma",
        classes=("Benign", "Melanoma"),
        channels=3,
        synthetic=False,
        source="Nobody\'s, made by a test.",
    )
    how_to_add = "Add the folder with train-benign, train-melanoma, test-benign and test-melanoma."

    def __init__(self, files: FileSource) -> None:
        self._files = files
        self._splits = {}
        for split in ("train", "test"):
            rows = [
                (name, label)
                for label, kind in enumerate(("benign", "melanoma"))
                for name in files.names
                if name.startswith(f"{split}-{kind}/")
            ]
            if not rows:
                raise DatasetError(f"There are no {split} images in {files.location}. {self.how_to_add}")
            self._splits[split] = FileSplit(
                files=files,
                names=[name for name, _ in rows],
                ids=[name for name, _ in rows],
                labels=np.array([label for _, label in rows], dtype=np.int64),
                channels=self.info.channels,
            )

    @staticmethod
    def patient_key(file_name: str) -> str | None:
        return file_name.split("/")[-1].split("_")[0]

    def left_out(self) -> list[LeftOut]:
        used = {name for split in self._splits.values() for name in split.names}
        return unread(self._files, used, why=lambda name: "images in other folders")
''',
    "medpriv_core/datasets/stripes.py": '''"""Stripes: images that lie or stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.datasets.base import DatasetInfo, SplitName


@dataclass(frozen=True)
class _Split:
    labels: np.ndarray
    ids: Sequence[str]

    def image(self, index: int) -> Image.Image:
        stripes = np.tile(np.arange(32) % 4 < 2, (32, 1)) * np.uint8(200)
        return Image.fromarray(stripes.T if self.labels[index] else stripes)


class Stripes:
    """The dataset ``stripes``."""

    info = DatasetInfo("stripes", "Stripes", ("Standing", "Lying"), 1, True, "Drawn by a test.")

    def split(self, name: SplitName) -> _Split:
        count = {"train": 20, "test": 8}[name]
        return _Split(np.arange(count) % 2, [str(number) for number in range(count)])

    def content_key(self) -> str:
        return "57219e5"
''',
}
LINES = {
    "medpriv_core/datasets/catalog.py": [
        (
            "from medpriv_core.datasets.retina_photo",
            "from medpriv_core.datasets.moles import Moles\nfrom medpriv_core.datasets.retina_photo",
        ),
        ("*READERS.values())", "*READERS.values(), Moles)"),
        (
            "import SYNTHETIC_DATASETS",
            "import SYNTHETIC_DATASETS\nfrom medpriv_core.datasets.stripes import Stripes",
        ),
        ("RetinaPhoto())", "RetinaPhoto(), Stripes())"),
    ]
}
ASK = r"""
from streamlit.testing.v1 import AppTest
from medpriv_core.cli.main import main
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import dataset_names, open_dataset
from medpriv_core.home import data_home
from medpriv_core.runs import service

assert dataset_names()[-1] == "moles"
main(["datasets", "list"])
main(["datasets", "add", "moles", "FOLDER"])
page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("train.py").run()
assert not page.exception
assert {"Stripes", "Moles, melanoma"} <= set(page.selectbox(key="train_dataset").options)
main(["run", "--dataset", "moles", "--weights", "none", "--image-size", "16", "--epochs", "1", "--batch-size", "4"])
(run,) = service.list_runs(data_home())
assert (run.spec.dataset, run.state, run.setup.train_size) == ("moles", "finished", 8), run
assert run.setup.largest_patient_images == 4
drawn = prepare_dataset(data_home(), open_dataset(data_home(), "stripes"), image_size=16)
assert drawn.train.images.shape == (20, 16, 16, 1)
"""


def test_a_class_and_a_line_in_the_catalog_are_all_that_a_dataset_needs(tmp_path: Path, home: DataHome) -> None:
    folders = ("train-benign", "train-melanoma", "test-benign", "test-melanoma")
    names = [f"{folder}/{patient}_{number}.png" for folder in folders for patient in "ab" for number in (1, 2)]
    images = {name: image_bytes(seed, mode="RGB") for seed, name in enumerate([*names, "other/x.png"])}
    folder = write_folder(tmp_path / "pictures", images)
    program = changed_program(tmp_path / "program", new=NEW, changes=LINES)

    assert [len(NEW), len(LINES)] == [2, 1], "a file of its own for each, and the catalog"
    said = ask(program, ASK.replace("FOLDER", str(folder)), home=home.root)

    assert "\nmoles " in said
    assert "Images in other folders: 1 left out (other/x.png)." in said
