"""What the trained part of a run's network is fed, by its specification: images, or stored features of them."""

from __future__ import annotations

import numpy as np
import torch

from medpriv_core.datasets.base import PreparedDataset, SplitName
from medpriv_core.progress import ProgressCallback
from medpriv_core.spec import RunSpec
from medpriv_core.training.data import TrainingData
from medpriv_core.training.examples import Examples, augmented_feature_examples, feature_examples, image_examples
from medpriv_core.training.features import Backbone, FeatureSource, FeatureStore


def image_inputs(spec: RunSpec, data: TrainingData, device: torch.device) -> tuple[Examples, dict[str, Examples]]:
    """The training examples, and those to evaluate by name, for the whole network."""

    def examples(dataset: PreparedDataset, split: SplitName) -> Examples:
        return image_examples(getattr(dataset, split), input_size=spec.input_size, device=device)

    return examples(data.train, "train"), {name: examples(dataset, "test") for name, dataset in data.tests.items()}


def feature_inputs(
    spec: RunSpec, data: TrainingData, backbone: Backbone, store: FeatureStore, progress: ProgressCallback
) -> tuple[Examples, dict[str, Examples]]:
    """The same for the last layer alone: features of each image, in training also of its variants."""
    tests = [FeatureSource(dataset, "test") for dataset in data.tests.values()]
    train = [] if spec.augment else _training_sources(spec, data.train)
    values = store.get([*tests, *train], backbone, progress)
    if spec.standardise:
        values = [standardise(features) for features in values]
    of_tests, of_train = values[: len(tests)], values[len(tests) :]
    evaluated = {
        name: feature_examples(features, source.labels, device=backbone.device)
        for name, features, source in zip(data.tests, of_tests, tests, strict=True)
    }
    if spec.augment:
        return augmented_feature_examples(data.train.train, backbone), evaluated
    stacked = of_train[0] if len(of_train) == 1 else np.stack(of_train, axis=1)
    return feature_examples(stacked, train[0].labels, device=backbone.device), evaluated


def standardise(features: np.ndarray) -> np.ndarray:
    """(n, width) -> (n, width): each row by its own mean and deviation, and scaled to length 1.

    No row depends on another one, so no statistics of the training images are released with the network.
    """
    centred = features - features.mean(1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    # A row of equal numbers says nothing and stays zero.
    result: np.ndarray = centred / np.where(lengths > 0, lengths, 1)
    return result


def _training_sources(spec: RunSpec, dataset: PreparedDataset) -> list[FeatureSource]:
    return [FeatureSource(dataset, "train", variant) for variant in range(spec.augmentation_multiplicity)]
