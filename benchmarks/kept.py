"""What a release keeps that tells nothing of v: paired codes and a map beside others, on a table and on faces.

    python benchmarks/kept.py --data-root data [--sets …] [--seeds 3] [--arms …] [--out benchmarks/kept.jsonl]

Models and rows are those of removal.py. On Adult, an MLP that does not see the sex, eight attributes are named to be
kept; on faces, a smile net, the twenty that go least with gender. Fresh attackers are fitted, chosen and tested on rows
that no arm saw. What is kept is the mean AUROC of linear probes above one half. Its ceiling is what could be kept at
best if nothing of v were told: a probe's score of the untouched features counts as its rank within each group of v and
of the predicted class. Runs are kept, and what is there is not run again.
"""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cases import Case, adult, celeba
from numpy.typing import NDArray
from removal import edited, inputs, named, read, read_features
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audit.data.columns import Column, Quantity, Undecided
from audit.data.labelled import LabelledData
from audit.environment import versions
from audit.model.forward import Encoder
from audit.model.representations import extract
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich
from sanitizer.training.loop import fine_tune

KEPT = (
    "age", "workclass", "education-num", "marital-status", "occupation", "race", "hours-per-week", "native-country",
)  # fmt: skip
SETS: dict[str, Callable[[Path, Path, int], Case]] = {
    "Adult": lambda places, models, seed: halved(adult(places, models, seed)),
    "CelebA, smiling": lambda places, models, seed: celeba(places, models, seed, "Smiling"),
}
METHODS: dict[str, Method] = {
    "plain fine-tuning": Plain(),
    "codebook": Codebook(),
    "rich": Rich(),
    "pairs, 64 words": Pairs(words=64),
    "pairs, 256 words": Pairs(),
    "map": NonlinearMap(),
    "map, 16 dimensions": NonlinearMap(rank=16),
}
PEERS = ("LEACE", "k-means code, untrained")
ARMS = ("untouched", *METHODS, *PEERS)


def halved(made: Case) -> Case:
    """Return Adult with each kept attribute in two classes: above its median, or of its most frequent value."""
    return replace(made, train=in_two(made.train), rows=in_two(made.rows), kept=KEPT)


def in_two(data: LabelledData) -> LabelledData:
    """Return rows whose kept attributes have two classes."""
    columns = dict(data.columns)
    for name in KEPT:
        column = columns[name]
        if isinstance(column, Undecided):
            column = column.quantity or column.column
        if isinstance(column, Quantity):
            is_so = column.values > np.median(column.values)
        else:
            is_so = column.codes == np.bincount(column.codes[column.codes >= 0]).argmax()
        columns[name] = Column(is_so.astype(np.int64), ("no", "yes"))
    return replace(data, columns=columns)


def features(case: Case, model: torch.nn.Module) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the features of the audited rows, (n, d), and the classes that the model answers, (n,)."""
    z = np.asarray(extract(Encoder(model), case.rows, [case.layer]).z[case.layer])
    with torch.no_grad():
        said = torch.cat([model(batch).argmax(dim=1) for batch in inputs(case.rows)]).numpy()
    return z, said


def ceiling(case: Case, z: NDArray[np.float32], groups: NDArray[np.int64]) -> float:
    """Return the mean AUROC of the kept attributes by ranks within groups, of linear probes that saw no such row."""
    found = []
    for name in case.kept:
        v = case.rows.codes(name)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        score = cross_val_predict(probe, z, v, cv=3, method="decision_function")
        for group in np.unique(groups):
            rows = groups == group
            score[rows] = rankdata(score[rows]) / rows.sum()
        found.append(float(roc_auc_score(v, score)))
    return float(np.mean(found))


def run(case: Case, arm: str, seed: int) -> dict[str, Any]:
    """Release by one arm, and read what is left and what is kept."""
    begin = time.perf_counter()
    if arm in PEERS:
        return edited(case, arm, seed)
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
    seconds = time.perf_counter() - begin
    z, said = features(case, model)
    found = read_features(case, z, said, seed, seconds)
    if arm == "untouched":
        found["ceiling"] = ceiling(case, z, 2 * said + case.rows.codes(case.private))
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
    """Return mean ± standard deviation."""
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}"


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
