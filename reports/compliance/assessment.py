"""What an audit can say in each part of a data protection impact assessment, and what it leaves to people.

In the order of Art. 35(7) GDPR: the processing, necessity and proportionality, risks, measures. What stands in text
comes from the evidence; everything else is the label of an empty field.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.evidence.numbers import count, shorten
from reports.compliance.evidence_items import ITEMS, Absent, Item, items
from reports.compliance.mapping import Framework, own
from reports.compliance.provisions_view import instruments_table, mapping_table
from reports.compliance.purpose import use_table
from reports.compliance.risks import effect_table, risk_table
from reports.compliance.subject import checkpoints_table, measure_table, rows_table
from reports.inputs.comparison import Comparison
from reports.render.table import Table
from reports.text.bounds import basis
from reports.text.caveats import cautions
from reports.text.verdicts import summary

ABSENT = "Not in this evidence"


@dataclass(frozen=True)
class Form:
    """A table that a person fills in: a line for each of some names, and empty cells."""

    caption: str
    columns: tuple[str, ...]
    """The first is the names' own."""
    names: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """One part of the assessment."""

    id: str
    title: str
    provision: str
    """Where the Regulation asks for it; empty where it does not."""
    text: tuple[str, ...] = ()
    """Paragraphs."""
    tables: tuple[Table, ...] = ()
    points_title: str = ""
    points: tuple[str, ...] = ()
    """A list of sentences, read after the tables."""
    forms: tuple[Form, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """The whole annex."""

    file: str
    subject: str
    sections: tuple[Part, ...]


def assessment(comparison: Comparison, frameworks: Sequence[Framework] = ()) -> Assessment:
    """Prepare everything that the annex shows, the provisions of a user's frameworks among it."""
    last = comparison.last
    subject = (
        f"From the audit of {last.created[:10]} on {count(last.data.test.rows)} test rows. What stands in text was "
        "measured or recorded; each empty box waits for a person. This is no assessment: it is what an audit can give "
        "to one."
    )
    return Assessment(
        file=shorten(last.checkpoint.file),
        subject=subject,
        sections=(
            _processing(comparison),
            _necessity(comparison),
            _risks(comparison),
            _measures(comparison),
            _CONSULTATION,
            _DECISION,
            _provisions(comparison, frameworks),
            _LIMITS,
        ),
    )


def _processing(comparison: Comparison) -> Part:
    return Part(
        id="processing",
        title="The processing",
        provision="Art. 35(7)(a)",
        tables=(checkpoints_table(comparison), rows_table(comparison)),
        fields=(
            "Purposes, and the legitimate interest where one is relied on",
            "Nature, scope and context: what is done, with whose data, how often and where",
            "Why an assessment is made (Art. 35(1), (3) or (4))",
            "Controller, joint controllers, and whom to ask",
            "Processors",
            "Who receives the model, its features or its answers",
            "People concerned, and whether children or others in need of protection are among them",
            "Categories of personal data, and private attributes that are special categories (Art. 9)",
            "How long inputs, features and answers are kept",
            "Transfers to third countries",
            "Systems, people and places that the processing relies on",
        ),
    )


def _necessity(comparison: Comparison) -> Part:
    use = use_table(comparison)
    return Part(
        id="necessity",
        title="Necessity and proportionality",
        provision="Art. 35(7)(b)",
        text=(
            "How well the model does what it is for, and what else is to stay readable. Whether that is needed, and "
            "worth what it costs the people concerned, is for you to say.",
        ),
        tables=(use,) if use else (),
        points_title=ABSENT,
        points=_absent(comparison, "task", "kept"),
        fields=(
            "Legal basis (Art. 6, and Art. 9 where it applies)",
            "Legal basis for using the labels of the private attributes in this audit",
            "Why the purpose needs these features, and why nothing less intrusive would do",
            "Which readable attributes the purpose needs, and why",
            "How accurate the task has to be for the purpose",
            "How people are informed, and how they use their rights (Art. 12 to 22)",
        ),
    )


def _risks(comparison: Comparison) -> Part:
    is_pair = len(comparison.audits) == 2
    state = " Here from the model before; what the one after gives stands in the next part." if is_pair else ""
    return Part(
        id="risks",
        title="Risks to rights and freedoms",
        provision="Art. 35(7)(c)",
        text=(
            "One risk was measured: that somebody who gets the features of the layers listed infers a private "
            f"attribute from them.{state} The attackers were trained afresh. One that nobody tried may read more.",
        ),
        tables=(risk_table(comparison),),
        points_title="Read with care",
        points=cautions(comparison),
        forms=(
            Form(
                "Likelihood and severity, by your own scale",
                ("Inference of", "Who could do it, and how", "What could follow", "Likelihood", "Severity"),
                _attributes(comparison),
            ),
        ),
        fields=(
            "The scale of likelihood and severity",
            "Other risks: membership of the training rows, inputs rebuilt from features, misuse of the answers, "
            "unlawful access, change or loss",
        ),
    )


def _measures(comparison: Comparison) -> Part:
    measure, effect = measure_table(comparison), effect_table(comparison)
    return Part(
        id="measures",
        title="Measures, and what is left",
        provision="Art. 35(7)(d)",
        text=(f"As audited last: {summary(comparison)}", *basis(comparison)),
        tables=tuple(one for one in (measure, effect) if one),
        points_title=ABSENT,
        points=_absent(comparison, "sanitizing", "comparison", "certificate"),
        forms=(
            Form(
                "Residual risk",
                ("Inference of", "Likelihood", "Severity", "Accepted by, and why"),
                _attributes(comparison),
            ),
        ),
        fields=(
            "Other measures: access, contracts, retention, encryption, training",
            "Who carries out the measures, and until when",
            "Whether the supervisory authority is to be consulted first (Art. 36)",
        ),
    )


def _provisions(comparison: Comparison, frameworks: Sequence[Framework]) -> Part:
    return Part(
        id="articles",
        title="Provisions that this supports",
        provision="",
        text=(
            "Evidence supports an assessment; it makes none, and no law or standard is met by it. Provisions are told "
            f"in our own words, as they were read on {own().date.isoformat()}: look up the text in force.",
        ),
        tables=(mapping_table(comparison, frameworks), instruments_table(frameworks)),
        points_title=ABSENT,
        points=_absent(comparison, *ITEMS),
    )


def _absent(comparison: Comparison, *among: Item) -> tuple[str, ...]:
    found = items(comparison)
    return tuple(
        f"{found[item].name}: {told.reason}." for item in among if isinstance(told := found[item].told, Absent)
    )


def _attributes(comparison: Comparison) -> tuple[str, ...]:
    return tuple(map(shorten, dict.fromkeys(pair.last.found.attribute for pair in comparison.pairs)))


_CONSULTATION = Part(
    id="consultation",
    title="Advice, consultation and review",
    provision="Art. 35(2), (8), (9) and (11)",
    fields=(
        "Advice of the data protection officer, and what was made of it",
        "Views of the people concerned or those who speak for them, or why they were not sought",
        "Codes of conduct that were taken into account",
        "Others who were asked: processors, security, the makers of the model",
        "When this is reviewed, and which change would bring it forward",
    ),
)
_DECISION = Part(
    id="decision",
    title="Decision and signatures",
    provision="",
    fields=("Decision: go ahead, go ahead on conditions, or do not go ahead", "Conditions"),
    forms=(
        Form(
            "Signatures",
            ("Who", "Name and office", "Date", "Signature"),
            ("Prepared by", "Data protection officer", "For the controller"),
        ),
    ),
)
_LIMITS = Part(
    id="limits",
    title="What this evidence does not show",
    provision="",
    points=(
        "A figure of an attacker is a lower bound. One that nobody tried may read more; only where a bound on every "
        "attacker stands beside a figure, not more than that.",
        "It is about the layers and attributes listed, on these rows. What one layer hides, an earlier one may hold; "
        "another population may give other figures.",
        "It says nothing of attributes that nobody labelled, nor of what the task's answer itself gives away: that is "
        "the floor.",
        "It does not tell whether a person's record was among the training rows, or whether inputs can be rebuilt from "
        "features.",
        "It does not show how the system's decisions treat people, nor whether they may be made at all.",
        "An attribute that cannot be read from the features can still be known from elsewhere.",
    ),
)
