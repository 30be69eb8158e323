"""The job of a membership attack on one's own run: it trains networks by its recipe, and attacks some of them.

Each learns from a random half of the run's records, so members and others come from the same images: nothing but
membership tells them apart. The first networks are the targets, all others the references. What they say of each
record lies in ``answers.npz`` in the folder of the job, what was found in ``membership.json`` beside it.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field

import numpy as np

from medpriv_core.atomic import replace_file
from medpriv_core.attacks.membership import References
from medpriv_core.attacks.membership_report import Answers, figures_of
from medpriv_core.checksums import write_sealed
from medpriv_core.datasets.noised import noised_dataset
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.defaults import DEFAULT_DELTA
from medpriv_core.errors import MedprivError, RunError, WeightsError
from medpriv_core.home import DataHome, explain_disk_errors
from medpriv_core.jobs.process import Reporter, log_line
from medpriv_core.privacy.curve import EVERYTHING, Curve
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.tradeoff import membership_curve
from medpriv_core.progress import Cancelled
from medpriv_core.records.membership import MembershipReport
from medpriv_core.runs.attacked import ANSWERS, FEWEST_REFERENCES, REPORT, attack_folder, check_attackable, guaranteed
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.training.checkpoint import load_checkpoint
from medpriv_core.training.data import TrainingData
from medpriv_core.training.memory import keep_freed_memory
from medpriv_core.training.shadows import Recipe, draw_halves, open_recipe

PHASE = "Training networks"


def attack_in_job(home: DataHome, report: Reporter, *, run: str, references: int, targets: int, seed: int) -> None:
    """What the job ``membership`` does.

    Stopped while it trains, it attacks with the networks that it has, if they are enough, and says so. Raises
    ``RunError`` where the run's files are gone, its images have changed, or too few networks came of it, and what
    ``shadows.open_recipe`` raises.
    """
    began = time.monotonic()
    check_attackable(home, run)
    directory = RunDirectory(home.runs / run)
    spec, setup = directory.read_spec(), directory.read_setup()
    keep_freed_memory(spec.engine)
    clean = prepare_dataset(home, spec.dataset, image_size=spec.image_size, progress=report, say=log_line)
    noised = None
    if spec.method == "local_dp":
        noised = noised_dataset(home, clean, spec.picture_noise, progress=report, say=log_line)
    data = TrainingData(clean, noised)
    if data.content != setup.content:
        raise RunError(
            "The images of this run have changed since it was trained, so nobody can tell who was in its training. Put "
            "the old images back, or train the run again and attack that."
        )
    recipe = open_recipe(spec, setup, data, home=home, progress=report)
    _check_backbone(directory, recipe)
    rng = np.random.default_rng(seed)
    trained = _train(recipe, report, references=references, targets=targets, rng=rng)
    answers = trained.answers(targets)
    ceiling, epsilon = _ceiling(home, run, recipe)
    report.result |= {"references": len(answers.references), "targets": len(answers.targets)}
    first_images = np.unique(recipe.owners, return_index=True)[1]
    delta = recipe.spec.delta if recipe.spec.method == "dp_sgd" else DEFAULT_DELTA
    figures = figures_of(answers, ceiling=ceiling, delta=delta, first_images=first_images, rng=rng)
    found = MembershipReport.from_dict(
        figures
        | {
            "unit": recipe.spec.record,
            "records": recipe.records,
            "half": recipe.half,
            "targets": len(answers.targets),
            "references": len(answers.references),
            "wanted": targets + references,
            "failed": trained.failed,
            "stopped": trained.stopped,
            "content": data.content,
            "network": {
                "method": recipe.spec.method,
                "epochs": recipe.spec.epochs,
                "batch_size": recipe.spec.batch_size,
                "steps": recipe.steps,
                "noise_multiplier": recipe.spec.noise_multiplier,
            },
            "epsilon": epsilon,
            "delta": None if epsilon is None else delta,
            "seconds": time.monotonic() - began,
        }
    )
    _write(home, run, answers, found)
    if trained.stopped:
        raise Cancelled


@dataclass
class _Trained:
    """What came of the networks: φ and membership of each, by its place among all that were to be trained."""

    records: int
    values: dict[int, np.ndarray] = field(default_factory=dict)
    inside: dict[int, np.ndarray] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    stopped: bool = False

    def add(self, place: int, values: np.ndarray, chosen: np.ndarray) -> None:
        self.values[place] = values
        self.inside[place] = np.isin(np.arange(self.records), chosen)

    def answers(self, targets: int) -> Answers:
        """Of targets and references; raises ``Cancelled`` or ``RunError`` where they are too few."""
        chosen = [[place for place in self.values if (place < targets) == is_target] for is_target in (True, False)]
        if not chosen[0] or len(chosen[1]) < FEWEST_REFERENCES:
            if self.stopped:
                raise Cancelled
            why = f" The first said: {self.failed[0]}" if self.failed else ""
            raise RunError(
                f"Of the networks for this attack {len(self.failed)} failed, so {len(chosen[0])} targets and "
                f"{len(chosen[1])} references are left, and it needs 1 and {FEWEST_REFERENCES}.{why}"
            )
        values, inside = (
            [np.stack([of[place] for place in places]) for places in chosen] for of in (self.values, self.inside)
        )
        return Answers(values[0], inside[0], References(values[1], inside[1]))


def _train(recipe: Recipe, report: Reporter, *, references: int, targets: int, rng: np.random.Generator) -> _Trained:
    """Targets first, then references; a network that fails is left out, and a stop ends the training."""
    networks, done = targets + references, 0
    total = networks * recipe.steps
    trained = _Trained(recipe.records)

    def step_taken() -> None:
        nonlocal done
        report(PHASE, done, total)
        done += 1

    # Targets and references are halves of their own, so that no pair is split between them.
    halves = [*draw_halves(recipe.records, networks=targets, rng=rng)]
    halves += draw_halves(recipe.records, networks=references, rng=rng)
    seeds = rng.integers(0, 2**31 - 1, networks)
    for place, chosen in enumerate(halves):
        try:
            network = recipe.train_network(chosen, seed=int(seeds[place]), step_taken=step_taken)
            trained.add(place, recipe.answers(network), chosen)
        except Cancelled:
            trained.stopped = True
            break
        except (MedprivError, RuntimeError) as error:
            log_line(f"Network {place + 1} of {networks} failed: {error}")
            trained.failed.append(str(error) if isinstance(error, MedprivError) else "Its training broke down.")
        done = (place + 1) * recipe.steps
    return trained


def _ceiling(home: DataHome, run: str, recipe: Recipe) -> tuple[Curve, float | None]:
    """The most hits that the guarantee of the attacked networks allows, and their ε; None where nothing holds."""
    if not guaranteed(home, run):
        return EVERYTHING, None
    plan = plan_run(recipe.spec, train_size=recipe.half)
    if not np.isfinite(plan.epsilon):
        return EVERYTHING, None
    return membership_curve(plan.stretches, delta=plan.delta, adjacency=plan.adjacency), plan.epsilon


def _check_backbone(directory: RunDirectory, recipe: Recipe) -> None:
    saved = load_checkpoint(directory.checkpoint)
    if saved is None:
        raise RunError("This run has no checkpoint, so its network is not known. Attack another run.")
    if saved.backbone != recipe.backbone:
        raise WeightsError(
            "The pretrained weights are not those that this run began with, so networks like its own cannot be "
            "trained. Bring the old weights file back, or attack another run."
        )


def _write(home: DataHome, run: str, answers: Answers, found: MembershipReport) -> None:
    folder = attack_folder(home, run)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        targets=answers.targets.astype(np.float32),
        members=answers.members,
        references=answers.references.values.astype(np.float32),
        inside=answers.references.inside,
    )
    with explain_disk_errors(folder):
        replace_file(folder / ANSWERS, content.getbuffer())
        write_sealed(folder / REPORT, found.to_file())
