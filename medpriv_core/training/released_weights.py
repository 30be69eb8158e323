"""The trained part of a run's network as a safetensors file, which holds numbers and names and can hold no code.

A checkpoint has more in it than the result: momentum, the ledger, the weights before averaging. What is handed out is
the network that the run's figures were measured on. Where the last layer alone has learned on torchvision's own frozen
weights, that is this layer, and a fingerprint says what it belongs on. On any other weights (random numbers, a file of
one's own) it is the whole network, because nobody else has the rest. The header says how images are brought in.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import DataHomeError, MedprivError, RunError, WeightsError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.jobs.process import Reporter
from medpriv_core.preprocessing import normalisation, preprocessing
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.checkpoint import Checkpoint, load_checkpoint
from medpriv_core.training.frozen_rest import frozen_network, is_public

# What someone needs besides the numbers, to put the network together again.
NEEDED_SETTINGS = (
    "image_size",
    "crop_size",
    "trainable",
    "features",
    "standardise",
    "head_bias",
    "norm",
)


def release_all(home: DataHome, report: Reporter, *, folder: str, directories: Sequence[str]) -> None:
    """What the job ``weights`` does: ``<run id>.safetensors`` in ``folder`` for each run that has a readable network.

    The result has ``complaints``: by run id, the sentence why it is left out. Raises ``DataHomeError``.
    """
    # One run without a network must not keep the others from theirs.
    complaints = report.result.setdefault("complaints", {})
    for number, directory in enumerate(map(Path, directories)):
        report("Reading networks", number, len(directories))
        try:
            release_weights(RunDirectory(directory), Path(folder) / f"{directory.name}.safetensors", home=home)
        except DataHomeError:
            raise  # no room for it is no reason to leave a network out
        except MedprivError as error:
            complaints[directory.name] = str(error)


def release_weights(directory: RunDirectory, path: Path, *, home: DataHome) -> None:
    """Write the trained part of the run in ``directory`` to ``path``, named as the architecture names them.

    Raises ``RunError`` if there is no checkpoint or it is damaged, and ``DataHomeError`` where the disk refuses.
    """
    spec = directory.read_spec()
    saved = load_checkpoint(directory.checkpoint)
    if saved is None:
        raise RunError("This run has no checkpoint, so there is no network to export.")
    head = spec.trainable == "head"
    setup = directory.read_setup()
    classes = setup.classes
    tensors = {f"fc.{name}" if head else name: _plain(value) for name, value in _result(saved).items()}
    if head and not is_public(spec):
        # Where the file is gone by now, its fingerprint is all that can be told.
        with contextlib.suppress(WeightsError):
            network = frozen_network(spec, saved.backbone, classes=len(classes) or 1, home=home, run_id=path.stem)
            rest = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
            tensors |= {name: _plain(value) for name, value in rest.items()}
    channels = dataset_info(spec.dataset).channels
    facts = {
        "format": "pt",
        "architecture": spec.architecture,
        "holds": "whole_network" if any(not name.startswith("fc.") for name in tensors) else "last_layer",
        "normalisation": json.dumps(normalisation(spec.norm)),
        "preprocessing": json.dumps(preprocessing(spec, channels=channels, reading=setup.reading)),
        "classes": json.dumps(classes),
        "settings": json.dumps({name: spec.to_dict()[name] for name in NEEDED_SETTINGS}),
        "epochs": str(saved.position.get("epochs_done", 0)),
        "frozen_rest_sha256": saved.backbone or "",
    }
    with explain_disk_errors(path.parent):
        save_file(tensors, path, metadata=facts)


def _result(saved: Checkpoint) -> dict[str, Tensor]:
    """As the figures of an epoch are measured: with averaging, the average, once it has begun."""
    if saved.average and saved.average["count"]:
        averaged: dict[str, Tensor] = saved.average["network"]
        return averaged
    return saved.trained


def _plain(value: Tensor) -> Tensor:
    """A copy in memory of its own and in the usual order, which the format asks for."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
