"""A model that takes several tensors, or returns more than scores, is run as it is, and its errors take one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from support.planted import FEW
from torch import Tensor, nn, save

import irene
from audit.data.model_input import digest, stacked
from audit.errors import DataError, IreneError
from audit.model.forward import Encoder
from audit.model.representations import extract
from audit.model.structure.call import arguments
from audit.model.structure.listing import suggest

N, T = 600, 6
DRAW = np.random.default_rng(0)
SEX, Y = DRAW.integers(0, 2, N), DRAW.integers(0, 2, N)
LENGTHS = DRAW.integers(1, T + 1, N)
MASK = torch.as_tensor((np.arange(T) < LENGTHS[:, None]).astype(np.int64))
TOKENS = torch.as_tensor(DRAW.integers(4, 20, (N, T))) * MASK + 2 * MASK * torch.as_tensor(SEX)[:, None] % 3
IMAGES, NUMBERS = torch.randn(N, 3, 8, 8), torch.randn(N, 4) + torch.as_tensor(SEX).float()[:, None] * 3


class Rows:
    """Rows of several tensors, by name or in order."""

    def __init__(self, row: Callable[[int], Any]) -> None:
        self.row = row

    def __len__(self) -> int:
        return N

    def __getitem__(self, row: int, /) -> Any:
        return self.row(row)


def data(row: Callable[[int], Any]) -> Any:
    return irene.labelled(Rows(row), {"sex": SEX, "y": Y})


BY_NAME = data(lambda row: {"input_ids": TOKENS[row], "attention_mask": MASK[row]})
IN_ORDER = data(lambda row: (IMAGES[row], NUMBERS[row]))


@dataclass
class Out:
    """What a model returns, as a library's data class."""

    last: Tensor
    logits: Tensor


class Text(nn.Module):
    """Tokens and their mask to class scores, by the mean over what is no padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(32, 5)
        self.encoder = nn.TransformerEncoderLayer(5, 1, 8, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Out:
        h = self.encoder(self.embedding(input_ids), src_key_padding_mask=attention_mask == 0)
        kept = attention_mask[:, :, None].to(h.dtype)
        mean = (h.nan_to_num() * kept).sum(1) / kept.sum(1)
        return Out(h, self.head(mean))


class Two(nn.Module):
    """An image and a few numbers to forty scores and a depth."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.wide, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.Linear(8, 40)

    def forward(self, image: Tensor, numbers: Tensor) -> dict[str, Any]:
        joined = torch.cat([self.conv(image).mean((2, 3)), self.wide(numbers)], dim=1)
        return {"heads": {"labels": self.head(joined)}, "depth": image.mean((1, 2, 3))}


def test_a_mapping_goes_to_the_arguments_of_its_names_and_a_tuple_by_place() -> None:
    x: Mapping[str, Tensor] = {"attention_mask": MASK[:2], "input_ids": TOKENS[:2]}
    args, named = arguments(Text(), x)
    assert (args, list(named)) == ((), ["attention_mask", "input_ids"])
    assert arguments(Two(), (IMAGES[:2], NUMBERS[:2]))[0][1] is not None

    class One(nn.Module):
        def forward(self, batch: Any) -> Any:
            return batch

    assert arguments(One(), x) == (({**x},), {}), "it takes one mapping"
    assert arguments(One(), (IMAGES, NUMBERS)) == (((IMAGES, NUMBERS),), {}), "it takes one tuple"
    with pytest.raises(
        DataError, match=r"The rows have .*token_type_ids.* takes attention_mask, input_ids. Give rows w"
    ):
        arguments(Text(), {**x, "token_type_ids": MASK})
    with pytest.raises(
        DataError, match="Each row has 3 tensors, and the model's forward\\(\\) takes 2: image, numbers"
    ):
        arguments(Two(), (IMAGES, NUMBERS, NUMBERS))


def test_a_model_of_tokens_and_a_mask_is_audited_and_its_padding_stays_out_of_means() -> None:
    torch.manual_seed(0)
    model = Text().eval()
    features = extract(Encoder(model), BY_NAME, ["encoder", "head:input"], task="y", columns=["sex", "y"])
    assert np.abs(features.z["encoder"] - features.z["head:input"]).max() < 1e-6, "the model's own mean"
    assert "tokens that attention_mask leaves out stay out of means" in features.notes
    assert "the scores of 'y' are what the model returns as 'logits'" in features.notes
    with torch.inference_mode():
        assert features.predicted is not None
        assert np.array_equal(features.predicted, model(TOKENS, MASK).logits.argmax(1).numpy())
    first = stacked([BY_NAME.inputs[0], BY_NAME.inputs[1]])
    assert suggest(model, first, classes=2) == "head:input"


@pytest.mark.slow
def test_an_audit_of_several_inputs_reads_what_each_of_them_tells() -> None:
    torch.manual_seed(0)
    result = irene.audit(
        Encoder(Two(), output="heads.labels.31"), IN_ORDER, private="sex", task="y", layer="head:input", settings=FEW
    )
    assert result.findings[0].measurement.score.value > 0.8
    assert any("'heads.labels.31'" in warning for warning in result.warnings)


