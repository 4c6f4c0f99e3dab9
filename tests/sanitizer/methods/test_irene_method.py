from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sanitizer.information import mutual_information
from sanitizer.methods.base import Batch, Rows, Setting
from sanitizer.methods.irene import Irene, IreneObjective
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.plain import Plain


def batch(n: int = 60, d: int = 6, k: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(n, d, generator=generator)
    v, y = (torch.randint(classes, (n,), generator=generator) for classes in (k, 2))
    return Batch(z, z, z[:, :2], y, {"v": v}, torch.arange(n), lambda: z, 0.0)


def setting(d: int = 6, k: int = 3) -> Setting:
    rows = batch(d=d, k=k)
    seen = Rows(rows.before, rows.z, rows.scores, rows.y, rows.v)
    return Setting({"v": k}, 2, rows.z[:1], lambda: seen, lambda: iter([rows]), {}, len(rows.z), d)


def started(**settings: object) -> IreneObjective:
    torch.manual_seed(0)
    return Irene(**settings).start(setting())  # type: ignore[arg-type]


def attached(rows: Batch) -> tuple[Batch, Tensor]:
    z = rows.z.clone().requires_grad_()
    return replace(rows, z=z), z


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_the_information_term_never_reaches_the_head(head: str) -> None:
    objective = started(head=head)
    rows, z = attached(batch())
    objective.terms(rows).removal["v"].backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in objective.heads.parameters())


def test_the_penalty_is_the_information_in_the_heads_own_prediction() -> None:
    objective, rows = started(), batch()
    expected = mutual_information(objective.says(rows.z, "v").softmax(dim=1), rows.v["v"])
    assert torch.equal(objective.terms(rows).removal["v"], expected)


def test_the_conditional_penalty_is_the_information_within_each_class_of_the_task() -> None:
    objective, rows = started(conditional=True), batch()
    p = objective.says(rows.z, "v").softmax(dim=1)
    within = [
        mutual_information(p[rows.y == c], rows.v["v"][rows.y == c]) * (rows.y == c).float().mean() for c in (0, 1)
    ]
    assert torch.allclose(objective.terms(rows).removal["v"], torch.stack(within).sum())
    same = replace(rows, v={"v": rows.y})  # an attribute that is the task tells nothing beyond it
    assert objective.terms(same).removal["v"].abs() < 1e-6
    assert started().terms(same).removal["v"] > 1e-3


def test_the_head_steps_on_its_own_cross_entropy_alone() -> None:
    objective, twin = started(), started()
    rows, _ = attached(batch())
    objective.terms(rows).removal["v"].backward()  # type: ignore[no-untyped-call]
    objective.learn(rows.cut_off())
    optimizer = torch.optim.SGD(twin.heads.parameters(), lr=0.1, momentum=0.9)
    functional.cross_entropy(twin.says(rows.z.detach(), "v"), rows.v["v"]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for ours, plain in zip(objective.heads.parameters(), twin.heads.parameters(), strict=True):
        assert torch.equal(ours, plain)


def test_the_head_takes_one_step_an_iteration_in_the_paper_and_more_where_asked() -> None:
    rows = batch()
    once, twice = started(), started(inner_steps=2)
    once.learn(rows)
    once.learn(rows)
    twice.learn(rows)
    for one, other in zip(once.heads.parameters(), twice.heads.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_run_of_heads_goes_on_from_its_state_as_if_unbroken() -> None:
    rows = batch()
    unbroken, stopped, resumed = started(), started(), started()
    for _ in range(2):
        unbroken.learn(rows)
    stopped.learn(rows)
    resumed.load_state_dict(stopped.state_dict())
    resumed.learn(rows)  # with the momentum of the first step
    for one, other in zip(unbroken.heads.parameters(), resumed.heads.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_papers_head_is_one_linear_layer() -> None:
    head = Irene().start(setting(128, 10)).heads[0]
    assert isinstance(head, nn.Linear)
    assert head.weight.shape == (10, 128)


def test_the_kernel_head_has_something_to_remove_and_plain_has_nothing() -> None:
    rows = batch()
    assert Kernel().start(setting()).terms(rows).removal["v"] > 0
    assert Kernel(conditional=True).start(setting()).terms(rows).removal["v"] > 0
    assert Plain().start(setting()).terms(rows).removal == {}
