"""The membership attack as a job: networks on halves of the records, attacked, stopped and failing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from medpriv_core.attacks.membership import References
from medpriv_core.attacks.membership_report import Answers, figures_of
from medpriv_core.errors import DataHomeError, RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.jobs.job import job_at
from medpriv_core.jobs.process import do_job
from medpriv_core.privacy.plan import plan_run
from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.tradeoff import membership_curve
from medpriv_core.records.membership import MembershipReport
from medpriv_core.records.setup import Setup
from medpriv_core.runs import attacked
from medpriv_core.spec import RunSpec
from medpriv_core.training import membership
from medpriv_core.training.examples import feature_examples
from medpriv_core.training.noise import NoiseSource
from medpriv_core.training.records import PatientRecords
from medpriv_core.training.session import stepper_maker
from medpriv_core.training.shadows import Recipe, draw_halves, halved
from tests.small_data import NAME, add_small_dataset
from tests.trained_runs import TINY, train_run

CPU = torch.device("cpu")
RECORDS, WIDTH = 200, 300


def recipe_of(spec: RunSpec, *, patients: np.ndarray | None = None, records: int = RECORDS) -> Recipe:
    """Networks of one layer on features and labels that have nothing to do with each other: all is learned by heart."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(records, WIDTH)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labels = rng.integers(0, 2, records)
    blank = nn.Linear(WIDTH, 2, bias=False)
    nn.init.zeros_(blank.weight)
    whose = None if patients is None else PatientRecords.of(patients, most=1)
    count = records if whose is None else len(whose)
    training = private_training(spec, train_size=count // 2) if spec.method == "dp_sgd" else None
    train = feature_examples(features, labels, device=CPU)
    return Recipe(
        spec=spec,
        records=count,
        blank=blank,
        make=stepper_maker(spec, training, spec.noise_multiplier, blank.weight.numel(), None, CPU),
        train=train,
        queries=train,
        patients=whose,
        owners=np.arange(records) if patients is None else patients,
        labels=labels,
        backbone=None,
        threads=1,
        mixed=None,
    )


def attack(recipe: Recipe, *, references: int = 32, targets: int = 4) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    values, inside = [], []
    for chosen in draw_halves(recipe.records, networks=references + targets, rng=rng):
        network = recipe.train_network(chosen, seed=0, step_taken=lambda: None)
        values.append(recipe.answers(network))
        inside.append(np.isin(np.arange(recipe.records), chosen))
    answers = Answers(
        np.stack(values[:targets]),
        np.stack(inside[:targets]),
        References(np.stack(values[targets:]), np.stack(inside[targets:])),
    )
    ceiling, delta = membership_curve([], delta=1e-5), 1e-5
    if recipe.spec.method == "dp_sgd":
        plan = plan_run(recipe.spec, train_size=recipe.half)
        ceiling = membership_curve(plan.stretches, delta=delta, adjacency=plan.adjacency)
    return figures_of(answers, ceiling=ceiling, delta=delta, first_images=np.arange(recipe.records), rng=rng)


PLAIN = RunSpec(dataset="x", epochs=60, batch_size=50, learning_rate=5.0, max_grad_norm=100.0, head_bias=False)
PRIVATE = PLAIN.changed(
    method="dp_sgd",
    sampling="full_batch",
    noise_multiplier=plan_run(
        PLAIN.changed(method="dp_sgd", sampling="full_batch", target_epsilon=1.0, max_grad_norm=1.0),
        train_size=RECORDS // 2,
    ).noise_multiplier,
    max_grad_norm=1.0,
)


def test_a_network_that_learned_by_heart_is_visibly_attacked() -> None:
    found = attack(recipe_of(PLAIN))

    assert found["attacks"]["lira"]["area"] > 0.9
    assert found["attacks"]["lira"]["told"][1]["hits"] > 0.3
    assert found["epsilon_at_least"] > 1


def test_a_sound_private_network_stays_under_its_curve() -> None:
    found = attack(recipe_of(PRIVATE))

    assert found["alarm"] is None
    assert found["attacks"]["lira"]["area"] < 0.65
    assert found["epsilon_at_least"] <= 1


def test_noise_that_is_left_out_turns_the_alarm_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoiseSource, "add_to_all", lambda *_: None)
    found = attack(recipe_of(PRIVATE))

    assert found["alarm"] is not None
    assert found["alarm"]["hits_low"] > found["alarm"]["ceiling"]
    assert found["epsilon_at_least"] > 1


