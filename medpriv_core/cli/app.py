"""``app``: the pages, on this machine alone, with medpriv's settings whatever folder they are started in.

Streamlit reads a ``config.toml`` of the folder in which it is started, and of another program there it would take what
medpriv does not set itself: a port, a certificate, a theme from the web. So it is started in the app's own folder, in
which lie its settings. In the source tree these are ``app.py``, ``pages/`` and ``.streamlit/`` at the top; the wheel
has them in a folder of the package (``pyproject.toml``), so that no other package meets a module called ``pages``.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

from medpriv_core.cli.parser import Commands
from medpriv_core.errors import SettingError, WeightsError
from medpriv_core.safe_path import PACKAGE_PARENT
from medpriv_core.weights_source import WEIGHTS_VARIABLE, weights_path

_IN_WHEEL = Path(__file__).resolve().parents[1] / "app"


def add_to(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("app", help="start the pages; only this machine can open them")
    parser.add_argument("--port", type=int, metavar="N", help="at which they answer (default 8501)")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which a proxy asks for them, without a port; repeatable",
    )
    parser.add_argument("--base-path", metavar="PATH", help="the path below which a proxy has them")
    parser.set_defaults(command=_app)


def app_folder() -> Path:
    """Where ``app.py``, ``pages/`` and ``.streamlit/`` lie: in the package of a wheel, beside it in the source tree."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else Path(PACKAGE_PARENT)


def _app(options: argparse.Namespace) -> None:
    if options.port is not None and not 1 <= options.port <= 65535:
        raise SettingError(f"port must be between 1 and 65535, but is {options.port}.")
    folder = app_folder()
    _keep_paths()
    os.chdir(folder)
    sys.argv = ["streamlit", "run", str(folder / "app.py"), *_settings(folder, options)]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def _keep_paths() -> None:
    """Paths of the environment are as relative as they were given; here, before the folder is another, they are not."""
    if (home := os.environ.get("MEDPRIV_HOME", "")) and not home.startswith("~"):
        os.environ["MEDPRIV_HOME"] = os.path.abspath(home)
    if weights := os.environ.get(WEIGHTS_VARIABLE):
        with suppress(WeightsError):  # the pages say what is wrong with it
            os.environ[WEIGHTS_VARIABLE] = str(weights_path(weights).absolute())


def _settings(folder: Path, options: argparse.Namespace) -> list[str]:
    """Streamlit's options. A list of names takes the place of the one in the settings, which is handed on with it."""
    settings = [] if options.port is None else ["--server.port", str(options.port)]
    if options.allowed_host:
        with (folder / ".streamlit" / "config.toml").open("rb") as file:
            own = tomllib.load(file)["server"]["allowedHosts"]
        for name in (*own, *options.allowed_host):
            settings += ["--server.allowedHosts", name]
    if options.base_path is not None:
        settings += ["--server.baseUrlPath", options.base_path]
    return settings
