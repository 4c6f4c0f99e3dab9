"""Whole audits of models whose shapes or answers were once taken for something else, each with its right value."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from audit.data.labelled import LabelledData, labelled
from audit.errors import BottleneckError, DataError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.verdict import MEAN_HIDES
from audit.model.forward import Encoder
from audit.model.representations import extract
from audit.run import audit
from audit.settings import Settings
from sanitizer.job import TrainingJob
from sanitizer.training.forward import require_trainable

N = 1200
QUICK = Settings(attackers=("logistic",), bootstrap=100, null_refits=2, ceiling=False)
SEX = np.random.default_rng(0).integers(0, 2, N)
SIGN = torch.tensor(SEX * 2.0 - 1).float()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def noise(*shape: int) -> Tensor:
    return 0.5 * torch.randn(N, *shape, generator=torch.Generator().manual_seed(1))


def rows(x: Tensor, **more: object) -> LabelledData:
    return labelled(x, {"sex": ["mf"[one] for one in SEX], **more})


def read(model: nn.Module | Encoder, x: Tensor, *layers: str) -> list[Finding]:
    return audit(model, rows(x), private="sex", layer=layers, settings=QUICK).private


def reads(finding: Finding) -> float:
    return finding.measurement.score.value


class Waves(nn.Module):
    """A1: channels that cancel out in their mean; the answer is a mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(1, 8, 1, bias=False), nn.Linear(8, 2)
        self.conv.weight.data[:, 0, 0] = torch.tensor([1.0, -1.0] * 4)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.conv(x).mean(2))
        return scores


def test_a1_maps_of_a_one_dimensional_convolution_are_averaged_over_time() -> None:
    x = noise(1, 16) + SIGN[:, None, None] * 0.6
    result = audit(Waves(), rows(x), private="sex", layer=["conv", "fc:input"], settings=QUICK)
    conv, before = result.private
    assert conv.measurement.width == before.measurement.width == 8
    assert reads(conv) == reads(before) > 0.98
    assert (conv.decided.verdict, before.decided.verdict) == ("FAIL", "FAIL")
    assert result.warnings[0] == "conv: channels first, by Conv1d; mean over 16 positions"


class Last(nn.Module):
    """A2: maps with their channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.head = nn.Identity(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.norm(x).mean((1, 2)))
        return scores


def test_a2_maps_with_their_channels_last_are_averaged_over_positions() -> None:
    x = noise(6, 6, 4)
    x[..., 0] += 0.5 * SIGN[:, None, None]
    x[..., 1] -= 0.5 * SIGN[:, None, None]
    result = audit(Last(), rows(x), private="sex", layer=["norm", "head:input"], settings=QUICK)
    norm, head = result.private
    assert norm.measurement.width == head.measurement.width == 4
    assert reads(norm) == reads(head) > 0.98
    assert "norm: channels last, by linear; mean over 36 positions" in result.warnings
    alone = nn.Sequential(nn.Identity())
    with pytest.raises(BottleneckError, match="nothing in the model says which axis holds its channels"):
        read(alone, x, "0")
    (told,) = read(Encoder(alone, "channels-last"), x, "0")
    assert (told.measurement.width, reads(told)) == (4, reads(norm))


class Deviations(nn.Module):
    """A2: takes mean and deviation over time, as encoders of speakers do; the mean alone knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv1d(4, 4, 1), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        scores: Tensor = self.fc(torch.cat([z.mean(2), z.std(2)], dim=1))
        return scores


def test_a2_a_mean_is_no_pass_where_the_model_takes_more_of_its_positions_unless_the_mean_is_asked_for() -> None:
    x = noise(4, 40) * (1 + 0.5 * (SIGN > 0))[:, None, None]
    x = x - x.mean(dim=2, keepdim=True) + noise(4, 1)
    settings = replace(QUICK, attackers=("logistic", "products"), limit=0.15)
    result = audit(Deviations(), rows(x), private="sex", layer=["conv", "fc:input"], settings=settings)
    mean, behind = result.private
    assert (reads(mean) < 0.6, behind.decided.verdict) == (True, "FAIL")
    assert (mean.decided.verdict, mean.decided.reason) == ("INCONCLUSIVE", MEAN_HIDES)
    assert "the model's answer depends on more of them than their mean" in result.warnings[0]
    asked = Encoder(Deviations(), "channels-first")
    (mean,) = audit(asked, rows(x), private="sex", layer="conv", settings=settings).private
    assert (mean.decided.verdict, mean.measurement.mean_hides) == ("PASS", False)


