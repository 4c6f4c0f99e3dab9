"""What unlabelled rows are worth: fresh attackers of maps of few labelled people, with the others unlabelled, and all.

    python benchmarks/unlabelled.py [--seeds 0,1,2] [--methods leace,map:16] [--labelled 500]

Rows are the face embeddings of verification.py (5,000 × 128; people, Male). Half of the people, drawn by the seed, are
for attackers alone, who are fitted, chosen and tested there. Of the other half, `few` have a label, or all; or few have
one and a teacher labels the others, of which no label is read. How often it is wrong is what the record says, measured
on labelled people whom it has not seen; beside it stands how often it is wrong on the rows that it labels.
"""

import argparse
import tempfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from verification import FACES, LAYER, PERSON, PRIVATE, method, read

from audit.data.columns import MISSING, Column
from audit.data.labelled import LabelledData
from audit.data.parts import PartRule
from audit.data.sources.embeddings import LayerRows
from audit.model.checkpoint import load
from audit.run import audit_embeddings
from audit.settings import Settings
from sanitizer.job import Recipe, TrainingJob
from sanitizer.options import SanitizeOptions
from sanitizer.teaching.taught import taught
from sanitizer.vectors import LAYER as VECTORS
from sanitizer.vectors import Vectors, sanitize_vectors

ATTACKERS = ("logistic", "products", "mlp", "rbf-svm")
Told = dict[str, object]


def part(given: Vectors, rows: np.ndarray, *, labels: bool = True) -> LabelledData:
    """Return some rows as data, the private labels of which may be missing; all of them may fit."""
    data = replace(given.data.take(rows), inputs=LayerRows(given.values[rows]))
    split = Column(np.zeros(len(rows), dtype=np.int64), ("train",))
    columns = {**data.columns, "split": split}
    if not labels:
        whole = data.column(PRIVATE, "private")
        columns[PRIVATE] = Column(np.full(len(rows), MISSING, dtype=np.int64), whole.classes)
    return replace(data, columns=columns)


def fitted(given: Vectors, name: str, rows: np.ndarray, more: np.ndarray, seed: int) -> tuple[np.ndarray, Told]:
    """Fit a map to labelled rows and more that are not, and return all vectors behind it, and its record."""
    some = replace(given, values=given.values[rows], data=part(given, rows))
    unlabelled = part(given, more, labels=False) if len(more) else None
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "clean.npz"
        options = SanitizeOptions(0, 2, seed=seed, name=name, unlabelled=unlabelled)
        done = sanitize_vectors(some, output, private=PRIVATE, method=method(name), options=options)
        program = load(output.with_suffix(".pt2")).module
    with torch.no_grad():
        return program(torch.from_numpy(given.values.astype(np.float32))).numpy(), dict(done.settings)


def mistaken(given: Vectors, few: np.ndarray, more: np.ndarray, seed: int) -> float:
    """Return how often the teacher is wrong on the rows that it labels, by their true labels, a mean over classes."""
    model = nn.Sequential(OrderedDict({VECTORS: nn.Identity()}))
    job = TrainingJob(
        part(given, few), None, VECTORS, [PRIVATE], method=method("leace"), recipe=Recipe(0, 2, seed=seed)
    )
    done = taught(model, job, part(given, more, labels=False)).taught
    assert done is not None and done.data.group is not None and len(done.data) == len(more)
    said, truth = done.data.codes(PRIVATE), given.data.codes(PRIVATE)[more]
    return 100 * float(np.mean([(said[truth == one] != one).mean() for one in (0, 1)]))


def attacked(given: Vectors, z: np.ndarray, rows: np.ndarray, seed: int) -> tuple[float, float, int]:
    """Return what the strongest attacker and a linear one read on the half that fitted nothing, and its test rows."""
    settings = Settings(attackers=ATTACKERS, ceiling=False, seed=seed)
    result = audit_embeddings({LAYER: z[rows]}, given.data.take(rows), private=PRIVATE, settings=settings)
    found = result.findings[0].measurement
    linear = max(one.figures["balanced_accuracy"].value for one in found.attackers if one.name == "logistic")
    return 100 * found.score.value, 100 * linear, result.data.test.rows


def arms(given: Vectors, seed: int, labelled: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the labelled and the unlabelled rows of each arm, whole people, of the half that may fit."""
    every = PartRule.of(given.data, seed).rows(given.data, "train")
    few = every[given.data.take(every).some_rows(labelled, seed=seed)]
    few = few[~np.isin(given.data.codes(PERSON)[few], given.data.codes(PERSON)[np.setdiff1d(every, few)])]
    nobody = np.empty(0, dtype=np.int64)
    return {
        "few labels": (few, nobody),
        "few labels, the others unlabelled": (few, np.setdiff1d(every, few)),
        "all labels": (every, nobody),
    }


def main() -> None:
    """Print a line for each run as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default="leace,map:16")
    parser.add_argument("--labelled", type=int, default=500)
    asked = parser.parse_args()
    if not FACES.is_file():
        print(f"{FACES} is not here: nothing was measured.")
        return
    given = read(FACES)
    print(
        "| map | rows that fit | seed | labelled + unlabelled | teacher wrong, % held out | worth | read, % | linear |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for seed in map(int, asked.seeds.split(",")):
        rule = PartRule.of(given.data, seed)
        unseen = rule.rows(given.data, "audit")
        found, linear, test = attacked(given, given.values, unseen, seed)
        print(f"| untouched ({test} test rows) | – | {seed} | – | – | – | {found:.1f} | {linear:.1f} |", flush=True)
        few, more = arms(given, seed, asked.labelled)["few labels, the others unlabelled"]
        truly = mistaken(given, few, more, seed)
        print(f"| the teacher, on the unlabelled rows | – | {seed} | – | {truly:.1f} | – | – | – |", flush=True)
        for name in asked.methods.split(",") if asked.methods else ():
            for arm, (few, more) in arms(given, seed, asked.labelled).items():
                z, told = fitted(given, name, few, more, seed)
                found, linear, _ = attacked(given, z, unseen, seed)
                error = told.get(f"unlabelled.error.{PRIVATE}")
                wrong = "–" if error is None else f"{100 * float(str(error)):.1f}"
                worth = told.get(f"unlabelled.worth.{PRIVATE}", "–")
                rows = f"{len(few)} + {told.get('unlabelled.rows', 0)}"
                print(
                    f"| {name} | {arm} | {seed} | {rows} | {wrong} | {worth} | {found:.1f} | {linear:.1f} |", flush=True
                )


if __name__ == "__main__":
    main()
