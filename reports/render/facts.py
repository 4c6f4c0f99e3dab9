"""Tables of facts: the audited rows, the protocol, and facts of each audit side by side."""

from collections.abc import Callable, Mapping, Sequence

from audit.evidence.audit_result import AuditResult, DataRows, Protocol
from audit.evidence.numbers import count, rows_told, shorten
from reports.inputs.comparability import split_told
from reports.inputs.comparison import Comparison
from reports.render.table import Cell, Kind, Table, cell

Fact = tuple[str, Cell]
AuditFact = tuple[Kind, Callable[[AuditResult], str]]
"""How a fact of one audit is set, and what it is."""


def row_facts(data: DataRows) -> list[Fact]:
    """Return which rows were audited, and how they were split."""
    return [
        ("Data", cell(data.name)),
        ("Options", cell(pairs_text(data.options))),
        ("Rows", cell(count(data.rows))),
        ("Could not be read", cell(_rows_of(data.unreadable, "nothing saw them"))),
        ("Copies across groups", cell(_copies(data))),
        ("Kept together by", cell(data.group or "nothing: every row stands alone")),
        ("Held to train attackers", cell(split_told(data.train))),
        ("Held to select attackers", cell(split_told(data.select))),
        ("Held for the figures (test)", cell(split_told(data.test))),
    ]


def at_most(rows: int | None) -> str:
    """Return how many of the rows held are used."""
    return "all" if rows is None else f"at most {count(rows)}"


def protocol_facts(protocol: Protocol, limit: str) -> list[Fact]:
    """Return the protocol; `limit` is written in the unit of the metric."""
    who = "the user" if protocol.limit_set_by == "user" else "default"
    return [
        ("Attackers", cell(", ".join(protocol.attackers))),
        ("Views", cell(", ".join(protocol.views))),
        ("Rows that fit an attacker", cell(at_most(protocol.fit_rows))),
        *([("Rows that test an attacker", cell(at_most(protocol.test_rows)))] if protocol.test_rows else []),
        *([("Classes too rare to audit", cell(_rare(protocol)))] if protocol.rare_set_by_user else []),
        ("Pooling", cell(protocol.pool)),
        ("Bootstrap resamples", cell(count(protocol.bootstrap))),
        ("Null refits", cell(f"{count(protocol.null_refits)}, each on at most {count(protocol.null_rows)} rows")),
        ("Seed", cell(str(protocol.seed))),
        ("Limit on the excess", cell(f"{limit}, set by {who}")),
    ]


def _rare(protocol: Protocol) -> str:
    merged = f", merged into {shorten(protocol.merge_rare)}" if protocol.merge_rare else ", left out"
    return f"fewer than {count(protocol.min_class)} rows in a split{merged}"


def listed(caption: str, facts: Sequence[Fact], columns: tuple[str, str] = ("Fact", "Value")) -> Table:
    """Return a table of facts, each with one value."""
    return Table(caption, columns, tuple((cell(name), value) for name, value in facts), kind="list")


def side_by_side(caption: str, facts: Mapping[str, AuditFact], comparison: Comparison) -> Table:
    """Return a table with a row for each fact and a column for each audit."""
    rows = tuple(
        (cell(name), *(cell(told(audit), kind=kind) for _, audit in comparison.audits))
        for name, (kind, told) in facts.items()
    )
    return Table(caption, ("Fact", *(when for when, _ in comparison.audits)), rows, kind="facts")


def pairs_text(values: Mapping[str, str | int | float | bool | None]) -> str:
    """Return settings in words, in the order in which evidence stands in a file: `alpha 1, seed 0`."""
    return ", ".join(f"{name} {'none' if value == '' else value}" for name, value in sorted(values.items())) or "none"


_COPIES = {
    True: "; the groups that share an input were joined",
    False: "; they were not joined, and may stand on both sides of a split",
    None: "",
}
"""What was done about them; older evidence does not tell here."""


def _copies(data: DataRows) -> str:
    return f"{rows_told(data.copies)}{_COPIES[data.copies_joined]}" if data.copies else "none"


def _rows_of(number: int, then: str) -> str:
    return f"{rows_told(number)}; {then}" if number else "none"
