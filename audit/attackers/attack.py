"""Attack one attribute: fit all attackers on the training split, choose and join on selection, read the test split.

The headline is the attacker, or the ensemble of them, that is strongest on the selection split. It is fitted once
more on both splits, as an adversary would, and then reads the test split, which nothing was chosen on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from audit.attackers.classification import ClassFit, Classification
from audit.attackers.ensemble import choose_members, joined
from audit.attackers.families import Make, family, slowness
from audit.attackers.learner import AT_ONCE, Labels, Learner, Matrix
from audit.attackers.preprocessing import VIEWS, Preprocessing, preprocessing
from audit.attackers.regression import Regression, RegressionFit
from audit.attackers.scoring import Reading
from audit.bootstrap import Doubles
from audit.data.on_disk import HELD, blocks, filed
from audit.errors import DataError, first_line
from audit.evidence.findings import ENSEMBLE
from audit.far_values import DrawnIn, far_values
from audit.parallel.side_by_side import Work, in_order, side_by_side, together
from audit.settings import Settings

Result = TypeVar("Result")
Problem = Classification | Regression
"""How attackers of one kind of attribute are fitted, joined and read."""
Seen = Mapping[str, tuple[Preprocessing, list[Matrix]]]
"""By the name of a preprocessing: itself, and what it made of the rows that fit, select and test. Where they hold far
values these are drawn in; under the name and AS_THEY_ARE they are not."""
AS_THEY_ARE = ", far values as they are"


@dataclass(frozen=True)
class SplitData:
    """Features and labels of the rows that fit, select and test."""

    z: tuple[Matrix, Matrix, Matrix]
    """Each (n, d)."""
    v: tuple[Labels, Labels, Labels]
    problem: Problem


@dataclass(frozen=True)
class FittedAttacker:
    """One attacker on one preprocessing of the features."""

    name: str
    view: str
    sees: str
    """Its features' name among those seen: the view's, or that with far values as they are."""
    make: Make
    preprocessing: Preprocessing
    fit: ClassFit | RegressionFit

    @property
    def title(self) -> str:
        """`name on view`."""
        return _title(self.name, self.view)


@dataclass(frozen=True)
class Failure:
    """An attacker that could not run."""

    name: str
    view: str
    reason: str


class AttackerError(Exception):
    """An attacker that had been fitted could not be fitted again; it is no user's mistake and never leaves an audit."""

    def __init__(self, title: str, reason: str) -> None:
        super().__init__(title, reason)
        self.title, self.reason = title, reason

    def __str__(self) -> str:
        return f"{self.title}: {self.reason}"


@dataclass(frozen=True)
class Fits:
    """All attackers on one attribute at one layer, fitted on the training split and chosen on the selection split."""

    members: list[FittedAttacker | Failure]
    """The best setting of every attacker on every preprocessing."""
    ensemble: tuple[Reading, Reading] | None
    """Selection and test split by the ensemble; None where there is one alone."""
    strongest: str
    """Title of the headline."""
    counted: list[tuple[FittedAttacker, float]]
    """Who is the headline, with shares in it."""
    best: FittedAttacker
    seen: Seen

    @property
    def able(self) -> list[FittedAttacker]:
        """The attackers that could run."""
        return [member for member in self.members if isinstance(member, FittedAttacker)]


@dataclass(frozen=True)
class Attack(Fits):
    """The same with who is the headline fitted again, and what that reads."""

    headline: Reading
    """Of the test rows, fitted on the training and the selection split."""
    answers: tuple[Doubles, Doubles]
    """Joined answers of who is the headline: of the selection rows, fitted on the training split, and of the test rows,
    fitted on both. Of classes, log-odds, (n, k); of a quantity, numbers, (n,)."""


def attack(
    data: SplitData, settings: Settings, *, tries: int | None = None, failed: Mapping[str, str] | None = None
) -> Attack:
    """Let every attacker try, in `tries` settings at most; those that `failed`, by title, are listed with their reason.

    Raises DataError if none could run; AttackerError if one could be fitted on the training split and not on both.
    """
    found: Attack = together(refits(fits(data, settings, tries=tries, failed=failed), data))[0]
    return found


def fits(
    data: SplitData, settings: Settings, *, tries: int | None = None, failed: Mapping[str, str] | None = None
) -> Fits:
    """Fit every attacker on the training split, and choose who is the headline, as `attack` does."""
    seen = preprocessed(data.z)
    members = _members(data, seen, settings, tries, failed or {})
    able = [member for member in members if isinstance(member, FittedAttacker)]
    if not able:
        kind = "numbers" if data.problem.metric == "r2" else "classes"
        reason = next((one.reason for one in members if isinstance(one, Failure)), f"none of them reads {kind}")
        raise DataError(f"No attacker could run: {reason}.")
    best = max(able, key=lambda member: member.fit.select.score)
    shares = choose_members([one.fit.answers[0] for one in able], lambda said: data.problem.loss(said, data.v))
    select, test = (joined([one.fit.answers[part] for one in able], shares) for part in (0, 1))
    ensemble = data.problem.ensemble(select, test, data.v)
    if len(able) == 1 or ensemble[0].score < best.fit.select.score:
        shares = np.array([float(member is best) for member in able])
    counted = [(member, float(share)) for member, share in zip(able, shares, strict=True) if share > 0]
    strongest = counted[0][0].title if len(counted) == 1 else ENSEMBLE
    silent = {member.title: _silent(member) for member, share in zip(able, shares, strict=True) if not share > 0}
    members = [silent.get(_title(one.name, one.view), one) for one in members]
    best = silent.get(best.title, best)
    return Fits(members, ensemble if len(able) > 1 else None, strongest, counted, best, seen)


