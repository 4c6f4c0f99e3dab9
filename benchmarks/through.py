"""An encoder trained towards what its release lets pass: what its holder then reads before the release.

    python benchmarks/through.py --data-root ../shared/data [--seeds 3] [--out benchmarks/through.jsonl]

Adult and its MLP (cases.py). A release is made as `irene sanitize` makes it. Then the encoder learns to give, of each
training row, what stood behind the release: the squared error of the two, beside the cross-entropy towards the model's
own answers; the layers behind it stay. Of fresh boosted trees and an RBF-SVM on whitened features, the one that reads
more on other rows tells what is read at the bottleneck before the release and behind it, and at the layer before the
bottleneck, on rows that no training saw: quicker than an audit, and without its intervals. Runs are kept, and what is
there is not run again.
"""

import copy
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cases import Case
from kept import spread
from kept_cases import SETS
from numpy.typing import NDArray
from removal import inputs, read
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Ints
from audit.environment import versions
from audit.model.layers import tap
from audit.model.release import NAME, install, remove
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.training.loop import fine_tune

METHODS: dict[str, Method] = {"map, 8 dimensions": NonlinearMap(rank=8), "codebook": Codebook()}
EPOCHS, BATCH, RATE = 60, 256, 2e-3
HIDDEN = "2:input"
"""The layer before the bottleneck."""
SVM_ROWS = 4000
PLACES = ("before the release", "behind it", "layer before")


