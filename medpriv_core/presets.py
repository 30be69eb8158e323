"""Starting points for a run, each with the one thing it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings of a RunSpec by name; what is not named keeps its default.

    ``offline``: made to run on a machine without network too, from random weights if there are no others.
    """

    name: str
    title: str
    shows: str
    settings: dict[str, Any] = field(default_factory=dict)
    offline: bool = False


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="quick",
            title="Quick what-if",
            shows="A whole curve in under a minute: only the last layer learns, on small images.",
            settings={"epochs": 20},
            offline=True,
        ),
        Preset(
            name="private",
            title="Private training",
            shows="DP-SGD at ε = 3: who was in the training set stays hidden from anyone who gets the model.",
            settings={
                "method": "dp_sgd",
                "target_epsilon": 3.0,
                "epochs": 30,
                "batch_size": 128,
                "learning_rate": 0.1,
            },
        ),
        Preset(
            name="paper",
            title="The paper's recipe",
            shows="All layers on 224-pixel images for 50 epochs, as in the paper. Hours without a graphics card.",
            settings={
                "method": "local_dp",
                "beta": 1.0,
                "image_size": 256,
                "crop_size": 224,
                "augment": True,
                "trainable": "all",
                "epochs": 50,
                "batch_size": 128,
                "learning_rate": 0.01,
                "momentum": 0.0,
                "weight_decay": 0.001,
            },
        ),
    )
}
