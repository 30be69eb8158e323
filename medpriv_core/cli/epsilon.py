"""``epsilon``: what a DP-SGD run spends, or which noise multiplier a wanted epsilon needs."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from medpriv_core.cli.output import print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import SettingError
from medpriv_core.privacy.checks import check_second
from medpriv_core.privacy.dp_sgd import MAX_IMAGES_PER_PATIENT
from medpriv_core.privacy.plan import DpSgdPlan, plan_dp_sgd
from medpriv_core.privacy.second_accountant import wait_for_answer
from medpriv_core.privacy.statement import dp_sgd_meaning, dp_sgd_statement, format_epsilon
from medpriv_core.privacy.verdict import planned_question
from medpriv_core.spec import check_bound
from medpriv_core.unit import Unit

MAX_DATASET_SIZE = 10**9


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("epsilon", help="epsilon of a DP-SGD run, or the noise it needs")
    parser.add_argument("--dataset-size", type=int, required=True, help="number of training records")
    parser.add_argument("--batch-size", type=int, required=True, help="expected records a step")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--delta", type=float, default=DEFAULT_DELTA)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--noise-multiplier", type=float, help="noise standard deviation / clipping norm")
    given.add_argument("--target-epsilon", type=float, help="solve for the noise multiplier")
    parser.add_argument(
        "--sampling",
        choices=("poisson", "full_batch", "shuffled"),
        default="poisson",
        help="how batches are drawn; with shuffled, steps are counted one an epoch (default poisson)",
    )
    parser.add_argument(
        "--microbatch-size", type=int, default=1, metavar="N", help="records clipped together (default 1)"
    )
    parser.add_argument(
        "--unit",
        choices=get_args(Unit),
        default="image",
        help="what a record is; patient: patients are drawn and each one's gradient is clipped once (default image)",
    )
    parser.add_argument(
        "--images-per-patient", type=int, metavar="K", help="also say what holds for a patient with K records"
    )
    parser.add_argument(
        "--adjacency",
        choices=("add-remove", "replace-one"),
        default="add-remove",
        help="one record added or removed (where their number is public, without Poisson subsampling: replaced by an "
        "empty one), or replaced by any other (default add-remove)",
    )
    add_json_option(parser)
    parser.set_defaults(command=_epsilon)


def _epsilon(options: argparse.Namespace) -> None:
    if not 1 <= options.dataset_size <= MAX_DATASET_SIZE:
        raise SettingError(f"dataset_size must be between 1 and {MAX_DATASET_SIZE}, but is {options.dataset_size}.")
    for name in ("batch_size", "epochs", "delta", "microbatch_size"):
        check_bound(name, getattr(options, name))
    _check_images_per_patient(options)
    plan = plan_dp_sgd(
        train_size=options.dataset_size,
        batch_size=options.batch_size,
        epochs=options.epochs,
        delta=options.delta,
        noise_multiplier=options.noise_multiplier,
        target_epsilon=options.target_epsilon,
        sampling=options.sampling,
        microbatch_size=options.microbatch_size,
        adjacency="replace-one" if options.adjacency == "replace-one" else None,
        unit=options.unit,
    )
    patient = None if options.images_per_patient is None else plan.epsilon_patient(options.images_per_patient)
    if options.json:
        print_json(_facts(plan, options.images_per_patient, patient))
    else:
        _print(plan, options.images_per_patient, patient)
        if options.delta >= 1 / options.dataset_size:
            say("Warning: delta is not below 1/n, which is too weak to call a guarantee.")


def _check_images_per_patient(options: argparse.Namespace) -> None:
    images = options.images_per_patient
    if images is None:
        return
    highest = min(MAX_IMAGES_PER_PATIENT, options.dataset_size)
    if not 1 <= images <= highest:
        raise SettingError(f"images_per_patient must be between 1 and {highest}, but is {images}.")
    if options.unit == "patient":
        raise SettingError(
            "With unit patient, ε holds however many images a patient has; leave images_per_patient out."
        )
    if options.adjacency == "replace-one":
        raise SettingError("images_per_patient is counted for adjacency add-remove only; leave one of them out.")


def _facts(plan: DpSgdPlan, images: int | None, patient: float | None) -> dict[str, Any]:
    risk = plan.risk
    facts = {
        "epsilon": wait_for_answer(planned_question(plan)).larger,
        "epsilon_rdp": plan.epsilon_rdp,
        "epsilon_second": wait_for_answer(planned_question(plan)).epsilon,
        "delta": plan.delta,
        "unit": plan.mechanism.unit,
        "accountant": plan.accountant,
        "sampling": plan.mechanism.sampling,
        "adjacency": plan.adjacency,
        "sample_rate": plan.sample_rate,
        "steps": plan.steps,
        "sensitivity": plan.mechanism.sensitivity,
        "noise_multiplier": plan.noise_multiplier,
        "epsilon_claimed": plan.claimed_epsilon,
        "tpr_at_fpr": risk.tpr_at_fpr,
        "advantage": risk.advantage,
        "mu": risk.mu,
        "meaning": dp_sgd_meaning(risk, plan.mechanism.unit),
    }
    return facts if images is None else facts | {"epsilon_patient": patient, "images_per_patient": images}


def _print(plan: DpSgdPlan, images: int | None, patient: float | None) -> None:
    def statement(epsilon: float, images_per_patient: int = 1) -> str:
        return dp_sgd_statement(
            epsilon=epsilon,
            delta=plan.delta,
            adjacency=plan.adjacency,
            sampling=plan.mechanism.sampling,
            accountant=plan.accountant,
            images_per_patient=images_per_patient,
            unit=plan.mechanism.unit,
        )

    answer = wait_for_answer(planned_question(plan))
    say(statement(answer.larger))
    say(dp_sgd_meaning(plan.risk, plan.mechanism.unit))
    say(
        f"noise multiplier {plan.noise_multiplier:g}, sampling rate {plan.sample_rate:.6g}, {plan.steps} steps"
        + (" counted, one an epoch" if plan.mechanism.sampling == "shuffled" else "")
    )
    if plan.mechanism.sensitivity > 1:
        unit = plan.mechanism.unit
        say(f"sensitivity 2: one {unit} can change the sum by two clipping norms, because several are clipped together")
    if patient is not None and images is not None:
        say(f"a patient with {images} images: {statement(patient, images)}")
    second = check_second(planned_question(plan))
    say(second.sentence if second.state == "green" else f"{second.name}: {second.sentence}")
    say(f"by the classic RDP accountant: ε = {format_epsilon(plan.epsilon_rdp)}")
