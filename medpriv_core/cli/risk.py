"""``risk``: what an attacker finds at most, of runs, of a training that may be done, of noised images, or of an ε."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any, get_args

from medpriv_core.cli.output import print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.figures.tradeoff import WHAT_IT_DOES_NOT_SAY, curve_rows
from medpriv_core.home import data_home
from medpriv_core.mechanisms.catalog import MECHANISMS, picture_noise
from medpriv_core.privacy.risk_subject import (
    RiskSubject,
    plan_of_settings,
    subject_of_images,
    subject_of_plan,
    subject_of_point,
)
from medpriv_core.privacy.risk_words import chance_after, fit_sentence, odds_sentence
from medpriv_core.privacy.tradeoff import FALSE_ALARM_RATES
from medpriv_core.results.risk_subjects import subject_of_run, subject_of_runs
from medpriv_core.runs import service
from medpriv_core.spec import check_bound
from medpriv_core.unit import Unit

LARGEST_SIDE = 4096


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("risk", help="what an attacker finds at most: hits, odds, and the whole curve")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a run; several: what they give away together")
    training = parser.add_argument_group("a training with DP-SGD")
    training.add_argument("--noise-multiplier", type=float, help="noise standard deviation / clipping norm; 0 for none")
    training.add_argument("--dataset-size", type=int, metavar="N", help="number of training records")
    training.add_argument("--batch-size", type=int, metavar="N", help="expected records a step")
    training.add_argument("--epochs", type=int, metavar="N")
    training.add_argument("--sampling", choices=("poisson", "full_batch", "shuffled"), default="poisson")
    training.add_argument("--unit", choices=get_args(Unit), default="image", help="what a record is (default image)")
    training.add_argument(
        "--images-per-patient", type=int, default=1, metavar="K", help="of a patient with K records (default 1)"
    )
    noise = parser.add_argument_group("noise on images")
    noise.add_argument("--mechanism", choices=list(MECHANISMS))
    noise.add_argument("--beta", type=float, help="amount of noise")
    noise.add_argument("--image-size", type=int, default=256, metavar="N", help="side in pixels (default 256)")
    noise.add_argument("--channels", type=int, choices=(1, 3), default=1, help="1 grey, 3 colour (default 1)")
    noise.add_argument("--copies", type=int, default=1, metavar="K", help="noised copies of the image (default 1)")
    noise.add_argument("--pixel", action="store_true", help="of one pixel instead of the whole image")
    parser.add_argument("--epsilon", type=float, help="an ε of which no more is known than its δ")
    parser.add_argument("--delta", type=float, default=DEFAULT_DELTA)
    parser.add_argument(
        "--prior", type=float, default=0.01, metavar="P", help="how likely it was before (default 0.01)"
    )
    add_json_option(parser)
    parser.set_defaults(command=_risk)


def _risk(options: argparse.Namespace) -> None:
    if not 0 < options.prior < 1:
        raise SettingError(f"prior must be above 0 and below 1, but is {options.prior:g}.")
    check_bound("delta", options.delta)
    subject, notes = _subject(options)
    if options.json:
        print_json(_facts(subject, options.prior, notes))
        return
    say(subject.sentence)
    say(f"{subject.statement}.")
    for rate in FALSE_ALARM_RATES:
        say(f"{subject.risk.tpr_at_fpr[rate]:.3%} found for {float(rate):.1%} false alarms, at most")
    say(f"advantage {subject.risk.advantage:.4g}, area under the curve {subject.curve.area:.4g}")
    say(fit_sentence(subject))
    say(odds_sentence(subject, options.prior, "0.01"))
    if subject.basis == "point":
        say("By ε and δ alone, for no more is known: the truth may be lower.")
    for note in notes:
        say(note)
    say(WHAT_IT_DOES_NOT_SAY)


def _subject(options: argparse.Namespace) -> tuple[RiskSubject, tuple[str, ...]]:
    asked = {
        "runs": bool(options.runs),
        "--noise-multiplier": options.noise_multiplier is not None,
        "--mechanism": options.mechanism is not None,
        "--epsilon": options.epsilon is not None,
    }
    if sum(asked.values()) != 1:
        raise SettingError("Give one of: runs, --noise-multiplier, --mechanism, or --epsilon.")
    if asked["runs"]:
        home = data_home()
        runs = [service.load_run(home, name) for name in dict.fromkeys(options.runs)]
        found = subject_of_run(home, runs[0]) if len(runs) == 1 else subject_of_runs(runs)
        return found.subject, found.notes
    if asked["--epsilon"]:
        if not options.epsilon >= 0:
            raise SettingError(f"epsilon must be 0 or more, but is {options.epsilon:g}.")
        return subject_of_point(epsilon=options.epsilon, delta=options.delta, unit=options.unit), ()
    return (_training(options) if asked["--noise-multiplier"] else _images(options)), ()


def _training(options: argparse.Namespace) -> RiskSubject:
    for name in ("dataset_size", "batch_size", "epochs"):
        if getattr(options, name) is None:
            raise SettingError(f"{name} is needed beside noise_multiplier; give it.")
    plan = plan_of_settings(
        train_size=options.dataset_size,
        batch_size=options.batch_size,
        epochs=options.epochs,
        delta=options.delta,
        noise_multiplier=options.noise_multiplier,
        sampling=options.sampling,
        unit=options.unit,
    )
    return subject_of_plan(plan, images_per_patient=options.images_per_patient)


def _images(options: argparse.Namespace) -> RiskSubject:
    if options.beta is None:
        raise SettingError("beta is needed beside mechanism; give it.")
    side = options.image_size
    if not 1 <= side <= LARGEST_SIDE:
        raise SettingError(f"image_size must be between 1 and {LARGEST_SIDE}, but is {side}.")
    noise = picture_noise(options.mechanism, beta=options.beta)
    guarantee = noise.guarantee((side, side, options.channels), delta=options.delta, copies=options.copies)
    return subject_of_images(guarantee, asked="pixel" if options.pixel else "image")


def _facts(subject: RiskSubject, prior: float, notes: tuple[str, ...]) -> dict[str, Any]:
    risk = subject.risk
    return {
        "asked": subject.asked,
        "unit": subject.unit,
        "epsilon": subject.epsilon,
        "delta": subject.delta,
        "statement": subject.statement,
        "sentence": subject.sentence,
        "basis": subject.basis,
        "tpr_at_fpr": dict(risk.tpr_at_fpr),
        "advantage": risk.advantage,
        "area": subject.curve.area,
        "mu": risk.mu,
        "misfit": subject.misfit,
        "sensitivity_index": subject.sensitivity_index,
        "curve": [asdict(row) for row in curve_rows(subject)],
        "prior": prior,
        "chance_after": {rate: chance_after(subject, prior, rate) for rate in FALSE_ALARM_RATES},
        "notes": list(notes),
        "does_not_say": WHAT_IT_DOES_NOT_SAY,
    }
