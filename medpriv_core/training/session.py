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
from medpriv_core.architectures import ARCHITECTURES
from medpriv_core.errors import RunError
from medpriv_core.home import DataHome
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.privacy.facts import GuaranteeFacts
from medpriv_core.privacy.private_training import PrivateTraining, private_training
from medpriv_core.privacy.spent import Spent, spent_by
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.privacy.verdict import second_record
from medpriv_core.progress import ProgressCallback
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.resume_checks import check_files_to_resume
from medpriv_core.runs.spent_journal import Entry, confirm, enter
from medpriv_core.runs.spent_record import checkpoint_digest, look_at_record, write_record
from medpriv_core.spec import RunSpec
from medpriv_core.training import engines
from medpriv_core.training.averaging import WeightAverage
from medpriv_core.training.checkpoint import Checkpoint, Position
from medpriv_core.training.data import TrainingData, check_data, data_facts, records_of
from medpriv_core.training.device import describe_device, physical_batch_size, resolve_device, step_threads
from medpriv_core.training.evidence import guarantee_facts
from medpriv_core.training.examples import Examples
from medpriv_core.training.features import KINDS, Backbone, FeatureStore
from medpriv_core.training.inputs import feature_inputs, image_inputs
from medpriv_core.training.ledger import Ledger, open_ledger, spent_before
from medpriv_core.training.model import Network, build_model
from medpriv_core.training.records import PatientRecords, records_of_patients
from medpriv_core.training.resuming import lasting_settings, read_checkpoint
from medpriv_core.training.sampling import Sampler, make_sampler
from medpriv_core.training.self_test.opening import refuse_failures, try_session
from medpriv_core.training.steps import Stepper
from medpriv_core.training.weights import Weights, fingerprint, load_weights
from medpriv_core.training.weights_probe import doubt_weights

NOISE_PHASE = "Finding the noise multiplier"


