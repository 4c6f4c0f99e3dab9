"""Does every attacker earn its cost: each family of irene's alone, and attackers of other packages, on the same rows.

    export PYTHONPATH=benchmarks:wheels SCIPY_ARRAY_API=1
    python benchmarks/attackers.py --sets acs-income-race --data-root ../shared/data

What is printed is the balanced accuracy on the selection rows, which no claim is made of, so that this table may choose
what irene runs. Seconds are of the CPU, for fitting in all settings on both views, and for answering.
"""

import datetime
import time
from pathlib import Path

import click
import numpy as np
from subjects import SUBJECTS, Places, Subject, subject

from audit.attackers.attack import SplitData, attack
from audit.attackers.classification import Classification
from audit.attackers.families import ATTACKERS
from audit.attackers.learner import drawn_by_class
from audit.data.columns import Column
from audit.environment import versions
from audit.errors import DataError
from audit.protocol.splits import split_rows, split_subset
from audit.settings import Settings

PEERS = ("peers:XRFM", "peers:TabM", "peers:ArrayLogistic")


def alone(name: str, given: Subject, *, seed: int, rows: int | None) -> str:
    """Return what one attacker reads of the selection rows and what it costs, as a cell."""
    column = Column(given.v, tuple(str(code) for code in range(int(given.v.max()) + 1)))
    settings = Settings(seed=seed, attackers=(name,), ceiling=False)
    fit, select, test = split_subset(column, split_rows(given.group, [column], seed=seed), settings)
    if rows is not None:
        fit = fit[drawn_by_class(given.v[fit], rows, seed)]
    z, v = (given.z[fit], given.z[select], given.z[test]), (given.v[fit], given.v[select], given.v[test])
    started = time.process_time()
    try:
        found = attack(SplitData(z, v, Classification(len(column.classes))), settings)
    except DataError as error:
        return str(error)
    spent = time.process_time() - started
    return f"{100 * found.best.fit.select.score:.1f}, {spent:.0f} s ({found.best.view})"


@click.command()
@click.option("--sets", default=",".join(SUBJECTS), show_default=True)
@click.option("--attackers", default=",".join([*ATTACKERS, *PEERS]), show_default=True)
@click.option("--data-root", type=click.Path(path_type=Path), default="data")
@click.option("--packages", type=click.Path(path_type=Path), default="wheels")
@click.option("--features", type=click.Path(path_type=Path), default="out/features")
@click.option("--rows", type=int, help="Rows of the training split at most, drawn by class.")
@click.option("--seed", default=0, show_default=True)
def main(
    sets: str, attackers: str, data_root: Path, packages: Path, features: Path, rows: int | None, seed: int
) -> None:
    """Print the table, a line for each attacker and set as it is made."""
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}; {', '.join(f'{name} {version}' for name, version in versions().items())}")
    click.echo("\n| features | rows | attacker | reads, costs |\n|---|---|---|---|")
    for name in sets.split(","):
        given = subject(name, Places(data_root, packages), features)
        for attacker in attackers.split(","):
            told = alone(attacker, given, seed=seed, rows=rows)
            click.echo(f"| {name} | {rows or 'all'} of {np.shape(given.z)[0]:,} | {attacker} | {told} |")


if __name__ == "__main__":
    main()
