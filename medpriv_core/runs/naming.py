"""What a run is called unless somebody names it."""

from __future__ import annotations

from medpriv_core.datasets.registry import dataset_title
from medpriv_core.mechanisms.in_runs import unusual_noise
from medpriv_core.privacy.statement import format_epsilon
from medpriv_core.spec import DEFAULTS, RunSpec, in_short

SEPARATOR = " · "


def name_run(spec: RunSpec, *, epsilon: float | None = None) -> str:
    """A short name that tells runs apart: dataset, method and strength, what is trained, an unusual network.

    Args:
        spec: Of the run.
        epsilon: What a DP-SGD run comes to, where that is not what it was started for, because it goes on.

    Returns:
        Of some thirty letters.
    """
    target = spec.target_epsilon if epsilon is None else epsilon
    strength = {
        "none": "no privacy",
        "local_dp": f"Local-DP β {spec.beta or 0:g}{unusual_noise(spec.noise_draw)}",
        "dp_sgd": f"DP-SGD σ {spec.noise_multiplier or 0:g}"
        if target is None
        else f"DP-SGD ε {format_epsilon(target)}",
    }[spec.method]
    parts = [strength, in_short("trainable", spec.trainable)]
    if spec.architecture != DEFAULTS["architecture"]:
        parts.append(in_short("architecture", spec.architecture))
    return named_after(spec.dataset) + SEPARATOR.join(parts)


def named_after(dataset: str) -> str:
    """How the names of all runs on a dataset begin that nobody has named.

    >>> named_after("synthetic_chest")
    'Synthetic chest radiographs · '
    """
    return f"{dataset_title(dataset)}{SEPARATOR}"
