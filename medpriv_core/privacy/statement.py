"""Epsilon in words: never a bare number, always with what it depends on.

>>> dp_sgd_statement(epsilon=7.1597, delta=1e-5)
'ε = 7.16 (δ = 1e-5; one image added or removed; Poisson subsampling; PLD accountant)'
>>> format_epsilon(24993.4), format_epsilon(0.1462), format_epsilon(float("inf"))
('24,994', '0.147', '∞')
"""

from __future__ import annotations

import math
from decimal import Decimal

from medpriv_core.privacy.dp_sgd import Accountant, Adjacency
from medpriv_core.privacy.exposure import Exposure
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageAccountant, ImageGuarantee
from medpriv_core.privacy.tradeoff import Risk
from medpriv_core.spec import Sampling, in_short
from medpriv_core.unit import Unit

# A convention, not a theorem: Gaussian noise with ε = 10 (at δ = 1e-5) lets an attacker find 37 of 100 with 1 false
# alarm in 100.
STRONG_EPSILON = 10
# What is told may be above the truth by this share; one digit more is written before it is more.
TOLD_ABOVE = 0.015
# From here on, a network gives away nearly every image to whoever looks for it.
NEARLY_ALL = 0.9


def format_epsilon(epsilon: float) -> str:
    """ε for people: three significant digits, or whole numbers from 100 on; never less than the number given."""
    if math.isinf(epsilon):
        return "∞"
    if epsilon >= 100:
        return f"{math.ceil(epsilon):,}"
    if epsilon <= 0:
        return "0"
    nearest = Decimal(f"{epsilon:.3g}")
    # Numbers are compared as the machine holds them: 0.1 is 0.1, and not a last bit more that would make it 0.101.
    if float(nearest) < epsilon:
        nearest += Decimal(1).scaleb(math.floor(math.log10(epsilon)) - 2)
    text = f"{nearest:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def of_hundred(share: float) -> str:
    """A share between 0 and 1 as a number of 100, rounded up and never by much: "2", "5.4", "1.03"."""
    for digits in range(6):
        scale = 10 ** (digits + 2)
        told = math.ceil(share * scale)
        if (told - 1) / scale >= share:  # only a last bit made it more
            told -= 1
        if told / scale <= share * (1 + TOLD_ABOVE):
            break
    return f"{told / 10**digits:.{digits}f}"


def format_delta(delta: float) -> str:
    """δ for people: the shortest exact form, "1e-5" or "0.001"."""
    mantissa, _, exponent = f"{delta:.12g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


_CHANGED: dict[Adjacency, str] = {
    "add-remove": "added or removed",
    "zero-out": "replaced by {empty}",
    "replace-one": "replaced by any other",
}
# What a record is, and what it is replaced by where it is taken out and the number of records is public.
_RECORD: dict[Unit, tuple[str, str]] = {
    "image": ("one image", "an empty one"),
    "patient": ("one patient with all images and labels", "one without images"),
}
SAMPLING_WORDS: dict[Sampling, str] = {
    "poisson": in_short("sampling", "poisson"),
    "full_batch": in_short("sampling", "full_batch"),
    "shuffled": f"{in_short('sampling', 'shuffled')}, nothing counted for sampling",
}
ACCOUNTANT_WORDS: dict[Accountant, str] = {
    "pld": "PLD accountant",
    "gaussian": "exact Gaussian accountant",
    "rdp": "RDP accountant",
}


def neighbours_in_words(adjacency: Adjacency, unit: Unit = "image") -> str:
    """How neighbouring training sets differ.

    Args:
        adjacency: By what kind of change.
        unit: What a record is.

    Returns:
        "one image added or removed".

    >>> neighbours_in_words("zero-out"), neighbours_in_words("add-remove", "patient")
    ('one image replaced by an empty one', 'one patient with all images and labels added or removed')
    """
    record, empty = _RECORD[unit]
    return f"{record} {_CHANGED[adjacency].format(empty=empty)}"


def unit_in_words(unit: Unit) -> str:
    """Whom a DP-SGD run protects: "one training image"."""
    return "one training image" if unit == "image" else "one patient, with all training images"


