"""The answer for each private attribute: the point with the least leakage, and its cost."""

from collections.abc import Callable
from dataclasses import replace

from audit.evidence.findings import Certificate
from audit.evidence.numbers import (
    LONGEST_TEXT,
    bits,
    bits_share,
    count,
    decimal,
    excess,
    limit_points,
    named,
    one_line,
    percent,
    share,
    shorten,
)
from audit.evidence.sweep_result import UNTOUCHED, Sweep, title
from reports.inputs.sweep_choice import (
    Audited,
    Wanted,
    audited,
    keeping,
    least_read,
    level,
    recommended,
    unmade,
    untouched,
)
from reports.render.section import Section
from reports.sweep_page.sections.cells import called, options
from reports.text.bounds import bits_at_most, read_at_most
from reports.text.caveats import ABOVE_BOUND, CODE_RAN
from reports.text.next_step import NextStep
from reports.text.verdicts import Answer, Answers, Stat, stat

CAVEAT = (
    "A point is chosen on the rows that its figures are of, as the least of several, so they are rather too good: "
    "audit the one that you choose afresh, on rows that no sweep has seen."
)


def view(sweep: Sweep, wanted: Wanted | None = None) -> Answers:
    """Prepare the answers for all private attributes, and what is recommended by limits of the reader's."""
    answers = tuple(choice(sweep, name) for name in sweep.setup.private)
    return Answers(answers, _warnings(sweep), recommendation(sweep, wanted) if wanted else "")


SECTION = Section("choice", "Least read", view, heading="Least read while the task is kept")


def section(wanted: Wanted | None) -> Section[Sweep]:
    """Return the section with a recommendation by these limits."""
    return replace(SECTION, view=lambda sweep: view(sweep, wanted))


def recommendation(sweep: Sweep, wanted: Wanted) -> str:
    """Say in a sentence or two which point two limits leave, or which of them leaves none."""
    found = recommended(sweep, wanted)
    points = [one for one in sweep.points if one.figures and one.method != UNTOUCHED]
    asked = (
        f"By your limits, an excess of {limit_points(wanted.leak)} and a task loss of {limit_points(wanted.task_loss)}"
    )
    if found.best and found.best.figures:
        figures = found.best.figures
        worst = max(figures.read, key=lambda one: one.excess.high)
        own = limit_points(sweep.protocol.limit)
        unsure = f" Whether its attackers were able to tell was asked at the sweep's limit of {own}, and not at yours."
        return (
            f"{asked}: {called(found.best)}, which does the task best of those within both, at "
            f"{share(figures.accuracy)}; its largest excess is {excess(worst.excess, wanted.leak)}, of "
            f"{named(worst.attribute)}. It was chosen on these very rows: audit it afresh before it is given away."
            f"{'' if found.is_sure else unsure}"
        )
    return (
        f"{asked}: none of {count(len(points))} points. {count(len(found.within_leak))} of them are within the one on "
        f"the excess, {count(len(found.within_task))} within the one on the task, and none within both."
    )


def choice(sweep: Sweep, attribute: str) -> Answer:
    """Prepare the answer for one private attribute."""
    first, best = untouched(sweep, attribute), least_read(sweep, attribute)
    who = "set by the user" if sweep.protocol.limit_set_by == "user" else "set by default"
    claim = _claim(sweep, attribute, named)
    return Answer(
        attribute=shorten(attribute),
        layer=shorten(sweep.setup.layer),
        verdict=best.read.verdict if best else "",
        claim=f"{claim[0].upper()}{claim[1:]}",
        bound=_bound(best.read.certificate) if best and best.read.certificate else "",
        stats=_stats(sweep, first, best),
        reason=shorten(best.read.reason, LONGEST_TEXT) if best else "",
        next=_next(best),
        basis=f"Limit on the excess: {limit_points(sweep.protocol.limit)} ({who}). The task counts as kept at an "
        f"accuracy of {percent(level(sweep))} or more, the lower end of the untouched checkpoint's interval.",
    )


def _next(best: Audited | None) -> NextStep:
    """Return what to do about the point that was found, or without one."""
    if best is None:
        return NextStep("", "Release none of these points: sweep lower weights, or other methods.")
    if best.read.verdict == "FAIL":
        return NextStep("", "Release none of these points: sweep higher weights, or other methods.")
    how = f"irene sanitize CHECKPOINT … {options(best.point)}"
    if best.read.verdict == "PASS":
        return NextStep(how, "It makes this point, whose own audit, on rows that no sweep has seen, says if it passes.")
    return NextStep(how, "It makes this point. Audit it on more rows; until it passes, release none of these.")


