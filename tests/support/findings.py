"""Pieces of evidence, made by hand: findings, audits, sanitizer records."""

from itertools import product
from math import log2
from random import Random
from statistics import NormalDist
from typing import Any, Literal

from audit.evidence.audit_result import (
    AuditResult,
    Checkpoint,
    DataRows,
    Epoch,
    Protocol,
    Sanitizing,
    Split,
    Task,
)
from audit.evidence.densities import GRIDS, Densities, MapDensity, ScoreDensity
from audit.evidence.findings import (
    ENSEMBLE,
    AttackerResult,
    Ceiling,
    Certificate,
    ClassRecall,
    ClassRows,
    CurvePoint,
    Decision,
    Estimate,
    Exposure,
    Finding,
    LearningCurve,
    Measurement,
    NullBand,
    SeveralReleases,
    Shots,
    Spike,
    TruePositives,
    Unit,
    Verdict,
    Where,
)
from audit.evidence.verdict import resolution
from support.cards import card

VERSIONS = {"torch": "2.10.0", "scikit-learn": "1.7.2"}
VIEWS = ["standardised", "whitened"]
LAYER = "features.7"
NORMAL = [NormalDist().inv_cdf((place + 0.5) / 1000) / NormalDist().inv_cdf(0.975) for place in range(1000)]
"""Deviations of a thousand draws, in half widths of their 95 % interval."""
ATTACKERS = ["logistic", "mlp", "rbf", "knn", "trees"]


