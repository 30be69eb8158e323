"""The settings of the explore page as JSON, out and in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from medpriv_core.errors import SettingError
from medpriv_core.exports.explore_settings import OWN_PICTURE, ExploreSettings
from medpriv_core.mechanisms.catalog import MECHANISMS
from medpriv_core.mechanisms.dp_pix import DpPix

NEEDED: dict[str, Any] = {"dataset": "idrid", "size": 256, "mechanism": "gaussian", "beta": 1.5}
FULL = ExploreSettings(
    dataset="idrid",
    size=256,
    noise=DpPix(1.5, block=4, changed_pixels=100),
    class_name="No DR",
    image=3,
    copies=5,
    delta=1e-6,
    seed=2**31 - 1,
)


@pytest.mark.parametrize(
    "settings", [FULL, ExploreSettings.from_dict(NEEDED), dataclasses.replace(FULL, class_name="Größe ä → 中")]
)
def test_settings_survive_a_json_file(settings: ExploreSettings) -> None:
    text = settings.to_json()

    assert ExploreSettings.from_json(text) == settings
    assert ExploreSettings.from_json(text.encode()) == settings
    assert ExploreSettings.from_json(b"\xef\xbb\xbf" + text.encode()) == settings  # as Windows editors save it


def test_the_json_has_every_setting_by_name() -> None:
    assert json.loads(FULL.to_json()) == {
        "dataset": "idrid",
        "size": 256,
        "mechanism": "dp_pix",
        "beta": 1.5,
        "class_name": "No DR",
        "image": 3,
        "block": 4,
        "changed_pixels": 100,
        "copies": 5,
        "delta": 1e-6,
        "seed": 2**31 - 1,
    }


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_of_the_catalog_is_known(mechanism: str) -> None:
    # With the parameters of another one, as files of earlier versions have them.
    assert ExploreSettings.from_dict(FULL.to_dict() | {"mechanism": mechanism}).noise.name == mechanism


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", ""),
        ("dataset", "/home/doctor/Miller^John.dcm"),
        ("dataset", "scan.png"),
        ("dataset", None),
        ("dataset", 3),
        ("mechanism", "none"),
        ("mechanism", ["gaussian"]),
        ("mechanism", None),
        ("class_name", ""),
        ("class_name", "a\nb"),
        ("class_name", "x" * 101),
        ("class_name", 0),
        ("image", 0),
        ("image", "first"),
        ("size", 15),
        ("size", 1025),
        ("size", 224.0),
        ("size", None),
        ("image", True),
        ("beta", 0),
        ("beta", float("nan")),
        ("beta", float("inf")),
        ("beta", "2"),
        ("beta", True),
        ("beta", 10**400),
        ("block", 0),
        ("changed_pixels", 0),
        ("copies", 0),
        ("copies", None),
        ("delta", 0),
        ("delta", 1.0),
        ("delta", {"value": 1e-5}),
        ("seed", -1),
        ("seed", 2**31),
    ],
)
def test_an_impossible_setting_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=rf"^{name} must be [^\n]{{5,300}}\.$"):
        ExploreSettings.from_dict(FULL.to_dict() | {name: value})


def test_all_that_is_wrong_is_said_at_once() -> None:
    values = {"dataset": "idrid", "beta": -1, "size": "big", "betta": 2, "mechanism": "gaussian"}

    with pytest.raises(SettingError) as caught:
        ExploreSettings.from_dict(values)

    message = str(caught.value)
    assert "no setting 'betta'" in message
    assert "beta must be between" in message
    assert "size must be a whole number" in message
    assert "missing" not in message


def test_missing_settings_are_named() -> None:
    with pytest.raises(SettingError, match=r"^size is missing\. mechanism is missing\. beta is missing\.$"):
        ExploreSettings.from_dict({"dataset": "idrid"})


@pytest.mark.parametrize("place", [{"class_name": "No DR"}, {"image": 3}])
def test_a_picture_of_ones_own_has_no_place_in_a_dataset(place: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="image of your own"):
        ExploreSettings.from_dict(NEEDED | {"dataset": OWN_PICTURE} | place)

    assert ExploreSettings.from_dict(NEEDED | {"dataset": OWN_PICTURE}).image is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "settings",
        "[]",
        "null",
        "3",
        '{"dataset": ',
        b"\xff\xfe\xfa",
        b"\x89PNG\r\n\x1a\n",
        "[" * 19_999,
        '{"beta": ' + "9" * 15_000 + "}",
    ],
)
def test_other_files_are_no_settings(text: str | bytes) -> None:
    with pytest.raises(SettingError, match="does not hold settings"):
        ExploreSettings.from_json(text)


def test_a_file_far_too_long_is_not_even_read() -> None:
    with pytest.raises(SettingError, match="too long"):
        ExploreSettings.from_json(" " * 20_001)


def test_a_long_wrong_value_does_not_flood_the_message() -> None:
    with pytest.raises(SettingError) as caught:
        ExploreSettings.from_dict(NEEDED | {"dataset": "<script>" * 1000, "y" * 9000: 1})

    assert len(str(caught.value)) < 500
