"""What became of people's identities: verification before and after, as a table and in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass

from audit.evidence.findings import FALSE_ACCEPT_RATES, Accepted, Estimate, Verification
from audit.evidence.numbers import Figure, bare, change, count, decimal, named, of_held, one_line, share, shorten
from reports.inputs.comparison import Comparison
from reports.inputs.paired_difference import Change, changed
from reports.render.table import Body, Row, Table, over
from reports.text.figures import NONE

NAMES = ("auc", "eer", *(Accepted(false_accept_rate=rate, rate=None).name for rate in FALSE_ACCEPT_RATES))
COLUMNS = ("AUC", "EER in %", *(f"TAR in % at FAR {100 * rate:g} %" for rate in FALSE_ACCEPT_RATES))


@dataclass(frozen=True)
class Identities:
    """Verification at one layer against one kind of impostors, in every audit that has it."""

    readings: tuple[tuple[str, Verification], ...]

    @property
    def last(self) -> Verification:
        """The one that was audited last."""
        return self.readings[-1][1]

    def change(self, name: str) -> Change | None:
        """Return what changed in a figure, paired by the people that were drawn; None for one audit alone."""
        if len(self.readings) < 2 or any(name not in one.figures for _, one in self.readings):
            return None
        before, after = (one for _, one in self.readings)
        drawn, drawn_after = (one.draws.get(name, []) for one in (before, after))
        rows = None if name == "auc" else before.people
        return changed(before.figures[name], after.figures[name], drawn, drawn_after, rows=rows)


def identities(comparison: Comparison) -> tuple[Identities, ...]:
    """Return what was verified in the last audit, each with the same of the one before where that has it."""
    found = []
    for last in comparison.last.verifications:
        place = (last.identity, last.layer, last.among, last.genuine_held, last.impostor_held)
        found.append(
            Identities(
                tuple(
                    (when, one)
                    for when, audit in comparison.audits
                    for one in audit.verifications
                    if (one.identity, one.layer, one.among, one.genuine_held, one.impostor_held) == place
                )
            )
        )
    return tuple(found)


def identity_table(comparison: Comparison) -> Table | None:
    """Return the figures of verification, or None where no identities were named."""
    found = identities(comparison)
    if not found:
        return None
    bodies = tuple(Body(_impostors(one.last), tuple(_rows(one)), _pairs(one.last)) for one in found)
    caption = "Whether two rows are told to be of one person, by their cosine similarity"
    return Table(caption, ("Audit", *COLUMNS), kind="identities", bodies=bodies)


def gives_away(comparison: Comparison) -> str:
    """Say in a sentence that an identity tells the attribute, whatever was removed; empty without identities."""
    names = list(dict.fromkeys(one.identity for one in comparison.last.verifications))
    if not names:
        return ""
    private = ", ".join(dict.fromkeys(named(one.attribute) for one in comparison.last.private))
    return (
        "An identity gives the attribute away: whoever can recognise people by these vectors, and has one labelled row "
        f"of a person, can look {private} up. Removal hides it from those who do not know the person, not from those "
        "who do."
    )


def identity_sentence(one: Identities) -> str:
    """Return what became of identities at one layer as one line."""
    auc, eer = (" → ".join(str(_written(name, of.figures[name])) for _, of in one.readings) for name in NAMES[:2])
    told = one.change("auc")
    changes = f", a change of {change(told.estimate, in_points=False)}" if told else ""
    return f"{one_line(one.last.identity)} at {_impostors(one.last)}: AUC {auc}{changes}; EER {eer}."


def _rows(one: Identities) -> Iterator[Row]:
    for when, of in one.readings:
        figures = (_written(name, of.figures[name]) if name in of.figures else NONE for name in NAMES)
        yield Row(when, tuple(over(bare(figure)) for figure in figures))
    if len(one.readings) == 2:
        yield Row("Change", tuple(over(bare(_written_change(name, one.change(name)))) for name in NAMES))


def _written(name: str, figure: Estimate) -> Figure:
    return decimal(figure) if name == "auc" else share(figure)


def _written_change(name: str, one: Change | None) -> Figure:
    return NONE if one is None else change(one.estimate, in_points=name != "auc")


def _impostors(one: Verification) -> str:
    among = "all impostors" if one.among is None else f"impostors of the same {shorten(one_line(one.among))}"
    return f"{shorten(one_line(one.layer))}, {among}"


def _pairs(one: Verification) -> str:
    genuine, impostor = of_held(one.genuine, one.genuine_held), of_held(one.impostor, one.impostor_held)
    told = f"{genuine} pairs of one person, of {count(one.people)} people with several rows; {impostor} of two."
    return f"{told} A guess gives AUC 0.5 and an EER of 50 %."
