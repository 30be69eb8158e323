"""What a session's self-test measured, as figures in ``setup.json`` and as words beside the lights.

Before its first step, a session tries its own stepper and sampler on copies and made-up records
(``training/self_test``). Under the key ``measured`` of its guarantee it records one finding for each thing that was
tried: whether it holds, and the figures. No seeds, and nothing of any image.

>>> words_of("noise", {"holds": True, "deviation": 1.0031, "numbers": 20520})
'a deviation of 1.003 of σC/B over 20,520 numbers'
>>> words_of("noise", {"holds": True})  # figures of another version
''
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Finding = Mapping[str, Any]
Tried = Literal[
    "noise",
    "repeat",
    "clipping",
    "class_weights",
    "apart",
    "divisor",
    "sampling",
    "patients",
    "preprocessing",
    "augmentation",
]

# How the figures of a finding are told.
_WORDS: dict[str, str] = {
    "noise": "a deviation of {deviation:.3f} of σC/B over {numbers:,.0f} numbers",
    "repeat": "two draws of one stepper correlate by {one:.3f}, those of two steppers by {two:.3f}",
    "clipping": "a gradient of length {length:,.0f} C added {added:.4f} C",
    "class_weights": "no class added more than {added:.4f} C",
    "apart": "two images added what each adds alone, to {difference:.1e} of C",
    "divisor": "two images together counted {together:.3f} times what they count alone, and an empty batch had "
    "{empty:.3f} times their noise",
    "sampling": "{batches:,.0f} batches, {size:.3f} times the expected size and {spread:.2f} times its variance",
    "patients": "each of {patients:,.0f} patients gave images of their own alone, at most {images:,.0f} in a step, and "
    "one with two images added {added:.4f} C",
    "preprocessing": "a made-up image came out the same, to {difference:.1e}, among two sets of others",
    "augmentation": "the same step was varied in two ways",
}

# What is wrong where a finding does not hold.
FAILED: dict[str, str] = {
    "noise": "The noise is not what ε counts on",
    "repeat": "The noise comes back, and anyone who can repeat it can take it off",
    "clipping": "One image adds more than the clipping norm",
    "class_weights": "Images of one class add more than the clipping norm",
    "apart": "What one image adds depends on the others in its batch",
    "divisor": "The sum of a batch is divided by a number that depends on who was drawn",
    "sampling": "Batches are not drawn as ε counts on",
    "patients": "A drawn patient gives other images than their own, or adds more than the clipping norm",
    "preprocessing": "What an image becomes depends on which others are in the training set",
    "augmentation": "How an image is varied can be known beforehand",
}


def words_of(name: str, finding: Finding) -> str:
    """The figures of one finding of the self-test, in words.

    Args:
        name: What was tried: "noise", "clipping", ...
        finding: What was found: its figures by name.

    Returns:
        "a deviation of 1.003 of σC/B over 20,520 numbers"; empty where a figure is missing or is not a number.
    """
    figures = {key: value for key, value in finding.items() if isinstance(value, int | float)}
    # JSON has no infinity and no NaN; a step that moved to nowhere has null.
    figures |= {key: float("nan") for key, value in finding.items() if value is None}
    try:
        return _WORDS[name].format(**figures)
    except (KeyError, ValueError):
        return ""


def failures(measured: Mapping[str, Finding]) -> list[str]:
    """A clause for each finding of the self-test that does not hold."""
    clauses = []
    for name, finding in measured.items():
        if finding.get("holds") is not True:
            words = words_of(name, finding)
            clauses.append(FAILED.get(name, f"The trial {name} failed") + (f" ({words})" if words else ""))
    return clauses
