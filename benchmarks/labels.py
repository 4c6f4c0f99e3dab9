"""Can the labels of the test rows be solved for from the evidence: least squares on the figures of each resample.

    python benchmarks/labels.py

A figure on each of many resamples is an equation in what each row adds to it. Who knows how often each resample holds
each row solves for that: 240 of 240 labels came out of an audit that drew them from its seed alone. Whoever has the
evidence can draw from the seed and the fingerprint; whoever has the rows, and their labels, has the key.
"""

import datetime
import platform
from collections.abc import Iterator
from statistics import mean

import click
import numpy as np
from numpy.typing import NDArray

from audit.bootstrap import resample
from audit.data.labelled import LabelledData, labelled
from audit.evidence.audit_result import AuditResult
from audit.protocol.splits import split_rows
from audit.run import audit_embeddings
from audit.settings import Settings

ROWS = 800
CASES = ((1, 1000), (4, 1000), (1, 200))
"""Rows of a group, and resamples: of 240 test rows without groups and with them, and fewer resamples than rows."""


def people(seed: int, size: int) -> tuple[NDArray[np.float32], LabelledData]:
    """Return features that tell of v, (n, 4), and rows in groups of so many and of one v, a quarter positive."""
    generator = np.random.default_rng(seed)
    group = np.arange(ROWS) // size
    v = (generator.random(group.max() + 1) < 0.25).astype(int)[group]
    z = (generator.normal(size=(ROWS, 4)) + 0.6 * v[:, None]).astype(np.float32)
    return z, labelled(z, {"v": v}, group=group)


def audited(seed: int, size: int, bootstrap: int) -> tuple[AuditResult, LabelledData]:
    """Audit such rows, and return the evidence and them."""
    z, data = people(seed, size)
    settings = Settings(attackers=("logistic",), bootstrap=bootstrap, null_refits=2, seed=seed)
    return audit_embeddings({"z": z}, data, private="v", settings=settings), data


def solved(found: AuditResult, data: LabelledData, key: bytes) -> float:
    """Return the balanced accuracy of the labels that least squares finds in the evidence with resamples of a key.

    The attacker also has the code, the groups and the split, and knows how many rows each class has: a row adds
    (1 - recall) / rows of its class to the mean recall if it is read, and takes recall / rows from it if not.
    """
    column = data.column("v", "labelled")
    test = split_rows(data.groups(), [column], seed=found.protocol.seed).test
    drawn = resample(data.groups()[test], times=found.protocol.bootstrap, seed=found.protocol.seed, key=key)
    measurement = found.private[0].measurement
    figures = np.array(measurement.draws["balanced_accuracy"], dtype=float)
    adds = np.linalg.lstsq(drawn.weights[1:] - 1.0, figures - figures.mean(), rcond=None)[0]
    recall, rows = measurement.score.value, [one.test for one in measurement.classes]
    size = np.bincount(drawn.member)
    off = [
        np.min([np.abs(adds - (read - size * recall) / (2 * rows[c])) for read in range(size.max() + 1)], axis=0)
        for c in (0, 1)
    ]
    guessed = (off[1] < off[0])[drawn.member]
    v = column.codes[test]
    return mean(float((guessed[v == c] == c).mean()) for c in (0, 1))


def attacks(seed: int, size: int, bootstrap: int) -> Iterator[tuple[str, float]]:
    """Yield who solves for the labels of one audit, and their balanced accuracy."""
    found, data = audited(seed, size, bootstrap)
    yield "seed", solved(found, data, b"")
    yield "fingerprint", solved(found, data, bytes.fromhex(found.data.fingerprint))
    yield "key", solved(found, data, data.resampling_key(["v"]))


@click.command()
@click.option("--seeds", default=20, show_default=True)
def main(seeds: int) -> None:
    """Attack audits of each kind and print the table."""
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}, {platform.machine()}, seeds 0 to {seeds - 1}, {ROWS} rows; balanced accuracy in percent\n")
    click.echo(
        "| rows of a group | resamples | from the seed | from the fingerprint | with the key |\n|---|---|---|---|---|"
    )
    for size, bootstrap in CASES:
        found = [dict(attacks(seed, size, bootstrap)) for seed in range(seeds)]
        told = [np.array([one[who] for one in found]) * 100 for who in ("seed", "fingerprint", "key")]
        click.echo(f"| {size} | {bootstrap} | {' | '.join(f'{one.mean():.1f} ± {one.std():.1f}' for one in told)} |")


if __name__ == "__main__":
    main()
