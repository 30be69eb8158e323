"""Can the patient be found? A noised picture against a gallery of pictures of known patients.

The attacker holds N pictures, say from another visit to the archive, and one noised release. Whose is it? The best
answer is the picture that makes the release most likely: for Laplace noise the one with the least sum of absolute
differences, for Gaussian noise the one with the least sum of squares. Blurring is of no use here; the likelihood adds
up what every pixel says. So a picture that nobody would recognise can be found with certainty, and the more pixels it
has, the more surely: its epsilon grows with their number, too.

By chance the right one of N comes first with probability 1/N. Only noise that is calibrated to the whole picture's
epsilon gets there.

The gallery here holds the very pictures that were noised: the worst case, in which only the noise protects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from medpriv_core.errors import SettingError
from medpriv_core.evaluation.intervals import Interval, wilson_interval
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.mechanisms.sources import CountedNoise

DRAWS_AT_ONCE = 10  # keeps the noise of large pictures within some 12 MB
SMALLEST_PART = 8  # pixels; of the middle of pictures that is looked at first


@dataclass(frozen=True)
class Identification:
    """One release against the gallery."""

    order: np.ndarray  # int (N,): indices into the gallery, the likeliest first
    rank: int  # of the right picture; 1 is found
    equals: int  # other pictures that are exactly as likely as the right one


@dataclass(frozen=True)
class SuccessRate:
    """How often the right picture came first."""

    found: int
    draws: int
    chance: float  # 1/N, what guessing reaches

    @property
    def rate(self) -> float:
        """Share of draws in which the patient was found."""
        return self.found / self.draws

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the rate."""
        return wilson_interval(self.found, self.draws)


@dataclass(frozen=True)
class CurvePoint:
    """Success at one amount of noise and one size of picture."""

    beta: float
    shape: tuple[int, int]  # (h, w) in pixels
    success: SuccessRate


def identify(released: np.ndarray, gallery: np.ndarray, target: int, noise: PictureNoise) -> Identification:
    """Sort a gallery by how likely each of its pictures is the origin of a release.

    Args:
        released: Float array (h, w, channels) in units of [0, 1]: a release of ``noise``, not clamped. For other than
            Gaussian noise it may be clamped.
        gallery: uint8 array (N, h, w, channels) with 1 or 3 channels and at least two pictures.
        target: Index of the picture that was noised.
        noise: The mechanism with its parameters, which the attacker knows.

    Returns:
        The order of the gallery, and the rank of the right picture.

    Raises:
        SettingError: The gallery is of another kind, or ``released`` or ``target`` does not fit it.
    """
    check_gallery(gallery)
    if released.shape != gallery.shape[1:] or not 0 <= target < len(gallery):
        raise SettingError(
            f"The released image must have the shape of the gallery's images, {gallery.shape[1:]}, and be one of "
            f"them; it has {released.shape}."
        )
    scores = noise.log_likelihoods(released[np.newaxis], to_unit(gallery))[0]
    return Identification(
        order=np.argsort(-scores, kind="stable"),
        rank=1 + int(np.sum(scores > scores[target])),
        equals=int(np.sum(scores == scores[target])) - 1,
    )


def success_rate(gallery: np.ndarray, noise: PictureNoise, *, draws: int = 100, seed: int = 0) -> SuccessRate:
    """How often the right one of a gallery is the likeliest.

    Each picture of the gallery is noised as often as every other (give or take one), because with a single one chance
    would not be 1/N: strong noise makes the attacker name the extreme pictures most. For the same reason it is fair
    that the attacker names the first of pictures that are equally likely.

    Args:
        gallery: uint8 array (N, h, w, channels) with 1 or 3 channels and at least two pictures.
        noise: The mechanism with its parameters, which the attacker knows.
        draws: How many releases are tried; at least 1.
        seed: The same one gives the same result.

    Returns:
        How many were found, and what guessing reaches.

    Raises:
        SettingError: The gallery is of another kind, its pictures are too small for the mechanism, or there are no
            draws.
    """
    *_, last = success_so_far(gallery, noise, draws=draws, seed=seed)
    return last


