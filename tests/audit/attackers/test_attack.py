"""Attackers together, and results that no machine changes."""

import warnings
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from support.planted import FEW, classes, labels, measured, noise

from audit.attackers.attack import FittedAttacker, SplitData, attack
from audit.attackers.classification import ClassFit
from audit.attackers.ensemble import choose_members, joined
from audit.attackers.families import ATTACKERS, slowness
from audit.attackers.preprocessing import VIEWS
from audit.data.columns import Ints
from audit.evidence.findings import ENSEMBLE
from audit.protocol.audited_rows import audited
from audit.protocol.splits import split_rows


def thirds(z: NDArray[np.float64], v: Ints) -> SplitData:
    column = classes(v)
    return audited("v", column, split_rows(np.arange(len(v)), [column], seed=0), FEW).split(z)


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
    members = [member.fit.test.score for member in found.members if isinstance(member, FittedAttacker)]
    assert len(members) == 6
    assert found.strongest == ENSEMBLE
    assert found.headline.score > max(members) - 0.01
    assert found.ensemble is not None
    assert found.ensemble[0].score >= found.best.fit.select.score


def test_an_attacker_alone_is_the_headline_under_its_own_name() -> None:
    z, v = noise(1000, d=1), labels(1000)  # of one feature, both views say the same
    z[:, 0] += 2 * v
    found = attack(thirds(z, v), replace(FEW, attackers=("logistic",)))
    assert [member.view for member in found.members] == list(VIEWS)
    assert found.strongest in ("logistic on standardised", "logistic on whitened")
    assert found.best.title.startswith("logistic on ")
    assert isinstance(found.best.fit, ClassFit)
    told = found.best.fit.log2_posterior(found.best.preprocessing.transform(z[:7]))
    assert told.shape == (7, 2)
    np.testing.assert_allclose((2**told).sum(axis=1), 1)


def test_figures_depend_on_the_seed_and_not_on_how_many_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    z, v = noise(600), labels(600)
    z[:, 0] += v
    every = replace(FEW, attackers=(*ATTACKERS,))

    def figures(seed: int = 0) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return measured(z, classes(v), settings=replace(every, seed=seed)).measurement

    here = figures()
    parallel = joblib.Parallel
    asked = []

    def with_jobs(n_jobs: int, **options: Any) -> Any:
        asked.append(n_jobs)
        return parallel(n_jobs=3, **options)

    monkeypatch.setattr(joblib, "Parallel", with_jobs)
    assert figures() == here
    assert asked
    assert figures(seed=1) != here


def test_every_attacker_has_its_place_among_those_that_take_longest_and_a_users_own_comes_first() -> None:
    first, *others = sorted([*ATTACKERS, "own.py:Own"], key=slowness)
    assert first == "own.py:Own"
    assert len({slowness(name) for name in others}) == len(ATTACKERS)
