"""Is the figure right where the answer is known? Synthetic features whose best possible attacker can be computed.

    python benchmarks/truth.py --seeds 200

Claims: the lower end of the 95 % interval exceeds the Bayes-optimal balanced accuracy in at most 5 % of the
seeds; at n = 10,000 the strongest attacker comes within 3 points of it; features that know nothing are
called a leak in at most 5 % of the seeds, at a limit of 0 as at one of 5 points; and a leak of 5 points
planted at n = 10,000 is found (the interval of the excess lies above 0) in at least 95 %.

The seeds go through k = 2, 5, 10 in turn (two classes alone where a family needs two). At n = 10,000 the
seeds of the first claim are shared among the families. Every figure goes to a file of JSON lines as it is
made, and a run that was stopped goes on from there.
"""

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import joblib
import numpy as np
import scipy.stats
from numpy.typing import NDArray

from audit.data.columns import Column, Ints
from audit.environment import versions
from audit.errors import DataError
from audit.protocol.baselines import Baselines
from audit.protocol.leakage import measure
from audit.protocol.splits import split_rows
from audit.protocol.target import make_target
from audit.settings import Settings

SIZES = (500, 2_000, 10_000)
CLASSES = (2, 5, 10)
NOISE = 8
"""Features without a signal, beside those with one."""
PLANTED = 0.05
DRAWS = 400_000
"""Of the Bayes rule, where its accuracy has no formula."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Rows drawn from a distribution that is known."""

    z: Doubles
    """(n, d)"""
    v: Ints
    group: Ints
    best: float
    """Bayes-optimal balanced accuracy."""


def gaussian(n: int, k: int, generator: np.random.Generator, shift: float = 1.5) -> Sample:
    """One axis a class, whose mean is `shift` deviations up for the rows of that class."""
    v = balanced(n, k, generator)
    z = generator.normal(size=(n, k + NOISE))
    z[np.arange(n), v] += shift
    return Sample(z, v, np.arange(n), best_of_axes(k, shift))


def hidden(n: int, k: int, generator: np.random.Generator) -> Sample:
    """The same with the signal in directions of a hundredth of the deviation of the others, turned at random."""
    plain = gaussian(n, k, generator)
    scales = np.where(np.arange(plain.z.shape[1]) < k, 0.01, 1.0)
    turn = scipy.stats.ortho_group.rvs(plain.z.shape[1], random_state=generator)
    return Sample((plain.z * scales) @ turn, plain.v, plain.group, plain.best)


def xor(n: int, k: int, generator: np.random.Generator) -> Sample:
    """Two places on two circles, each of which tells nothing: v is their sum modulo k."""
    places = generator.integers(k, size=(n, 2))
    signal = on_circles(places, k) + generator.normal(size=(n, 4))
    z = np.concatenate([signal, generator.normal(size=(n, 2))], axis=1)
    return Sample(z, places.sum(axis=1) % k, np.arange(n), best_of_circles(k))