def success_so_far(
    gallery: np.ndarray, noise: PictureNoise, *, draws: int = 100, seed: int = 0
) -> Iterator[SuccessRate]:
    """As ``success_rate``, after every few draws what they have found; the last is the result."""
    check_gallery(gallery)
    if draws < 1:
        raise SettingError(f"At least one draw is needed, not {draws}.")
    rng = np.random.default_rng(seed)
    source = CountedNoise(rng)
    unit = to_unit(gallery)
    rounds = -(-draws // len(gallery))
    targets = np.concatenate([rng.permutation(len(gallery)) for _ in range(rounds)])[:draws]
    found = 0
    for start in range(0, draws, DRAWS_AT_ONCE):
        batch = targets[start : start + DRAWS_AT_ONCE]
        releases = np.stack([noise.noised(unit[target], source).astype(np.float32) for target in batch])
        scores = noise.log_likelihoods(releases, unit)
        found += int(np.sum(scores.argmax(axis=1) == batch))
        yield SuccessRate(found, start + len(batch), chance=1 / len(gallery))


def success_soon(gallery: np.ndarray, noise: PictureNoise, *, draws: int = 100, seed: int = 0) -> Iterator[SuccessRate]:
    """As ``success_so_far``, and quick where the patient is found every time.

    Where each value has noise of its own, an attacker who looks at the middle of the pictures alone knows less than one
    who sees all of them. So if that one finds the patient in every draw, the result is known; else all is looked at.

    Args:
        gallery: uint8, shape (N, h, w, c), N of 2 or more.
        noise: What each picture is noised by.
        draws: How many releases are tried, 1 or more.
        seed: The same one gives the same result.

    Returns:
        What was found so far, several times; the last is the result.

    Raises:
        SettingError: For a gallery of fewer than two pictures, or no draws.
    """
    check_gallery(gallery)
    height, width = gallery.shape[1:3]
    if noise.independent_values(to_unit(gallery[0]))[1] == 1 and noise.clamped_mean(np.zeros(1)) is not None:
        for part in (8, 4, 2):
            down, across = height // part, width // part
            if min(down, across) < SMALLEST_PART:
                continue
            top, left = (height - down) // 2, (width - across) // 2
            middle = gallery[:, top : top + down, left : left + across]
            last = None
            for last in success_so_far(middle, noise, draws=draws, seed=seed):
                if last.found < last.draws:
                    break
            if last is not None and last.found == draws:
                yield last
                return
    yield from success_so_far(gallery, noise, draws=draws, seed=seed)


def success_curves(
    gallery: np.ndarray,
    noise: PictureNoise,
    *,
    betas: Sequence[float],
    sides: Sequence[int],
    draws: int = 100,
    seed: int = 0,
) -> Iterator[CurvePoint]:
    """How often the right one of a gallery is found, for several sizes of picture and amounts of noise.

    Args:
        gallery: uint8 array (N, h, w, channels) with 1 or 3 channels and at least two pictures.
        noise: The mechanism; each of ``betas`` takes the place of its own.
        betas: Amounts of noise, in units of the range from black to white.
        sides: Longer sides, in pixels, to which the pictures are reduced. At or above the gallery's own they are its
            own: enlarging would add pixels, but no patient's picture.
        draws: Releases that are tried for each point; at least 1.
        seed: The same one gives the same result.

    Yields:
        A point for every side (outer loop) and beta, as soon as it is ready.

    Raises:
        SettingError: The gallery is of another kind, or a side, a beta or ``draws`` is out of bounds. Told while the
            points are made.
    """
    check_gallery(gallery)
    shapes: list[tuple[int, int]] = []
    for side in sides:
        smaller = shrink_gallery(gallery, side)
        shape = (smaller.shape[1], smaller.shape[2])
        if shape in shapes:
            continue
        shapes.append(shape)
        for number, beta in enumerate(betas):
            rate = success_rate(smaller, noise.changed(beta=beta), draws=draws, seed=seed + number)
            yield CurvePoint(beta, shape, rate)


def shrink_gallery(gallery: np.ndarray, side: int) -> np.ndarray:
    """Pictures with a smaller longer side, by averaging areas; they are never enlarged.

    Args:
        gallery: uint8 array (N, h, w, channels) with 1 or 3 channels.
        side: The longer side in pixels; at least 1.

    Returns:
        uint8 array (N, h', w', channels).

    Raises:
        SettingError: The side has no pixel.
    """
    height, width = gallery.shape[1:3]
    if side < 1:
        raise SettingError(f"The side of an image must have at least one pixel, not {side}.")
    scale = side / max(height, width)
    if scale >= 1:
        return gallery
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pictures = [
        np.asarray(
            Image.fromarray(picture.squeeze(-1) if picture.shape[2] == 1 else picture).resize(
                size, Image.Resampling.BOX
            )
        )
        for picture in gallery
    ]
    return np.stack(pictures).reshape(len(gallery), size[1], size[0], gallery.shape[3])


def check_gallery(gallery: np.ndarray) -> None:
    """Check that a gallery can be used: pictures of one size, 8 bits a channel, at least two of them.

    Args:
        gallery: uint8 array (N, h, w, channels) with 1 or 3 channels.

    Raises:
        SettingError: It is of another kind.
    """
    if gallery.ndim != 4 or gallery.dtype != np.uint8 or gallery.shape[3] not in (1, 3) or not gallery.size:
        raise SettingError("A gallery needs images of one size, 8 bits a channel, with 1 or 3 channels.")
    if len(gallery) < 2:
        raise SettingError("A gallery needs at least two images: among one, everyone is found.")
