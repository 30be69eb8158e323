"""The zip of one run: which files it may hold and how large they may be, agreed between export and import.

It holds what a run says about itself, and nothing about the machine or the images: no path, no name of a user, host or
image file. ``checkpoint.pt`` is not in it: reading such a file can run code, so an imported run is there to be looked
at, compared and exported again, not to go on.
"""

from __future__ import annotations

FORMAT, VERSION = "medpriv-run", 1

MB = 1 << 20
# Members that an import keeps, with the most bytes that each may have; the others are made anew by each export.
KEPT: dict[str, int] = {
    "about.json": MB,
    "spec.json": MB,
    "setup.json": MB,
    "metrics.jsonl": 16 * MB,
    "outcome.json": MB,
    "spent.json": MB,
    "labels.json": MB,
    "dataset.toml": MB,  # of the user's own datasets: what the run's is called, and its classes
    "predictions.npz": 256 * MB,
    "model.safetensors": 256 * MB,
}
FOR_PEOPLE: dict[str, int] = {
    "guarantee.txt": MB,
    "model_card.md": MB,
    "accuracy.png": 16 * MB,
    "accuracy.svg": 16 * MB,
}
MEMBERS = KEPT | FOR_PEOPLE
NEEDED = ("about.json", "spec.json", "setup.json", "metrics.jsonl")
