"""Sweeps made by hand."""

from collections.abc import Sequence
from pathlib import Path

from audit.evidence.findings import Verdict
from audit.evidence.json_file import sealed, write_model
from audit.evidence.sweep_result import (
    UNTOUCHED,
    Sweep,
    SweepCall,
    SweepFigures,
    SweepKept,
    SweepPoint,
    SweepReading,
    SweepSetup,
)
from support.cards import card
from support.findings import VERSIONS, around, audit, certified, leakage

FAILURE = "Training diverged: the information of colour is NaN in epoch 1."


def reading(attribute: str, read: float, *, bound: float | None = None) -> SweepReading:
    over = read - 0.11
    verdict: Verdict = "PASS" if over + 0.02 <= 0.05 else "FAIL" if over - 0.02 > 0.05 else "INCONCLUSIVE"
    certificate = certified(leakage(), bound).certificate if bound else None
    return SweepReading(
        attribute=attribute, test_rows=1085, chance=0.1, entropy=3.32, strongest="mlp on whitened",
        balanced_accuracy=around(read), bits=around(read, 0.03), floor=around(0.11, 0.01), excess=around(over),
        verdict=verdict, reason="The interval tells.", certificate=certificate,
    )  # fmt: skip


def point(
    method: str,
    weight: float | None = None,
    read: float = 0.13,
    *,
    task: float = 0.95,
    private: Sequence[str] = ("colour",),
    keep: Sequence[str] = (),
    bound: float | None = None,
) -> SweepPoint:
    """Return a point as it was audited; the task's interval is two points to each side."""
    figures = SweepFigures(
        accuracy=around(task),
        balanced_accuracy=around(task),
        read=[reading(name, read + 0.01 * place, bound=bound) for place, name in enumerate(private)],
        kept=[
            SweepKept(attribute=name, test_rows=1085, chance=0.5, strongest="knn on standardised",
                      auroc=around(0.91, 0.013), balanced_accuracy=around(0.84),
                      at_best=around(0.93, 0.013))
            for name in keep
        ],
    )  # fmt: skip
    made = {} if method == UNTOUCHED else {"weight": weight or 0, "levels": 1}
    return SweepPoint(
        method=method, card=card(method), weight=weight, settings=dict(made), epochs=8 if made else 0,
        chosen=4 if made else None, figures=figures, train_seconds=61.25 if made else 0, audit_seconds=181.0,
        created="2026-07-04T09:30:00Z", call=0,
    )  # fmt: skip


def failed(method: str, weight: float | None) -> SweepPoint:
    made = point(method, weight)
    return made.model_copy(update={"figures": None, "failure": FAILURE, "epochs": 0, "chosen": None})


def swept(
    *points: SweepPoint,
    private: Sequence[str] = ("colour",),
    keep: Sequence[str] = (),
    task: str = "digit",
    layer: str = "features.7",
    file: str = "model.pt",
) -> Sweep:
    """Return a sweep of the untouched checkpoint and these points."""
    like = audit()
    setup = SweepSetup(
        checkpoint="b" * 64, architecture="models:ConvNet", data="digits", options={"part": "audit"},
        group="source image", audit_rows=8000, audit_labels="7" * 64, train_rows=5390, train_labels="8" * 64,
        task=task, private=list(private), keep=list(keep), layer=layer, pool="mean", attackers=like.protocol.attackers,
        limit=0.05, seed=3, recipe={"epochs": 8, "optimizer": "adam"},
    )  # fmt: skip
    call = SweepCall(created="2026-07-04T09:30:00Z", command="irene sweep model.pt -o out/sweep.json",
                     versions=VERSIONS, device="cpu")  # fmt: skip
    return Sweep(
        setup=setup, checkpoint=like.checkpoint.model_copy(update={"file": file}), data=like.data,
        protocol=like.protocol.model_copy(update={"seed": 3}), task_chance=0.114, warnings=["38 rows are copies."],
        calls=[call],
        points=[point(UNTOUCHED, read=0.58, private=private, keep=keep), *points],
    )  # fmt: skip


def typical() -> Sweep:
    """Return a sweep with everything in it: two attributes, one kept, a bound, a failure, and all verdicts."""
    both, kept = ("colour", "age"), ("smiling",)
    return swept(
        point("plain", None, 0.57, private=both, keep=kept, task=0.96),
        point("irene", 0.5, 0.40, private=both, keep=kept),
        point("codebook", 2, 0.12, private=both, keep=kept, bound=0.17),
        point("own.py:Mine", 1, 0.16, private=both, keep=kept, task=0.94),
        point("rich", 8, 0.11, private=both, keep=kept, task=0.70),
        failed("irene", 64),
        private=both, keep=kept,
    )  # fmt: skip


def write_sweep(one: Sweep, path: Path) -> None:
    """Write the evidence of a sweep with its digest, as `irene sweep` does."""
    write_model(sealed(one), path)
