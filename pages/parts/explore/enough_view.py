"""How much noise is enough, and is anything left of the diagnosis then? Both in one table, by amount of noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from medpriv_core.attacks import trials
from medpriv_core.attacks.enough import BETAS, Tried, enough_statement, hidden_from
from medpriv_core.attacks.first_look import Answer, FirstLook
from medpriv_core.attacks.reidentification import SuccessRate
from medpriv_core.attacks.trials import Counted
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.mechanisms.additive import LaplacePerPixel
from medpriv_core.mechanisms.in_runs import kinds_of_noise
from medpriv_core.mechanisms.picture_noise import PictureNoise
from medpriv_core.privacy.statement import format_delta, format_epsilon
from medpriv_core.results.after_noise import Left, both_answer, left_after, left_statement
from pages.parts.explore.answers_view import SIGNS
from pages.parts.explore.gallery_choice import TRIALS, trials_key, trials_of
from pages.parts.explore.scene import Scene, look_at
from pages.parts.messages import explain_errors

TITLE = "How much noise is enough?"
QUESTION, ASKED = "question", "enough_asked"
LOOK_EVERY_S = 1.0
PLACES = 400  # of the noise on these pictures; none on screen has such
OWN = "enough_found"
UNMEASURED = "What is left of a diagnosis was not measured for this kind of noise, but for Laplace noise."
WAITING, NOT_TRIED, NOT_MEASURED = "…", "not tried", "–"


@dataclass(frozen=True, eq=False)
class Amount:
    """An amount of noise, with what was found out at once; how often the patient is found takes longer."""

    noise: PictureNoise
    tried: Tried
    yours: bool


def offer_enough() -> None:
    """The button that leads here, beside the slider."""
    st.button(
        TITLE, icon=":material/tune:", key="to_enough", on_click=_open, width="stretch", help="And the diagnosis?"
    )


def _open() -> None:
    st.session_state[QUESTION] = TITLE
    st.session_state[ASKED] = st.session_state.get(ASKED, 0) + 1


def draw(scene: Scene) -> None:
    """The table, filled as the trials go on, and the answer to both questions."""
    with st.container(key="enough"):
        _component(data=st.session_state.get(ASKED, 0), key="scroll_here")
        _draw_table(scene)


def _draw_table(scene: Scene) -> None:
    amounts = _amounts(scene)
    if scene.chosen.dataset is None:
        _draw_own(scene, amounts)
    elif all((known := trials.known_of(trials_key(scene, one.noise))) and known.done for one in amounts):
        _draw(scene, amounts, {one.noise.beta: trials.known_of(trials_key(scene, one.noise)) for one in amounts})
    else:
        st.fragment(run_every=LOOK_EVERY_S)(_draw_again)(scene, amounts)


def _draw_again(scene: Scene, amounts: Sequence[Amount]) -> None:
    with explain_errors():
        known = {
            # The last one asked is counted first: the table fills from the top.
            one.noise.beta: trials.count_aside(trials_key(scene, one.noise), trials_of(scene, one.noise))
            for one in reversed(amounts)
        }
        if all(counted.done for counted in known.values()):
            st.rerun()  # nothing is left to look for
        _draw(scene, amounts, known)


def _draw_own(scene: Scene, amounts: Sequence[Amount]) -> None:
    """Of an own picture nothing is kept beyond this visit."""
    keys = [trials_key(scene, one.noise) for one in amounts]
    kept: dict[object, Counted] = st.session_state.setdefault(OWN, {})
    if not all(key in kept for key in keys):
        kept.clear()
    place = st.empty()
    for key, one in zip(keys, amounts, strict=True):
        if key in kept:
            continue
        with place.container():
            _draw(scene, amounts, {other.noise.beta: kept.get(at) for at, other in zip(keys, amounts, strict=True)})
        counted = Counted(None, done=True)
        for success in trials_of(scene, one.noise)():
            st.empty()  # lets a newer choice of the visitor end this
            counted = Counted(success, done=True)
        kept[key] = counted
    with place.container():
        _draw(scene, amounts, {other.noise.beta: kept[at] for at, other in zip(keys, amounts, strict=True)})


def planned_amounts(scene: Scene) -> list[tuple[PictureNoise, int]]:
    """The amounts that are tried, in ascending order, each with the place that its noise is drawn for."""
    yours = scene.yours.noise
    # Exact noise takes seconds a picture, and looks the same.
    kind = LaplacePerPixel(yours.beta) if yours.fit_for_release else yours
    return [(kind.changed(beta=beta), PLACES + place) for place, beta in enumerate(sorted({*BETAS, yours.beta}))]


def tried_of(scene: Scene, noise: PictureNoise, look: FirstLook) -> Tried:
    """What is known at once of an amount; ε is that of your kind of noise."""
    guarantee = scene.yours.noise.changed(beta=noise.beta).guarantee(scene.picture.shape, delta=DEFAULT_DELTA)
    return Tried(noise.beta, look, guarantee, TRIALS)


def _amounts(scene: Scene) -> list[Amount]:
    """What can be said at once, of every amount of noise."""
    found: list[Amount] = []
    bar, planned = st.empty(), planned_amounts(scene)
    for noise, place in planned:
        bar.progress(len(found) / len(planned), f"Trying β = {noise.beta:g}…")
        tried = tried_of(scene, noise, look_at(scene.chosen, noise, place=place))
        found.append(Amount(noise, tried, noise.beta == scene.yours.noise.beta))
    bar.empty()
    return found


def _draw(scene: Scene, amounts: Sequence[Amount], known: Mapping[float, Counted | None]) -> None:
    noise = scene.yours.noise
    left = left_after(next(name for name, kind in kinds_of_noise().items() if kind is type(noise)))
    tried = [replace(one.tried, success=_success(known.get(one.noise.beta))) for one in amounts]
    if all((counted := known.get(one.noise.beta)) is not None and counted.done for one in amounts):
        answer = both_answer(left, hidden_from=hidden_from(tried)) if left else UNMEASURED
        st.info(f"**{answer}** {enough_statement(tried)} {left_statement(left)}")
    else:
        st.info("Counting how often the patient is found…", icon=":material/hourglass_empty:")
    none = {"β": "no noise", "Seen by eye": f"{SIGNS['open']} visible", "Undone by a computer": "nothing to undo"}
    none |= {"Patient found": f"{SIGNS['open']} always", "ε of the image": "∞"}
    none |= {_heading(each): f"**{each.told(each.without)}**" for each in left}
    st.table(
        [
            none,
            *(_row(one, each, known.get(one.noise.beta), left) for one, each in zip(amounts, tried, strict=True)),
        ],
        hide_index=True,
        width="content",
    )
    datasets = ", ".join(f"{each.title} ({each.learned})" for each in left)
    if left:
        st.caption(
            f"The diagnosis: reference runs shipped with medpriv, trained on images with this kind of noise and tested "
            f"on clean ones. {datasets}. {NOT_MEASURED}: not measured."
        )
    exact = " Exact noise looks like Laplace noise, by which this was tried." if noise.fit_for_release else ""
    st.caption(
        f"Your image: the answers of the first window at each β; ε at δ = {format_delta(DEFAULT_DELTA)} for any two "
        f"images. “Hidden” is no guarantee: only ε is.{exact}"
    )


def _success(counted: Counted | None) -> SuccessRate | None:
    return None if counted is None else counted.success


def _row(one: Amount, tried: Tried, counted: Counted | None, left: Sequence[Left]) -> dict[str, str]:
    nobody = NOT_TRIED if counted is not None and counted.done else WAITING
    row = {
        "β": f"**{one.noise.beta:g}, yours**" if one.yours else f"{one.noise.beta:g}",
        "Seen by eye": _cell(tried.seen),
        "Undone by a computer": _cell(tried.undone),
        "Patient found": nobody if tried.found is None else _cell(tried.found),
        "ε of the image": format_epsilon(tried.guarantee.epsilon_image),
    }
    return row | {_heading(each): _figure(each, one.noise.beta) for each in left}


def _cell(answer: Answer) -> str:
    return f"{SIGNS[answer.level]} {answer.word}"


def _heading(left: Left) -> str:
    return f"{left.title}: {left.word}"


def _figure(left: Left, beta: float) -> str:
    if beta not in left.by_beta:
        return NOT_MEASURED
    figure = left.told(left.by_beta[beta])
    return f"**{figure}**" if left.is_left(beta) else f"{figure}: nothing left"


_component = st.components.v2.component(
    "scroll_here",
    html="",
    js=(Path(__file__).parent.parent / "assets" / "scroll_here.js").read_text(encoding="utf-8"),
)
