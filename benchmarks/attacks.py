"""What the attacks on a noised picture achieve, and the time they take: the figures of docs/visual-privacy.md.

    python -m benchmarks.attacks time
    python -m benchmarks.attacks choice --images CHEST IDRID
    python -m benchmarks.attacks identification --images CHEST
    python -m benchmarks.attacks prior --images CHEST/train CHEST/test

``time``: processor time of all attempts to undo the noise, at 256 × 256; exits with 3 on a machine that was busy.
``choice``: how much worse than the best attempt in hindsight the one is that an attacker can choose.
``identification``: how often a noised picture is found among a hundred, by their size.
``prior``: what is brought back by what was learned from the first folder, of a hundred of the second, at 64 × 64.

Of each folder given, pictures are taken at even distances from the sorted list of all in it and below. Without one,
drawn chest radiographs stand in; the retina photograph of scikit-image always takes part where single pictures do.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.judged import judged
from medpriv_core.attacks.individual import AgainstAverage
from medpriv_core.attacks.learned import PRIOR
from medpriv_core.attacks.prior import SIDE as LEARNED_SIDE
from medpriv_core.attacks.prior import learn
from medpriv_core.attacks.reidentification import success_rate
from medpriv_core.attacks.similarity import Likeness
from medpriv_core.attacks.undo import attackers_choice, best_in_hindsight, undo
from medpriv_core.datasets.images import decode_image, to_square
from medpriv_core.datasets.retina_photo import RetinaPhoto
from medpriv_core.datasets.synthetic.chest import draw_chest
from medpriv_core.datasets.viewing import view_image
from medpriv_core.mechanisms.catalog import picture_noise
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.uploads.fitting import fit

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff"}
SIDE = 256
MECHANISMS = ("laplace_per_pixel", "gaussian", "discrete_laplace", "dp_pix")  # all whose noise can be averaged
BETAS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
OF_EACH_FOLDER = 3
PRIOR_BETAS, ATTACKED = (0.5, 1.0, 2.0, 4.0), 100
GALLERY, GALLERY_SIDES, GALLERY_BETA, TRIALS = 100, (16, 32, 64, 224), 2.0, 1000


def report_time(_folders: list[Path]) -> None:
    """Seconds of processor time for one picture, grey and in colour."""
    mechanism = picture_noise("laplace_per_pixel", beta=1.0)
    colour = retina()
    with judged():
        for title, picture in (("grey", colour[:, :, 1:2]), ("colour", colour)):
            released = mechanism.release(to_unit(picture), np.random.default_rng(0))
            list(undo(picture, released, mechanism))  # the first use loads what it needs
            begun = time.process_time()
            attempts = list(undo(picture, released, mechanism))
            print(f"{title}: {len(attempts)} attempts, {time.process_time() - begun:.1f} s")


def report_choice(folders: list[Path]) -> None:
    """SSIM lost by who must choose without the original, for each mechanism and over all."""
    pictures = [retina()]
    for pick in pickers(folders):
        pictures += [fit(without_equal_colours(np.asarray(image)), SIDE) for image in pick(OF_EACH_FOLDER)]
    lost: list[float] = []
    for name in MECHANISMS:
        of_mechanism = [
            loss(picture, name, beta=beta, seed=(number, place))
            for number, picture in enumerate(pictures)
            for place, beta in enumerate(BETAS)
        ]
        report_losses(name, of_mechanism)
        lost += of_mechanism
    report_losses("all", lost)


def loss(picture: np.ndarray, name: str, *, beta: float, seed: tuple[int, ...]) -> float:
    """SSIM of the best attempt in hindsight minus that of the attacker's choice."""
    mechanism = picture_noise(name, beta=beta)
    attempts = list(undo(picture, mechanism.release(to_unit(picture), np.random.default_rng(seed)), mechanism))
    best, chosen = best_in_hindsight(attempts).likeness.ssim, attackers_choice(attempts).likeness.ssim
    return (best or 0.0) - (chosen or 0.0)


def report_losses(title: str, lost: list[float]) -> None:
    print(f"{title}: {len(lost)} cases, SSIM below the best: mean {np.mean(lost):.3f}, at most {max(lost):.2f}")


def report_identification(folders: list[Path]) -> None:
    """Share of trials in which the right picture comes first, with its 95 % interval."""
    mechanism = picture_noise("laplace_per_pixel", beta=GALLERY_BETA)
    for pick in pickers(folders):
        images = list(pick(GALLERY))
        for side in GALLERY_SIDES:
            gallery = without_equal_colours(np.stack([to_square(image, side) for image in images]))
            success = success_rate(gallery, mechanism, draws=TRIALS)
            low, high = success.interval
            print(
                f"β = {GALLERY_BETA:g}, {side} × {side}: found in {success.rate:.0%} of {TRIALS} trials "
                f"({low:.0%} to {high:.0%}; guessing {success.chance:.0%})"
            )