def test_a2_a_mean_is_no_pass_where_every_position_leaves_the_model() -> None:
    sign = SIGN[:, None]
    x = noise(2, 8)
    x[:, 0, :4] += sign
    x[:, 0, 4:] -= sign  # the mean is without it
    settings = replace(QUICK, attackers=("logistic",), limit=0.15)
    for layer in ((), "logits", "0"):
        result = audit(nn.Sequential(nn.Conv1d(2, 2, 1)), rows(x), private="sex", layer=layer, settings=settings)
        (mean,) = result.private
        assert reads(mean) < 0.6
        assert (mean.decided.verdict, mean.decided.reason) == ("INCONCLUSIVE", MEAN_HIDES)
        assert any("the model gives out every position" in one for one in result.warnings)
    (found,) = audit(Encoder(nn.Conv1d(2, 2, 1), "flatten"), rows(x), private="sex", settings=settings).private
    assert (found.decided.verdict, reads(found) > 0.9) == ("FAIL", True)
    (mean,) = audit(Encoder(nn.Conv1d(2, 2, 1), "channels-first"), rows(x), private="sex", settings=settings).private
    assert not mean.measurement.mean_hides, "the mean is what leaves, as somebody said"


class Mixing(nn.Module):
    """A2: mixes the steps of time, and then takes all steps of all features: a mean over features is nobody's."""

    def __init__(self, mix: nn.Module, axis: int) -> None:
        super().__init__()
        self.mix, self.axis, self.fc = mix, axis, nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(torch.relu(self.mix(x.transpose(1, self.axis))).flatten(1))
        return scores


@pytest.mark.parametrize(
    ("mix", "axis"),
    [(lambda: nn.Linear(6, 5), 2), (lambda: nn.BatchNorm1d(6), 1), (lambda: nn.Conv1d(6, 3, 1), 1)],
    ids=["linear", "norm", "conv"],
)
def test_a2_what_a_model_flattens_is_not_averaged_unasked(mix: Callable[[], nn.Module], axis: int) -> None:
    x = noise(6, 4) + 0.5 * SIGN[:, None, None] * torch.tensor([1.0, -1.0, 1.0, -1.0])
    model = Mixing(mix(), axis)
    model(x[:2])
    with pytest.raises(BottleneckError, match=r"takes all of it, position by position.*--pool flatten"):
        read(model, x, "mix")
    (whole,) = read(Encoder(model, pool="flatten"), x, "mix")
    assert reads(whole) > 0.85


class Recurrent(nn.Module):
    """A3: what a recurrent layer returns, time first or not, one way or both."""

    def __init__(self, *, batch_first: bool, bidirectional: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 3, 2, batch_first=batch_first, bidirectional=bidirectional)
        self.fc = nn.Linear(3 * (1 + bidirectional), 2)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x if self.lstm.batch_first else x.transpose(0, 1))
        scores: Tensor = self.fc(output[:, -1] if self.lstm.batch_first else output[-1])
        return scores


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a3_a_recurrent_layer_is_read_by_rows_whatever_comes_first(batch_first: bool, bidirectional: bool) -> None:
    model = Recurrent(batch_first=batch_first, bidirectional=bidirectional)
    x = noise(8, 4)
    x[..., 0] += SIGN[:, None]
    encoder = Encoder(model, batch_size=8)  # as long as time
    with pytest.raises(BottleneckError, match=r"takes position -1 of its 8.*--pool last.*fc:input"):
        read(encoder, x, "lstm[0]")
    (step,) = read(replace(encoder, pool="last"), x, "lstm[0]")
    state, before = read(encoder, x, "lstm[1][0]", "fc:input")
    width = 3 * (1 + bidirectional)
    assert [one.measurement.width for one in (step, state, before)] == [width] * 3
    assert reads(step) == reads(before) > 0.9
    assert reads(state) > 0.9
    if not bidirectional:  # the last state is the last output
        assert reads(state) == reads(before)


class Placed(nn.Module):
    """What a model takes at one place, or by weights of each place, of a map or of tokens."""

    def __init__(self, body: nn.Module, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.end, self.fc = body, end, nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.end(self.body(x)))
        return scores


