"""A map that is not linear: what no line tells goes too, what is kept stays, and rows say how wide it may be."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.svm import SVC
from torch import Tensor

from audit.data.columns import Ints
from audit.errors import IreneError
from audit.evidence.verdict import LIMIT
from audit.model.maps.residual_map import ResidualMap
from audit.model.release import found_in, install
from sanitizer.method_table import make_method
from sanitizer.methods import nonlinear_map
from sanitizer.methods.base import Rows
from sanitizer.methods.nonlinear_map import NonlinearMap, _Fit, fit_map
from sanitizer.methods.width import balanced_rows, dimensions, left, shares
from sanitizer.similarity import similarities

N, D = 1000, 12


def drawn(seed: int) -> tuple[Tensor, Ints, Ints]:
    """Draw features (n, 12): v in a mean and, more, in a size; what is to be kept in another mean."""
    generator = np.random.default_rng(seed)
    v, kept = generator.integers(0, 2, N), generator.integers(0, 2, N)
    z = generator.normal(size=(N, D))
    z[:, 0] += v
    z[:, 1] *= 1 + 3 * v
    z[:, 2] += 3 * kept + v
    return torch.from_numpy(z).float(), v, kept


def rows_of(z: Tensor, v: Ints, kept: Ints, person: Tensor | None = None) -> Rows:
    labels = {"v": torch.from_numpy(v), "kept": torch.from_numpy(kept)}
    return Rows(z, z, torch.zeros(N, 1), torch.zeros(N, dtype=torch.int64), labels, person=person)


@pytest.fixture(scope="module")
def fitted() -> ResidualMap:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonlinear_map, "STEPS", 150)
        return fit_map(rows_of(*drawn(0)), {"v": 2}, ["kept"], NonlinearMap(rank=4), has_task=False)


def readable(z: Tensor, v: Ints) -> float:
    """Return the balanced accuracy of an attacker that is not linear, on rows that did not fit it."""
    z = (z - z.mean(dim=0)) / z.std(dim=0)
    attacker = SVC(class_weight="balanced").fit(z[: N // 2], v[: N // 2])
    return float(balanced_accuracy_score(v[N // 2 :], attacker.predict(z[N // 2 :])))


def test_new_rows_tell_little_of_v_also_where_no_line_tells_it_and_much_of_what_is_kept(fitted: ResidualMap) -> None:
    z, v, kept = drawn(1)
    assert readable(z, v) > 0.75
    narrow = fitted.narrow(z)
    assert narrow.shape == (N, 4)
    assert readable(narrow, v) < 0.57
    probe = LogisticRegression().fit(narrow[: N // 2], kept[: N // 2])
    assert roc_auc_score(kept[N // 2 :], probe.decision_function(narrow[N // 2 :])) > 0.85


def test_at_full_width_it_gives_away_what_the_few_dimensions_do(fitted: ResidualMap) -> None:
    z, *_ = drawn(1)
    out = fitted(z)
    assert out.shape == z.shape
    assert int(torch.linalg.matrix_rank(out - out.mean(dim=0), rtol=1e-4)) == 4
    assert torch.equal(fitted(z[:, :, None, None])[:, :, 0, 0], out)


def test_without_a_task_or_a_name_vectors_stay_as_alike_as_so_few_dimensions_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 150)
    z, v, kept = drawn(0)
    z = z * torch.linspace(0.3, 3, D)
    made = fit_map(rows_of(z, v, kept), {"v": 2}, [], NonlinearMap(rank=6), has_task=False)
    above = torch.triu_indices(N, N, 1)
    pair = torch.stack([similarities(one)[above[0], above[1]] for one in (z, made(z))])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.8


def test_without_a_task_people_stay_recognisable_also_where_an_attribute_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """People differ in small coordinates that nothing else asks for."""
    monkeypatch.setattr(nonlinear_map, "STEPS", 100)
    z, v, kept = drawn(0)
    person = torch.arange(N) // 4
    z[:, 6:] = 0.3 * torch.randn(N // 4, 6, generator=torch.Generator().manual_seed(0)).repeat_interleave(4, dim=0)
    area = []
    for named in (None, person):
        made = fit_map(rows_of(z, v, kept, named), {"v": 2}, ["kept"], NonlinearMap(rank=4), has_task=False)
        above = torch.triu_indices(N, N, 1)
        same = person[above[0]] == person[above[1]]
        area.append(roc_auc_score(same, similarities(made(z))[above[0], above[1]]))
    assert area[1] > area[0] + 0.1


def test_the_same_rows_give_the_same_map_whatever_was_drawn_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 20)
    made = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        made.append(fit_map(rows_of(*drawn(0)), {"v": 2}, ["kept"], NonlinearMap(rank=4), has_task=False))
        assert torch.equal(torch.random.get_rng_state(), state)
    for name, tensor in made[0].state_dict().items():
        assert torch.equal(tensor, made[1].state_dict()[name]), name


def test_a_map_comes_back_from_the_tensors_of_a_checkpoint(fitted: ResidualMap) -> None:
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(D, 2))
    released, again = copy.deepcopy(model), copy.deepcopy(model)
    install(released, "1:input", fitted)
    standing = found_in(released.state_dict())
    assert standing is not None
    standing.install(again)
    z, *_ = drawn(4)
    assert torch.equal(released(z), again(z))


def test_rows_say_how_many_dimensions_they_can_clean() -> None:
    assert [dimensions(2941, 0.02), dimensions(20_000, 0.02), dimensions(2941, 0.05)] == [7, 50, 45]
    assert dimensions(10, 0.01) == 1
    assert balanced_rows(np.repeat([0, 1], 500)) == 1000
    assert balanced_rows(np.repeat([0, 1, 2], [100, 900, 0])) == pytest.approx(360)


def test_rows_of_one_person_count_as_one_and_rows_of_a_mixed_group_each() -> None:
    people, v = np.repeat(np.arange(4), [1, 2, 5, 1]), np.repeat([0, 1, 0], [3, 5, 1])
    assert shares(v, people) == pytest.approx([1, 0.5, 0.5, *[0.2] * 5, 1])
    assert balanced_rows(v, shares(v, people)) == pytest.approx(3)
    hospitals = np.repeat([0, 1], 5)
    assert shares(np.arange(10) % 2, hospitals) == pytest.approx(np.ones(10))
    pairs = np.repeat(np.arange(5), 2)
    assert shares(pairs % 2, pairs) == pytest.approx(np.ones(10)), (
        "one or two rows each, as faces on which it was tried"
    )


def test_a_map_is_as_wide_as_people_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty people with 20 rows each, around a place of their own that tells of nobody else."""
    monkeypatch.setattr(nonlinear_map, "STEPS", 60)
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(50), 20)
    place, kind = generator.normal(size=(50, D)), np.arange(50) % 2
    z = torch.from_numpy(place[person] + 0.3 * generator.normal(size=(N, D))).float()
    v = kind[person].astype(np.int64)
    rows = replace(rows_of(z, v, v), group=torch.from_numpy(person))
    assert dimensions(balanced_rows(v), LIMIT) > D
    assert fit_map(rows, {"v": 2}, [], NonlinearMap(), has_task=False).up.shape[1] == 1


