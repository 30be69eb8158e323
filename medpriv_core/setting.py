"""What a setting of a run says about itself, once, beside its type and its default in ``spec.RunSpec``.

Form, command line, table of settings, names of runs, labels in charts, protocol lines, model card, checks and documents
all take it from here, so that a setting is added at one place:

>>> from medpriv_core.spec import SETTINGS
>>> SETTINGS["norm"].label, SETTINGS["norm"].choices["group_norm"].form
('Normalisation layers', 'GroupNorm')
>>> SETTINGS["batch_size"].matters({"method": "none", "sampling": "full_batch"})
False
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, replace
from typing import Any, get_args

from medpriv_core.errors import SettingError

_RECORD = "setting"


@dataclass(frozen=True)
class Choice:
    """What one value of a setting is called.

    form     where it stands by itself, as in a form
    short    within a sentence or a name; ``form`` unless given
    series   beside other runs in a chart; ``short`` unless given
    offered  False where a form offers another value that means the same
    """

    form: str
    short: str = ""
    series: str = ""
    offered: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "short", self.short or self.form)
        object.__setattr__(self, "series", self.series or self.short)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """All about one setting but its value: what ``setting`` takes, and

    name      in ``RunSpec``
    kind      of its values: a type, or a Literal
    optional  whether None is allowed
    default   MISSING where it has to be given
    """

    label: str
    help: str
    choices: Mapping[Any, Choice] = field(default_factory=dict)
    bounds: tuple[float, float] | None = None
    unit: str = ""
    step: float = 1
    methods: tuple[str, ...] = ()
    when: Callable[[Mapping[str, Any]], bool] | None = None
    closed: bool = False
    machine: bool = False
    name: str = ""
    kind: Any = str
    optional: bool = False
    default: Any = None

    @property
    def explanation(self) -> str:
        """What the setting does, where it counts, its bounds and its default, without marks.

        >>> from medpriv_core.spec import SETTINGS
        >>> print(SETTINGS["noise_multiplier"].explanation[-47:])
        More protects more. (only dp_sgd; 0.3 to 10000)
        """
        facts = [f"only {' and '.join(self.methods)}"] if self.methods else []
        if self.bounds is not None:
            facts.append(f"{self.bounds[0]:.12g} to {self.bounds[1]:.12g}")
        if self.default is not MISSING and self.default is not None:
            facts.append(f"default {self.default}")
        text = self.help.replace("**", "")
        return f"{text} ({'; '.join(facts)})" if facts else text

    @property
    def options(self) -> tuple[Any, ...]:
        """All possible values of a setting that is one of some words; empty for others."""
        return get_args(self.kind) or (tuple(self.choices) if self.closed else ())

    def matters(self, settings: Mapping[str, Any]) -> bool:
        """Whether the setting has an effect in a run with ``settings``, all of them by name."""
        return (not self.methods or settings["method"] in self.methods) and (self.when is None or self.when(settings))

    def in_series(self, value: Any) -> str:
        """A value beside those of other runs: "64 pixels", "frozen BatchNorm", "learning rate 0.1"."""
        if value in self.choices:
            return self.choices[value].series
        if isinstance(value, tuple):
            value = " : ".join(f"{part:g}" for part in value)
        return f"{value} {self.unit}" if self.unit else f"{self.name.replace('_', ' ')} {value}"

    def check_bounds(self, value: float) -> None:
        """Check a number against the bounds of the setting, which must have some.

        Raises:
            SettingError: It is outside them; the message names the setting, its value and its bounds.
        """
        assert self.bounds is not None
        low, high = self.bounds
        # Written so that NaN fails too; whole numbers may be too large for a float.
        if not low <= value <= high:
            raise SettingError(f"[{self.name}] must be between {low:.12g} and {high:.12g}, but is {value}.")

    def checked(self, value: Any) -> Any:
        """The value as a run keeps it: whole numbers become floats where the setting is one.

        Raises:
            SettingError: The value is missing, is of another type, is none of the choices, or is out of bounds.
        """
        if value is None:
            if self.optional:
                return None
            raise SettingError(f"[{self.name}] is missing.")
        if self.kind is tuple:
            return value  # what may stand in it says who owns it
        # Its usual value without a look at the others, which may take time.
        if value == self.default and type(value) is type(self.default):
            return value
        if options := self.options:
            if value not in options:
                raise SettingError(f"[{self.name}] must be one of {', '.join(options)}, but is {value!r}.")
            return value
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.kind) or (self.kind is not bool and isinstance(value, bool)):
            raise SettingError(f"[{self.name}] must be a {self.kind.__name__}, but is {value!r}.")
        if self.bounds is not None:
            self.check_bounds(value)
        return value


def setting(
    default: Any,
    label: str,
    help: str,
    *,
    choices: Mapping[Any, Choice] | None = None,
    bounds: tuple[float, float] | None = None,
    unit: str = "",
    step: float = 1,
    methods: tuple[str, ...] = (),
    when: Callable[[Mapping[str, Any]], bool] | None = None,
    closed: bool = False,
    machine: bool = False,
) -> Any:
    """A field of ``RunSpec`` that says everything about itself.

    Args:
        default: The usual value; MISSING where it has to be given.
        label: What it is called, without a full stop.
        help: What it does and what it costs, in plain sentences, with ** around words of its choices.
        choices: What its values are called, for those that are words or switches.
        bounds: Lowest and highest number, both allowed.
        unit: After a number, in labels of charts: "pixels" for "64 pixels".
        step: By which a form raises or lowers it.
        methods: Those that look at it; all of them if empty.
        when: Whether they do, beside the other settings (all of them by name); None: always.
        closed: Whether nothing but its choices is possible, where its type does not say so.
        machine: Whether it says where a run is computed, and nothing about what comes out.

    Returns:
        What ``dataclasses.field`` gives, so that it can stand in a dataclass.
    """
    said = Setting(
        label=label,
        help=help,
        choices={} if choices is None else choices,
        bounds=bounds,
        unit=unit,
        step=step,
        methods=methods,
        when=when,
        closed=closed,
        machine=machine,
    )
    return field(default=default, metadata={_RECORD: said})


def setting_of(declared: Field[Any], hint: Any) -> Setting:
    """The setting that a field of ``RunSpec`` holds.

    Args:
        declared: The field, as ``setting`` made it.
        hint: Its type: a plain one, a Literal, a tuple, or one of these or None.

    Returns:
        The setting with its name, type and default.
    """
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    optional = type(None) in get_args(hint)
    kind = kinds[0] if optional else hint
    return replace(
        declared.metadata[_RECORD],
        name=declared.name,
        kind=tuple if getattr(kind, "__origin__", None) is tuple else kind,
        optional=optional,
        default=declared.default,
    )