def memorised(n: int, k: int, generator: np.random.Generator) -> Sample:
    """People known by heart: v was drawn for each person, and the features tell the person and no more."""
    rows = 2 if n < 1000 else 5
    person = np.arange(n) // rows
    people = balanced(n // rows, k, generator)
    z = generator.normal(size=(n // rows, NOISE))[person] + 0.1 * generator.normal(size=(n, NOISE))
    return Sample(z, people[person], person, 1 / k)


def imbalanced(n: int, k: int, generator: np.random.Generator) -> Sample:
    """Two classes, 85 to 15; the best balanced accuracy is that of even classes."""
    v = generator.permutation((np.arange(n) < 0.15 * n).astype(np.int64))
    z = generator.normal(size=(n, k + NOISE))
    z[:, 0] += 1.5 * v
    return Sample(z, v, np.arange(n), float(scipy.stats.norm.cdf(0.75)))


FAMILIES: dict[str, tuple[Callable[[int, int, np.random.Generator], Sample], tuple[int, ...]]] = {
    "Gaussian": (gaussian, CLASSES),
    "XOR-coded": (xor, CLASSES),
    "whitening-hidden": (hidden, CLASSES),
    "group-memorised": (memorised, CLASSES),
    "imbalanced 85/15": (imbalanced, (2,)),
}


def balanced(n: int, k: int, generator: np.random.Generator) -> Ints:
    """Return classes that are as even as can be, in random order."""
    return generator.permutation(np.arange(n, dtype=np.int64) % k)


def best_of_axes(k: int, shift: float) -> float:
    """Return the chance that the shifted one of k normal draws is the highest, by quadrature."""
    t = np.linspace(-8, 8, 20_001)
    return float(np.trapezoid(scipy.stats.norm.pdf(t) * scipy.stats.norm.cdf(t + shift) ** (k - 1), t))


def on_circles(places: Ints, k: int) -> Doubles:
    """Return the points of two places on two circles, (n, 4), 6 deviations from one place to the next."""
    angles = 2 * np.pi * places / k  # (n, 2)
    radius = 3 / np.sin(np.pi / k)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(places), 4)
    return np.asarray(radius * points)


def best_of_circles(k: int) -> float:
    """Return the accuracy of the Bayes rule for the sum of two places, over many draws."""
    if k not in CIRCLES:
        generator = np.random.default_rng(0)
        places = generator.integers(k, size=(DRAWS, 2))
        z = on_circles(places, k) + generator.normal(size=(DRAWS, 4))
        corners = on_circles(np.stack([np.arange(k), np.arange(k)], axis=1), k)
        likely = [
            np.exp(-((z[:, None, part] - corners[None, :, part]) ** 2).sum(axis=2) / 2)
            for part in (slice(0, 2), slice(2, 4))
        ]
        of_sum = np.stack(
            [sum(likely[0][:, a] * likely[1][:, (v - a) % k] for a in range(k)) for v in range(k)], axis=1
        )
        CIRCLES[k] = float((of_sum.argmax(axis=1) == places.sum(axis=1) % k).mean())
    return CIRCLES[k]


CIRCLES: dict[int, float] = {}


def read(sample: Sample, seed: int, k: int) -> dict[str, Any]:
    """Measure one sample beside a task label that has nothing to do with it."""
    column = Column(sample.v, tuple(map(str, range(k))))
    told = np.random.default_rng(seed + 10**6).integers(2, size=len(sample.v))
    settings = Settings(seed=seed, null_refits=2, ceiling=False)
    try:
        splits = split_rows(sample.group, [column], seed=seed)
        target = make_target("v", column, splits, settings, Baselines(predicted=told))
        measured = measure(sample.z.astype(np.float32), target, settings, layer="synthetic").measurement
    except DataError as error:
        return {"refused": str(error)}
    return {
        "value": measured.score.value,
        "low": measured.score.low,
        "excess_low": measured.excess.low,
        "best": sample.best,
        "strongest": measured.strongest,
    }


def jobs(seeds: int) -> Iterator[dict[str, Any]]:
    """List what is to be measured: claim, family, n, k, seed."""
    for n in SIZES:
        for place, (family, (_, classes)) in enumerate(FAMILIES.items()):
            for seed in range(seeds):
                if n < SIZES[-1] or seed % len(FAMILIES) == place:
                    turn = seed if n < SIZES[-1] else seed // len(FAMILIES)
                    yield {"claim": "truth", "family": family, "n": n, "k": classes[turn % len(classes)], "seed": seed}
        for seed in range(seeds):
            if n < SIZES[-1] or seed % len(FAMILIES) == 0:
                yield {"claim": "no leak", "family": "no leak", "n": n, "k": CLASSES[seed % len(CLASSES)], "seed": seed}
    for seed in range(seeds):
        yield {"claim": "planted", "family": "planted 5 points", "n": SIZES[-1], "k": 2, "seed": seed}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Draw one sample and read it."""
    n, k, seed = job["n"], job["k"], job["seed"]
    generator = np.random.default_rng([seed, n, k])
    if job["claim"] == "truth":
        sample = FAMILIES[job["family"]][0](n, k, generator)
    elif job["claim"] == "no leak":
        sample = gaussian(n, k, generator, shift=0.0)
    else:  # two axes, each shifted: their distance is √2 · shift
        shift = np.sqrt(2) * scipy.stats.norm.ppf(0.5 + PLANTED)
        sample = gaussian(n, k, generator, shift=float(shift))
    return job | read(sample, seed, k)


def table(found: list[dict[str, Any]]) -> str:
    """Return the claims as a Markdown table, percent."""
    lines = [
        "| features | n | k | seeds | Bayes-optimal | strongest attacker | short of it by | too high | called a leak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    kinds = dict.fromkeys((one["family"], one["n"], one["k"]) for one in found)
    for family, n, k in sorted(kinds, key=lambda kind: (list(kinds).index((kind[0], kind[1], kind[2])), kind[2])):
        own = [one for one in found if (one["family"], one["n"], one["k"]) == (family, n, k)]
        able = [one for one in own if "value" in one]
        if not able:
            lines.append(f"| {family} | {n:,} | {k} | {len(own)} | – | refused: too few rows of a class | – | – | – |")
            continue
        best = float(np.mean([one["best"] for one in able]))
        value = float(np.mean([one["value"] for one in able]))
        high = sum(one["low"] > one["best"] for one in able)
        leak = sum(one["excess_low"] > 0 for one in able)
        refused = f" ({len(own) - len(able)} refused)" if len(able) < len(own) else ""
        lines.append(
            f"| {family} | {n:,} | {k} | {len(able)}{refused} | {100 * best:.1f} | {100 * value:.1f} | "
            f"{100 * (best - value):.1f} | {high} | {leak} |"
        )
    return "\n".join(lines)


def totals(found: list[dict[str, Any]]) -> str:
    """Return the counts over k of what was claimed."""
    lines = []
    for family, n in dict.fromkeys((one["family"], one["n"]) for one in found):
        able = [one for one in found if (one["family"], one["n"]) == (family, n) and "value" in one]
        high = sum(one["low"] > one["best"] for one in able)
        beyond = sum(one["excess_low"] > 0.05 for one in able)
        above = sum(one["excess_low"] > 0 for one in able)
        lines.append(
            f"- {family}, n = {n:,}: interval above the best in {high} of {len(able)} "
            f"({100 * high / max(len(able), 1):.1f} %); excess above 0 in {above}, above 5 points in {beyond}"
        )
    return "\n".join(lines)


@click.command()
@click.option("--seeds", default=200, show_default=True)
@click.option("--sizes", default="500,2000,10000", show_default=True)
@click.option("--jobs", "processes", default=-1, show_default=True, help="Processes; -1 is one a core.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/truth.jsonl"), show_default=True)
def main(seeds: int, sizes: str, processes: int, out: Path) -> None:
    """Measure what is not in the file yet, and print the table."""
    out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    wanted = [job for job in jobs(seeds) if str(job["n"]) in sizes.split(",")]
    known = {(one["claim"], one["family"], one["n"], one["k"], one["seed"]) for one in done}
    open_jobs = [job for job in wanted if tuple(job.values()) not in known]
    for place, one in enumerate(
        joblib.Parallel(n_jobs=processes, return_as="generator")(map(joblib.delayed(run), open_jobs))
    ):
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
        done.append(one)
        click.echo(f"{place + 1} of {len(open_jobs)}", err=True)
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}; {', '.join(f'{name} {version}' for name, version in versions().items())}\n")
    found = [one for one in done if one["seed"] < seeds and str(one["n"]) in sizes.split(",")]
    click.echo(f"{table(found)}\n\n{totals(found)}")


if __name__ == "__main__":
    main()
