"""The frozen network below a last layer, put together again and recognised by its fingerprint.

A run in which the last layer alone learns keeps only that layer. The rest was built from pretrained weights, which may
lie at another place by now, or on another machine under another name: whatever can be read here is tried, and nothing
but the fingerprint decides. Nothing is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from medpriv_core.errors import WeightsError
from medpriv_core.home import DataHome
from medpriv_core.regular_file import is_regular
from medpriv_core.spec import RunSpec
from medpriv_core.training.model import Network, build_model
from medpriv_core.training.weights import fingerprint, load_weights
from medpriv_core.weights_source import IMAGENET_FILE, WEIGHTS_VARIABLE, is_torchvisions, weights_path


def frozen_network(spec: RunSpec, expected: str | None, *, classes: int, home: DataHome, run_id: str) -> Network:
    """The network of a run with a fresh last layer; ``expected`` is the fingerprint of what lies below.

    Raises ``WeightsError`` if no pretrained weights are here, or none from which it was built.
    """
    complaint: WeightsError | None = None
    found = False
    for choice in _choices(spec, home):
        try:
            state_dict = load_weights(choice, home=home).state_dict
        except WeightsError as error:
            complaint = complaint or error
            continue
        found = True
        network = build_model(
            classes=classes, norm=spec.norm, architecture=spec.architecture, state_dict=state_dict, seed=spec.seed
        )
        if fingerprint_below(network) == expected:
            return network
    if found:
        raise WeightsError(
            f"The pretrained weights are not those that run {run_id} began with ({_named(spec)}), so its network "
            f"cannot be put together. Bring the old weights file back, point {WEIGHTS_VARIABLE} to it, or choose "
            "another run."
        )
    if complaint is not None:
        raise complaint
    raise WeightsError(
        f"Run {run_id} trained a last layer on pretrained weights that are no longer at {_place(spec, home)}; bring "
        f"the file back, point {WEIGHTS_VARIABLE} to it, or choose another run."
    )


def fingerprint_below(network: Network) -> str:
    """The fingerprint of all but the last layer."""
    return fingerprint({name: value for name, value in network.state_dict().items() if not name.startswith("fc.")})


def is_public(spec: RunSpec) -> bool:
    """Whether anybody can have the pretrained weights of a run: torchvision's own file."""
    if spec.weights in ("imagenet", "none"):
        return spec.weights == "imagenet"
    return is_torchvisions(Path(spec.weights))


def _choices(spec: RunSpec, home: DataHome) -> Iterator[str]:
    """Pretrained weights that can be read here, the likeliest first."""
    if spec.weights == "none":
        yield "none"
        return
    local = os.environ.get(WEIGHTS_VARIABLE)
    own = [] if spec.weights == "imagenet" else [spec.weights]
    # An imported run knows its file by name alone, which says nothing about this machine.
    others = [*([local] if local else []), str(home.weights / IMAGENET_FILE)]
    for given in dict.fromkeys([*own, *others]):
        with suppress(WeightsError):  # what can be no path leads to no file
            if is_regular(path := weights_path(given)):
                yield str(path)


def _named(spec: RunSpec) -> str:
    return "torchvision's" if spec.weights == "imagenet" else Path(spec.weights).name


def _place(spec: RunSpec, home: DataHome) -> str:
    if spec.weights != "imagenet":
        return spec.weights
    return os.environ.get(WEIGHTS_VARIABLE) or str(home.weights / IMAGENET_FILE)
