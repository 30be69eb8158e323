"""``noise``: add noise to one image file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.atomic import atomic_file
from medpriv_core.cli.output import ProgressBar, print_json, say, tell_notes
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.images import read_picture
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.exports.noised_image import kind_of, label_texts, labelled_png, public_settings
from medpriv_core.given_paths import given_path
from medpriv_core.mechanisms.catalog import MECHANISMS, USUAL, all_parameters, picture_noise
from medpriv_core.mechanisms.laplace import clamp, saturated_share, to_bytes, to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.mechanisms.strength import with_image_epsilon
from medpriv_core.pictures.frames import check_side
from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.privacy.image_cells import Shape
from medpriv_core.privacy.image_epsilon import ImageGuarantee
from medpriv_core.privacy.statement import (
    format_epsilon,
    image_epsilon_statement,
    image_neighbours,
    image_release_statement,
    image_unit_statement,
)
from medpriv_core.spec import check_bound

# What --mode calls the modes of a picture, and its channels.
MODES = {"grey": 1, "colour": 3}


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("noise", help="add noise to an image, and say what epsilon that gives")
    parser.add_argument(
        "image", type=given_path, metavar="IMAGE", help=f"{READABLE_IN_WORDS}; of several frames the first"
    )
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--beta", type=float, help="Laplace scale, or Gaussian deviation, for pixels in [0, 1]")
    amount.add_argument("--image-epsilon", type=float, metavar="E", help="as little noise as keeps the image's ε at E")
    exact = ", ".join(name for name, kind in MECHANISMS.items() if kind.fit_for_release)
    parser.add_argument(
        "--mechanism", choices=MECHANISMS, default=USUAL, help=f"default {USUAL}; exact, for releases: {exact}"
    )
    for name, known in all_parameters().items():
        owners = ", ".join(kind.name for kind in MECHANISMS.values() if name in kind.parameters())
        words = f"{owners}: {known.help} Default {known.default}"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=words)
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="noise one grey value a pixel, or three of colour (default: as the file's header has it)",
    )
    parser.add_argument("--seed", type=int, help="repeatable noise, for demonstrations only")
    parser.add_argument("--delta", type=float, default=DEFAULT_DELTA, help="of the whole image's epsilon")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT", help=".npy (float32) or .png")
    parser.add_argument("--no-clamp", action="store_true", help="keep values outside [0, 1] (.npy only)")
    add_json_option(parser)
    parser.set_defaults(command=_noise)


def _noise(options: argparse.Namespace) -> None:
    noise = _check(options)
    picture, notes = _read(options.image, options.mode)
    tell_notes(notes)
    if options.beta is None:
        noise = with_image_epsilon(noise, epsilon=options.image_epsilon, shape=picture.shape, delta=options.delta)
    guarantee = noise.guarantee(picture.shape, delta=options.delta)
    with ProgressBar() as bar:
        noised = noise.release(to_unit(picture), np.random.default_rng(options.seed), progress=bar)
    label = label_texts(
        kind_of(noise),
        settings=public_settings(noise, delta=options.delta),
        guarantee=image_release_statement(guarantee, picture.shape),
    )
    _write(noised if options.no_clamp else clamp(noised), options.output, label)
    if options.json:
        print_json(_facts(options, noise, guarantee, noised) | {"notes": notes})
    else:
        _tell(options, noise, guarantee, picture.shape)


def _facts(
    options: argparse.Namespace, noise: PictureNoise, guarantee: ImageGuarantee, noised: np.ndarray
) -> dict[str, Any]:
    return {
        "output": str(options.output),
        "shape": list(_as_written(noised).shape),
        **noise.to_dict(),
        "noise": kind_of(noise),
        "labelled": _has_label(options.output),
        "clamped": not options.no_clamp,
        "saturated_share": saturated_share(noised),
        "unit": guarantee.unit,
        "unit_epsilon": guarantee.unit_epsilon,
        "unit_delta": guarantee.unit_delta,
        "epsilon_image_pure": guarantee.epsilon_image_pure,
        "epsilon_image": guarantee.epsilon_image,
        "delta": guarantee.delta,
        "adjacency": "any two images",
        "neighbours": image_neighbours(noised.shape),
        "accountant": guarantee.accountant,
        "exact": guarantee.exact,
    }


def _tell(options: argparse.Namespace, noise: PictureNoise, guarantee: ImageGuarantee, shape: Shape) -> None:
    kind = (
        "exact noise, for a release" if noise.fit_for_release else "a demonstration: the generator is not cryptographic"
    )
    say(f"Wrote {options.output} ({kind}).")
    say(f"{noise.title}: β = {noise.beta:g} ({noise.beta_term}).")
    say(f"{guarantee.unit[:1].upper()}{guarantee.unit[1:]}: {image_unit_statement(guarantee)}.")
    say(
        f"Whole image: {image_epsilon_statement(guarantee)}; "
        f"with certainty (δ = 0): ε = {format_epsilon(guarantee.epsilon_image_pure)}."
    )
    say(f"Neighbours: {image_neighbours(shape)}.")
    if not _has_label(options.output):
        say(
            f"An array file has no place for a label, so nothing in it says that it is a {kind_of(noise)}: keep "
            "these words with it, or write a .png, which holds them."
        )


def _check(options: argparse.Namespace) -> PictureNoise:
    """Everything that can be wrong before the picture is read; the noise, of any strength where ε is to give it."""
    given = {name: getattr(options, name) for name in all_parameters()}
    noise = picture_noise(
        options.mechanism,
        beta=1.0 if options.beta is None else options.beta,
        **{name: value for name, value in given.items() if value is not None},
    )
    check_bound("delta", options.delta)
    suffix = options.output.suffix.lower()
    if suffix not in (".npy", ".png"):
        raise SettingError(f"The output must end in .npy or .png, but is {options.output.name}.")
    if suffix == ".png" and options.no_clamp:
        raise SettingError("A .png cannot hold values outside [0, 1]: leave out --no-clamp or write a .npy.")
    if options.seed is not None and options.seed < 0:
        raise SettingError(f"seed must not be negative, but is {options.seed}.")
    if options.seed is not None and noise.fit_for_release:
        raise SettingError(f"{noise.name} takes no seed: with it the noise could be subtracted. Leave out --seed.")
    if options.output.exists() and options.image.exists() and options.output.samefile(options.image):
        raise SettingError(f"The output {options.output} is the image itself; give another name to keep both.")
    return noise


def _read(file: Path, mode: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 of shape (h, w, 1) or (h, w, 3), and what there is to say of its reading.

    Of how many channels is the user's choice, or what the file's header says. It must not depend on the pixels: two
    pictures that are neighbours would be told apart by the shape of their release, whatever the noise.
    """
    picture = read_picture(file, channels=MODES.get(mode or ""), name=file.name)
    pixels = np.asarray(picture.image)
    check_side(*picture.image.size)
    return pixels.reshape(*pixels.shape[:2], -1), picture.notes


def _as_written(pixels: np.ndarray) -> np.ndarray:
    """Grey without an axis of its own for one channel."""
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels


def _has_label(output: Path) -> bool:
    """Whether a file of this kind can say what it is."""
    return output.suffix.lower() == ".png"


def _write(pixels: np.ndarray, output: Path, label: Mapping[str, str]) -> None:
    """Write in one step: on a full disk an older file of that name stays whole."""
    try:
        with atomic_file(output, private=False) as file:
            if _has_label(output):
                file.write(labelled_png(to_bytes(pixels), label))
            else:
                np.save(file, _as_written(pixels))
    except OSError as error:
        raise SettingError(
            f"The output {output} cannot be written ({error.strerror or error}). Choose another place, or free space."
        ) from error
