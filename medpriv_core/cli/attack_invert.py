"""``attack invert``: rebuild an image of a dataset from its gradient, with and without DP."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from medpriv_core.atomic import atomic_file
from medpriv_core.attacks.inversion_panels import USUAL_BATCH, USUAL_CLIPPING_NORM, Inversion, Panel, invert
from medpriv_core.attacks.inversion_statement import (
    WHAT_IT_DOES_NOT_SAY,
    format_psnr,
    inversion_notes,
    inversion_statement,
)
from medpriv_core.cli.output import print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets.registry import open_dataset
from medpriv_core.datasets.viewing import make_gallery
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.exports.noised_image import labelled_png
from medpriv_core.home import data_home
from medpriv_core.privacy.reconstruction import full_batch_epsilon
from medpriv_core.privacy.statement import format_delta, format_epsilon

SIDE = 64
KNOWN = 100  # images of the dataset that the average is of, and the batch is taken from
USUAL_NOISE = 1.0


def add_to(attacks: Commands) -> None:
    """Add the attack to the parser of ``attack``."""
    parser = attacks.add_parser(
        "invert", help="rebuild a training image from its gradient: without DP, with clipping alone, with noise"
    )
    parser.add_argument("--dataset", required=True, metavar="NAME", help="as shown by: datasets list")
    parser.add_argument("--image", type=int, default=1, metavar="N", help="which training image, from 1 (default 1)")
    parser.add_argument(
        "--noise-multiplier",
        type=float,
        default=USUAL_NOISE,
        metavar="S",
        help=f"σ of DP-SGD; 0 adds no noise (default {USUAL_NOISE:g})",
    )
    parser.add_argument(
        "--clipping-norm",
        type=float,
        default=USUAL_CLIPPING_NORM,
        metavar="C",
        help="of an image's gradient (default 1)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=USUAL_BATCH, metavar="B", help=f"images of a step (default {USUAL_BATCH})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the demonstration's noise (default 0)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PLACE",
        help="write each panel as PNG, into this folder if there is one, else to files whose names begin so; they show "
        "the training image as it is",
    )
    add_json_option(parser)
    parser.set_defaults(command=_invert)


def _invert(options: argparse.Namespace) -> None:
    if options.seed < 0:
        raise SettingError(f"seed must not be negative, but is {options.seed}.")
    dataset = open_dataset(data_home(), options.dataset)
    count = len(dataset.split("train").labels)
    if not 1 <= options.image <= count:
        raise SettingError(f"image must be 1 to {count}, but is {options.image}.")
    most = max(KNOWN, options.batch_size)
    gallery = make_gallery(dataset, options.image - 1, size=SIDE, most=most)
    inversion = invert(
        gallery.pictures,
        gallery.place,
        noise_multiplier=options.noise_multiplier,
        clipping_norm=options.clipping_norm,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    files = [] if options.output is None else _write(inversion, options.output)
    notes = inversion_notes(inversion, wanted_batch=options.batch_size)
    if options.json:
        print_json(_facts(options, inversion, len(gallery.pictures) - 1) | {"files": files, "notes": notes})
        return
    say(inversion_statement(inversion))
    say("", f"Image {options.image} of {dataset.info.title}, {SIDE} × {SIDE} pixels; batch of {inversion.batch_size}")
    for panel in _measured(inversion):
        say(f"  {panel.title:30}  {_figures(panel)}")
    say("", _bound(inversion), *notes, WHAT_IT_DOES_NOT_SAY)
    if files:
        say("", *(f"Wrote {file}." for file in files))


def _measured(inversion: Inversion) -> list[Panel]:
    """All but the original, which is like itself."""
    return [*inversion.panels[1:], *inversion.single, *([inversion.floor] if inversion.floor else [])]


def _figures(panel: Panel) -> str:
    ssim = "–" if panel.ssim is None else f"{panel.ssim:.2f}"
    correlation = "–" if panel.correlation is None else f"{panel.correlation:.2f}"
    return f"PSNR {format_psnr(panel.psnr_db)}, SSIM {ssim}, correlation {correlation}"


def _bound(inversion: Inversion) -> str:
    bound, sigma = inversion.bound, inversion.noise_multiplier
    if bound is None:
        return "There is no bound for this image."
    if sigma == 0:
        return "Without noise nothing bounds what comes back."
    epsilon = full_batch_epsilon(sigma, delta=DEFAULT_DELTA)
    measured = inversion.panel("best_estimate").unclamped_db
    return (
        f"Bound without prior knowledge at σ = {sigma:g}: PSNR {format_psnr(bound.psnr_db)} expected for the best "
        f"estimate before it is cut off at black and white (measured: {format_psnr(measured or 0.0)}). "
        f"One full-batch step has ε = {format_epsilon(epsilon)} (δ = {format_delta(DEFAULT_DELTA)}; one image added or "
        "removed; exact)."
    )


def _facts(options: argparse.Namespace, inversion: Inversion, others: int) -> dict[str, Any]:
    bound, sigma = inversion.bound, inversion.noise_multiplier
    floor = inversion.floor
    return {
        "dataset": options.dataset,
        "image": options.image,
        "side": SIDE,
        "noise_multiplier": sigma,
        "clipping_norm": inversion.clipping_norm,
        "batch_size": inversion.batch_size,
        "isolated": inversion.isolated,
        "panels": {panel.name: _panel_facts(panel) for panel in (*inversion.panels, *inversion.single)},
        "floor": None if floor is None else _panel_facts(floor) | {"images": others},
        "denoiser": inversion.denoiser,
        "bound_psnr_db": None if bound is None else bound.psnr_db,
        "bound_correlation": None if bound is None else bound.most_correlation,
        "epsilon_of_one_full_batch_step": full_batch_epsilon(sigma, delta=DEFAULT_DELTA) if sigma else None,
        "delta": DEFAULT_DELTA,
        "adjacency": "add-remove",
        "accountant": "exact Gaussian",
        "statement": inversion_statement(inversion),
        "does_not_say": WHAT_IT_DOES_NOT_SAY,
    }


def _panel_facts(panel: Panel) -> dict[str, Any]:
    exact = panel.psnr_db == float("inf")
    return {
        "title": panel.title,
        "psnr_db": panel.psnr_db,
        "exact": exact,
        "ssim": panel.ssim,
        "correlation": panel.correlation,
        "unclamped_psnr_db": panel.unclamped_db,
    }


def _write(inversion: Inversion, place: Path) -> list[str]:
    """Each panel as a PNG; every name is known before the first is written."""
    panels = [*inversion.panels, *([inversion.floor] if inversion.floor else [])]
    folder = place.is_dir()
    files = [place / f"{p.name}.png" if folder else place.with_name(f"{place.name}-{p.name}.png") for p in panels]
    for panel, file in zip(panels, files, strict=True):
        label = {"Title": f"Gradient inversion: {panel.title}", "Description": inversion_statement(inversion)}
        try:
            with atomic_file(file, private=False) as opened:
                opened.write(labelled_png(panel.image, label))
        except OSError as error:
            raise SettingError(
                f"The output {file} cannot be written ({error.strerror or error}). Choose another place, or free space."
            ) from error
    return [str(file) for file in files]
