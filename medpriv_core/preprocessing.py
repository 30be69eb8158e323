"""How images reach a network, said once: for the code that does it, for the header of its file and for its model card.

Whoever takes a network away must bring images in as it learned them: colours, size, filter, crop, scale. And a network
with GroupNorm has the names of one with BatchNorm, so that only the file itself can say which it is.
"""

from __future__ import annotations

from typing import Any

from medpriv_core.architectures import ARCHITECTURES, RESNET18
from medpriv_core.pictures.reading import AS_USUAL, FIT_WORDS, FRAMES_WORDS, WINDOW_WORDS, Reading
from medpriv_core.spec import Norm, RunSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)
GROUPS = 32
EPSILON = 1e-5  # added to each variance, in every normalisation layer


def preprocessing(spec: RunSpec, *, channels: int, reading: Reading = AS_USUAL) -> dict[str, Any]:
    """The steps by name, ready for JSON, for a dataset whose images have ``channels`` (1: grey, 3: colour)."""
    return {
        "colours": "grey: Rec. 601 luma in whole levels, as Pillow's mode L" if channels == 1 else "RGB",
        "resize": {
            "size": [spec.image_size, spec.image_size],
            "filter": "bicubic, widened when shrinking (Pillow's BICUBIC)",
            "keep_aspect_ratio": reading.fit != "squash",
            **({} if reading.fit == "squash" else {"first": FIT_WORDS[reading.fit]}),
        },
        **({} if reading.window == "file" else {"window": WINDOW_WORDS[reading.window]}),
        **({} if reading.frames == "first" else {"frames": FRAMES_WORDS[reading.frames]}),
        "crop": {"size": [spec.input_size, spec.input_size], "place": "centre"},
        "scale": "divide by 255",
        "channels": "the grey value three times" if channels == 1 else "red, green, blue",
        "mean": list(IMAGENET_MEAN),
        "standard_deviation": list(IMAGENET_SD),
        "last_layer_reads": ARCHITECTURES[spec.architecture].reads[spec.features].words,
        "standardise_features": spec.standardise,
    }


def normalisation(norm: Norm) -> dict[str, Any]:
    """The kind of the normalisation layers, ready for JSON."""
    if norm == "group_norm":
        return {"kind": "group_norm", "groups": GROUPS, "eps": EPSILON}
    return {"kind": "batch_norm", "statistics": "as in the file", "eps": EPSILON}


def preprocessing_in_words(spec: RunSpec, *, channels: int, reading: Reading = AS_USUAL) -> str:
    """The same for people."""
    colours = "made grey (Rec. 601 luma, as Pillow's mode L)" if channels == 1 else "taken in colour (RGB)"
    size, seen = spec.image_size, spec.input_size
    crop = f", the middle {seen} x {seen} are cut out" if seen != size else ""
    copied = ", the grey value is given three times" if channels == 1 else ""
    mean, deviation = (", ".join(f"{value:g}" for value in values) for values in (IMAGENET_MEAN, IMAGENET_SD))
    sentences = [
        f"An image is {colours}, {FIT_WORDS[reading.fit]} of {size} x {size} pixels by the bicubic filter, widened "
        f"when shrinking{crop}, divided by 255{copied}; then the mean ({mean}) is subtracted and the rest divided by "
        f"the standard deviation ({deviation})."
    ]
    if reading.window != "file":
        sentences.append(
            f"Grey of DICOM, or of more than 8 bits, is first shown in a window: {WINDOW_WORDS[reading.window]}."
        )
    if reading.frames != "first":
        sentences.append(f"Of a DICOM file with several frames: {FRAMES_WORDS[reading.frames]}.")
    if spec.features != "last":
        sentences.append(f"The last layer reads {ARCHITECTURES[spec.architecture].reads[spec.features].words}.")
    if spec.standardise:
        sentences.append(
            "What it reads is standardised for each image: its own mean is subtracted, and it is scaled to length 1."
        )
    return " ".join(sentences)


def normalisation_in_words(norm: Norm, architecture: str) -> str:
    """What to build in order to load the network."""
    if norm == "group_norm":
        said = f"Its normalisation is GroupNorm with {GROUPS} groups (eps {EPSILON:g}) in place of BatchNorm"
        if architecture != RESNET18.name:
            return f"{said}, under the same names."
        return (
            f"{said}, under the same names: build torchvision's resnet18 with norm_layer=lambda channels: "
            f"torch.nn.GroupNorm({GROUPS}, channels). An ordinary one loads the file with strict=False as another "
            "network."
        )
    return "Its normalisation is BatchNorm with the statistics in the file (evaluation mode)."
