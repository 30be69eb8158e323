"""What a run is foretold to take: time by what runs on this machine took, memory and disk by the sizes."""

from __future__ import annotations

import time

import pytest

from medpriv_core.home import DataHome
from medpriv_core.runs import service
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.estimate import estimate_disk, estimate_memory, estimate_time
from medpriv_core.runs.store import RunStore
from medpriv_core.spec import RunSpec

SIZES = {"train_size": 640, "test_size": 160}
SPEC = RunSpec(dataset="synthetic_chest", weights="none")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "ensure_runner", lambda home: None)


def record(home: DataHome, spec: RunSpec, took_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished run that took so long."""
    run_id = service.submit(home, spec)
    RunDirectory(home.runs / run_id).write_setup(SIZES)
    store = RunStore(home)
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: 1000.0)
        store.claim_next()
        clock.setattr(time, "time", lambda: 1000.0 + took_s)
        store.end(run_id, "finished", None)


def seconds(home: DataHome, spec: RunSpec) -> float:
    return estimate_time(home, spec, **SIZES).seconds


def test_features_that_are_there_cost_no_time(home: DataHome, monkeypatch: pytest.MonkeyPatch):
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
):
    first = seconds(home, SPEC)
    record(home, SPEC, first, monkeypatch)
    home.features.mkdir(parents=True)
    second = seconds(home, SPEC.changed(epochs=1000))
    record(home, SPEC.changed(epochs=1000), second, monkeypatch)
    assert seconds(home, SPEC.changed(image_size=96)) > first


def test_a_short_run_on_a_busy_machine_does_not_make_long_ones_endless(home: DataHome, monkeypatch: pytest.MonkeyPatch):
    long = SPEC.changed(image_size=224, epochs=500)
    short, expected = seconds(home, SPEC.changed(epochs=1)), seconds(home, long)
    record(home, SPEC.changed(epochs=1), 5 * short, monkeypatch)
    assert expected < seconds(home, long) < 6 * expected


def test_engines_differ_as_measured(home: DataHome):
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


def test_a_pass_keeps_no_more_than_its_budget():
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


def test_the_authors_engine_holds_one_microbatch_at_a_time():
    private = SPEC.changed(trainable="all", method="dp_sgd", noise_multiplier=1.0, batch_size=128)
    authors = private.changed(engine="microbatch", microbatch_size=4)
    assert estimate_memory(authors, **SIZES) < estimate_memory(private, **SIZES) - 100
    assert estimate_memory(authors, **SIZES) == estimate_memory(authors.changed(batch_size=64), **SIZES)


def test_a_checkpoint_of_all_layers_holds_weights_and_momentum():
    everything = SPEC.changed(trainable="all")
    assert estimate_disk(everything, **SIZES).own_mb == pytest.approx(90, rel=0.02)
    assert estimate_disk(everything.changed(momentum=0.0), **SIZES).own_mb == pytest.approx(45, rel=0.02)
    assert estimate_disk(everything.changed(average_last=0.5), **SIZES).own_mb == pytest.approx(134, rel=0.02)
    assert estimate_disk(SPEC, **SIZES).own_mb < 1


def test_images_and_features_are_on_disk_once():
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
def test_memory_is_about_what_workers_were_measured_to_take(settings: dict, measured_mb: float):
    # Peaks of real workers (ru_maxrss) with all layers of ResNet-18 on the processor.
    estimate = estimate_memory(SPEC.changed(trainable="all", **settings), **SIZES)
    assert 0.98 * measured_mb < estimate < 1.3 * measured_mb
