"""The privacy statement of a run: what a data-protection officer reads in ten minutes, and two people sign.

One frozen record is made of what the run recorded, by the same functions as page, card and guarantee; HTML, JSON, YAML
and text are written from it (``privacy_statement_html``, ``privacy_statement_files``). Each line names the topic of
NIST SP 800-226, "Guidelines for Evaluating Differential Privacy Guarantees" (2025), that it answers. What was not
recorded is called so and never guessed.

Nothing in it names a person, a file or a folder: not the name, tags and notes of the run either, which people wrote.
Recipient, purpose and retention are blank lines unless they are given; officers sign by hand. The digest of the images
stays at home, as in every export (``privacy.coverage``).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import medpriv_core
from medpriv_core.attacks.membership_words import alarm_sentences, finding
from medpriv_core.datasets.files import same_images
from medpriv_core.datasets.registry import content_of, dataset_info, list_datasets
from medpriv_core.errors import DatasetError, RunError
from medpriv_core.exports.sharing import shared_run
from medpriv_core.exports.statement_lines import (
    NOT_RECORDED,
    Box,
    Line,
    box_of_odds,
    box_of_uncovered,
    box_of_what_leaves,
    guarantee_lines,
    promises,
)
from medpriv_core.home import DataHome
from medpriv_core.privacy.checks import check_run, confirm_run
from medpriv_core.privacy.conditions import Check
from medpriv_core.privacy.risk_subject import subject_of_images
from medpriv_core.privacy.tradeoff import NO_LIMIT, Risk
from medpriv_core.results.guarantee import HeldGuarantee, held_guarantee, not_established, picture_guarantee
from medpriv_core.runs.attacked import read_attack
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.image_ledger import read_ledger
from medpriv_core.runs.on_images import all_runs, epsilon_on_images
from medpriv_core.runs.service import Run, load_run
from medpriv_core.runs.spent_record import with_bond
from medpriv_core.spec import RunSpec
from medpriv_core.weights_file import sha256_of

NO_ATTACK = "No attack was run on this network."
WEAK = "An attack that finds little proves nothing about ε: a better one may find more."
SENDER = (
    "This run came from another machine. All that is said here is at its sender's word, and nobody here can check it."
)


@dataclass(frozen=True)
class AttackLine:
    """An attack that was run on the network, and what it found, each in words."""

    name: str
    result: str


@dataclass(frozen=True)
class Blanks:
    """What only people know; None is a blank line to be filled in by hand."""

    recipient: str | None = None
    purpose: str | None = None
    retention: str | None = None


@dataclass(frozen=True)
class PrivacyStatement:
    """All that is told of one run.

    boxes     what leaves and to whom; who could learn what, in odds; what is not covered
    lines     settings and guarantee, in one order for all runs
    checks    the lights of a DP-SGD run, by the machine; none for other methods
    promises  what people promise, because no machine can check it
    attacks   that were run, and their results
    held      what holds, with its ε, for files that machines read
    """

    run: str
    state: str
    written: date
    method: str
    synthetic: bool
    imported: bool
    blanks: Blanks
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    checks: tuple[Check, ...]
    promises: tuple[str, ...]
    attacks: tuple[AttackLine, ...]
    held: HeldGuarantee
    data: str

    @property
    def attacks_in_words(self) -> tuple[str, ...]:
        """What attacks found, or that none was run."""
        if not self.attacks:
            return (NO_ATTACK, WEAK)
        return (*(f"{attack.name}: {attack.result}" for attack in self.attacks), WEAK)


def read_statement(
    home: DataHome,
    run_id: str,
    *,
    blanks: Blanks = Blanks(),
    with_attack_figures: bool = False,
    today: date | None = None,
) -> PrivacyStatement:
    """The statement of a run in the data home, as it is now; waits for the second accountant.

    ``with_attack_figures``: what an attack found is counted on training records without noise, so that the figures
    stay at home unless somebody asks for them; whether it was more than the guarantee allows is always said.

    Raises ``RunError`` for a run that does not exist or whose files are damaged.
    """
    run = load_run(home, run_id)
    if run.spec is None:
        raise RunError(f"Run {run.id} has no statement: {run.message or 'its settings cannot be read.'}")
    directory = RunDirectory(home.runs / run.id)
    spent = with_bond(run.spent, directory) if run.ended else run.spent
    confirm_run(run.spec, setup=run.setup, spent=spent)
    held = _held(replace(run, spent=spent), run.spec)
    checks = check_run(run.spec, setup=run.setup, spent=spent, imported=run.imported)
    title, synthetic = _data(home, run.spec.dataset)
    risk = _risk(run.spec, held)
    lines = [
        *guarantee_lines(shared_run(run), run.spec, held, checks, data=title),
        *_on_images(home, run, run.spec),
        *_versions(run, run.spec),
    ]
    return PrivacyStatement(
        run=run.id,
        state=run.state,
        written=today or date.today(),
        method=run.spec.method,
        synthetic=synthetic,
        imported=run.imported,
        blanks=blanks,
        boxes=(
            box_of_what_leaves(run, run.spec, blanks.recipient, blanks.purpose),
            box_of_odds(run.spec, held, risk),
            box_of_uncovered(run.spec, run.setup),
        ),
        lines=tuple(lines),
        checks=tuple(checks),
        promises=promises(run.spec),
        attacks=_attacks(home, run.id, figures=with_attack_figures),
        held=held,
        data=title,
    )


def _attacks(home: DataHome, run_id: str, *, figures: bool) -> tuple[AttackLine, ...]:
    report = read_attack(home, run_id)
    if report is None:
        return ()
    name = f"Membership inference, {report.targets} networks by this recipe, {report.references} references"
    alarm = alarm_sentences(report)
    if alarm:
        said = "it found MORE than the guarantee allows: do not release this network"
    elif report.epsilon is None:
        said = "it was run; no guarantee limits what it may find"
    else:
        said = "it found no more than the guarantee allows"
    return (AttackLine(name, f"{said}. {finding(report)}" if figures else f"{said}. The figures stay at home."),)


def _held(run: Run, spec: RunSpec) -> HeldGuarantee:
    if run.kept_nothing and spec.method == "dp_sgd":
        return not_established("no network was kept, so there is nothing to hand on", spec.record)
    try:
        return held_guarantee(spec, run.setup, run.spent)
    except DatasetError:
        return not_established("the dataset is not known here, so the shape of its images is not")


def _risk(spec: RunSpec, held: HeldGuarantee) -> Risk:
    if held.verdict is not None:
        return held.verdict.risk
    if spec.method != "local_dp" or not held.established:
        return NO_LIMIT
    return subject_of_images(picture_guarantee(spec)).risk


def _data(home: DataHome, name: str) -> tuple[str, bool]:
    try:
        info = dataset_info(name, home)
    except DatasetError:
        return "a dataset that is not known here", False
    return info.title, info.synthetic


def _on_images(home: DataHome, run: Run, spec: RunSpec) -> list[Line]:
    """What all networks on the same images cost together, by the journal of these images."""
    topic = "Multiple releases"
    if spec.method != "dp_sgd":
        said = "not counted for this method: each network or noised copy that is given away is a release of its own"
        return [Line("all_networks", "All networks together", said, topic)]
    unknown = "not known here: the images of this run are gone, have changed, or are on another machine"
    entry = next((one for one in list_datasets(home) if one.info.name == spec.dataset), None)
    content = None if entry is None or run.imported else _content_now(home, spec.dataset)
    if entry is None or content is None or same_images(content) != same_images(run.setup.content or ""):
        return [
            Line("all_networks", "All networks together", unknown, topic),
            Line("given_away", "Networks given away", unknown, topic),
        ]
    runs = all_runs(home)
    together = epsilon_on_images(home, spec.dataset, runs)
    given = read_ledger(home, replace(entry, content=content), runs).released
    told = "there is no record of what they spent" if together is None else together.ever_sentence
    away = "none is marked as given away" if given is None else f"{given.networks:,} marked; together {given.statement}"
    return [
        Line("all_networks", "All networks together", told, topic),
        Line("given_away", "Networks given away", away, topic),
    ]


def _content_now(home: DataHome, dataset: str) -> str | None:
    """The content key of the images as they are, read anew where their files were touched; None where they are gone."""
    try:
        return content_of(home, dataset)
    except DatasetError:
        return None


def _versions(run: Run, spec: RunSpec) -> list[Line]:
    setup, topic = run.setup, "Implementation"
    versions = {"medpriv": setup.medpriv_version, "torch": setup.torch_version, "Opacus": setup.opacus_version}
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return [
        Line("software", "Software", found or NOT_RECORDED, topic),
        Line("settings_sha256", "Settings, SHA-256", settings_digest(spec), topic),
        Line("weights", "Began with", _weights(run, spec), topic),
        Line(
            "data_version",
            "Images",
            "their digest is kept with the run and not told, because a guess at an image could be confirmed by it",
            "Data collection exposure",
        ),
    ]


def _weights(run: Run, spec: RunSpec) -> str:
    if spec.weights in ("imagenet", "none"):
        return "torchvision's weights of ImageNet" if spec.weights == "imagenet" else "random numbers"
    digest = None if run.imported else sha256_of(Path(spec.weights))
    return f"a weights file, {f'SHA-256 {digest}' if digest else 'which is not here any more'}"


def settings_digest(spec: RunSpec) -> str:
    """SHA-256 of a run's settings without the place of a weights file: equal for runs with equal settings."""
    values = spec.to_dict() | {"weights": spec.weights if spec.weights in ("imagenet", "none") else "file"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A field in which two statements differ; None where one does not have it."""

    label: str
    first: str | None
    second: str | None


def differences(first: PrivacyStatement, second: PrivacyStatement) -> list[Difference]:
    """The fields in which two runs differ, in the order of the statement."""
    mine, others = fields_of(first), fields_of(second)
    labels = list(dict.fromkeys([*mine, *others]))
    pairs = [Difference(label, mine.get(label), others.get(label)) for label in labels]
    return [pair for pair in pairs if pair.first != pair.second]


def fields_of(statement: PrivacyStatement) -> dict[str, str]:
    """Every field of a statement by its label, in order."""
    return {
        "Run": statement.run,
        "State": statement.state,
        **{box.title: " ".join(box.sentences) for box in statement.boxes},
        **{line.label: line.value for line in statement.lines},
        **{f"Checked: {check.name}": f"{check.state}. {check.sentence}" for check in statement.checks},
        "Attacks": " ".join(statement.attacks_in_words),
        "From another machine": "yes" if statement.imported else "no",
    }


def as_json(statement: PrivacyStatement) -> dict[str, Any]:
    """Stable keys, ready for JSON; ``schema`` grows when their meaning changes. An ε that does not hold is null."""
    held = statement.held
    finite = math.isfinite(held.epsilon)
    return {
        "schema": 1,
        "kind": "medpriv privacy statement",
        "medpriv_version": medpriv_core.__version__,
        "written": statement.written.isoformat(),
        "run": statement.run,
        "state": statement.state,
        "imported": statement.imported,
        "synthetic": statement.synthetic,
        "method": statement.method,
        **vars(statement.blanks),
        "guarantee": {
            "established": held.established,
            "epsilon": held.epsilon if finite else None,
            "delta": held.delta,
            "unit": held.unit,
            "adjacency": held.adjacency,
            "sampling": held.sampling,
            "accountant": held.accountant,
            "statement": held.statement,
        },
        "boxes": {box.key: {"title": box.title, "sentences": list(box.sentences)} for box in statement.boxes},
        "lines": {line.key: {"label": line.label, "value": line.value, "nist": line.nist} for line in statement.lines},
        "checked_by_machine": [vars(check) for check in statement.checks],
        "promised_by_people": list(statement.promises),
        "attacks": [vars(attack) for attack in statement.attacks],
        "attacks_in_words": list(statement.attacks_in_words),
    }
