"""The label that says whether a picture shows a patient."""

from __future__ import annotations

from medpriv_core.datasets.base import DatasetInfo


def origin_badge(info: DatasetInfo) -> str:
    """ "real" or "synthetic", as markdown; never left out where an image is shown."""
    return ":orange-badge[synthetic]" if info.synthetic else ":green-badge[real]"