def dp_sgd_statement(
    *,
    epsilon: float,
    delta: float,
    adjacency: Adjacency = "add-remove",
    sampling: Sampling = "poisson",
    accountant: Accountant = "pld",
    images_per_patient: int = 1,
    unit: Unit = "image",
) -> str:
    """The ε of a DP-SGD run with all that it depends on.

    What is not given is that of a sound run with Poisson sampling.

    Args:
        epsilon: What holds; infinite where none does.
        delta: At which it holds.
        adjacency: How neighbouring training sets differ.
        sampling: How batches are drawn.
        accountant: Which one ε comes from.
        images_per_patient: Images that are added or removed together.
        unit: What a record is.

    Returns:
        "ε = 7.16 (δ = 1e-5; one image added or removed; Poisson sampling; PLD accountant)".
    """
    neighbours = neighbours_in_words(adjacency, unit)
    if images_per_patient > 1:
        neighbours = f"all {images_per_patient} images of a patient {neighbours.removeprefix('one image ')}"
        neighbours = neighbours.replace("by an empty one", "by empty ones")
    return (
        f"ε = {format_epsilon(epsilon)} (δ = {format_delta(delta)}; {neighbours}; {SAMPLING_WORDS[sampling]}; "
        f"{ACCOUNTANT_WORDS[accountant]})"
    )


def what_does_not_hold(*, claimed: float, holds: float, unit: Unit = "image") -> str:
    """The sentence beside an ε that is not what its noise, batches and steps alone would suggest.

    Args:
        claimed: The ε that they would suggest.
        holds: The one that holds; infinite where none does.
        unit: What a record is.

    Returns:
        One sentence.
    """
    claim = (
        f"ε = {format_epsilon(claimed)} would need Poisson subsampling, each {unit} clipped by itself and kept apart"
    )
    if math.isinf(holds):
        return f"No ε holds for this run: {claim}, which is not the case."
    return f"What holds for this run is ε = {format_epsilon(holds)}: {claim}, which is not the case."


IMAGE_ACCOUNTANT_WORDS: dict[ImageAccountant, str] = {
    "saddle_point": "saddle-point accountant, at most 0.5% too high",
    "gaussian": "exact Gaussian accountant",
    "none": "one random number for all pixels hides no difference between them",
}


def image_epsilon_statement(guarantee: ImageGuarantee) -> str:
    """The ε of a whole picture, all its noised copies together, with all that it depends on."""
    return f"ε = {format_epsilon(guarantee.epsilon_image)} ({image_epsilon_conditions(guarantee)})"


def image_epsilon_conditions(guarantee: ImageGuarantee) -> str:
    """All that the ε of a whole picture depends on, without the ε: pictures beside each other may have it in common."""
    copies = "noise drawn once" if guarantee.copies == 1 else f"{guarantee.copies:,} noised copies together"
    delta = "" if math.isinf(guarantee.epsilon_image) else f"δ = {format_delta(guarantee.delta)}; "
    return f"{delta}for any two images; {copies}; {IMAGE_ACCOUNTANT_WORDS[guarantee.accountant]}"


def several_images_statement(guarantee: ImageGuarantee, images: int) -> str:
    """What holds for all noised images of one patient together.

    Args:
        guarantee: What holds for ``images`` releases of one picture; different pictures of one patient cost as much.
        images: How many the patient has.

    Returns:
        One sentence with its ε, δ and accountant.
    """
    delta = "" if math.isinf(guarantee.epsilon_image) else f"δ = {format_delta(guarantee.delta)}; "
    return (
        f"The patient with the most has {images:,} images, each with noise of its own: for all of them together "
        f"ε = {format_epsilon(guarantee.epsilon_image)} ({delta}for any two such sets of images; "
        f"{IMAGE_ACCOUNTANT_WORDS[guarantee.accountant]})."
    )


def image_unit_statement(guarantee: ImageGuarantee) -> str:
    """The ε of the mechanism's unit (a pixel, or as many as DP-Pix protects), with all that it depends on."""
    colour = " (red, green or blue of a pixel)" if "colour" in guarantee.unit else ""
    delta = "" if math.isinf(guarantee.unit_epsilon) else f"δ = {format_delta(guarantee.unit_delta)}; "
    return (
        f"ε = {format_epsilon(guarantee.unit_epsilon)} ({delta}two images that differ in {guarantee.unit}{colour}, "
        "at most by black against white)"
    )


