"""The slides of this page: what belongs to each is gathered from the page, and put together aside.

Whatever takes time (noise, attempts to undo it, trials) is left to the thread that makes the file. What it needs of the
page is gathered before, because that thread may not ask the page for anything. A slide that is made stays with the
session, so that the second file takes what the first one has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from medpriv_core.attacks import trials
from medpriv_core.attacks.enough import Tried
from medpriv_core.attacks.first_look import first_look
from medpriv_core.attacks.reidentification import identify, success_soon
from medpriv_core.attacks.undo import undo
from medpriv_core.exports import explore_slides as slides
from medpriv_core.exports.explore_slides import Subject
from medpriv_core.exports.making import Make
from medpriv_core.exports.pdf_pack import to_pdf
from medpriv_core.exports.pptx_pack import to_pptx
from medpriv_core.exports.rendering import Theme, to_png, to_svg
from medpriv_core.exports.sheet import Sheet
from medpriv_core.mechanisms.comparison import PAPER_BETAS, noised_panel
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.progress import ProgressCallback
from pages.parts.explore.enough_view import TITLE as ENOUGH
from pages.parts.explore.enough_view import planned_amounts, tried_of
from pages.parts.explore.gallery_choice import TRIALS, gallery_of, has_gallery, trials_key, trials_of
from pages.parts.explore.others_view import others_of
from pages.parts.explore.pictures import AMOUNTS, FIGURE_2, KINDS, YOURS, planned
from pages.parts.explore.scene import YOURS_PLACE, Scene, is_quick
from pages.parts.explore.undo_view import kept_attempts

SHEETS = "slide_sheets"  # those of this session that are made, of one picture and noise
UNDONE, FOUND = "Can it be undone?", "Can the patient be found?"
SLIDES: dict[str, str] = {
    YOURS: "The original, your noised image, and what a computer makes of it.",
    AMOUNTS: "The original beside β = 1, 2, 4 and yours.",
    KINDS: "The original beside every mechanism at your β.",
    FIGURE_2: "Figure 2 of the paper: what its text says above what its published code did.",
    UNDONE: "The original, your noised image, and the best attempts to undo the noise.",
    FOUND: "Your noised image, and whose it most likely is.",
    ENOUGH: "What eye and computer see, and how often the patient is found, from β = 0.25 to 256.",
}
OWN_SOURCE = "Own image of the presenter; a patient's only with the patient's consent."

MakeSheet = Callable[[ProgressCallback], Sheet]


def one_slide(which: str, scene: Scene, *, theme: Theme, kind: str) -> Make:
    """What makes one slide as ``kind``: PNG or SVG."""
    make_sheet = _kept(which, scene)

    def make(progress: ProgressCallback) -> bytes:
        sheet = make_sheet(progress)
        return to_png(sheet, theme=theme) if kind == "PNG" else to_svg(sheet, theme=theme)

    return make


def all_slides(scene: Scene, *, theme: Theme, kind: str) -> Make:
    """What makes one file with every slide there is for this picture: PowerPoint or PDF."""
    makers = {which: _kept(which, scene) for which in offered(scene)}

    def make(progress: ProgressCallback) -> bytes:
        sheets = []
        for done, (which, make_sheet) in enumerate(makers.items()):
            told = partial(_tell, progress, which, done, len(makers))
            told("", 0, 0)
            sheets.append(make_sheet(told))
        write = to_pptx if kind == "PowerPoint" else to_pdf
        return write(sheets, theme=theme, progress=progress)

    return make


def _tell(progress: ProgressCallback, which: str, slide: int, slides: int, phase: str, _done: int, _total: int) -> None:
    """The steps of a slide by its name and place, so that the bar never runs back."""
    progress(f"Slide “{which}” {phase}".strip(), slide, slides)


def _kept(which: str, scene: Scene) -> MakeSheet:
    """What makes a slide, or has it from an earlier file of this session about the same picture and noise."""
    key, sheets = st.session_state.get(SHEETS, (None, {}))
    if key != content_key(scene):
        sheets = {}
        st.session_state[SHEETS] = (content_key(scene), sheets)
    build = _BUILDERS[which](scene)

    def make(progress: ProgressCallback) -> Sheet:
        if which not in sheets:
            sheets[which] = build(progress)
        return sheets[which]

    return make


def offered(scene: Scene) -> list[str]:
    """The slides that can be made: without a gallery nobody can be looked for."""
    without: tuple[str, ...] = () if has_gallery(scene) else (FOUND, ENOUGH)
    if not is_quick(scene.yours.noise, scene.chosen):
        without = (*without, ENOUGH)  # exact noise of many amounts would take minutes
    return [which for which in SLIDES if which not in without]


def _subject(scene: Scene) -> Subject:
    source = OWN_SOURCE if scene.chosen.dataset is None else scene.chosen.source
    return Subject(scene.picture, scene.chosen.label, source)


def _yours(scene: Scene) -> slides.Noised:
    yours = scene.yours
    title = f"Noised, β = {yours.noise.beta:.4g}"
    return slides.Noised(title, yours.panel.pixels, yours.noise, yours.guarantee, scene.look)


def _drawing(arrangement: str, scene: Scene) -> Callable[[ProgressCallback], list[slides.Noised]]:
    """What draws the noised pictures of an arrangement: the same as on the page, for their seeds are the same."""
    plan, yours = planned(arrangement, scene), _yours(scene)
    picture, seed = scene.picture, scene.yours.seed

    def draw(progress: ProgressCallback) -> list[slides.Noised]:
        shown = []
        for done, (title, noise, place) in enumerate(plan):
            progress(title, done, len(plan))
            if place == YOURS_PLACE:
                shown.append(replace(yours, title=title))
                continue
            pixels = noised_panel(picture, noise, seed=(seed, place)).pixels
            look = first_look(picture, pixels, noise)
            shown.append(slides.Noised(title, pixels, noise, noise.guarantee(picture.shape), look))
        return shown

    return draw


def _build_yours(scene: Scene) -> MakeSheet:
    subject, yours = _subject(scene), _yours(scene)
    return lambda _: slides.yours_slide(subject, yours)


def _build_amounts(scene: Scene) -> MakeSheet:
    subject, draw = _subject(scene), _drawing(AMOUNTS, scene)
    return lambda progress: slides.amounts_slide(subject, draw(progress))


def _build_kinds(scene: Scene) -> MakeSheet:
    subject, draw = _subject(scene), _drawing(KINDS, scene)
    return lambda progress: slides.kinds_slide(subject, draw(progress))


def _build_figure2(scene: Scene) -> MakeSheet:
    subject, draw = _subject(scene), _drawing(FIGURE_2, scene)

    def make(progress: ProgressCallback) -> Sheet:
        shown, count = draw(progress), len(PAPER_BETAS)
        return slides.figure2_slide(subject, per_pixel=shown[:count], per_image=shown[count:])

    return make


def _build_undone(scene: Scene) -> MakeSheet:
    subject, yours, others = _subject(scene), _yours(scene), others_of(scene)
    known = kept_attempts(scene, others)

    def make(progress: ProgressCallback) -> Sheet:
        attempts = []
        for attempt in known or undo(subject.picture, to_unit(yours.pixels), yours.noise, others.prior):
            attempts.append(attempt)
            progress(attempt.title, 0, 0)
        return slides.undone_slide(subject, yours, attempts, learned=others.words)

    return make


def _build_found(scene: Scene) -> MakeSheet:
    subject, yours, found, seed = _subject(scene), _yours(scene), gallery_of(scene), scene.yours.seed
    assert found is not None
    counted = None if scene.chosen.dataset is None else trials.known_of(trials_key(scene))

    def make(progress: ProgressCallback) -> Sheet:
        pictures, place = found.gallery.pictures, found.gallery.place
        success = counted.success if counted is not None and counted.done else None
        if success is None:
            for success in success_soon(pictures, yours.noise, draws=TRIALS, seed=seed):
                progress(f"trial {success.draws} of {TRIALS}", success.draws, TRIALS)
        assert success is not None
        release = yours.noise.release(to_unit(pictures[place]), np.random.default_rng((seed, 200)))
        return slides.found_slide(
            subject,
            yours,
            success,
            gallery=pictures,
            place=place,
            trial=identify(release, pictures, place, yours.noise),
            gallery_words=found.words,
        )

    return make


def _build_enough(scene: Scene) -> MakeSheet:
    subject, noise, seed = _subject(scene), scene.yours.noise, scene.yours.seed
    found, own = gallery_of(scene), scene.chosen.dataset is None
    assert found is not None
    # The amounts and the noise of the table on the page, so that both say the same.
    planned = [
        (amount, place, trials_key(scene, amount), trials_of(scene, amount)) for amount, place in planned_amounts(scene)
    ]

    def make(progress: ProgressCallback) -> Sheet:
        tried: list[Tried] = []
        for amount, place, key, begin in planned:
            progress(f"β = {amount.beta:g}", len(tried), len(planned))
            look = first_look(subject.picture, noised_panel(subject.picture, amount, seed=(seed, place)).pixels, amount)
            # Of an own picture nothing is kept for others.
            *_, success = begin() if own else [trials.count_now(key, begin).success]
            tried.append(replace(tried_of(scene, amount, look), success=success))
        return slides.enough_slide(subject, noise, tried, gallery_words=found.words)

    return make


_BUILDERS: dict[str, Callable[[Scene], MakeSheet]] = {
    YOURS: _build_yours,
    AMOUNTS: _build_amounts,
    KINDS: _build_kinds,
    FIGURE_2: _build_figure2,
    UNDONE: _build_undone,
    FOUND: _build_found,
    ENOUGH: _build_enough,
}


def content_key(scene: Scene, *parts: str) -> tuple[object, ...]:
    """All that a slide depends on: picture, noise, the pictures of others, what was learned, and what is asked for."""
    return (*trials_key(scene), *others_of(scene).key, *parts)
