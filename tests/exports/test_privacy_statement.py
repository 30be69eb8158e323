"""The privacy statement: what is said of each kind of run, and that nothing names a person, a file or a folder."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from medpriv_core.attacks.membership_report import figures_of
from medpriv_core.checksums import write_sealed
from medpriv_core.errors import RunError, SettingError
from medpriv_core.exports.privacy_statement import (
    NO_ATTACK,
    SENDER,
    AttackLine,
    Blanks,
    PrivacyStatement,
    as_json,
    differences,
    read_statement,
)
from medpriv_core.exports.privacy_statement_files import comparison_file, registry_entry, statement_file, statement_text
from medpriv_core.home import DataHome
from medpriv_core.privacy.curve import Curve, GaussianCurve
from medpriv_core.privacy.odds import posterior_at
from medpriv_core.privacy.risk_subject import subject_of_images
from medpriv_core.privacy.statement import of_hundred
from medpriv_core.privacy.tradeoff import risk_of_point
from medpriv_core.private_files import make_folder
from medpriv_core.results.guarantee import held_guarantee, picture_guarantee
from medpriv_core.runs import service
from medpriv_core.runs.attacked import REPORT, attack_folder
from medpriv_core.runs.directory import RunDirectory
from medpriv_core.runs.imports import import_run
from medpriv_core.runs.spent_record import write_record
from medpriv_core.spec import RunSpec
from tests.attacks.test_membership import gaussian_answers, whole_report
from tests.exports.runs import LOCAL, PLAIN, PRIVATE, RUN_ID, put_run, read

SENTINEL = "ZZsentinelZZ"
TODAY = date(2026, 3, 4)
KINDS = (".html", ".json", ".yaml")


def told(home: DataHome, spec: RunSpec = PRIVATE, run_id: str = RUN_ID) -> PrivacyStatement:
    put_run(home, spec, run_id=run_id)
    return read_statement(home, run_id, today=TODAY)


def test_a_private_run_has_all_that_its_epsilon_depends_on(home: DataHome) -> None:
    statement = told(home)
    run = read(home)
    held = held_guarantee(PRIVATE, run.setup, run.spent)
    lines = {line.key: line.value for line in statement.lines}

    assert held.verdict is not None
    assert statement.held.epsilon == held.epsilon < math.inf
    assert "ε = " in lines["epsilon"]
    assert "δ = 1e-5" in lines["epsilon"]
    assert (lines["unit"], lines["adjacency"]) == (held.unit, held.adjacency)
    assert (lines["sampling"], lines["accountant"]) == (held.sampling, held.accountant)
    assert "Another program says ε" in lines["second"]
    assert lines["meaning"] == held.verdict.sentence
    after = of_hundred(posterior_at(0.1, risk=held.verdict.risk))
    assert f"10% → {after}%" in statement.boxes[1].sentences[1]
    assert NO_ATTACK in statement.attacks_in_words
    assert len(lines["settings_sha256"]) == 64


def test_without_privacy_it_is_said_plainly(home: DataHome) -> None:
    statement = told(home, PLAIN)

    assert statement.boxes[1].sentences[0].startswith("ε = ∞: trained without privacy")
    assert as_json(statement)["guarantee"]["epsilon"] is None
    assert registry_entry(statement)["deployment"]["dp_flavor"]["name"] is None


def test_under_local_dp_the_image_is_told_and_the_labels_are_not_covered(home: DataHome) -> None:
    statement = told(home, LOCAL)

    assert statement.held.unit == "one whole image"
    assert any("Labels" in sentence for sentence in statement.boxes[2].sentences)
    assert registry_entry(statement)["deployment"]["model"]["model_name"] == "Local"


def test_what_an_earlier_version_did_not_record_is_called_so(home: DataHome) -> None:
    directory = put_run(home, PRIVATE)
    (directory.path / "spent.json").unlink()
    (directory.path / "setup.json").write_text(json.dumps({"train_size": 640}))

    statement = read_statement(home, RUN_ID, today=TODAY)
    lines = {line.key: line.value for line in statement.lines}

    assert lines["software"] == "not recorded"
    assert any("did not record" in check.sentence for check in statement.checks)
    assert all(check.state != "green" for check in statement.checks if check.name in ("Sampling", "Clipping"))


def test_of_a_damaged_run_there_is_none(home: DataHome) -> None:
    directory = put_run(home, PRIVATE)
    (directory.path / "spec.json").write_text("{")

    with pytest.raises(RunError, match="has no statement"):
        read_statement(home, RUN_ID)


def test_a_checkpoint_that_is_another_one_leaves_no_epsilon(home: DataHome) -> None:
    directory = put_run(home, PRIVATE)
    spent = read(home).spent
    assert spent is not None
    write_record(directory, replace(spent, checkpoint="0" * 64))
    directory.checkpoint.write_bytes(b"another")

    statement = read_statement(home, RUN_ID)

    assert not statement.held.established
    assert "nothing bounds" in statement.boxes[1].sentences[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spec", [PRIVATE, LOCAL, PLAIN], ids=lambda spec: spec.method)
def test_nothing_names_a_person_a_file_or_a_folder(home: DataHome, tmp_path: Path, kind: str, spec: RunSpec) -> None:
    weights = tmp_path / SENTINEL / "weights.pth"
    put_run(home, spec.changed(weights=str(weights)))
    service.rename(home, RUN_ID, SENTINEL)
    service.set_notes(home, RUN_ID, SENTINEL, expected="first\nsecond")
    service.set_tags(home, RUN_ID, [SENTINEL])

    text = statement_file(read_statement(home, RUN_ID), kind)

    assert SENTINEL not in text
    assert str(home.root) not in text
    assert "a weights file" in text or kind == ".yaml"


def test_the_digest_of_the_images_stays_at_home(home: DataHome) -> None:
    put_run(home, PRIVATE, content="a1b2c3d4e5f6")

    statement = read_statement(home, RUN_ID)

    assert all("a1b2c3d4e5f6" not in statement_file(statement, kind) for kind in KINDS)


def test_hostile_text_is_text(home: DataHome) -> None:
    put_run(home, PRIVATE)
    hostile = '<script>alert("x")</script>\n- key: "\u202e'
    blanks = Blanks(hostile, hostile, hostile)

    statement = replace(read_statement(home, RUN_ID, blanks=blanks), attacks=(AttackLine(hostile, hostile),))
    page, yaml = statement_file(statement, ".html"), statement_file(statement, ".yaml")

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\n- key" not in yaml
    assert json.loads(statement_file(statement, ".json"))["recipient"] == hostile


def test_the_page_asks_nobody_for_anything(home: DataHome) -> None:
    page = statement_file(told(home), ".html")

    assert all(word not in page for word in ("<script", "http:", "https:", "src=", "<link", "url("))
    assert "size: A4" in page


def test_an_imported_run_is_at_its_senders_word(home: DataHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "imported", True)

    statement = told(home)

    assert statement.imported
    assert SENDER in statement_text(statement)
    assert {check.state for check in statement.checks} <= {"amber", "red"}
    assert "Holds (" not in statement_file(statement, ".html")


def test_yaml_has_scalars_that_json_reads(home: DataHome) -> None:
    lines = statement_file(told(home), ".yaml").splitlines()
    values = [line.split(": ", 1)[1] for line in lines if ": " in line]

    assert all(json.loads(value) != "" for value in values)
    assert any(line.strip() == "delta: 1.0e-05" for line in lines)


def test_two_runs_beside_each_other(home: DataHome) -> None:
    first, second = told(home), told(home, PRIVATE.changed(noise_multiplier=2.0), "20260102-030405-eeee")
    labels = [one.label for one in differences(first, second)]

    assert labels[0] == "Run"
    assert "ε with δ" in labels
    assert "Data" not in labels
    assert differences(first, first) == []
    assert "where they differ" in comparison_file(first, second, ".html")
    with pytest.raises(SettingError, match=r"\.html or \.json"):
        comparison_file(first, second, ".yaml")


def test_a_run_that_has_not_ended_says_so(home: DataHome) -> None:
    put_run(home, PRIVATE)
    with closing(sqlite3.connect(home.root / "runs.sqlite3")) as connection, connection:
        connection.execute("UPDATE runs SET state = 'running'")

    assert any("has not ended" in sentence for sentence in read_statement(home, RUN_ID).boxes[0].sentences)


def an_attack(home: DataHome, *, ceiling: Curve) -> None:
    """An attack on the run that found what it found."""
    figures = figures_of(
        gaussian_answers(2.0, records=2400),
        ceiling=ceiling,
        delta=1e-5,
        first_images=np.arange(2400),
        rng=np.random.default_rng(0),
    )
    make_folder(attack_folder(home, RUN_ID))
    write_sealed(attack_folder(home, RUN_ID) / REPORT, whole_report(figures) | {"version": 1})


def test_an_attack_is_told_without_its_figures_unless_they_are_asked_for(home: DataHome) -> None:
    put_run(home, PRIVATE)
    an_attack(home, ceiling=GaussianCurve(3.0))
    plain, full = (read_statement(home, RUN_ID, with_attack_figures=figures) for figures in (False, True))

    assert "it found no more than the guarantee allows. The figures stay at home." in plain.attacks_in_words[0]
    assert "found" not in plain.attacks_in_words[0].removeprefix("Membership inference").split("allows.")[1]
    assert "of 100 images that the networks learned from" in full.attacks_in_words[0]


def test_an_attack_that_finds_more_than_is_allowed_is_said_by_all_means(home: DataHome) -> None:
    put_run(home, PRIVATE)
    an_attack(home, ceiling=GaussianCurve(0.2))
    statement = read_statement(home, RUN_ID)

    assert "it found MORE than the guarantee allows: do not release this network" in statement.attacks_in_words[0]
    assert "it found MORE" in statement_file(statement, ".html")


def test_noised_images_have_the_odds_of_the_noise_itself(home: DataHome) -> None:
    spec = LOCAL.changed(beta=120.0)
    statement = told(home, spec)
    exact = subject_of_images(picture_guarantee(spec)).risk

    assert exact.at_one_percent < 0.9 * risk_of_point(epsilon=statement.held.epsilon, delta=1e-5).at_one_percent
    assert f"{of_hundred(exact.at_one_percent)} of 100 at 1%" in statement.boxes[1].sentences[0]


def test_a_run_of_the_previous_version_has_a_statement(home: DataHome) -> None:
    archive = Path(__file__).parents[1] / "fixtures" / "run_dp_sgd_0_1_0.zip"
    statement = read_statement(home, import_run(home, archive))

    assert statement.imported
    assert SENDER in statement_text(statement)
    assert {check.state for check in statement.checks} <= {"amber", "red"}