def test_a_mean_that_would_hide_a_class_token_is_asked_about_and_the_word_for_it_reads_what_the_model_takes() -> None:
    x = noise(40, 4)
    x[:, 0, 0] += SIGN
    model = Placed(nn.LayerNorm(4), lambda z: z[:, 0])
    model(x[:2])
    with pytest.raises(
        BottleneckError, match=r"takes position 0 of its 40, .*--pool first or --pool flatten.*fc:input"
    ):
        read(model, x, "body")
    (token,), (before,) = read(Encoder(model, pool="first"), x, "body"), read(model, x, "fc:input")
    assert reads(token) == reads(before) > 0.9
    (told,) = read(Encoder(model, pool="channels-last"), x, "body")
    assert reads(told) < 0.7, "the mean hides it"


def test_a_mean_that_would_hide_halves_which_cancel_out_is_asked_about() -> None:
    x = noise(4, 4, 4)
    x[..., :2] += SIGN[:, None, None, None]
    x[..., 2:] -= SIGN[:, None, None, None]
    body, whole = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 4, groups=4)
    model = Placed(body, lambda z: whole(z).flatten(1))
    model(x[:2])
    with pytest.raises(BottleneckError, match=r"weighs each position by a weight of its own, .*--pool flatten"):
        read(model, x, "body")
    (flat,), (told,) = (
        read(Encoder(model, pool="flatten"), x, "body"),
        read(Encoder(model, "channels-first"), x, "body"),
    )
    assert reads(flat) > 0.95
    assert reads(told) < 0.6, "the mean hides it"


class Text(nn.Module):
    """A4: words, each of them itself; the first says the sex, and padding says nothing of it."""

    def __init__(self, padding: int | None) -> None:
        super().__init__()
        self.words = nn.Embedding(12, 3, padding_idx=padding)
        with torch.no_grad():
            self.words.weight[0] = torch.tensor([8.0, 0.0, 8.0])

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.words(x)
        return found


def texts() -> tuple[Tensor, Tensor]:
    """Return tokens of unlike lengths, filled up by 0, and their lengths."""
    g = torch.Generator().manual_seed(2)
    x, length = torch.randint(1, 12, (N, 9), generator=g), torch.randint(2, 10, (N,), generator=g)
    return torch.where(torch.arange(9) < length[:, None], x, 0), length


def test_a4_padding_stays_out_of_the_mean_and_is_asked_about_where_nobody_says() -> None:
    x, length = texts()
    columns = {"length": ["short" if one < 5 else "long" for one in length.tolist()]}
    data = labelled(x, columns)

    def score(model: nn.Module | Encoder) -> AuditResult:
        return audit(model, data, private="length", layer="words", settings=QUICK)

    model = Text(padding=0)
    with torch.no_grad():
        kept = (x != 0)[..., None]
        wanted = (model(x) * kept).sum(1) / kept.sum(1)
    known = score(model)
    found = extract(Encoder(model), data, ["words"]).z["words"]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)
    assert reads(known.private[0]) < 0.8, "the mean of so few random words says little of their number"
    assert "token 0 is padding, and stays out of means" in known.warnings
    untold = Text(padding=None)
    untold.load_state_dict(model.state_dict())
    with pytest.raises(DataError, match=r"Token 0 .* looks like padding.*--padding 0, or --padding none"):
        score(untold)
    assert reads(score(Encoder(untold, padding=0)).private[0]) == reads(known.private[0])
    assert reads(score(Encoder(untold, padding="none")).private[0]) > 0.95, "the share of padding is the length"
    with pytest.raises(DataError, match="not of tokens"):
        audit(Encoder(Waves(), padding=0), rows(noise(1, 16)), private="sex", layer="conv", settings=QUICK)


