"""Single images and galleries for the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medpriv_core.datasets.images import to_square
from medpriv_core.datasets.own.adding import add_own
from medpriv_core.datasets.own.choices import Choices
from medpriv_core.datasets.registry import open_dataset
from medpriv_core.datasets.viewing import images_of_class, make_gallery, pictures_of_shape, view_image
from medpriv_core.errors import DatasetError
from medpriv_core.home import DataHome
from tests.datasets.builders import image_bytes, write_folder


def test_an_image_keeps_its_own_size_and_says_its_class(home: DataHome) -> None:
    viewed = view_image(open_dataset(home, "retina_photo"), 0)
    assert viewed.pixels.shape == (1411, 1411, 3)
    assert viewed.pixels.dtype == np.uint8
    assert viewed.label == "Retina"


def test_images_of_a_class_have_that_label(home: DataHome) -> None:
    dataset = open_dataset(home, "synthetic_chest")
    indexes = images_of_class(dataset, "Pneumonia")
    labels = dataset.split("train").labels
    assert set(labels[indexes]) == {dataset.info.classes.index("Pneumonia")}
    assert len(indexes) == np.sum(labels == dataset.info.classes.index("Pneumonia"))
    with pytest.raises(DatasetError, match="no class 'Gout'"):
        images_of_class(dataset, "Gout")


@pytest.mark.parametrize("index", [0, 7, -1])
def test_a_gallery_holds_the_image_once_among_others(home: DataHome, index: int) -> None:
    dataset = open_dataset(home, "synthetic_chest")
    count = len(dataset.split("train").labels)
    index %= count
    gallery = make_gallery(dataset, index, size=32, most=10)
    assert gallery.pictures.shape == (10, 32, 32, 1)
    alone = make_gallery(dataset, index, size=32, most=1)
    np.testing.assert_array_equal(gallery.pictures[gallery.place], alone.pictures[0])
    assert len({picture.tobytes() for picture in gallery.pictures}) == 10


@pytest.mark.parametrize("shape", [(24, 40, 1), (24, 40, 3)])
def test_pictures_to_tell_a_foreign_one_from_take_its_shape(home: DataHome, shape: tuple[int, int, int]) -> None:
    dataset = open_dataset(home, "synthetic_chest")
    pictures = pictures_of_shape(dataset, shape, most=5)
    assert pictures.shape == (5, *shape)
    assert pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == 5
    np.testing.assert_array_equal(pictures[..., 0], pictures[..., -1])
    first = view_image(dataset, 0).pixels
    assert abs(float(pictures[0].mean()) - float(first.mean())) < 2


def test_there_are_never_more_pictures_than_the_dataset_has(home: DataHome) -> None:
    retina = open_dataset(home, "retina_photo")
    (grey,) = pictures_of_shape(retina, (32, 32, 1))
    colour = view_image(retina, 0).pixels.reshape(-1, 3).mean(axis=0)
    assert abs(float(grey.mean()) - float(colour @ [0.299, 0.587, 0.114])) < 2


def test_an_image_that_does_not_exist_is_refused(home: DataHome) -> None:
    dataset = open_dataset(home, "retina_photo")
    for look in (lambda: view_image(dataset, 1), lambda: make_gallery(dataset, -1, size=32)):
        with pytest.raises(DatasetError, match="there is none at"):
            look()


def test_a_gallery_is_of_other_patients_where_it_is_known_whose_images_are(home: DataHome, tmp_path: Path) -> None:
    images = {f"{'ab'[n % 2]}/P{n // 4}_{n:02}.png": image_bytes(n) for n in range(40)}
    add_own(home, "mine", write_folder(tmp_path / "set", images), Choices(patient_pattern=r"^(P\d+)_"))
    dataset = open_dataset(home, "mine")
    split = dataset.split("train")
    whose = [name.split("/")[1].split("_")[0] for name in split.ids]
    shown = {to_square(split.image(n), 32).tobytes(): whose[n] for n in range(len(whose))}
    for index in (0, 5, len(whose) - 1):
        gallery = make_gallery(dataset, index, size=32)
        patients = [shown[picture.tobytes()] for picture in gallery.pictures]
        assert gallery.by_patient
        assert patients[gallery.place] == whose[index]
        assert sorted(patients) == sorted(set(whose))  # each once
    assert len(pictures_of_shape(dataset, (32, 32, 1))) == len(set(whose))


def test_without_patients_a_gallery_says_that_nobody_knows_whose_they_are(home: DataHome, tmp_path: Path) -> None:
    images = {f"{'ab'[n % 2]}/{n:02}.png": image_bytes(n) for n in range(20)}
    add_own(home, "mine", write_folder(tmp_path / "set", images), Choices())
    assert not make_gallery(open_dataset(home, "mine"), 0, size=32).by_patient
    assert make_gallery(open_dataset(home, "synthetic_chest"), 0, size=32, most=3).by_patient
