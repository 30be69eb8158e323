"""``noise``: add noise to one image file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medpriv_core.atomic import atomic_file
from medpriv_core.cli.output import print_json, say, tell_notes
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.images import read_picture
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.exports.noised_image import kind_of, label_texts, labelled_png
from medpriv_core.given_paths import given_path
from medpriv_core.mechanisms.catalog import MECHANISMS, make_mechanism
from medpriv_core.mechanisms.laplace import clamp, saturated_share, to_bytes, to_unit
from medpriv_core.mechanisms.mechanism import Shape
from medpriv_core.pictures.frames import check_side
from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.privacy.image_cells import check_cells
from medpriv_core.privacy.image_epsilon import ImageGuarantee, beta_for_image_epsilon
from medpriv_core.privacy.statement import (
    format_epsilon,
    image_epsilon_statement,
    image_neighbours,
    image_release_statement,
    image_unit_statement,
)
from medpriv_core.spec import NOISE_DRAWS, NoiseDraw, check_bound

# What --mode calls the modes of a picture, and its channels.
MODES = {"grey": 1, "colour": 3}
LAPLACE_DRAWS: dict[str, NoiseDraw] = {"laplace_per_pixel": "per_pixel", "laplace_per_image": "per_image"}


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("noise", help="add noise to an image, and say what epsilon that gives")
    parser.add_argument(
        "image", type=given_path, metavar="IMAGE", help=f"{READABLE_IN_WORDS}; of several frames the first"
    )
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--beta", type=float, help="Laplace scale, or Gaussian deviation, for pixels in [0, 1]")
    amount.add_argument(
        "--image-epsilon", type=float, metavar="E", help="as little noise as keeps the picture's ε at E"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--mechanism", choices=MECHANISMS, help="default laplace_per_pixel; discrete_laplace is exact")
    kind.add_argument("--draw", choices=NOISE_DRAWS, help="the older way to say laplace_per_pixel or laplace_per_image")
    parser.add_argument("--block", type=int, metavar="B", help="dp_pix: side of a cell in pixels (default 8)")
    parser.add_argument(
        "--changed-pixels", type=int, metavar="M", help="dp_pix: pixels that may change for an ε of 1/β (default 16)"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="noise one grey value a pixel, or three of colour (default: as the file's header has it)",
    )
    parser.add_argument("--seed", type=int, help="repeatable noise, for demonstrations only")
    parser.add_argument("--delta", type=float, default=DEFAULT_DELTA, help="of the whole picture's epsilon")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT", help=".npy (float32) or .png")
    parser.add_argument("--no-clamp", action="store_true", help="keep values outside [0, 1] (.npy only)")
    add_json_option(parser)
    parser.set_defaults(command=_noise)


def _noise(options: argparse.Namespace) -> None:
    name = options.mechanism or f"laplace_{options.draw or 'per_pixel'}"
    cells = _check(options, name)
    picture, notes = _read(options.image, options.mode)
    tell_notes(notes)
    beta = options.beta
    if beta is None:
        wanted = options.image_epsilon
        beta = beta_for_image_epsilon(name, epsilon=wanted, shape=picture.shape, delta=options.delta, **cells)
    mechanism = make_mechanism(name, beta=beta, **cells)
    guarantee = mechanism.guarantee(picture.shape, delta=options.delta)
    noised = mechanism.release(to_unit(picture), np.random.default_rng(options.seed))
    settings = {"mechanism": name, "beta": beta, "delta": options.delta, "copies": 1}
    settings |= cells if name == "dp_pix" else {}
    label = label_texts(kind_of(name), settings=settings, guarantee=image_release_statement(guarantee, picture.shape))
    _write(noised if options.no_clamp else clamp(noised), options.output, label)
    if options.json:
        print_json(_facts(options, guarantee, noised) | {"notes": notes} | (cells if name == "dp_pix" else {}))
    else:
        _tell(options, guarantee, picture.shape)


def _facts(options: argparse.Namespace, guarantee: ImageGuarantee, noised: np.ndarray) -> dict[str, Any]:
    return {
        "output": str(options.output),
        "shape": list(_as_written(noised).shape),
        "mechanism": guarantee.mechanism,
        "noise": kind_of(guarantee.mechanism),
        "labelled": _has_label(options.output),
        "beta": guarantee.beta,
        "draw": LAPLACE_DRAWS.get(guarantee.mechanism),
        "clamped": not options.no_clamp,
        "saturated_share": saturated_share(noised),
        "unit": guarantee.unit,
        "unit_epsilon": guarantee.unit_epsilon,
        "unit_delta": guarantee.unit_delta,
        # The older name, for noise whose unit is one value and whose epsilon holds with certainty.
        "epsilon_pixel": guarantee.unit_epsilon if guarantee.mechanism not in ("gaussian", "dp_pix") else None,
        "epsilon_image_pure": guarantee.epsilon_image_pure,
        "epsilon_image": guarantee.epsilon_image,
        "delta": guarantee.delta,
        "adjacency": "any two pictures",
        "neighbours": image_neighbours(noised.shape),
        "accountant": guarantee.accountant,
        "exact": guarantee.exact,
    }


def _tell(options: argparse.Namespace, guarantee: ImageGuarantee, shape: Shape) -> None:
    info = MECHANISMS[guarantee.mechanism]
    kind = (
        "exact noise, for a release" if info.fit_for_release else "a demonstration: the generator is not cryptographic"
    )
    say(f"Wrote {options.output} ({kind}).")
    say(f"{info.title}: β = {guarantee.beta:g} ({info.beta_term}).")
    say(f"{guarantee.unit[:1].upper()}{guarantee.unit[1:]}: {image_unit_statement(guarantee)}.")
    say(
        f"Whole picture: {image_epsilon_statement(guarantee)}; "
        f"with certainty (δ = 0): ε = {format_epsilon(guarantee.epsilon_image_pure)}."
    )
    say(f"Neighbours: {image_neighbours(shape)}.")
    if not _has_label(options.output):
        say(
            f"An array file has no place for a label, so nothing in it says that it is a {kind_of(info.name)}: keep "
            "these words with it, or write a .png, which holds them."
        )


def _check(options: argparse.Namespace, name: str) -> dict[str, int]:
    """Everything that can be wrong before the picture is read; returns the settings of dp_pix."""
    if options.beta is not None:
        check_bound("beta", options.beta)
    check_bound("delta", options.delta)
    suffix = options.output.suffix.lower()
    if suffix not in (".npy", ".png"):
        raise SettingError(f"The output must end in .npy or .png, but is {options.output.name}.")
    if suffix == ".png" and options.no_clamp:
        raise SettingError("A .png cannot hold values outside [0, 1]: leave out --no-clamp or write a .npy.")
    if options.seed is not None and options.seed < 0:
        raise SettingError(f"seed must not be negative, but is {options.seed}.")
    if options.seed is not None and MECHANISMS[name].fit_for_release:
        raise SettingError(f"{name} takes no seed: whoever knew it could take the noise away. Leave out --seed.")
    if options.output.exists() and options.image.exists() and options.output.samefile(options.image):
        raise SettingError(f"The output {options.output} is the picture itself; give another name to keep both.")
    given = {"block": options.block, "changed_pixels": options.changed_pixels}
    cells = {"block": 8, "changed_pixels": 16} | {key: value for key, value in given.items() if value is not None}
    check_cells(**cells)
    if name != "dp_pix" and any(value is not None for value in given.values()):
        raise SettingError(
            f"--block and --changed-pixels belong to dp_pix, but the mechanism is {name}; leave them out."
        )
    return cells


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
