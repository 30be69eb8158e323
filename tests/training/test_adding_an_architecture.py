"""An architecture is added by two changes, as docs/architecture.md says under "Adding things": class and record.

A copy of the program has a tiny network. There it trains under DP-SGD, in which every layer of it is clipped and the
self-test tries it, and its last layer alone; then it is asked about a picture and handed on.
"""

from __future__ import annotations

from pathlib import Path

from medpriv_core.home import DataHome
from tests.changed_program import ask, changed_program

NEW = {
    "medpriv_core/training/tiny.py": '''"""A network of two convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from medpriv_core.training.model import Network, NormLayer


class Tiny(Network):
    """Images of any size -> logits."""

    def __init__(self, *, classes: int, norm_layer: NormLayer) -> None:
        super().__init__()
        self.width = 12
        self.one = nn.Conv2d(3, 8, 5, stride=4, padding=2, bias=False)
        self.norm = norm_layer(8)
        self.two = nn.Conv2d(8, self.width, 3, padding=1, bias=False)
        self.other_norm = norm_layer(self.width)
        self.act = nn.ReLU()
        self.fc = nn.Linear(self.width, classes)

    def features(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.one(x)))
        return self.act(self.other_norm(self.two(x))).mean((2, 3))
'''
}
RECORD = """TINY = Architecture(
    name="tiny",
    title="Tiny network",
    network="tiny:Tiny",
    reads={"last": Reading(12, "the 12 means of its second layer")},
    pretrained=False,
    to_build="medpriv's Tiny",
    parameters=1504,
    numbers_per_pixel=10,
    kept_gradients=1504,
    work=0.01,
)

_ALL = (RESNET18, TINY)
"""
LINES = {"medpriv_core/architectures.py": [("_ALL = (RESNET18,)\n", RECORD)]}
ASK = r"""
import zipfile
import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from streamlit.testing.v1 import AppTest
import medpriv_core as medpriv
from medpriv_core.cli.main import main
from medpriv_core.errors import SettingError
from medpriv_core.runs.estimate import estimate_memory, estimate_time
from medpriv_core.home import data_home
from medpriv_core.results.from_run import describe_protocol
from medpriv_core.runs.naming import name_run

old = {"dataset": "synthetic_chest", "weights": "none"}
assert medpriv.RunSpec.from_dict(old).architecture == "resnet18", "that is what earlier files mean"
tiny = {"dataset": "synthetic_chest", "architecture": "tiny", "weights": "none", "image_size": 16}
with pytest.raises(SettingError, match="knows no pretrained weights of Tiny network"):
    medpriv.RunSpec(**tiny | {"weights": "imagenet"})
with pytest.raises(SettingError, match="features is layer3, which Tiny network does not have. It has last."):
    medpriv.RunSpec(**tiny, features="layer3")

page = AppTest.from_file("pages/index.py", default_timeout=60)
page.switch_page("train.py").run()
assert page.selectbox(key="train_architecture").options == ["ResNet-18", "Tiny network"]

assert name_run(medpriv.RunSpec(**tiny)).endswith(" · last layer · Tiny network")
assert describe_protocol(medpriv.RunSpec(**tiny)).startswith("Tiny network; ")
sizes = {"train_size": 640, "test_size": 160}
specs = {
    "private": medpriv.RunSpec(**tiny, trainable="all", method="dp_sgd", target_epsilon=8.0, epochs=1),
    "head": medpriv.RunSpec(**tiny, epochs=1, standardise=True),
}
large = specs["private"].changed(architecture="resnet18")
assert estimate_memory(specs["private"], **sizes) < estimate_memory(large, **sizes)
times = [estimate_time(data_home(), spec, **sizes).seconds for spec in (specs["private"], large)]
assert times[0] < times[1]
ids = {name: medpriv.submit_run(spec) for name, spec in specs.items()}
runs = {name: medpriv.wait_for_run(run_id) for name, run_id in ids.items()}
assert [run.state for run in runs.values()] == ["finished", "finished"], [run.message for run in runs.values()]
assert {name: run.setup.parameters for name, run in runs.items()} == {
    "private": 8 * 3 * 25 + 2 * 8 + 12 * 8 * 9 + 2 * 12 + 12 * 2 + 2, "head": 12 * 2 + 2
}
held = medpriv.run_guarantee(runs["private"])
assert held.established and held.epsilon <= 8.0, held

Image.fromarray(np.full((20, 20), 128, np.uint8)).save("image.png")
for name, run_id in ids.items():
    assert main(["predict", "--run", run_id, "image.png", "--json"]) == 0
    archive = zipfile.ZipFile(medpriv.export_run(run_id, f"{name}.zip"))
    (card,) = [archive.read(file).decode() for file in archive.namelist() if file.lower().endswith(".md")]
    assert "A Tiny network. Learned:" in card and "named as in medpriv's Tiny" in card and "ResNet" not in card, card
    archive.extractall(name)
    (weights,) = [f"{name}/{file}" for file in archive.namelist() if file.endswith(".safetensors")]
    with safe_open(weights, "pt") as file:
        facts = file.metadata()
        assert (facts["architecture"], facts["holds"]) == ("tiny", "whole_network")
        assert "two.weight" in file.keys()
"""


def test_a_class_and_a_record_are_all_that_an_architecture_needs(tmp_path: Path, home: DataHome) -> None:
    ask(changed_program(tmp_path, new=NEW, changes=LINES), ASK, home=home.root)

    assert len(NEW) + len(LINES) == 2
