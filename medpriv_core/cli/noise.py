"""``noise``: add Laplace noise to one image file."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
from pathlib import Path

import numpy as np
from PIL import Image

from medpriv_core.cli.output import print_json
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.images import decode_image
from medpriv_core.errors import SettingError
from medpriv_core.mechanisms.laplace import add_laplace_noise, clamp, saturated_share, to_bytes, to_unit
from medpriv_core.privacy.image_epsilon import image_guarantee
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.spec import NOISE_DRAWS, check_bound


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("noise", help="add Laplace noise to an image (a demonstration, not a release)")
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("--beta", type=float, required=True, help="Laplace scale for pixels in [0, 1]")
    parser.add_argument("--draw", choices=NOISE_DRAWS, default="per_pixel")
    parser.add_argument("--seed", type=int, help="repeatable noise, for demonstrations only")
    parser.add_argument("--delta", type=float, default=1e-5, help="of the whole picture's epsilon (default 1e-5)")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT", help=".npy (float32) or .png")
    parser.add_argument("--no-clamp", action="store_true", help="keep values outside [0, 1] (.npy only)")
    add_json_option(parser)
    parser.set_defaults(command=_noise)


def _noise(options: argparse.Namespace) -> None:
    _check(options)
    pixels = _read(options.image)
    noised = add_laplace_noise(
        to_unit(pixels), beta=options.beta, draw=options.draw, rng=np.random.default_rng(options.seed)
    )
    guarantee = image_guarantee(beta=options.beta, values=pixels.size, draw=options.draw, delta=options.delta)
    result = noised if options.no_clamp else clamp(noised)
    _write(result, options.output)
    facts = {
        "output": str(options.output),
        "shape": list(result.shape),
        "beta": options.beta,
        "draw": options.draw,
        "clamped": not options.no_clamp,
        "saturated_share": saturated_share(noised),
        "epsilon_pixel": guarantee.epsilon_pixel,
        "epsilon_image_pure": guarantee.epsilon_image_pure,
        "epsilon_image": guarantee.epsilon_image,
        "delta": guarantee.delta,
    }
    if options.json:
        print_json(facts)
        return
    print(f"Wrote {options.output} (a demonstration: the generator is not cryptographic).")
    print(
        f"One pixel: ε = {format_epsilon(guarantee.epsilon_pixel)}. Whole picture: "
        f"ε = {format_epsilon(guarantee.epsilon_image_pure)} (δ = 0), "
        f"ε = {format_epsilon(guarantee.epsilon_image)} (δ = {format_delta(guarantee.delta)})."
    )


def _check(options: argparse.Namespace) -> None:
    """Everything that can be wrong before the picture is read."""
    check_bound("beta", options.beta)
    check_bound("delta", options.delta)
    suffix = options.output.suffix.lower()
    if suffix not in (".npy", ".png"):
        raise SettingError(f"The output must end in .npy or .png, but is {options.output.name}.")
    if suffix == ".png" and options.no_clamp:
        raise SettingError("A .png cannot hold values outside [0, 1]: leave out --no-clamp or write a .npy.")
    if options.seed is not None and options.seed < 0:
        raise SettingError(f"seed must not be negative, but is {options.seed}.")
    if options.output.exists() and options.image.exists() and options.output.samefile(options.image):
        raise SettingError(f"The output {options.output} is the picture itself; give another name to keep both.")


def _read(file: Path) -> np.ndarray:
    """uint8 of shape (h, w) for a picture without colour, else (h, w, 3)."""
    pixels = np.asarray(decode_image(file, channels=3, name=file.name))
    # A grey picture stored as RGB holds each value three times; its noise must be drawn once.
    grey = (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0] if grey else pixels


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
