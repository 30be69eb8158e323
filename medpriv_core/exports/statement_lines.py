"""The sentences of a privacy statement: its three boxes, its lines of settings, and what people promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from medpriv_core.errors import DatasetError
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.privacy.checks import PATIENTS_LIGHT, SECOND_LIGHT
from medpriv_core.privacy.conditions import Check
from medpriv_core.privacy.odds import PRIORS, odds_factor, posterior_at
from medpriv_core.privacy.statement import (
    format_delta,
    format_epsilon,
    local_dp_meaning,
    of_hundred,
    several_images_statement,
)
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES, Risk
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import HeldGuarantee, picture_guarantee
from medpriv_core.runs.service import Run
from medpriv_core.spec import RunSpec

NOT_RECORDED = "not recorded"
BLANK = "________________________"


@dataclass(frozen=True)
class Box:
    """One of the three boxes at the top."""

    key: str
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One line of the table; ``nist`` is the topic of NIST SP 800-226 that it answers."""

    key: str
    label: str
    value: str
    nist: str


def box_of_what_leaves(run: Run, spec: RunSpec, recipient: str | None, purpose: str | None) -> Box:
    """What leaves the house and to whom."""
    if run.kept_nothing:
        what = "Nothing: no network was kept."
    elif spec.method == "dp_sgd":
        what = (
            "The trained network, and answers computed from it. Loss, accuracy and class counts of the training images "
            "stay here, unless somebody asks for them."
        )
    elif spec.method == "local_dp":
        what = (
            "The trained network, which learned from noised images. The noised images only if somebody hands them on."
        )
    else:
        what = "The trained network and its figures, without any protection of the training images."
    unfinished = () if run.ended else ("The run has not ended: all figures are of now.",)
    stopped = () if run.spent is None or run.spent.place is None or not run.ended else (run.spent.place,)
    trusted = {
        "dp_sgd": "The one who trains sees every image and must be trusted, with this machine and its administrator.",
        "local_dp": "The program that adds the noise sees every image; in this data home the clean images lie too.",
        "none": "Everybody who gets the network must be trusted.",
    }[spec.method]
    return Box(
        "what_leaves",
        "What leaves, and to whom",
        (what, *unfinished, *stopped, f"To: {recipient or BLANK}", f"For: {purpose or BLANK}", trusted),
    )


def box_of_odds(spec: RunSpec, held: HeldGuarantee, risk: Risk) -> Box:
    """Who could learn what, in odds."""
    title = "Who could learn what, in odds"
    if spec.method == "none":
        said = "ε = ∞: trained without privacy. Nothing bounds what the network tells about single patients."
        return Box("odds", title, (said,))
    if not held.established:
        return Box("odds", title, (f"{_upper(held.statement)}. Until it is, nothing bounds what can be learned.",))
    if math.isinf(held.epsilon) or risk.at_one_percent >= 1:
        return Box("odds", title, (f"{_upper(held.statement)}. Every record may be found, without a false alarm.",))
    if spec.method == "local_dp":
        whom = "Somebody who gets the noised images and wavers between two originals of one"
        named = "that the image is the one he names"
        rest = "At most, whatever else he knows. Labels are not protected."
    else:
        whom = f"Somebody who gets the network and asks whether {_whom(held)} was used"
        named = "that one he names was used"
        rest = "At most, whatever else he knows; most attackers reach less."
    rates = ", ".join(
        f"{of_hundred(risk.tpr_at_fpr[rate])} of 100 at {float(rate) * 100:g}%" for rate in FALSE_ALARM_RATES
    )
    odds = ", ".join(f"{_percent(prior)} → {_percent(posterior_at(prior, risk=risk))}" for prior in PRIORS)
    factor = f"{math.ceil(odds_factor(risk) * 10 - 1e-9) / 10:g}"
    return Box(
        "odds",
        title,
        (
            f"{whom} finds at most, by share of false alarms: {rates}.",
            f"How likely it is {named}, before → after, at 1% false alarms: {odds}. The odds grow {factor} times at "
            "most.",
            rest,
        ),
    )


def _whom(held: HeldGuarantee) -> str:
    return "a patient's image data" if "patient" in held.unit else "one image"


def _percent(share: float) -> str:
    return f"{of_hundred(share)}%"


def box_of_uncovered(spec: RunSpec, setup: Setup) -> Box:
    """What no ε here covers."""
    labels = {
        "dp_sgd": "Covered are images and labels of the training set only.",
        "local_dp": "Labels of the training images: they were used as they are.",
        "none": "Nothing is covered: images, labels and people of the training set are unprotected.",
    }[spec.method]
    several: tuple[str, ...] = ()
    if spec.method == "dp_sgd" and setup.guarantee.unit != "patient":
        several = ("Patients with several images: ε is for one image of theirs.",)
    return Box(
        "not_covered",
        "What is not covered",
        (
            labels,
            *several,
            "Test images, the file of predictions on them, and accuracy figures.",
            "The search for settings, and other runs on the same images: each spends its own ε.",
            "What all training images have in common, the number of images and patients, images handed in later.",
        ),
    )