@dataclass
class Session:
    """A run that is ready to train, or to go on.

    trained         what learns: the last layer, or the whole network
    stepper         what takes the steps, and ``sampler`` what draws which records are in each
    patients        whose images they are, where the records are patients; None where they are images
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
    sampler: Sampler
    patients: PatientRecords | None
    train: Examples
    tests: dict[str, Examples]
    evaluation_size: int
    mixed: torch.dtype | None
    steps: int
    ledger: Ledger | None
    position: Position
    rows: list[EpochRow]
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
            settings=lasting_settings(self.spec),
            dataset=self.dataset,
            position=asdict(self.position),
            ledger=self.ledger.segments if self.ledger else (),
            rows=self.rows,
            average=self.average.state_dict() if self.average else None,
        )

    def spent_by(self, checkpoint: Checkpoint, *, digest: str | None) -> Spent:
        """The record that belongs to a checkpoint of this session, whose file has this digest."""
        position = Position(**checkpoint.position)
        epochs, step = position.epochs_done, position.step
        if self.ledger is None:
            steps = epochs * self.steps + step
            return Spent(epochs=epochs, step=step, steps=steps, steps_per_epoch=self.steps, checkpoint=digest)
        mechanism, delta = self.ledger.mechanism, self.ledger.delta
        return spent_by(mechanism, checkpoint.ledger, delta=delta, epochs=epochs, step=step, checkpoint=digest)


def open_session(
    spec: RunSpec, data: TrainingData, directory: RunDirectory, *, home: DataHome, progress: ProgressCallback
) -> Session:
    """Build the network, go back to the checkpoint if there is one, and record ``setup.json``.

    Raises ``SettingError`` for settings that this machine or dataset cannot serve, ``WeightsError`` and
    ``DownloadError`` for the weights, ``RunError`` or ``SettingError`` if the checkpoint does not belong to this run.
    """
    check_data(data, spec)
    device = resolve_device(spec.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # or some of PyTorch's calls would take memory of the first
    mixed = engines.mixed_precision(spec, device)
    records = records_of(data, spec)
    private = spec.method == "dp_sgd"
    training = private_training(spec, train_size=records) if private else None
    steps = steps_per_epoch(batch_size=spec.batch_size, train_size=records, sampling=spec.sampling_scheme)
    check_files_to_resume(home, directory, content=data.content, private=private)
    saved = read_checkpoint(spec, data, directory, steps_per_epoch=steps)
    position = Position(**saved.position) if saved else Position()

    weights = load_weights(spec.weights, home=home, norm=spec.norm, progress=progress)
    doubt = doubt_weights(weights.state_dict)
    network, trained, backbone = build_network(spec, data, weights, saved, device)
    average = average_of(trained, spec, steps, saved)
    parameters = sum(parameter.numel() for parameter in trained.parameters() if parameter.requires_grad)

    recorded, state = look_at_record(directory)
    ledger, remark = None, None
    if training is not None:
        progress(NOISE_PHASE, 0, 1)
        ledger, remark = _go_on_counting(spec, training, saved, recorded)
    if saved is not None and state == "damaged":
        remark = "The record of what was spent was damaged or gone. It is written anew from the checkpoint."

    # Before an engine puts hooks on it.
    blank = copy.deepcopy(trained) if ledger is not None else None
    make_stepper = stepper_maker(spec, training, ledger.noise_multiplier if ledger else None, parameters, mixed, device)
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
        sampler=make_sampler(spec, records),
        patients=records_of_patients(spec, data.train.train.patients),
        train=train,
        tests=tests,
        evaluation_size=physical_batch_size(
            input_size=0 if spec.trainable == "head" else spec.input_size, memory_mb=spec.memory_mb
        ),
        mixed=mixed if spec.trainable != "head" else None,
        steps=steps,
        ledger=ledger,
        position=position,
        rows=list(saved.rows) if saved else [],
        backbone=backbone,
        dataset=data.clean.key,
        average=average,
        ordered=data.clean.info.ordered,
        threads=threads_of(spec, network, records),
        spent=recorded,
        remark=remark,
    )
    facts, second = GuaranteeFacts(), None
    measured: dict[str, dict[str, Any]] = {}
    if ledger is not None and training is not None and blank is not None:

        def way_in(data: TrainingData, store: FeatureStore) -> Examples:
            return inputs_of(data, store)[0]

        measured = try_session(session, training, blank=blank, make=make_stepper, way_in=way_in, data=data)
        facts = guarantee_facts(session, pretrained=weights.origin, measured=measured)
        second = second_record(facts, steps=spec.epochs * steps, delta=spec.delta)
        mechanism = facts.mechanism() or ledger.mechanism
        journal = _ImagesJournal(home, data.content, directory.path.name, mechanism, spec.delta)
        session.enter, session.confirm = journal.enter, journal.confirm
    if saved is not None:
        _record_resuming(session, saved, directory, recorded, sealed=state == "sealed")
    setup = _setup(session, data_facts(data), parameters, device, mixed, resumed=saved is not None)
    said = f"{weights.sentence} {doubt or ''}".strip()
    setup = replace(setup, weights=said, weights_doubt=doubt, guarantee=facts, second_accountant=second)
    directory.write_setup(setup)
    refuse_failures(measured)
    return session


def build_network(
    spec: RunSpec, data: TrainingData, weights: Weights, saved: Checkpoint | None, device: torch.device
) -> tuple[Network, nn.Module, str | None]:
    """The network on its device, the part of it that learns, and the fingerprint of the frozen rest."""
    network = build_model(
        classes=len(data.clean.info.classes),
        norm=spec.norm,
        architecture=spec.architecture,
        state_dict=weights.state_dict,
        seed=spec.seed,
    )
    trained, backbone = _choose_trained(network, spec)
    if saved is not None:
        _restore(trained, backbone, saved)
    network.to(device)
    network.to(memory_format=engines.memory_format(spec, device))
    return network, trained, backbone


def _go_on_counting(
    spec: RunSpec, training: PrivateTraining, saved: Checkpoint | None, recorded: Spent | None
) -> tuple[Ledger, str | None]:
    """The ledger with all steps taken so far, and a sentence where checkpoint and record do not agree on them."""
    position, mechanism = Position(**saved.position) if saved else Position(), training.mechanism
    steps_left = max(0, (spec.epochs - position.epochs_done) * mechanism.steps_per_epoch - position.step)
    by_checkpoint = saved.ledger if saved else ()
    taken, remark = spent_before(by_checkpoint, recorded, mechanism=mechanism, delta=spec.delta)
    return open_ledger(spec, mechanism, steps_left=steps_left, taken=taken), remark


def average_of(trained: nn.Module, spec: RunSpec, steps: int, saved: Checkpoint | None) -> WeightAverage | None:
    """The average of the weights over the last steps, as far as it has come; ``steps`` are those of an epoch."""
    if not spec.average_last:
        return None
    average = WeightAverage(trained, after_step=spec.steps_before_average(spec.epochs * steps))
    if saved is not None and saved.average is not None:
        average.load_state_dict(saved.average)
    return average


def _reads_stored_features(spec: RunSpec) -> bool:
    return spec.trainable == "head" and not spec.augment


def threads_of(spec: RunSpec, network: Network, records: int) -> int:
    """Cores for the steps: stored features reach the last layer alone, for which many only wait for each other."""
    if not _reads_stored_features(spec):
        return torch.get_num_threads()
    drawn = records if spec.sampling_scheme == "full_batch" else spec.batch_size
    return step_threads(KINDS[spec.features].width(network) * spec.augmentation_multiplicity * drawn)


def stepper_maker(
    spec: RunSpec,
    training: PrivateTraining | None,
    noise_multiplier: float | None,
    parameters: int,
    mixed: torch.dtype | None,
    device: torch.device,
) -> Callable[[nn.Module], Stepper]:
    """What makes a stepper for a trained part with so many ``parameters``: that of the run, or one like it."""
    pass_size = physical_batch_size(
        input_size=0 if _reads_stored_features(spec) else spec.input_size,
        per_sample_parameters=engines.kept_gradients(spec, parameters),
        memory_mb=spec.memory_mb,
        numbers_per_pixel=ARCHITECTURES[spec.architecture].numbers_per_pixel,
    )

    def make(trained: nn.Module) -> Stepper:
        return engines.make_stepper(
            trained,
            spec,
            noise_multiplier=noise_multiplier,
            training=training,
            pass_size=pass_size,
            # The last layer is small and quick: no need to mix precisions there.
            mixed=mixed if spec.trainable != "head" else None,
            device=device,
        )

    return make


def _record_resuming(
    session: Session, saved: Checkpoint, directory: RunDirectory, recorded: Spent | None, *, sealed: bool
) -> None:
    """Write the record of the checkpoint that the session goes on from, where the one there is not it.

    A checkpoint of an earlier version has no record, and one that was put back has another's.
    """
    goes_on = replace(saved, ledger=session.ledger.segments if session.ledger else ())
    spent = session.spent_by(goes_on, digest=checkpoint_digest(directory))
    if session.enter is not None and session.confirm is not None:
        session.enter(spent)
        session.confirm(spent)
    if spent != recorded or not sealed:
        write_record(directory, spent)
    session.spent = spent


def _setup(
    session: Session, of_data: Setup, parameters: int, device: torch.device, mixed: torch.dtype | None, *, resumed: bool
) -> Setup:
    """What a run records of its session, but for weights and guarantee."""
    spec, ledger = session.spec, session.ledger
    return replace(
        of_data,
        image_size=spec.image_size,
        input_size=spec.input_size,
        steps_per_epoch=session.steps,
        sample_rate=ledger.sample_rate if ledger else None,
        noise_multiplier=ledger.noise_multiplier if ledger else None,
        parameters=parameters,
        device=describe_device(device),
        precision="mixed (bfloat16)" if mixed else "float32",
        resumed_from_epoch=session.position.epochs_done if resumed else None,
        medpriv_version=__version__,
        torch_version=str(torch.__version__),
        opacus_version=version("opacus"),
    )


@dataclass(frozen=True)
class _ImagesJournal:
    """The journal of a run's images, and what it enters there."""

    home: DataHome
    content: str
    run_id: str
    mechanism: SubsampledGaussian
    delta: float

    def enter(self, spent: Spent) -> None:
        if spent.steps:
            entry = Entry(self.run_id, self.mechanism, spent.segments or (), self.delta, spent.checkpoint)
            enter(self.home, self.content, [entry])

    def confirm(self, spent: Spent) -> None:
        if spent.steps and spent.checkpoint is not None:
            confirm(self.home, self.content, self.run_id, spent.checkpoint)


def _choose_trained(network: Network, spec: RunSpec) -> tuple[nn.Module, str | None]:
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
