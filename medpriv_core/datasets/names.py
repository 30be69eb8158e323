"""Names of files: which of them are pictures, which are litter, and when two spellings mean one file.

Datasets pass through spreadsheets, archivers and other people's computers on their way here. An id loses its leading
zeros or gains ".png"; an umlaut comes as one character or as two; folders gain underscores for blanks.
"""

from __future__ import annotations

import re
import unicodedata

from medpriv_core.pictures.kinds import READABLE_SUFFIXES

# Pictures of other kinds: left out, and said to be.
OTHER_PICTURES = (
    ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpx", ".jxl", ".svg",
    ".psd", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".raw", ".pgm", ".ppm", ".pbm", ".pnm", ".tga",
    ".ico", ".exr", ".jpeg.gz", ".jpg.gz", ".png.gz", ".dcm.gz", ".npy",
)  # fmt: skip

# Text, Excel's workbooks, and Parquet.
TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet")

_LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "picasa.ini", "zbthumbnail.info"}
_LITTER_FOLDERS = {"__macosx", "$recycle.bin", "system volume information", "@eadir", "lost+found", "#recycle"}


def is_image(name: str) -> bool:
    """Whether the name ends as that of a picture that medpriv reads."""
    return name.lower().endswith(READABLE_SUFFIXES)


def is_other_picture(name: str) -> bool:
    """Whether the name ends as that of a picture of a kind that medpriv does not read."""
    return name.lower().endswith(OTHER_PICTURES)


def is_table(name: str) -> bool:
    """Whether the name ends as that of a table."""
    return name.lower().endswith(TABLES)


def is_junk(name: str) -> bool:
    """Whether a file is what systems and programs leave behind (".DS_Store", "._x", "__MACOSX/x", "Thumbs.db")."""
    *folders, file = name.split("/")
    if file.startswith(".") or file.lower() in _LITTER:
        return True
    return any(folder.startswith(".") or folder.lower() in _LITTER_FOLDERS for folder in folders)


def without_suffix(name: str) -> str:
    """The name without the ending of a picture, if it has one: "a.v2.PNG" becomes "a.v2", "a.v2" stays."""
    return name[: name.rindex(".")] if is_image(name) or is_other_picture(name) else name


def folded(text: str) -> str:
    """Letters and digits alone, in lower case: "Image name", "image_name" and '"IMAGE NAME "' are one.

    >>> folded(" Image_Name")
    'imagename'
    """
    return re.sub(r"[^0-9a-z]", "", composed(text).lower())


def composed(text: str) -> str:
    """Accents as part of their letter (NFC): macOS writes them as characters of their own."""
    return unicodedata.normalize("NFC", text)


def spellings(name: str) -> tuple[str, ...]:
    """What a name may be found by, the strictest first: as it is, without folder and suffix, and loosely.

    The last has no case, one sign for whatever parts its words, and no leading zeros:

    >>> spellings("train_images/Eye 007.PNG")
    ('train_images/Eye 007.PNG', 'Eye 007', 'eye 007', 'eye_7')
    """
    whole = composed(name.strip())
    stem = without_suffix(whole.replace("\\", "/").rsplit("/", 1)[-1])
    number = re.sub(r"^(\d+)\.0+$", r"\1", stem)  # a spreadsheet took it for a decimal number
    loose = re.sub(r"[\W_]+", "_", number.lower())
    return whole, stem, stem.lower(), re.sub(r"(?<!\d)0+(?=\d)", "", loose)
