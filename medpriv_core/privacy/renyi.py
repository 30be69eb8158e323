"""Epsilon by Rényi differential privacy (RDP), the classic accountant: looser than the PLD, and independent of it.

The Rényi divergence of every order α of all steps is their sum, and each order gives a valid epsilon at δ (Mironov
2017; conversion by Canonne, Kamath and Steinke 2020). The smallest of these is reported.
"""

from __future__ import annotations

import functools
import logging
import math

import numpy as np

from medpriv_core.privacy.loss_distribution import Stretches

# The order that matters is about 2 ln(1/δ) / ε; higher ones than this take seconds.
MAX_ORDER = 50_000
# What floating-point numbers may lose of one step's divergence.
ROUNDING = 3e-14
# For neighbours by replacement, by numerical integration.
REPLACE_ONE_ORDERS = np.concatenate([np.arange(1.1, 11, 0.1), np.arange(11, 65), [80, 96, 128, 192, 256]])


@functools.lru_cache(maxsize=1024)
def rdp_epsilon(stretches: Stretches, delta: float, replace_one: bool) -> float:
    """Epsilon of stretches of steps at ``delta``; an upper bound. Infinite where no order gives a finite one."""
    if replace_one or all(rate == 1 for _, rate, _ in stretches):
        # Imported here: it takes a second to load, and most callers never need it.
        from dp_accounting.rdp import compute_epsilon

        orders, divergences = _divergences(stretches, replace_one)
        return float(compute_epsilon(orders, divergences, delta)[0])
    return _poisson_epsilon(stretches, delta)


def _poisson_epsilon(stretches: Stretches, delta: float) -> float:
    """For neighbours by addition or removal (Mironov, Talwar and Zhang 2019)."""
    from dp_accounting.rdp import compute_epsilon

    orders = _orders(stretches, delta)
    return float(compute_epsilon(orders, poisson_divergences(stretches, tuple(orders.tolist())), delta)[0])


@functools.lru_cache(maxsize=1024)
def poisson_divergences(stretches: Stretches, orders: tuple[float, ...]) -> np.ndarray:
    """The divergence of all stretches at each order, for neighbours by addition or removal; infinite where unknown."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, ZCDpEvent
    from dp_accounting.rdp import RdpAccountant

    _silence_skipped_orders()
    accountant = RdpAccountant(orders=np.array(orders))
    for noise, rate, steps in stretches:
        accountant.compose(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)
        accountant.compose(ZCDpEvent(rho=0, xi=ROUNDING), steps)
    return np.asarray(accountant.rdp)


@functools.cache
def _silence_skipped_orders() -> None:
    # The library logs every order whose series does not converge, and rightly leaves it out.
    logging.getLogger("absl").addFilter(lambda record: "failed to converge" not in record.getMessage())


def _orders(stretches: Stretches, delta: float) -> np.ndarray:
    from dp_accounting.rdp.rdp_privacy_accountant import DEFAULT_RDP_ORDERS

    # With q and σ in the central limit: total loss of variance V, where the best order is sqrt(2 ln(1/δ) / V).
    variance = sum(steps * rate**2 * math.expm1(min(50.0, noise**-2)) for noise, rate, steps in stretches)
    needed = math.sqrt(2 * math.log(1 / delta) / variance)
    # Tails make the best order lower than that, so half the way down is covered too.
    if needed <= 1024:
        return np.array(DEFAULT_RDP_ORDERS)
    return np.array([*DEFAULT_RDP_ORDERS, *np.round(np.geomspace(1024, min(MAX_ORDER, 1.5 * needed), 6)[1:])])


def _divergences(stretches: Stretches, replace_one: bool) -> tuple[np.ndarray, np.ndarray]:
    """Orders, and the divergence of all steps at each."""
    if not all(rate == 1 for _, rate, _ in stretches):
        return REPLACE_ONE_ORDERS, sum(
            (steps * _replace_one_divergences(noise, rate) for noise, rate, steps in stretches),
            start=np.zeros(len(REPLACE_ONE_ORDERS)),
        )
    orders = 1 + np.geomspace(1e-4, 1e7, 1000)
    distance = 2 if replace_one else 1
    return orders, orders / 2 * sum(steps * (distance / noise) ** 2 for noise, _, steps in stretches)


@functools.lru_cache(maxsize=64)
def _replace_one_divergences(noise: float, rate: float) -> np.ndarray:
    """Of one step, for neighbours by replacement: (1-q) N(0,σ²) + q N(1,σ²) against the same with N(-1,σ²)."""
    # The integrand of order α peaks at or below 2α - 1; steps of σ/20 integrate a Gaussian to the last digit.
    points = np.arange(-1 - 15 * noise, 2 * REPLACE_ONE_ORDERS[-1] + 15 * noise, noise / 20)

    def log_density(shift: float) -> np.ndarray:
        still = -(points**2) / (2 * noise**2)
        moved = -((points - shift) ** 2) / (2 * noise**2)
        return np.asarray(np.logaddexp(math.log1p(-rate) + still if rate < 1 else -np.inf, math.log(rate) + moved))

    near, far = log_density(1), log_density(-1)
    scale = math.log(20 * math.sqrt(2 * math.pi))
    logs = [np.logaddexp.reduce(order * near + (1 - order) * far) - scale for order in REPLACE_ONE_ORDERS]
    return np.maximum(np.array(logs), 0) / (REPLACE_ONE_ORDERS - 1)
