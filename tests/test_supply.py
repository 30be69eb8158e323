"""What is installed: by the lock files what the lists ask for, and no byte else; by the package the same in parts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from medpriv_core.extras import EXTRAS
from tests.test_rooms import imports_of

ROOT = Path(__file__).resolve().parents[1]
LISTS = {"requirements.txt": "requirements.lock", "requirements-dev.txt": "requirements-dev.lock"}
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def wanted(file: str) -> list[Requirement]:
    """What a list asks for, that of the list it builds upon included."""
    found = []
    for line in (ROOT / file).read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += wanted(text.removeprefix("-r ").strip())
        elif text:
            found.append(Requirement(text))
    return found


def locked(file: str) -> list[tuple[Requirement, set[str]]]:
    """Each pin of a lock file with its hashes."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    pins = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pins.append((Requirement(line.split("--hash")[0].strip()), set(HASH.findall(line))))
    return pins


@pytest.mark.parametrize(("file", "lock"), LISTS.items())
def test_the_lock_has_what_the_list_asks_for_in_a_version_that_the_list_allows(file: str, lock: str) -> None:
    versions: dict[str, set[str]] = {}
    for pin, _ in locked(lock):
        (only,) = pin.specifier
        assert only.operator == "=="
        versions.setdefault(canonicalize_name(pin.name), set()).add(only.version)
    for requirement in wanted(file):
        found = versions[canonicalize_name(requirement.name)]
        assert all(requirement.specifier.contains(version) for version in found), f"{requirement}: {found}"


@pytest.mark.parametrize("lock", LISTS.values())
def test_each_version_has_the_hashes_of_its_files(lock: str) -> None:
    pins = locked(lock)
    assert len(pins) > 50
    assert [pin.name for pin, hashes in pins if not hashes] == []


def test_the_app_has_the_same_versions_in_both() -> None:
    both = {str(pin): hashes for pin, hashes in locked("requirements-dev.lock")}
    assert [str(pin) for pin, hashes in locked("requirements.lock") if both.get(str(pin)) != hashes] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")
@pytest.mark.parametrize(
    ("target", "lists"), [("run", ["requirements"]), ("test", ["requirements", "requirements-dev"])]
)
def test_make_installs_by_the_lock_only_when_asked_to_and_then_wants_hashes(target: str, lists: list[str]) -> None:
    # A make that runs these tests hands its own settings on.
    own = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "LOCKED", "VENV")
    environment = {name: value for name, value in os.environ.items() if name not in own}

    def installed(*options: str) -> list[str]:
        command = ["make", "--dry-run", "--always-make", "PYTHON=python3", target, *options]
        told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        return [line.partition(" -m pip ")[2] for line in told.splitlines() if " -m pip install" in line]

    assert installed() == [f"install  --requirement {name}.txt" for name in lists]
    assert installed("LOCKED=1") == [f"install --require-hashes --requirement {name}.lock" for name in lists]


# Not imported by name, and asked for all the same: pydicom finds them by their entry points.
PLUGINS = {"pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle"}
# Nor is what people build the networks with that they take away, as the model card tells them to.
WITH_NETWORKS = {"torchvision"}
# Imported, and not asked for: they belong to what is, in the version that it wants.
BROUGHT = {"pandas": "streamlit", "pyarrow": "streamlit", "starlette": "streamlit"}


def test_the_list_asks_for_what_the_program_imports_and_nothing_else() -> None:
    files = [ROOT / "app.py", *(file for folder in ("medpriv_core", "pages") for file in (ROOT / folder).rglob("*.py"))]
    names = {name.partition(".")[0] for file in files for name in imports_of(file)}
    own = {*sys.stdlib_module_names, "medpriv_core", "pages"}
    installed = packages_distributions()
    imported = {canonicalize_name(one) for name in names - own for one in installed[name]}
    asked_for = {canonicalize_name(requirement.name) for requirement in wanted("requirements.txt")}

    assert imported - asked_for == BROUGHT.keys()
    assert asked_for - imported == PLUGINS | WITH_NETWORKS
    for name, by in BROUGHT.items():
        assert name in {canonicalize_name(Requirement(each).name) for each in distribution(by).requires or []}


def of_the_package() -> tuple[list[str], dict[str, list[str]]]:
    """What the wheel depends on, and each extra, as ``pyproject.toml`` has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["dependencies"], project["optional-dependencies"]


def test_the_package_and_its_extras_together_are_what_the_list_asks_for() -> None:
    dependencies, extras = of_the_package()
    together = sorted(
        map(str, map(Requirement, [*dependencies, *(each for extra in extras.values() for each in extra)]))
    )

    assert together == sorted(map(str, wanted("requirements.txt")))


def test_each_extra_brings_the_modules_whose_absence_is_noticed() -> None:
    _, extras = of_the_package()
    installed = packages_distributions()

    assert extras.keys() == EXTRAS.keys()
    for name, extra in EXTRAS.items():
        brought = {canonicalize_name(Requirement(each).name) for each in extras[name]}
        missed = {canonicalize_name(one) for module in extra.modules for one in installed[module]}
        assert missed == brought - WITH_NETWORKS


def test_nothing_under_the_gpl_comes_without_being_asked_for() -> None:
    dependencies, extras = of_the_package()
    unread, seen = list(dependencies), set()
    while unread:
        requirement = Requirement(unread.pop())
        name = canonicalize_name(requirement.name)
        # What only an extra of theirs brings, or another system, is not installed here.
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        unread += distribution(name).requires or []

    assert "scipy" in seen
    assert [name for name in sorted(seen) if is_gpl(name)] == []
    assert [each for each in extras["jpeg"] if is_gpl(Requirement(each).name)] == extras["jpeg"]


def is_gpl(name: str) -> bool:
    """Whether the licence that a distribution states is the GNU General Public License (the Lesser one is not)."""
    told: Any = distribution(name).metadata
    stated = [told.get("License-Expression") or "", *(told.get_all("Classifier") or [])]
    stated += (told.get("License") or "").splitlines()[:1]  # some have its whole text there
    return any(re.search(r"(?<!L)GPL|GNU General Public", text) for text in stated)