def refits(found: Fits, data: SplitData) -> Work[Attack]:
    """Return the fits of who is the headline on the training and the selection split, which make an attack.

    Run, they raise AttackerError if one could be fitted on the training split and not on both.
    """
    labels, shares = np.concatenate(data.v[:2]), np.array([share for _, share in found.counted])
    both = {
        sees: (stacked(found.seen[sees][1][:2]), found.seen[sees][1][2])
        for sees in {member.sees for member, _ in found.counted}
    }

    def refitted(member: FittedAttacker) -> Doubles:
        z, test = both[member.sees]
        return again(member, z.shape[1], lambda learner: member.fit.again(learner, z, labels, test))

    def attacked(answers: list[Doubles]) -> Attack:
        before = joined([member.fit.answers[0] for member, _ in found.counted], shares)
        answer = joined(answers, shares)
        return Attack(**vars(found), headline=data.problem.headline(before, answer, data.v), answers=(before, answer))

    return Work(refitted, [member for member, _ in found.counted], attacked)


def persistent(run: Callable[[Mapping[str, str]], Result]) -> Result:
    """Run what attacks, and again without each attacker that turned out not to run; it is given these with reasons."""
    failed: dict[str, str] = {}
    while True:
        try:
            return run(failed)
        except AttackerError as error:
            failed = {**failed, error.title: error.reason}


def preprocessed(z: Sequence[Matrix]) -> Seen:
    """Fit each preprocessing on the first part, and apply it to all parts: by its name."""
    drawn = far_values(z)
    wanted = [(view, drawn) for view in VIEWS] + [(view, None) for view in VIEWS if drawn]

    def fitted(one: tuple[str, DrawnIn | None]) -> tuple[Preprocessing, list[Matrix]]:
        found = preprocessing(one[0], z[0], one[1])
        return found, [transformed(found, part) for part in z]

    names = [view if one is drawn else view + AS_THEY_ARE for view, one in wanted]
    return dict(zip(names, side_by_side(fitted, wanted), strict=True))


def transformed(preprocessing: Preprocessing, z: Matrix) -> Matrix:
    """Return preprocessed features, (n, m), of z, (n, d), in single precision; many of them in a mapped file."""
    made = (preprocessing.transform(block).astype(np.float32) for block in blocks(z, AT_ONCE))
    return np.concatenate(list(made)) if z.size <= HELD else filed(made, len(z))


def again(attacker: FittedAttacker, width: int, run: Callable[[Learner], Result]) -> Result:
    """Make an attacker anew, for features of that width, and run it; raise what it raises as an AttackerError."""
    try:
        return run(attacker.make(width))
    except (Exception, SystemExit) as error:
        raise AttackerError(attacker.title, first_line(error)) from error


def stacked(parts: Sequence[Matrix]) -> Matrix:
    """Put rows under each other, in a mapped file if there are many."""
    if sum(part.size for part in parts) <= HELD:
        return np.concatenate(list(parts))
    return filed((block for part in parts for block in blocks(part, AT_ONCE)), sum(map(len, parts)))


def _members(
    data: SplitData,
    seen: Seen,
    settings: Settings,
    tries: int | None,
    failed: Mapping[str, str],
) -> list[FittedAttacker | Failure]:
    """Return the best setting of every attacker on every preprocessing."""
    pairs, problem, v = [(name, view) for view in VIEWS for name in settings.attackers], data.problem, data.v
    makes = {name: problem.makes(family(name, settings.device), settings.seed)[:tries] for name, _ in pairs}
    features = {view: z for view, (_, z) in seen.items()}

    def one(job: tuple[str, str, str, Make]) -> ClassFit | RegressionFit | Failure:
        name, view, sees, make = job
        if (title := _title(name, view)) in failed:
            return Failure(name, view, failed[title])
        try:
            return problem.fit(make(features[sees][0].shape[1]), features[sees], v)
        except (Exception, SystemExit) as error:  # an attacker may be the user's own, and raise anything
            return Failure(name, view, first_line(error))

    jobs = [
        (name, view, sees, make)
        for name, view in sorted(pairs, key=lambda pair: slowness(pair[0]))  # no long one is begun when others end
        for sees in (view, view + AS_THEY_ARE)
        if sees in seen
        for make in makes[name]
    ]
    best: dict[tuple[str, str], FittedAttacker | Failure] = {}
    for job, fit in zip(jobs, in_order(one, jobs), strict=True):  # what loses is let go at once
        made = fit if isinstance(fit, Failure) else FittedAttacker(*job, seen[job[2]][0], fit)
        best[job[:2]] = _better(best.get(job[:2], made), made)
    return [best[pair] for pair in pairs if makes[pair[0]]]


def _better(one: FittedAttacker | Failure, other: FittedAttacker | Failure) -> FittedAttacker | Failure:
    """Return which of two settings of an attacker predicts the selection rows better; the first if they are alike."""
    if isinstance(one, Failure) or isinstance(other, Failure):
        return one if isinstance(other, Failure) else other
    return min(one, other, key=lambda member: member.fit.select.loss)


def _silent(member: FittedAttacker) -> FittedAttacker:
    """Return an attacker without its answers, which are as long as the rows."""
    nothing = np.empty(0)
    return replace(member, fit=replace(member.fit, answers=(nothing, nothing)))


def _title(name: str, view: str) -> str:
    return f"{name} on {view}"
