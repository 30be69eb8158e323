"""Everything a run needs before its first step, gathered from specification, images and checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from medpriv_core import __version__
from medpriv_core.errors import RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.privacy.facts import GUARANTEE
from medpriv_core.privacy.mechanism import Mechanism, mechanism_of
from medpriv_core.privacy.spent import Spent, spent_by
from medpriv_core.privacy.steps import count_steps
from medpriv_core.privacy.verdict import second_record
from medpriv_core.progress import ProgressCallback
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.going_on import check_going_on, older_files
from medpriv_core.runs.spent_journal import Entry, confirm, enter
from medpriv_core.runs.spent_record import checkpoint_digest, look_at_record, write_record
from medpriv_core.spec import DEFAULTS, RunSpec
from medpriv_core.training import engines
from medpriv_core.training.averaging import WeightAverage
from medpriv_core.training.checkpoint import Checkpoint, Position, load_checkpoint
from medpriv_core.training.data import TrainingData, check_data, data_facts
from medpriv_core.training.device import describe_device, physical_batch_size, resolve_device, step_threads
from medpriv_core.training.evidence import guarantee_facts
from medpriv_core.training.examples import Examples
from medpriv_core.training.features import KINDS, Backbone, FeatureStore
from medpriv_core.training.inputs import feature_inputs, image_inputs
from medpriv_core.training.ledger import Ledger, open_ledger, spent_before
from medpriv_core.training.model import ResNet18, build_model
from medpriv_core.training.self_test.opening import refuse_failures, try_session
from medpriv_core.training.steps import Stepper
from medpriv_core.training.weights import fingerprint, load_weights
from medpriv_core.training.weights_probe import doubt_weights

# A run may go on for more epochs, elsewhere, or to another epsilon; its ledger keeps what was spent.
CHANGEABLE = {"epochs", "device", "precision", "memory_mb", "noise_multiplier", "target_epsilon"}

NOISE_PHASE = "Finding the noise multiplier"


@dataclass
class Session:
    """A run that is ready to train, or to go on.

    trained         what learns: the last layer, or the whole network
    average         of its weights over the last steps, where the specification asks for one
    tests           what is evaluated: "test", and under Local-DP "test_noised"
    steps           in an epoch
    ordered         whether the classes are grades
    threads         cores of the processor for the steps
    ledger          of DP-SGD; else None
    position, rows  how far the run is, and the finished epochs that a checkpoint holds
    spent           the record of the checkpoint on the disk; None before the first
    remark          a sentence where checkpoint and record did not agree
    enter           of DP-SGD: enters a record into the journal of these images, before it is written
    confirm         of DP-SGD: enters there that the checkpoint of a record lies on the disk
    """

    spec: RunSpec
    trained: nn.Module
    stepper: Stepper
    train: Examples
    tests: dict[str, Examples]
    evaluation_size: int
    mixed: torch.dtype | None
    steps: int
    ledger: Ledger | None
    position: Position
    rows: list[dict[str, Any]]
    backbone: str | None
    dataset: str
    average: WeightAverage | None
    ordered: bool
    threads: int
    spent: Spent | None = None
    remark: str | None = None
    enter: Callable[[Spent], None] | None = None
    confirm: Callable[[Spent], None] | None = None

    @property
    def result(self) -> nn.Module:
        """The trained part that is evaluated: with averaged weights once the average has begun."""
        if self.average is not None and self.average.count:
            return self.average.network
        return self.trained

    def checkpoint(self) -> Checkpoint:
        """The session as it stands between two steps."""
        return Checkpoint(
            trained=self.trained.state_dict(),
            backbone=self.backbone,
            optimizer=self.stepper.state_dict(),
            settings=_lasting_settings(self.spec),
            dataset=self.dataset,
            position=asdict(self.position),
            ledger=self.ledger.segments if self.ledger else (),
            rows=self.rows,
            average=self.average.state_dict() if self.average else None,
        )

    def spent_by(self, checkpoint: Checkpoint, *, digest: str | None) -> Spent:
        """The record that belongs to a checkpoint of this session, whose file has this digest."""
        return _spent_by(checkpoint, self.ledger, steps_per_epoch=self.steps, digest=digest)


def open_session(
    spec: RunSpec, data: TrainingData, directory: RunDirectory, *, home: DataHome, progress: ProgressCallback
) -> Session:
    """Build the network, go back to the checkpoint if there is one, and record ``setup.json``.

    Raises ``SettingError`` for settings that this machine or dataset cannot serve, ``WeightsError`` and
    ``DownloadError`` for the weights, ``RunError`` or ``SettingError`` if the checkpoint does not belong to this run.
    """
    check_data(data, spec)
    device = resolve_device(spec.device)
    mixed = engines.mixed_precision(spec, device)
    check_going_on(home, directory, content=data.content, private=spec.method == "dp_sgd")
    saved = load_checkpoint(directory.checkpoint)
    if saved is not None:
        _check_same_run(saved, spec, data)
    position = Position(**saved.position) if saved else Position()
    train_size = len(data.train.train.labels)
    steps = steps_per_epoch(batch_size=spec.batch_size, train_size=train_size, sampling=spec.sampling_scheme)
    if saved is not None:
        _check_ledger(saved, directory, private=spec.method == "dp_sgd", steps_per_epoch=steps)

    weights = load_weights(spec.weights, home=home, norm=spec.norm, progress=progress)
    doubt = doubt_weights(weights.state_dict)
    network = build_model(
        classes=len(data.clean.info.classes), norm=spec.norm, state_dict=weights.state_dict, seed=spec.seed
    )
    trained, backbone = _choose_trained(network, spec)
    if saved is not None:
        _restore(trained, backbone, saved)
    network.to(device)
    network.to(memory_format=engines.memory_format(spec, device))
    average = None
    if spec.average_last:
        average = WeightAverage(trained, after_step=spec.steps_before_average(spec.epochs * steps))
        if saved is not None and saved.average is not None:
            average.load_state_dict(saved.average)
    parameters = sum(parameter.numel() for parameter in trained.parameters() if parameter.requires_grad)

    recorded, state = look_at_record(directory)
    spent, ledger, remark, journal = recorded, None, None, None
    if spec.method == "dp_sgd":
        progress(NOISE_PHASE, 0, 1)
        steps_left = max(0, (spec.epochs - position.epochs_done) * steps - position.step)
        mechanism = mechanism_of(spec, train_size=train_size)
        segments, remark = spent_before(saved.ledger if saved else (), recorded, mechanism=mechanism, delta=spec.delta)
        ledger = open_ledger(spec, train_size=train_size, steps_left=steps_left, segments=segments)
    if saved is not None and state == "damaged":
        remark = "The record of what was spent was damaged or gone. It is written anew from the checkpoint."
    # Stored features reach the last layer alone, which is small and quick: no need to mix precisions there.
    stored = spec.trainable == "head" and not spec.augment
    drawn = train_size if spec.sampling_scheme == "full_batch" else spec.batch_size
    numbers = KINDS[spec.features].width(network) * spec.augmentation_multiplicity * drawn
    step_mixed = mixed if spec.trainable != "head" else None
    pass_size = physical_batch_size(
        input_size=0 if stored else spec.input_size,
        per_sample_parameters=engines.kept_gradients(spec, parameters),
        memory_mb=spec.memory_mb,
    )

    def make_stepper(trained: nn.Module) -> Stepper:
        return engines.make_stepper(
            trained,
            spec,
            noise_multiplier=ledger.noise_multiplier if ledger else None,
            train_size=train_size,
            pass_size=pass_size,
            mixed=step_mixed,
            device=device,
        )

    # Before an engine puts hooks on it.
    blank = copy.deepcopy(trained) if ledger is not None else None
    stepper = make_stepper(trained)
    if saved is not None:
        stepper.load_state_dict(saved.optimizer)

    def inputs_of(data: TrainingData, store: FeatureStore) -> tuple[Examples, dict[str, Examples]]:
        if trained is network:
            return image_inputs(spec, data, device)
        assert backbone is not None
        frozen = Backbone(network, backbone, spec.input_size, device, mixed, KINDS[spec.features])
        return feature_inputs(spec, data, frozen, store, progress)

    train, tests = inputs_of(data, FeatureStore(home))
    session = Session(
        spec=spec,
        trained=trained,
        stepper=stepper,
        train=train,
        tests=tests,
        evaluation_size=physical_batch_size(
            input_size=0 if spec.trainable == "head" else spec.input_size, memory_mb=spec.memory_mb
        ),
        mixed=step_mixed,
        steps=steps,
        ledger=ledger,
        position=position,
        rows=list(saved.rows) if saved else [],
        backbone=backbone,
        dataset=data.clean.key,
        average=average,
        ordered=data.clean.info.ordered,
        threads=step_threads(numbers) if stored else torch.get_num_threads(),
        spent=spent,
        remark=remark,
        enter=None,
    )
    guarantee: dict[str, Any] = {}
    measured: dict[str, dict[str, Any]] = {}
    if ledger is not None and blank is not None:
        measured = try_session(
            session,
            blank=blank,
            make=make_stepper,
            way_in=lambda data, store: inputs_of(data, store)[0],
            info=data.clean.info,
        )
        facts = guarantee_facts(
            spec,
            trained=trained,
            stepper=stepper,
            ledger=ledger,
            steps_per_epoch=steps,
            earlier_segments=ledger.segments,
            measured=measured,
        )
        guarantee = {GUARANTEE: facts.to_dict()} | second_record(facts, steps=spec.epochs * steps, delta=spec.delta)
        journal = _ImagesJournal(
            home, data.content, directory.path.name, facts.mechanism() or ledger.mechanism, spec.delta
        )
    if saved is not None:
        # A checkpoint of an earlier version has no record, and one that was put back has another's.
        goes_on = replace(saved, ledger=ledger.segments if ledger else ())
        spent = _spent_by(goes_on, ledger, steps_per_epoch=steps, digest=checkpoint_digest(directory))
        if journal is not None:
            journal.enter(spent)
            journal.confirm(spent)
        if spent != recorded or state != "sealed":
            write_record(directory, spent)
    directory.write_setup(
        data_facts(data)
        | {
            "image_size": spec.image_size,
            "input_size": spec.input_size,
            "steps_per_epoch": steps,
            "sample_rate": ledger.sample_rate if ledger else None,
            "noise_multiplier": ledger.noise_multiplier if ledger else None,
            "parameters": parameters,
            "device": describe_device(device),
            "precision": "mixed (bfloat16)" if mixed else "float32",
            "weights": weights.sentence if doubt is None else f"{weights.sentence} {doubt}",
            "weights_doubt": doubt,
            "resumed_from_epoch": position.epochs_done if saved else None,
            "medpriv_version": __version__,
            "torch_version": torch.__version__,
            "opacus_version": version("opacus"),
        }
        | guarantee
    )
    refuse_failures(measured)
    session.spent = spent
    if journal is not None:
        session.enter, session.confirm = journal.enter, journal.confirm
    return session


@dataclass(frozen=True)
class _ImagesJournal:
    """The journal of a run's images, and what it enters there."""

    home: DataHome
    content: str
    run_id: str
    mechanism: Mechanism
    delta: float

    def enter(self, spent: Spent) -> None:
        if spent.steps:
            entry = Entry(self.run_id, self.mechanism, spent.segments or (), self.delta, spent.checkpoint)
            enter(self.home, self.content, [entry])

    def confirm(self, spent: Spent) -> None:
        if spent.steps and spent.checkpoint is not None:
            confirm(self.home, self.content, self.run_id, spent.checkpoint)


