"""Learning from other patients: never from the one who is attacked, kept whole or not at all, once."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.attacks.learned import SHARED_NOISE
from medpriv_core.attacks.prior import Prior
from medpriv_core.datasets.image_folder import ChestXray
from medpriv_core.datasets.prepared import prepare_dataset
from medpriv_core.datasets.registry import add_dataset, list_datasets, open_dataset
from medpriv_core.errors import DatasetError, ImageError
from medpriv_core.home import DataHome
from medpriv_core.leftovers import remove_leftovers
from medpriv_core.mechanisms.catalog import picture_noise
from medpriv_core.pictures.reading import Reading
from medpriv_core.priors import learning
from medpriv_core.priors.halves import halves_of
from medpriv_core.priors.learning import (
    learn_from,
    learned_statement,
    prior_job,
    prior_place,
    side_to_learn,
    start_learning,
)
from medpriv_core.progress import Cancelled
from tests.datasets.builders import chest_files, idrid_files, image_bytes, write_folder, write_npz
from tests.jobs.here import work_here

SIDE = 16
PER_PIXEL = picture_noise("laplace_per_pixel", beta=1.0)


def patients_files(*, changed: int | None = None) -> dict[str, bytes]:
    """Chest X-rays of 16 patients of each class, two of each; those of patient ``changed`` of the ill are others."""
    files = {
        "test/NORMAL/IM-0999-0001.jpeg": image_bytes(900),
        "test/PNEUMONIA/person999_virus_1.jpeg": image_bytes(901),
    }
    for patient in range(16):
        for number in range(2):
            seed = 10 * patient + number
            files[f"train/NORMAL/IM-{patient:04}-000{number}.jpeg"] = image_bytes(seed)
            other = 5000 if patient == changed else 0
            files[f"train/PNEUMONIA/person{patient}_virus_{seed}.jpeg"] = image_bytes(seed + 500 + other)
    return files


def learned(home: DataHome, name: str = "chest_xray", *, side: int = SIDE) -> list[Prior]:
    """Learn now; what was learned from each half."""
    learn_from(home, lambda *_: None, name=name, side=side)
    return [prior_place(home, name, side).read(half) for half in (0, 1)]


def same(one: Prior, other: Prior) -> bool:
    arrays = ("mean", "directions", "variances", "histogram")
    return one.rest == other.rest and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


def test_the_attacked_patient_was_not_learned_from(tmp_path: Path) -> None:
    """All images of a patient are replaced by others: not one bit of the prior against that patient changes."""
    priors, homes = [], [DataHome(tmp_path / name) for name in ("a", "b")]
    for home, changed in zip(homes, (None, 7), strict=True):
        add_dataset(
            home, "chest_xray", write_folder(home.root.parent / f"{home.root.name}x", patients_files(changed=changed))
        )
        priors.append(learned(home))
    dataset = open_dataset(homes[0], "chest_xray")
    halves, names = halves_of(dataset), dataset.split("train").ids
    attacked = [index for index, name in enumerate(names) if "person7_" in name]

    assert halves.by_patient
    assert len(attacked) == 2
    half = {halves.to_learn_from(index) for index in attacked}.pop()
    assert same(priors[0][half], priors[1][half])
    assert not same(priors[0][1 - half], priors[1][1 - half])


def test_no_patient_is_in_both_halves_and_they_are_alike_in_size(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    dataset = open_dataset(home, "chest_xray")
    halves, names = halves_of(dataset), dataset.split("train").ids
    patients = [{ChestXray.patient_key(names[one]) for one in halves.images(half, most=99)} for half in (0, 1)]

    assert not patients[0] & patients[1]
    assert len(patients[0] | patients[1]) == 32
    assert np.bincount(halves.of).tolist() == [32, 32]
    assert len(halves.images(0, most=5)) == 5
    assert halves.to_learn_from(None) == 0


def test_where_nobody_knows_whose_they_are_each_class_is_divided_in_order(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "idrid", write_folder(tmp_path / "x", idrid_files(train=45)))
    dataset = open_dataset(home, "idrid")
    halves, labels = halves_of(dataset), dataset.split("train").labels

    assert not halves.by_patient
    for label in range(5):
        of = halves.of[labels == label]
        assert of.tolist() == sorted(of)
        assert np.bincount(of).tolist() == [5, 4]


def test_it_is_learned_once_and_for_these_images(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", patients_files())
    add_dataset(home, "chest_xray", folder)
    first, place = learned(home), prior_place(home, "chest_xray", SIDE)
    stamp = place.stamp

    assert [prior.images for prior in first] == [32, 32]
    learned(home)
    assert place.stamp == stamp

    (folder / "train" / "NORMAL" / "IM-0003-0001.jpeg").write_bytes(image_bytes(77))
    add_dataset(home, "chest_xray", folder)
    assert prior_place(home, "chest_xray", SIDE).stamp is None
    assert prior_place(home, "chest_xray", SIDE).read(0) is None


def test_it_lies_beside_the_prepared_images_for_its_owner_only(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    learned(home)
    folder = prior_place(home, "chest_xray", SIDE).folder

    assert folder.parent == home.prepared
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]} == {0}
    prepared = prepare_dataset(home, "chest_xray", image_size=SIDE, say=lambda said: pytest.fail(said))
    assert prepared.folder != folder


@pytest.mark.parametrize("name", ["mean_0.npy", "directions_0.npy", "variances_0.npy", "histogram_0.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "empty"])
def test_damaged_files_count_as_missing_and_are_made_again(
    home: DataHome, tmp_path: Path, name: str, damage: str
) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    before, place = learned(home), prior_place(home, "chest_xray", SIDE)
    file = place.folder / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"bit": bytes(content), "cut": bytes(content[:-9]), "empty": b""}[damage])

    assert place.read(0) is None
    assert all(map(same, before, learned(home)))


def test_what_is_there_in_another_shape_is_not_taken(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    priors, place = learned(home), prior_place(home, "chest_xray", SIDE)
    place.write([replace(prior, directions=prior.directions[:-1]) for prior in priors])
    assert place.read(0) is None
    place.write([replace(prior, mean=prior.mean[:8, :8]) for prior in priors])
    assert place.read(1) is None
    assert replace(place, side=8).read(0) is None


def test_stopped_or_failed_nothing_half_made_is_left(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))

    def stop(phase: str, done: int, total: int) -> None:
        if phase == learning.PHASE and done > 40:
            raise Cancelled

    with pytest.raises(Cancelled):
        learn_from(home, stop, name="chest_xray", side=SIDE)
    assert prior_place(home, "chest_xray", SIDE).stamp is None
    assert [path for path in home.prepared.glob("*") if path.is_dir()] == []

    killed = home.prepared / f".{prior_place(home, 'chest_xray', SIDE).folder.name}.12345678.part"
    killed.mkdir()
    remove_leftovers(home)
    assert not killed.exists()


def test_an_unreadable_image_is_named(home: DataHome, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "x", patients_files())
    add_dataset(home, "chest_xray", folder)
    (folder / "train" / "NORMAL" / "IM-0003-0001.jpeg").write_bytes(b"no image")
    with pytest.raises(ImageError, match="IM-0003-0001"):
        learned(home)


def test_of_too_few_images_nothing_is_learned_because_their_average_would_show_them(
    home: DataHome, tmp_path: Path
) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", chest_files(train=4)))
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray")

    assert "too few images to learn from: 8 training images, 20 are needed" in str(
        side_to_learn(entry, (64, 64, 1), PER_PIXEL)
    )
    with pytest.raises(DatasetError, match="too few images to learn from"):
        learned(home)


def test_no_more_images_are_taken_than_memory_allows(
    home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "MOST_IMAGES", {1: 11, 3: 11})
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    calls: list[tuple[str, int, int]] = []

    learn_from(home, lambda *call: calls.append(call), name="chest_xray", side=SIDE)

    assert prior_place(home, "chest_xray", SIDE).read(1).images == 11
    assert [call for call in calls if call[0] == learning.PHASE][-1][1:] == (22, 22)


def test_it_is_a_job(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_here(monkeypatch)
    add_dataset(home, "pneumoniamnist", write_npz(tmp_path / "a.npz"))
    assert prior_job(home, "pneumoniamnist", 28).status() is None

    start_learning(home, "pneumoniamnist", 28).wait(within_s=60)

    assert prior_job(home, "pneumoniamnist", 28).status().state == "finished"
    assert prior_place(home, "pneumoniamnist", 28).read(0).mean.shape == (28, 28, 1)


def test_it_says_whose_images_it_is_of(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    add_dataset(home, "idrid", write_folder(tmp_path / "y", idrid_files(train=45)))
    entries = {entry.info.name: entry for entry in list_datasets(home)}
    halves = {name: halves_of(open_dataset(home, name)) for name in ("chest_xray", "idrid", "synthetic_chest")}

    def said(name: str, *, own: bool = False) -> str:
        return learned_statement(2600, halves[name], entries[name], own=own)

    assert said("chest_xray") == "Learned from 2,600 images of other patients of this dataset."
    assert "not known whose they are, so some may be of the same patient" in said("idrid")
    assert said("synthetic_chest") == "Learned from 2,600 other drawn images of this dataset."
    assert said("chest_xray", own=True).endswith("Whether the patient of the image above is among them is not known.")
    assert "not known" not in said("synthetic_chest", own=True)


def test_it_says_why_images_are_of_no_use(home: DataHome, tmp_path: Path) -> None:
    add_dataset(home, "chest_xray", write_folder(tmp_path / "x", patients_files()))
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray")
    cropped = replace(entry, info=replace(entry.info, reading=Reading(fit="crop")))

    assert side_to_learn(entry, (224, 100, 1), PER_PIXEL) == 64
    assert side_to_learn(entry, (28, 28, 1), PER_PIXEL) == 28
    assert "are grey and this one is in colour" in str(side_to_learn(entry, (64, 64, 3), PER_PIXEL))
    assert "this one is not square" in str(side_to_learn(cropped, (224, 100, 1), PER_PIXEL))
    assert side_to_learn(cropped, (224, 224, 1), PER_PIXEL) == 64
    shift = picture_noise("laplace_per_image", beta=1.0)
    assert side_to_learn(entry, (64, 64, 1), shift) == SHARED_NOISE