def test_an_erasure_in_as_many_dimensions_leaves_as_much_as_the_law_says() -> None:
    """White features that differ in their means, erased in a line by n rows, read by who has unlimited rows."""
    generator = np.random.default_rng(0)
    n, excess = 2000, 0.05
    d = dimensions(n, excess)
    left = []
    for _ in range(40):
        v = np.repeat([0, 1], n // 2)
        shift = generator.normal(size=d)
        shift /= np.linalg.norm(shift)
        z = generator.normal(size=(n, d)) + np.outer(v, shift)
        estimate = z[v == 1].mean(axis=0) - z[v == 0].mean(axis=0)
        unit = estimate / np.linalg.norm(estimate)
        rest = shift - unit * (unit @ shift)  # what the projection does not take of the true difference
        left.append(0.5 * (1 + torch.erf(torch.tensor(np.linalg.norm(rest) / 2 / 2**0.5)).item()) - 0.5)
    assert np.mean(left) == pytest.approx(excess, rel=0.15)


def test_a_map_is_halved_while_held_out_rows_tell_more_than_half_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many dimensions as there are would be cleaned of what is linear by so many rows, and not of a size."""
    z, v, kept = drawn(0)
    monkeypatch.setattr(nonlinear_map, "STEPS", 60)
    tried = []
    run = _Fit.run

    def noted(self: _Fit, rank: int) -> ResidualMap:
        tried.append((rank, len(self.rows.before)))
        return run(self, rank)

    monkeypatch.setattr(_Fit, "run", noted)
    made = fit_map(rows_of(z, v, kept), {"v": 2}, ["kept"], NonlinearMap(), has_task=False)
    assert dimensions(balanced_rows(v), LIMIT) > D
    assert [rank for rank, _ in tried[:2]] == [D, D // 2]
    assert {rows for _, rows in tried[:-1]} == {3 * N // 4} and tried[-1] == (made.up.shape[1], N)
    assert tried[-1][0] == tried[-2][0] or tried[-1][0] == tried[-2][0] // 2
    new, u, _ = drawn(1)
    assert readable(made.narrow(new), u) < 0.62 < readable(new, u)


def test_a_larger_limit_lets_more_dimensions_pass_and_one_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z, v, kept = drawn(0)
    monkeypatch.setattr(nonlinear_map, "STEPS", 60)
    rows = rows_of(z, v, kept)
    few, many = (
        fit_map(rows, {"v": 2}, ["kept"], NonlinearMap(limit=limit), has_task=False).up.shape[1] for limit in (0.02, 1)
    )
    assert few < many == D
    for wrong in (0, 1.5, "abc", float("nan")):
        with pytest.raises(IreneError, match=r"limit is .* Give a share above 0 and up to 1"):
            make_method("map", {"limit": wrong})
    with pytest.raises(IreneError, match="limit has no effect"):
        make_method("map", {"limit": 0.08, "rank": 4})


def test_what_is_left_is_what_is_read_beyond_the_predicted_class() -> None:
    generator = np.random.default_rng(0)
    v, z = generator.integers(0, 2, N), generator.normal(size=(N, 3))
    told = np.where(generator.random(N) < 0.8, v, 1 - v)
    nothing = np.zeros(N, dtype=np.int64)
    assert left(z, nothing, v, np.arange(len(v))) < 0.05
    assert left(z, told, v, np.arange(len(v))) == 0
    z[:, 0] *= 1 + 4 * v
    assert left(z, nothing, v, np.arange(len(v))) > 0.2
    z[:, 1] = told
    assert 0.03 < left(z, told, v, np.arange(len(v))) < 0.2
    assert left(z, nothing, nothing, np.arange(N)) == 0