def _spent_by(checkpoint: Checkpoint, ledger: Ledger | None, *, steps_per_epoch: int, digest: str | None) -> Spent:
    position = Position(**checkpoint.position)
    epochs, step = position.epochs_done, position.step
    if ledger is None:
        steps = epochs * steps_per_epoch + step
        return Spent(epochs=epochs, step=step, steps=steps, steps_per_epoch=steps_per_epoch, checkpoint=digest)
    return spent_by(
        ledger.mechanism, checkpoint.ledger, delta=ledger.delta, epochs=epochs, step=step, checkpoint=digest
    )


def _check_same_run(saved: Checkpoint, spec: RunSpec, data: TrainingData) -> None:
    now = _lasting_settings(spec)
    # A setting that came with a later version had its default before.
    before = DEFAULTS | saved.settings
    changed = sorted(name for name in now if now[name] != before[name])
    if changed:
        settings = ", ".join(f"[{name}]" for name in changed)
        raise SettingError(f"This run began with another {settings}, which cannot change on the way; start a new run.")
    if saved.dataset != data.clean.key:
        raise RunError(
            f"The images of {data.clean.info.title} have changed since this run began, so it cannot go on; start a "
            "new run."
        )


def _check_ledger(saved: Checkpoint, directory: RunDirectory, *, private: bool, steps_per_epoch: int) -> None:
    """Raise ``RunError`` where a checkpoint is behind the epochs that were shown, or its ledger behind its network."""
    position, epochs = Position(**saved.position), directory.read_epochs()
    last = epochs[-1] if epochs else {}
    if position.epochs_done < last.get("epoch", 0):
        why = f"they are of epoch {position.epochs_done}, and epoch {last['epoch']} was shown"
        raise older_files(directory.path.name, why)
    taken = position.epochs_done * steps_per_epoch + position.step
    counted = count_steps(saved.ledger)
    if private and counted < max(taken, last.get("steps", 0)):
        why = f"the checkpoint counts {counted:,} steps, and {max(taken, last.get('steps', 0)):,} were taken"
        raise older_files(directory.path.name, why)