def test_the_part_of_an_output_that_is_the_task_is_found_or_asked_for() -> None:
    with pytest.raises(
        DataError,
        match=r"returns a dict, and no part of it may be the scores of 2 classes.*--model-output heads.labels",
    ):
        extract(Encoder(Two()), data(lambda row: (IMAGES[row], NUMBERS[row])), ["head:input"], task="y")
    for wrong, fact in (("heads.smile", "no 'smile' in a dict; it has labels"), ("heads.labels.40", r"\[2, 40\]")):
        with pytest.raises(DataError, match=f"--model-output {wrong}: there is no .*{fact}|{fact}"):
            extract(Encoder(Two(), output=wrong), IN_ORDER, ["head:input"], task="y")

    class Pair(NamedTuple):
        smile: Tensor
        age: Tensor

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.smile, self.age = nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Pair:
            h = self.body(x)
            return Pair(self.smile(h), self.age(h))

    rows = irene.labelled(NUMBERS, {"sex": SEX, "y": Y})
    with pytest.raises(
        DataError, match=r"several parts of it may be the scores of 2 classes.*--model-output smile, of smi"
    ):
        extract(Encoder(Heads()), rows, ["body"], task="y")
    model = Heads().eval()
    for name in ("age", "1"):
        found = extract(Encoder(model, output=name), rows, ["body"], task="y").predicted
        with torch.inference_mode():
            assert found is not None
            assert np.array_equal(found, model(NUMBERS).age.argmax(1).numpy())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_inputs_are_cast_to_the_floats_of_the_model(kind: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).to(kind)
    rows = irene.labelled(NUMBERS, {"sex": SEX})
    assert extract(Encoder(model), rows, ["1"]).z["1"].shape == (N, 8)


def test_a_last_batch_of_one_row_is_no_other_where_a_model_squeezes() -> None:
    class Squeezing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 8), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = self.fc(self.conv(x).squeeze())
            return z

    rows = irene.labelled(IMAGES, {"sex": SEX, "y": Y}).take(np.arange(129))
    assert extract(Encoder(Squeezing(), batch_size=128), rows, ["fc:input"], task="y").z["fc:input"].shape == (129, 4)


def test_whatever_a_users_code_raises_is_told_in_one_line_with_its_place() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return {"a": x}["b"]

    rows = irene.labelled(NUMBERS, {"sex": SEX})
    with pytest.raises(DataError, match=r"KeyError: 'b' \(test_inputs.py, line \d+\)"):
        irene.audit(Broken(), rows, private="sex", settings=FEW)
    vocabulary = nn.Sequential(nn.Embedding(3, 4), nn.Flatten())
    with pytest.raises(DataError, match=r"cannot take the inputs of arrays, of shape .*IndexError"):
        irene.audit(vocabulary, irene.labelled(TOKENS, {"sex": SEX}), private="sex", settings=FEW)

    def failing(row: int) -> Tensor:
        raise ZeroDivisionError(f"row {row}")

    with pytest.raises(
        DataError, match=r"The input of row 0 failed with ZeroDivisionError: row 0 \(test_inputs.py, line"
    ):
        irene.audit(nn.Linear(4, 2), data(failing), private="sex", settings=FEW)
    with pytest.raises(DataError, match="A row is a str, and a model takes tensors"):
        irene.audit(nn.Linear(4, 2), data(lambda row: "words"), private="sex", settings=FEW)


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.model.layers.named", None)
    with pytest.raises(TypeError, match="not callable") as found:
        extract(Encoder(nn.Linear(4, 2)), irene.labelled(NUMBERS, {"sex": SEX}), ["logits"])
    assert not isinstance(found.value, IreneError)


def test_the_digest_of_a_row_is_over_all_of_its_tensors_and_their_names() -> None:
    one, other = {"a": TOKENS[0], "b": MASK[0]}, {"b": MASK[0], "a": TOKENS[0] + 1}
    assert len({digest(one), digest(other), digest((TOKENS[0], MASK[0])), digest(TOKENS[0])}) == 4
    assert digest(one) == digest(dict(one))


@pytest.mark.slow
def test_a_model_of_tokens_and_a_mask_is_sanitized_and_its_program_takes_both(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save(Text().state_dict(), tmp_path / "model.pt")
    loaded = irene.load(tmp_path / "model.pt", f"{Path(__file__)}:Text")
    options = irene.SanitizeOptions(epochs=1, batch_size=64, allow_chance=True)
    irene.sanitize(loaded, BY_NAME, tmp_path / "clean.pt", task="y", private="sex", method="leace", options=options)
    clean = irene.load(tmp_path / "clean.pt", f"{Path(__file__)}:Text").module
    taken = irene.load(tmp_path / "clean.pt2").module
    audited, beside = (
        irene.audit(one, BY_NAME, private="sex", task="y", layer="head:input", settings=FEW) for one in (taken, clean)
    )
    program = torch.export.load(tmp_path / "clean.pt2").module()
    with torch.inference_mode():
        made = program(input_ids=TOKENS[:5], attention_mask=MASK[:5])
        wanted = clean(TOKENS[:5], MASK[:5])
    torch.testing.assert_close(made["logits"], wanted.logits)
    assert audited.findings[0].measurement.score.value == pytest.approx(beside.findings[0].measurement.score.value)
