"""How a run ended: ``outcome.json``, which its worker writes last.

>>> Outcome("failed", "The disk is full.", exit_code=2).to_dict()
{'state': 'failed', 'message': 'The disk is full.', 'exit_code': 2}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from medpriv_core.jobs.folder import STATES, OutcomeState
from medpriv_core.records.epoch import EpochRow, read_figures
from medpriv_core.records.kinds import MOST_IMAGES, VERSION, as_object, check_format, is_text, is_whole, unfit
from medpriv_core.strict_json import Unreadable


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    message    one sentence for the user where it failed, names of settings marked (``medpriv_core.runs.failure``)
    last       the last epoch on the disk; under DP-SGD with what the network in the checkpoint has spent, which may
               have taken more steps, or not have finished an epoch
    exit_code  of the worker; None where that was not recorded
    """

    FORMAT: ClassVar[int] = 1

    state: OutcomeState
    message: str | None = None
    last: EpochRow = field(default_factory=EpochRow)
    exit_code: int | None = None

    @classmethod
    def from_dict(cls, values: Any) -> Outcome:
        """The outcome in a JSON value; raises ``Unreadable``, and ``Newer`` for a later layout."""
        found = as_object(values)
        check_format(found, cls.FORMAT)
        state: Any = found.get("state")
        message, code = found.get("message"), found.get("exit_code")
        if state not in STATES:
            raise Unreadable("it does not say how the run ended")
        if message is not None and not is_text(message):
            raise unfit("message", message)
        if code is not None and not is_whole(code, low=-(2**31), high=MOST_IMAGES):
            raise unfit("exit_code", code)
        own = ("state", "message", "exit_code", VERSION)
        return cls(
            state, message, read_figures({name: value for name, value in found.items() if name not in own}), code
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: a flat object, with the figures of the last epoch."""
        values = {"state": self.state, "message": self.message, **self.last.to_dict()}
        return values if self.exit_code is None else values | {"exit_code": self.exit_code}

    def to_file(self) -> dict[str, Any]:
        """The same with the number of the layout, as it is written into a file."""
        return self.to_dict() | {VERSION: self.FORMAT}
