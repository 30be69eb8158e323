"""Random numbers that must stay secret: they come from OpenSSL or the operating system, and have no seed of ours."""

from __future__ import annotations

import secrets
import ssl

import numpy as np
import torch

from medpriv_core.privacy.facts import Source


class SecretUniform:
    """Uniform numbers, for choosing the images of a batch: who was drawn is a secret too.

    Has of ``numpy.random.Generator`` what ``sampling.poisson_batch`` needs.
    """

    drawn_by: Source = "openssl"

    def random(self, n: int) -> np.ndarray:
        """(n,) float64 in [0, 1), multiples of 2**-53."""
        return (random_bits(n) >> np.uint64(11)) * 2.0**-53


def random_bits(n: int) -> np.ndarray:
    """(n,) ``uint64`` from OpenSSL."""
    return np.frombuffer(ssl.RAND_bytes(8 * n), np.uint64)


def secret_generator(device: torch.device) -> torch.Generator:
    """A generator for the mechanism's noise, seeded by the operating system.

    Never leave this to torch's default: on CUDA that starts every process from the same constant.
    """
    return torch.Generator(device=device).manual_seed(secrets.randbits(63))
