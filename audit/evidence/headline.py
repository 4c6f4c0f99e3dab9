"""A finding's figures as they are printed, whatever its metric: balanced accuracy in percent, R² in decimals."""

from audit.evidence import numbers
from audit.evidence.audit_result import AnyTask, QuantityTask
from audit.evidence.findings import Certificate, Estimate, Finding, Measurement, NullBand, Verification
from audit.evidence.verdict import held_for, is_bounded, most_allowed
from audit.evidence.watched import AREA, Watched

WRITERS = {
    "balanced_accuracy": numbers.share,
    "auroc": numbers.decimal,
    "bits": numbers.bits,
    "given_task": numbers.bits,
    "r2": numbers.decimal,
    "mae": numbers.quantity,
}
"""How each figure is printed."""
TITLES = {
    "balanced_accuracy": "Balanced accuracy",
    "auroc": "AUROC",
    "bits": "Information",
    "given_task": "Given the task",
    "r2": "R²",
    "mae": "Mean error",
}
"""What each figure is called at the head of a column."""


def written(measurement: Measurement, estimate: Estimate) -> numbers.Figure:
    """Return an estimate in the metric's unit: `43.1 %` of balanced accuracy, `0.431` of R²."""
    return WRITERS[measurement.metric](estimate)


def written_guess(measurement: Measurement) -> str:
    """Return the metric of a guess, as it is printed."""
    return written_level(measurement, measurement.guess)


def written_baseline(measurement: Measurement) -> str:
    """Return in a sentence what every figure of an attribute is read against, and on how many rows it was taken."""
    rows = f"{numbers.count(measurement.test_rows)} test rows"
    if measurement.entropy is None:
        return f"Answering the mean gives R² 0, and the median a mean error of {written_median(measurement)}; {rows}."
    return f"A guess gives {written_guess(measurement)}, AUROC 0.5 and 0 of {measurement.entropy:.2f} bits; {rows}."


def written_median(measurement: Measurement) -> str:
    """Return the mean error of the median, with as many digits as that of the strongest attacker."""
    error = measurement.figures["mae"]
    return numbers.quantity(error.model_copy(update={"value": measurement.baseline["mae"]})).value


def written_level(measurement: Measurement, level: float) -> str:
    """Return a level on the metric's scale that has no interval: `15 %`, `0.05`."""
    return numbers.percent(level) if measurement.kind.percent else numbers.trimmed(level, 3)


def written_excess(finding: Finding) -> numbers.Figure:
    """Return the excess leakage, with the digits it takes to tell it from the limit."""
    measurement = finding.measurement
    return numbers.excess(measurement.excess, finding.decided.limit, in_points=measurement.kind.percent)


def written_limit(finding: Finding) -> str:
    """Return the limit as the user gave it: `5 points`, `0.05 of R²`."""
    limit = finding.decided.limit
    return numbers.limit_points(limit) if finding.measurement.kind.percent else f"{numbers.trimmed(limit, 5)} of R²"


def written_resolution(measurement: Measurement) -> str:
    """Return the smallest excess that these rows can tell."""
    points = f"{100 * measurement.resolution:.1f} points"
    return points if measurement.kind.percent else f"{measurement.resolution:.3f} of R²"


def null_estimate(null: NullBand) -> Estimate:
    """Return the permutation null as a figure with an interval."""
    return Estimate(value=null.mean, low=null.low, high=null.high)


def sentence(finding: Finding) -> str:
    """Return a finding as one line for a terminal: verdict, leakage, references, reason."""
    measurement, decision = finding.measurement, finding.decision
    measured = _of_classes(measurement) if measurement.kind.percent else _of_quantity(measurement)
    line = (
        f"{finding.attribute} at {finding.layer}: the strongest attacker ({measurement.strongest}) {measured}"
        f"{_input_control(measurement)}{bound(finding.certificate)}."
    )
    return (
        f"{decision.verdict}: {line} {decision.reason}{_held(finding)}"
        if decision
        else f"{readability(measurement)}: {line}{_at_best(measurement)}"
    )


def _at_best(measurement: Measurement) -> str:
    best = measurement.at_best
    if best is None:
        return ""
    metric = AREA[measurement.metric]
    return (
        f" A release of these features that tells nothing of the private attributes beyond the task's label could keep "
        f"{TITLES[metric]} {numbers.decimal(best)} of it at best, where {numbers.decimal(measurement.figures[metric])} "
        "is read."
    )


def watched_sentence(one: Watched) -> str:
    """Return what is left of an attribute that nobody asked to keep, as one line for a terminal."""
    best = f"; {numbers.decimal(one.at_best)} could be kept at best" if one.at_best else ""
    return (
        f"WATCHED: {one.attribute} at {one.layer}: a linear attacker reads {TITLES[one.metric]} "
        f"{numbers.decimal(one.figure)}; a guess gives {numbers.trimmed(one.guess, 1)}{best}."
    )


def readability(measurement: Measurement) -> str:
    """Return whether an attribute that should stay readable is more readable than its floor, by its interval."""
    return "KEPT" if measurement.excess.low > 0 else "NOT READABLE"


def written_task(task: AnyTask) -> numbers.Figure:
    """Return how well a task is done: an accuracy in percent, an R² in decimals."""
    return (numbers.share if task.percent else numbers.decimal)(task.score)


def written_nothing(task: AnyTask) -> str:
    """Return how well who knows nothing does it: the share of the most frequent class, or an R² of 0."""
    return numbers.percent(task.level) if task.percent else numbers.trimmed(task.level, 3)