class Masked(nn.Module):
    """A4: averages its tokens where a mask says so, by a convention of its own; beyond the text is noise."""

    def __init__(self, is_text: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body, self.fc, self.is_text = nn.Linear(4, 4), nn.Linear(4, 2), is_text

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        kept = self.is_text(attention_mask).float()[..., None]
        scores: Tensor = self.fc((self.body(x) * kept).sum(1) / kept.sum(1))
        return scores


def test_a4_a_mask_is_taken_where_the_models_answer_shows_that_it_is_0_for_padding() -> None:
    text = torch.arange(12) < torch.randint(3, 6, (N, 1), generator=torch.Generator().manual_seed(3))
    x = noise(12, 4)
    x[..., 0] += torch.where(text, 0.4 * SIGN[:, None], 0.0)

    def score(is_text: Callable[[Tensor], Tensor], mask: Tensor, *layers: str) -> list[Finding]:
        data = labelled({"x": x, "attention_mask": mask}, {"sex": ["mf"[one] for one in SEX]})
        return audit(Masked(is_text), data, private="sex", layer=layers, settings=QUICK).private

    body, before = score(lambda mask: mask == 1, text.long(), "body", "fc:input")
    assert reads(body) > 0.85
    assert abs(reads(body) - reads(before)) < 0.02
    with pytest.raises(
        BottleneckError, match="goes by what stands where it is 0, and not by what stands where it is 1"
    ):
        score(lambda mask: mask == 0, (~text).long(), "body")
    assert reads(score(lambda mask: mask == 0, (~text).long(), "fc:input")[0]) > 0.85, "no mean is asked for"
    additive = torch.where(text, 0.0, -1e4)
    with pytest.raises(BottleneckError, match=r"1 for text and 0 for padding, and holds -10000"):
        score(lambda mask: mask == 0, additive, "body")
    assert reads(score(lambda mask: mask == 0, additive, "fc:input")[0]) > 0.85
    with pytest.raises(BottleneckError, match="goes by what stands where it is 0, so a mean"):
        score(torch.ones_like, text.long(), "body")
    x[~text] = 0.0
    assert reads(score(torch.ones_like, text.long(), "body")[0]) > 0.85, "padding that is one and the same"


class Parsed(nn.Module):
    """A4: takes its tokens as floats, or with their mask beside them, as a table or a stack hands them on."""

    def __init__(self, padding: int | None) -> None:
        super().__init__()
        self.text = Text(padding)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.text((x if x.ndim == 2 else x[:, 0]).long())
        return found


def test_a4_padding_among_floats_or_beside_a_mask_is_left_out_or_asked_about() -> None:
    x, length = texts()
    columns = {"length": ["short" if one < 5 else "long" for one in length.tolist()]}

    def score(model: nn.Module | Encoder, inputs: Tensor) -> AuditResult:
        return audit(model, labelled(inputs, columns), private="length", layer="text.words", settings=QUICK)

    model = Parsed(0)
    known, floats = score(model, x), score(model, x.float())
    assert reads(floats.private[0]) == reads(known.private[0]) < 0.8
    with pytest.raises(DataError, match=r"Token 0 .* looks like padding"):
        score(Parsed(None), x.float())
    assert reads(score(Encoder(Parsed(None), padding=0), x.float()).private[0]) < 0.8
    stacked = torch.stack([x, (x != 0).long()], dim=1)
    with pytest.raises(DataError, match="only a part of its input"):
        score(Parsed(0), stacked)
    assert reads(score(Encoder(Parsed(0), padding="none"), stacked).private[0]) > 0.95


class Encoding(nn.Module):
    """A5: the sex leaves in the projection, and an unused pooler runs last."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.projection, self.pooler = nn.Conv1d(4, 6, 1), nn.Linear(6, 20), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x).mean(2)
        found: Tensor = self.projection(h)
        self.pooler(0 * h)
        return found


def test_a5_what_leaves_an_encoder_without_a_classifier_is_audited() -> None:
    x = noise(4, 5)
    x[:, 0] += SIGN[:, None]
    (finding,) = read(Encoding(), x)
    assert (finding.layer, finding.measurement.width) == ("logits", 20)
    told = audit(Encoding(), rows(x), private="sex", settings=QUICK).warnings
    assert told[0] == "no layer was named, so what leaves the model (logits) was audited"
    assert reads(finding) > 0.95
    (maps,) = read(nn.Sequential(nn.Conv1d(4, 6, 1), nn.ReLU()), x)
    assert (maps.layer, maps.measurement.width) == ("logits", 6)
    assert reads(maps) > 0.95


class Sampled(nn.Module):
    """A5 and C2: a variational encoder, which returns a random sample."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.mean(x)
        return mean + 2 * torch.randn_like(mean)


def test_a5_the_random_sample_of_an_encoder_is_refused_and_its_mean_is_not() -> None:
    x = noise(4)
    x[:, 0] += SIGN
    with pytest.raises(BottleneckError, match="depends on chance"):
        read(Sampled(), x)
    (mean,) = read(Sampled(), x, "mean")
    (averaged,) = read(Encoder(Sampled(), passes=100), x)
    assert reads(mean) > 0.9
    assert averaged.layer == "logits"
    assert 0.6 < reads(averaged) < reads(mean) + 0.05


class Scorer(nn.Module):
    """C1: one score, sure of the class; behind a sigmoid or not."""

    def __init__(self, *, sigmoid: bool) -> None:
        super().__init__()
        self.fc, self.sigmoid = nn.Linear(2, 1), sigmoid
        with torch.no_grad():
            self.fc.weight[:] = torch.tensor([[3.0, 0.0]])
            self.fc.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.fc(x)
        return torch.sigmoid(score) if self.sigmoid else score


def test_c1_a_sigmoid_is_cut_at_one_half_so_that_the_task_and_the_floor_are_right() -> None:
    y = np.where(np.random.default_rng(3).random(N) < 0.9, SEX, 1 - SEX)
    x = 0.5 * noise(2)
    x[:, 0] += torch.tensor(2.0 * y - 1)
    data = rows(x, y=["ny"[one] for one in y])

    def result(model: nn.Module) -> AuditResult:
        return audit(model, data, private="sex", task="y", layer="fc:input", settings=QUICK)

    logits, sigmoid = result(Scorer(sigmoid=False)), result(Scorer(sigmoid=True))
    assert logits.task is not None and sigmoid.task is not None
    assert sigmoid.task.accuracy == logits.task.accuracy
    assert sigmoid.task.accuracy.value > 0.98
    floors = [one.private[0].measurement.floor_score.value for one in (logits, sigmoid)]
    assert floors[0] == floors[1] > 0.85
    assert sigmoid.private[0].decided.verdict == logits.private[0].decided.verdict
    assert [one for one in sigmoid.warnings if "cut at 0.5" in one]


class Dropping(nn.Module):
    """C2: dropout that stays on."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(functional.dropout(x, 0.9))
        return scores


def test_c2_dropout_left_on_is_refused_or_averaged() -> None:
    x = noise(16) + 0.12 * SIGN[:, None]
    with pytest.raises(BottleneckError, match=r"depends on chance.*--passes 16"):
        read(Dropping(), x, "fc:input")
    (whole,) = read(nn.Sequential(nn.Identity()), x, "0")
    (averaged,) = read(Encoder(Dropping(), passes=200), x, "fc:input")
    assert reads(whole) > 0.75
    assert reads(averaged) > reads(whole) - 0.06


def test_c2_a_norm_over_the_batch_is_refused() -> None:
    model = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 2))
    with pytest.raises(BottleneckError, match="depends on its batch"):
        read(model, noise(16), "2:input")


class Sorting(nn.Module):
    """C2: texts are packed by their lengths, and the layer's rows with them; the scores are put back in order."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        lengths, order = torch.sort((x.abs().sum(2) > 0).sum(1), descending=True)
        packed = nn.utils.rnn.pack_padded_sequence(x[order], lengths.cpu(), batch_first=True)
        scores: Tensor = self.fc(self.rnn(packed)[1][-1])[order.argsort()]
        return scores


@pytest.mark.parametrize(("layer", "share"), [("rnn[1]", 0.02), ("fc:input", 0.02), ("fc:input", 0.5)])
def test_c2_rows_that_the_model_sorts_are_refused_however_few_are_short(layer: str, share: float) -> None:
    g = np.random.default_rng(5)
    long = np.where(g.random(N) < share, g.integers(3, 11, N), 12)
    x = torch.from_numpy((0.3 * g.normal(size=(N, 12, 3)) + SIGN.numpy()[:, None, None]).astype(np.float32))
    x[np.arange(12)[None] >= long[:, None]] = 0
    with pytest.raises(BottleneckError, match=r"sort its rows|depends on its batch"):
        read(Sorting(), x, layer)
    (found,) = read(Sorting(), x, "logits")
    assert reads(found) > 0.95


def test_c2_a_model_that_sorts_its_rows_is_not_sanitized() -> None:
    x = noise(12, 3) + SIGN[:, None, None]
    x[::40, 6:] = 0
    data = rows(x, y=["ny"[one] for one in (x[:, 0, 0] > 0).int().tolist()])
    job = TrainingJob(data, "y", "fc:input", private=["sex"])
    with pytest.raises(BottleneckError, match=r"sort its rows|depends on its batch"):
        require_trainable(Sorting(), job)


PROGRAM = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, sigmoid=True, drop=False):
        super().__init__()
        self.body, self.fc, self.sigmoid, self.drop = nn.Linear(4, 6), nn.Linear(6, 1), sigmoid, drop

    def forward(self, x):
        x = nn.functional.dropout(x, 0.5) if self.drop else x
        score = self.fc(torch.relu(self.body(x)))
        return torch.sigmoid(score) if self.sigmoid else 1 / (1 + torch.exp(-score))

