"""``predict``: what a trained run's network says of image files, which are read as the run's test images were."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medpriv_core.cli.output import ProgressBar, print_json, say, tell_notes
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.images import ReadPicture, read_picture, to_square
from medpriv_core.given_paths import given_path
from medpriv_core.home import data_home
from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.runs.diagnosis import Diagnosis, TrainedRun, diagnose, trained_run
from medpriv_core.runs.likeness import Likeness, likenesses

AT_ONCE = 16
PHASE = "Asking the network"


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("predict", help="what a trained run says of images (no diagnosis of a patient)")
    parser.add_argument("--run", required=True, metavar="RUN", help="a finished run, as shown by: runs list")
    parser.add_argument("images", type=given_path, nargs="+", metavar="IMAGE", help=f"{READABLE_IN_WORDS} files")
    add_json_option(parser)
    parser.set_defaults(command=_predict)


def _predict(options: argparse.Namespace) -> None:
    home = data_home()
    run = trained_run(home, options.run)
    notes, squares = [], []
    for image in options.images:
        picture = _read(image, run)
        tell_notes(picture.notes, of=str(image))
        notes.append(picture.notes)
        squares.append(to_square(picture.image, run.image_size, run.reading.fit))
    parts = []
    with ProgressBar() as bar:
        for start in range(0, len(squares), AT_ONCE):
            bar(PHASE, start, len(squares))
            parts.append(diagnose(home, run.id, squares[start : start + AT_ONCE]))
    diagnosis = Diagnosis(parts[0].classes, np.concatenate([part.probabilities for part in parts]), parts[0].caveat)
    _print(options, run, diagnosis, notes, likenesses(home, run, squares))


def _read(image: Path, run: TrainedRun) -> ReadPicture:
    """The image as a dataset of such files would be prepared for the run."""
    return read_picture(image, channels=run.channels, name=image.name, at_least=run.image_size, reading=run.reading)


def _print(
    options: argparse.Namespace,
    run: TrainedRun,
    diagnosis: Diagnosis,
    notes: Sequence[tuple[str, ...]],
    alike: Sequence[Likeness],
) -> None:
    rows = list(zip(options.images, diagnosis.probabilities.tolist(), strict=True))
    if options.json:
        images = [
            {
                "image": str(image),
                "predicted": diagnosis.classes[int(np.argmax(row))],
                "confidence": max(row),
                "probabilities": dict(zip(diagnosis.classes, row, strict=True)),
                "notes": said,
                "unlike": like.sentence or None if like.known else None,
                "likeness_known": like.known,
            }
            for (image, row), said, like in zip(rows, notes, alike, strict=True)
        ]
        held = run.verdict
        privacy = {"epsilon": held and held.statement, "meaning": held and held.sentence}
        facts = {"run": run.id, "title": run.title, **privacy, "test_accuracy": run.test_accuracy}
        print_json(facts | {"images": images, "caveat": diagnosis.caveat})
        return
    say(f"{run.id}  {run.title}")
    if run.verdict is not None:
        say(run.verdict.statement, run.verdict.sentence)
    for (image, row), like in zip(rows, alike, strict=True):
        ranked = sorted(zip(row, diagnosis.classes, strict=True), key=lambda pair: -pair[0])
        say(f"{image}: {', '.join(f'{name} {100 * share:.1f}%' for share, name in ranked)}")
        if like.sentence:
            say(f"  {like.sentence}")
    say(diagnosis.caveat)