def test_halves_are_halves_and_each_record_is_in_one_of_a_pair() -> None:
    halves = list(draw_halves(11, networks=6, rng=np.random.default_rng(0)))

    assert [len(half) for half in halves] == [5] * 6
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert len({*first, *second}) == 10


def test_half_the_records_cost_what_the_run_cost() -> None:
    spec = RunSpec(dataset="x", method="dp_sgd", target_epsilon=8.0, batch_size=64, epochs=10)
    whole = plan_run(spec, train_size=5216)
    half = halved(spec, Setup(noise_multiplier=whole.noise_multiplier), records=5216)

    assert half.batch_size == 32
    assert plan_run(half, train_size=2608).epsilon == pytest.approx(whole.epsilon, rel=1e-6)
    assert halved(spec.changed(method="none", target_epsilon=None), Setup(), records=5216).batch_size == 32
    with pytest.raises(SettingError, match="noise multiplier"):
        halved(spec, Setup(), records=5216)


def test_patients_are_in_or_out_with_all_their_images() -> None:
    patients = np.repeat(np.arange(50), 4)
    recipe = recipe_of(PLAIN.changed(epochs=5), patients=patients)
    chosen = np.arange(25)
    network = recipe.train_network(chosen, seed=0, step_taken=lambda: None)
    answers = recipe.answers(network)
    each = recipe_of(PLAIN).answers(network)

    assert answers.shape == (50,)
    np.testing.assert_allclose(answers, each.reshape(50, 4).mean(1))
    weights = next(network.parameters()).detach().numpy()[0]
    outside = recipe.train.values.numpy()[100:]
    inside = recipe.train.values.numpy()[:100]
    assert np.linalg.lstsq(inside.T, weights, rcond=None)[1].sum() < 1e-6  # made of the chosen patients' images alone
    assert outside.shape == (100, WIDTH)


@pytest.fixture
def run(home: DataHome, tmp_path: Path) -> str:
    add_small_dataset(home, tmp_path)
    train_run(home, "run", TINY)
    return "run"


def do_attack(home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch, **numbers: int) -> int:
    """The job in this process."""
    monkeypatch.setattr("medpriv_core.jobs.job.start_process", lambda *_, **__: None)
    job = attacked.start_attack(home, run, **({"references": 16, "targets": 2} | numbers))
    return do_job(job.path, home)