def local_dp_meaning(guarantee: ImageGuarantee) -> str:
    """What the epsilon of the noised training pictures means for what these pictures show."""
    if math.isinf(guarantee.epsilon_image):
        protects = "Nothing that an image shows is protected: the differences between its pixels are released exactly."
    elif guarantee.epsilon_image > STRONG_EPSILON:
        unit = f"{guarantee.unit[:1].upper()}{guarantee.unit[1:]} {'have' if guarantee.unit.endswith('s') else 'has'}"
        delta = f" (δ = {format_delta(guarantee.unit_delta)})" if guarantee.unit_delta else ""
        protects = (
            f"{unit} ε = {format_epsilon(guarantee.unit_epsilon)}{delta}, but for the image as a whole its ε "
            f"promises nothing; protection usually means ε below {STRONG_EPSILON}."
        )
    else:
        protects = "Protects what the training images show from everybody, the one who trains included."
    return (
        f"{protects} Labels are not protected, nor are test images without noise. A copy noised for another image size "
        "or other noise adds its ε."
    )


def image_neighbours(shape: Shape) -> str:
    """Which two pictures count as neighbours of a whole picture, and what of them is public; ``shape`` is (h, w, c).

    >>> image_neighbours((40, 60, 1))
    'any two images of 60 × 40 pixels in grey as they are noised; size and mode (grey or colour) are public'
    """
    height, width, channels = shape
    return (
        f"any two images of {width:,} × {height:,} pixels in {'grey' if channels == 1 else 'colour'} as they are "
        "noised; size and mode (grey or colour) are public"
    )


def image_release_statement(guarantee: ImageGuarantee, shape: Shape) -> str:
    """What a file of a noised picture says of it: every ε with all that it depends on.

    Args:
        guarantee: What holds for the picture.
        shape: Height, width and channels of the picture.

    Returns:
        Three sentences: the picture, the unit, and who the neighbours are.
    """
    unit = guarantee.unit
    return (
        f"The image: {image_epsilon_statement(guarantee)}. {unit[0].upper()}{unit[1:]}: "
        f"{image_unit_statement(guarantee)}. Neighbours: {image_neighbours(shape)}."
    )


def dp_sgd_meaning(risk: Risk, unit: Unit = "image") -> str:
    """What a trained model gives away at most about which records it was trained on, by the exact trade-off curve.

    Args:
        risk: What an attacker can reach at most.
        unit: What a record is.

    Returns:
        One sentence.
    """
    records = "images that were in the training set" if unit == "image" else "patients whose images were used"
    if risk.at_one_percent >= 1:
        every = records.replace("images that were", "image that was").replace("patients", "patient")
        return f"Nothing is promised: anyone who has the model may find every {every}, without a false alarm."
    found = (
        f"finds at most {of_hundred(risk.at_one_percent)} of 100 {records}, while wrongly naming 1 of 100 that were not"
    ).replace("that were not", "others" if unit == "patient" else "that were not")
    if risk.at_one_percent > NEARLY_ALL:
        return f"This ε promises next to nothing for a single {unit}: anyone who has the model {found}."
    whole = "Protects single images" if unit == "image" else "Protects patients, with all their images"
    return f"{whole}: anyone who has the model {found}."


def found_statement(exposure: Exposure, rate: str, unit: Unit = "image") -> str:
    """What a training gives away at most, in people.

    Args:
        exposure: What an attacker finds at most.
        rate: Of false alarms, as ``exposure.found`` names it.
        unit: What a record is. Where it is an image, what is told is of patients who have one.

    Returns:
        "Of 100 patients whose image was used, at most 5.3 are found, while 1 of 100 others is falsely accused."
    """
    found, accused = exposure.found[rate], round(100 * float(rate))
    whose = "whose image was used" if unit == "image" else "whose images were used"
    if math.isinf(exposure.epsilon):
        return f"No ε holds: all of 100 patients {whose} may be found, and nobody else be falsely accused."
    many = f"at most {of_hundred(found)} are found" if found < 1 else "all may be found"
    others = f"{accused} of 100 others {'is' if accused == 1 else 'are'} falsely accused"
    return f"Of 100 patients {whose}, {many}, while {others}."


def recognised_statement(exposure: Exposure, rate: str) -> str:
    """What noised images give away at most, in people.

    Args:
        exposure: What an attacker recognises at most.
        rate: Of false alarms, as ``exposure.found`` names it.

    Returns:
        "Of 100 noised images of one patient, at most 5.3 are recognised, while 1 of 100 of another is taken for one."
    """
    found, mistaken = exposure.found[rate], round(100 * float(rate))
    if math.isinf(exposure.epsilon):
        return "No ε holds: all of 100 noised images of one patient may be recognised, and no other be taken for one."
    many = f"at most {of_hundred(found)} are recognised" if found < 1 else "all may be recognised"
    others = f"{mistaken} of 100 of another {'is' if mistaken == 1 else 'are'} taken for one"
    return f"Of 100 noised images of one patient, {many}, while {others}."
