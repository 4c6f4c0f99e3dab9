import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sanitizer.information import explained_share, mutual_information, whiten


def confident(labels: Tensor, k: int, confidence: float = 1.0) -> Tensor:
    """Predict each label with the same confidence, the rest spread evenly."""
    rest = (1 - confidence) / (k - 1)
    return functional.one_hot(labels, k).float() * (confidence - rest) + rest


def balanced(k: int, each: int = 30) -> Tensor:
    return torch.arange(k).repeat(each)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_a_perfect_prediction_of_uniform_labels_holds_all_the_information(k: int) -> None:
    v = balanced(k)
    assert mutual_information(confident(v, k), v).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_a_fixed_wrong_permutation_holds_all_the_information(k: int) -> None:
    v = balanced(k)
    assert mutual_information(confident((v + 1) % k, k), v).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("constant", [[0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0]])
def test_any_constant_prediction_holds_none(constant: list[float]) -> None:
    v = balanced(4)
    p = torch.tensor(constant).expand(len(v), 4)
    assert mutual_information(p, v).item() == pytest.approx(0, abs=1e-6)


def test_it_is_the_textbook_sum_over_the_joint() -> None:
    v = torch.tensor([0, 0, 0, 1, 1, 2])
    p = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    expected = 0.0
    for i in range(3):
        for j in range(3):
            joint = sum(float(p[row, j]) for row in range(6) if v[row] == i) / 6
            row_sum = float((v == i).float().mean())
            column_sum = float(p[:, j].mean())
            expected += joint * math.log(joint / (row_sum * column_sum))
    assert mutual_information(p, v).item() == pytest.approx(expected / math.log(3), rel=1e-4)


@pytest.mark.parametrize(("confidence", "told"), [(0.6, 0.029), (0.8, 0.278), (0.9, 0.531)])
def test_an_under_confident_head_understates_the_leak(confidence: float, told: float) -> None:
    v = balanced(2)
    assert mutual_information(confident(v, 2, confidence), v).item() == pytest.approx(told, abs=1e-3)


def test_few_rows_bias_it_upward_by_as_much_as_the_plug_in_estimate_does() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [
        mutual_information(
            confident(torch.randint(10, (100,), generator=generator), 10),
            torch.randint(10, (100,), generator=generator),
        )
        for _ in range(300)
    ]
    assert torch.stack(draws).mean().item() == pytest.approx(0.206, abs=0.01)


def test_the_gradient_is_exactly_zero_at_a_uniform_head() -> None:
    logits = torch.zeros(40, 4, requires_grad=True)
    mutual_information(logits.softmax(dim=1), balanced(4, 10)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-9


def test_the_gradient_vanishes_at_a_saturated_head_and_not_in_between() -> None:
    v = balanced(4, 10)

    def steepness(scale: float) -> float:
        logits = (functional.one_hot(v, 4) * scale).requires_grad_()
        mutual_information(logits.softmax(dim=1), v).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        return logits.grad.abs().max().item()

    assert steepness(60.0) < 1e-9
    assert steepness(2.0) > 1e-4


def test_half_precision_predictions_give_a_finite_value() -> None:
    v = balanced(10)
    assert torch.isfinite(mutual_information(confident(v, 10).half(), v))


def planted(n: int = 400, d: int = 8) -> tuple[Tensor, Tensor]:
    """Features whose product of two signs is v: a linear head sees nothing."""
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    return z, (z[:, 0] * z[:, 1] > 0).long()


def test_the_solved_head_sees_a_leak_that_a_linear_head_cannot() -> None:
    z, v = planted()
    shuffled = v[torch.randperm(len(v), generator=torch.Generator().manual_seed(1))]
    leak, none = (explained_share(z, labels, k=2, ridge=1e-2).item() for labels in (v, shuffled))
    assert leak > 1.5 * none


def test_the_solved_head_sees_a_leak_hidden_in_a_direction_of_small_variance() -> None:
    z, _ = planted()
    v = (z[:, 3] > 0).long()
    hidden = z * torch.tensor([1.0, 1, 1, 0.03, 1, 1, 1, 1])
    plain, squeezed = (explained_share(features, v, k=2, ridge=1e-2).item() for features in (z, hidden))
    assert squeezed == pytest.approx(plain, abs=0.05)


def test_following_its_gradient_removes_the_leak() -> None:
    z, v = planted()
    before = explained_share(z, v, k=2, ridge=1e-2).item()
    z.requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(30):
        optimizer.zero_grad()
        explained_share(z, v, k=2, ridge=1e-2).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert explained_share(z.detach(), v, k=2, ridge=1e-2).item() < 0.5 * before


def test_a_batch_of_one_class_explains_nothing() -> None:
    z, _ = planted()
    assert explained_share(z, torch.zeros(len(z), dtype=torch.int64), k=2, ridge=1e-2).item() == 0


def test_whitened_features_have_unit_covariance_and_survive_dead_units() -> None:
    z = torch.randn(500, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ torch.diag(
        torch.tensor([5.0, 2, 1, 0.5, 0.3, 0], dtype=torch.float64)
    )
    white = whiten(z)
    covariance = white.T @ white / len(z)
    assert torch.allclose(covariance[:5, :5], torch.eye(5, dtype=torch.float64), atol=0.02)
    assert white[:, 5].abs().max().item() == 0


def test_features_wider_than_the_batch_can_tell_apart_do_not_read_any_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    z, v = torch.randn(256, 512, generator=generator), torch.randint(2, (256,), generator=generator)
    assert whiten(z.double()).shape == (256, 32)
    leaking = z + 30 * torch.nn.functional.one_hot(v, 512)
    assert explained_share(leaking, v, k=2, ridge=1e-2) > 2 * explained_share(z, v, k=2, ridge=1e-2)


def test_a_wide_bottleneck_still_hands_down_a_gradient_to_every_row() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(128, 300, generator=generator).requires_grad_()
    explained_share(z, torch.randint(2, (128,), generator=generator), k=2, ridge=1e-2).backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert (z.grad.abs().sum(dim=1) > 0).all()
