"""A ResNet-18 in what a weights file holds, however its author has wrapped and named it. Needs no torch.

The names that count are torchvision's. People's files put something in front of each (``module.`` by data parallelism,
``backbone.`` or ``encoder.`` by whatever was built around), lay the state dict into another dictionary beside epochs
and optimizers, number the layers as ``nn.Sequential`` does, or have a head of their own, which is replaced anyway. All
this is understood; another network is refused by its name where it can be told.

The functions work on anything that has a shape: tensors, or the headers that ``weights_file`` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from medpriv_core.errors import WeightsError

Normalisation = Literal["batch_norm", "group_norm"]

_STAGES = {1: (64, 64), 2: (64, 128), 3: (128, 256), 4: (256, 512)}
# The children of torchvision's ResNet in their order, as nn.Sequential numbers them; 2, 3 and 8 have no weights.
_NUMBERED = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4", "9": "fc"}
# Of several dictionaries in a file, the first of these; then any other.
_WRAPPERS = ("", "state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params")
_DEEPEST = 4
COUNTER = "num_batches_tracked"
_BODY = ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.")
_OTHERS = (
    ("embedder.embedder.convolution", "a network named as in Hugging Face's transformers"),
    ("features.denseblock", "a DenseNet"),
    ("patch_embed", "a vision transformer"),
    ("cls_token", "a vision transformer"),
    ("class_token", "a vision transformer"),
    ("Mixed_5b", "an Inception network"),
    ("conv_stem", "an EfficientNet or a MobileNet"),
    ("_blocks.", "an EfficientNet"),
    ("features.0.0.", "an EfficientNet, a ConvNeXt or a MobileNet"),
    ("classifier.6.", "a VGG or an AlexNet"),
    ("stages.", "a ConvNeXt or another network of timm"),
)


@dataclass(frozen=True)
class Found:
    """A ResNet-18 in a file.

    entries   what was found by torchvision's names, without the last layer; counters of batches where there are any
    kind      of its normalisation: without running statistics it is GroupNorm
    notes     what was passed over, a clause each
    """

    entries: dict[str, Any]
    kind: Normalisation
    notes: tuple[str, ...]


def resnet18_shapes(kind: Normalisation) -> dict[str, tuple[int, ...]]:
    """Name and shape of all that a ResNet-18 holds below its last layer, counters of batches apart."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)} | _norm("bn1", 64, kind)
    for stage, (before, channels) in _STAGES.items():
        for block in (0, 1):
            name, width = f"layer{stage}.{block}", before if block == 0 else channels
            shapes[f"{name}.conv1.weight"] = (channels, width, 3, 3)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            shapes |= _norm(f"{name}.bn1", channels, kind) | _norm(f"{name}.bn2", channels, kind)
            if width != channels:
                shapes[f"{name}.downsample.0.weight"] = (channels, width, 1, 1)
                shapes |= _norm(f"{name}.downsample.1", channels, kind)
    return shapes


def _norm(name: str, channels: int, kind: Normalisation) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var") if kind == "batch_norm" else ("weight", "bias")
    return {f"{name}.{part}": (channels,) for part in parts}


def find_resnet18(content: Any, *, file: str) -> Found:
    """The ResNet-18 in the content of a weights file; raises ``WeightsError`` that says what else is in it."""
    dictionaries = list(_dictionaries(content, "", 0, set()))
    ranked = sorted(dictionaries, key=lambda one: _WRAPPERS.index(one[0]) if one[0] in _WRAPPERS else len(_WRAPPERS))
    for where, values in ranked:
        places = [
            *_places(values, "conv1.weight", "layer1.0.conv1.weight"),
            *_places(values, "0.weight", "4.0.conv1.weight"),
        ]
        if len(places) > 1:
            names = ", ".join(repr(place[:60]) for place in places[:5])
            raise _other(file, f"it holds several ResNets, under {names}; save the state dict of the one that you mean")
        if places:
            return _found(values, where, places[0], file=file)
    raise _other(file, _what_else([name for _, values in dictionaries for name in values]))