def on_the_task(task: AnyTask | None) -> str:
    """Return what the column of how well a task is done is called."""
    title = "accuracy" if task is None else task.title
    return f"{title[0].upper()}{title[1:]} on the task"


def task_sentence(task: AnyTask) -> str:
    """Return how well the model does its task as one line for a terminal."""
    form, score = ".1%" if task.percent else ".3f", task.score
    not_more = ", and the model is not above it" if task.is_at_chance else ""
    return (
        f"Task {task.name}: {task.title} {score.value:{form}} [{score.low:{form}}, {score.high:{form}}]{_error(task)}; "
        f"{task.nothing} gives {f'{task.level:.1%}' if task.percent else '0'}{not_more}."
    )


def _error(task: AnyTask) -> str:
    """Return the mean error of a quantity, after a comma, beside that of the median."""
    if not isinstance(task, QuantityTask):
        return ""
    median = numbers.quantity(task.mae.model_copy(update={"value": task.mae_of_median})).value
    return f", mean error {numbers.quantity(task.mae)} against {median} of the median"


def verification_sentence(one: Verification) -> str:
    """Return how well people are told apart as one line for a terminal."""
    among = "" if one.among is None else f", of one {one.among} class"
    rates = [f"{tar.rate.value:.1%} at a FAR of {tar.false_accept_rate:g}" for tar in one.accepted if tar.rate]
    pairs = f"{numbers.of_held(one.genuine, one.genuine_held)} genuine and "
    pairs += f"{numbers.of_held(one.impostor, one.impostor_held)} impostor pairs{among}, {one.people:,} people"
    auc, eer = one.auc, one.eer
    return (
        f"IDENTITY: {one.identity} at {one.layer}: AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}], EER "
        f"{eer.value:.1%} [{eer.low:.1%}, {eer.high:.1%}]"
        f"{', TAR ' if rates else ''}{', '.join(rates)}; {pairs}."
    )


def not_above(task: AnyTask) -> str:
    """Say that a task is done no better than by who knows nothing of the row, without a full stop."""
    if not task.percent:
        return (
            f"the R² of {task.name!r}, {numbers.decimal(task.score)}, is not above the 0 of answering the mean: the "
            "model may be broken, made for other rows or another transform, or predict in another unit"
        )
    accuracy, balanced = task.accuracy, task.balanced_accuracy
    told = (
        f"the accuracy on {task.name!r}, {accuracy.value:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}], is not above "
        f"the {task.chance:.1%} of always answering the most frequent class"
    )
    if task.is_at_chance:
        return f"{told}: the model may be broken, or made for other rows, transform, image size or order of classes"
    return f"{told}, though its balanced accuracy of {balanced.value:.1%} is above that of a guess"


def _held(finding: Finding) -> str:
    """Return in a sentence for whom the limit holds, after a space; nothing where nobody can tell."""
    who, most = held_for(finding), finding.certificate
    if most is None:
        return {"not held": " The limit is not held.", None: ""}.get(who, " The limit holds for the attackers tried.")
    bounded = f"{numbers.at_most_percent(most.balanced_accuracy)}%"
    allowed = f"floor and limit, {most_allowed(finding):.1%}"
    if who == "every attacker":
        return f" The limit holds for every attacker, tried or not: the bound of {bounded} lies within {allowed}."
    if who == "the attackers tried":
        return (
            f" The limit holds for the attackers tried, not for every attacker: the bound of {bounded} lies beyond "
            f"{allowed}."
        )
    if who == "not held":
        return " The limit is not held."
    return f" The bound on every attacker, {bounded}, does lie within {allowed}." if is_bounded(finding) else ""


def bound(certificate: Certificate | None) -> str:
    """Return the upper bound on any attacker as a clause for a terminal, or nothing where there is none."""
    if certificate is None:
        return ""
    most = numbers.at_most_percent(certificate.balanced_accuracy)
    return f"; no attacker reads more than {most}% ({certificate.confidence:.0%})"


def _of_classes(measurement: Measurement) -> str:
    read, auroc, bits = (measurement.figures[name] for name in measurement.kind.figures)
    return (
        f"reads {read.value:.1%} [{read.low:.1%}, {read.high:.1%}] balanced accuracy, AUROC {auroc.value:.3f}, "
        f"{_bits(bits.value, measurement.entropy or 0.0)}; "
        f"floor {measurement.floor_score.value:.1%}, chance {measurement.guess:.1%}"
    )


def _bits(value: float, entropy: float) -> str:
    told = numbers.fixed(value, 2)
    below = ", less than the class frequencies tell" if told.startswith("−") else ""
    return f"{told} of {entropy:.2f} bits{below}"


def _of_quantity(measurement: Measurement) -> str:
    r2, error = (measurement.figures[name] for name in measurement.kind.figures)
    return (
        f"explains R² {r2.value:.2f} [{r2.low:.2f}, {r2.high:.2f}] of it, to within {error.value:.3g} on "
        f"average where the median is off by {measurement.baseline['mae']:.3g}; "
        f"floor {measurement.floor_score.value:.2f}"
    )


def _input_control(measurement: Measurement) -> str:
    if measurement.ceiling is None:
        return ""
    value = measurement.ceiling.figure.value
    return f", ceiling {value:.1%}" if measurement.kind.percent else f", ceiling {value:.2f}"
