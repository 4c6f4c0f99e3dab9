"""What an audit is asked for: which columns play which part, looked up before any work is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.attackers import families
from audit.data.columns import AnyColumn, Quantity
from audit.data.labelled import LabelledData
from audit.errors import DataError
from audit.protocol.attribution import require_samples
from audit.protocol.continuous import value_rows
from audit.protocol.leakage import used
from audit.protocol.splits import split_rows
from audit.settings import Settings


@dataclass(frozen=True)
class Asked:
    """Which columns play which part."""

    task: str | None
    private: list[str]
    keep: list[str]
    columns: dict[str, AnyColumn]

    @property
    def audited(self) -> list[str]:
        """Every column that is attacked."""
        return [*self.private, *self.keep]

    def require_rows(self, data: LabelledData, settings: Settings, *, where: bool) -> None:
        """Fail if a class has too few rows, or `where` too few to be a mean over, before the work is done."""
        splits = split_rows(data.groups(), [*self.columns.values()], seed=settings.seed)
        for name in self.audited:
            column = self.columns[name]
            if isinstance(column, Quantity):
                value_rows(name, column, splits, settings)
            else:
                _, (_, _, test), _, _ = used(name, column, splits, settings)
                if where and name in self.private:
                    require_samples(len(test), name)

    @staticmethod
    def of(
        data: LabelledData,
        task: str | None,
        private: str | Sequence[str],
        keep: str | Sequence[str],
        settings: Settings,
    ) -> "Asked":
        """Look the columns up, and fail on what cannot be audited before any work is done."""
        if not settings.attackers:
            raise DataError(f"No attacker was named. Name at least one of {', '.join(families.ATTACKERS)}.")
        for name in settings.attackers:
            families.family(name)
        wanted, kept = several(private), several(keep)
        if not wanted:
            raise DataError("No private attribute was named. Name at least one, for instance private=['gender'].")
        if task in (*wanted, *kept):
            raise DataError(
                f"{task!r} is the task and cannot be private or kept too: a model that does its task tells it."
            )
        for name in wanted:
            if name in kept:
                raise DataError(f"{name!r} cannot be private and kept at once. Leave it out of one.")
        columns: dict[str, AnyColumn] = {task: data.column(task, "task")} if task else {}
        columns |= {name: data.attribute(name, "private") for name in wanted}
        columns |= {name: data.attribute(name, "kept") for name in kept}
        return Asked(task, wanted, kept, columns)


def several(names: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list, each once."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))
