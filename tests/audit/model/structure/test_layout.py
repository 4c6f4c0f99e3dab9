"""A value becomes one vector a row by its axes, never by a guess, and padding stays out of a mean."""

import pytest
import torch

from audit.errors import BottleneckError
from audit.model.structure.layout import Layout, Pool, Pooling, pooled


def test_the_mean_is_over_positions_wherever_the_channels_are() -> None:
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(pooled("a", x, "mean", Layout(0, 1)), x.mean(dim=(2, 3)))
    torch.testing.assert_close(pooled("a", x, "mean", Layout(0, 3)), x.mean(dim=(1, 2)))
    torch.testing.assert_close(pooled("a", x, "channels-last", Layout()), x.mean(dim=(1, 2)))
    torch.testing.assert_close(pooled("a", x, "channels-first", Layout()), x.mean(dim=(2, 3)))
    t = torch.randn(6, 2, 5)
    torch.testing.assert_close(pooled("a", t, "time-first", Layout()), t.mean(dim=0))
    assert torch.equal(pooled("a", t, "first", Layout(1, 2)), t[0])
    assert torch.equal(pooled("a", t, "flatten", Layout(1)), t.movedim(1, 0).flatten(1))
    assert torch.equal(pooled("a", t.movedim(0, 1), "first", Layout(0, 2)), t[0])


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_channels_that_nobody_knows_are_asked_for(pool: Pool) -> None:
    with pytest.raises(BottleneckError, match=r"'a' gives a value of shape \[2, 3, 4\].*--pool channels-first"):
        pooled("a", torch.randn(2, 3, 4), pool, Layout())
    with pytest.raises(BottleneckError, match="no first token"):
        pooled("a", torch.randn(2, 3, 4, 4), "first", Layout(0, 1))


def test_where_there_is_one_position_nothing_is_asked() -> None:
    x = torch.randn(2, 3, 1, 1)
    assert torch.equal(pooled("a", x, "mean", Layout()), x[:, :, 0, 0])
    assert torch.equal(pooled("a", x.movedim(1, 3), "mean", Layout()), x[:, :, 0, 0])


def test_the_last_state_of_a_recurrent_layer_is_that_of_its_last_layer_both_ways() -> None:
    state = torch.randn(4, 3, 5)  # two layers of two directions
    found = pooled("a", state, "mean", Layout(1, directions=2))
    assert torch.equal(found, torch.cat([state[2], state[3]], dim=1))
    assert pooled("a", state, "flatten", Layout(1, directions=2)).shape == (3, 20)


TOKENS = torch.tensor([[5, 6, 7, 0], [5, 0, 0, 0], [8, 9, 5, 6]])


def test_padding_stays_out_of_the_mean_of_any_layout() -> None:
    x, filled = torch.randn(3, 4, 2), Pooling(padding=0).filled({"x": TOKENS})
    assert filled is not None
    wanted = torch.stack([x[0, :3].mean(0), x[1, 0], x[2].mean(0)])
    torch.testing.assert_close(pooled("a", x, "mean", Layout(0, 2), filled=filled), wanted)
    torch.testing.assert_close(pooled("a", x.movedim(1, 2), "mean", Layout(0, 1), filled=filled), wanted)
    torch.testing.assert_close(pooled("a", x.movedim(1, 0), "mean", Layout(1, 2), filled=filled), wanted)
    broken = x.clone()
    broken[1, 2] = torch.nan  # what a model gives at padding is nobody's business
    torch.testing.assert_close(pooled("a", broken, "mean", Layout(0, 2), filled=filled), wanted)


def test_the_first_token_is_the_first_that_is_not_padding() -> None:
    x = torch.randn(3, 4, 2)
    left = TOKENS.flip(1)  # 0 comes first
    found = pooled("a", x, "first", Layout(0, 2), filled=left == 0)
    assert torch.equal(found, torch.stack([x[0, 1], x[1, 3], x[2, 0]]))
    longer = torch.randn(3, 5, 2)  # a class token in front
    assert torch.equal(pooled("a", longer, "first", Layout(0, 2), filled=TOKENS == 0), longer[:, 0])


def test_padding_that_cannot_be_found_again_is_told() -> None:
    with pytest.raises(BottleneckError, match="5 positions for 4 tokens"):
        pooled("a", torch.randn(3, 5, 2), "mean", Layout(0, 2), filled=TOKENS == 0)
    with pytest.raises(BottleneckError, match="1 of 3 inputs in a batch are nothing but padding"):
        pooled("a", torch.randn(3, 4, 2), "mean", Layout(0, 2), filled=torch.tensor([[True] * 4] + [[False] * 4] * 2))


def test_padding_is_of_tokens_alone() -> None:
    assert Pooling(padding=0).filled({"x": torch.zeros(3, 4)}) is None
    assert Pooling().filled({"x": TOKENS}) is None


@pytest.mark.parametrize(
    ("layout", "pool", "told"),
    [
        (Layout(0, 1, "Conv1d", shape=(3, 8, 16)), "mean", "a: channels first, by Conv1d; mean over 16 positions"),
        (Layout(0, 3, "RMSNorm", shape=(3, 6, 6, 4)), "mean", "a: channels last, by RMSNorm; mean over 36 positions"),
        (Layout(1, 2, "LSTM", shape=(9, 3, 4)), "mean",
         "a: channels last, time before rows, by LSTM; mean over 9 positions"),
        (Layout(0, 2, "LayerNorm", shape=(3, 9, 4)), "first",
         "a: channels last, by LayerNorm; the first of 9 positions"),
        (Layout(1, directions=1, shape=(2, 3, 4)), "mean", "a: the last state of a recurrent layer, the last layer"),
    ],
)  # fmt: skip
def test_what_was_taken_for_what_is_told(layout: Layout, pool: Pool, told: str) -> None:
    assert Pooling(pool, {"a": layout}).notes == [told]
    assert Pooling("flatten", {"a": Layout(0, 1, "Conv1d", shape=(3, 8, 16)), "b": Layout(shape=(3, 4))}).notes == []
