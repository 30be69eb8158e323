"""What the settings of a run are called on screen: the plain word first, the symbol in brackets, the rest on hover."""

from __future__ import annotations

from typing import Any

from medpriv_core.errors import MedprivError, SettingError
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.statement import format_delta
from medpriv_core.runs.failure import reworded
from medpriv_core.runs.summary import RunSummary
from medpriv_core.shown_text import for_cell, for_markdown

LABELS: dict[str, str] = {
    "image_size": "Pixels a side",
    "crop_size": "Crop to 7/8 of the side, as in the paper",
    "method": "Method",
    "beta": "Amount of noise (Laplace scale β)",
    "noise_draw": "Noise",
    "noise_multiplier": "Noise multiplier (σ)",
    "target_epsilon": "Privacy budget (ε)",
    "delta": "Chance of failure (δ)",
    "max_grad_norm": "Clipping norm (C)",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "momentum": "Momentum",
    "weight_decay": "Weight decay",
    "trainable": "What learns",
    "features": "What the last layer reads",
    "standardise": "Standardise the features, image by image",
    "head_bias": "Constant term in the last layer",
    "augmentation_multiplicity": "Variants of each image, itself included",
    "norm": "Normalisation layers",
    "sampling": "Which images a step sees",
    "engine": "How gradients are clipped",
    "microbatch_size": "Images clipped together",
    "noise_generator": "Noise generator",
    "class_weights": "Weights of the classes",
    "average_last": "Average the last steps (share of all)",
    "memory_mb": "Memory of a pass (MB)",
    "weights": "Pretrained weights",
    "augment": "Vary the training images a little (augmentation)",
    "seed": "Seed",
    "device": "Device",
    "precision": "Precision",
}

HELP: dict[str, str] = {
    "image_size": "Smaller is faster.",
    "method": "**Local-DP** puts noise on every image before training. **DP-SGD** puts noise on what the network "
    "learns from each batch (clipped gradients). **No privacy** is the yardstick.",
    "beta": "Spread of the Laplace noise on each pixel between 0 and 1. More noise protects more.",
    "noise_draw": "The paper's text means noise for every pixel; its published code drew one number a picture.",
    "noise_multiplier": "Standard deviation of the noise, in units of the clipping norm. More protects more.",
    "target_epsilon": "Smaller protects more; 1 to 8 is usual. The noise that it needs is worked out.",
    "delta": "The chance that the promise of ε fails altogether. Must be well below 1/n for n training images.",
    "max_grad_norm": "No single image may push the network further than this in one step.",
    "epochs": "How often, on average, each training image is used.",
    "batch_size": "Images a step. With Poisson sampling: the expected number.",
    "momentum": "How much of the last step's direction is kept. Costs no privacy.",
    "weight_decay": "Pulls the weights towards zero. Costs no privacy.",
    "trainable": "The last layer alone learns in seconds, on numbers that the frozen network makes of each image once.",
    "features": "The frozen network sums an image up in numbers at several depths. More numbers can tell more apart, "
    "but under DP-SGD each of them gets its noise.",
    "standardise": "Each image's numbers are brought to the same mean and length, by that image alone.",
    "head_bias": "Lets the layer lean towards one class. Under DP-SGD it takes up its share of each clipped gradient.",
    "augmentation_multiplicity": "The gradients of an image and of its fixed random variants are averaged before "
    "clipping. Costs time, but no privacy.",
    "norm": "**Frozen BatchNorm** keeps the pretrained network exactly as it is. **GroupNorm** replaces it. "
    "**BatchNorm in training mode**, as the authors had it, mixes the images of a batch: no guarantee.",
    "sampling": "**Poisson sampling**: each image enters each step by its own lot, which makes the noise count for "
    "more. **Every image in every step**: one step an epoch, often better where ε is small. **A shuffled deck**: the "
    "usual way, and nothing may be credited for it.",
    "engine": "**One pass** is medpriv's own and about as fast as ordinary training. **Opacus** is there to compare "
    "with, and several times slower. **Microbatches** repeats what the authors did: several images are clipped as one.",
    "microbatch_size": "The authors took 4. Above 1, one image can change twice as much as the noise is meant to hide.",
    "noise_generator": "**Fast** is enough to learn and to demonstrate. **Secure** is hardened for a real release, and "
    "costs about 0.4 s a step when all layers learn, next to nothing for the last layer.",
    "class_weights": "How much an image of this class counts. From public knowledge only: counting the "
    "training images is not covered by ε.",
    "average_last": "The result is the mean of the weights over this share of the steps, at the end. It evens out the "
    "noise and costs no privacy. 0: the weights after the last step.",
    "memory_mb": "Larger batches are added up from several passes, with the same result. Empty: about 1,000.",
    "seed": "For the start and the order of images; never for a mechanism's noise.",
}

