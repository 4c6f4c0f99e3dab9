"""Pieces of evidence, made by hand: findings, audits, sanitizer records."""

from itertools import product
from typing import Any

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
from audit.evidence.findings import (
    AttackerResult,
    Ceiling,
    Certificate,
    ClassRows,
    ContinuousLeakage,
    Estimate,
    Leakage,
    NullBand,
    Readability,
    Regression,
    RegressorResult,
    Unit,
    Verdict,
    Where,
)

VERSIONS = {"torch": "2.10.0", "scikit-learn": "1.7.2"}
VIEWS = ["standardised", "whitened"]
LAYER = "features.7"
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
) -> Leakage:
    chance = 1 / len(classes)
    floor = around(chance + 0.02, 0.01)
    attackers = [
        AttackerResult(
            name=name, view=view, select=read - 0.01 * i, balanced_accuracy=around(read - 0.01 * i, half),
            auroc=around(0.9 - 0.05 * i), bits=around(1.2 - 0.3 * i, 0.08),
        )
        for i, (name, view) in enumerate(product(("mlp", "logistic", "knn", "trees"), VIEWS))
    ]  # fmt: skip
    failed = AttackerResult(
        name="rbf",
        view="standardised",
        select=None,
        balanced_accuracy=None,
        auroc=None,
        bits=None,
        failure="out of memory",
    )
    over = read - floor.value
    return Leakage(
        attribute=attribute, layer=layer, width=128,
        classes=[ClassRows(name=name, train=500, select=100, test=200) for name in classes],
        chance=chance, entropy=3.32, attackers=[*attackers, failed], strongest="mlp on standardised",
        balanced_accuracy=around(read, half), auroc=around(0.9), bits=around(1.2, 0.08), floor=floor,
        floor_bits=around(0.05, 0.02), given_task=around(0.7, 0.06), ceiling=ceiling(0.94),
        null=NullBand(mean=chance, low=chance - 0.014, high=chance + 0.014, refits=20),
        excess=around(over, half + 0.003), resolution=0.021, limit=0.05, verdict=verdict, reason=reason,
    )  # fmt: skip


def ceiling(value: float, half: float = 0.02) -> Ceiling:
    return Ceiling(source="input averaged to 3 × 16 × 16", strongest="mlp on whitened", figure=around(value, half))


def certified(found: Leakage, most: float = 0.61, bits: float = 0.12, codes: int = 4) -> Leakage:
    bound = Certificate(
        rows=2059, codes=codes, independent=[103.7] * len(found.classes), balanced_accuracy=most, bits=bits,
        confidence=0.95,
    )  # fmt: skip
    return found.model_copy(update={"certificate": bound})


def readable(attribute: str = "smiling", read: float = 0.88, auroc: float = 0.93) -> Readability:
    told = leakage(attribute, read, classes=("no", "yes"))
    fields = {name: getattr(told, name) for name in Readability.model_fields}
    return Readability(**{**fields, "auroc": around(auroc, 0.012)})


def regression(attribute: str = "height", read: float = 0.61) -> Regression:
    return Regression(
        attribute=attribute, layer=LAYER, width=128, missing=31,
        rows=ClassRows(name=attribute, train=4980, select=990, test=1999),
        attackers=[
            RegressorResult(name="ridge", view="standardised", select=read, r2=around(read), mae=around(7.1, 0.4)),
            RegressorResult(name="svr", view="whitened", select=None, r2=None, mae=None, failure="out of memory"),
        ],
        strongest="ridge on standardised", r2=around(read), mae=around(7.1, 0.4), median_mae=11.8,
        floor=around(0.01, 0.015), ceiling=ceiling(0.72), null=NullBand(mean=-0.02, low=-0.05, high=0.01, refits=20),
        excess=around(read - 0.01, 0.025), resolution=0.024,
    )  # fmt: skip


def continuous(attribute: str = "age", read: float = 0.43, verdict: Verdict = "FAIL") -> ContinuousLeakage:
    told = regression(attribute, read)
    fields = {name: getattr(told, name) for name in Regression.model_fields}
    return ContinuousLeakage(**fields, limit=0.05, verdict=verdict, reason="The interval tells.")


def where(most: float = 0.31) -> Where:
    return Where(
        samples=256, attacker="mlp on standardised",
        units=[Unit(index=3 * i, bits=most / (i + 1)) for i in range(4)], width=128,
        input_map=[[most / (1 + i + j) - 0.06 for j in range(8)] for i in range(8)], patch=[28, 28],
    )  # fmt: skip


def with_where(found: Leakage, most: float = 0.31) -> Leakage:
    return found.model_copy(update={"where": where(most)})


def rich(*, after: bool = False) -> AuditResult:
    """Return an audit with everything in it: kept attributes, continuous ones, where, and counts."""
    read = 0.40 if after else 0.58
    found = with_where(leakage(read=read), 0.12 if after else 0.31)
    counts = {"missing": 40, "left_out": {"8 & red": 3}, "projected_from": 25_088}
    result = audit(
        found.model_copy(update=counts),
        sha="a" * 64 if after else "b" * 64,
        made=sanitizing(0.10) if after else None,
        continuous=[continuous(read=0.20 if after else 0.43)],
        kept=[readable(read=0.86 if after else 0.88, auroc=0.91 if after else 0.93)],
        kept_continuous=[regression(read=0.55 if after else 0.61)],
    )
    data = result.data.model_copy(update={"unreadable": 12, "copies": 34})
    assert result.task is not None
    return result.model_copy(update={"data": data, "task": result.task.model_copy(update={"missing": 56})})


def task_less(verdict: Verdict = "FAIL") -> AuditResult:
    """Return an audit of embeddings, where nothing predicts a task and there is no raw input."""
    found = leakage(verdict=verdict).model_copy(update={"given_task": None, "ceiling": None, "floor": around(0.1, 0)})
    checkpoint = audit().checkpoint.model_copy(update={"format": "embeddings", "parameters": 0})
    return audit(found, continuous=[continuous()], task=None, checkpoint=checkpoint)


def audit(*found: Leakage, sha: str = "b" * 64, made: Sanitizing | None = None, **changes: Any) -> AuditResult:
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
            seed=0, attackers=ATTACKERS, views=VIEWS, bootstrap=1000, null_refits=20,
            fit_rows=20000, null_rows=2000, pool="mean", limit=0.05, limit_set_by="default",
        ),
        leakage=list(found) or [leakage()], warnings=["One attacker did not run."],
        versions=VERSIONS, device="cpu",
    )  # fmt: skip
    return result.model_copy(update=changes)


def sanitizing(head: float | None = 0.10, parent: str = "b" * 64, layer: str = LAYER) -> Sanitizing:
    return Sanitizing(
        method="irene", settings={"alpha": 0.5, "seed": 0}, layer=layer, parent_sha256=parent,
        trace=[Epoch(task_loss=0.3, penalty={"colour": 0.2})],
        head_accuracy={"colour": head}, head_rows=1500, data_fingerprint="e" * 64, versions=VERSIONS,
    )  # fmt: skip


def sanitized(*found: Leakage, head: float | None = 0.10, parent: str = "b" * 64, **changes: Any) -> AuditResult:
    return audit(*found, sha="a" * 64, made=sanitizing(head, parent), **changes)