def test_the_job_attacks_a_run_and_its_result_is_found_again(
    home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert do_attack(home, run, monkeypatch) == 0
    report = attacked.read_attack(home, run)

    assert isinstance(report, MembershipReport)
    assert (report.records, report.half, report.targets, report.references) == (120, 60, 2, 16)
    assert report.epsilon is None
    assert report.network["batch_size"] == TINY.batch_size // 2
    assert not report.stopped
    status = attacked.attack_status(home, run)
    assert status is not None and status.state == "finished"  # noqa: PT018
    assert attacked.estimate_s(home, run, networks=18) is not None


def test_a_private_run_and_a_noised_one_are_attacked(home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    train_run(home, "private", TINY.changed(method="dp_sgd", noise_multiplier=3.0))
    train_run(home, "noised", TINY.changed(method="local_dp", beta=1.0))
    for name in ("private", "noised"):
        assert do_attack(home, name, monkeypatch) == 0, job_at(home, attacked.KIND, name).log_tail()
    private, noised = attacked.read_attack(home, "private"), attacked.read_attack(home, "noised")

    assert private is not None
    assert private.epsilon is not None
    assert private.alarm is None
    assert max(private.ceiling[:-1]) < 1
    assert noised is not None
    assert noised.epsilon is None


def test_networks_that_fail_are_left_out_and_counted(home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    train = Recipe.train_network
    calls: list[None] = []

    def fail_at_times(self: Recipe, *args: Any, **kwargs: Any) -> nn.Module:
        calls.append(None)
        if len(calls) in (2, 5):
            raise RunError("It diverged.")
        return train(self, *args, **kwargs)

    monkeypatch.setattr(Recipe, "train_network", fail_at_times)
    assert do_attack(home, run, monkeypatch) == 0
    report = attacked.read_attack(home, run)

    assert report is not None
    assert report.failed == ("It diverged.", "It diverged.")
    assert (report.targets, report.references) == (1, 15)

    monkeypatch.setattr(Recipe, "train_network", lambda *_, **__: (_ for _ in ()).throw(RunError("It diverged.")))
    assert do_attack(home, run, monkeypatch) == 2
    assert "failed" in str(attacked.attack_status(home, run))


@pytest.mark.parametrize(("after", "has_result"), [(12, True), (3, False)])
def test_a_stopped_attack_goes_on_with_what_it_has(
    home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch, after: int, has_result: bool
) -> None:
    answers = Recipe.answers
    calls: list[None] = []

    def ask_to_stop(self: Recipe, network: nn.Module) -> np.ndarray:
        calls.append(None)
        if len(calls) == after:
            job_at(home, attacked.KIND, run).ask_to_stop()
        return answers(self, network)

    monkeypatch.setattr(Recipe, "answers", ask_to_stop)
    assert do_attack(home, run, monkeypatch) == 0
    status, report = attacked.attack_status(home, run), attacked.read_attack(home, run)

    assert status is not None
    assert status.state == "cancelled"
    assert (report is not None) == has_result
    if report is not None:
        assert report.stopped
        assert (report.targets, report.references) == (2, after - 2)


def test_what_cannot_be_attacked_is_refused(home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="references"):
        attacked.start_attack(home, run, references=15)
    with pytest.raises(SettingError, match="targets"):
        attacked.start_attack(home, run, targets=0)
    setup = attacked.RunDirectory(home.runs / run).read_setup()
    monkeypatch.setattr(
        attacked.RunDirectory, "read_setup", lambda _self: Setup(train_class_counts=(120, 0), content=setup.content)
    )
    assert "one class" in str(attacked.why_not_attackable(home, run))
    monkeypatch.undo()
    monkeypatch.setenv("MEDPRIV_HOME", str(home.root))
    assert attacked.why_not_attackable(home, run) is None
    (home.runs / run / "checkpoint.pt").unlink()
    assert "no checkpoint" in str(attacked.why_not_attackable(home, run))


def test_changed_or_missing_images_are_refused(
    home: DataHome, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership.TrainingData, "content", property(lambda _self: "other"))
    assert do_attack(home, run, monkeypatch) == 2
    status = attacked.attack_status(home, run)
    assert status is not None and "have changed" in str(status.message)  # noqa: PT018

    monkeypatch.undo()
    monkeypatch.setenv("MEDPRIV_HOME", str(home.root))
    (tmp_path / f"{NAME}.npz").unlink()
    shutil.rmtree(home.prepared)
    assert do_attack(home, run, monkeypatch) == 2
    status = attacked.attack_status(home, run)
    assert status is not None and status.error == "DatasetError"  # noqa: PT018


def test_a_small_training_set_is_refused(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_small_dataset(home, tmp_path, train=98)
    train_run(home, "run", TINY)

    assert do_attack(home, "run", monkeypatch) == 2
    assert "50 members" in str(attacked.attack_status(home, "run"))


def test_a_full_disk_is_said_and_leaves_the_old_result(
    home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert do_attack(home, run, monkeypatch) == 0
    before = attacked.read_attack(home, run)

    def refuse(*_: Any) -> None:
        raise DataHomeError("The disk is full.")

    monkeypatch.setattr(membership, "replace_file", refuse)
    assert do_attack(home, run, monkeypatch) == 2
    assert "The disk is full" in str(attacked.attack_status(home, run))
    assert attacked.read_attack(home, run) == before


def test_a_damaged_result_is_refused(home: DataHome, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert do_attack(home, run, monkeypatch) == 0
    file = attacked.attack_folder(home, run) / attacked.REPORT
    file.write_text(file.read_text().replace('"records": 120', '"records": 121'))

    with pytest.raises(RunError, match="Start it again"):
        attacked.read_attack(home, run)
