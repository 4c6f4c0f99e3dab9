"""Attackers together, attackers of the user's own, and results that no machine changes."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from audit.protocol.continuous import measure_continuous
from numpy.typing import NDArray
from scipy.special import expit
from support.planted import FEW, classes, labels, noise

from audit.attackers.classification import Attack, Member, Parts, attack
from audit.attackers.ensemble import choose_members, joined
from audit.attackers.families import VIEWS, family
from audit.data.columns import Column, Ints, Quantity
from audit.errors import DataError, IreneError
from audit.evidence.findings import COMMITTEE
from audit.protocol.leakage import measure
from audit.protocol.splits import split_rows

OWN = """
from sklearn.base import BaseEstimator, ClassifierMixin
import numpy as np

class FirstFeature(ClassifierMixin, BaseEstimator):
    def fit(self, z, v):
        self.classes_ = np.unique(v)
        self.middle_ = np.median(z[:, 0])
        return self

    def predict(self, z):
        return self.classes_[(z[:, 0] > self.middle_).astype(int)]
"""


def thirds(z: NDArray[np.float64], v: Ints) -> Parts:
    rows = split_rows(np.arange(len(v)), [classes(v)], seed=0).rows
    return Parts((z[rows[0]], z[rows[1]], z[rows[2]]), (v[rows[0]], v[rows[1]], v[rows[2]]))


def test_members_that_err_differently_are_joined_into_one_that_is_better_than_each() -> None:
    truth = labels(2000)
    answers = [(2 * truth - 1) * 0.7 + noise(2000, 1, seed=seed)[:, 0] for seed in range(4)]
    answers.append(noise(2000, 1, seed=9)[:, 0])  # one that knows nothing

    def loss(answer: NDArray[np.float64]) -> float:
        return float(-np.log(expit(np.where(truth == 1, answer, -answer))).mean())

    shares = choose_members(answers, loss)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    assert loss(joined(answers, shares)) < min(map(loss, answers)) - 0.05
    assert shares[-1] < 0.1


def test_a_member_beyond_help_is_alone_and_those_without_a_share_need_no_answer() -> None:
    right, wrong = np.ones(10), -np.ones(10)
    shares = choose_members([wrong, right], lambda answer: float(((answer - 1) ** 2).mean()))
    assert shares.tolist() == [0, 1]
    assert np.array_equal(joined([np.empty(0), right], shares), right)


def test_attackers_that_each_read_a_part_read_more_together() -> None:
    z = noise(2000, 12)
    curved = 1.5 * np.sign(z[:, 0] * z[:, 1])
    v = (z[:, 2:].sum(axis=1) / np.sqrt(10) + curved + 0.5 * noise(2000, 1, seed=99)[:, 0] > 0).astype(np.int64)
    found = attack(thirds(z, v), replace(FEW, attackers=("logistic", "rbf-svm", "boosted-trees")))
    members = [member.test.balanced_accuracy for member in found.members if isinstance(member, Member)]
    assert len(members) == 6
    assert found.strongest == COMMITTEE
    assert found.headline.balanced_accuracy > max(members) - 0.01
    assert found.committee is not None
    assert found.committee[0].balanced_accuracy >= found.best.select.balanced_accuracy


def test_an_attacker_alone_is_the_headline_under_its_own_name() -> None:
    z, v = noise(1000, d=1), labels(1000)  # of one feature, both views say the same
    z[:, 0] += 2 * v
    found = attack(thirds(z, v), replace(FEW, attackers=("logistic",)))
    assert [member.view for member in found.members] == list(VIEWS)
    assert found.strongest in ("logistic on standardised", "logistic on whitened")
    assert found.best.title.startswith("logistic on ")
    told = found.best.log2_posterior(z[:7])
    assert told.shape == (7, 2)
    np.testing.assert_allclose((2**told).sum(axis=1), 1)


def found_by(name: str, *, seed: int = 0) -> Attack:
    z, v = noise(1000), labels(1000)
    z[:, 0] += 3 * v
    return attack(thirds(z, v), replace(FEW, attackers=(name,), seed=seed))


@pytest.mark.parametrize("name", ["GaussianNB", "BernoulliNB"])
def test_any_classifier_of_scikit_learn_attacks_by_its_name(name: str) -> None:
    found = found_by(f"sklearn.naive_bayes:{name}")
    assert {member.name for member in found.members} == {f"sklearn.naive_bayes:{name}"}
    assert found.headline.balanced_accuracy > 0.85


def test_a_classifier_in_a_file_that_only_answers_attacks_too(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    found = found_by(f"{tmp_path / 'own.py'}:FirstFeature")
    (standardised, _) = found.members
    assert isinstance(standardised, Member)
    assert standardised.test.balanced_accuracy > 0.85


def test_the_seed_reaches_an_estimator_of_the_users() -> None:
    (make,) = family("sklearn.ensemble:RandomForestClassifier").classifiers(7)
    assert make(3).random_state == 7
    assert family("sklearn.ensemble:RandomForestClassifier").regressors(7) == ()


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("sklearn.preprocessing:StandardScaler", "is no scikit-learn classifier or regressor"),
        ("sklearn.cluster:KMeans", "is no scikit-learn classifier or regressor"),
        ("collections:OrderedDict", "is no scikit-learn classifier or regressor"),
        ("sklearn.ensemble:VotingClassifier", "cannot be made without arguments"),
        ("sklearn.naive_bayes:GausianNB", "GaussianNB"),
    ],
)
def test_what_is_no_attacker_is_refused_in_one_line(name: str, fact: str) -> None:
    with pytest.raises(IreneError, match=fact) as caught:
        family(name)
    assert "\n" not in str(caught.value)


def test_a_regressor_attacks_numbers_alone_and_a_classifier_classes_alone() -> None:
    z, v = noise(400), labels(400)
    splits = split_rows(np.arange(400), [classes(v)], seed=0)
    numbers: dict[str, Any] = {"attribute": "age", "layer": "fc", "settings": FEW}
    both = replace(FEW, attackers=("sklearn.naive_bayes:GaussianNB", "sklearn.linear_model:BayesianRidge"))
    read = measure_continuous(z, Quantity(z[:, 0]), splits, **(numbers | {"settings": both}))
    assert {one.name for one in read.attackers} == {"sklearn.linear_model:BayesianRidge"}
    classed = measure(z, classes(v), splits, attribute="v", layer="fc", settings=both).figures
    assert {one.name for one in classed.attackers} == {"sklearn.naive_bayes:GaussianNB", COMMITTEE}
    with pytest.raises(DataError, match=r"'v' at 'fc': No attacker could run: none of them reads classes\."):
        measure(z, classes(v), splits, attribute="v", layer="fc", settings=replace(both, attackers=both.attackers[1:]))
    with pytest.raises(DataError, match=r"'age' at 'fc': No attacker could run: none of them reads numbers\."):
        measure_continuous(
            z, Quantity(z[:, 0]), splits, **(numbers | {"settings": replace(both, attackers=both.attackers[:1])})
        )


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 4])
def test_figures_depend_on_the_seed_and_not_on_how_many_cores_there_are(
    jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    z, v = noise(600), labels(600)
    z[:, 0] += v
    column = Column(v, ("a", "b"))
    splits = split_rows(np.arange(600), [column], seed=0)
    every = replace(FEW, attackers=("logistic", "mlp", "rbf-svm", "knn", "boosted-trees"))

    def figures(seed: int = 0) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return measure(z, column, splits, attribute="v", layer="fc", settings=replace(every, seed=seed)).figures

    here = figures()
    parallel = joblib.Parallel
    asked = []

    def with_jobs(n_jobs: int, backend: str) -> Any:
        asked.append(n_jobs)
        return parallel(n_jobs=jobs, backend=backend)

    monkeypatch.setattr(joblib, "Parallel", with_jobs)
    assert figures() == here
    assert asked
    assert figures(seed=1) != here
