"""Teachers label the rows that have no private label; what their labels are worth is measured, not assumed.

Each private attribute has a teacher, fitted on three quarters of the truly labelled groups. There are two candidates: a
copy of the encoder, fine-tuned to the attribute, and the best reader of the untouched representation. The one that errs
less on the rest of the groups labels the rows. These same rows, which no teacher has seen, say how often it errs, and
alone choose epochs and widths.

A label that is wrong by chance as often as q costs rows, and no more: of k classes that count alike, a row is worth
(1 − q k/(k − 1))² of one with a true label, which is (1 − 2q)² of two. Errors that go with what the representation
tells cost more than that, which only an audit sees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.columns import AnyColumn, Column, Ints, Quantity
from audit.data.labelled import MIN_ROWS, LabelledData
from audit.errors import DataError, IreneError
from audit.parallel.ranks import process_count
from sanitizer.job import Taught, TrainingJob
from sanitizer.methods.base import Rows
from sanitizer.teaching.network import tell
from sanitizer.teaching.readers import Features, read
from sanitizer.teaching.unlabelled import Unlabelled, usable
from sanitizer.training.forward import ForwardPass
from sanitizer.training.rows import held_from_training

NETWORK = "the encoder, fine-tuned to it"
FEATURES, INPUT = "its representation", "the input"


@dataclass(frozen=True)
class Errors:
    """How often a teacher's labels are wrong, on truly labelled rows that it has not seen."""

    of_class: Mapping[str, float]
    """Share of the rows of each class that it gives another; of a class without a row, 1."""
    rows: Mapping[str, int]
    """How many rows of each class there are."""
    units: Mapping[str, int]
    """How many groups they are of."""

    @staticmethod
    def of(column: Column, said: Ints, groups: Ints) -> "Errors":
        """Compare true classes with what a teacher says, (n,)."""
        inside = {name: np.flatnonzero(column.codes == code) for code, name in enumerate(column.classes)}
        return Errors(
            {name: float((said[own] != column.codes[own]).mean()) if len(own) else 1.0 for name, own in inside.items()},
            {name: len(own) for name, own in inside.items()},
            {name: len(np.unique(groups[own])) for name, own in inside.items()},
        )

    @property
    def rate(self) -> float:
        """The mean over the classes, q."""
        return float(np.mean([*self.of_class.values()]))

    @property
    def signal(self) -> float:
        """What is left of a difference between classes, 1 − q k/(k − 1); 0 for a guess, and for worse."""
        k = len(self.of_class)
        return max(0.0, 1 - self.rate * k / (k - 1))

    @property
    def worth(self) -> float:
        """How many truly labelled rows a row is worth."""
        return self.signal**2

    @property
    def noise(self) -> float:
        """The standard error of `rate`, by groups; of a class without an error or a group, as if it had half of one."""
        parts = [
            max(one * (1 - one), 0.5 / max(1, self.units[name])) / max(1, self.units[name])
            for name, one in self.of_class.items()
        ]
        return float(np.sqrt(sum(parts))) / len(parts)


@dataclass(frozen=True)
class Teacher:
    """Who labels the rows by one attribute, and how well."""

    kind: str
    labels: Ints
    """Of the unlabelled rows, (m,)."""
    errors: Errors


def taught(
    model: nn.Module, job: TrainingJob, given: LabelledData, *, barred: Sequence[LabelledData] = ()
) -> TrainingJob:
    """Return a job with more rows to train on: those of `given` without a private label, labelled by teachers.

    The task's label is the file's own, or else what the untouched model answers. A retained attribute is the file's
    own, or stays missing.

    Args:
        model: As it is before training; it stays so.
        job: Its rows are truly labelled.
        given: The unlabelled rows, as the model takes them.
        barred: Rows that will be audited: no others of their groups are used.

    Raises:
        IreneError: What the method or the recipe does needs true labels; there are no such rows; or a teacher is no
            better than chance, or errs so often that its labels would cost more than they bring.
    """
    _require_alone(job)
    fit, held = held_from_training(job, teaches=True)
    rows = usable(job, given, [held, *barred])
    forward = ForwardPass.of(model, job, job.device)
    seen = [forward.run(one) for one in (fit, held, rows.data)]
    features = [_features(one.z, data) for one, data in zip(seen, (fit, held, rows.data), strict=True)]
    teachers = {}
    for name in job.private:
        teacher = _teacher(model, job, name, (fit, held, rows.data), features)
        _require_worth(name, teacher, len(job.data), len(rows.data))
        teachers[name] = teacher
    columns, notes = _columns(job, rows.data, seen[2], forward, teachers)
    return replace(
        job,
        taught=Taught(
            replace(rows.data, columns=columns),
            {name: one.errors.worth for name, one in teachers.items()},
            _said(given.name, rows, len(held), teachers),
            (*(_told(name, one, rows, len(fit)) for name, one in teachers.items()), *notes, *rows.notes),
        ),
    )


def _require_alone(job: TrainingJob) -> None:
    if job.recipe.reweigh:
        raise IreneError(
            "--reweigh draws rows by their true labels, and a teacher's would stand among them. Leave it or "
            "--unlabelled out."
        )
    if process_count() > 1:
        raise IreneError("--unlabelled runs in one process: several would have a teacher each. Leave torchrun out.")


def _features(z: Tensor, data: LabelledData) -> Features:
    """Return what a reader may see: the representation, and the input where it is a row of numbers, and another."""
    found = {FEATURES: z.float().cpu().numpy()}
    first = data.inputs[0]
    if isinstance(first, Tensor) and first.ndim == 1 and first.is_floating_point():
        x = torch.stack([torch.as_tensor(data.inputs[row]) for row in range(len(data))]).float().numpy()
        if x.shape != found[FEATURES].shape or not np.allclose(x, found[FEATURES]):
            found[INPUT] = x
    return found


