import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sanitizer.information import mutual_information
from sanitizer.methods.irene import Irene, IreneRemoval
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.plain import Plain


def batch(n: int = 60, d: int = 6, k: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator), torch.randint(k, (n,), generator=generator)


def started(**settings: object) -> IreneRemoval:
    torch.manual_seed(0)
    return Irene(**settings).start(6, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_the_information_term_never_reaches_the_head(head: str) -> None:
    removal = started(head=head)
    z, v = batch()
    z.requires_grad_()
    removal.penalty(z, v).backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in removal.head.parameters())


def test_the_penalty_is_the_information_in_the_heads_own_prediction() -> None:
    removal = started()
    z, v = batch()
    expected = mutual_information(removal.scores(z).softmax(dim=1), v)
    assert torch.equal(removal.penalty(z, v), expected)


def test_the_head_steps_on_its_own_cross_entropy_alone() -> None:
    removal, twin = started(), started()
    z, v = batch()
    z.requires_grad_()
    removal.penalty(z, v).backward()  # type: ignore[no-untyped-call]
    removal.learn(z, v)
    optimizer = torch.optim.SGD(twin.head.parameters(), lr=0.1, momentum=0.9)
    functional.cross_entropy(twin.head(z.detach()), v).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for ours, plain in zip(removal.head.parameters(), twin.head.parameters(), strict=True):
        assert torch.equal(ours, plain)


def test_learning_sends_nothing_back_to_the_encoder() -> None:
    encoder = nn.Linear(4, 6)
    x, v = batch(d=4)
    started().learn(encoder(x), v)
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_the_head_takes_one_step_an_iteration_in_the_paper_and_more_where_asked() -> None:
    z, v = batch()
    once, twice = started(), started(inner_steps=2)
    once.learn(z, v)
    once.learn(z, v)
    twice.learn(z, v)
    for one, other in zip(once.head.parameters(), twice.head.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_papers_head_is_one_linear_layer() -> None:
    head = Irene().start(128, 10).head
    assert isinstance(head, nn.Linear)
    assert head.weight.shape == (10, 128)


def test_the_kernel_head_has_something_to_remove_and_plain_has_nothing() -> None:
    z, v = batch()
    kernel = Kernel().start(6, 3)
    assert kernel.penalty(z, v) > 0
    assert Plain().start(6, 3).penalty(z, v) == 0
