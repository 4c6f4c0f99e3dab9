"""What attackers are tried on: features of three checkpoints of our own and of third parties', made once and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import third_party
import torch
import voices
from numpy.typing import NDArray
from torch import nn

from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.environment import choose_device
from audit.model.example_networks import small_convnet
from audit.model.forward import Encoder
from audit.model.representations import extract
from sanitizer.job import Recipe, TrainingJob
from sanitizer.training.loop import fine_tune

INCOME_TRAIN = 100_000
"""Rows of the census that train the income net; all others are read."""


@dataclass(frozen=True)
class Places:
    """Folders that hold what cannot be made here."""

    data: Path
    """Holds `MNIST` and `celeba`."""
    packages: Path
    """Where the pip packages of third_party.py are unpacked."""


@dataclass(frozen=True)
class Subject:
    """Features of n rows and what an attacker should read from them."""

    z: NDArray[np.float32]
    """(n, d)."""
    v: Ints
    """Private attribute, (n,), 0 … k − 1."""
    group: Ints
    """What must not be split, (n,)."""
    predicted: Ints
    """ŷ, (n,); zeros for a model that answers nothing that the rows are labelled with."""


def subject(name: str, places: Places, kept: Path) -> Subject:
    """Return the features of that name from the folder they are kept in, where they are made if need be."""
    path = kept / f"{name}.npz"
    if not path.is_file():
        made = SUBJECTS[name](places)
        kept.mkdir(parents=True, exist_ok=True)
        np.savez(path, z=made.z, v=made.v, group=made.group, predicted=made.predicted)
    with np.load(path, allow_pickle=False) as arrays:
        return Subject(**arrays)


def _faces(places: Places) -> Subject:
    from torchvision.models import resnet18

    options = {"data_root": str(places.data / "celeba"), "image_size": 64}
    model = _trained(
        lambda: resnet18(num_classes=2),
        open_data("celeba", "train", options),
        "Smiling",
        "fc:input",
        Recipe(8, lr=1e-3),
    )
    return _seen(model, open_data("celeba", "audit", options), "avgpool", "Male", task="Smiling")


def _mnist(places: Places) -> Subject:
    options = {"data_root": str(places.data)}
    train = open_data("biased-mnist", "train", options).limited(10_000, seed=0)
    model = _trained(small_convnet, train, "digit", "classifier:input", Recipe(20, batch_size=128, lr=3e-3))
    return _seen(model, open_data("biased-mnist", "audit", options), "classifier:input", "colour", task="digit")


def _digits(_places: Places) -> Subject:
    train = open_data("digits", "train", {})
    model = _trained(small_convnet, train, "digit", "classifier:input", Recipe(20, batch_size=128, lr=3e-3))
    return _seen(model, open_data("digits", "audit", {}), "classifier:input", "colour", task="digit")


def _landmarks(places: Places) -> Subject:
    data = third_party.landmark_faces(str(places.data / "celeba"))
    return _seen(third_party.landmark_net(places.packages), data, "prelu5", "Male")


def _ages(places: Places) -> Subject:
    data = third_party.age_faces(str(places.data / "celeba"))
    return _seen(third_party.age_net(places.packages), data, "ages:input", "Male", task="Young")


def _languages(places: Places) -> Subject:
    return _seen(third_party.voice_net(places.packages), _speech(), "embedding", "language")


def _sexes(places: Places) -> Subject:
    return _seen(third_party.voice_net(places.packages), _speech(), "embedding", "sex")


def _income(private: str) -> Callable[[Places], Subject]:
    """The 64 features of a net that tells high incomes by eight answers of a census form, of rows it did not learn."""

    def made(places: Places) -> Subject:
        table = places.data / "tabular" / "acs_income.parquet"
        asked = "SCHL,POBP,OCCP,RELP,COW,MAR,WKHP,AGEP"
        data = open_data(str(table), "audit", {"features": asked, "continuous": asked, "classes": "PINCP,SEX,RAC1P"})
        order = np.random.default_rng(0).permutation(len(data)).astype(np.int64)
        recipe = Recipe(4, batch_size=1024, lr=1e-3)
        model = _trained(_income_net, data.take(np.sort(order[:INCOME_TRAIN])), "PINCP", "3:input", recipe)
        return _seen(model, data.take(np.sort(order[INCOME_TRAIN:])), "3:input", private, task="PINCP")

    return made


def _income_net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Sequential(nn.Linear(128, 64), nn.ReLU()), nn.Linear(64, 2))


@cache
def _speech() -> LabelledData:
    return voices.load()


def _trained(make: Callable[[], nn.Module], data: LabelledData, task: str, layer: str, recipe: Recipe) -> nn.Module:
    torch.manual_seed(recipe.seed)
    device = choose_device("auto")
    model = make().to(device)
    fine_tune(model, TrainingJob(data, task=task, layer=layer, recipe=recipe, device=device))
    return model


def _seen(model: nn.Module, data: LabelledData, layer: str, private: str, *, task: str | None = None) -> Subject:
    """Run a model over the rows by irene's own way."""
    features = extract(Encoder(model), data, [layer], task=task)
    read = data.take(features.rows)
    return Subject(
        z=np.asarray(features.z[layer]),
        v=read.column(private, "private").codes,
        group=read.groups(),
        predicted=np.zeros(len(read), np.int64) if features.predicted is None else features.predicted.astype(np.int64),
    )


SUBJECTS: Mapping[str, Callable[[Places], Subject]] = {
    "digits-convnet": _digits,
    "mnist-convnet": _mnist,
    "celeba-resnet18": _faces,
    "facenet-onet": _landmarks,
    "dlib-age": _ages,
    "resemblyzer-language": _languages,
    "resemblyzer-sex": _sexes,
    "acs-income-sex": _income("SEX"),
    "acs-income-race": _income("RAC1P"),
}
