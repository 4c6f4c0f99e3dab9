"""How much the best linear erasure leaves, by how many rows determine it: the law of rows, beside what is measured.

    python benchmarks/rows.py --data-root ../shared/data [--draws 5]

LEACE is fitted on n rows of d white dimensions, and what it leaves is told by plenty of other rows. The law that
`sanitizer.methods.width` goes by says 40 · √(d ÷ n) points of balanced accuracy above one half; where classes are not
balanced, n is what `balanced_rows` counts. It is of means, which is what LEACE removes: the points are those of two
Gaussian classes as far apart as the means are then.

- Gaussian features of covariance 1 and two classes that differ in their means, where that is the best attacker of all.
- The largest principal coordinates of the 64 features of an income net, 222,900 rows that it did not learn, v = sex.
- Those of MNIST's 70,000 digits, v = even or odd.
- Those of 16 × 16 pixels of faces, grey, 40 random places of each of 5,000 images, v = upper or lower half.

Of the real ones the distance is that of the means of one half of the rows that are left along those of the other, so
that chance adds nothing. What is in no mean, as the shape of a class, LEACE leaves as it is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import erf, sqrt
from pathlib import Path

import click
import numpy as np
from cases import faces
from erasers import Seen, leace
from kept_cases import FITTING, acs_income, census
from numpy.typing import NDArray

from audit.model.forward import Encoder
from audit.model.representations import extract
from sanitizer.methods.width import EXCESS_PER_ROOT, balanced_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
APART = 2.0
"""Deviations between the means of the Gaussian classes: nobody tells more than 84 % of the rows before the erasure."""
PLACES, SIDE = 40, 16
"""Pieces of each face, and pixels of their sides."""
ROWS = (1000, 3000, 10_000, 50_000)
"""Rows that an erasure is fitted on."""
MOST = 10_000
"""Of the real ones: the others tell what is left."""
SHARES = (0.5, 0.1)
"""Of the rarer class of the Gaussian features."""


@dataclass(frozen=True)
class Cell:
    """What an attacker reads after an erasure, and what the law says."""

    source: str
    d: int
    n: int
    left: float
    """Balanced accuracy above one half, mean over the draws."""
    deviation: float
    law: float

    def __str__(self) -> str:
        """Return the points left, and in brackets how many times the law that is."""
        return f"{100 * self.left:.1f} ± {100 * self.deviation:.1f} ({self.left / self.law:.2f})"


def law(d: int, v: list[Ints]) -> float:
    """Return the excess that the law says of erasures by rows of these classes, the mean over the draws."""
    return float(np.mean([EXCESS_PER_ROOT * sqrt(d / balanced_rows(one)) for one in v]))


def of_gaussians(d: int, n: int, share: float, draws: int) -> Cell:
    """Return what the best possible attacker reads of Gaussian features, of two classes of which one is so rare."""
    found, classes = [], []
    shift = np.zeros(d)
    shift[0] = APART
    for draw in range(draws):
        generator = np.random.default_rng([draw, d, n])
        v = (np.arange(n) < share * n).astype(np.int64)
        z = generator.normal(size=(n, d)) + v[:, None] * shift
        erased = leace(Seen(z.astype(np.float32), v, v))(
            np.concatenate([np.zeros((1, d)), np.eye(d)]).astype(np.float32)
        )
        to = (erased[1:] - erased[0]).astype(np.float64)  # z ↦ z @ to + …
        apart = shift @ to @ np.linalg.pinv(to.T @ to, rcond=1e-5) @ (shift @ to)  # Mahalanobis' distance, squared
        found.append(of_distance(float(apart)))
        classes.append(v)
    name = "Gaussian" if share == SHARES[0] else f"Gaussian, {100 * share:.0f} % of one class"
    return Cell(name, d, n, float(np.mean(found)), float(np.std(found)), law(d, classes))


@dataclass(frozen=True)
class Plenty:
    """Real features with many rows, white, the largest principal coordinates first."""

    z: Floats
    v: Ints
    group: Ints
    """What stays on one side, (n,): the image of a piece."""

    @staticmethod
    def of(z: Floats, v: Ints, group: Ints | None = None) -> "Plenty":
        """Return features (n, d) and two classes of them, (n,)."""
        z = z - z.mean(axis=0)
        lengths, axes = np.linalg.eigh(z.T @ z / len(z))
        large = np.flatnonzero(lengths > 1e-6 * lengths[-1])[::-1]
        white = z @ axes[:, large] / np.sqrt(lengths[large])
        return Plenty(white, v, np.arange(len(z)) if group is None else group)

    def cell(self, source: str, d: int, n: int, draws: int) -> Cell:
        """Return what the means tell of other rows after an erasure by n rows."""
        found, classes = [], []
        for draw in range(draws):
            order = self._drawn(draw, d, n)
            some, rest = order[:n], order[n:]
            z = self.z[:, :d].astype(np.float32)
            left = leace(Seen(z[some], self.v[some], self.v[some]))(z).astype(np.float64)
            found.append(told(left[rest], self.v[rest]))
            classes.append(self.v[some])
        return Cell(source, d, n, float(np.mean(found)), float(np.std(found)), law(d, classes))

    def _drawn(self, *seed: int) -> Ints:
        """Return the rows in a random order, those of one group side by side."""
        places = np.random.default_rng(seed).permutation(self.group.max() + 1)
        return np.argsort(places[self.group], kind="stable")


def told(z: Floats, v: Ints) -> float:
    """Return the points above one half of two Gaussian classes as far apart as the means of these rows, (n, d)."""
    apart = [z[own][v[own] == 1].mean(axis=0) - z[own][v[own] == 0].mean(axis=0) for own in halves(len(z))]
    inside = z - np.stack([z[v == one].mean(axis=0) for one in (0, 1)])[v]
    distance = apart[0] @ np.linalg.pinv(inside.T @ inside / len(z), rcond=1e-5, hermitian=True) @ apart[1]
    return of_distance(float(distance))


def halves(n: int) -> list[Ints]:
    """Return the first half of n rows and the rest."""
    return [np.asarray(part) for part in np.array_split(np.arange(n), 2)]


def of_distance(squared: float) -> float:
    """Return the balanced accuracy above one half of two Gaussian classes whose means are so far apart, squared."""
    return 0.5 * erf(sqrt(max(0.0, squared)) / 2 / sqrt(2))


def income(places: Path, models: Path) -> Plenty:
    """The features of an income net, of all rows that it did not learn."""
    case, table = acs_income(places, models, 0), census(places)
    rows = table.take(np.random.default_rng(0).permutation(len(table))[FITTING:])
    z = np.asarray(extract(Encoder(case.model), rows, [case.layer]).z[case.layer])
    return Plenty.of(z.astype(np.float64), rows.codes("SEX"))


def mnist(places: Path, _: Path) -> Plenty:
    """MNIST's pixels; nothing is trained."""
    from torchvision.datasets import MNIST

    parts = [MNIST(str(places), train=part) for part in (True, False)]
    z = np.concatenate([part.data.numpy().reshape(-1, 784) for part in parts]).astype(np.float64)
    return Plenty.of(z, np.concatenate([part.targets.numpy() for part in parts]).astype(np.int64) % 2)


