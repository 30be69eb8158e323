"""What others have promised: ε of uses of differential privacy that were made public, to hold one's own against.

They are of other data, other units and other mechanisms, and some are of a day or a month, so they are no measure of
what is enough. Figures as published; each with its source and the year.
"""

from __future__ import annotations

from dataclasses import dataclass

CAUTION = (
    "Units differ: some of these promise it to a person for a day or a month, one to a single action, and Local-DP is "
    "not a network. That others do it does not make it enough."
)


@dataclass(frozen=True)
class Deployment:
    """One published use.

    name     of whom and for what
    epsilon  as published
    delta    as published; 0 where ε holds with certainty
    unit     what it is promised to
    model    "central" or "local"
    year     of the publication
    source   where it stands
    """

    name: str
    epsilon: float
    delta: float
    unit: str
    model: str
    year: int
    source: str


DEPLOYMENTS = (
    Deployment(
        "Facebook, shared web addresses",
        0.45,
        1e-5,
        "each kind of action of a person, for 99% of people",
        "central",
        2020,
        "Messing et al., Facebook Privacy-Protected Full URLs Data Set, doi 10.7910/DVN/TDOAPG",
    ),
    Deployment(
        "Google Gboard, the best protected model",
        0.994,
        1e-10,
        "a device, in a training",
        "central",
        2024,
        "Google Research blog, Advances in private training for production on-device language models, 21 Feb 2024",
    ),
    Deployment(
        "Apple, types of health data",
        2.0,
        0.0,
        "a person for a day",
        "local",
        2017,
        "Apple, Differential Privacy Overview; listed by D. Desfontaines, A list of real-world uses of DP",
    ),
    Deployment(
        "Apple, emoji",
        4.0,
        0.0,
        "a person for a day",
        "local",
        2017,
        "Apple, Differential Privacy Overview; listed by D. Desfontaines, A list of real-world uses of DP",
    ),
    Deployment(
        "Israel, births of 2014",
        9.98,
        0.0,
        "a mother and her newborn child",
        "central",
        2024,
        "Hod and Canetti, Differentially Private Release of Israel's National Registry of Live Births, arXiv "
        "2405.00267",
    ),
    Deployment(
        "Google Gboard, the least protected model",
        13.69,
        1e-10,
        "a device, in a training",
        "central",
        2024,
        "Google Research blog, Advances in private training for production on-device language models, 21 Feb 2024",
    ),
    Deployment(
        "Apple, new words",
        16.0,
        0.0,
        "a person for a day",
        "local",
        2017,
        "Apple, Differential Privacy Overview; listed by D. Desfontaines, A list of real-world uses of DP",
    ),
    Deployment(
        "LinkedIn, who engages with content",
        34.9,
        7e-9,
        "a member for a month",
        "central",
        2020,
        "Rogers et al., LinkedIn's Audience Engagements API, arXiv 2002.05839",
    ),
)
