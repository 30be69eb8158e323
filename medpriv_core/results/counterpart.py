"""The run that a private one is to be held against: the same one without noise and clipping.

What privacy costs is the difference of two runs that are alike but for privacy. Of a private run the other one follows
from its settings, so nobody need fill it into a form:

>>> private = RunSpec(dataset="synthetic_chest", method="dp_sgd", noise_multiplier=2.0, sampling="poisson", epochs=7)
>>> without_privacy(private) == RunSpec(dataset="synthetic_chest", epochs=7)
True
>>> differing(private, RunSpec(dataset="synthetic_chest", epochs=9, seed=3))
['epochs']
"""

from __future__ import annotations

import functools

from medpriv_core.spec import DEFAULTS, SETTINGS, RunSpec

_OF_PRIVACY = {name: DEFAULTS[name] for name, setting in SETTINGS.items() if setting.methods}


def without_privacy(spec: RunSpec) -> RunSpec:
    """The same run without what belongs to the methods that protect."""
    sampling = "auto" if spec.sampling == "poisson" else spec.sampling
    return spec.changed(**_OF_PRIVACY, method="none", sampling=sampling)


def differing(first: RunSpec, other: RunSpec) -> list[str]:
    """The settings that have nothing to do with privacy, nor with the seed, in which two runs differ.

    How batches are drawn is none of them: methods that protect have a way of their own.
    """
    ours, theirs = vars(_plain(first)), vars(_plain(other))
    return [name for name in ours if name != "sampling" and ours[name] != theirs[name]]


@functools.lru_cache(maxsize=4096)
def _plain(spec: RunSpec) -> RunSpec:
    return without_privacy(spec).canonical(any_seed=True)
