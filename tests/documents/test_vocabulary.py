"""One word for one thing, by the table in CONTRIBUTING.md, wherever people read."""

from __future__ import annotations

from functools import cache

import pytest

from tests.documents.vocabulary import Row, pattern, prose, sentences_of, sentences_of_script, shown, table

ROWS = table()


@cache
def read(*, pages_only: bool) -> tuple[tuple[str, str], ...]:
    """All sentences, read once for all rows."""
    return tuple(shown(pages_only=pages_only))


@pytest.mark.parametrize("row", ROWS, ids=[row.say for row in ROWS])
def test_no_sentence_holds_a_word_that_lost(row: Row) -> None:
    found = [
        f"{place}: {loser!r} in …{' '.join(text[max(0, at.start() - 40) : at.end() + 40].split())}…, say {row.say}"
        for place, text in read(pages_only=row.where == "pages")
        for loser, looks in row.patterns().items()
        for at in looks.finditer(text)
    ]

    assert found == []


def test_the_table_is_read() -> None:
    losers = [loser for row in ROWS for loser in row.losers]

    assert {"picture", "whoever", "delete*"} <= set(losers)
    assert len(losers) == len(set(losers))
    assert all(row.say and row.losers and row.where in ("everywhere", "pages") for row in ROWS)
    for row in ROWS:
        assert not [loser for loser in losers if pattern(loser).search(row.say)]


@pytest.mark.parametrize(
    ("loser", "sentence"),
    [
        ("picture", 'st.caption("Two pictures beside each other.")'),
        ("picture", 'f"The {kind} picture"'),
        ("delete*", 'st.button("Deleted")'),
        ("95 %", 'f"sure by {share:.0f} % of all"'),
        ("95 %", '"a 95 % interval"'),
        ("Poisson sampling", '("by Poisson "\n"sampling")'),
    ],
)
def test_a_loser_is_found(loser: str, sentence: str) -> None:
    assert [text for _, text in sentences_of(f"said = {sentence}") if pattern(loser).search(prose(text))]


@pytest.mark.parametrize(
    ("loser", "source"),
    [
        ("picture", '"""Of a picture."""'),
        ("picture", 'state["picture"] = picture_of("own_picture")'),
        ("delete*", 'st.button("Remove", icon=":material/delete:")'),
        ("delete*", 'database.execute("DELETE FROM runs WHERE id = ?")'),
        ("delete*", '"Type: python -m medpriv_core runs delete RUN"'),
        ("picture", '"The name is `picture_noise` or `picture`."'),
        ("95 %", 'f"{share:.1%} of all"'),
    ],
)
def test_what_people_do_not_read_is_passed_over(loser: str, source: str) -> None:
    assert not [text for _, text in sentences_of(source) if pattern(loser).search(prose(text))]


@pytest.mark.parametrize("source", ["x = `Picture ${n} of 2`", "y.ariaLabel = 'A picture';", "// a\nz('two pictures')"])
def test_a_loser_is_found_in_a_script(source: str) -> None:
    assert [text for _, text in sentences_of_script(source) if pattern("picture").search(text)]


@pytest.mark.parametrize("source", ["// It's a picture, isn't it", 'state["picture"] = "picture"'])
def test_what_of_a_script_people_do_not_read_is_passed_over(source: str) -> None:
    assert not [text for _, text in sentences_of_script(source) if pattern("picture").search(text)]
