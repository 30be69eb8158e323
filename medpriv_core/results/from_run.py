"""A ``Result`` from what a run of medpriv left behind: its specification, its facts and its epochs."""

from __future__ import annotations

from collections.abc import Sequence

from medpriv_core.datasets.registry import dataset_info
from medpriv_core.privacy.spent import Spent
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.guarantee import held_guarantee
from medpriv_core.results.result import Result, Source
from medpriv_core.spec import DEFAULTS, RunSpec, in_short


def make_result(
    *,
    source: Source,
    id: str,
    name: str,
    spec: RunSpec,
    setup: Setup,
    epochs: Sequence[EpochRow],
    spent: Spent | None,
    tags: Sequence[str] = (),
) -> Result:
    """The result of a finished run: ``setup`` is what it recorded at its start, ``epochs`` at least one.

    Comparisons are made to be shown to others, so of a DP-SGD run the result has only what epsilon covers.
    ``spent`` is the record of its network.

    Raises ``DatasetError`` for a dataset that this version does not know.
    """
    info = dataset_info(spec.dataset)
    return Result(
        source=source,
        id=id,
        name=name,
        dataset=spec.dataset,
        method=spec.method,
        beta=spec.beta,
        noise_draw=spec.noise_draw if spec.method == "local_dp" else None,
        noise_multiplier=(setup.noise_multiplier or spec.noise_multiplier) if spec.method == "dp_sgd" else None,
        target_epsilon=spec.target_epsilon,
        trainable=spec.trainable,
        image_size=spec.image_size,
        seed=spec.seed,
        guarantee=held_guarantee(spec, setup, spent),
        majority_rate=setup.majority_rate,
        classes=setup.classes or info.classes,
        epochs=tuple(epochs),
        test_size=setup.test_size,
        synthetic=info.synthetic,
        protocol=describe_protocol(spec),
        spec=spec,
        tags=tuple(tags),
    )


def describe_protocol(spec: RunSpec) -> str:
    """How a run was trained and measured, in one line."""
    noise = ""
    if spec.method == "dp_sgd":
        noise = "each gradient clipped and noised; "
    elif spec.method == "local_dp":
        noise = f"one stored draw of {spec.picture_noise.in_words}; "
    network = (
        "" if spec.architecture == DEFAULTS["architecture"] else f"{in_short('architecture', spec.architecture)}; "
    )
    return (
        f"{network}{noise}{in_short('sampling', spec.sampling_scheme)}; {in_short('norm', spec.norm)}; "
        f"{spec.image_size} pixels; {spec.epochs} epochs; tested on clean images after every epoch"
    )
