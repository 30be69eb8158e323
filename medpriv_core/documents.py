"""The documents of the project as the app shows them: Markdown whose links lead on within the app.

In the source tree they lie in ``docs/``; the wheel has them beside the pages (``pyproject.toml``). A link to another of
them becomes a link of the page that shows them; one to something that is not in the app (a notebook, a source file)
keeps its words alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from medpriv_core.errors import MedprivError
from medpriv_core.safe_path import PACKAGE_PARENT

# By name, which stands in the address: what each is called in a list.
TITLES: dict[str, str] = {
    "threat-model": "Threat model",
    "paper": "The paper",
    "results": "Results",
    "visual-privacy": "What noise hides",
    "dp-sgd": "DP-SGD",
    "risk": "Risk",
    "own-datasets": "Your own images",
    "utility": "Utility",
    "evaluation": "Evaluation",
    "reference": "Reference",
    "architecture": "Architecture",
}
_IN_WHEEL = Path(__file__).parent / "app"
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def documents_folder() -> Path:
    """Where they lie: in the package of a wheel, beside it in the source tree."""
    return (_IN_WHEEL if _IN_WHEEL.is_dir() else Path(PACKAGE_PARENT)) / "docs"


def document(name: str, *, address: str) -> str:
    """A document as Markdown for a page.

    Args:
        name: One of ``TITLES``.
        address: Of the page for another document, to which its name is added: "docs?document=".

    Returns:
        Its text, with links to others of them as ``address`` has it.

    Raises:
        MedprivError: There is none of that name, or it cannot be read.
    """
    if name not in TITLES:
        raise MedprivError("There is no document of this name. Choose another one.")
    try:
        text = (documents_folder() / f"{name}.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MedprivError(
            f"The document {name}.md of this medpriv is missing or damaged. Install it again."
        ) from error
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    # Within code nothing is a link or a formula.
    parts = _CODE.split(text)
    return "".join(part if place % 2 else _linked(part, address) for place, part in enumerate(parts))


def _linked(text: str, address: str) -> str:
    def led_on(link: re.Match[str]) -> str:
        words, target = link.groups()
        if target.startswith(("https://", "#")):
            return link[0]
        name, _, place = target.partition("#")
        known = name.removesuffix(".md")
        return f"[{words}]({address}{known}{'#' + place if place else ''})" if known in TITLES else words

    return _LINK.sub(led_on, text).replace("$", r"\$")
