"""The wheel: what is in it, and that what it installs works in an empty folder, far from the source tree."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from benchmarks.served_app import ServedApp, serve_app
from medpriv_core import __version__
from medpriv_core.home import DataHome
from tests.pages.test_serving import HOSTILE_CONFIG
from tests.pages.visitor import visit
from tests.test_safe_path import PLANT, PLANTED
from tests.web import Web, serve

ROOT = Path(__file__).resolve().parents[1]
# As pip writes it for the entry of [project.scripts].
SCRIPT = "import sys\nfrom {module} import {function}\nsys.exit({function}())\n"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, unpacked as it is installed."""
    pytest.importorskip("hatchling", reason="hatchling, of requirements-dev.txt, builds the wheel")
    built, folder = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("site-packages")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def medpriv(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """What starts the console command."""
    entry = (unpacked / f"medpriv-{__version__}.dist-info" / "entry_points.txt").read_text()
    name, _, target = entry.partition("[console_scripts]")[2].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == "medpriv"
    script = tmp_path_factory.mktemp("bin") / name
    script.write_text(SCRIPT.format(module=module, function=function))
    return sys.executable, str(script)


@pytest.fixture
def folder(tmp_path: Path, unpacked: Path, home: DataHome, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to start in, with nothing of this project to be found but the unpacked wheel."""
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(unpacked))
    return tmp_path / "folder"


def of_the_tree(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_has_every_file_of_core_pages_and_settings_and_no_other(unpacked: Path) -> None:
    found = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    app = {"app.py", ".streamlit/config.toml", *of_the_tree("pages")}

    assert {name.partition("/")[0] for name in found} == {"medpriv_core", f"medpriv-{__version__}.dist-info"}
    assert {name for name in found if name.startswith("medpriv_core/")} == {
        *of_the_tree("medpriv_core"),
        *(f"medpriv_core/app/{name}" for name in app),
    }
    assert "medpriv_core/py.typed" in found


def test_the_command_works_in_an_empty_folder_and_leaves_only_what_it_was_asked_for(
    medpriv: tuple[str, ...], folder: Path, unpacked: Path
) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(folder / "in.png")

    def said(*arguments: str) -> str:
        done = subprocess.run([*medpriv, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("--help").startswith("usage: medpriv ")
    assert "Whole image: ε" in said("noise", "in.png", "--beta", "2", "--output", "out.png")
    assert sorted(path.name for path in folder.iterdir()) == ["in.png", "out.png"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as web:
        yield web


@pytest.fixture
def served(
    medpriv: tuple[str, ...], folder: Path, home: DataHome, web: Web, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServedApp]:
    """``medpriv app``, in a folder with modules, and settings that open all doors and fetch a theme from the web."""
    for name in PLANTED:
        (folder / f"{name}.py").write_text(PLANT)
    monkeypatch.setenv("MARKS", str(folder / "marks"))
    (folder / ".streamlit").mkdir()
    theme = f'[theme]\nbase = "{web.url}/theme.toml"\n'
    (folder / ".streamlit" / "config.toml").write_text(HOSTILE_CONFIG + theme)
    # As relative as it may be given.
    relative = DataHome(Path(os.path.relpath(home.root, folder)))
    with serve_app(relative, folder=folder, command=medpriv) as app:
        yield app


def test_the_app_is_on_loopback_only_without_telemetry_and_by_its_own_settings_in_whatever_folder(
    served: ServedApp, folder: Path, web: Web, home: DataHome
) -> None:
    listening = [place.laddr.ip for place in psutil.Process(served.pid).net_connections() if place.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connection.request("GET", "/_stcore/health", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 403
    connection.close()
    with visit(served.port) as visitor:
        visitor.run()
        assert visitor.told_to_gather_statistics is False
    assert web.asked == []  # a theme's address would be fetched by the server
    assert not (folder / "marks").exists()
    assert home.root.is_dir()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "0"], "port must be between 1 and 65535, but is 0."),
        (["--port", "x"], "Argument --port: must be a whole number, but is 'x'."),
    ],
)
def test_a_port_that_cannot_be_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from medpriv_core.cli.main import main

    assert main(["app", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_a_proxy_s_name_joins_those_of_this_machine() -> None:
    from medpriv_core.cli.app import _settings, app_folder
    from medpriv_core.cli.main import build_parser

    options = build_parser().parse_args(["app", "--allowed-host", "medpriv.example", "--base-path", "med"])

    assert app_folder() == ROOT
    assert _settings(ROOT, options) == [
        *("--server.allowedHosts", "localhost", "--server.allowedHosts", "127.0.0.1", "--server.allowedHosts", "::1"),
        *("--server.allowedHosts", "medpriv.example", "--server.baseUrlPath", "med"),
    ]
