"""Stored features: the same as computed ones, computed once, and anew as soon as anything differs."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from medpriv_core.datasets.base import PreparedDataset, PreparedSplit
from medpriv_core.errors import DataHomeError
from medpriv_core.home import DataHome
from medpriv_core.progress import Cancelled, no_progress
from medpriv_core.training import features, variants
from medpriv_core.training.augmentation import network_input
from medpriv_core.training.features import KINDS, Backbone, FeatureSource, FeatureStore
from medpriv_core.training.resnet18 import Network
from medpriv_core.training.variants import vary
from tests.training.conftest import FEATURES, Run, small_network, toy_spec

CPU = torch.device("cpu")


@pytest.fixture
def network() -> Network:
    return small_network(classes=2, norm="frozen_batch_norm", state_dict=None, seed=0)


@pytest.fixture
def backbone(network: Network) -> Backbone:
    return Backbone(network, "fingerprint", 32, CPU, None)


@pytest.fixture
def store(home: DataHome) -> FeatureStore:
    return FeatureStore(home)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each pass through a backbone had."""
    compute: Any = Backbone.features
    passes: list[int] = []

    def counted(self: Backbone, images: Any, generator: Any = None) -> Any:
        passes.append(len(images))
        return compute(self, images, generator)

    monkeypatch.setattr(Backbone, "features", counted)
    return passes


def get(
    store: FeatureStore, dataset: PreparedDataset, backbone: Backbone, progress: Any = no_progress
) -> list[np.ndarray]:
    return store.get([FeatureSource(dataset, "train"), FeatureSource(dataset, "test")], backbone, progress)


def folders(home: DataHome) -> list[str]:
    return sorted(path.name for path in home.features.iterdir() if path.is_dir())


def test_features_are_those_of_a_plain_forward_pass_fresh_or_stored(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "forward_batch_size", lambda **_: 7)
    with torch.no_grad():
        expected = [
            network.features(network_input(torch.from_numpy(split.images), size=32)).numpy()
            for split in (toy.train, toy.test)
        ]
    fresh, stored = get(store, toy, backbone), get(store, toy, backbone)
    for reference, first, second in zip(expected, fresh, stored, strict=True):
        assert np.allclose(first, reference, rtol=1e-4, atol=1e-4)
        assert first.dtype == np.float32
        assert np.array_equal(first, second)


def test_a_second_run_does_not_use_the_backbone(new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_run().train(toy_spec())
    monkeypatch.setattr(Backbone, "features", lambda *_: pytest.fail("computed once more"))
    second = new_run().train(toy_spec())
    other = new_run().train(toy_spec(method="dp_sgd", noise_multiplier=1.0, delta=1e-3, learning_rate=0.5))
    assert torch.equal(first.trained.weight, second.trained.weight)  # type: ignore[arg-type]
    assert torch.equal(first.train.values, other.train.values)


def test_local_dp_shares_the_clean_test_images_and_computes_its_noised_ones(
    new_run: Callable[..., Run], noised_toy: PreparedDataset, computed: list[int]
) -> None:
    new_run().train(toy_spec(epochs=1))
    assert sum(computed) == 40 + 12
    session = new_run(noised_toy).train(toy_spec(epochs=1, method="local_dp", beta=1.0))
    assert sum(computed) == 2 * (40 + 12)
    assert not torch.equal(session.tests["test"].values, session.tests["test_noised"].values)


def test_an_augmented_run_stores_its_test_images_only(new_run: Callable[..., Run], home: DataHome) -> None:
    new_run().train(toy_spec(epochs=1, augment=True, crop_size=24))
    assert len(folders(home)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "of other weights"},
        {"input_size": 24},
        {"mixed": torch.bfloat16},
        {"kind": KINDS["layer3"]},
    ],
)
def test_another_backbone_size_precision_or_kind_is_computed_anew(
    change: Any, store: FeatureStore, toy: PreparedDataset, backbone: Backbone, home: DataHome, computed: list[int]
) -> None:
    get(store, toy, backbone)
    get(store, toy, replace(backbone, **change))
    assert sum(computed) == 2 * 52
    assert len(folders(home)) == 4


