"""What of the figures of verification contradicts counts of pairs, or another of them."""

from collections.abc import Iterator
from itertools import pairwise

from audit.evidence.audit_result import AuditResult
from audit.evidence.checks.figures import ROUNDING, ends, is_narrower, of_interval
from audit.evidence.findings import Verification, resolves
from audit.evidence.numbers import one_line


def verified(one: Verification) -> str:
    """Return what was verified, and where: `the identities of person at fc`."""
    among = f" among {one_line(one.among)}" if one.among else ""
    return f"the identities of {one_line(one.identity)} at {one_line(one.layer)}{among}"


def of_verification(one: Verification, audit: AuditResult) -> Iterator[str]:
    """Hold figures of verification against counts, and against each other: all are of one curve that never falls."""
    if one.layer not in {found.layer for found in audit.findings}:
        yield "nothing else was measured at that layer"
    if one.among is not None and one.among not in {found.attribute for found in audit.private}:
        yield "its impostors share the class of what is not private"
    n, least = one.rows, min(one.people, one.genuine, one.impostor)
    if least < 1 or 2 * one.people > n or n > audit.data.test.rows:
        yield "it has fewer people or pairs than one, or more than test rows"
    if one.genuine > one.genuine_held or one.impostor > one.impostor_held or one.genuine_held < one.people:
        yield "more pairs were compared than there are"
    if one.genuine_held + one.impostor_held > n * (n - 1) / 2:
        yield "its test rows have fewer pairs"
    for figure in one.figures.values():
        yield from of_interval(figure)
        if not -ROUNDING <= figure.value <= 1 + ROUNDING:
            yield "a figure is not within 0 and 1"
    if [tar.rate is not None for tar in one.accepted] != [
        resolves(one.impostor, tar.false_accept_rate) for tar in one.accepted
    ]:
        yield "it tells TAR at rates that so few impostor pairs cannot tell, or leaves out what they can"
    yield from _of_curve_points(one)
    for name, values in one.draws.items():
        if len(values) != audit.protocol.bootstrap:
            yield f"its draws are not of {audit.protocol.bootstrap} resamples"
        elif name in one.figures and is_narrower(one.figures[name], *ends(values)):
            yield f"the interval of {name} is not that of its draws"


def _of_curve_points(one: Verification) -> Iterator[str]:
    """Say where the area, the equal error and the accepted shares lie on no one curve."""
    area, error = one.auc.value, one.eer.value
    if not (1 - error) ** 2 - ROUNDING <= area <= 1 - error**2 + ROUNDING:
        yield "its EER and its AUC are not of one curve"
    told = sorted((tar.false_accept_rate, tar.rate.value) for tar in one.accepted if tar.rate)
    if any(more < less - ROUNDING for (_, less), (_, more) in pairwise(told)):
        yield "fewer genuine pairs are accepted where more impostors are"
    for far, accepted in told:
        if accepted * (1 - far) > area + ROUNDING or (far <= error and accepted > 1 - error + ROUNDING):
            yield f"its TAR at {far:g} is more than its AUC and its EER allow"
