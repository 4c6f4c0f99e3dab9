"""A table: a small network grants loans, and its hidden layer tells the group that nobody put into a column.

You learn to audit rows of numbers, to read the floor (what the answer alone gives away), and to ask beforehand, by
`irene.plan`, which release these rows can clean. About a minute on 2 cores. The table is made up; a table of yours:

    python examples/tabular.py
    python examples/tabular.py adult.csv --task income --private sex
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import irene


def made_up(n: int = 5000) -> pd.DataFrame:
    """Return applicants whose income, hours and savings differ a little between two groups, and who repaid."""
    draw = np.random.default_rng(0)
    group = draw.integers(2, size=n)
    table = pd.DataFrame({"income": draw.normal(30 + 4 * group, 8), "hours": draw.normal(36 + 8 * group, 6)})
    table["savings"] = draw.gamma(2, 4 + group)
    table["age"] = draw.integers(20, 70, size=n)
    score = 0.08 * table["income"] + 0.15 * table["savings"] + draw.normal(0, 1, n)
    return table.assign(repaid=np.where(score > score.median(), "yes", "no"), group=np.where(group, "a", "b"))


def network(features: int, classes: int) -> nn.Module:
    """Build a network of one hidden layer; what its last layer is given is the bottleneck."""
    return nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))


def main(path: Path | None, task: str, private: str) -> None:
    """Train on half of the rows, audit on the other half, and plan."""
    table = made_up() if path is None else pd.read_csv(path).dropna()
    numbers = table.drop(columns=[task, private]).select_dtypes("number")
    features = torch.tensor(((numbers - numbers.mean()) / numbers.std()).to_numpy(), dtype=torch.float32)
    classes = sorted(table[task].unique())  # irene takes the outputs for the classes in this order
    answers = torch.tensor([classes.index(one) for one in table[task]])

    torch.manual_seed(0)
    half, model = len(table) // 2, network(features.shape[1], len(classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(features[:half]), answers[:half]).backward()
        optimizer.step()

    rows = irene.labelled(features[half:], table[half:][[task, private]].reset_index(drop=True))
    result = irene.audit(model, rows, task=task, private=private)
    for finding in result.private:
        read, floor, input_read = (
            finding.measurement.score,
            finding.measurement.floor_score,
            finding.measurement.ceiling,
        )
        print(
            f"{finding.decided.verdict}: the strongest attacker reads {finding.attribute} in {read.value:.1%} of cases."
        )
        print(
            f"The predicted {task} alone gives {floor.value:.1%}, and the input itself {input_read.figure.value:.1%}."
        )
    plan = irene.plan(result, rows=half)
    print("What a release could come to, before anything is trained, in points above the floor:")
    for one in plan.releases:
        bound = "no bound" if one.bound is None else f"bounded about {100 * one.bound:.1f}"
        print(f"  {one.command}: leaves {100 * one.leaves:.1f} or more, {bound}")
    print(f"Advised: {plan.choice.command}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--task", default="repaid")
    parser.add_argument("--private", default="group")
    given = parser.parse_args()
    main(given.table, given.task, given.private)
