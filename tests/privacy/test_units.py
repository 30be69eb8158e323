"""Patients or images as the record: what is said where nobody chose, and what both are worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpriv_core.datasets.registry import add_dataset, list_datasets
from medpriv_core.errors import SettingError
from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount, count_records
from medpriv_core.privacy.checks import check_plan
from medpriv_core.privacy.dp_sgd import composed_epsilon, composed_rdp_epsilon
from medpriv_core.privacy.per_image import image_instead
from medpriv_core.privacy.plan import plan_dp_sgd, plan_run
from medpriv_core.privacy.statement import dp_sgd_meaning, neighbours_in_words, what_does_not_hold
from medpriv_core.privacy.steps import Steps
from medpriv_core.privacy.tradeoff import NO_LIMIT
from medpriv_core.privacy.verdict import planned_verdict
from medpriv_core.runs import service
from medpriv_core.spec import RunSpec
from medpriv_core.unit import with_stored_unit, with_unit
from tests.datasets.builders import image_bytes, write_zip

PRIVATE = RunSpec(dataset="chest_xray", method="dp_sgd", noise_multiplier=2.0, batch_size=128, epochs=50)
KERMANY = PatientCount(3654, 30)


@pytest.mark.parametrize(
    ("sigma", "of_patients", "rdp", "of_thirty"),
    [(1.0, 8.88, 9.73, 990), (2.0, 3.01, 3.28, 236), (4.0, 1.30, 1.42, 71.7)],
)
def test_what_a_patient_is_promised(sigma: float, of_patients: float, rdp: float, of_thirty: float) -> None:
    """By another program of the same composition: privacy loss distributions of the binomial mixture, and Renyi."""
    patients = [Steps(sigma, 128 / 3654, 1427)]
    assert composed_epsilon(patients, delta=1e-5) == pytest.approx(of_patients, rel=2e-3)
    assert composed_rdp_epsilon(patients, delta=1e-5) == pytest.approx(rdp, rel=5e-3)  # other orders are tried
    images = composed_epsilon([Steps(sigma, 128 / 5232, 2044)], delta=1e-5, images_per_patient=30)
    assert images == pytest.approx(of_thirty, rel=5e-3)


def test_patients_are_protected_where_they_are_known_and_nobody_chose() -> None:
    assert with_unit(PRIVATE, KERMANY).unit == "patient"
    assert with_unit(PRIVATE, None).unit == "image"
    assert with_unit(PRIVATE, PatientCount(10, 1)).unit == "image"  # the same
    assert with_unit(PRIVATE.changed(images_drawn=5), None).images_drawn == 1
    assert with_unit(PRIVATE.changed(unit="image"), KERMANY).unit == "image"
    assert with_unit(PRIVATE.changed(unit="patient"), None).unit == "patient"  # refused further on
    authors = PRIVATE.changed(engine="microbatch", microbatch_size=4)
    assert with_unit(authors, KERMANY).unit == "image"
    plain = RunSpec(dataset="chest_xray")
    assert with_unit(plain, KERMANY) is plain


def test_a_run_of_a_version_without_patients_protected_images() -> None:
    old = {name: value for name, value in PRIVATE.to_dict().items() if name not in ("unit", "images_drawn")}
    assert RunSpec.from_dict(with_stored_unit(old)).unit == "image"
    assert RunSpec.from_dict(with_stored_unit(old | {"unit": "patient"})).unit == "patient"
    assert RunSpec.from_dict(with_stored_unit({"dataset": "x"})) == RunSpec(dataset="x")
    with pytest.raises(SettingError, match="must be a JSON object"):
        RunSpec.from_dict(with_stored_unit([]))


def test_the_number_of_records_is_that_of_patients_or_of_images() -> None:
    patient = PRIVATE.changed(unit="patient")
    assert count_records(patient, images=5216, patients=KERMANY, dataset="X") == 3654
    assert count_records(PRIVATE.changed(unit="image"), images=5216, patients=KERMANY, dataset="X") == 5216
    with pytest.raises(SettingError, match="It is not known of each training image of X whose it is"):
        count_records(patient, images=5216, patients=None, dataset="X")
    with pytest.raises(SettingError, match=r"larger than the training set \(100 patients\)"):
        patient.check_dataset_size(100)


def test_each_sentence_names_whom_it_protects() -> None:
    patient = PRIVATE.changed(unit="patient")
    verdict = planned_verdict(patient, train_size=3654)
    assert verdict is not None
    assert "one patient with all images and labels added or removed" in verdict.statement
    assert verdict.sentence.startswith("Protects patients, with all their images: ")
    assert neighbours_in_words("zero-out", "patient").endswith("replaced by one without images")
    assert "each patient clipped by itself" in what_does_not_hold(claimed=1.0, holds=2.0, unit="patient")
    assert dp_sgd_meaning(NO_LIMIT, "patient").startswith("Nothing is promised")
    assert "every patient whose images were used" in dp_sgd_meaning(NO_LIMIT, "patient")
    sentences = {check.name: check for check in check_plan(patient, train_size=3654, patients=KERMANY)}
    assert "Each patient is drawn" in sentences["Sampling"].sentence
    assert "One image of each drawn patient" in sentences["Clipping"].sentence
    assert "one of the 3,654 patients" in sentences["Delta"].sentence
    assert sentences["Patients with several images"].state == "green"
    several = check_plan(patient.changed(images_drawn=30), train_size=3654, patients=KERMANY)
    assert "up to 30 images of a drawn patient" in next(one.sentence for one in several if one.name == "Clipping")
    plan = plan_dp_sgd(train_size=3654, batch_size=128, epochs=1, noise_multiplier=1.0, unit="patient")
    assert plan.mechanism.unit == "patient"


def test_images_in_their_place_are_compared_with(home: DataHome) -> None:
    patient = PRIVATE.changed(unit="patient")
    said = image_instead(patient, images=5232, patients=KERMANY)
    one = plan_run(PRIVATE.changed(unit="image"), train_size=5232)
    assert f"ε = {one.epsilon:.3g} (δ = 1e-5)" in said
    assert "for the patient with 30 images, it would be ε = 238" in said
    assert plan_run(patient, train_size=3654).epsilon_patient(30) == plan_run(patient, train_size=3654).epsilon
    assert "cannot be computed with so small a δ" in image_instead(
        patient.changed(delta=1e-12), images=5232, patients=KERMANY
    )


def test_a_run_is_queued_with_what_it_protects(home: DataHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)
    files = {
        f"{split}/{folder}/{name.format(split)}": image_bytes(number * 10 + place, file_format="JPEG")
        for split in ("train", "test")
        for number, folder in enumerate(("NORMAL", "PNEUMONIA"))
        for place, name in enumerate(("person1_virus_{}1.jpeg", "person1_virus_{}2.jpeg", "person2_virus_{}3.jpeg"))
    }
    files = {name.replace("_train", "_1").replace("_test", "_2"): content for name, content in files.items()}
    add_dataset(home, "chest_xray", write_zip(tmp_path / "chest.zip", files))
    entry = next(entry for entry in list_datasets(home) if entry.info.name == "chest_xray")
    assert entry.patients == PatientCount(2, 4)
    spec = RunSpec(
        dataset="chest_xray", method="dp_sgd", noise_multiplier=1.0, batch_size=2, delta=1e-2, weights="none"
    )
    queued = service.load_run(home, service.submit(home, spec)).spec
    assert queued is not None
    assert (queued.unit, entry.records(queued)) == ("patient", 2)
    with pytest.raises(SettingError, match=r"training set \(2 patients\)"):
        service.submit(home, spec.changed(batch_size=3))
    images = service.load_run(home, service.submit(home, spec.changed(unit="image", batch_size=3))).spec
    assert images is not None
    assert images.unit == "image"
