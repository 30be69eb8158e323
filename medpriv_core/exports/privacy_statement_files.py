"""The privacy statement as a file of one of three kinds, and as text for a terminal.

YAML has the fields of an entry of the OpenDP deployments registry (github.com/opendp/deployments-registry-data). Its
scalars are JSON strings, which YAML reads alike, so that no library is needed and no text can be taken for anything
else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from medpriv_core.errors import SettingError
from medpriv_core.exports.privacy_statement import (
    SENDER,
    PrivacyStatement,
    as_json,
    differences,
)
from medpriv_core.exports.privacy_statement_html import comparison_html, statement_html
from medpriv_core.exports.statement_lines import BLANK

SUFFIXES = (".html", ".json", ".yaml")


def statement_file(statement: PrivacyStatement, suffix: str) -> str:
    """The statement as a file whose name ends in one of ``SUFFIXES``; raises ``SettingError`` for another ending."""
    check_suffix(suffix)
    if suffix == ".html":
        return statement_html(statement)
    if suffix == ".json":
        return _json(as_json(statement))
    return "".join(f"{line}\n" for line in _yaml(registry_entry(statement)))


def comparison_file(first: PrivacyStatement, second: PrivacyStatement, suffix: str) -> str:
    """Where two statements differ, as HTML or JSON; raises ``SettingError`` for another ending."""
    if suffix == ".html":
        return comparison_html(first, second)
    if suffix == ".json":
        return _json(comparison_json(first, second))
    raise SettingError(f"A comparison of two statements is written as .html or .json, but not as {suffix or 'that'}.")


def comparison_json(first: PrivacyStatement, second: PrivacyStatement) -> dict[str, Any]:
    """The same ready for JSON."""
    return {
        "schema": 1,
        "runs": [first.run, second.run],
        "differences": [vars(one) for one in differences(first, second)],
    }


def check_suffix(suffix: str) -> None:
    """Raise ``SettingError`` unless a statement can be written to a file of this ending."""
    if suffix not in SUFFIXES:
        raise SettingError(f"The name of a statement ends in .html, .json or .yaml, but not in {suffix or 'that'}.")


def suffix_of(file: PurePath) -> str:
    """The ending of a file's name, in small letters."""
    return file.suffix.lower()


def statement_text(statement: PrivacyStatement) -> list[str]:
    """The statement in lines."""
    lines = [f"Privacy statement of run {statement.run} ({statement.state}), {statement.written.isoformat()}"]
    lines += [SENDER] if statement.imported else []
    for box in statement.boxes:
        lines += ["", box.title, *(f"  {sentence}" for sentence in box.sentences)]
    lines += ["", "Settings and guarantee", *(f"  {line.label}: {line.value}" for line in statement.lines)]
    lines += ["", "Checked by the machine"]
    lines += [f"  [{check.state}] {check.name}: {check.sentence}" for check in statement.checks] or ["  nothing"]
    lines += ["", "Promised by people", *(f"  [ ] {promise}" for promise in statement.promises)]
    lines += ["", "Attacks that were run", *(f"  {each}" for each in statement.attacks_in_words)]
    return [*lines, "", f"Retention: {statement.blanks.retention or BLANK}"]


def registry_entry(statement: PrivacyStatement) -> dict[str, Any]:
    """The fields of the OpenDP deployments registry; None is left blank, for people to fill in.

    Blank are the curators, region, sector, date of publication, justification, sources and authors of the entry, and
    the intended use unless a purpose was given: nobody but people knows these.
    """
    held, lines = statement.held, {line.key: line.value for line in statement.lines}
    none = statement.method == "none"
    flavor = None if none or not held.established else "Approximate DP" if held.delta else "Pure DP"
    finite = math.isfinite(held.epsilon)
    parameters = {"epsilon": held.epsilon if finite else None, "delta": held.delta if finite else None}
    return {
        "status": "Draft",
        "deployment": {
            "product": {
                "name": f"Network trained in medpriv run {statement.run}",
                "data_curators": None,
                "intended_use": statement.blanks.purpose,
                "data_product_type": "Machine learning model",
                "data_product_region": None,
                "description": f"{lines['method']}. {lines['data']}.",
                "publication_date": None,
                "data_product_sector": None,
            },
            "dp_flavor": {
                "name": flavor,
                "bound_on_input_distance": held.adjacency or None,
                "unprotected_quantities": " ".join(statement.boxes[2].sentences),
            },
            "privacy_loss": {
                "privacy_unit": held.unit if not none else None,
                "privacy_unit_description": lines["adjacency"],
                "privacy_parameters": parameters,
                "privacy_parameters_description": f"{held.statement}. Second accountant: {lines['second']}",
            },
            "model": {
                "model_name": {"dp_sgd": "Central", "local_dp": "Local"}.get(statement.method),
                "actors": lines["trust"],
                "release_type": "One release",
                "data_source_type": "Static",
                "access_type": "Non-interactive",
            },
            "accounting": {
                "post_processing": "Answers computed from the network without the training images cost nothing more.",
                "composition": lines["all_networks"],
            },
            "implementation": {
                "pre_processing_eda_hyperparameter_tuning": "The search for settings is not covered by ε.",
                "mechanisms": lines["method"],
                "justification": None,
            },
            "resources": {"sources": None, "registry_authors": None},
        },
    }


def _yaml(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _yaml(value, f"{indent}  ")
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    # With a point: 1e-05 is a text to readers of YAML 1.1.
    if isinstance(value, float):
        mantissa, mark, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{mark}{exponent}"
    return json.dumps(value)


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, allow_nan=False) + "\n"