def _teacher(
    model: nn.Module,
    job: TrainingJob,
    name: str,
    parts: tuple[LabelledData, LabelledData, LabelledData],
    features: Sequence[Features],
) -> Teacher:
    """Return the candidate that errs least on the held-out rows, of the rows that fit, are held out and unlabelled."""
    fit, held, rows = parts
    column, truth = fit.column(name, "private"), held.columns[name]
    assert isinstance(truth, Column)
    sees = [one for one in features[0] if all(one in part for part in features)]
    shown = [{one: part[one] for one in sees} for part in features]
    kind, answers = read(shown[0], column.codes, fit.groups(), shown[1:], job.recipe.seed)
    told = tell(model, job, name, fit, (held, rows))
    candidates = [(f"{kind}; {told}", answers)] if isinstance(told, str) else [(kind, answers), (NETWORK, told)]
    found = [Teacher(kind, both[1], Errors.of(truth, both[0], held.groups())) for kind, both in candidates]
    return min(found, key=lambda one: one.errors.rate)


def _require_worth(name: str, teacher: Teacher, labelled: int, more: int) -> None:
    """Refuse labels that are guesses, or so many wrong ones that all rows together would tell less than the labelled.

    The covariance with v that n true and m taught labels give has the signal of n + m s, and the noise of n + m rows.
    """
    errors, k = teacher.errors, len(teacher.errors.of_class)
    fact = f"The teacher of {name!r} errs in {errors.rate:.1%} of {sum(errors.rows.values())} held-out rows, a mean"
    if errors.rate + 2 * errors.noise >= 1 - 1 / k:
        raise DataError(
            f"{fact} over classes, and a guess in {1 - 1 / k:.1%}: it is no better than chance, beyond doubt. Give "
            "more labelled rows, or leave --unlabelled out."
        )
    if (labelled + more * errors.signal) ** 2 <= labelled * (labelled + more):
        raise DataError(
            f"{fact} over classes: {more} rows so labelled would cost more than they bring beside {labelled} with true "
            "labels. Give more labelled rows, or leave --unlabelled out."
        )


def _columns(
    job: TrainingJob, data: LabelledData, seen: Rows, forward: ForwardPass, teachers: Mapping[str, Teacher]
) -> tuple[dict[str, AnyColumn], list[str]]:
    """Return the labels of the rows, and notes on those that are nobody's true ones."""
    columns: dict[str, AnyColumn] = {}
    notes = []
    for name, column in data.columns.items():
        is_known = np.asarray(column.known)
        if name in teachers and isinstance(column, Column):
            columns[name] = Column(np.where(is_known, column.codes, teachers[name].labels), column.classes)
        elif name == job.task and isinstance(column, Quantity):
            columns[name] = Quantity(np.where(is_known, column.values, forward.aim.in_unit(seen.scores).numpy()))
        elif name == job.task and isinstance(column, Column):
            own = seen.scores.argmax(dim=1).cpu().numpy()
            columns[name] = Column(np.where(is_known, column.codes, own), column.classes)
        elif isinstance(column, Column):
            columns[name] = column
        if name == job.task and not is_known.all():
            notes.append(f"the task's label of {(~is_known).sum()} of them is what the untouched model answers")
        if name in job.keep and not is_known.all():
            notes.append(f"{name!r} is not known of {(~is_known).sum()} of them, which do not tell how it is kept")
    return columns, notes


def _said(source: str, rows: Unlabelled, held: int, teachers: Mapping[str, Teacher]) -> dict[str, str | int | float]:
    """Return what the record holds; classes of few held-out rows have no rate of their own."""
    said: dict[str, str | int | float] = {"unlabelled": source, "unlabelled.rows": len(rows.data)}
    said |= {"unlabelled.sha256": rows.sha256, "unlabelled.held_out": held}
    for name, one in teachers.items():
        said[f"unlabelled.teacher.{name}"] = one.kind
        said[f"unlabelled.error.{name}"] = round(one.errors.rate, 4)
        said[f"unlabelled.error_deviation.{name}"] = round(one.errors.noise, 4)
        said |= {f"unlabelled.error.{name}.{label}": round(share, 4) for label, share in _rates(one.errors).items()}
        said[f"unlabelled.worth.{name}"] = round(len(rows.data) * one.errors.worth)
    return said


def _rates(errors: Errors) -> dict[str, float]:
    return {label: share for label, share in errors.of_class.items() if errors.rows[label] >= MIN_ROWS}


def _told(name: str, teacher: Teacher, rows: Unlabelled, fit: int) -> str:
    errors, count = teacher.errors, len(rows.data)
    each = ", ".join(f"{label} {share:.1%}" for label, share in _rates(errors).items())
    few = " and".join(f" {label}" for label in errors.of_class if errors.rows[label] < MIN_ROWS)
    each += f"; of{few} too few rows to say" if few else ""
    wrong = f"{errors.rate:.1%} (± {errors.noise:.1%}) of {sum(errors.rows.values())} held-out rows"
    return (
        f"{count} unlabelled rows of {rows.data.name} got {name!r} from a teacher ({teacher.kind}; {fit} rows fitted "
        f"it), which is wrong in {wrong}, a mean over classes ({each}): they are worth {count * errors.worth:.0f} rows "
        "with true labels, if it errs by chance"
    )
