"""The drawn datasets behave like any other, and draw nothing before they are asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from medpriv_core.datasets.synthetic import SYNTHETIC_DATASETS, SyntheticDataset
from medpriv_core.datasets.synthetic import dataset as module
from medpriv_core.errors import DatasetError, ImageError, SettingError

MODES = {"synthetic_chest": "L", "synthetic_fundus": "RGB"}
CLASS_SHARES = {"synthetic_chest": [40, 60], "synthetic_fundus": [45, 12, 22, 11, 10]}


@pytest.fixture(params=sorted(MODES))
def dataset(request: pytest.FixtureRequest) -> SyntheticDataset:
    return SYNTHETIC_DATASETS[request.param]


def test_there_are_a_chest_and_a_fundus_dataset_under_their_own_names() -> None:
    assert {name: entry.info.name for name, entry in SYNTHETIC_DATASETS.items()} == {name: name for name in MODES}
    assert SYNTHETIC_DATASETS["synthetic_chest"].info.classes == ("Normal", "Pneumonia")
    assert SYNTHETIC_DATASETS["synthetic_fundus"].info.ordered


def test_every_drawn_dataset_says_that_it_is_drawn(dataset: SyntheticDataset) -> None:
    assert dataset.info.synthetic
    assert dataset.info.title.startswith("Synthetic")
    assert "no patient" in dataset.info.source
    assert "no medical evidence" in dataset.info.source


def test_eight_hundred_images_in_fixed_proportions(dataset: SyntheticDataset) -> None:
    shares = np.array(CLASS_SHARES[dataset.info.name]) / 100
    for name, size in (("train", 640), ("test", 160)):
        split = dataset.split(name)  # type: ignore[arg-type]
        counts = np.bincount(split.labels, minlength=len(dataset.info.classes))
        assert split.labels.dtype == np.int64
        assert counts.sum() == size == len(split.ids)
        assert np.abs(counts - shares * size).max() <= 1


def test_labels_are_shuffled_and_cannot_be_changed_by_accident(dataset: SyntheticDataset) -> None:
    labels = dataset.split("train").labels
    assert len(set(labels[:40])) == len(dataset.info.classes)
    with pytest.raises(ValueError, match="read-only"):
        labels[0] = 1


def test_ids_name_the_split_and_the_number(dataset: SyntheticDataset) -> None:
    ids = [*dataset.split("train").ids, *dataset.split("test").ids]
    assert ids[7] == "synthetic-train-0007"
    assert len(set(ids)) == 800


def test_images_have_the_mode_and_size_of_the_contract(dataset: SyntheticDataset) -> None:
    split = dataset.split("test")
    image = split.image(0)
    assert (image.mode, image.size) == (MODES[dataset.info.name], (128, 128))
    assert split.image(0, image_size=224).size == (224, 224)


def test_the_same_index_gives_the_same_bytes_and_another_index_another_picture(dataset: SyntheticDataset) -> None:
    train, test = dataset.split("train"), dataset.split("test")
    pictures = [train.image(i).tobytes() for i in range(6)] + [test.image(i).tobytes() for i in range(6)]
    assert pictures[3] == train.image(3).tobytes()
    assert len(set(pictures)) == 12


def test_reading_in_any_order_equals_reading_in_order(dataset: SyntheticDataset) -> None:
    split = dataset.split("train")
    in_order = {i: split.image(i).tobytes() for i in range(6)}
    fresh = replace(dataset).split("train")
    assert {i: fresh.image(i).tobytes() for i in (5, 0, 3, 1, 4, 2)} == in_order


def test_a_split_draws_nothing_until_an_image_is_asked_for(dataset: SyntheticDataset) -> None:
    drawn: list[int] = []

    def draw(*, image_size: int, label: int, rng: np.random.Generator) -> np.ndarray:
        drawn.append(label)
        return np.zeros((image_size, image_size), dtype=np.uint8)

    split = replace(dataset, draw=draw).split("train")
    assert (len(split.labels), drawn) == (640, [])
    split.image(5)
    assert drawn == [split.labels[5]]


def test_another_size_shows_the_same_picture(dataset: SyntheticDataset) -> None:
    split = dataset.split("train")
    for index in range(3):
        small = np.asarray(split.image(index), dtype=float)
        large = np.asarray(split.image(index, image_size=256), dtype=float)
        halved = large.reshape(128, 2, 128, 2, -1).mean(axis=(1, 3)).reshape(small.shape)
        assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.985


def test_the_content_key_changes_with_what_decides_about_the_content(
    dataset: SyntheticDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = dataset.content_key()
    assert int(key, 16) > 0
    assert key == replace(dataset).content_key()
    other_classes = replace(dataset.info, classes=tuple(reversed(dataset.info.classes)))
    assert replace(dataset, info=other_classes).content_key() != key
    assert len({entry.content_key() for entry in SYNTHETIC_DATASETS.values()}) == 2
    monkeypatch.setattr(module, "DRAWING_VERSION", module.DRAWING_VERSION + 1)
    assert dataset.content_key() != key


def test_impossible_wishes_get_one_clear_sentence(dataset: SyntheticDataset) -> None:
    with pytest.raises(DatasetError, match="choose train or test"):
        dataset.split("validation")  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="choose one from 0 to 159"):
        dataset.split("test").image(160)
    with pytest.raises(ImageError, match="no train image -1"):
        dataset.split("train").image(-1)
    with pytest.raises(SettingError, match="image_size must be between 16 and 1024"):
        dataset.split("test").image(0, image_size=0)
    with pytest.raises(SettingError, match="label must be between 0 and"):
        dataset.draw(image_size=64, label=9, rng=np.random.default_rng(0))
