"""Which files of a folder or zip are images, those of DICOM told by their content, and whose these are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from medpriv_core.datasets.file_source import FileSource
from medpriv_core.datasets.names import is_image, is_other_picture
from medpriv_core.datasets.report import MOST_EXAMPLES, LeftOut
from medpriv_core.errors import ImageError
from medpriv_core.pictures.dicom_identity import HEAD_BYTES, DicomIdentity, dicom_identity
from medpriv_core.printable import printable
from medpriv_core.progress import ProgressCallback

PHASE = "Looking at the files"
_MAYBE = (".dcm", ".dicom", ".ima")


@dataclass
class ImageFiles:
    """The images among some files.

    names      of all of them
    patients   of those whose header says whose they are: as it stands there
    by_uid     name of an image, study or patient in a header -> its images
    not_image  DICOM files that hold no image, such as reports
    frames     of those with several: how many
    dicom      those that are DICOM
    """

    names: list[str] = field(default_factory=list)
    patients: dict[str, str] = field(default_factory=dict)
    by_uid: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    not_image: list[str] = field(default_factory=list)
    frames: dict[str, int] = field(default_factory=dict)
    dicom: set[str] = field(default_factory=set)

    @property
    def left_out(self) -> list[LeftOut]:
        """What is DICOM and no image."""
        if not self.not_image:
            return []
        examples = tuple(printable(name) for name in self.not_image[:MOST_EXAMPLES])
        return [LeftOut("DICOM files without an image, such as reports", len(self.not_image), examples)]


def find_images(files: FileSource, progress: ProgressCallback) -> ImageFiles:
    """The images among the files: by the ending of their name, and DICOM without an ending by its first bytes."""
    found = ImageFiles()
    for done, name in enumerate(files.names):
        file = name.rsplit("/", 1)[-1]
        bare = "." not in file or file.rsplit(".", 1)[-1].isdigit()  # "1.2.840.113619": a number as a name
        if name.lower().endswith(_MAYBE) or (bare and not is_other_picture(name)):
            if done % 100 == 0:
                progress(PHASE, done, len(files.names))
            identity = _identity(files, name)
            if identity is None:
                if is_image(name):
                    found.names.append(name)  # its reader says what is wrong with it
            elif not identity.has_image:
                found.not_image.append(name)
            else:
                found.names.append(name)
                _note(found, name, identity)
        elif is_image(name):
            found.names.append(name)
    return found


def _identity(files: FileSource, name: str) -> DicomIdentity | None:
    try:
        return dicom_identity(files.head(name, HEAD_BYTES))
    except ImageError:
        return None


def _note(found: ImageFiles, name: str, identity: DicomIdentity) -> None:
    found.dicom.add(name)
    if identity.frames > 1:
        found.frames[name] = identity.frames
    if identity.patient:
        found.patients[name] = identity.patient
    for uid in {identity.instance, identity.study, identity.series, identity.patient} - {""}:
        found.by_uid[uid].append(name)