def check_norm(kind: Normalisation, norm: str, *, file: str) -> None:
    """Raise ``WeightsError`` for weights of a network with GroupNorm where a run would normalise in another way."""
    if kind == "group_norm" and norm != "group_norm":
        raise WeightsError(
            f"The weights file {file} is of a ResNet-18 with GroupNorm, which has no statistics for BatchNorm. Choose "
            "GroupNorm (norm group_norm), or another file."
        )


def _dictionaries(content: Any, where: str, depth: int, seen: set[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each dictionary that holds tensors by name, with the key under which it lies.

    One that lies there many times comes once: a small file could make a tree without end of it.
    """
    if not isinstance(content, Mapping) or depth > _DEEPEST or id(content) in seen:
        return
    seen.add(id(content))
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and hasattr(value, "shape")}
    if tensors:
        yield where, tensors
    for name, value in content.items():
        yield from _dictionaries(value, name if isinstance(name, str) else "", depth + 1, seen)


def _places(values: Mapping[str, Any], first: str, later: str) -> list[str]:
    """What stands before ``first`` in names, wherever ``later`` is there too."""
    starts = [name.removesuffix(first) for name in values if name.endswith(first)]
    return [start for start in starts if (not start or start.endswith(".")) and f"{start}{later}" in values]


def _found(values: Mapping[str, Any], where: str, start: str, *, file: str) -> Found:
    inside = {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}
    if "conv1.weight" not in inside:
        inside = {_renamed(name): value for name, value in inside.items()}
    body = {name: value for name, value in inside.items() if name.startswith(_BODY)}
    counters = {name: value for name, value in body.items() if name.endswith(COUNTER)}
    body = {name: value for name, value in body.items() if name not in counters}
    statistics = any(name.endswith("running_mean") for name in body)
    kind: Normalisation = "batch_norm" if statistics or "bn1.weight" not in body else "group_norm"
    expected = resnet18_shapes(kind)
    if depth := _depth(body):
        raise _other(file, f"this is a {depth}")
    for name, shape in expected.items():
        if name not in body:
            raise _other(file, f"{name} is missing")
        if tuple(body[name].shape) != shape:
            raise _other(file, f"{name} has the shape {tuple(body[name].shape)} instead of {shape}")
    if unexpected := sorted(set(body) - set(expected)):
        raise _other(file, f"it also has {unexpected[0]}")
    left = sorted({name.split(".")[0] for name in inside if not name.startswith(_BODY) and not name.startswith("fc.")})
    notes = [f"found under {where}" if where else "", f"named with {start} in front" if start else ""]
    notes += [f"left out: {', '.join(left)[:100]}" if left else ""]
    counters = {name: value for name, value in counters.items() if name.removesuffix(COUNTER) + "weight" in expected}
    return Found({name: body[name] for name in expected} | counters, kind, tuple(note for note in notes if note))


def _renamed(name: str) -> str:
    number, _, rest = name.partition(".")
    return f"{_NUMBERED.get(number, number)}.{rest}"


def _depth(body: Mapping[str, Any]) -> str | None:
    """The name of another ResNet, by its blocks; None for that of a ResNet-18."""
    blocks = [len({name.split(".")[1] for name in body if name.startswith(f"layer{stage}.")}) for stage in _STAGES]
    if any(".conv3." in name for name in body):
        known = {6: "ResNet-50", 23: "ResNet-101", 36: "ResNet-152"}
        return known.get(blocks[2], "ResNet with bottlenecks")
    if blocks == [3, 4, 6, 3]:
        return "ResNet-34"
    return None if blocks == [2, 2, 2, 2] else f"ResNet with {', '.join(map(str, blocks))} blocks in its stages"


def _what_else(names: list[str]) -> str:
    if not names:
        return "it does not hold tensors by name"
    if all(name.split(".")[-2:-1] == ["fc"] or name.startswith("fc.") for name in names):
        return "it holds only a last layer, and not the network below it"
    for part, network in _OTHERS:
        if any(name.startswith(part) or f".{part}" in name for name in names):
            return f"this is {network}"
    return "conv1.weight is missing"


def _other(file: str, reason: str) -> WeightsError:
    return WeightsError(
        f"The weights file {file} is not the state dict of a torchvision ResNet-18 ({reason[:300]}). "
        "Choose another file, imagenet or none."
    )
