"""The sets of MedMNIST: what each is, and how they are told from one another.

All are npz files with arrays of the same names, and many of the same shape: BreastMNIST would train without a complaint
under the labels of PneumoniaMNIST. Facts, addresses and MD5 sums are those of ``info.py`` of the PyPI package medmnist
3.0.2; numbers of images also those of version 2.1 where they differ. The images, with the sources that each names: Yang
et al. 2023, doi 10.1038/s41597-022-01721-8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from medpriv_core.datasets.graded_table import DR_GRADES

Counts = tuple[int, int, int]  # training, validation, test images

SIZES = (28, 64, 128, 224)
# Nearly twice the largest array of 64 pixels a side. An array is read as a whole, and a common machine has 8 GiB.
MAX_ARRAY_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class MnistSet:
    """One set with one label an image, or one of the labels of a set with several.

    name   of the dataset
    of     name of its set, where that is another; its file bears it
    label  column of the labels, where there are several, each 0 or 1
    """

    name: str
    title: str
    classes: tuple[str, ...]
    channels: Literal[1, 3]
    images: str  # what they show and where they come from, in a few words
    licence: str
    counts: tuple[Counts, ...]  # of the editions, the newest first
    md5: Mapping[int, str]  # by pixels a side
    ordered: bool = False
    of: str = ""
    label: int | None = None

    @property
    def set_name(self) -> str:
        """Of the file that it is read from."""
        return self.of or self.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """The pixels a side of the files whose arrays have room."""
        largest = max(max(self.counts[0]) * self.channels, 1)
        return tuple(size for size in self.md5 if largest * size * size <= MAX_ARRAY_BYTES)


_ORGANS = (
    "Bladder", "Left femur", "Right femur", "Heart", "Left kidney", "Right kidney", "Liver", "Left lung", "Right lung",
    "Pancreas", "Spleen",
)  # fmt: skip


def _md5(*sums: str) -> dict[int, str]:
    return dict(zip(SIZES, sums, strict=True))


# The text-mined labels of ChestMNIST in the order of their columns: name of the dataset, and of the finding.
_FINDINGS = (
    ("atelectasis", "Atelectasis"), ("cardiomegaly", "Cardiomegaly"), ("effusion", "Effusion"),
    ("infiltration", "Infiltration"), ("mass", "Mass"), ("nodule", "Nodule"), ("pneumonia", "Pneumonia"),
    ("pneumothorax", "Pneumothorax"), ("consolidation", "Consolidation"), ("edema", "Oedema"),
    ("emphysema", "Emphysema"), ("fibrosis", "Fibrosis"), ("pleural", "Pleural thickening"), ("hernia", "Hernia"),
)  # fmt: skip
FINDINGS = len(_FINDINGS)


def _chest(label: int, key: str, finding: str) -> MnistSet:
    """One finding of ChestMNIST against all else, healthy or ill in another way."""
    return MnistSet(
        name=f"chestmnist_{key}",
        title=f"ChestMNIST: {finding[0].lower()}{finding[1:]} or not",
        classes=(f"No {finding[0].lower()}{finding[1:]}", finding),
        channels=1,
        images="frontal chest X-rays of NIH ChestX-ray14, one of its 14 findings, mined from reports, against all else",
        licence="CC BY 4.0",
        counts=((78468, 11219, 22433),),
        md5=_md5(
            "02c8a6516a18b556561a56cbdd36c4a8",
            "9de6cd0b934ebb5b7426cfba5efbae16",
            "db107e5590b27930b62dbaf558aebee3",
            "45bd33e6f06c3e8cdb481c74a89152aa",
        ),
        of="chestmnist",
        label=label,
    )


READ: tuple[MnistSet, ...] = (
    MnistSet(
        name="pneumoniamnist",
        title="PneumoniaMNIST",
        classes=("Normal", "Pneumonia"),
        channels=1,
        images="the chest X-rays of Kermany et al., cropped",
        licence="CC BY 4.0",
        counts=((4708, 524, 624),),
        md5=_md5(
            "28209eda62fecd6e6a2d98b1501bb15f",
            "8f4eceb4ccffa70c672198ea285246c6",
            "05b46931834c231683c68f40c47b2971",
            "d6a3c71de1b945ea11211b03746c1fe1",
        ),
    ),
    MnistSet(
        name="retinamnist",
        title="RetinaMNIST, diabetic retinopathy",
        classes=DR_GRADES,
        channels=3,
        images="fundus photographs of DeepDRiD, cropped",
        licence="CC BY 4.0",
        counts=((1080, 120, 400),),
        md5=_md5(
            "bd4c0672f1bba3e3a89f0e4e876791e4",
            "afda852cc34dcda56f86ad2b2457dbcc",
            "e48e916a24454daf90583d4e6efb1a18",
            "eae7e3b6f3fcbda4ae613ebdcbe35348",
        ),
        ordered=True,
    ),
    MnistSet(
        name="breastmnist",
        title="BreastMNIST, ultrasound",
        classes=("Malignant", "Normal or benign"),
        channels=1,
        images="ultrasound images of breasts (Al-Dhabyani et al. 2020)",
        licence="CC BY 4.0",
        counts=((546, 78, 156),),
        md5=_md5(
            "750601b1f35ba3300ea97c75c52ff8f6",
            "742edef2a1fd1524b2efff4bd7ba9364",
            "363e4b3f8d712e9b5de15470a2aaadf1",
            "b56378a6eefa9fed602bb16d192d4c8b",
        ),
    ),
    MnistSet(
        name="pathmnist",
        title="PathMNIST, colon tissue",
        classes=(
            "Adipose tissue",
            "Background",
            "Debris",
            "Lymphocytes",
            "Mucus",
            "Smooth muscle",
            "Normal colon mucosa",
            "Cancer-associated stroma",
            "Colorectal adenocarcinoma epithelium",
        ),
        channels=3,
        images="patches of stained sections of colorectal cancer (Kather et al. 2019)",
        licence="CC BY 4.0",
        counts=((89996, 10004, 7180),),
        md5=_md5(
            "a8b06965200029087d5bd730944a56c1",
            "55aa9c1e0525abe5a6b9d8343a507616",
            "ac42d08fb904d92c244187169d1fd1d9",
            "2c51a510bcdc9cf8ddb2af93af1eadec",
        ),
    ),
    MnistSet(
        name="dermamnist",
        title="DermaMNIST, skin lesions",
        classes=(
            "Actinic keratoses and intraepithelial carcinoma",
            "Basal cell carcinoma",
            "Benign keratosis-like lesions",
            "Dermatofibroma",
            "Melanoma",
            "Melanocytic nevi",
            "Vascular lesions",
        ),
        channels=3,
        images="dermatoscopic images of HAM10000",
        licence="CC BY-NC 4.0",
        counts=((7007, 1003, 2005),),
        md5=_md5(
            "0744692d530f8e62ec473284d019b0c7",
            "b70a2f5635c6199aeaa28c31d7202e1f",
            "2defd784463fa5243564e855ed717de1",
            "8974907d8e169bef5f5b96bc506ae45d",
        ),
    ),
    MnistSet(
        name="octmnist",
        title="OCTMNIST, retina scans",
        classes=("Choroidal neovascularisation", "Diabetic macular oedema", "Drusen", "Normal"),
        channels=1,
        images="optical coherence tomography of retinas (Kermany et al. 2018)",
        licence="CC BY 4.0",
        counts=((97477, 10832, 1000),),
        md5=_md5(
            "c68d92d5b585d8d81f7112f81e2d0842",
            "e229e9440236b774d9f0dfef9d07bdaf",
            "0a97e76651ace45c5d943ee3f65b63ae",
            "abc493b6d529d5de7569faaef2773ba3",
        ),
    ),
    MnistSet(
        name="bloodmnist",
        title="BloodMNIST, blood cells",
        classes=(
            "Basophil",
            "Eosinophil",
            "Erythroblast",
            "Immature granulocytes",
            "Lymphocyte",
            "Monocyte",
            "Neutrophil",
            "Platelet",
        ),
        channels=3,
        images="single normal blood cells under a microscope (Acevedo et al. 2020)",
        licence="CC BY 4.0",
        counts=((11959, 1712, 3421),),
        md5=_md5(
            "7053d0359d879ad8a5505303e11de1dc",
            "2b94928a2ae4916078ca51e05b6b800b",
            "adace1e0ed228fccda1f39692059dd4c",
            "b718ff6835fcbdb22ba9eacccd7b2601",
        ),
    ),
    MnistSet(
        name="tissuemnist",
        title="TissueMNIST, kidney cells",
        classes=(
            "Collecting duct, connecting tubule",
            "Distal convoluted tubule",
            "Glomerular endothelial cells",
            "Interstitial endothelial cells",
            "Leukocytes",
            "Podocytes",
            "Proximal tubule segments",
            "Thick ascending limb",
        ),
        channels=1,
        images="kidney cortex cells of the Broad Bioimage Benchmark Collection, BBBC051",
        licence="CC BY 4.0",
        counts=((165466, 23640, 47280),),
        md5=_md5(
            "ebe78ee8b05294063de985d821c1c34b",
            "123ece2eba09d0aa5d698fda57103344",
            "61b955355d7425a89687b06cca3ce0c2",
            "b077128c4a949f0a4eb01517f9037b9c",
        ),
    ),
    MnistSet(
        name="organamnist",
        title="OrganAMNIST, axial slices",
        classes=_ORGANS,
        channels=1,
        images="axial slices of CT scans of the Liver Tumor Segmentation Benchmark",
        licence="CC BY 4.0",
        counts=((34561, 6491, 17778), (34581, 6491, 17778)),
        md5=_md5(
            "68e3f8846a6bd62f0c9bf841c0d9eacc",
            "2dcccc29b88e6da5a01161ef20cda288",
            "eeae80d0a227a8d099027e1b3cfd3b60",
            "50747347e05c87dd3aaf92c49f9f3170",
        ),
    ),
    MnistSet(
        name="organcmnist",
        title="OrganCMNIST, coronal slices",
        classes=_ORGANS,
        channels=1,
        images="coronal slices of CT scans of the Liver Tumor Segmentation Benchmark",
        licence="CC BY 4.0",
        counts=((12975, 2392, 8216), (13000, 2392, 8268)),
        md5=_md5(
            "b9ceb9546e10131b32923c5bbeaea2b1",
            "3ce34a8724ea6f548e6db4744d03b6a9",
            "773c1f009daa3fe5d9a2a201b2a7ed94",
            "050f5e875dc056f6768abf94ec9995d1",
        ),
    ),
    MnistSet(
        name="organsmnist",
        title="OrganSMNIST, sagittal slices",
        classes=_ORGANS,
        channels=1,
        images="sagittal slices of CT scans of the Liver Tumor Segmentation Benchmark",
        licence="CC BY 4.0",
        counts=((13932, 2452, 8827), (13940, 2452, 8829)),
        md5=_md5(
            "9ab87b696fb54e2a387ebe992d6ed5f1",
            "53a6d115339d874c25e309a994ff46d3",
            "ded0c5fa01a95dc4978b956f613e9b8e",
            "b354719e553fbbb2513d5533f52a4cb1",
        ),
    ),
    *(_chest(label, key, finding) for label, (key, finding) in enumerate(_FINDINGS)),
)

# Those that are not read: they have three dimensions.
_OTHERS: dict[str, tuple[Counts, ...]] = {
    "organmnist3d": ((971, 161, 610), (972, 161, 610)),
    "nodulemnist3d": ((1158, 165, 310),),
    "adrenalmnist3d": ((1188, 98, 298),),
    "fracturemnist3d": ((1027, 103, 240),),
    "vesselmnist3d": ((1333, 191, 382), (1335, 191, 382), (1335, 192, 382)),
    "synapsemnist3d": ((1230, 177, 352),),
}
SETS: dict[str, tuple[Counts, ...]] = {one.set_name: one.counts for one in READ} | _OTHERS


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