def guarantee_lines(run: Run, spec: RunSpec, held: HeldGuarantee, checks: Sequence[Check], *, data: str) -> list[Line]:
    """The table of settings and guarantee, in one order for all runs."""
    setup, by_name = run.setup, {check.name: check.sentence for check in checks}
    of = f", of {setup.patients:,} patients" if setup.patients else ""
    images = f"{setup.train_size:,} training images{of}" if setup.train_size else f"number of images {NOT_RECORDED}"
    none = "none: no ε holds" if spec.method == "none" else NOT_RECORDED
    local = spec.method == "local_dp"
    privacy = "Privacy loss parameter"
    return [
        Line("data", "Data", f"{data}; {images}", "Data collection exposure"),
        Line("method", "Method", _method(run, spec), "Mechanism"),
        Line("epsilon", "ε with δ", _epsilon(held), privacy),
        Line("meaning", "In words", _meaning(spec, held), privacy),
        Line("unit", "Unit: who is protected", held.unit if held.unit else none, "Unit of privacy"),
        Line("from_whom", "From whom", _from_whom(spec), "Threat model"),
        Line("adjacency", "Neighbours", held.adjacency or none, "Unit of privacy"),
        Line("sampling", "Sampling", held.sampling or none, "Mechanism"),
        Line("accountant", "Accountant", held.accountant or none, privacy),
        Line(
            "second",
            "Second accountant",
            "none for this method" if spec.method != "dp_sgd" else by_name.get(SECOND_LIGHT, NOT_RECORDED),
            "Implementation",
        ),
        Line(
            "patients",
            "Several images each",
            _patients(spec, setup) if local else by_name.get(PATIENTS_LIGHT, none),
            "Unit of privacy",
        ),
        Line(
            "trust",
            "Trust model",
            {
                "dp_sgd": "central: the one who trains sees the images",
                "local_dp": "local in kind: noise is added to each image before training",
                "none": "none",
            }[spec.method],
            "Trust model",
        ),
        Line(
            "side_channels",
            "Side channels",
            "times of computing are not hidden and are not in exports; the noise generator is among the checks"
            if spec.method == "dp_sgd"
            else "times of computing are not hidden",
            "Side channels",
        ),
        Line(
            "access",
            "Access",
            "the data home is open to one account of this machine and is not encrypted",
            "Access control",
        ),
        Line("utility", "Test accuracy", _accuracy(run), "Utility and bias"),
    ]


def _method(run: Run, spec: RunSpec) -> str:
    title = METHOD_STYLES[spec.method].title
    if spec.method == "local_dp":
        return f"{title}, β = {spec.beta:g}, {spec.picture_noise.in_words}"
    if spec.method != "dp_sgd":
        return title
    noise = run.setup.guarantee.noise_multiplier or run.setup.noise_multiplier
    said = f"noise multiplier {noise:.4g}" if noise else f"noise multiplier {NOT_RECORDED}"
    steps = f"{run.spent.steps:,} steps" if run.spent is not None and run.spent.steps else f"steps {NOT_RECORDED}"
    return f"{title}, {said}, clipping norm {spec.max_grad_norm:g}, batch {spec.batch_size:,}, {steps}"


def _epsilon(held: HeldGuarantee) -> str:
    if not held.established:
        return held.statement
    if held.delta is None:
        return "ε = ∞"
    return f"ε = {format_epsilon(held.epsilon)}, δ = {format_delta(held.delta)}"


def _meaning(spec: RunSpec, held: HeldGuarantee) -> str:
    if held.verdict is not None:
        return held.verdict.sentence
    if spec.method == "local_dp" and held.established:
        try:
            return local_dp_meaning(picture_guarantee(spec))
        except DatasetError:
            return NOT_RECORDED
    return f"{_upper(held.statement)}."


def _from_whom(spec: RunSpec) -> str:
    return {
        "dp_sgd": "anyone who has the network at any step, with unlimited computing and all other images",
        "local_dp": "anyone who has the noised images or a network trained on them",
        "none": "nobody",
    }[spec.method]


def _patients(spec: RunSpec, setup: Setup) -> str:
    count = setup.patient_count
    if count is None:
        return "not known: the names of the files do not tell" if setup.patients_counted else NOT_RECORDED
    if count.largest == 1:
        return "each has one image"
    try:
        return several_images_statement(picture_guarantee(spec, images=count.largest), count.largest)
    except DatasetError:
        return NOT_RECORDED


def _accuracy(run: Run) -> str:
    if run.last.test.accuracy is None:
        return "not measured"
    size = f" of {run.setup.test_size:,} test images" if run.setup.test_size else ""
    return f"{run.last.test.accuracy:.1%}{size}, after epoch {run.last.epoch}; not covered by ε, and groups may differ"


def promises(spec: RunSpec) -> tuple[str, ...]:
    """What people promise, because no machine can check it."""
    return (
        "The network goes to nobody but the recipient named above.",
        *(
            ("No other network on these images was given away than those marked here, also by other programs.",)
            if spec.method == "dp_sgd"
            else ()
        ),
        "Labels are right, and all images of one patient are told to be of that patient.",
        "The data home, its copies and checkpoints are open to nobody else, and go when retention ends.",
    )


def _upper(sentence: str) -> str:
    first = sentence[:1]
    return f"{first.upper() if first.isascii() else first}{sentence[1:]}"
