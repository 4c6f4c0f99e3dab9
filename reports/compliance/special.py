"""Special categories of personal data (Art. 9(1) GDPR): what an attribute's name looks like, for a person to confirm.

A name is no proof: `party` may be a political one or a birthday's, and a column called `x7` may hold a diagnosis.
"""

import re

from audit.evidence.numbers import shorten
from reports.inputs.comparison import Comparison
from reports.render.facts import listed
from reports.render.table import Table, cell

ARTICLE = "Art. 9(1) GDPR"
UNTOLD = "its name does not tell; confirm that it is none"
_WORDS: dict[str, tuple[str, ...]] = {
    "racial or ethnic origin": ("race", "races", "racial", "ethnic", "ethnicity", "ethnicities", "roma", "tribe"),
    "political opinions": ("political", "politics", "party", "vote", "voted", "voting", "ideology", "partisan"),
    "religious or philosophical beliefs": (
        "religion", "religious", "faith", "belief", "beliefs", "church", "muslim", "jewish", "christian", "hindu",
        "headscarf", "hijab",
    ),
    "trade union membership": ("union", "unionised", "unionized"),
    "genetic data": ("genetic", "genetics", "gene", "genes", "genotype", "genome", "genomic", "dna", "brca"),
    "biometric data, where they identify a person": (
        "biometric", "biometrics", "fingerprint", "fingerprints", "iris", "faceprint", "voiceprint",
    ),
    "data concerning health": (
        "health", "healthy", "disease", "diseases", "diagnosis", "diagnoses", "disability", "disabled", "illness",
        "medical", "medication", "patient", "symptom", "symptoms", "cancer", "tumour", "tumor", "diabetes", "hiv",
        "pregnant", "pregnancy", "depression", "bmi", "smoker", "smoking", "mortality",
    ),
    "sex life or sexual orientation": ("orientation", "sexuality", "gay", "lesbian", "bisexual", "queer", "lgbt"),
}  # fmt: skip
"""Each category of the article, in its order, by whole words of a name."""


def looks_like(name: str) -> tuple[str, ...]:
    """Return the special categories that a name looks like; none says nothing about the data.

    Args:
        name: Of an attribute; `a+b` of an intersection is told of each of its parts.
    """
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = set(re.split(r"[^a-z]+", apart.lower()))
    return tuple(category for category, known in _WORDS.items() if words.intersection(known))


def proposal(name: str) -> str:
    """Return what is proposed of an attribute, in words that ask for confirmation."""
    found = looks_like(name)
    return f"looks like {' and '.join(found)}, {ARTICLE}; confirm" if found else UNTOLD


def special_table(comparison: Comparison) -> Table:
    """Return the proposal for each private attribute."""
    names = dict.fromkeys(pair.last.found.attribute for pair in comparison.pairs)
    facts = [(shorten(name), cell(proposal(name))) for name in names]
    return listed("Special categories: proposed from the name alone", facts, ("Private attribute", "Proposal"))
