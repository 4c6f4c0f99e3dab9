"""Attackers of the user's own: any estimator or factory attacks, and one that breaks never takes the audit with it."""

import textwrap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from support.planted import FEW, classes, labels, measured, noise

from audit.attackers.families import family
from audit.attackers.learner import Estimator
from audit.data.columns import AnyColumn, Quantity
from audit.errors import DataError, IreneError
from audit.evidence.findings import ENSEMBLE, Finding, Measurement
from audit.protocol.baselines import Baselines
from audit.settings import Settings

FIRST_FEATURE = """
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
FACTORIES = """
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB

class Told(GaussianNB):
    def __init__(self, told=None, priors=None, var_smoothing=1e-9):
        super().__init__(priors=priors, var_smoothing=var_smoothing)
        self.told = told

def with_seed(seed):
    return Told({"seed": seed})

def with_both(random_state, device, depth=3):
    return Told({"random_state": random_state, "device": device, "depth": depth})

def with_neither():
    return Told({})

def with_any(**options):
    return Told(options)

class OfAClass(Told):
    def __init__(self, device="nowhere", told=None, priors=None, var_smoothing=1e-9):
        super().__init__(told, priors, var_smoothing)
        self.device = device
"""
BREAKING = """
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures

class NoAnswer(Exception):
    pass

class Breaking:
    def fit(self, z, v):
        self.rows_, self.width_ = z.shape
        if AT == "fit" and CONDITION:
            raise ERROR
        return super().fit(self.products(z), v)

    def products(self, z):
        return PolynomialFeatures(2).fit_transform(z)

    def answer(self, ask, z):
        if AT == "predict" and CONDITION:
            raise ERROR
        return ask(self.products(z))

class classes(Breaking, LogisticRegression):
    def predict_proba(self, z):
        return self.answer(super().predict_proba, z)

class numbers(Breaking, Ridge):
    def predict(self, z):
        return self.answer(super().predict, z)
