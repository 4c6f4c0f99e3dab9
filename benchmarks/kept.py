"""What a release keeps that tells nothing of v: paired codes and a map beside others, on a table and on faces.

    python benchmarks/kept.py --data-root data [--sets …] [--seeds 3] [--arms …] [--out benchmarks/kept.jsonl]

Models and rows are those of kept_cases.py, and so is what is named to be kept: of people in a table, up to eight
attributes; on faces, the twenty that go least with gender. Fresh attackers are fitted, chosen and tested on rows that
no arm saw. What is kept is the mean AUROC of linear probes above one half. Its ceiling is what could be kept at best if
nothing of v were told beyond the predicted class: the barycentre of what a probe told of the untouched features
(audit.protocol.kept.at_best). Runs are kept, and what is there is not run again.
"""

import copy
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cases import Case
from kept_cases import SETS
from numpy.typing import NDArray
from removal import edited, inputs, named, read, read_features
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audit.environment import versions
from audit.model.forward import Encoder
from audit.model.representations import extract
from audit.protocol.kept.at_best import barycentre
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich
from sanitizer.training.loop import fine_tune

METHODS: dict[str, Method] = {
    "plain fine-tuning": Plain(),
    "codebook": Codebook(),
    "rich": Rich(),
    "pairs, 32 words": Pairs(words=32),
    "pairs, 48 words": Pairs(words=48),
    "pairs, 64 words": Pairs(words=64),
    "pairs, 128 words": Pairs(words=128),
    "pairs, 256 words": Pairs(words=256),
    "pairs, 512 words": Pairs(words=512),
    "pairs, 1024 words": Pairs(words=1024),
    "map": NonlinearMap(),
    "map, 16 dimensions": NonlinearMap(rank=16),
}
PEERS = ("LEACE", "k-means code, untrained")
ARMS = ("untouched", *METHODS, *PEERS)


def features(case: Case, model: torch.nn.Module) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the features of the audited rows, (n, d), and the classes that the model answers, (n,)."""
    z = np.asarray(extract(Encoder(model), case.rows, [case.layer]).z[case.layer])
    with torch.no_grad():
        said = torch.cat([model(batch).argmax(dim=1) for batch in inputs(case.rows)]).numpy()
    return z, said


def ceiling(case: Case, z: NDArray[np.float32], said: NDArray[np.int64]) -> float:
    """Return the mean AUROC of the kept attributes at best: of the barycentre of what linear probes told."""
    found = []
    for name in case.kept:
        u = case.rows.codes(name)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        folds = {"groups": case.rows.groups(), "cv": GroupKFold(3)}
        scores = cross_val_predict(probe, z, u, method="predict_proba", **folds)
        fair = barycentre(scores, case.rows.codes(case.private), said)[:, 1]
        found.append(float(roc_auc_score(u, fair)))
    return float(np.mean(found))


def released(case: Case, arm: str) -> torch.nn.Module:
    """Return the model as one of METHODS releases it, or untouched."""
    model = copy.deepcopy(case.model)
    if arm in METHODS:
        method = METHODS[arm]
        keep = case.kept if isinstance(method, Rich | Pairs | NonlinearMap) else ()
        fine_tune(
            model,
            TrainingJob(
                case.train, task=case.task, private=[case.private], keep=keep, layer=case.layer, method=method,
                recipe=replace(case.recipe, epochs=0) if isinstance(method, NonlinearMap) else case.recipe,
            ),
        )  # fmt: skip
    return model


def run(case: Case, arm: str, seed: int) -> dict[str, Any]:
    """Release by one arm, and read what is left and what is kept."""
    begin = time.perf_counter()
    if arm in PEERS:
        return edited(case, arm, seed)
    model = released(case, arm)
    seconds = time.perf_counter() - begin
    z, said = features(case, model)
    found = read_features(case, z, said, seed, seconds)
    if arm == "untouched":
        found["ceiling"] = ceiling(case, z, said)
    return found


def table(runs: list[dict[str, Any]], name: str) -> str:
    """Return the runs on a set in Markdown, mean ± standard deviation over the seeds."""
    runs = [one for one in runs if one["set"] == name]
    ceilings = {one["seed"]: one["ceiling"] for one in runs if "ceiling" in one}
    untouched = {one["seed"]: one["kept"] for one in runs if one["arm"] == "untouched"}
    lines = [
        "| release | strongest attacker above the floor | bound above the floor | task | kept ÷ untouched | "
        "kept ÷ ceiling | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in ARMS:
        own = [one for one in runs if one["arm"] == arm]
        if not own:
            continue
        bound = [one["certified"] - one["floor"] for one in own if one["certified"]]
        cells = (
            spread([100 * (one["strongest"] - one["floor"]) for one in own]),
            spread([100 * one for one in bound]) if bound else "–",
            spread([100 * one["task"] for one in own]),
            spread([100 * (one["kept"] - 0.5) / (untouched[one["seed"]] - 0.5) for one in own]),
            spread([100 * (one["kept"] - 0.5) / (ceilings[one["seed"]] - 0.5) for one in own]),
            f"{np.mean([one['seconds'] for one in own]):.0f}",
        )
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation, if there are several."""
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values):.1f}" if len(values) > 1 else "")


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--sets", default="Adult", help="`;` for a comma in a name.")
@click.option("--arms", default=",".join(arm.replace(",", ";") for arm in ARMS), help="`;` for a comma in a name.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/kept.jsonl"), show_default=True)
def main(data_root: Path, models: Path, sets: str, arms: str, seeds: int, out: Path) -> None:
    """Run what is missing, and print the tables."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for name, seed in product(named(sets, SETS, "--sets"), range(seeds)):
        case = None
        for arm in named(arms, ARMS, "--arms"):
            if any((one["set"], one["arm"], one["seed"]) == (name, arm, seed) for one in read(out)):
                continue
            case = case or SETS[name](data_root, models, seed)
            today = datetime.now(UTC).date().isoformat()
            done = {"set": name, "arm": arm, "seed": seed, "date": today, "versions": versions()}
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**done, **run(case, arm, seed)}) + "\n")
    for name in named(sets, SETS, "--sets"):
        click.echo(f"**{name}**\n\n{table(read(out), name)}\n")


if __name__ == "__main__":
    main()