# setting -> value -> what it is called
CHOICES: dict[str, dict[str, str]] = {
    "method": {name: style.title for name, style in METHOD_STYLES.items()},
    "noise_draw": {"per_pixel": "Every pixel its own noise", "per_image": "One number for the picture"},
    "trainable": {
        "head": "The last layer only",
        "norms": "The last layer, and scale and shift of the normalisation",
        "all": "All layers",
    },
    "features": {
        "last": "Means of the last block (512)",
        "layer3": "Means of the block before (256)",
        "layer3_grid": "4 x 4 fields of the block before (4,096)",
    },
    "norm": {
        "frozen_batch_norm": "Frozen BatchNorm (as pretrained)",
        "group_norm": "GroupNorm",
        "batch_norm": "BatchNorm in training mode",
    },
    # Of DP-SGD, for which auto means Poisson sampling.
    "sampling": {
        "auto": "Each by its own lot (Poisson sampling)",
        "full_batch": "Every image in every step (full batch)",
        "shuffled": "The next ones of a shuffled deck",
    },
    "engine": {
        "one_pass": "Each image, in one pass (fast)",
        "opacus": "Each image, by Opacus (to compare)",
        "microbatch": "Microbatches, as the authors did",
    },
    "noise_generator": {"fast": "Fast", "secure": "Secure"},
    "weights": {"imagenet": "ImageNet", "none": "None (random start)", "path": "A file of mine"},
    "device": {name: name for name in ("auto", "cpu", "cuda", "mps")},
}


def sentence(error: MedprivError) -> str:
    """What is wrong, as markdown, with settings and their values called as in the form.

    The one way in which a page shows an error: names of files, classes and runs in it are text and nothing else.
    """
    return error.worded(_marked, rest=for_markdown) if isinstance(error, SettingError) else for_markdown(str(error))


def why_failed(run: RunSummary) -> str:
    """Why a run failed, as markdown, with settings and their values called as in the form; empty if it did not."""
    return in_form_words(run.kept_message or "")


def in_form_words(kept: str) -> str:
    """A sentence that was kept (``medpriv_core.runs.failure``), as markdown in the words of the form."""
    return reworded(kept, _marked, rest=for_markdown)


def why_failed_plainly(run: RunSummary) -> str:
    """The same for a cell of a table, which knows no markdown."""
    return for_cell(reworded(run.kept_message or "", _called))


def _called(setting: str, value: str | None) -> str:
    return in_words(setting, value) if value else LABELS.get(setting, setting)


def _marked(setting: str, value: str | None) -> str:
    called = for_markdown(_called(setting, value))
    return f"*{called}*" if value else f"**{called}**"


def in_words(setting: str, value: Any) -> str:
    """A setting's value as the form shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " : ".join(f"{part:g}" for part in value)
    if isinstance(value, str):
        return CHOICES.get(setting, {}).get(value, value)
    return f"{value:,}" if isinstance(value, int) else format_delta(value)


def format_size(megabytes: float) -> str:
    """MB in words: "90 MB", "1.5 GB"."""
    if megabytes >= 950:
        return f"{megabytes / 1000:.1f} GB"
    return f"{max(1, round(megabytes, -1 if megabytes >= 100 else None)):.0f} MB"
