"""Networks like a run's own, each trained on a random half of its records: what a membership attack compares with.

They take the way that the run took: the same frozen network and features, the same stepper, sampler, noise and average
of the weights. Of half as many records, half as many are in a batch, so the share that is drawn, the number of steps
and the noise multiplier are the run's, and so is what they guarantee.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from medpriv_core.attacks.membership import rescaled
from medpriv_core.errors import RunError, SettingError
from medpriv_core.home import DataHome
from medpriv_core.privacy.dp_sgd import steps_per_epoch
from medpriv_core.privacy.private_training import private_training
from medpriv_core.progress import ProgressCallback
from medpriv_core.records.setup import Setup
from medpriv_core.spec import RunSpec
from medpriv_core.training import engines
from medpriv_core.training.data import TrainingData, records_of
from medpriv_core.training.device import physical_batch_size, resolve_device, using_threads
from medpriv_core.training.examples import Batch, Examples
from medpriv_core.training.features import KINDS, Backbone, FeatureStore
from medpriv_core.training.inputs import feature_inputs, image_inputs
from medpriv_core.training.loop import DIVERGED
from medpriv_core.training.records import PatientRecords, records_of_patients
from medpriv_core.training.sampling import augmentation_generator, make_sampler
from medpriv_core.training.session import average_of, build_network, stepper_maker, threads_of
from medpriv_core.training.steps import Stepper
from medpriv_core.training.weights import load_weights


@dataclass(frozen=True)
class Recipe:
    """How networks of a run are trained on halves of its records.

    spec      of each, with half the batch and the run's own noise multiplier
    records   of the run, n; each network learns from ``half`` of them
    blank     what learns, before its first step
    make      what takes its steps
    train     all training images, or their features
    queries   the same as the attacker asks about them: without variants
    patients  whose the images are, where records are patients
    owners    (images,) the record of each image
    labels    int64 (images,)
    backbone  fingerprint of the frozen rest; None where nothing is frozen for good
    """

    spec: RunSpec
    records: int
    blank: nn.Module
    make: Callable[[nn.Module], Stepper]
    train: Examples
    queries: Examples
    patients: PatientRecords | None
    owners: np.ndarray
    labels: np.ndarray
    backbone: str | None
    threads: int
    mixed: torch.dtype | None

    @property
    def half(self) -> int:
        """Records that each network learns from."""
        return self.records // 2

    @property
    def steps(self) -> int:
        """That each network takes."""
        return self.spec.epochs * self._steps_per_epoch

    @property
    def _steps_per_epoch(self) -> int:
        return steps_per_epoch(
            batch_size=self.spec.batch_size, train_size=self.half, sampling=self.spec.sampling_scheme
        )

    def train_network(self, chosen: np.ndarray, *, seed: int, step_taken: Callable[[], None]) -> nn.Module:
        """A network that has learned from the ``chosen`` records (half,); ``step_taken`` is called before each step.

        Raises ``RunError`` if its training diverges.
        """
        spec = self.spec.changed(seed=seed)
        trained = copy.deepcopy(self.blank)
        average = average_of(trained, spec, self._steps_per_epoch, None)
        stepper, sampler = self.make(trained), make_sampler(spec, len(chosen))
        number = 0
        with using_threads(self.threads):
            for epoch in range(spec.epochs):
                for step, drawn in enumerate(sampler.batches(epoch=epoch, first=0, steps=self._steps_per_epoch)):
                    step_taken()
                    generator = augmentation_generator(spec, epoch=epoch, step=step) if spec.augment else None
                    stepper.step(Batch(self.train, chosen[drawn], generator, patients=self.patients))
                    number += 1
                    if average is not None:
                        average.step_taken(number)
        return average.network if average is not None and average.count else trained

    def answers(self, network: nn.Module) -> np.ndarray:
        """φ for each record (n,), of a patient the mean over their images; raises ``RunError`` if it diverged."""
        size = physical_batch_size(
            input_size=0 if self.spec.trainable == "head" and not self.spec.augment else self.spec.input_size,
            memory_mb=self.spec.memory_mb,
        )
        network.eval()
        found = []
        with torch.no_grad():
            for places in np.array_split(np.arange(len(self.labels)), -(-len(self.labels) // size)):
                inputs, _ = self.queries.batch(places)
                with torch.autocast(inputs.device.type, self.mixed, enabled=self.mixed is not None):
                    logits = network(inputs)
                found.append(logits.double().cpu().numpy())
        logits_of_all = np.concatenate(found)
        if not np.isfinite(logits_of_all).all():
            raise RunError(DIVERGED)
        sums = np.bincount(self.owners, rescaled(logits_of_all, self.labels), minlength=self.records)
        return sums / np.bincount(self.owners, minlength=self.records)


def open_recipe(
    spec: RunSpec, setup: Setup, data: TrainingData, *, home: DataHome, progress: ProgressCallback
) -> Recipe:
    """The recipe of a run, as ``session.open_session`` builds the run itself.

    Raises ``SettingError`` where this machine or so few records cannot serve it, ``WeightsError`` or ``DownloadError``
    for the weights.
    """
    device = resolve_device(spec.device)
    mixed = engines.mixed_precision(spec, device)
    records = records_of(data, spec)
    spec = halved(spec, setup, records=records)
    training = private_training(spec, train_size=records // 2) if spec.method == "dp_sgd" else None
    weights = load_weights(spec.weights, home=home, norm=spec.norm, progress=progress)
    network, trained, backbone = build_network(spec, data, weights, None, device)
    parameters = sum(parameter.numel() for parameter in trained.parameters() if parameter.requires_grad)
    if trained is network:
        train, _ = image_inputs(spec, data, device)
    else:
        assert backbone is not None
        frozen = Backbone(network, backbone, spec.input_size, device, mixed, KINDS[spec.features])
        train, _ = feature_inputs(spec, data, frozen, FeatureStore(home), progress)
    patients = records_of_patients(spec, data.train.train.patients)
    labels = data.train.train.labels
    own = data.train.train.patients if patients is not None else None
    return Recipe(
        spec=spec,
        records=records,
        blank=trained,
        make=stepper_maker(spec, training, spec.noise_multiplier, parameters, mixed, device),
        train=train,
        queries=_without_variants(train),
        patients=patients,
        owners=np.arange(len(labels)) if own is None else np.array(own),
        labels=np.array(labels),
        backbone=backbone,
        threads=threads_of(spec, network, records // 2),
        mixed=mixed if spec.trainable != "head" else None,
    )


def halved(spec: RunSpec, setup: Setup, *, records: int) -> RunSpec:
    """The specification for half of the ``records``: half the batch, and the noise multiplier that the run had.

    Raises ``SettingError`` where there are no two records.
    """
    if records < 2:
        raise SettingError("A membership attack needs two records at least, to leave one out.")
    batch = min(max(1, spec.batch_size // 2), records // 2)
    if spec.method != "dp_sgd":
        return spec.changed(batch_size=batch)
    sigma = setup.noise_multiplier
    if sigma is None:
        raise SettingError("This run recorded no noise multiplier, so no network can be trained as it was.")
    return spec.changed(batch_size=batch, noise_multiplier=sigma, target_epsilon=None)


def draw_halves(records: int, *, networks: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Who is in each network: (half,) record numbers, in pairs of halves without a record in common.

    So each record is in just half of the networks (of an odd number of records, one is in neither of a pair).
    """
    half = records // 2
    for pair in range(-(-networks // 2)):
        order = rng.permutation(records)
        yield np.sort(order[:half])
        if 2 * pair + 1 < networks:
            yield np.sort(order[half : 2 * half])


def _without_variants(train: Examples) -> Examples:
    """Features with variants (n, variants, width) as those of the images themselves, which come first."""
    is_features = train.values.is_floating_point() and train.values.dim() == 3
    return replace(train, values=train.values[:, 0].contiguous()) if is_features else train
