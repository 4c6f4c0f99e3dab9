"""Attackers of other packages, as scikit-learn classifiers: attackers.py sets them beside irene's own.

    pip install --no-deps --target wheels xrfm==0.4.5 tabm==0.0.3 rtdl-num-embeddings==0.0.12

They are imported when they are first asked for, so that those which are not installed are in nobody's way.
"""

import math
from importlib import import_module
from typing import Any, Self

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

VALIDATION = 5
"""One row in so many chooses a setting or an epoch."""


class XRFM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Recursive feature machines in the leaves of a tree (Beaglehole et al., 2025), as they come."""

    def __init__(self, leaf: int = 5000, random_state: int = 0) -> None:
        self.leaf = leaf
        self.random_state = random_state

    def fit(self, z: NDArray[Any], v: NDArray[Any]) -> Self:
        """Learn classes, (n,), from features, (n, d)."""
        self.classes_ = np.unique(v)
        held = np.random.default_rng(self.random_state).permutation(len(z)) % VALIDATION == 0
        machine = import_module("xrfm").xRFM(
            max_leaf_size=self.leaf, device="cpu", random_state=self.random_state, verbose=False
        )
        x = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32))
        self.machine_ = machine
        machine.fit(x[~held], torch.from_numpy(v[~held]), x[held], torch.from_numpy(v[held]))
        return self

    def predict_proba(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k)."""
        x = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32))
        return np.asarray(self.machine_.predict_proba(x), dtype=np.float64)

    def predict(self, z: NDArray[Any]) -> NDArray[Any]:
        """Return the likeliest class, (n,)."""
        return np.asarray(self.classes_[self.predict_proba(z).argmax(axis=1)])


class TabM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Thirty-two perceptrons in one (Gorishniy et al., ICLR 2025), with the authors' example's optimizer and width."""

    class_weight = "balanced"

    def __init__(self, epochs: int = 20, random_state: int = 0, device: str = "cpu") -> None:
        self.epochs = epochs
        self.random_state = random_state
        self.device = device

    def fit(self, z: NDArray[Any], v: NDArray[Any]) -> Self:
        """Learn classes, (n,), from features, (n, d); the epoch is the best on a fifth of the rows."""
        tabm = import_module("tabm")
        torch.manual_seed(self.random_state)
        self.classes_, counts = np.unique(v, return_counts=True)
        held = np.random.default_rng(self.random_state).permutation(len(z)) % VALIDATION == 0
        x, y = torch.from_numpy(np.array(z, dtype=np.float32)), torch.from_numpy(np.array(v, dtype=np.int64))
        weight = torch.from_numpy(len(v) / (len(counts) * counts)).float()
        self.net_ = tabm.TabM.make(n_num_features=z.shape[1], d_out=len(counts)).to(self.device)
        optimizer = torch.optim.AdamW(self.net_.parameters(), lr=2e-3, weight_decay=3e-4)
        rows, batch = torch.from_numpy(np.flatnonzero(~held)), 256 if len(z) < 50_000 else 1024
        best, kept = math.inf, None
        for _ in range(self.epochs):
            self.net_.train()
            for part in rows[torch.randperm(len(rows))].split(batch):  # type: ignore[no-untyped-call]
                said = self.net_(x[part].to(self.device))
                wanted = y[part].to(self.device)[:, None].expand(-1, said.shape[1])
                loss = functional.cross_entropy(said.flatten(0, 1), wanted.flatten(), weight=weight.to(self.device))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            chances = np.log(np.maximum(self.predict_proba(z[held]), 1e-12))
            found = -float(np.average(chances[np.arange(len(chances)), v[held]], weights=weight.numpy()[v[held]]))
            if found < best:
                best, kept = found, {name: one.clone() for name, one in self.net_.state_dict().items()}
        if kept is not None:
            self.net_.load_state_dict(kept)
        return self

    def predict_proba(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k), were they equally frequent."""
        self.net_.eval()
        with torch.inference_mode():
            parts = torch.from_numpy(np.array(z, dtype=np.float32)).split(4096)  # type: ignore[no-untyped-call]
            said = [self.net_(part.to(self.device)).softmax(-1).mean(1).cpu() for part in parts]
        return torch.cat(said).double().numpy()

    def predict(self, z: NDArray[Any]) -> NDArray[Any]:
        """Return the likeliest class, (n,)."""
        return np.asarray(self.classes_[self.predict_proba(z).argmax(axis=1)])


class ArrayLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's logistic regression on torch tensors, by its array API (`SCIPY_ARRAY_API=1`)."""

    class_weight = "balanced"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def fit(self, z: NDArray[Any], v: NDArray[Any]) -> Self:
        """Learn classes, (n,), from features, (n, d)."""
        x = torch.from_numpy(np.array(z, dtype=np.float32)).to(self.device)
        self.classes_ = np.unique(v)
        with sklearn.config_context(array_api_dispatch=True):
            self.inner_ = LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
            self.inner_.fit(x, torch.from_numpy(np.array(v)).to(self.device))
        return self

    def predict_proba(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Return the probability of each class, (n, k), were they equally frequent."""
        x = torch.from_numpy(np.array(z, dtype=np.float32)).to(self.device)
        with sklearn.config_context(array_api_dispatch=True):
            return np.asarray(self.inner_.predict_proba(x).cpu(), dtype=np.float64)

    def predict(self, z: NDArray[Any]) -> NDArray[Any]:
        """Return the likeliest class, (n,)."""
        return np.asarray(self.classes_[self.predict_proba(z).argmax(axis=1)])
