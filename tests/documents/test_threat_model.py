"""Every sentence of docs/threat-model.md has a test, or says that it has none and why."""

from __future__ import annotations

import pytest

from tests.documents.sentences import DOCUMENT, TABLE, Entry, complaints, is_test, quoted, read_table, sentences

A_TEST = "tests/documents/test_threat_model.py::test_a_document_is_cut_into_its_sentences"


def test_every_sentence_has_its_test_or_the_reason_why_it_has_none() -> None:
    found = sentences(DOCUMENT.read_text(encoding="utf-8"))
    wrong = complaints(found, read_table(TABLE.read_text(encoding="utf-8")))

    assert len(found) > 100
    assert not wrong, f"In {TABLE.name} is missing, or left over:\n\n" + "\n".join(wrong)


def test_most_sentences_are_held_by_a_test() -> None:
    table = read_table(TABLE.read_text(encoding="utf-8"))
    assert sum(bool(entry.tests) for entry in table) > 0.7 * len(table)


def test_a_document_is_cut_into_its_sentences() -> None:
    text = """# Title

First, of 0.1.0, on
two lines. Second (of two.) **Third.**

| head | head |
| --- | --- |
| a | b. c |

- **Labels.** They are
  used. Is `x.y` so?
- one
- two

### Title

Before a list:
- three
"""
    assert sentences(text) == [
        "First, of 0.1.0, on two lines.",
        "Second (of two.)",
        "**Third.**",
        "a | b. c",
        "**Labels.** They are used.",
        "Is `x.y` so?",
        "one",
        "two",
        "Before a list:",
        "three",
    ]


SOUND = Entry("It is so.", (A_TEST,), "")


@pytest.mark.parametrize(
    ("found", "table", "said"),
    [
        (["It is so."], [SOUND], None),
        (["It is so."], [Entry("It is so.", (), "Nobody can test what an administrator does.")], None),
        (["It is so.", "A new sentence."], [SOUND], 'says = "A new sentence."'),
        (["It is not so."], [SOUND], "# It said: It is so."),
        (["It is not so."], [SOUND], f'# held by "{A_TEST}"'),
        ([], [SOUND], "No sentence of the document any more; take its entry out: It is so."),
        (["It is so."], [SOUND, SOUND], "Two entries for one sentence: It is so."),
        (["It is so."], [Entry("It is so.", (), "")], "Neither a test nor the reason"),
        (["It is so."], [Entry("It is so.", (), "because")], "Neither a test nor the reason"),
        (["It is so."], [Entry("It is so.", (f"{A_TEST}_or_not",), "")], "There is no test"),
    ],
)
def test_what_is_missing_left_over_or_held_by_nothing_is_told(
    found: list[str], table: list[Entry], said: str | None
) -> None:
    wrong = complaints(found, table)
    assert bool(wrong) == (said is not None)
    assert said is None or said in "\n".join(wrong)


def test_what_is_printed_can_be_pasted() -> None:
    sentence = 'It said "so", \\ and `ε`.'
    (missing,) = complaints([sentence], [])
    (entry,) = read_table(missing.replace('because = ""', 'because = "Nobody can know."'))
    assert entry == Entry(sentence, (), "Nobody can know.")
    assert quoted(sentence) in missing


@pytest.mark.parametrize(
    ("name", "there"),
    [
        (A_TEST, True),
        ("tests/documents/test_threat_model.py::Entry", False),
        ("tests/documents/sentences.py::sentences", False),
        ("tests/documents/test_gone.py::test_gone", False),
        ("docs/test_threat_model.py::test_a_document_is_cut_into_its_sentences", False),
        ("tests/documents/test_threat_model.py", False),
    ],
)
def test_only_what_pytest_collects_counts_as_a_test(name: str, there: bool) -> None:
    assert is_test(name) is there


@pytest.mark.parametrize("text", ['[[sentence]]\nsays = ""', '[[sentence]]\nsays = "So."\ntest = ["x"]'])
def test_a_misspelt_entry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="An entry has says, tests and because"):
        read_table(text)
