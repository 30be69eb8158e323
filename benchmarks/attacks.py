"""Processor time of all attempts to undo the noise on the retina photograph, at 256 × 256.

python -m benchmarks.attacks
"""

from __future__ import annotations

import time

import numpy as np

from medpriv_core.attacks.undo import undo
from medpriv_core.datasets.retina_photo import RetinaPhoto
from medpriv_core.datasets.viewing import view_image
from medpriv_core.mechanisms.catalog import make_mechanism
from medpriv_core.mechanisms.laplace import to_unit
from medpriv_core.uploads.fitting import fit


def main() -> None:
    colour = fit(view_image(RetinaPhoto(), 0).pixels, 256)
    mechanism = make_mechanism("laplace_per_pixel", beta=1.0)
    for title, picture in (("grey", colour[:, :, 1:2]), ("colour", colour)):
        released = mechanism.release(to_unit(picture), np.random.default_rng(0))
        list(undo(picture, released, mechanism))  # the first use loads what it needs
        begun = time.process_time()
        attempts = list(undo(picture, released, mechanism))
        print(f"{title}: {len(attempts)} attempts, {time.process_time() - begun:.1f} s")


if __name__ == "__main__":
    main()