def around(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


TASK = Task(
    name="digit", classes=list("0123456789"), accuracy=around(0.962, 0.008), balanced_accuracy=around(0.961, 0.009),
    chance=0.114,
)  # fmt: skip


def leakage(
    attribute: str = "colour",
    read: float = 0.40,
    verdict: Verdict = "FAIL",
    *,
    layer: str = LAYER,
    half: float = 0.02,
    classes: tuple[str, ...] = tuple("0123456789"),
    reason: str = "The whole interval of the excess lies above the limit.",
) -> Finding:
    """Return a private attribute of classes."""
    chance = 1 / len(classes)
    floor = around(chance + 0.02, 0.01)
    attackers = [
        AttackerResult(
            name=name, view=view, select=read - 0.01 * i,
            figures=of_classes(around(read - 0.01 * i, half), around(0.9 - 0.05 * i), around(1.2 - 0.3 * i, 0.08)),
        )
        for i, (name, view) in enumerate(product(("mlp", "logistic", "knn", "trees"), VIEWS))
    ]  # fmt: skip
    failed = AttackerResult(name="rbf", view="standardised", select=None, figures={}, failure="out of memory")
    over = read - floor.value
    measurement = Measurement(
        metric="balanced_accuracy", width=128,
        classes=[ClassRows(name=name, train=500, select=100, test=200) for name in classes],
        baseline={"balanced_accuracy": chance}, entropy=log2(len(classes)), attackers=[*attackers, failed],
        strongest="mlp on standardised",
        figures=of_classes(around(read, half), around(0.9), around(1.2, 0.08)) | {"given_task": around(0.7, 0.06)},
        floor={"balanced_accuracy": floor, "bits": around(0.05, 0.02)}, ceiling=ceiling(0.94),
        null=NullBand(mean=chance, low=chance - 0.014, high=chance + 0.014, refits=20),
        excess=around(over, half + 0.003),
        resolution=resolution("balanced_accuracy", floor.value, chance, [200] * len(classes), 0.05),
        curves=[curve("mlp on standardised", around(read, half), rows=500 * len(classes))],
    )  # fmt: skip
    decision = Decision(limit=0.05, verdict=verdict, reason=reason)
    return Finding(role="private", attribute=attribute, layer=layer, measurement=measurement, decision=decision)


def of_classes(balanced_accuracy: Estimate, auroc: Estimate, bits: Estimate) -> dict[str, Estimate]:
    return {"balanced_accuracy": balanced_accuracy, "auroc": auroc, "bits": bits}


def remeasured(found: Finding, **changes: Any) -> Finding:
    """Return a finding with other fields of its measurement."""
    return found.model_copy(update={"measurement": found.measurement.model_copy(update=changes)})


def refigured(found: Finding, **figures: Estimate | None) -> Finding:
    """Return a finding with other figures of its strongest attacker; None takes one out."""
    new = {name: figure for name, figure in (found.measurement.figures | figures).items() if figure is not None}
    return remeasured(found, figures=new)


def redecided(found: Finding, **changes: Any) -> Finding:
    """Return a finding with other fields of its decision."""
    return found.model_copy(update={"decision": found.decided.model_copy(update=changes)})


def retained(found: Finding) -> Finding:
    """Return the same attribute as one to keep."""
    return found.model_copy(update={"role": "retained", "decision": None})


def ceiling(value: float, half: float = 0.02) -> Ceiling:
    return Ceiling(source="input averaged to 3 × 16 × 16", strongest="mlp on whitened", figure=around(value, half))


def curve(attacker: str, read: Estimate, *, gain: float = 0.001, rows: int = 5000) -> LearningCurve:
    """Return a learning curve that ends at a figure, of so many rows and their halves."""
    steps = [read.value - gain * (2**step - 1) for step in range(4, -1, -1)]
    points = [
        CurvePoint(rows=rows // 2 ** (4 - place), figure=around(max(value, 0.02), 0.01 * (5 - place)))
        for place, value in enumerate(steps[:-1])
    ]
    points.append(CurvePoint(rows=rows, figure=read))
    gain = read.value - points[-2].figure.value
    return LearningCurve(attacker=attacker, points=points, gain=around(gain, 0.003))


def spike(kind: Literal["linear", "quadratic"], planted: float, share: float, draws: int) -> Spike:
    return Spike(kind=kind, planted=planted, read=share * planted, draws=draws, attackers=["mlp on whitened"])


def spikes(limit: float = 0.05, *, quadratic: float = 0.8) -> list[Spike]:
    """Return planted leaks of the size of the limit and of twice that."""
    kinds: list[tuple[Literal["linear", "quadratic"], float]] = [("linear", 0.9), ("quadratic", quadratic)]
    return [spike(kind, size * limit, share, draws=2 * size) for kind, share in kinds for size in (1, 2)]


def drawn(found: Finding) -> dict[str, list[float | None]]:
    """Return the figures and the excess of a finding on each of a thousand resamples, as a normal law spreads them."""
    measurement = found.measurement
    order = Random(repr((found.attribute, measurement.score.value))).sample(NORMAL, len(NORMAL))
    each: dict[str, list[float | None]] = {
        name: [round(one.value + (one.high - one.low) / 2 * deviation, 4) for deviation in order]
        for name, one in measurement.figures.items()
        if name in measurement.kind.drawn
    }
    floor = measurement.floor_score.value
    over = [None if one is None else round(one - floor, 4) for one in each[measurement.metric]]
    return each | {"excess": over}


def whole(found: Finding, limit: float | None = None) -> Finding:
    """Return a finding with all that an audit writes of every one: draws, planted leaks, curves of the strongest."""
    measurement = found.measurement
    limit = limit if limit is not None else found.decision.limit if found.decision else 0.05
    able = [one for one in measurement.attackers if one.figures and one.name != ENSEMBLE]
    readers = [one for one in able if one.view == "whitened"] or able
    names = [f"{one.name} on {one.view}" for one in readers]
    planted = [one.model_copy(update={"attackers": names}) for one in measurement.spikes or spikes(limit)]
    curves = list(measurement.curves)
    for some in (able, [one for one in able if one.name == "mlp"]):
        best = max(some, key=lambda one: one.select or 0.0, default=None)
        if best and f"{best.name} on {best.view}" not in {one.attacker for one in curves}:
            read = best.figures[measurement.metric]
            curves.append(curve(f"{best.name} on {best.view}", read, rows=measurement.train_rows))
    draws = measurement.draws or drawn(found)
    return remeasured(found, spikes=planted if limit else [], curves=curves, draws=draws)


def powered(found: Finding, *, gain: float = 0.001, quadratic: float = 0.6) -> Finding:
    """Return a finding with learning curves and planted leaks."""
    measurement = found.measurement
    able = [one for one in measurement.attackers if one.figures and one.name != ENSEMBLE]
    curves = [
        curve(
            f"{one.name} on {one.view}", one.figures[measurement.metric], gain=gain, rows=measurement.train_rows // part
        )
        for one, part in ((able[0], 1), (able[-1], 4))
    ]
    return remeasured(found, curves=curves, spikes=spikes(quadratic=quadratic))


def exposing(found: Finding, *, sure: float = 0.08) -> Finding:
    """Return a finding with what is read of each class, by few false alarms, and of a person with several rows."""
    names = [one.name for one in found.measurement.classes]
    recalls = [ClassRecall(name=name, recall=around(0.6 - 0.03 * i)) for i, name in enumerate(names[:-1])]
    rates = [
        TruePositives(
            wanted=name, false_positive_rate=rate, rate=None if rate < 0.01 else around(rate + sure * i, 0.004)
        )
        for i, name in enumerate(names if len(names) == 2 else [])
        for rate in (0.1, 0.01, 0.001)
    ]
    exposure = Exposure(recalls=[*recalls, ClassRecall(name=names[-1], recall=None)], found=rates)
    several = [Shots(rows=m, people=120 // m, figure=around(0.5 + 0.02 * m, 0.03)) for m in (1, 5)]
    return remeasured(found, exposure=exposure, shots=several, held=8_000)


def lying(found: Finding, *, apart: float = 2.0) -> Finding:
    """Return a finding with densities: scores `apart` bits from class to class, and cells of every grid."""
    names = [one.name for one in found.measurement.classes]
    recalls = found.measurement.exposure or exposing(found).measurement.exposure
    scores = [
        ScoreDensity(
            name=name,
            edges=[round(-2.25 + at + (apart * i if len(names) == 2 else 0), 2) for at in (0, 1, 2, 3, 4)],
            shares=[0.2, 0.2, 0.4, 0.2],
        )
        for i, name in enumerate(names)
    ]
    places = [
        MapDensity(name=name, cells=[13 * (i % 11), GRIDS[6] + 3 * (i % 11), GRIDS[3]], shares=[0.5, 0.3, 0.2],
                   withheld=0.15 * (i % 2))
        for i, name in enumerate(names)
    ]  # fmt: skip
    changed = remeasured(found, exposure=recalls)
    return changed.model_copy(update={"densities": Densities(scores=scores, map=places)})


def certified(found: Finding, most: float = 0.61, bits: float = 1.25, codes: int = 4) -> Finding:
    binary = len(found.measurement.classes) == 2
    bits = min(bits, log2(len(found.measurement.classes))) if most < 1 else bits
    several = [SeveralReleases(releases=m, balanced_accuracy=1 - (2 - 2 * most) ** m / 2) for m in (5, 20) if binary]
    bound = Certificate(
        rows=8000, codes=codes, independent=[103.7] * len(found.measurement.classes), balanced_accuracy=most, bits=bits,
        confidence=0.95, several=several,
    )  # fmt: skip
    return found.model_copy(update={"certificate": bound})


def readable(attribute: str = "smiling", read: float = 0.88, auroc: float = 0.93) -> Finding:
    """Return a retained attribute of classes."""
    return retained(refigured(leakage(attribute, read, classes=("no", "yes")), auroc=around(auroc, 0.012)))


def regression(attribute: str = "height", read: float = 0.61) -> Finding:
    """Return a retained quantity."""
    return retained(continuous(attribute, read))


def continuous(attribute: str = "age", read: float = 0.43, verdict: Verdict = "FAIL") -> Finding:
    """Return a private quantity."""
    figures = {"r2": around(read), "mae": around(7.1, 0.4)}
    measurement = Measurement(
        metric="r2", width=128, missing=31, classes=[ClassRows(name=attribute, train=4980, select=990, test=1999)],
        baseline={"r2": 0.0, "mae": 11.8},
        attackers=[
            *(AttackerResult(name=name, view=view, select=read, figures=figures)
              for name, view in product(("mlp", "logistic", "knn", "trees"), VIEWS)),
            AttackerResult(name="rbf", view="whitened", select=None, figures={}, failure="out of memory"),
        ],
        strongest="mlp on standardised", figures=figures, floor={"r2": around(0.01, 0.015)}, ceiling=ceiling(0.72),
        null=NullBand(mean=-0.02, low=-0.05, high=0.01, refits=20), excess=around(read - 0.01, 0.025),
        resolution=resolution("r2", 0.01, 0, [1999], 0.05),
        curves=[curve("mlp on standardised", around(read), rows=4980)],
    )  # fmt: skip
    decision = Decision(limit=0.05, verdict=verdict, reason="The interval tells.")
    return Finding(role="private", attribute=attribute, layer=LAYER, measurement=measurement, decision=decision)


def where(most: float = 0.31) -> Where:
    return Where(
        samples=256, attacker="mlp on standardised",
        units=[Unit(index=3 * i, bits=most / (i + 1)) for i in range(4)], width=128,
        input_map=[[most / (1 + i + j) - 0.06 for j in range(8)] for i in range(8)], patch=[28, 28],
    )  # fmt: skip


def with_where(found: Finding, most: float = 0.31) -> Finding:
    return found.model_copy(update={"where": where(most)})


def rich(*, after: bool = False) -> AuditResult:
    """Return an audit with everything in it: kept attributes, continuous ones, where, and counts."""
    read = 0.40 if after else 0.58
    found = with_where(leakage(read=read), 0.12 if after else 0.31)
    counts = {"missing": 40, "left_out": {"8 & red": 3}, "projected_from": 25_088}
    result = audit(
        remeasured(found, **counts),
        continuous(read=0.20 if after else 0.43),
        readable(read=0.86 if after else 0.88, auroc=0.91 if after else 0.93),
        regression(read=0.55 if after else 0.61),
        sha="a" * 64 if after else "b" * 64,
        made=sanitizing(0.10) if after else None,
    )
    data = result.data.model_copy(update={"unreadable": 12, "copies": 34})
    assert result.task is not None
    return result.model_copy(update={"data": data, "task": result.task.model_copy(update={"missing": 56})})


def task_less(verdict: Verdict = "FAIL") -> AuditResult:
    """Return an audit of embeddings, where nothing predicts a task and there is no raw input."""
    floor = {"balanced_accuracy": around(0.1, 0), "bits": around(0, 0)}
    found = remeasured(refigured(leakage(verdict=verdict), given_task=None), ceiling=None, floor=floor)
    checkpoint = audit().checkpoint.model_copy(update={"format": "embeddings", "parameters": 0})
    number = remeasured(continuous(), floor={"r2": around(0, 0)}, excess=around(0.43, 0.025))
    return audit(found, number, task=None, checkpoint=checkpoint)


def audit(*found: Finding, sha: str = "b" * 64, made: Sanitizing | None = None, **changes: Any) -> AuditResult:
    result = AuditResult(
        created="2026-07-04T09:30:00Z", command="irene audit model.pt --layer features.7 -o out/before.json",
        checkpoint=Checkpoint(
            file="model.pt", sha256=sha, architecture="models:ConvNet", parameters=1_234_567, sanitizing=made
        ),
        data=DataRows(
            name="biased_mnist", options={"rho": 0.1, "part": "test"}, rows=8000, fingerprint="d" * 64,
            group="source image", train=Split(rows=5000, groups=5000), select=Split(rows=1000, groups=1000),
            test=Split(rows=2000, groups=2000),
        ),
        task=TASK,
        protocol=Protocol(
            seed=0, attackers=ATTACKERS[:2] + ATTACKERS[3:], views=VIEWS, bootstrap=1000, null_refits=20,
            fit_rows=20000, null_rows=2000, pool="mean", limit=0.05, limit_set_by="default",
        ),
        findings=[whole(one) for one in found or [leakage()]], warnings=["One attacker did not run."],
        versions=VERSIONS, device="cpu",
    )  # fmt: skip
    return result.model_copy(update=changes)


def sanitizing(head: float | None = 0.10, parent: str = "b" * 64, layer: str = LAYER) -> Sanitizing:
    return Sanitizing(
        method="irene", card=card("irene"), settings={"alpha": 0.5, "seed": 0}, layer=layer, parent_sha256=parent,
        trace=[Epoch(task_loss=0.3, penalty={"colour": 0.2})],
        head_accuracy={"colour": head}, head_rows=1500, data_fingerprint="e" * 64, versions=VERSIONS,
    )  # fmt: skip


def sanitized(*found: Finding, head: float | None = 0.10, parent: str = "b" * 64, **changes: Any) -> AuditResult:
    return audit(*found, sha="a" * 64, made=sanitizing(head, parent), **changes)
