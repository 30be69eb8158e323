"""What is installed when it is installed by the lock files: what the lists ask for, and no byte else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
