"""medpriv_core: differential privacy on medical images, without any user interface.

The names below are the public interface, for scripts and notebooks; docs/reference.md explains each and says what is
promised of them. They are loaded when they are first asked for, so that importing the package costs nothing:

>>> import medpriv_core as medpriv
>>> medpriv.picture_noise("gaussian", beta=2.0).guarantee((28, 28, 1)).unit
'one pixel'

Everything else is the inside of the program. Its rooms: ``datasets`` (read and prepare images), ``mechanisms`` (noise
on arrays), ``privacy`` (what epsilon holds), ``training`` (the only room that imports torch) and ``runs`` (queue, run
directories, worker processes). Nothing in here imports streamlit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpriv_core.api import (
        add_dataset,
        compare_runs,
        epoch_table,
        export_run,
        list_datasets,
        list_runs,
        load_dataset,
        load_run,
        noise_picture,
        run_guarantee,
        stop_run,
        submit_run,
        wait_for_run,
    )
    from medpriv_core.errors import MedprivError
    from medpriv_core.mechanisms.catalog import picture_noise
    from medpriv_core.privacy.plan import plan_dp_sgd, plan_run
    from medpriv_core.spec import RunSpec

__version__ = "0.2.0"

__all__ = [
    "MedprivError",
    "RunSpec",
    "add_dataset",
    "compare_runs",
    "epoch_table",
    "export_run",
    "list_datasets",
    "list_runs",
    "load_dataset",
    "load_run",
    "noise_picture",
    "picture_noise",
    "plan_dp_sgd",
    "plan_run",
    "run_guarantee",
    "stop_run",
    "submit_run",
    "wait_for_run",
]

# Where those lie that are not in ``api``.
_ELSEWHERE = {
    "MedprivError": "errors",
    "RunSpec": "spec",
    "picture_noise": "mechanisms.catalog",
    "plan_dp_sgd": "privacy.plan",
    "plan_run": "privacy.plan",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'api')}"), name)
    globals()[name] = value  # the next time it is simply there
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