def plain():
    return lambda frame: frame.to_numpy("float32")
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of people, weights of a net of one output, and the options that name them."""
    import runpy  # noqa: PLC0415 - the program of a user

    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(PROGRAM, encoding="utf-8")
    torch.save(runpy.run_path("net.py")["Net"]().state_dict(), "model.pt")
    g = np.random.default_rng(0)
    x = g.normal(size=(N, 4)) + SEX[:, None]
    job = (x[:, 0] + x[:, 1] > 1).astype(int)
    lines = ["a,b,c,d,sex,job,split"]
    for row, numbers in enumerate(x.round(4).tolist()):
        cells = [*map(str, numbers), "mf"[SEX[row]], "ny"[job[row]], ("train", "audit")[row % 2]]
        lines.append(",".join(cells))
    Path("rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = "--features a,b,c,d --transform net.py:plain --task job --private sex"
    return f"model.pt --arch net.py:Net --data rows.csv {columns}"


def test_c1_sanitize_trains_a_net_behind_a_sigmoid_by_its_logit(table: str, run: Callable[..., Result]) -> None:
    done = run(f"sanitize {table} --epochs 9 --batch-size 64 --lr 0.02 --allow-chance -o clean.pt")
    assert done.exit_code == 0, done.output
    assert "balanced accuracy of the task" in done.output
    after = run(f"audit {table.replace('model.pt', 'clean.pt')} --attackers logistic --no-ceiling -o after.json")
    assert after.exit_code == 0, after.output
    result = AuditResult.model_validate_json(Path("after.json").read_text(encoding="utf-8"))
    assert result.task is not None and result.task.accuracy.value > 0.75, "chance is one half"


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ("--arch-arg sigmoid=false", "Say which: --scores probabilities or --scores logits"),
        ("--arch-arg drop=true", "depends on chance"),
    ],
)
def test_sanitize_and_audit_refuse_in_one_line_what_they_cannot_read(
    options: str, fact: str, table: str, run: Callable[..., Result]
) -> None:
    for command in ("sanitize", "audit"):
        quick = "--epochs 0 --batch-size 64 -o clean.pt" if command == "sanitize" else "--attackers logistic -o a.json"
        done = run(f"{command} {table} {options} {quick}")
        assert done.exit_code == 1
        (line,) = done.stderr.strip().splitlines()
        assert fact in line
        assert ("--passes" in line) == (command == "audit" and "chance" in fact), "sanitize has no such option"
        assert not Path("clean.pt").exists() and not Path("a.json").exists()


def test_the_options_reach_the_encoder(table: str, run: Callable[..., Result]) -> None:
    said = f"audit {table} --arch-arg sigmoid=false --scores probabilities --attackers logistic --no-ceiling -o a.json"
    assert run(said).exit_code == 0
    assert "as was said, and cut at 0.5" in Path("a.json").read_text(encoding="utf-8")
    averaged = f"audit {table} --arch-arg drop=true --passes 8 --attackers logistic --no-ceiling -o b.json"
    assert run(averaged).exit_code == 0
    assert "the mean over 8 passes" in Path("b.json").read_text(encoding="utf-8")
    wrong = run(f"audit {table} --padding pad -o c.json")
    assert (wrong.exit_code, "'pad' is no token's number" in wrong.stderr) == (2, True)
    tokens = run(f"audit {table} --padding 0 -o c.json")
    assert (tokens.exit_code, "not of tokens" in tokens.stderr) == (1, True)


class Flipped(Dataset[Tensor]):
    """C2: rows as a transform of training gives them, one in ten of them turned round."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int) -> Tensor:
        return self.x[row].flip(0) if torch.rand(()) < 0.1 else self.x[row]


def test_c2_rows_that_differ_each_time_they_are_read_are_refused_and_the_same_rows_as_they_are_are_read() -> None:
    x = noise(8)
    x[:, 0] += 2 * SIGN
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    data = labelled(Flipped(x), {"sex": SEX})
    with pytest.raises(DataError, match=r"differ each time that they are read: a transform .* of evaluation\.$"):
        audit(model, data, private="sex", layer="0", settings=QUICK)
    (found,) = read(model, x, "0")
    assert reads(found) > 0.95
