"""What gradient inversion found, in words: first the finding, then the number, then what it does not say.

>>> format_psnr(16.04), format_psnr(float("inf"))
('16.0 dB', 'exact')
"""

from __future__ import annotations

from medpriv_core.attacks.inversion_panels import Inversion, Panel

EXACT_DB = 100.0  # from which two images are the same but for rounding
WHAT_IT_DOES_NOT_SAY = (
    "What this does not say: the attacker here controls the model. The bound is for somebody who knows nothing of "
    "images. A common noise filter already does better, and who has seen other chest X-rays passes it by 9 to 28 dB "
    "(measured on chest X-rays of 64 × 64 pixels). An attack that fails shows no smaller ε."
)


def format_psnr(psnr_db: float) -> str:
    """A PSNR in words; "exact" from 100 dB on."""
    return "exact" if psnr_db >= EXACT_DB else f"{psnr_db:.1f} dB"


def best_noised(inversion: Inversion) -> Panel:
    """The most like the original of what the attacker makes of the noised gradients, chosen with hindsight."""
    names = ("noised", "single_noised", "best_estimate", "denoised")
    return max((inversion.panel(name) for name in names), key=lambda panel: panel.psnr_db)


def inversion_statement(inversion: Inversion) -> str:
    """What clipping hides, and what noise does, in two or three sentences computed from the panels."""
    return f"{_of_clipping(inversion)} {_of_noise(inversion)}"


def inversion_notes(inversion: Inversion, *, wanted_batch: int) -> list[str]:
    """What else there is to know of this image and batch, in whole sentences.

    Args:
        inversion: What was found.
        wanted_batch: The batch size that was asked for.

    Returns:
        No sentence where everything is as usual.
    """
    notes = []
    if inversion.batch_size < wanted_batch:
        notes.append(f"There are not {wanted_batch} images, so the batch has {inversion.batch_size}.")
    if inversion.floor is None:
        notes.append("There is no other image, so there is no average of others to compare with.")
    if inversion.bound is None:
        notes.append(
            "An all-black image has no gradient in the model of the best estimate: it comes back as black whatever the "
            "noise, and there is no bound for it."
        )
    if inversion.panel("original").correlation is None:
        notes.append("The image has one colour only, so nothing correlates with it.")
    return notes


def _of_clipping(inversion: Inversion) -> str:
    without, clipped = inversion.panel("no_dp"), inversion.panel("clipped")
    if inversion.isolated and clipped.psnr_db >= EXACT_DB:
        return "Clipping alone hides nothing: without noise the image comes back exactly, clipped or not."
    if inversion.isolated:
        return (
            f"Clipping alone hides little: the image comes back with {format_psnr(clipped.psnr_db)}, and with "
            f"{format_psnr(without.psnr_db)} without it."
        )
    alone = inversion.panel("single_clipped")
    return (
        "The batch holds another image of nearly the same brightness, so this layer gives back a mixture of both "
        f"(PSNR with clipping alone: {format_psnr(clipped.psnr_db)}). Clipping is no protection: from a batch of one "
        f"the clipped image comes back {_how(alone)}."
    )


def _how(panel: Panel) -> str:
    return "exactly" if panel.psnr_db >= EXACT_DB else f"with {format_psnr(panel.psnr_db)}"


def _of_noise(inversion: Inversion) -> str:
    if inversion.noise_multiplier == 0:
        return "There is no noise here, so there is no ε either."
    best, floor = best_noised(inversion), inversion.floor
    setting = f"With noise multiplier {inversion.noise_multiplier:g}"
    if floor is None:
        return f"{setting} the best attempt comes to {format_psnr(best.psnr_db)}."
    average = f"the average of other images ({format_psnr(floor.psnr_db)}), which needs no gradient"
    found = f"the best attempt has {format_psnr(best.psnr_db)}"
    # A mean of equal images is the image itself: nothing is left to learn.
    if best.psnr_db > floor.psnr_db:
        return f"{setting} it comes back still: {found}, more than {average}."
    return f"{setting} it does not come back: {found}, no more than {average}."
