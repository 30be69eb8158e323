"""What goes with a network that is handed on: a model card, and its guarantee with all that it rests on.

The sections are those of Mitchell et al. 2019, "Model cards for model reporting", as far as they apply. Every figure is
computed from what the run recorded, with its interval, and what is not protected is said as plainly as what is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.datasets.base import DatasetInfo
from medpriv_core.datasets.registry import dataset_info
from medpriv_core.errors import MedprivError
from medpriv_core.evaluation.intervals import wilson_interval
from medpriv_core.evaluation.metrics import EVALUATED
from medpriv_core.evaluation.predictions import FILE_NAME, Predictions, read_predictions
from medpriv_core.evaluation.statement import INTERVALS_IN_WORDS
from medpriv_core.palette import METHOD_STYLES
from medpriv_core.pictures.reading import FIT_WORDS, Reading
from medpriv_core.preprocessing import normalisation_in_words, preprocessing_in_words
from medpriv_core.privacy.checks import PATIENTS_LIGHT, SECOND_LIGHT, check_run, confirm_run
from medpriv_core.privacy.coverage import Coverage
from medpriv_core.privacy.statement import local_dp_meaning
from medpriv_core.privacy.verdict import run_verdict
from medpriv_core.records.epoch import COLUMNS
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import held_guarantee, picture_guarantee
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.failure import in_plain_words
from medpriv_core.runs.health import run_health
from medpriv_core.runs.service import Run
from medpriv_core.shown_text import for_markdown, for_terminal
from medpriv_core.spec import RunSpec, in_short

NOT_A_DEVICE = (
    "This network is for research and teaching. It is not a medical device, nobody has tested it on patients, and its "
    "output must not decide about anyone's care."
)
IMPORTED = (
    "This run came from another machine. The guarantee is computed from what it says that it recorded, and is as good "
    "as its sender."
)
SYNTHETIC = "All its images are SYNTHETIC: drawn by a program, of no patient. It can say nothing about real ones."
Network = Literal["whole", "last_layer"]
TEST_SETS: dict[str, str] = {"test": "test images", "test_noised": "noised test images"}
TOLD_ON_THE_CARD = (SECOND_LIGHT, PATIENTS_LIGHT)
_LIGHTS = {"green": "holds", "amber": "needs attention", "red": "FAILS"}


def guarantee_text(run: Run, spec: RunSpec, coverage: Coverage, *, imported: bool) -> str:
    """What is guaranteed to whom, in words, with delta, adjacency, sampling, accountant and every condition.

    ``coverage`` says what the export leaves out, or has in it though epsilon does not cover it.
    """
    confirm_run(spec, setup=run.setup, spent=run.spent)
    lines = [f"Privacy guarantee of the run {run.id}", "", *_guarantee(run, spec)]
    if imported:
        lines += ["", IMPORTED]
    lines += ["", "Not protected:"]
    lines += [f"- {item}" for item in _unprotected(spec, run.setup)]
    if coverage.statements:
        lines += ["", f"{coverage.heading}:", *(f"- {line}" for line in coverage.statements)]
    checks = check_run(spec, setup=run.setup, spent=run.spent, imported=imported)
    if checks:
        lines += ["", "What it rests on:"]
        lines += [f"- [{_LIGHTS[check.state]}] {check.name}: {check.sentence}" for check in checks]
    return "\n".join(map(for_terminal, lines)) + "\n"


def model_card(run: Run, spec: RunSpec, directory: RunDirectory, coverage: Coverage, *, network: Network | None) -> str:
    """The card as markdown; the run's predictions lie in ``directory``, ``coverage`` is as for ``guarantee_text``."""
    info, classes = dataset_info(spec.dataset), run.setup.classes
    confirm_run(spec, setup=run.setup, spent=run.spent)
    parts = [
        f"# {for_markdown(run.name)}",
        f"**{NOT_A_DEVICE}**",
        "## What it was trained on",
        _training(info, spec, run.setup),
        "## What it is",
        _network(info, spec, classes, network, run.setup.reading),
        "## How good it is",
        "\n".join(_measured(run, directory, ordered=info.ordered)),
        "## What it guarantees",
        "\n\n".join(
            [*_guarantee(run, spec), *_confirmed(run, spec, directory), *([IMPORTED] if directory.imported else [])]
        ),
        "The file guarantee.txt lists every condition that this rests on.",
        "## What is not protected",
        "\n".join(f"- {item}" for item in _unprotected(spec, run.setup)),
        *_uncovered(coverage),
        "## Made with",
        _versions(run),
    ]
    return "\n\n".join(parts) + "\n"


