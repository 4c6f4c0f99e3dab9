"""What an audit is asked for: which columns play which part, looked up before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.attackers.families import ATTACKERS, family
from audit.column_names import several
from audit.data.columns import AnyColumn, Column, Undecided
from audit.data.labelled import LabelledData, require_labelled
from audit.errors import DataError
from audit.protocol.attribution import require_samples
from audit.protocol.audited_rows import audited
from audit.protocol.splits import split_rows
from audit.protocol.task_performance import require_task_rows
from audit.settings import Settings
from audit.verification.verification import tested

ALL = "all"
"""Every column without another part is to be watched."""


@dataclass(frozen=True)
class AuditRequest:
    """Which columns play which part."""

    task: str | None
    private: list[str]
    keep: list[str]
    columns: dict[str, AnyColumn]
    watched: dict[str, AnyColumn]
    """Attributes that have no part in the splits: what is measured beside them does not depend on them."""
    unwatched: list[str]
    """Why some columns cannot be watched, where all others were asked for."""

    @property
    def audited(self) -> list[str]:
        """Every column that is attacked."""
        return [*self.private, *self.keep]

    def require_rows(self, data: LabelledData, settings: Settings, *, answers: bool = True) -> None:
        """Fail before the work is done: a class has too few rows, or the task, or attribution; or every leak passes.

        `answers` says whether anything does the task, which is measured then.
        """
        splits = split_rows(data.groups(), [*self.columns.values()], seed=settings.seed)
        if self.task and answers:
            require_task_rows(self.task, self.columns[self.task], splits.test, settings.min_class)
        for name in self.watched if settings.watch != (ALL,) else ():
            audited(name, self.watched[name], splits, settings)
        for name in self.audited:
            found = audited(name, self.columns[name], splits, settings)
            most = 1 - found.problem.guess
            if name in self.private and settings.limit >= most:
                raise DataError(
                    f"A limit of {settings.limit:g} lets all of {name!r} pass: an attacker without an error reads "
                    f"{most:.3g} beyond a guess. Give a smaller one; 0.05 is 5 points."
                )
            if settings.where and name in self.private and isinstance(self.columns[name], Column):
                require_samples(len(found.rows[2]), name)
        tested(data, {}, splits, settings)

    @staticmethod
    def of(
        data: LabelledData,
        task: str | None,
        private: str | Sequence[str],
        keep: str | Sequence[str],
        settings: Settings,
        predicted: str | None = None,
    ) -> "AuditRequest":
        """Look columns and attackers up; raise an IreneError for what cannot be audited, before any work is done."""
        require_labelled(data)
        if not settings.attackers:
            raise DataError(f"No attacker was named. Name at least one of {', '.join(ATTACKERS)}.")
        for name in settings.attackers:
            family(name, settings.device)
        wanted, kept = several(private), several(keep)
        several([one for one in (task, predicted) if one is not None])  # each is a text
        if not wanted:
            raise DataError("No private attribute was named. Name at least one, for instance private=['gender'].")
        if task in (*wanted, *kept):
            raise DataError(
                f"{task!r} is the task and cannot be private or kept too: a model that does its task tells it."
            )
        if predicted in {part for name in (*wanted, *kept) for part in (name, *name.split("+"))}:
            raise DataError(
                f"{predicted!r} is what the model answered and cannot be private or kept too: it would tell "
                "itself. Name the column with the model's answers, or leave it out, and the floor is chance."
            )
        for name in wanted:
            if name in kept:
                raise DataError(f"{name!r} cannot be private and kept at once. Leave it out of one.")
        if settings.keep_identity is not None and settings.keep_identity in (task, *wanted, *kept):
            raise DataError(
                f"{settings.keep_identity!r} holds the identities to keep and is named in another part, too. Name it "
                "once: whether people are recognised is measured on people that no attacker saw."
            )
        columns: dict[str, AnyColumn] = {task: data.attribute(task, "task")} if task else {}
        columns |= {name: data.attribute(name, "private") for name in wanted}
        columns |= {name: data.attribute(name, "kept") for name in kept}
        watched, unwatched = _watched(data, columns, settings, predicted)
        return AuditRequest(task, wanted, kept, columns, watched, unwatched)


def _watched(
    data: LabelledData, columns: Mapping[str, AnyColumn], settings: Settings, predicted: str | None
) -> tuple[dict[str, AnyColumn], list[str]]:
    """Return the columns to watch, and why some of all cannot be."""
    names, parts = [*settings.watch], {part for name in columns for part in (name, *name.split("+"))}
    if twice := [name for name in names if name in columns]:
        raise DataError(f"{twice[0]!r} is to be watched and has another part already. Leave it out of --watch.")
    if ALL in names and (len(names) > 1 or ALL in data.columns):
        fact = "other names stand beside it" if len(names) > 1 else f"{data.name} has a column of that name"
        raise DataError(f"--watch {ALL} means every column without another part, and {fact}. Name those to watch.")
    if ALL not in names:
        return {name: data.attribute(name, "watched") for name in names}, []
    found, told = {}, []
    for name in data.columns:
        if name in (*parts, data.group_name, predicted, settings.keep_identity):
            continue
        try:
            found[name] = data.attribute(name, "watched")
        except DataError:
            unclear = isinstance(data.columns[name], Undecided)
            fact = (
                "classes or a quantity, which --classes or --continuous would say"
                if unclear
                else "one value, or unclear"
            )
            told.append(f"{name!r} is not watched: it holds {fact}")
    return found, told
