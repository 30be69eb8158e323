"""Weights files for tests that never read their numbers."""

from __future__ import annotations

import json
from pathlib import Path

from medpriv_core.weights_names import resnet18_shapes


def put_header(path: Path) -> None:
    """The header of a ResNet-18 in safetensors, without numbers: enough for all that happens before a run."""
    entry = {name: {"dtype": "F32", "shape": shape} for name, shape in resnet18_shapes("batch_norm").items()}
    header = json.dumps(entry).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