def pieces(places: Path, _: Path) -> Plenty:
    """Pieces of faces, of the upper or the lower half; nothing is trained."""
    images = np.concatenate(
        [np.stack([data.inputs[row].numpy().mean(axis=0) for row in range(len(data))]) for data in
         (faces(places, part) for part in ("train", "audit"))]
    )  # fmt: skip
    image = np.repeat(np.arange(len(images)), PLACES)
    generator = np.random.default_rng(0)
    down, across = generator.integers(0, images.shape[1] - SIDE + 1, (2, len(image)))
    z = np.stack(
        [images[i, y : y + SIDE, x : x + SIDE].reshape(-1) for i, y, x in zip(image, down, across, strict=True)]
    )
    return Plenty.of(z.astype(np.float64), (down > (images.shape[1] - SIDE) / 2).astype(np.int64), image)


SETS: dict[str, tuple[Callable[[Path, Path], Plenty], tuple[int, ...]]] = {
    "income net, sex": (income, (8, 32, 64)),
    "MNIST, even or odd": (mnist, (8, 32, 128)),
    "pieces of faces, upper or lower": (pieces, (8, 32, 128)),
}


def lines(data_root: Path, models: Path, draws: int) -> Iterator[str]:
    """Yield the rows of the table."""
    yield "| features | d | " + " | ".join(f"n = {n:,}" for n in ROWS) + " |"
    yield "|---" * (2 + len(ROWS)) + "|"
    for share in SHARES:
        for d in (8, 32, 128, 512):
            some = [of_gaussians(d, n, share, draws) if d < share * n and d * n < 1e7 else None for n in ROWS]
            yield line(some)
    for name, (make, widths) in SETS.items():
        given = make(data_root, models)
        for d in widths:
            cells = [given.cell(name, d, n, draws) if n <= MOST else None for n in ROWS]
            yield line(cells)


def line(cells: Sequence[Cell | None]) -> str:
    """Return a row of the table."""
    one = next(cell for cell in cells if cell)
    told = " | ".join(str(cell) if cell else "–" for cell in cells)
    return f"| {one.source} | {one.d} | {told} |"


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--draws", default=5, show_default=True)
def main(data_root: Path, models: Path, draws: int) -> None:
    """Print the table."""
    for one in lines(data_root, models, draws):
        click.echo(one)


if __name__ == "__main__":
    main()