"""
N, TRAIN, NULL = 2000, 1000, 300
"""Rows in all, of the training split, and of a fit on shuffled labels."""
MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"
ASKED = Settings(attackers=("logistic",), bootstrap=100, null_refits=2, null_rows=NULL, ceiling=False, limit=0.45)


@dataclass(frozen=True)
class Break:
    """When an attacker raises, and what."""

    at: str
    condition: str
    error: str
    reason: str


BREAKS = {
    "at the first fit": Break("fit", "True", f"RuntimeError({MEMORY!r} + chr(10) + 'of 8')", MEMORY),
    "at its answers": Break("predict", "True", "NoAnswer('none of these')", "none of these"),
    "at the refit on train and select": Break("fit", f"self.rows_ > {TRAIN + 5}", f"RuntimeError({MEMORY!r})", MEMORY),
    "at the answers of the refit": Break("predict", f"self.rows_ > {TRAIN + 5}", "NoAnswer()", "NoAnswer"),
    "in the permutation null": Break("fit", f"self.rows_ < {NULL + 50}", "NoAnswer('too few')", "too few"),
    "by leaving the program": Break("fit", "True", "SystemExit(7)", "7"),
    "beside the task alone": Break("fit", "self.width_ == 8", "NoAnswer('wide')", "wide"),
}


def own(folder: Path, text: str, name: str) -> str:
    (folder / "own.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return f"{folder / 'own.py'}:{name}"


def breaking(folder: Path, when: Break, name: str) -> str:
    text = BREAKING.replace("AT", repr(when.at)).replace("CONDITION", when.condition).replace("ERROR", when.error)
    return own(folder, text, name)


def product() -> tuple[NDArray[np.float64], dict[str, AnyColumn]]:
    """Features whose product of two tells a class and a number, both a little: a linear attacker is blind."""
    z = noise(N)
    told = z[:, 0] * z[:, 1]
    flipped = np.random.default_rng(5).random(N) < 0.25
    v = ((told > 0) ^ flipped).astype(np.int64)
    return z, {"classes": classes(v), "numbers": Quantity(told + 1.6 * noise(N, 1, seed=3)[:, 0])}


def found_by(name: str, *, seed: int = 0) -> Measurement:
    z, v = noise(1000), labels(1000)
    z[:, 0] += 3 * v
    return measured(z, classes(v), settings=replace(FEW, attackers=(name,), seed=seed)).measurement


@pytest.mark.parametrize("name", ["GaussianNB", "BernoulliNB"])
def test_any_classifier_of_scikit_learn_attacks_by_its_name(name: str) -> None:
    found = found_by(f"sklearn.naive_bayes:{name}")
    assert {one.name for one in found.attackers} == {f"sklearn.naive_bayes:{name}", ENSEMBLE}
    assert found.score.value > 0.85


def test_a_classifier_in_a_file_that_only_answers_attacks_too(tmp_path: Path) -> None:
    found = found_by(own(tmp_path, FIRST_FEATURE, "FirstFeature"))
    assert found.attackers[0].view == "standardised"
    assert found.attackers[0].figures["balanced_accuracy"].value > 0.85


def made(name: str, *, seed: int = 7, device: str = "cpu") -> Estimator:
    (make,) = family(name, device).classifiers(seed)
    return make(3).estimator


def test_the_seed_reaches_an_estimator_of_the_users() -> None:
    forest = made("sklearn.ensemble:RandomForestClassifier")
    assert isinstance(forest, RandomForestClassifier)
    assert forest.random_state == 7
    assert family("sklearn.ensemble:RandomForestClassifier").regressors(7) == ()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("with_seed", {"seed": 7}),
        ("with_both", {"random_state": 7, "device": "cuda:1", "depth": 3}),
        ("with_neither", {}),
        ("with_any", {}),
    ],
)
def test_a_factory_is_told_seed_and_device_if_it_takes_them(name: str, told: dict[str, object], tmp_path: Path) -> None:
    estimator = made(own(tmp_path, FACTORIES, name), device="cuda:1")
    assert vars(estimator)["told"] == told


def test_a_class_is_told_its_device_and_a_factory_attacks_like_any_other(tmp_path: Path) -> None:
    assert vars(made(own(tmp_path, FACTORIES, "OfAClass"), device="cuda:1"))["device"] == "cuda:1"
    for name in ("with_seed", "with_neither"):
        assert found_by(own(tmp_path, FACTORIES, name)).score.value > 0.85


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
    both = replace(FEW, attackers=("sklearn.naive_bayes:GaussianNB", "sklearn.linear_model:BayesianRidge"))
    read = measured(z, Quantity(z[:, 0]), attribute="age", settings=both).measurement
    assert {one.name for one in read.attackers} == {"sklearn.linear_model:BayesianRidge", ENSEMBLE}
    classed = measured(z, classes(v), settings=both).measurement
    assert {one.name for one in classed.attackers} == {"sklearn.naive_bayes:GaussianNB", ENSEMBLE}
    with pytest.raises(DataError, match=r"'v' at 'fc:input': No attacker could run: none of them reads classes\."):
        measured(z, classes(v), settings=replace(both, attackers=both.attackers[1:]))
    with pytest.raises(DataError, match=r"'age' at 'fc:input': No attacker could run: none of them reads numbers\."):
        measured(z, Quantity(z[:, 0]), attribute="age", settings=replace(both, attackers=both.attackers[:1]))


def audit_with(name: str, kind: str) -> Finding:
    """Attack the product beside the linear attacker, with a task that has nothing to do with it."""
    z, columns = product()
    settings = replace(ASKED, attackers=("logistic", name))
    return measured(z, columns[kind], baselines=Baselines(y=labels(N, seed=8)), settings=settings)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_such_attackers_are_the_strongest_and_pass_as_long_as_they_run(kind: str, tmp_path: Path) -> None:
    finding = audit_with(breaking(tmp_path, Break("fit", "False", "NoAnswer()", ""), kind), kind)
    assert not finding.measurement.strongest.startswith("logistic")
    assert finding.measurement.excess.low > 0.1
    assert finding.decided.verdict == "PASS"


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        *(("classes", when) for when in BREAKS),
        *(("numbers", when) for when in BREAKS if when != "beside the task alone"),  # of classes alone
    ],
)
def test_an_attacker_that_raises_anything_is_listed_with_its_reason_and_the_audit_goes_on(
    kind: str, when: str, tmp_path: Path
) -> None:
    name = breaking(tmp_path, BREAKS[when], kind)
    finding = audit_with(name, kind)
    found, decided = finding.measurement, finding.decided
    failures = {(one.name, one.view): one.failure for one in found.attackers if one.failure is not None}
    assert failures == {(Path(name).name, view): BREAKS[when].reason for view in ("standardised", "whitened")}
    assert all(one.figures == {} and one.select is None for one in found.attackers if one.failure is not None)
    assert found.strongest.startswith("logistic") or found.strongest == ENSEMBLE
    assert abs(found.excess.value) < 0.1, "what the others read"
    assert decided.verdict == "INCONCLUSIVE"
    assert decided.reason == "2 of 4 attackers could not run; a pass needs all of them to have tried."


@pytest.mark.parametrize("when", ["at the first fit", "at the refit on train and select", "in the permutation null"])
def test_the_user_can_still_stop_it(when: str, tmp_path: Path) -> None:
    stop = replace(BREAKS[when], error="KeyboardInterrupt()")
    with pytest.raises(KeyboardInterrupt):
        audit_with(breaking(tmp_path, stop, "classes"), "classes")


def test_where_none_can_run_the_first_reason_is_told(tmp_path: Path) -> None:
    name = breaking(tmp_path, BREAKS["at the first fit"], "classes")
    z, columns = product()
    with pytest.raises(DataError) as caught:
        measured(z, columns["classes"], settings=replace(ASKED, attackers=(name,)))
    assert str(caught.value) == f"'v' at 'fc:input': No attacker could run: {MEMORY}."


def test_a_factory_that_breaks_is_listed_with_its_reason_too(tmp_path: Path) -> None:
    name = own(tmp_path, "def made(seed):\n    raise RuntimeError('no licence')", "made")
    finding = audit_with(name, "classes")
    assert {one.failure for one in finding.measurement.attackers if one.name == "own.py:made"} == {"no licence"}
    assert finding.decided.verdict == "INCONCLUSIVE"


NO_NUMBER = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

class Classifier(ClassifierMixin, BaseEstimator):
    def fit(self, z, v):
        self.classes_ = np.unique(v)
        return self

    def predict_proba(self, z):
        chances = np.full((len(z), len(self.classes_)), 1 / len(self.classes_))
        chances[:1] = np.nan
        return chances

class Regressor(RegressorMixin, BaseEstimator):
    def fit(self, z, v):
        return self

    def predict(self, z):
        return np.where(np.arange(len(z)) > 0, 0.0, np.nan)
"""


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_an_answer_that_is_no_number_is_a_failure_and_neither_wins_nor_spoils_the_others(
    kind: str, tmp_path: Path
) -> None:
    z, v = noise(600), labels(600, 3)
    column = classes(v) if kind == "Classifier" else Quantity(z[:, 0] + noise(600, 1, seed=5)[:, 0])
    settings = replace(FEW, attackers=("logistic", own(tmp_path, NO_NUMBER, kind)))
    found = measured(z, column, settings=settings).measurement
    failures = {one.failure for one in found.attackers if one.name == f"own.py:{kind}"}
    assert len(failures) == 1
    assert "rows is no finite number" in (failures.pop() or "")
    assert found.strongest.startswith("logistic") or found.strongest == ENSEMBLE
