"""Datasets of the user's own, or of the sender of a run, of which runs are here and the images are not.

The zip brings the record of such a dataset, without its images and without how they are found. Where no dataset of that
name is here, the record is kept, and the run is shown by it; who has the images too can add them under that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from medpriv_core.datasets.own.adding import remove_own
from medpriv_core.datasets.own.dataset import forget, keep_record
from medpriv_core.datasets.own.recipe import Recipe
from medpriv_core.datasets.registry import dataset_info, dataset_names
from medpriv_core.errors import DatasetError, RunError
from medpriv_core.home import DataHome
from medpriv_core.printable import printable
from medpriv_core.runs.archive_checks import changed, read_object
from medpriv_core.runs.on_images import all_runs


@contextmanager
def described(home: DataHome, files: Mapping[str, bytes]) -> Iterator[None]:
    """While and after the run in ``files`` is imported, its dataset is known; if it is not after all, nothing is kept.

    Raises ``RunError`` for a record that is damaged, or where another dataset has that name here.
    """
    record = files.get("dataset.toml")
    if record is None:
        yield
        return
    try:
        recipe = Recipe.from_toml(record.decode()).shared
    except (DatasetError, UnicodeDecodeError) as error:
        raise changed("dataset.toml") from error
    if read_object(files["spec.json"], "spec.json").get("dataset") != recipe.name:
        raise changed("dataset.toml")
    if recipe.name in dataset_names(home):
        here = dataset_info(recipe.name, home)
        if (here.channels, here.ordered) != (recipe.channels, recipe.ordered):
            kinds = [_kind(info.channels, info.ordered) for info in (recipe.info, here)]
            raise RunError(
                f"This run is of a dataset {recipe.name} of {kinds[0]}, and the one that is called so here is of "
                f"{kinds[1]}. Add one of them under another name; runs trained on it then bear that name."
            )
        if here.classes != recipe.info.classes:
            raise RunError(
                f"This run is of a dataset {recipe.name} with the classes {_listed(recipe.info.classes)}, and the one "
                f"that is called so here has {_listed(here.classes)}. Add one of them under another name; runs trained "
                "on it then bear that name."
            )
        yield
        return
    keep_record(home, recipe)
    try:
        yield
    except BaseException:
        forget(home, recipe.name)
        raise


def remove_own_dataset(home: DataHome, name: str) -> None:
    """Take one of the user's own datasets off the list; its record stays while there are runs on it, deleted or not."""
    remove_own(home, name, keep_record=any(run.spec and run.spec.dataset == name for run in all_runs(home)))


def _kind(channels: int, ordered: bool) -> str:
    return f"{'grey' if channels == 1 else 'colour'} images in {'grades' if ordered else 'classes'}"


def _listed(classes: tuple[str, ...]) -> str:
    return ", ".join(map(printable, classes[:4])) + (", …" if len(classes) > 4 else "")
