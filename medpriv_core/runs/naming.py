"""What a run is called unless somebody names it, and for which device it queues."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.mechanisms.in_runs import unusual_noise
from medpriv_core.spec import DEFAULTS, RunSpec, in_short


def name_run(spec: RunSpec) -> str:
    """A short name that tells runs apart: dataset, method and strength, what is trained, an unusual network."""
    strength = {
        "none": "no privacy",
        "local_dp": f"Local-DP β {spec.beta or 0:g}{unusual_noise(spec.noise_draw)}",
        "dp_sgd": f"DP-SGD ε {spec.target_epsilon:g}"
        if spec.target_epsilon is not None
        else f"DP-SGD σ {spec.noise_multiplier or 0:g}",
    }[spec.method]
    parts = [dataset_info(spec.dataset).title, strength, in_short("trainable", spec.trainable)]
    if spec.architecture != DEFAULTS["architecture"]:
        parts.append(in_short("architecture", spec.architecture))
    return " · ".join(parts)


def device_slot(device: str) -> str:
    """The device for which a run queues: one run at a time on each.

    ``auto`` and ``cuda`` mean the first accelerator, found without importing torch.
    """
    if device == "cuda":
        return "cuda:0"
    if device != "auto":
        return device
    if Path("/proc/driver/nvidia/gpus").exists() or shutil.which("nvidia-smi"):
        return "cuda:0"
    return "mps" if sys.platform == "darwin" else "cpu"
