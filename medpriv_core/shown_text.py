"""Text from elsewhere, made ready for the place where it is shown: one function for each border.

What people and files wrote (names of runs, tags, notes, classes, members of zips, ids in tables, paths, addresses) is
text and nothing else. But each place that shows text obeys some of it: Markdown draws links and fetches pictures, a
chart reads a little HTML, a terminal moves its cursor, a spreadsheet computes what begins with "=". So text from
elsewhere is escaped once, where it leaves, by the function of that border. Words of our own are not: they may be bold
on purpose.

Two borders escape by themselves, so that nobody can forget it: the command line prints with ``cli.output.say`` alone,
and tables are written by ``csv_table`` alone. On pages, ``pages.parts.words.sentence`` shows an error. A test reads the
source for text that goes around these functions (``tests/test_text_from_elsewhere.py``).

Of JSON there is no function, because its own writer escapes. HTML is written by one export alone
(``exports.privacy_statement_html``).

>>> for_html('<b onclick="x">&')
'&lt;b onclick=&quot;x&quot;&gt;&amp;'
>>> for_terminal("name\\x1b[2J"), for_cell("=1+1"), for_chart("<b>bold</b>"), for_picture("two\\nlines")
('name\\ufffd[2J', "'=1+1", '&lt;b&gt;bold&lt;/b&gt;', 'two lines')
>>> for_markdown("# a_b")
'\\\\# a_b'
"""

from __future__ import annotations

import csv
import html
import io
import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LINE_ENDS = re.compile("\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
# Characters that are obeyed and not seen: controls (of 7 and 8 bits), marks that turn the direction of what follows,
# marks of byte order and of annotation, invisible letters of tags; and halves of surrogates, which no screen takes.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# What begins a link, a picture, emphasis, code, HTML, a table, mathematics, or the name of a character. An underscore
# within a word is one.
_MEANS = re.compile(r"[\\`*\[\]#<>~$|&]|(?<![^\W_])_|_(?![^\W_])")
# What makes of a whole line a list, a rule or the heading above it.
_BEGINS_BLOCK = re.compile(r"^( *)([-+=])|^( *\d{1,9})([.)])")
_SPACES = re.compile(" {2,}")
# Streamlit's Markdown looks once more at the text that the escapes have left, and makes links of addresses, pictures of
# ":word:", and arrows of "->". What has an invisible word joiner in its middle is none of these.
_JOINER = "\N{WORD JOINER}"
_READ_AGAIN = re.compile(r"(?<=:)(?=[^\W\d]|[+/-]|\d+:|$)|(?<=@)(?=[\w-]|$)|(?i:(?<=www)(?=\.|$))")
_ARROWS = re.compile(r"(?<!\S)(<->|->|<-|--|>=|<=|~=)(?!\S)")

# OWASP's list for CSV injection, and their wide forms, which Excel takes for the same in some languages.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_BEGINS_FORMULA = re.compile(rf"\s*[\t{_FORMULA}]")
# A spreadsheet that parts cells by semicolons or tabs finds further beginnings in the midst of a cell.
_FORMULA_WITHIN = re.compile(rf"(?<=[;\t\n])(\s*)(?=[{_FORMULA}])")

_MOST_DRAWN = 3000  # characters of one text; more does not fit on any picture, and would take long to measure


def for_terminal(text: str) -> str:
    """``text`` as one line that a terminal only prints: U+FFFD for what it would obey, a blank for each line end.

    Escape sequences (also those that begin with one character above U+007F, and links), carriage returns and marks
    that turn the direction of what follows stay to be seen, without their beginning.
    """
    return _OBEYED.sub(_REPLACEMENT, _LINE_ENDS.sub(" ", text))


def for_markdown(text: str) -> str:
    """``text`` as Markdown that shows the very same characters, on one line and as nothing else.

    For all that Streamlit makes of a text: links, also of bare addresses, pictures, headings, HTML, mathematics,
    colours, badges, icons, emoji, arrows. Blanks that follow each other become one, as on any page. What means nothing
    stays without a backslash, so that a sentence of ours in which a name stands can still be read and searched.
    """
    line = _SPACES.sub(" ", for_terminal(text))
    line = _ARROWS.sub(lambda found: found[0][0] + _JOINER + found[0][1:], line)
    line = _MEANS.sub(r"\\\g<0>", _READ_AGAIN.sub(_JOINER, line))
    return _BEGINS_BLOCK.sub(r"\1\3\\\2\4", line)


def for_chart(text: str) -> str:
    """``text`` as a Plotly chart shows it: without bold, links and line breaks, and without values of the chart.

    For every text of a figure: names of traces, titles, categories, annotations, what is shown on hover.
    """
    return html.escape(for_terminal(text), quote=False).replace("%{", f"%{_JOINER}{{")


def for_html(text: str) -> str:
    """``text`` as one line of an HTML page, between tags or in a quoted attribute, and as nothing else."""
    return html.escape(for_terminal(text))


def for_picture(text: str) -> str:
    """``text`` as one line of characters that a font can draw and that XML allows, for PNG and SVG.

    Line breaks and other control characters become blanks; invisible ones, which could turn the direction of the text,
    are left out; what is no character at all becomes U+FFFD. That a dollar is a dollar, and not the beginning of
    mathematics, is seen to by ``exports.chart_styles.lettering``, and that "<" is none of XML's by its writer.
    """
    kinds = ((character, unicodedata.category(character)) for character in text[:_MOST_DRAWN])
    allowed = (
        " " if kind == "Cc" else _REPLACEMENT if kind in ("Cs", "Cn", "Co") else character
        for character, kind in kinds
        if kind != "Cf"
    )
    return " ".join("".join(allowed).split())


def for_cell(value: Any) -> str:
    """A value as a cell that no spreadsheet takes for a formula, for CSV and for tables that can be saved as such.

    A text that begins like a formula gets an apostrophe in front, as OWASP advises; so does what would begin one if
    the cell were cut at a semicolon, a tab or a line end. Line ends become those of Unix, so that no terminal goes
    back on a line. Numbers stay numbers, and None is an empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        value = " ".join("" if part is None else str(part) for part in value)
    if not isinstance(value, str):
        return str(value)
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    text = _OBEYED.sub(lambda found: found[0] if found[0] in "\t\n" else _REPLACEMENT, text)
    found = _BEGINS_FORMULA.match(text)
    begin, rest = (f"'{found[0]}", text[found.end() :]) if found else ("", text)
    return begin + _FORMULA_WITHIN.sub(r"\1'", rest)


def csv_table(names: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    """Comma-separated text with a header, as RFC 4180 has it; the only writer of CSV, so that every cell is safe.

    ``names`` are the columns in their order, the header's cells too; what a line has under other names is left out.
    """
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\r\n")
    writer.writerow(map(for_cell, names))
    writer.writerows([for_cell(line.get(name)) for name in names] for line in lines)
    return output.getvalue()


class ForTerminal(logging.Filter):
    """Makes what is logged, the traceback included, ready for a terminal; to be added to a logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record goes on, with its text on one line and its traceback on lines of its own."""
        record.msg, record.args = for_terminal(record.getMessage()), ()
        if record.exc_info:
            traceback = logging.Formatter().formatException(record.exc_info)
            record.exc_text = "\n".join(map(for_terminal, traceback.splitlines()))
        return True
