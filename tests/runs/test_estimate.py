"""What a run is foretold to take: time by what runs on this machine took, memory and disk by the sizes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from medpriv_core.home import DataHome
from medpriv_core.patients import PatientCount
from medpriv_core.records.epoch import EpochRow
from medpriv_core.records.setup import Setup
from medpriv_core.results.reference import read_references
from medpriv_core.runs import estimate, run_parts, service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.estimate import estimate_disk, estimate_memory, estimate_time, took_seconds
from medpriv_core.runs.run_parts import START_S
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SIZES: dict[str, Any] = {"train_size": 640, "test_size": 160}
SPEC = RunSpec(dataset="synthetic_chest", weights="none")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def record(
    home: DataHome, spec: RunSpec, took_s: float, monkeypatch: pytest.MonkeyPatch, *, trained_s: float | None = None
) -> None:
    """A finished run that took so long, ``trained_s`` of it for its epochs."""
    run_id = service.submit(home, spec)
    directory = RunDirectory(home.runs / run_id)
    directory.write_setup(Setup.from_dict(SIZES))
    if trained_s is not None:
        directory.append_epoch(EpochRow(epoch=spec.epochs, elapsed_s=trained_s))
    store = RunStore(home)
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: 1000.0)
        store.claim_next()
        clock.setattr(time, "time", lambda: 1000.0 + took_s)
        store.end(run_id, "finished", None)


def seconds(home: DataHome, spec: RunSpec) -> float:
    return estimate_time(home, spec, **SIZES).seconds


def test_features_that_are_there_cost_no_time(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seconds(home, SPEC)
    record(home, SPEC, first, monkeypatch)
    home.features.mkdir(parents=True)
    assert seconds(home, SPEC) < first - 1
    # Other settings of the training, the same features.
    assert seconds(home, SPEC.changed(learning_rate=0.5)) == pytest.approx(seconds(home, SPEC))
    for other in ({"image_size": 96}, {"features": "layer3"}, {"seed": 1}, {"method": "local_dp", "beta": 1.0}):
        assert seconds(home, SPEC.changed(**other)) > first - 2
    home.features.rmdir()
    assert seconds(home, SPEC) == pytest.approx(first)


def test_a_run_that_found_its_features_is_not_mistaken_for_a_fast_machine(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = seconds(home, SPEC)
    record(home, SPEC, first, monkeypatch)
    home.features.mkdir(parents=True)
    second = seconds(home, SPEC.changed(epochs=1000))
    record(home, SPEC.changed(epochs=1000), second, monkeypatch)
    assert seconds(home, SPEC.changed(image_size=96)) > first


def test_a_short_run_on_a_busy_machine_does_not_make_long_ones_endless(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = SPEC.changed(image_size=224, epochs=500)
    short, expected = seconds(home, SPEC.changed(epochs=1)), seconds(home, long)
    record(home, SPEC.changed(epochs=1), 5 * short, monkeypatch)
    assert expected < seconds(home, long) < 6 * expected


def test_engines_differ_as_measured(home: DataHome) -> None:
    ordinary = seconds(home, SPEC.changed(trainable="all", epochs=200))
    private = SPEC.changed(trainable="all", epochs=200, method="dp_sgd", noise_multiplier=1.0)
    one_pass = seconds(home, private)
    assert ordinary < one_pass < 1.3 * ordinary
    assert seconds(home, private.changed(engine="opacus")) > 5 * one_pass
    assert seconds(home, private.changed(noise_generator="secure")) > one_pass
    authors = private.changed(engine="microbatch", microbatch_size=4)
    assert one_pass < seconds(home, authors) < seconds(home, authors.changed(microbatch_size=1))
    norms = seconds(home, private.changed(trainable="norms"))
    assert seconds(home, private.changed(trainable="head")) < norms < one_pass


def test_a_pass_keeps_no_more_than_its_budget() -> None:
    whole = SPEC.changed(trainable="all", image_size=224, batch_size=512)
    at_most_1_gib = estimate_memory(whole, **SIZES)
    assert estimate_memory(whole.changed(batch_size=128), **SIZES) == at_most_1_gib
    assert estimate_memory(whole.changed(sampling="full_batch"), **SIZES) == at_most_1_gib
    assert at_most_1_gib - estimate_memory(whole.changed(memory_mb=512), **SIZES) == pytest.approx(
        1.35 * 536.87, abs=0.2
    )
    # 160 numbers of four bytes for each of 64 x 64 pixels of 10 images, and a third more that is freed and kept.
    few = SPEC.changed(trainable="all", batch_size=10)
    assert estimate_memory(few.changed(batch_size=20), **SIZES) - estimate_memory(few, **SIZES) == pytest.approx(
        1.35 * 26.2144
    )


def test_the_authors_engine_holds_one_microbatch_at_a_time() -> None:
    private = SPEC.changed(trainable="all", method="dp_sgd", noise_multiplier=1.0, batch_size=128)
    authors = private.changed(engine="microbatch", microbatch_size=4)
    assert estimate_memory(authors, **SIZES) < estimate_memory(private, **SIZES) - 100
    assert estimate_memory(authors, **SIZES) == estimate_memory(authors.changed(batch_size=64), **SIZES)


def test_a_checkpoint_of_all_layers_holds_weights_and_momentum() -> None:
    everything = SPEC.changed(trainable="all")
    assert estimate_disk(everything, **SIZES).own_mb == pytest.approx(90, rel=0.02)
    assert estimate_disk(everything.changed(momentum=0.0), **SIZES).own_mb == pytest.approx(45, rel=0.02)
    assert estimate_disk(everything.changed(average_last=0.5), **SIZES).own_mb == pytest.approx(134, rel=0.02)
    assert estimate_disk(SPEC, **SIZES).own_mb < 1


def test_images_and_features_are_on_disk_once() -> None:
    # 800 images of 64 x 64 bytes, and 512 numbers of four bytes for each.
    assert estimate_disk(SPEC, **SIZES).shared_mb == pytest.approx(800 * (64 * 64 + 2048) / 1e6)
    everything = SPEC.changed(trainable="all")
    assert estimate_disk(everything, **SIZES).shared_mb == pytest.approx(800 * 64 * 64 / 1e6)
    noised = everything.changed(method="local_dp", beta=1.0)
    assert estimate_disk(noised, **SIZES).shared_mb == pytest.approx(2 * 800 * 64 * 64 / 1e6)


@pytest.mark.parametrize(
    ("settings", "measured_mb"),
    [
        ({}, 1361),
        ({"momentum": 0.0}, 1347),
        ({"batch_size": 256}, 2018),
        ({"image_size": 128}, 2029),
        ({"method": "dp_sgd", "noise_multiplier": 1.0}, 1578),
        ({"method": "dp_sgd", "noise_multiplier": 1.0, "image_size": 32, "batch_size": 32}, 1302),
        ({"method": "dp_sgd", "noise_multiplier": 1.0, "average_last": 0.5}, 1634),
        ({"method": "dp_sgd", "noise_multiplier": 1.0, "batch_size": 256}, 1774),
    ],
    ids=str,
)
def test_memory_is_about_what_workers_were_measured_to_take(settings: dict[str, Any], measured_mb: float) -> None:
    # Peaks of real workers (ru_maxrss) with all layers of ResNet-18 on the processor.
    estimate = estimate_memory(SPEC.changed(trainable="all", **settings), **SIZES)
    assert 0.98 * measured_mb < estimate < 1.3 * measured_mb


# Processor time in ms for an image of one step of one thread (``time.process_time``), at the best of three: batches of
# 64 images up to 96 pixels, 32 up to 128, else 16. On two cores that others used too, so each is held against 224.
#   OMP_NUM_THREADS=1, engines.make_stepper(...).step(batch) and network.features(images) on random images
BUSY_MS = {
    "forward": {64: 5.0, 96: 12.8, 112: 21.0, 128: 20.3, 160: 32.9, 224: 60.4},
    "all": {64: 24.2, 96: 55.2, 112: 66.7, 128: 88.2, 160: 130.6, 224: 252.4},
    "norms": {64: 12.95, 96: 26.2, 112: 40.0, 128: 45.4, 160: 77.3, 224: 123.3},
    "all, one pass": {64: 26.75, 96: 56.0, 112: 73.2, 128: 90.6, 160: 145.4, 224: 250.5},
}


@pytest.mark.parametrize("what", list(BUSY_MS))
def test_the_table_grows_with_the_size_as_measured(what: str) -> None:
    cost = run_parts.forward_s if what == "forward" else run_parts.train_s
    for side, measured in BUSY_MS[what].items():
        expected = cost(side) / cost(224)
        # 112 pixels forward were measured while the processor was busiest: more than 128 pixels.
        assert expected == pytest.approx(
            measured / BUSY_MS[what][224], rel=0.3 if (what, side) != ("forward", 112) else 0.4
        )
    share = BUSY_MS["norms"][224] / BUSY_MS["all"][224]
    assert pytest.approx(share, rel=0.3) == run_parts.NORMS_SHARE


def test_an_epoch_of_all_layers_at_224_pixels_takes_the_processor_time_that_was_measured() -> None:
    # An audit on a quiet machine found 165 s for 1,186 images with the test images that belong to them, a quarter.
    core_s = 1186 * run_parts.train_s(224) + 1186 / 4 * run_parts.forward_s(224)
    assert core_s == pytest.approx(165, rel=0.3)


def test_sizes_between_those_of_the_table_lie_between_them_and_larger_ones_grow_by_pixels() -> None:
    costs = [run_parts.train_s(side) for side in (16, 28, 40, 64, 100, 150, 224, 300)]
    assert costs == sorted(costs)
    assert run_parts.train_s(448) == pytest.approx(4 * run_parts.train_s(224))


# Seconds an epoch of the reference runs, as they recorded them on two quiet cores of an x86-64 server (torch 2.14.1,
# ``python -m benchmarks.reference``): the fastest of a kind, because some ran beside others. By dataset, method,
# layers, sampling and variants of an image.
TOOK = {
    ("chest_xray", "none", "head", "auto", 1): 0.07118,
    ("chest_xray", "local_dp", "head", "auto", 1): 0.04572,
    ("chest_xray", "dp_sgd", "head", "auto", 1): 0.09817,
    ("chest_xray", "none", "head", "full_batch", 4): 0.1307,
    ("chest_xray", "dp_sgd", "head", "full_batch", 4): 0.1597,
    ("chest_xray", "dp_sgd", "head", "full_batch", 3): 0.1268,
    ("chest_xray", "none", "all", "auto", 1): 46.25,
    ("chest_xray", "local_dp", "all", "auto", 1): 46.61,
    ("chest_xray", "dp_sgd", "all", "auto", 1): 55.23,
    ("idrid", "none", "head", "auto", 1): 0.00489,
    ("idrid", "local_dp", "head", "auto", 1): 0.005094,
    ("idrid", "dp_sgd", "head", "auto", 1): 0.02115,
    ("idrid", "none", "head", "full_batch", 1): 0.004397,
    ("idrid", "dp_sgd", "head", "full_batch", 1): 0.006818,
    ("idrid", "none", "all", "auto", 1): 4.439,
    ("idrid", "local_dp", "all", "auto", 1): 3.905,
    ("idrid", "dp_sgd", "all", "auto", 1): 5.018,
}


def test_epochs_of_the_reference_runs_take_about_as_long_as_they_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_parts, "cores", lambda: 2)
    key: tuple[object, ...]
    foretold: dict[tuple[object, ...], float] = {}
    for result in (result for reference in read_references().sets for result in reference.results):
        spec = result.spec
        assert spec is not None
        assert result.test_size is not None
        train_size = {"chest_xray": 5216, "idrid": 413}[spec.dataset]
        key = (spec.dataset, spec.method, spec.trainable, spec.sampling, spec.augmentation_multiplicity)
        seconds = {}
        for epochs in (1, 2):
            sizes: dict[str, Any] = {"train_size": train_size, "test_size": result.test_size}
            seconds[epochs] = estimate_time(DataHome(Path("/nowhere")), spec.changed(epochs=epochs), **sizes).seconds
        foretold[key] = seconds[2] - seconds[1]
    for key, elapsed in TOOK.items():
        # An epoch of the last layer takes milliseconds, in which other things count too.
        within = 1.3 if key[2] == "all" else 2.0
        assert elapsed / within < foretold[key] < elapsed * within, key


def test_a_like_run_of_the_nearest_size_says_how_fast_the_machine_is(
    home: DataHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = SPEC.changed(trainable="all", epochs=50)
    small, large = everything.changed(image_size=32), everything.changed(image_size=224)
    table = {spec: seconds(home, spec) for spec in (small, large)}
    record(home, small, 5 * table[small], monkeypatch)
    record(home, large, 1 * table[large], monkeypatch)
    assert seconds(home, everything.changed(image_size=160)) < 1.1 * table[large] * 0.6
    assert seconds(home, large) == pytest.approx(table[large], rel=0.01)
    assert seconds(home, small) == pytest.approx(5 * table[small], rel=0.1)


@pytest.mark.parametrize(
    ("ended_at", "last", "seconds"),
    [
        (160.0, EpochRow(elapsed_s=50.0), 60.0),
        (100.0 + 40 * 86_400, EpochRow(elapsed_s=50.0), 50.0 + START_S),  # the clock was set ahead meanwhile
        (40.0, EpochRow(elapsed_s=50.0), 50.0 + START_S),  # or back
        (160.0, EpochRow(), 60.0),  # nothing was measured
        (40.0, EpochRow(), None),
        (100.0, EpochRow(), None),
    ],
)
def test_how_long_a_run_took_is_not_told_by_the_clock_alone(
    ended_at: float, last: EpochRow, seconds: float | None
) -> None:
    assert took_seconds(100.0, ended_at, last) == seconds


def make_folders(home: DataHome) -> None:
    """What runs of the past have made is still there."""
    home.check_writable()
    for folder in (home.prepared, home.features):
        folder.mkdir()


LOCAL_DP = SPEC.changed(method="local_dp", beta=1.0)


def test_what_is_made_before_the_first_step_is_in_the_estimate_and_for_the_first_such_run_alone(home: DataHome) -> None:
    make_folders(home)
    sizes = {SPEC.dataset: (640, 160)}
    first, second, other = estimate.estimate_times(home, [LOCAL_DP, LOCAL_DP, LOCAL_DP.changed(beta=2.0)], sizes=sizes)
    assert set(first.parts) == {"start", "images", "noised_copy", "features", "training"}
    assert set(second.parts) == {"start", "training"}
    assert set(other.parts) == {"start", "noised_copy", "features", "training"}  # the images are there
    assert first.seconds == pytest.approx(first.once_s + second.seconds)
    # 800 pictures are drawn, 54 ms of a core each: alone more than was once said for the whole run.
    assert first.parts["images"] > 800 * 0.054 / run_parts.cores()


def test_training_making_and_starting_are_learned_apart(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folders(home)
    table = estimate_time(home, SPEC, **SIZES)
    # Two seconds to start, images and features four times as slow as by the table, epochs twice as fast.
    record(home, SPEC, 2.0 + 0.5, monkeypatch, trained_s=0.5)
    record(home, SPEC, 2.0 + 0.5, monkeypatch, trained_s=0.5)
    other = SPEC.changed(image_size=96)
    by_table = run_parts.table(other, 640, 160)
    once_s = sum(by_table[part] for part in run_parts.ONCE if part in by_table)
    record(home, other, 2.0 + 4 * 20.0, monkeypatch, trained_s=1.0)
    now = estimate_time(home, SPEC.changed(image_size=128, epochs=500), **SIZES)
    before = estimate_time(DataHome(home.root / "another"), SPEC.changed(image_size=128, epochs=500), **SIZES)
    assert now.measured
    assert not table.measured
    assert now.parts["start"] == pytest.approx(2.0)
    learned = (2.0 + 80.0 - 1.0 - 2.0) / once_s
    assert now.once_s == pytest.approx(learned * before.once_s, rel=0.01)
    assert now.parts["training"] == pytest.approx(before.parts["training"] / by_table["training"], rel=0.01)


def test_a_slow_start_does_not_make_long_training_slow(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    long = SPEC.changed(epochs=1000)
    trained_s = estimate_time(home, SPEC, **SIZES).parts["training"]
    make_folders(home)
    record(home, SPEC, 122.0, monkeypatch, trained_s=trained_s)
    expected = estimate_time(DataHome(home.root / "another"), long, **SIZES)
    assert estimate_time(home, long, **SIZES).parts["training"] == pytest.approx(expected.parts["training"])


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_where_patients_are_drawn_an_epoch_looks_at_their_number(home: DataHome, trainable: Any) -> None:
    spec = SPEC.changed(method="dp_sgd", noise_multiplier=1.0, trainable=trainable, batch_size=8)
    sizes: dict[str, Any] = {"train_size": 640, "test_size": 0}
    of_patients, of_images = PatientCount(160, 30), PatientCount(640, 1)

    def training(**more: Any) -> float:
        return estimate_time(home, spec, **sizes, **more).parts["training"]

    assert training(patients=of_images) == training()  # nobody has two images
    assert training(patients=of_patients) / training() == pytest.approx(0.25, rel=0.15)
    assert (
        estimate_time(home, spec.changed(unit="image"), **sizes, patients=of_patients).parts["training"] == training()
    )
    few = spec.changed(unit="patient", images_drawn=1)
    assert estimate_time(home, few, **sizes, patients=of_patients).parts["training"] == training(patients=of_patients)
