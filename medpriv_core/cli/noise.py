"""``noise``: add noise to one image file."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medpriv_core.cli.output import print_json, tell_notes
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.images import read_picture
from medpriv_core.errors import SettingError
from medpriv_core.given_paths import given_path
from medpriv_core.mechanisms.catalog import MECHANISMS, make_mechanism
from medpriv_core.mechanisms.laplace import clamp, saturated_share, to_bytes, to_unit
from medpriv_core.pictures.kinds import READABLE_IN_WORDS
from medpriv_core.privacy.image_cells import check_cells
from medpriv_core.privacy.image_epsilon import ImageGuarantee, beta_for_image_epsilon
from medpriv_core.privacy.statement import format_epsilon, image_epsilon_statement, image_unit_statement
from medpriv_core.spec import NOISE_DRAWS, NoiseDraw, check_bound

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
    parser.add_argument("--seed", type=int, help="repeatable noise, for demonstrations only")
    parser.add_argument("--delta", type=float, default=1e-5, help="of the whole picture's epsilon (default 1e-5)")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT", help=".npy (float32) or .png")
    parser.add_argument("--no-clamp", action="store_true", help="keep values outside [0, 1] (.npy only)")
    add_json_option(parser)
    parser.set_defaults(command=_noise)


def _noise(options: argparse.Namespace) -> None:
    name = options.mechanism or f"laplace_{options.draw or 'per_pixel'}"
    cells = _check(options, name)
    pixels, notes = _read(options.image)
    tell_notes(notes)
    picture = pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]
    beta = options.beta
    if beta is None:
        wanted = options.image_epsilon
        beta = beta_for_image_epsilon(name, epsilon=wanted, shape=picture.shape, delta=options.delta, **cells)
    mechanism = make_mechanism(name, beta=beta, **cells)
    guarantee = mechanism.guarantee(picture.shape, delta=options.delta)
    noised = mechanism.release(to_unit(picture), np.random.default_rng(options.seed)).reshape(pixels.shape)
    _write(noised if options.no_clamp else clamp(noised), options.output)
    if options.json:
        print_json(_facts(options, guarantee, noised) | {"notes": notes} | (cells if name == "dp_pix" else {}))
    else:
        _tell(options, guarantee)


def _facts(options: argparse.Namespace, guarantee: ImageGuarantee, noised: np.ndarray) -> dict[str, Any]:
    return {
        "output": str(options.output),
        "shape": list(noised.shape),
        "mechanism": guarantee.mechanism,
        "noise": "release" if MECHANISMS[guarantee.mechanism].fit_for_release else "demonstration",
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
        "accountant": guarantee.accountant,
        "exact": guarantee.exact,
    }


def _tell(options: argparse.Namespace, guarantee: ImageGuarantee) -> None:
    info = MECHANISMS[guarantee.mechanism]
    kind = (
        "exact noise, for a release" if info.fit_for_release else "a demonstration: the generator is not cryptographic"
    )
    print(f"Wrote {options.output} ({kind}).")
    print(f"{info.title}: β = {guarantee.beta:g} ({info.beta_term}).")
    print(f"{guarantee.unit[:1].upper()}{guarantee.unit[1:]}: {image_unit_statement(guarantee)}.")
    print(
        f"Whole picture: {image_epsilon_statement(guarantee)}; "
        f"with certainty (δ = 0): ε = {format_epsilon(guarantee.epsilon_image_pure)}."
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


def _read(file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 of shape (h, w) for a picture without colour, else (h, w, 3); and what there is to say of its reading."""
    picture = read_picture(file, channels=3, name=file.name)
    pixels = np.asarray(picture.image)
    # A grey picture stored as RGB holds each value three times; its noise must be drawn once.
    grey = (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0] if grey else pixels, picture.notes


def _write(pixels: np.ndarray, output: Path) -> None:
    """Write in one step: on a full disk an older file of that name stays whole."""
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "wb") as file:
            if output.suffix.lower() == ".npy":
                np.save(file, pixels)
            else:
                Image.fromarray(to_bytes(pixels)).save(file, "PNG")
        os.replace(part, output)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise SettingError(
            f"The output {output} cannot be written ({error.strerror or error}). Choose another place, or free space."
        ) from error
