"""The privacy statement as HTML on one A4 page: no script, nothing from elsewhere, black on white.

The browser makes the PDF: its print dialog, or ``chromium --headless --print-to-pdf``. Every text goes through
``for_html``. A statement with many doubtful checks takes a second page; nothing is left out to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medpriv_core.exports.privacy_statement import SENDER, PrivacyStatement, differences
from medpriv_core.exports.statement_lines import BLANK, Line
from medpriv_core.privacy.conditions import Check, State
from medpriv_core.shown_text import for_html

_STYLE = """
@page { size: A4; margin: 8mm 11mm; }
* { box-sizing: border-box; }
body { font: 8.5pt/1.22 "Liberation Sans", Arial, Helvetica, sans-serif; color: #000; background: #fff; margin: 0 auto;
  max-width: 188mm; }
@media screen { body { padding: 9mm 4mm; } }
h1 { font-size: 13pt; margin: 0; }
h2 { font-size: 9pt; margin: 1.6mm 0 .6mm; }
p { margin: 0 0 .6mm; }
.about { margin-bottom: 1.4mm; }
.boxes { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 2mm; }
.boxes section { border: .35mm solid #000; padding: 1.2mm 1.6mm; }
.boxes h2 { margin-top: 0; }
table { border-collapse: collapse; width: 100%; }
td, th { border-top: .15mm solid #777; padding: .25mm 1mm .25mm 0; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { font-weight: bold; }
th:first-child { width: 1%; white-space: nowrap; padding-right: 3mm; }
td.nist { width: 1%; white-space: nowrap; }
.checks p { display: inline; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 4mm; }
ul { margin: 0; padding-left: 0; list-style: none; }
.sign { margin-top: 2.5mm; break-inside: avoid; }
.sign p { border-top: .2mm solid #000; padding-top: .4mm; margin-top: 6mm; }
@media (max-width: 600px) { .boxes, .two { grid-template-columns: 1fr; } }
"""
_NO_CHECKS = "<p>Nothing: without DP-SGD there are no conditions of ε for the machine to check.</p>"
_STATES: dict[State, str] = {"red": "Fails", "amber": "Needs attention", "green": "Holds"}


def statement_html(statement: PrivacyStatement) -> str:
    """The page, ready to be saved and printed."""
    text = for_html
    about = [
        f"Run {text(statement.run)} ({text(statement.state)}). Written {statement.written.isoformat()}.",
        *(["<strong>All images are synthetic: of no patient.</strong>"] if statement.synthetic else []),
        *([f"<strong>{text(SENDER)}</strong>"] if statement.imported else []),
        "Not a medical device. The last column names the topic of NIST SP 800-226 that a line answers.",
    ]
    boxes = "".join(
        f"<section><h2>{text(box.title)}</h2>{_paragraphs(box.sentences)}</section>" for box in statement.boxes
    )
    checks = " ".join(_checks(statement.checks))
    body = f"""<h1>Privacy statement of a trained network</h1>
<p class="about">{" ".join(about)}</p>
<div class="boxes">{boxes}</div>
<h2>Settings and guarantee</h2>
<table>{"".join(map(_row, statement.lines))}</table>
<h2>Checked by the machine</h2>
<div class="checks">{checks or _NO_CHECKS}</div>
<div class="two"><div><h2>Promised by people (tick)</h2>
<ul>{"".join(f"<li>☐ {text(promise)}</li>" for promise in statement.promises)}</ul></div>
<div><h2>Attacks that were run</h2>{_paragraphs(statement.attacks_in_words)}
<h2>Retention</h2><p>{text(statement.blanks.retention or BLANK)}</p></div></div>
<div class="two sign"><p>Date, name, signature of the one who trained</p>
<p>Date, name, signature of the data-protection officer</p></div>"""
    return _page("Privacy statement", body)


def comparison_html(first: PrivacyStatement, second: PrivacyStatement) -> str:
    """Two statements beside each other: the fields in which they differ, in the order of the statement."""
    rows = "".join(
        f"<tr><th>{for_html(one.label)}</th><td>{_cell(one.first)}</td><td>{_cell(one.second)}</td></tr>"
        for one in differences(first, second)
    )
    body = f"""<h1>Two privacy statements: where they differ</h1>
<p class="about">What is not in the table is the same in both. Written {first.written.isoformat()}.</p>
<table><tr><th>Field</th><th>{for_html(first.run)}</th><th>{for_html(second.run)}</th></tr>{rows}</table>"""
    return _page("Two privacy statements", body)


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _cell(value: str | None) -> str:
    return "not in this one" if value is None else for_html(value)


def _paragraphs(sentences: Iterable[str]) -> str:
    return "".join(f"<p>{for_html(sentence)}</p>" for sentence in sentences)


def _row(line: Line) -> str:
    return (
        f"<tr><th>{for_html(line.label)}</th><td>{for_html(line.value)}</td>"
        f'<td class="nist">{for_html(line.nist)}</td></tr>'
    )


def _checks(checks: Sequence[Check]) -> Iterable[str]:
    """Those that fail and those in doubt with their sentences; of those that hold, the names."""
    for state in ("red", "amber"):
        for check in checks:
            if check.state == state:
                name = f"<strong>{_STATES[check.state]}: {for_html(check.name)}.</strong>"
                yield f"<p>{name} {for_html(check.sentence)}</p>"
    if green := [check.name for check in checks if check.state == "green"]:
        yield f"<p><strong>Holds ({len(green)}):</strong> {for_html(', '.join(green))}.</p>"