def report_prior(folders: list[Path]) -> None:
    """What the average image, the best filter and the linear prior bring back, for amounts of Laplace noise."""
    if len(folders) == 2:
        first, second = folders
        count = sum(file.suffix.lower() in SUFFIXES for file in first.rglob("*"))
        print(f"learned from {count} images of {first.name}, attacked: {ATTACKED} of {second.name}")
        images = [to_square(image.convert("L"), LEARNED_SIDE) for image in pick_from(first, count)]
        attacked = [to_square(image.convert("L"), LEARNED_SIDE) for image in pick_from(second, ATTACKED)]
    else:
        print("images: synthetic (drawn chest radiographs)")
        drawn = [to_square(image.convert("L"), LEARNED_SIDE) for image in draw(5 * ATTACKED)]
        images, attacked = drawn[ATTACKED:], drawn[:ATTACKED]
    begun = time.process_time()
    prior = learn(np.stack(images))
    print(f"learning: {time.process_time() - begun:.0f} s of processor time")
    floors = [AgainstAverage(one, prior.mean).measure(prior.mean).average for one in attacked]
    print(f"average image: {likeness_row([(one, 0.0) for one in floors])}")
    for beta in PRIOR_BETAS:
        noise, rng = picture_noise("laplace_per_pixel", beta=beta), np.random.default_rng(0)
        rows: dict[str, list[tuple[Likeness, float]]] = {"as released": [], "best filter": [], "prior": []}
        for one in attacked:
            found = {each.name: each for each in undo(one, noise.release(to_unit(one), rng), noise, prior)}
            best = max((each for each in found.values() if each.name != PRIOR), key=lambda each: each.likeness.psnr_db)
            for title, attempt in zip(rows, (found["as_released"], best, found[PRIOR]), strict=True):
                rows[title].append((attempt.likeness, attempt.individual.correlation or 0.0))
        for title, measured in rows.items():
            print(f"β = {beta:g}, {title}: {likeness_row(measured)}")


def likeness_row(measured: list[tuple[Likeness, float]]) -> str:
    """Means of PSNR, SSIM, correlation, and correlation of what is individual."""
    values = [(one.psnr_db, one.ssim or 0.0, one.correlation or 0.0, own) for one, own in measured]
    psnr_db, ssim, correlation, own = np.mean(values, axis=0)
    return f"{psnr_db:.2f} dB, SSIM {ssim:.3f}, r {correlation:.3f}, individual {own:.3f}"


def pickers(folders: list[Path]) -> Iterator[Callable[[int], Iterator[Image.Image]]]:
    """For each source, what yields so many of its pictures, in colour."""
    for folder in folders:
        print(f"images: {folder.name}")
        yield functools.partial(pick_from, folder)
    if not folders:
        print("images: synthetic (drawn chest radiographs)")
        yield draw


def pick_from(folder: Path, count: int) -> Iterator[Image.Image]:
    """Pictures at even distances from all in a folder and below."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    if len(files) < count:
        raise SystemExit(f"{folder} holds {len(files)} images; {count} are needed.")
    for index in np.linspace(0, len(files) - 1, count).astype(int):
        yield decode_image(files[index], channels=3, name=files[index].name)


def draw(count: int) -> Iterator[Image.Image]:
    """Drawn radiographs, every other with an opacity."""
    rng = np.random.default_rng(0)
    for number in range(count):
        yield Image.fromarray(draw_chest(image_size=SIDE, label=number % 2, rng=rng)).convert("RGB")


def without_equal_colours(pictures: np.ndarray) -> np.ndarray:
    """Pictures (h, w, 3) or (n, h, w, 3), with one channel if all three are the same everywhere."""
    return pictures[..., :1] if (pictures == pictures[..., :1]).all() else pictures


def retina() -> np.ndarray:
    return fit(view_image(RetinaPhoto(), 0).pixels, SIDE)


REPORTS: dict[str, Callable[[list[Path]], None]] = {
    "time": report_time,
    "choice": report_choice,
    "identification": report_identification,
    "prior": report_prior,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.attacks", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", choices=REPORTS, nargs="?", default="time")
    parser.add_argument("--images", type=Path, nargs="+", default=[], metavar="FOLDER")
    options = parser.parse_args()
    REPORTS[options.report](options.images)


if __name__ == "__main__":
    main()
