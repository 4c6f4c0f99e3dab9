"""Who has several photographs of a person: what is read from 1, 5 and 20 of them behind each release of a smile net.

    python benchmarks/shots.py --data-root data [--arms "untouched,pairs; 64 words,map; 16 dimensions"]

The audited faces of "CelebA, smiling" (kept_cases.py), each seen 20 times as a camera might: cut to 80 % or more of its
area, mirrored or not, lighter or darker by a fifth. Fresh attackers of all families learn from single views of people
that no release was fitted on, and then read other people: their log-likelihood ratios over a person's views are summed
(audit.protocol.exposure). Bounds are those that an audit of the 2,059 photographs as they are states for one release,
and for 5 and 20 that are independent given gender, which views of one photograph are not.
"""

import platform
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
from cases import Case
from kept import ARMS, METHODS, released
from kept_cases import SETS
from numpy.typing import NDArray
from removal import inputs, named
from torch import Tensor
from torchvision.transforms import v2

from audit.data.columns import Column
from audit.data.transforms import DEVIATION, MEAN
from audit.evidence.findings import SHOTS, Certificate, Finding
from audit.model.forward import Encoder
from audit.model.representations import extract
from audit.run import audit_embeddings
from audit.settings import Settings

NAME = "CelebA, smiling"
VIEWS = 20
"""Of each photograph."""
CAMERA = v2.Compose(
    [
        v2.Normalize([-a / b for a, b in zip(MEAN, DEVIATION, strict=True)], [1 / b for b in DEVIATION]),  # undone
        v2.RandomResizedCrop(64, scale=(0.8, 1.0), ratio=(0.9, 1.1), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(brightness=0.2, contrast=0.2),
        v2.Normalize(MEAN, DEVIATION),
    ]
)
"""What changes from one photograph of a face to the next."""


def views(case: Case) -> Case:
    """Return the case with each audited photograph seen VIEWS times, those of one behind each other."""
    torch.manual_seed(0)
    every = range(VIEWS)
    seen = [torch.stack([CAMERA(one) for _ in every]) for batch in inputs(case.rows) for one in batch]
    rows = case.rows.take(np.repeat(np.arange(len(case.rows)), VIEWS))
    return replace(case, rows=replace(rows, inputs=torch.cat(seen)))


def features(case: Case, model: torch.nn.Module) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the features of the audited rows, (n, d), and the classes that the model answers, (n,)."""
    z = np.asarray(extract(Encoder(model), case.rows, [case.layer]).z[case.layer])
    with torch.no_grad():
        said: list[Tensor] = [model(batch).argmax(dim=1) for batch in inputs(case.rows)]
    return z, torch.cat(said).numpy().astype(np.int64)


def found(case: Case, model: torch.nn.Module) -> Finding:
    """Audit what a model releases of the audited rows."""
    z, said = features(case, model)
    answered = Column(said, case.rows.column(case.task, "task").classes)
    rows = replace(case.rows, columns={**case.rows.columns, "predicted": answered})
    settings = Settings(null_refits=2, ceiling=False)
    asked = {"private": case.private, "task": case.task, "predicted": "predicted", "settings": settings}
    (finding,) = audit_embeddings({case.layer: z}, rows, **asked).private  # type: ignore[arg-type]
    return finding


def bounds(certificate: Certificate | None) -> list[str]:
    """Return what nobody can exceed, by number of releases."""
    if certificate is None:
        return ["–"] * len(SHOTS)
    several = {one.releases: one.balanced_accuracy for one in certificate.several}
    return [f"{100 * bound:.1f}" for bound in (certificate.balanced_accuracy, *(several[m] for m in SHOTS[1:]))]


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--arms", default="untouched,pairs; 64 words,map,map; 16 dimensions", help="`;` for a comma in a name.")
def main(data_root: Path, models: Path, arms: str) -> None:
    """Release by each arm, and print its line."""
    case = SETS[NAME](data_root, models, 0)
    seen = views(case)
    head = [f"{word} {m}" for word in ("read from", "bound of") for m in SHOTS]
    click.echo(f"| release | floor | {' | '.join(head)} |\n|---|---|{'---|' * len(head)}")
    for arm in named(arms, [arm for arm in ARMS if arm in METHODS or arm == "untouched"], "--arms"):
        model = released(case, arm)
        several, single = found(seen, model), found(case, model)
        measured = several.measurement
        people = {one.rows: one for one in measured.shots}
        read = [
            f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
            for one in (people[m].figure for m in SHOTS)
        ]
        floor = f"{100 * measured.floor_score.value:.1f}"
        click.echo(f"| {arm} | {floor} | {' | '.join([*read, *bounds(single.certificate)])} |")
    count = {m: people[m].people for m in SHOTS}
    stamp = time.strftime("%Y-%m-%d", time.gmtime())
    click.echo(f"\n{count} people; {len(seen.rows):,} views; {platform.machine()}, seed 0, {stamp}")


if __name__ == "__main__":
    main()
