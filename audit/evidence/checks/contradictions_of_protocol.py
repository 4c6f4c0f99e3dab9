"""What a measurement must hold since the protocol says that it was made: attackers, null, draws, curves, planted leaks.

Evidence of older schemas has no draws, curves and planted leaks of its own; nothing of them is asked of it.
"""

import shlex
from collections.abc import Iterator
from itertools import pairwise

from audit.evidence.audit_result import AuditResult, Protocol
from audit.evidence.checks.figures import DRAWN
from audit.evidence.findings import (
    ENSEMBLE,
    PLANTED_DRAWS,
    PLANTED_MANY,
    PLANTED_MOST,
    PLANTED_ROOM,
    AttackerResult,
    Finding,
    LearningCurve,
    Measurement,
    Spike,
)
from audit.evidence.metric import EXCESS
from audit.evidence.numbers import one_line, trimmed
from audit.evidence.verdict import SLACK, resolution

STREAMING = ("products", "mlp")
"""Attackers that learn from all rows, and so have a learning curve of their own; a user's own do too."""
HALVINGS = 4
"""Down to a sixteenth of the rows goes a learning curve."""


def of_names(audit: AuditResult) -> Iterator[str]:
    """Say which attribute the command names as private or kept that was measured otherwise, or not at some layer."""
    private, keep = (_named(audit, option) for option in ("--private", "--keep"))
    layers = dict.fromkeys(one.layer for one in audit.findings)
    asked = [*((name, "private") for name in private or ()), *((name, "retained") for name in keep or ())]
    roles = {(one.attribute, one.layer): one.role for one in audit.findings}
    for name, role in asked:
        for layer in layers:
            if roles.get((name, layer)) != role:
                yield f"{one_line(name)} was asked for as {role}, and is not so measured at {one_line(layer)}"
    if private is not None:
        for (name, _), role in roles.items():
            if (name, role) not in asked:
                yield f"{one_line(name)} is measured as {role}, and was not asked for so"


def _named(audit: AuditResult, option: str) -> list[str] | None:
    """Return the names after an option of the recorded protocol or command; None where neither tells."""
    recorded = audit.protocol.private if option == "--private" else audit.protocol.keep
    if recorded is not None:
        return recorded
    try:
        words = shlex.split(audit.command)
    except ValueError:
        return None
    given = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    given += [value for word, value in pairwise(words) if word == option]
    if not given:
        return None
    return [name.strip() for name in given[-1].split(",") if name.strip()]


def is_guess(audit: AuditResult) -> bool:
    """Return whether nothing predicted a task label, so that the floor can be nothing but a guess."""
    return audit.task is None and bool(audit.command) and "--predicted" not in audit.command


def of_protocol(one: Finding, audit: AuditResult, *, is_old: bool) -> Iterator[str]:
    """Say what of the protocol a finding lacks, or has otherwise."""
    measurement = one.measurement
    yield from _of_floor(measurement, is_guess=is_guess(audit), groups=audit.data.test.groups)
    yield from _of_views(measurement, audit.protocol)
    yield from _of_null(measurement, audit.protocol)
    if is_old:
        return
    if absent := [name for name in (*measurement.kind.drawn, EXCESS) if not measurement.draws.get(name)]:
        yield f"it holds no draws of {absent[0]}"
    yield from _of_strongest_curves(measurement)
    yield from _of_planted(one, audit)


def _of_floor(measurement: Measurement, *, is_guess: bool, groups: int) -> Iterator[str]:
    floor, guess = measurement.floor_score, measurement.guess
    sure = floor.high - floor.low < DRAWN and (measurement.kind.percent or groups > 1)
    far = max(abs(end - guess) for end in (floor.value, floor.low, floor.high)) > DRAWN
    if far and is_guess:
        yield "nothing predicted a task label, and its floor is not a guess"
    elif far and sure:
        yield "its floor has no interval, as that of a guess, and is none"


def _of_views(measurement: Measurement, protocol: Protocol) -> Iterator[str]:
    tried = [(one.name, one.view) for one in measurement.attackers]
    if len(tried) > len(set(tried)):
        yield "an attacker stands there twice"
    for name in protocol.attackers:
        for view in protocol.views:
            if (name, view) not in tried and name in {one for one, _ in tried}:
                yield f"the attacker {one_line(name)} did not try on {one_line(view)} features"