def _training(info: DatasetInfo, spec: RunSpec, setup: Setup) -> str:
    counts = zip(setup.classes, setup.train_class_counts or (), strict=False)
    by_class = ", ".join(f"{for_markdown(name)} {count:,}" for name, count in counts)
    sentences = [f"{for_markdown(info.title)}. {for_markdown(info.source)}"]
    if info.synthetic:
        sentences.append(f"**{SYNTHETIC}**")
    if setup.train_size:
        whose = f" of {setup.patients:,} patients" if setup.patients else ""
        sentences.append(f"{setup.train_size:,} training images{whose}{f' ({by_class})' if by_class else ''}.")
    sentences.append(
        f"Each was {FIT_WORDS[setup.reading.fit]} of {spec.image_size} pixels a side. What the network makes of images "
        "of other people, machines or hospitals is not known."
    )
    return " ".join(sentences)


def _network(
    info: DatasetInfo, spec: RunSpec, classes: Iterable[str], network: Network | None, reading: Reading
) -> str:
    beta = f" with β = {spec.beta:g}, {spec.picture_noise.in_words}" if spec.method == "local_dp" else ""
    architecture = ARCHITECTURES[spec.architecture]
    began = in_short("weights", spec.weights if spec.weights in ("imagenet", "none") else "path")
    frozen = f"; everything below is frozen, {began}" if spec.trainable == "head" else ""
    sentences = [
        f"A {architecture.title}. Learned: {in_short('trainable', spec.trainable)}{frozen}. Method: "
        f"{METHOD_STYLES[spec.method].title}{beta}. Began with the pretrained weights: {for_markdown(spec.weights)}. "
        f"Classes, in the order of the outputs: {', '.join(map(for_markdown, classes)) or 'not recorded'}."
    ]
    if network is None:
        return " ".join(
            [*sentences, "The network itself is not in this archive, because its checkpoint is gone or damaged."]
        )
    sentences.append(
        f"The numbers are in model.safetensors, named as in {architecture.to_build}; its header has the same facts as "
        "this section."
    )
    if network == "whole":
        sentences.append("It holds the whole network.")
    elif spec.weights == "imagenet":
        sentences.append(
            "It holds the last layer, to be put on torchvision's ResNet-18 (ResNet18_Weights.IMAGENET1K_V1)."
        )
    else:
        sentences.append(
            f"It holds the last layer, to be put on the frozen network of the weights {for_markdown(spec.weights)}. If "
            "they are not torchvision's, only the one who trained this can hand them on."
        )
    if network == "last_layer":
        sentences.append("The fingerprint of that network stands in the header as frozen_rest_sha256.")
    sentences.append(normalisation_in_words(spec.norm, spec.architecture))
    return " ".join(sentences) + f"\n\n{preprocessing_in_words(spec, channels=info.channels, reading=reading)}"


def _measured(run: Run, directory: RunDirectory, *, ordered: bool) -> list[str]:
    from medpriv_core.evaluation.report import report  # scipy comes with it

    if not run.last:
        stopped = [] if run.spent is None or run.spent.place is None else [run.spent.place]
        return [*stopped, "The run ended before its first epoch was finished, so nothing was measured."]
    lines = [_when_measured(run)]
    if (finding := run_health(run)) is not None:
        lines.append(f"**{in_plain_words(finding.sentence)}**")
    majority = run.setup.majority_rate
    if majority is not None:
        lines.append(f"Always naming the most frequent class is right on {majority:.1%} of the test images.")
    predictions = readable_predictions(directory)
    lines += ["", "| figure | images | value | 95% interval |", "| --- | --- | --- | --- |"]
    if predictions is None or predictions.epoch != run.last.epoch:
        for column in COLUMNS.values():
            value = column.of(run.last)
            if value is not None and column.part in TEST_SETS and column.metric.compute is not None:
                interval = _wilson(value, run.setup.test_size) if column.metric.of_images else "not recorded"
                lines.append(f"| {column.metric.title} | {TEST_SETS[column.part]} | {value:.3f} | {interval} |")
        return lines
    for test_set, probabilities in predictions.test_sets.items():
        for figure in report(probabilities, predictions.labels, ordered=ordered):
            if figure.value is not None:
                interval = f"{figure.interval.low:.3f} to {figure.interval.high:.3f}" if figure.interval else "none"
                words, title = EVALUATED[figure.name].title, TEST_SETS[test_set]
                lines.append(f"| {words} | {title} | {figure.value:.3f} | {interval} |")
    return [
        *lines,
        "",
        INTERVALS_IN_WORDS,
    ]