def seen(model: nn.Module, x: Tensor, layer: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return features before and behind the release if there is one, those of the layer before, and scores: (n, d)."""
    before = f"{NAME}.map:input" if NAME in dict(model.named_children()) else layer
    with torch.no_grad(), tap(model.eval(), list({before, layer, HIDDEN})) as taps:
        scores = model(x)
        found = taps.take()
    return found[before], found[layer], found[HIDDEN], scores


def towards(model: nn.Module, x: Tensor, layer: str, wanted: Tensor, scores: Tensor, seed: int) -> None:
    """Train the layers before a bottleneck, in place, towards features (n, d) there, at the answers (n, k) it had."""
    torch.manual_seed(seed)
    head = model.get_submodule(layer.removesuffix(":input"))
    trained = [one for one in model.parameters() if all(one is not own for own in head.parameters())]
    optimizer = torch.optim.Adam(trained, lr=RATE)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    size, answers = wanted.var(dim=0).sum(), scores.softmax(dim=1)
    with tap(model.train(), [layer]) as taps:
        for _ in range(EPOCHS):
            for rows in torch.split(torch.randperm(len(x))[: len(x) // BATCH * BATCH], BATCH):
                said = model(x[rows])
                far = (taps.take()[layer] - wanted[rows]).square().sum(dim=1).mean() / size
                optimizer.zero_grad()
                (far + functional.cross_entropy(said, answers[rows])).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    model.eval()


def leaks(case: Case, model: nn.Module, x: Tensor, seed: int) -> dict[str, Any]:
    """Return the task's accuracy, and what attackers read above the floor at each place of the audited rows."""
    *places, scores = seen(model, x, case.layer)
    said, v = scores.argmax(dim=1).numpy(), case.rows.codes(case.private)
    fit, rest = train_test_split(np.arange(len(v)), test_size=0.5, random_state=seed, stratify=v)
    select, test = np.array_split(rest, [len(rest) // 3])
    floor = max(0.5, balanced_accuracy_score(v[test], most_likely(said[fit], v[fit])[said[test]]))
    found: dict[str, Any] = {"task": float((said == case.rows.codes(case.task)).mean()), "floor": floor}
    for name, z in zip(PLACES, places, strict=True):
        found[name] = strongest(z.numpy().astype(np.float64), v, (fit, select, test))
    click.echo(json.dumps(found), err=True)
    return found


def strongest(z: NDArray[np.float64], v: Ints, rows: tuple[Ints, Ints, Ints]) -> dict[str, float]:
    """Return what is read of features (n, d) on the last rows, by the attacker that is best on those before them."""
    fit, select, test = rows
    few = fit[:SVM_ROWS]
    attackers = [
        HistGradientBoostingClassifier(class_weight="balanced", early_stopping=True, random_state=0).fit(
            z[fit], v[fit]
        ),
        make_pipeline(
            PCA(whiten=True, n_components=max(1, min(z.shape[1], np.linalg.matrix_rank(z[few] - z[few].mean(axis=0))))),
            SVC(class_weight="balanced"),
        ).fit(z[few], v[few]),
    ]
    best = max(attackers, key=lambda one: balanced_accuracy_score(v[select], one.predict(z[select])))
    return {
        "score": float(balanced_accuracy_score(v[test], best.predict(z[test]))),
        "auroc": float(roc_auc_score(v[test], best.decision_function(z[test]))),
    }


def most_likely(said: Ints, v: Ints) -> Ints:
    """Return the class of v that each answer makes most likely, every class of v weighing the same."""
    counts = np.array(
        [[((said == answer) & (v == one)).sum() / (v == one).sum() for one in (0, 1)] for answer in (0, 1)]
    )
    return np.asarray(counts.argmax(axis=1))


def run(case: Case, seed: int) -> list[dict[str, Any]]:
    """Return what is read of the untouched model, and of each release before and after its encoder learned of it."""
    fit, new = (torch.cat(list(inputs(data))) for data in (case.train, case.rows))
    done = [{"release": "none", "encoder": "as it was", **leaks(case, case.model, new, seed)}]
    for name, method in METHODS.items():
        begin = time.perf_counter()
        model = copy.deepcopy(case.model)
        recipe = Recipe(0, batch_size=2, seed=seed) if isinstance(method, NonlinearMap) else case.recipe
        keep = () if isinstance(method, Codebook) else case.kept
        fine_tune(
            model,
            TrainingJob(
                case.train, task=case.task, private=[case.private], keep=keep, layer=case.layer, method=method,
                recipe=recipe,
            ),
        )  # fmt: skip
        one = {"release": name, "encoder": "as it was", **leaks(case, model, new, seed)}
        done.append(one | {"seconds": time.perf_counter() - begin})
        begin = time.perf_counter()
        before, wanted, _, scores = seen(model, fit, case.layer)
        standing = model.get_submodule(f"{NAME}.map")
        remove(model)
        towards(model, fit, case.layer, wanted, scores, seed)
        reached = seen(model, fit, case.layer)[1]
        error = float((reached - wanted).square().sum() / (wanted - wanted.mean(dim=0)).square().sum())
        was = float((before - wanted).square().sum() / (wanted - wanted.mean(dim=0)).square().sum())
        install(model, case.layer, standing)
        one = {"release": name, "encoder": "trained towards it", **leaks(case, model, new, seed)}
        done.append(one | {"error": error, "error_before": was, "seconds": time.perf_counter() - begin})
    return done


def table(runs: list[dict[str, Any]]) -> str:
    """Return the runs in Markdown, mean ± standard deviation over the seeds."""
    lines = [
        f"| release | encoder | task | {' | '.join(f'{place}: above the floor, AUROC' for place in PLACES)} |",
        "|---|---|---|---|---|---|",
    ]
    arms = dict.fromkeys((one["release"], one["encoder"]) for one in runs)
    for arm in arms:
        own = [one for one in runs if (one["release"], one["encoder"]) == arm]
        cells = [spread([100 * one["task"] for one in own])]
        for place in PLACES:
            area = np.mean([one[place]["auroc"] for one in own])
            cells.append(f"{spread([100 * (one[place]['score'] - one['floor']) for one in own])}, {area:.2f}")
        lines.append(f"| {' | '.join((*arm, *cells))} |")
    return "\n".join(lines)


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/through.jsonl"), show_default=True)
def main(data_root: Path, models: Path, seeds: int, out: Path) -> None:
    """Run what is missing, and print the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        if not any(one["seed"] == seed for one in read(out)):
            found = run(SETS["Adult"](data_root, models, seed), seed)
            told = {"seed": seed, "date": datetime.now(UTC).date().isoformat(), "versions": versions()}
            with out.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(told | one) + "\n" for one in found)
    click.echo(table(read(out)))


if __name__ == "__main__":
    main()
