"""A model that trains itself while it is read is caught."""

import pytest
import torch
from torch import Tensor, nn

from audit.errors import BottleneckError
from audit.model.structure.eval_mode import evaluating, require_evaluating


@pytest.mark.parametrize("depth", ["", "inner."])
def test_a_model_that_puts_itself_in_train_mode_is_caught_by_name_and_put_back(depth: str) -> None:
    class Stubborn(nn.BatchNorm1d):
        def forward(self, x: Tensor) -> Tensor:
            self.train()
            return super().forward(x)

    norm: nn.Module = nn.Sequential(Stubborn(4))
    model = (nn.ModuleDict({"inner": norm}) if depth else norm).eval()
    with pytest.raises(BottleneckError, match=f"puts '{depth}0' in train mode"), evaluating(model):
        require_evaluating(model)  # nothing ran yet
        norm(torch.randn(3, 4))
        require_evaluating(model)
    assert not any(module.training for module in model.modules())