def _when_measured(run: Run) -> str:
    """At the end of which epoch, and whether that is still the network that goes with the card."""
    if run.spent is not None and run.spent.place is not None:
        return f"{run.spent.place} Of the network as it is handed on, nothing was measured."
    return f"After epoch {run.last.epoch}, the last one."


def _wilson(accuracy: float, images: int | None) -> str:
    if not images:
        return "not recorded"
    low, high = wilson_interval(round(accuracy * images), images)
    return f"{low:.3f} to {high:.3f}"


def readable_predictions(directory: RunDirectory) -> Predictions | None:
    """The run's predictions; None where there are none or they are damaged."""
    try:
        return read_predictions(directory.path / FILE_NAME)
    except MedprivError:
        return None


def _guarantee(run: Run, spec: RunSpec) -> list[str]:
    if run.kept_nothing:
        return ["The run ended before a network was kept, so there is no result to guarantee anything for."]
    held = held_guarantee(spec, run.setup, run.spent)
    # Of the letter epsilon there is no capital that anybody would recognise.
    first = held.statement[:1]
    statement = f"{first.upper() if first.isascii() else first}{held.statement[1:]}."
    if run.spent is not None and run.spent.place is not None and spec.method == "dp_sgd":
        statement += f" It holds for the network as it is handed on, with all its steps: {_lower(run.spent.place)}"
    if spec.method == "local_dp":
        return [statement, local_dp_meaning(picture_guarantee(spec))]
    verdict = run_verdict(spec, setup=run.setup, spent=run.spent)
    if verdict is None:
        return [statement]
    return [statement, verdict.sentence]


def _confirmed(run: Run, spec: RunSpec, directory: RunDirectory) -> list[str]:
    """What a second accountant says, and what holds for the patient with the most images."""
    checks = check_run(spec, setup=run.setup, spent=run.spent, imported=directory.imported)
    return [f"{check.name}: {check.sentence}" for check in checks if check.name in TOLD_ON_THE_CARD]


def _uncovered(coverage: Coverage) -> list[str]:
    if not coverage.statements:
        return []
    return [f"## {coverage.heading}", "\n".join(f"- {line}" for line in coverage.statements)]


def _unprotected(spec: RunSpec, setup: Setup) -> list[str]:
    items = ["The test images, and the figures measured on them.", "Anyone who hands in an image to be judged."]
    if spec.method == "none":
        return [
            "The images in the training set, and the people on them: this network was trained without privacy.",
            *items,
        ]
    if spec.method == "local_dp":
        return ["The labels of the training images, which were used as they are.", *items]
    of_patients = setup.guarantee.unit == "patient"
    several = "Patients with several images in the training set, beyond the single image that the guarantee is about."
    return [
        "What all training images have in common: the network is made to learn it.",
        *([] if of_patients else [several]),
        "The number of training images and of patients, and of images of the patient with the most.",
        "Choices made after looking at several runs: each further run on the same images spends its own ε.",
        *items,
    ]


def _versions(run: Run) -> str:
    setup, seconds = run.setup, run.last.elapsed_s
    versions = {"medpriv": setup.medpriv_version, "torch": setup.torch_version, "Opacus": setup.opacus_version}
    found = [f"{title} {for_markdown(version)}" for title, version in versions.items() if version]
    trained = "" if seconds is None else f" Trained for {math.ceil(seconds):,} s."
    return f"{', '.join(found) or 'versions not recorded'}.{trained}"


def _lower(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}"