def test_another_network_with_the_same_numbers_is_computed_anew(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, network: Network, computed: list[int]
) -> None:
    get(store, toy, backbone)
    network.architecture = "another"
    get(store, toy, backbone)
    assert sum(computed) == 2 * 52


@pytest.mark.parametrize("change", ["key", "images", "another_draw"])
def test_another_dataset_or_another_draw_of_its_noise_is_computed_anew(
    change: Any, store: FeatureStore, toy: PreparedDataset, noised_toy: PreparedDataset, backbone: Backbone
) -> None:
    drawn = PreparedSplit(noised_toy.train.images ^ 1, noised_toy.train.labels)
    first, second = {
        "key": (toy, replace(toy, key="other")),
        "images": (toy, noised_toy),
        "another_draw": (noised_toy, replace(noised_toy, train=drawn)),
    }[change]
    before = set() if not store.home.features.exists() else set(folders(store.home))
    store.get([FeatureSource(first, "train")], backbone, no_progress)
    store.get([FeatureSource(second, "train")], backbone, no_progress)
    assert len(set(folders(store.home)) - before) == 2


def damage_bytes(folder: Any) -> None:
    content = bytearray((folder / "features.npy").read_bytes())
    content[5000] ^= 1
    (folder / "features.npy").write_bytes(content)


def truncate(folder: Any) -> None:
    file = folder / "features.npy"
    file.write_bytes(file.read_bytes()[:-100])


def promise_too_much(folder: Any) -> None:
    """A header that asks for terabytes."""
    file = folder / "features.npy"
    file.write_bytes(file.read_bytes().replace(b"(40, 64), }       ", b"(4000000000, 64),}"))


def forget_the_sum(folder: Any) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({"identity": meta["identity"]}))


@pytest.mark.parametrize("damage", [damage_bytes, truncate, promise_too_much, forget_the_sum])
def test_damaged_features_are_noticed_and_computed_anew(
    damage: Any, store: FeatureStore, toy: PreparedDataset, backbone: Backbone, computed: list[int]
) -> None:
    (expected,) = store.get([FeatureSource(toy, "train")], backbone, no_progress)
    (name,) = folders(store.home)
    before = (store.home.features / name / "features.npy").read_bytes()
    damage(store.home.features / name)
    (again,) = store.get([FeatureSource(toy, "train")], backbone, no_progress)
    assert np.array_equal(again, expected)
    assert sum(computed) == 80
    assert (store.home.features / name / "features.npy").read_bytes() == before


def test_progress_counts_all_images_that_are_missing(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "forward_batch_size", lambda **_: 20)
    store.get([FeatureSource(toy, "test")], backbone, no_progress)
    told: list[tuple[Any, ...]] = []
    store.get(
        [FeatureSource(toy, "test"), FeatureSource(toy, "train")],
        backbone,
        lambda phase, done, total: told.append((phase, done, total)),
    )
    assert told == [("Computing features", done, 40) for done in (0, 20, 40)]
    told.clear()
    get(store, toy, replace(backbone, fingerprint="other"), lambda phase, done, total: told.append((done, total)))
    assert told == [(0, 52), (20, 52), (40, 52), (40, 52), (52, 52)]


def test_a_cancel_between_passes_leaves_nothing_and_the_next_run_starts_again(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "forward_batch_size", lambda **_: 10)

    def stop(phase: Any, done: Any, total: Any) -> None:
        if done == 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        get(store, toy, backbone, stop)
    assert folders(store.home) == []
    assert [values.shape for values in get(store, toy, backbone)] == [(40, FEATURES), (12, FEATURES)]


