"""``datasets``: list, show, add, fetch and remove datasets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from medpriv_core.cli import own_datasets
from medpriv_core.cli.budget import add_budget_to
from medpriv_core.cli.output import ProgressBar, print_json, say
from medpriv_core.cli.parser import Commands, add_json_option
from medpriv_core.datasets import registry
from medpriv_core.datasets.catalog import ADDABLE, BUILT_IN
from medpriv_core.datasets.fetching import fetch_and_wait
from medpriv_core.datasets.medmnist import FETCHABLE
from medpriv_core.datasets.medmnist_sets import SIZES
from medpriv_core.datasets.own.adding import is_own
from medpriv_core.datasets.registry import DatasetEntry
from medpriv_core.home import DataHome, data_home
from medpriv_core.runs.described import remove_own_dataset
from medpriv_core.runs.on_images import WITHOUT_PRIVACY, all_runs, epsilon_on_images
from medpriv_core.runs.summary import RunSummary


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("datasets", help="list, show, add, fetch and remove datasets")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="every dataset medpriv knows")
    add_json_option(listing)
    listing.set_defaults(command=_list)

    showing = actions.add_parser("show", help="one dataset: its classes, where it lies, what adding it reported")
    showing.add_argument("name")
    add_json_option(showing)
    showing.set_defaults(command=_show)

    adding = actions.add_parser("add", help="add a dataset by the path of its folder, zip or npz")
    adding.add_argument("name", help="one that medpriv knows (datasets list), or a new one for images of your own")
    adding.add_argument("path", metavar="FOLDER_OR_ZIP_OR_NPZ")
    own_datasets.add_choices(adding)
    adding.add_argument("--yes", action="store_true", help="add your own images as they are understood, without asking")
    add_json_option(adding)
    adding.set_defaults(command=_add)

    fetching = actions.add_parser("fetch", help="download a MedMNIST dataset and add it")
    fetching.add_argument("name", choices=FETCHABLE)
    fetching.add_argument("--size", type=int, choices=SIZES, default=28, help="pixels a side")
    fetching.add_argument("--base-url", help="a mirror that holds the npz file under its usual name")
    add_json_option(fetching)
    fetching.set_defaults(command=_fetch)

    own_datasets.add_to(actions)
    add_budget_to(actions)

    removing = actions.add_parser("remove", help="remove a dataset from the list; your files stay")
    removing.add_argument("name")
    removing.set_defaults(command=_remove)


def _describe(entry: DatasetEntry) -> dict[str, Any]:
    facts = asdict(entry)
    return facts.pop("info") | facts | {"train": entry.train, "test": entry.test}


def _list(options: argparse.Namespace) -> None:
    home = data_home()
    entries = registry.list_datasets(home)
    runs = all_runs(home)
    spent = {entry.info.name: _spent(home, entry, runs) for entry in entries}
    if options.json:
        lines = [(entry, spent[entry.info.name]) for entry in entries]
        print_json({"datasets": [_describe(entry) | ({"dp_sgd_spent": some} if some else {}) for entry, some in lines]})
        return
    for entry in entries:
        say(f"{entry.info.name:16} {_status(entry)}")
        if entry.changed:
            say(f"{'':16} {entry.changed}")
        if facts := spent[entry.info.name]:
            say(f"{'':16} {facts['sentence']}")
    if any(spent.values()):
        say(WITHOUT_PRIVACY)


def _spent(home: DataHome, entry: DatasetEntry, runs: Sequence[RunSummary]) -> dict[str, Any] | None:
    """What all DP-SGD networks trained here on these images give away together."""
    if not entry.available or not entry.info.trainable:
        return None
    together = epsilon_on_images(home, entry.info.name, runs)
    if together is None:
        return None
    facts = {"networks": together.networks, "epsilon": together.epsilon, "delta": together.delta}
    return facts | {"statement": together.statement, "sentence": together.ever_sentence}


def _show(options: argparse.Namespace) -> None:
    registry.dataset_info(options.name)  # says which names there are
    home = data_home()
    entry = next(entry for entry in registry.list_datasets(home) if entry.info.name == options.name)
    spent = _spent(home, entry, all_runs(home))
    if options.json:
        print_json(_describe(entry) | ({"dp_sgd_spent": spent} if spent else {}))
        return
    _print_report(entry)
    say(entry.info.source)
    if entry.location:
        say(f"From {entry.location}")
    if entry.report is None and entry.location:
        say("It was added by an earlier version, which kept no report; add it again to have one.")
    if spent:
        say(f"{spent['sentence']} {WITHOUT_PRIVACY}")


def _status(entry: DatasetEntry) -> str:
    if not entry.available:
        return f"not available: {entry.problem or entry.how_to_add}"
    kind = "synthetic" if entry.info.synthetic else "real"
    return f"{kind}, {entry.train or 0:,} train and {entry.test or 0:,} test images, {len(entry.info.classes)} classes"


def _add(options: argparse.Namespace) -> None:
    home = data_home()
    if options.name not in BUILT_IN | ADDABLE:
        own = own_datasets.add_by_choice(home, options)
        if own is not None:
            _print_entry(own, options)
        return
    with ProgressBar() as bar:
        entry = registry.add_dataset(home, options.name, options.path, progress=bar)
    _print_entry(entry, options)


def _fetch(options: argparse.Namespace) -> None:
    with ProgressBar() as bar:
        entry = fetch_and_wait(data_home(), options.name, options.size, base_url=options.base_url, progress=bar)
    _print_entry(entry, options)


def _print_entry(entry: DatasetEntry, options: argparse.Namespace) -> None:
    if options.json:
        print_json(_describe(entry))
    else:
        _print_report(entry)


def _print_report(entry: DatasetEntry) -> None:
    say(f"{entry.info.name}: {_status(entry)}")
    if entry.available:
        for title, counts in (("Training", entry.train_counts), ("Test", entry.test_counts)):
            classes = zip(entry.info.classes, counts or (), strict=True)
            say(f"{title}: " + ", ".join(f"{count:,} {label}" for label, count in classes))
    if entry.changed:
        say(entry.changed)
    for sentence in entry.report.sentences if entry.report else ():
        say(sentence)


def _remove(options: argparse.Namespace) -> None:
    home = data_home()
    if is_own(home, options.name):
        remove_own_dataset(home, options.name)
    else:
        registry.remove_dataset(home, options.name)
    say(f"{options.name} is removed; your files were not touched.")
