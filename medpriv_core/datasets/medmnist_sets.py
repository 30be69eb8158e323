"""The sets of MedMNIST, told from one another by their number of images.

All are npz files with arrays of the same names, and many of the same shape: BreastMNIST would train without a complaint
under the labels of PneumoniaMNIST. Numbers of images are those of ``info.py`` of the PyPI package medmnist 3.0.2 and of
version 2.1 where they differ.
"""

from __future__ import annotations

import re

# Name -> (training, validation, test) images.
SETS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "pneumoniamnist": ((4708, 524, 624),),
    "retinamnist": ((1080, 120, 400),),
    "breastmnist": ((546, 78, 156),),
    "pathmnist": ((89996, 10004, 7180),),
    "chestmnist": ((78468, 11219, 22433),),
    "dermamnist": ((7007, 1003, 2005),),
    "octmnist": ((97477, 10832, 1000),),
    "bloodmnist": ((11959, 1712, 3421),),
    "tissuemnist": ((165466, 23640, 47280),),
    "organamnist": ((34561, 6491, 17778), (34581, 6491, 17778)),
    "organcmnist": ((12975, 2392, 8216), (13000, 2392, 8268)),
    "organsmnist": ((13932, 2452, 8827), (13940, 2452, 8829)),
    "organmnist3d": ((971, 161, 610), (972, 161, 610)),
    "nodulemnist3d": ((1158, 165, 310),),
    "adrenalmnist3d": ((1188, 98, 298),),
    "fracturemnist3d": ((1027, 103, 240),),
    "vesselmnist3d": ((1333, 191, 382), (1335, 191, 382), (1335, 192, 382)),
    "synapsemnist3d": ((1230, 177, 352),),
}


def recognise(counts: tuple[int, int | None, int], file_name: str) -> str | None:
    """Which set a file is: by its (training, validation, test) images, else by its name; None where neither tells.

    Validation images may have been taken out (None).

    >>> recognise((546, 78, 156), "pneumoniamnist.npz"), recognise((20, 4, 10), "my_breastmnist_64.npz")
    ('breastmnist', 'breastmnist')
    """
    for name, known in SETS.items():
        for train, val, test in known:
            if (train, test) == (counts[0], counts[2]) and counts[1] in (None, val):
                return name
    plain = re.sub(r"[^a-z0-9]", "", file_name.lower())
    return next((name for name in SETS if name in plain), None)