def sentences(sweep: Sweep, wanted: Wanted | None = None) -> list[str]:
    """Return the answer for each private attribute as a line for a terminal, and how far to trust them."""
    asked = [recommendation(sweep, wanted)] if wanted else []
    return [*asked, *(_line(sweep, attribute) for attribute in sweep.setup.private), CAVEAT]


def _line(sweep: Sweep, attribute: str) -> str:
    best = least_read(sweep, attribute)
    verdict = f"{best.read.verdict}: " if best else ""
    return f"{verdict}{one_line(attribute)} at {one_line(sweep.setup.layer)}: {_claim(sweep, attribute, one_line)}"


def _claim(sweep: Sweep, attribute: str, shown: Callable[[str], str]) -> str:
    """Return the answer in one sentence; `shown` makes a name fit for where it stands."""
    first, best = untouched(sweep, attribute), least_read(sweep, attribute)
    task, n = shown(sweep.setup.task), f"n = {count(first.read.test_rows)} test rows"
    before = share(first.read.balanced_accuracy)
    if best is None:
        return (
            f"no point keeps the task: all fall below {percent(level(sweep))}, the lower end of the untouched "
            f"checkpoint's {share(first.figures.accuracy)} accuracy on {task}, which gives the strongest attacker "
            f"{before} balanced accuracy; {n}."
        )
    read, others = best.read, len(keeping(sweep, attribute))
    name = shown(title(best.point.method, best.point.weight))
    leaves = (
        f"{name} leaves, as the only point that keeps the task,"
        if others == 1
        else f"of {count(others)} points that keep the task, {name} leaves least to read:"
    )
    is_less = read.balanced_accuracy.high < first.read.balanced_accuracy.low
    against = "against" if is_less else "not clearly less than the"
    return (
        f"{leaves} {share(read.balanced_accuracy)} balanced accuracy {against} {before} untouched, where the predicted "
        f"{task} alone gives {share(read.floor)} and a guess {percent(read.chance)}; accuracy on {task} is "
        f"{share(best.figures.accuracy)} against {share(first.figures.accuracy)}; {n}."
    )


def _stats(sweep: Sweep, first: Audited, best: Audited | None) -> tuple[Stat, ...]:
    last, task = best or first, f"Accuracy on {shorten(sweep.setup.task)}"
    floor = stat("Task label alone (floor)", share(last.read.floor), f"a guess: {percent(last.read.chance)}")
    if best is None:
        return _read("Untouched", first), floor, stat(task, share(first.figures.accuracy))
    limit, read = sweep.protocol.limit, best.read
    of_all = f"{bits_share(read.bits, read.entropy).value} of {read.entropy:.2f} bits"
    return (
        _read("Untouched", first),
        _read(called(best.point), best),
        floor,
        stat("Excess over the floor", excess(read.excess, limit), f"limit: {limit_points(limit)}"),
        stat("Usable information", bits(read.bits), of_all, f"untouched: {bits(first.read.bits).value}"),
        stat(task, share(best.figures.accuracy), f"untouched: {share(first.figures.accuracy).value}"),
        *(
            stat(f"Kept: {shorten(now.attribute)}, AUROC", decimal(now.auroc), f"untouched: {decimal(was.auroc).value}")
            for now, was in zip(best.figures.kept, first.figures.kept, strict=True)
        ),
    )


def _read(name: str, one: Audited) -> Stat:
    return stat(name, share(one.read.balanced_accuracy), f"by {shorten(one.read.strongest)}")


def _bound(one: Certificate) -> str:
    confidence = f"with {percent(one.confidence)} confidence"
    if one.balanced_accuracy >= 1:
        return f"What this point's code tells of it is at most {bits_at_most(one)}, {confidence}."
    return (
        f"No attacker whatever can read more than {read_at_most(one)} balanced accuracy there, or "
        f"{bits_at_most(one)}, each {confidence}."
    )


def _warnings(sweep: Sweep) -> tuple[str, ...]:
    warnings = [CAVEAT]
    if sweep.checkpoint.pickle_ran:
        warnings.append(f"Code {CODE_RAN}")
    if failed := [point for point in sweep.points if point.figures is None]:
        warnings.append(f"Training failed at {', '.join(map(called, failed))}; the tables say why.")
    if missing := unmade(sweep)[1]:
        warnings.append(f"Planned and not made yet: {', '.join(map(shorten, missing))}.")
    for name in sweep.setup.private:
        for one in audited(sweep, name):
            bound = one.read.certificate
            if bound and one.read.balanced_accuracy.low > bound.balanced_accuracy:
                warnings.append(f"{named(name)} at {named(called(one.point))}: {ABOVE_BOUND}")
    return *warnings, *(shorten(text, LONGEST_TEXT) for text in sweep.warnings)