def test_what_a_killed_process_left_is_removed(store: FeatureStore, toy: PreparedDataset, backbone: Backbone) -> None:
    store.get([FeatureSource(toy, "train")], backbone, no_progress)
    (name,) = folders(store.home)
    (store.home.features / name).rename(store.home.features / f".{name}.0000.part")
    store.get([FeatureSource(toy, "train")], backbone, no_progress)
    assert folders(store.home) == [name]


def test_a_full_disk_is_told_in_a_sentence(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(features.np.lib.format, "write_array_header_1_0", refuse)
    with pytest.raises(DataHomeError, match=r"The disk that holds .*features.* is full"):
        get(store, toy, backbone)
    assert folders(store.home) == []


def test_a_second_process_waits_and_reads_what_the_first_computed(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, computed: list[int]
) -> None:
    """The first is stopped between two passes until the second has said that it waits."""
    waiting, phases, results = threading.Event(), [], []

    def first(phase: Any, done: Any, total: Any) -> None:
        if not others:
            others.append(threading.Thread(target=lambda: results.extend(store.get(source, backbone, second))))
            others[0].start()
            assert waiting.wait(30)

    def second(phase: Any, done: Any, total: Any) -> None:
        phases.append(phase)
        waiting.set()

    others: list[threading.Thread] = []
    source = [FeatureSource(toy, "train")]  # of two, either process might take the second
    mine = store.get(source, backbone, first)
    others[0].join(30)
    assert set(phases) == {"Waiting for another run that computes the same features"}
    assert [np.array_equal(a, b) for a, b in zip(mine, results, strict=True)] == [True]
    assert sum(computed) == 40


def test_random_backbones_of_different_seeds_do_not_share(new_run: Callable[..., Run], computed: list[int]) -> None:
    first, second = (new_run().train(toy_spec(epochs=1, seed=seed)) for seed in (0, 1))
    assert sum(computed) == 2 * 52
    assert not torch.equal(first.train.values, second.train.values)


def test_each_kind_is_a_pooling_of_the_networks_maps(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, network: Network
) -> None:
    inputs = network_input(torch.from_numpy(np.array(toy.test.images)), size=32)
    with torch.no_grad():
        maps = network.layer3(  # type: ignore[operator]
            network.layer2(network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(inputs))))))  # type: ignore[operator]
        )
    assert maps.shape == (12, FEATURES // 2, 2, 2)
    expected = {
        "layer3": maps.mean((2, 3)),
        # Each of the 4 x 4 fields lies within one of the 2 x 2 positions.
        "layer3_grid": maps.repeat_interleave(2, 2).repeat_interleave(2, 3).flatten(1),
    }
    for name, values in expected.items():
        kind = KINDS[name]  # type: ignore[index]
        (stored,) = store.get([FeatureSource(toy, "test")], replace(backbone, kind=kind), no_progress)
        assert stored.shape == (12, kind.width(network))
        assert np.allclose(stored, values.numpy(), rtol=1e-4, atol=1e-6)


def test_a_mild_variant_stored_before_there_were_broad_ones_is_not_taken_for_one(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        for module in (features, variants):
            before.setattr(module, "is_broad", lambda number: False)
        [mild] = store.get([FeatureSource(toy, "test", 3)], backbone, no_progress)
    [broad] = store.get([FeatureSource(toy, "test", 3)], backbone, no_progress)
    assert not np.allclose(mild, broad)


def test_variants_are_stored_apart_and_are_those_of_each_images_own(
    store: FeatureStore, toy: PreparedDataset, backbone: Backbone
) -> None:
    sources = [FeatureSource(toy, "test", variant) for variant in range(3)]
    plain, first, second = store.get(sources, backbone, no_progress)
    assert not np.allclose(plain, first)
    assert not np.allclose(first, second)
    varied = np.stack([vary(image, number=2) for image in toy.test.images])
    assert np.allclose(second, backbone.features(torch.from_numpy(varied)).numpy(), rtol=1e-4, atol=1e-6)
