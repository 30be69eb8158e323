"""What the exact trade-off curve and the second accountant cost: the figures of docs/dp-sgd.md.

    python -m benchmarks.accounting [--rounds 5]

Each plan of training is asked in processes of its own, as by somebody who opens the page and changes one setting after
another: the first curve loads the libraries, the next one is of a plan that nobody asked before, the repeated one is
remembered. The second accountant, which pages ask in the background, is timed after both. Printed are medians with the
lowest and the highest. Exits with 3 on a machine that was busy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence

from benchmarks.judged import judged

# Noise multiplier, sampling rate, steps, images of one patient.
Plan = tuple[float, float, int, int]
STEPS = 50 * 41  # 50 epochs of batches of 128 from 5,232 images
PLANS: dict[str, Plan] = {
    "sound DP, every image in every step": (50.0, 1.0, 180, 1),
    "128 of 5,232, sigma = 1": (1.0, 128 / 5232, STEPS, 1),
    "128 of 5,232, sigma = 4": (4.0, 128 / 5232, STEPS, 1),
    "128 of 5,232, sigma = 2, patient of 5": (2.0, 128 / 5232, STEPS, 5),
    "q = 0.001, sigma = 1, 50,000 steps": (1.0, 0.001, 50_000, 1),
}
DELTA = 1e-5


def times_of(plan: Plan) -> tuple[float, float, float, float]:
    """Seconds of the first curve, of another plan's, of the same again, and of the second accountant."""
    noise, rate, steps, images = plan
    started = time.perf_counter()
    from medpriv_core.privacy.second_accountant import second_epsilon
    from medpriv_core.privacy.steps import Steps
    from medpriv_core.privacy.tradeoff import membership_risk

    membership_risk([Steps(noise, rate, steps)], delta=DELTA, images_per_patient=images)
    first = time.perf_counter() - started
    changed = [Steps(noise * 1.01, rate, steps)]
    another, again = (_seconds(lambda: membership_risk(changed, delta=DELTA, images_per_patient=images)) for _ in "12")
    second_epsilon([Steps(noise, rate, steps)], delta=DELTA, images_per_patient=images)  # loads its library
    return first, another, again, _seconds(lambda: second_epsilon(changed, delta=DELTA, images_per_patient=images))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def report(title: str, rounds: Sequence[tuple[float, float, float, float]]) -> None:
    """One row: milliseconds, as median (lowest to highest)."""
    columns = (
        f"{statistics.median(times) * 1e3:.3g} ({min(times) * 1e3:.3g} to {max(times) * 1e3:.3g})"
        for times in zip(*rounds, strict=True)
    )
    print(f"| {title} | " + " | ".join(columns) + " |")


def main() -> None:
    """Measure every plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes for each plan")
    options = parser.parse_args()
    print("| plan | first curve, ms | another plan's | the same again | second accountant |")
    print("| --- | --- | --- | --- | --- |")
    with judged():
        for title, plan in PLANS.items():
            with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                report(title, pool.map(times_of, [plan] * options.rounds, chunksize=1))


if __name__ == "__main__":
    main()
