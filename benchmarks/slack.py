"""How exactly pairs match their rows: what words tell of v, and keep, of training rows that fitted no code.

    python benchmarks/slack.py --data-root data [--sets "Adult,CelebA; blond hair"] [--words 64] [--draws 10]

The encoder is trained once, as for *pairs, 64 words* of kept.py. Then its training rows are parted at random, whole
people each: four fifths fit a code at each slack, and its words of the others are looked at. *Told* is the squared
difference of how often a class of v and the others say each word, over how often words are said, within each predicted
class and less what chance adds, as a mean over classes: 0 if words tell nothing, and at times below. *Kept* is the mean
AUROC above one half of the attributes to keep, of a logistic regression of the word that half of these rows fit. No
audited row is read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from cases import Case
from kept import released, spread
from kept_cases import SETS
from numpy.typing import NDArray
from removal import inputs, named
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from audit.data.columns import Ints
from audit.model.forward import Encoder
from audit.model.representations import extract
from sanitizer.methods.base import Rows
from sanitizer.methods.pairs import Pairs, fit_pairs

ARM, BEFORE = "pairs, 64 words", "irene.map:input"
SLACKS = (0.0, 0.25, 0.5, 1.0)
FEWEST = 5
"""Rows of a class of v within a predicted class, and of the others there, from which on they are compared."""


def seen(case: Case) -> Rows:
    """Return the training rows as the trained encoder gives them."""
    model = released(case, ARM)
    z = torch.from_numpy(np.array(extract(Encoder(model), case.train, [BEFORE]).z[BEFORE], dtype=np.float32))
    with torch.no_grad():
        scores = torch.cat([model(batch) for batch in inputs(case.train)])
    v = {name: torch.from_numpy(case.train.codes(name)) for name in (case.private, *case.kept)}
    return Rows(before=z, z=z, scores=scores, y=torch.from_numpy(case.train.codes(case.task)), v=v)


def some(rows: Rows, places: Ints) -> Rows:
    """Return some of the rows."""
    v = {name: codes[places] for name, codes in rows.v.items()}
    return Rows(before=rows.before[places], z=rows.z[places], scores=rows.scores[places], y=rows.y[places], v=v)


def told(words: Ints, v: Ints, said: Ints) -> float:
    """Return by how much words tell a class of v from the others beyond chance, a mean over classes; (n,) each."""
    found = []
    for one in np.unique(v):
        beyond = 0.0
        for label in np.unique(said):
            own, other = (words[(said == label) & side] for side in (v == one, v != one))
            if min(len(own), len(other)) < FEWEST:
                continue
            a, b = (np.bincount(side, minlength=words.max() + 1) for side in (own, other))
            apart = (a / len(own) - b / len(other)) ** 2 - a / len(own) ** 2 - b / len(other) ** 2
            of_both = (a / len(own) + b / len(other)) / 2
            beyond += float((said == label).mean() * (apart[of_both > 0] / of_both[of_both > 0]).sum())
        found.append(beyond)
    return float(np.mean(found))


def kept(words: Ints, rows: Rows, names: tuple[str, ...], half: NDArray[np.bool_]) -> float:
    """Return the mean AUROC above one half of attributes, read from words, (n,), of the rows that are not in half."""
    x, areas = np.eye(words.max() + 1)[words], []
    for name in names:
        u = rows.v[name].numpy()
        if min(len(np.unique(u[half])), len(np.unique(u[~half]))) > 1:
            probe = LogisticRegression(max_iter=300).fit(x[half], u[half])
            areas.append(roc_auc_score(u[~half], probe.predict_proba(x[~half])[:, 1]))
    return float(np.mean(areas)) - 0.5


def runs(case: Case, rows: Rows, words: int, draws: int) -> Iterator[tuple[float, float, float]]:
    """Yield a slack, and what words told and kept at it, for each drawing of the rows that fit."""
    groups, said = case.train.groups(), rows.scores.argmax(dim=1).numpy()
    for draw in range(draws):
        fit, other = next(GroupShuffleSplit(1, test_size=0.2, random_state=draw).split(groups, groups=groups))
        half = np.random.default_rng(draw).permutation(int(groups.max()) + 1)[groups[other]] % 2 == 0
        fitting, rest = some(rows, fit), some(rows, other)
        for slack in SLACKS:
            retained = [*(fitting.v[name].numpy() for name in case.kept), said[fit]]
            settings = Pairs(words=words, slack=slack)
            code = fit_pairs(fitting, [fitting.v[case.private].numpy()], retained, settings, has_task=True)
            of = np.unique(np.asarray(code(rest.before)), axis=0, return_inverse=True)[1].reshape(-1)
            v = rest.v[case.private].numpy()
            yield slack, told(of, v, said[other]), kept(of, rest, case.kept, half)


def table(found: list[Any]) -> str:
    """Return the runs in Markdown, mean ± standard deviation over the drawings."""
    lines = ["| slack | told, × 1,000 | kept, AUROC × 100 |", "|---|---|---|"]
    for slack in SLACKS:
        own = [one for one in found if one[0] == slack]
        lines.append(
            f"| {slack:g} | {spread([1000 * one[1] for one in own])} | {spread([100 * one[2] for one in own])} |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--sets", default="Adult", show_default=True, help="`;` for a comma in a name.")
@click.option("--words", default=64, show_default=True)
@click.option("--draws", default=10, show_default=True)
def main(data_root: Path, models: Path, sets: str, words: int, draws: int) -> None:
    """Print a table for each set."""
    for name in named(sets, SETS, "--sets"):
        case = SETS[name](data_root, models, 0)
        print(f"**{name}**\n\n{table(list(runs(case, seen(case), words, draws)))}\n", flush=True)


if __name__ == "__main__":
    main()