def _of_null(measurement: Measurement, protocol: Protocol) -> Iterator[str]:
    null, rows = measurement.null, [one.test for one in measurement.classes]
    if null.refits != protocol.null_refits:
        yield f"its null is of {null.refits} refits, and the protocol's of {protocol.null_refits}"
    if not null.low - DRAWN <= null.mean <= null.high + DRAWN:
        yield "the mean of its null lies outside of its band"
    room = resolution(measurement.metric, measurement.guess, measurement.guess, rows, protocol.limit)
    if not null.low - room <= measurement.guess <= null.high + room:
        yield "its null, of shuffled labels, is far from a guess"


def _able(measurement: Measurement) -> list[AttackerResult]:
    return [
        one
        for one in measurement.attackers
        if one.name != ENSEMBLE and one.failure is None and measurement.metric in one.figures
    ]


def _of_strongest_curves(measurement: Measurement) -> Iterator[str]:
    able = [one for one in _able(measurement) if one.select is not None]
    of_all = [one for one in able if one.name in STREAMING or ":" in one.name]
    there = {curve.attacker for curve in measurement.curves}
    for some in (able, of_all):
        strongest = max(some, key=lambda one: one.select or 0.0, default=None)
        if strongest and f"{strongest.name} on {strongest.view}" not in there:
            yield f"it holds no learning curve of {one_line(strongest.name)} on {one_line(strongest.view)}"
    for curve in measurement.curves:
        yield from _of_halves(curve, len(measurement.classes))


def _of_halves(curve: LearningCurve, classes: int) -> Iterator[str]:
    most = curve.points[-1].rows
    halves = [most / 2**halving for halving in range(HALVINGS + 1)]
    if any(min(abs(one.rows - half) for half in halves) > classes + 1 for one in curve.points):
        yield f"the learning curve of {one_line(curve.attacker)} does not double its rows from point to point"


def _of_planted(one: Finding, audit: AuditResult) -> Iterator[str]:
    """Say which leak was to be planted and is not there, or is not of the size, the draws or the readers."""
    measurement, limit = one.measurement, audit.protocol.limit
    if limit == 0:
        return
    many = measurement.test_rows >= PLANTED_MANY
    sizes = {draws[many]: size for size, draws in PLANTED_DRAWS.items()}
    there: set[tuple[str, int]] = set()
    for spike in measurement.spikes:
        size = sizes.get(spike.draws)
        if size is None or (spike.kind, size) in there:
            yield "a planted leak is of other draws than the protocol's"
            continue
        there.add((spike.kind, size))
        yield from _of_size(spike, size * limit, measurement)
        if {*spike.attackers} != _readers(measurement, audit.protocol):
            yield f"a planted {spike.kind} leak was not read by the attackers that could see it"
    if measurement.room and len(there) < 2 * len(PLANTED_DRAWS):
        yield "a leak that found room was not planted"
    if _may_lack_room(one, audit):
        return
    for kind in ("linear", "quadratic"):
        for size in PLANTED_DRAWS:
            if (kind, size) not in there and measurement.floor_score.high + PLANTED_ROOM * limit < PLANTED_MOST:
                yield f"no {kind} leak of {trimmed(size * limit, 5)} was planted"


def _may_lack_room(one: Finding, audit: AuditResult) -> bool:
    """Return whether no leak may have been planted: its layer gives one vector or a few, or it passes on no such leak.

    Of a quantity nothing else in the evidence tells how many vectors there are.
    """
    measurement = one.measurement
    here = [other for other in audit.findings if other.layer == one.layer and other.role == "private"]
    if measurement.constant or any(other.certificate for other in here):
        return True
    if measurement.room is None:
        return not any(other.measurement.kind.percent for other in here)
    passes = one.decision is not None and one.decision.verdict == "PASS"
    return not measurement.room and not (passes and measurement.kind.percent)


def _of_size(spike: Spike, asked: float, measurement: Measurement) -> Iterator[str]:
    if not PLANTED_ROOM * asked * (1 - DRAWN) <= spike.planted <= SLACK * asked:
        told = f"{trimmed(spike.planted, 4)} is not the {trimmed(asked, 4)}"
        yield f"a planted {spike.kind} leak of {told} of the protocol"
    noise = 2 * resolution(
        measurement.metric,
        measurement.floor_score.value,
        measurement.guess,
        [rows.test for rows in measurement.classes],
        asked,
    )
    if spike.read > spike.planted + noise:
        yield f"of a planted {spike.kind} leak more was read than was planted"


def _readers(measurement: Measurement, protocol: Protocol) -> set[str]:
    """Return who reads planted leaks: on whitened features, the last view, those by products, or else all."""
    able = _able(measurement)
    own = [one for one in able if one.view == protocol.views[-1]] or able
    readers = [one for one in own if one.name == "products"] or own
    return {f"{one.name} on {one.view}" for one in readers}