def _lasting_settings(spec: RunSpec) -> dict[str, Any]:
    return {name: value for name, value in spec.to_dict().items() if name not in CHANGEABLE}


def _choose_trained(network: ResNet18, spec: RunSpec) -> tuple[nn.Module, str | None]:
    """What learns, and the fingerprint of the frozen rest (None if nothing is frozen for good)."""
    if spec.trainable == "all":
        return network, None
    network.requires_grad_(False)
    network.fc.requires_grad_(True)
    if spec.trainable == "norms":
        for module in network.norms():
            module.requires_grad_(True)
    learned = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    below = {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}
    frozen = fingerprint({name: value for name, value in below.items() if name not in learned})
    if spec.trainable == "norms":
        return network, frozen
    if spec.features != "last" or not spec.head_bias:
        network.fc = _fresh_layer(KINDS[spec.features].width(network), network.fc.out_features, bias=spec.head_bias)
    return network.fc, frozen


def _fresh_layer(width: int, classes: int, *, bias: bool) -> nn.Linear:
    layer = nn.Linear(width, classes, bias=bias)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def _restore(trained: nn.Module, backbone: str | None, saved: Checkpoint) -> None:
    if saved.backbone != backbone:
        raise RunError(
            "The pretrained weights are not those that this run began with, so it cannot go on; bring the old weights "
            "file back, or start a new run."
        )
    trained.load_state_dict(saved.trained)
