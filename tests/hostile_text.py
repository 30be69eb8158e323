"""Names that try to be something else, for tests of every border: what a stranger may have called a run or a file."""

from __future__ import annotations

import random

# Nobody listens there; a browser that asks for it has taken a name for a command.
ELSEWHERE = "http://127.0.0.1:9/x.png"

MARKDOWN = (
    f"![x]({ELSEWHERE})",
    f"[Log in again]({ELSEWHERE})",
    f"<{ELSEWHERE}>",
    ELSEWHERE,
    "www.example.org/x",
    "somebody@example.org",
    "# Log in again",
    "## b",
    "- a list",
    "+ a list",
    "* a list",
    "1. a list",
    "12) a list",
    "> a quotation",
    "---",
    "===",
    "```python",
    "~~~",
    "    code",
    "**bold** and *slanted* and __bold__ and _slanted_",
    "~~struck~~ ~struck~",
    "`code` ``code``",
    "$x^2$ $$x^2$$",
    ":red[red] :blue-background[b] :orange-badge[b] :small[s] :rainbow[r] :shimmer[s] :help[h]",
    ":color[c]{foreground=red}",
    ":red :material/home: :material_home: :streamlit: :smile: :+1: :100:",
    "::leaf[x] :::note",
    "a <- b -> c <-> d -- e >= f <= g ~= h",
    "| a | b | --- |",
    "[^1] [^1]: note [x]: y",
    "&lt;b&gt; &#42;x&#42; http&#58;//127.0.0.1:9/x.png &copy;",
    "\\*x\\* \\",
    "a_b a__b _a b_ noise_multiplier",
    "ends with a colon:",
    "ends with www",
    "ends with @",
    "- [x] done",
)
HTML = (
    f'<a href="{ELSEWHERE}">click</a><b>bold</b>',
    f'<img src="{ELSEWHERE}" onerror="alert(1)">',
    "<script>alert(1)</script>",
    "a<br>b<sub>c</sub><extra>d</extra> &lt;i&gt;",
    "%{x} %{customdata[0]} %{fullData.name}",
)
TERMINAL = (
    "\x1b[2J\x1b[31mred\x1b[0m",
    f"\x1b]8;;{ELSEWHERE}\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred \x9d8;;x\x9c",
    "one\rtwo",
    "one\nmedpriv: all is well",
    "one\r\ntwo\vthree\ftour\x85five\u2028six\u2029seven",
    "a\tb\x07\x08\x00\x7f",
    "left\u202eright\u2066x\u2069\u200e\u200f\u061c",
    "\ufeffmark \ufff9a\ufffa",
    "tag\U000e0041",
    "half \udce9 \ud800",
)
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1", "a;=1+1", "a\n=1", "a\t@b")
ALL = (*MARKDOWN, *HTML, *TERMINAL, *FORMULAS)

_PIECES = (
    *"![]()<>{}#*_~`$|&\\:;.,-+=@^%\"'/? ",
    "http://", "https:", "www.", "127.0.0.1:9", "x.png", "a", "Ä", "1", "12", "red", ":material/", ":smile:", "  ",
    "](", "![", "&#", "&amp;", "<b>", "</b>", "<br>", "%{", "$$", "``", "**", "\n", "\r", "\t", "\x1b[", "\u202e",
)  # fmt: skip


def random_texts(count: int, *, seed: int) -> list[str]:
    """Texts put together from what means something anywhere."""
    rng = random.Random(seed)
    return ["".join(rng.choices(_PIECES, k=rng.randint(1, 14))) for _ in range(count)]
