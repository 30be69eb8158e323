"""What the guarantee of a DP-SGD run rests on, as it is planned and as it was recorded.

A specification says what was meant; only the loop knows what it did. So the worker records, from the objects that it
really built, the ``GuaranteeFacts`` of a run as ``guarantee`` of its ``records.setup.Setup``:

>>> facts = GuaranteeFacts(sampling="poisson", sample_rate=0.02, steps_per_epoch=50, noise_multiplier=1.0)
>>> GuaranteeFacts.from_dict(facts.to_dict()) == facts
True
>>> facts.divisor is None
True

What is missing there, as in runs of earlier versions, is None: not recorded, and never taken for granted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from medpriv_core.privacy.private_training import private_training
from medpriv_core.privacy.steps import MOST_STEPS, Steps, steps_from_json, steps_to_json
from medpriv_core.privacy.subsampled_gaussian import SubsampledGaussian
from medpriv_core.records.kinds import Count, PositiveShare, Record, Stored, Within, is_number, is_text
from medpriv_core.spec import BOUNDS, Engine, NoiseGenerator, RunSpec, Sampling
from medpriv_core.unit import Unit

# Which generator draws random numbers: OpenSSL's AES-256 in counter mode, or Philox, PyTorch's on accelerators.
Source = Literal["openssl", "philox"]
# Of pretrained weights: torchvision's own file, none, or another file.
Origin = Literal["imagenet", "none", "file"]


def _findings(value: Any) -> Mapping[str, Mapping[str, Any]]:
    """What a self-test found, by its name: flat objects."""
    if not isinstance(value, dict) or not all(isinstance(finding, dict) for finding in value.values()):
        raise ValueError
    if not all(_is_plain(part) for finding in value.values() for part in finding.values()):
        raise ValueError
    return value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool) or is_number(value) or is_text(value)


@dataclass(frozen=True, kw_only=True)
class GuaranteeFacts(Record):
    """Facts of one session of a run; None where not recorded.

    unit                what is drawn and clipped as one record; None in runs from before patients could be: an image
    images_drawn        of a drawn patient, that a step looks at at most; None where images are drawn
    sampling            how batches are drawn
    sample_rate         with which each record enters a step: that of Poisson sampling, else 1
    steps_per_epoch     that the loop takes
    noise_multiplier    sigma of the noise that the stepper adds
    earlier_segments    steps in the ledger before this session
    engine              what computes the clipped sum
    clipped_together    records whose mean gradient is clipped as one; 1 if each is clipped by itself
    mixing_layers       names of the layers of the trained network, as it is built, that would mix the images of a
                        batch in training mode and are in training mode (by type, or found by a trial)
    divisor             expected: the noised sum is divided by a number that does not depend on who was drawn;
                        actual: by the number that was drawn
    normalisation       where the numbers come from that images or features are standardised by: constants, each image
                        by itself, or the training images
    augmentation        none; independent: an image's random changes do not depend on which others are in the batch;
                        by_place: they depend on its place in the batch, with numbers that others can know
    noise_generator     fast | secure
    noise_drawn_by      the generator that the noise comes from, read off what draws it
    batches_drawn_by    the one that Poisson batches come from; None too where nobody is drawn at random
    pretrained          which weights training began with, told by the bytes that were read
    noise_seed_stored   whether the noise, or who is in Poisson batches, could be drawn again from what is stored
    measured            what the self-test found in the stepper and the sampler before the first step
                        (``medpriv_core.privacy.measured``)
    """

    unit: Unit | None = None
    images_drawn: Count | None = None
    sampling: Sampling | None = None
    sample_rate: PositiveShare | None = None
    steps_per_epoch: Annotated[int, Within(1, MOST_STEPS)] | None = None
    # Less than any setting is what a loop did whose noise is not the one that was set; beyond the most, the accountants
    # would take hours.
    noise_multiplier: Annotated[float, Within(0, BOUNDS["noise_multiplier"][1])] | None = None
    earlier_segments: Annotated[tuple[Steps, ...] | None, Stored(steps_from_json, steps_to_json)] = None
    engine: Engine | None = None
    clipped_together: Count | None = None
    mixing_layers: tuple[str, ...] | None = None
    divisor: Literal["expected", "actual"] | None = None
    normalisation: Literal["constants", "each_image", "training_images"] | None = None
    augmentation: Literal["none", "independent", "by_place"] | None = None
    noise_generator: NoiseGenerator | None = None
    noise_drawn_by: Source | None = None
    batches_drawn_by: Source | None = None
    pretrained: Origin | None = None
    noise_seed_stored: bool | None = None
    measured: Annotated[Mapping[str, Mapping[str, Any]] | None, Stored(_findings, dict)] = None

    @property
    def unbounded(self) -> bool:
        """Whether something lets one record change the sum, or what is released beside it, without limit.

        A self-test that failed counts as that: what the loop does is then not what the accountant counts.
        """
        failed = any(finding.get("holds") is not True for finding in (self.measured or {}).values())
        anyhow = self.mixing_layers or self.noise_seed_stored or self.normalisation == "training_images"
        by_draw = self.divisor == "actual" or self.augmentation == "by_place"
        return failed or bool(anyhow) or (self.sampling == "poisson" and by_draw)

    def mechanism(self) -> SubsampledGaussian | None:
        """What the accountant must count for these facts; None where too little is recorded."""
        if self.sampling is None or self.sample_rate is None or self.steps_per_epoch is None:
            return None
        together = self.clipped_together or 1
        sensitivity = math.inf if self.unbounded else 2.0 if together > 1 else 1.0
        unit = self.unit or "image"
        return SubsampledGaussian(self.sampling, self.sample_rate, self.steps_per_epoch, sensitivity, unit)


def planned_facts(spec: RunSpec, *, train_size: int) -> GuaranteeFacts:
    """What a DP-SGD run is meant to do.

    Args:
        spec: The specification of the run.
        train_size: Training records, n; at least 1.

    Returns:
        The facts. The noise multiplier is None where a ``target_epsilon`` is still to be solved for it.

    Raises:
        SettingError: There are no training records, or fewer than a batch has.
    """
    training = private_training(spec, train_size=train_size)
    mechanism = training.mechanism
    return GuaranteeFacts(
        unit=mechanism.unit,
        images_drawn=spec.images_drawn if mechanism.unit == "patient" else None,
        sampling=mechanism.sampling,
        sample_rate=mechanism.sample_rate,
        steps_per_epoch=mechanism.steps_per_epoch,
        noise_multiplier=spec.noise_multiplier,
        earlier_segments=(),
        engine=spec.engine,
        clipped_together=training.clipped_together,
        mixing_layers=("BatchNorm",) if spec.norm == "batch_norm" else (),
        divisor="expected",
        normalisation="each_image" if spec.standardise else "constants",
        augmentation="independent" if spec.augment or spec.augmentation_multiplicity > 1 else "none",
        noise_generator=spec.noise_generator,
        pretrained="imagenet" if spec.weights == "imagenet" else "none" if spec.weights == "none" else "file",
        noise_seed_stored=False,
    )
