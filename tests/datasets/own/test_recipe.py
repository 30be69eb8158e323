"""``dataset.toml``: what is written is read again, and what is not known is refused."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpriv_core.datasets.own.recipe import OwnClass, Recipe, check_name
from medpriv_core.datasets.own.tables import Columns
from medpriv_core.errors import DatasetError
from medpriv_core.printable import printable

RECIPE = Recipe("lungs", "Lungs", (OwnClass("well", ("0",)), OwnClass("ill", ("1", "2"))), 1, "table")
SHOWN = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and printable(text) == text)
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(SHOWN, min_size=2, max_size=6, unique=True),
    st.lists(ANY, min_size=6, max_size=6),
    st.none() | ANY,
    st.none() | st.floats(0.01, 0.99),
    st.lists(ANY, max_size=3),
)
def test_whatever_it_holds_comes_back(
    names: list[str], labels: list[str], pattern: str | None, share: float | None, columns: list[str]
) -> None:
    classes = tuple(OwnClass(name, (label,)) for name, label in zip(names, labels, strict=False))
    recipe = Recipe(
        "mine",
        names[0],
        classes,
        3,
        "table",
        source=names[1],
        tables=tuple(labels),
        columns=Columns(file=columns[0] if columns and columns[0] else None, groups=tuple(columns)),
        patient_pattern=pattern,
        test_share=share,
        seed=7,
    )
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("version = 1", "version = 2"), "no version that this medpriv knows"),
        (("seed = 0", "seed = 0\ncolour = 1"), "unknown key colour"),
        (('title = "Lungs"\n', ""), "lacks title"),
        (("channels = 1", "channels = 2"), "value that cannot be"),
        (("channels = 1", "channels = true"), "value that cannot be"),
        (("ordered = false", 'ordered = "no"'), "value that cannot be"),
        (('labels = ["0"]', 'labels = "0"'), "value that cannot be"),
        (("seed = 0", "seed = -1"), "value that cannot be"),
        (("seed = 0", "seed = 0\ntest_share = 1.5"), "value that cannot be"),
        (('name = "ill"', 'name = "well"'), "Two classes have the same name"),
        (('name = "lungs"', 'name = "../lungs"'), "cannot be the name of a dataset"),
        (("[columns]", "[columns"), "no record of a dataset"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(change: tuple[str, str], why: str) -> None:
    text = RECIPE.to_toml()
    assert change[0] in text
    with pytest.raises(DatasetError, match=why):
        Recipe.from_toml(text.replace(*change))


def test_it_is_a_file_of_toml_without_names_of_images() -> None:
    values = tomllib.loads(RECIPE.to_toml())
    assert values["class"] == [{"name": "well", "labels": ["0"]}, {"name": "ill", "labels": ["1", "2"]}]


@pytest.mark.parametrize("name", ["", "a", "Lungs", "my lungs", "1lungs", "a/b", "..", "a" * 41, "ä_b", "a\nb"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(DatasetError, match="small letters, digits and _"):
        check_name(name)
    assert check_name("my_lungs2") == "my_lungs2"


@pytest.mark.parametrize("most", ["0", "-1", "true", '"2"', "1.5"])
def test_a_bound_that_cannot_be_is_refused(most: str) -> None:
    recipe = replace(RECIPE, most_images=3)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    with pytest.raises(DatasetError, match="has a value that cannot be"):
        Recipe.from_toml(recipe.to_toml().replace("most_images = 3", f"most_images = {most}"))
