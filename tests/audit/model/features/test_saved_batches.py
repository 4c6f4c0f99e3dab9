"""The state of a pass: batches are found again by their place and their rows, and nothing else is taken for one."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from numpy.typing import NDArray

from audit.data.labelled import LabelledData, labelled
from audit.errors import CheckpointError, DataError
from audit.model.features import saved_batches
from audit.model.features.saved_batches import Given, SavedBatches, require_state
from audit.model.forward import Encoder
from audit.model.representations import extract

OWN = [b"x" * 32] * 4
LAYERS = ("layer", "logits")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_batches, "SECONDS", 0)


def given(place: int) -> Given:
    """Return what a model might give for a batch of 4 rows."""
    z = np.full((4, 3), place, dtype=np.float32)
    return Given({"a": z.T.copy().T, "b": z}, torch.full((4, 2), place).to(torch.bfloat16), place == 2)


def kept(folder: Path, places: tuple[int, ...] = (0, 1, 2, 5)) -> Path:
    """Write the state of a pass."""
    with SavedBatches(folder, "asked") as saved:
        for place in places:
            saved.keep(place, range(4), OWN, given(place))
    return folder


def test_what_was_kept_is_found_again_and_goes_when_it_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_batches, "SECONDS", 60)
    monkeypatch.setattr(saved_batches, "BYTES", 0)
    saved = SavedBatches(kept(tmp_path / "a.state"), "asked", resume=True)
    require_state(saved.folder, resume=True)
    with saved:
        for place in (0, 1, 2, 5):
            found = saved.find(place, range(4), OWN)
            assert found is not None and found.changed_inputs == (place == 2) and [*found.z] == ["a", "b"]
            assert all((values == place).all() and values.dtype == np.float32 for values in found.z.values())
            assert isinstance(found.output, torch.Tensor) and found.output.dtype == torch.bfloat16
        assert saved.find(3, range(4), OWN) is None and saved.find(6, range(4), OWN) is None
        saved.keep(3, range(4), OWN, given(3))
        saved.keep(4, range(4), OWN, Given({}, ["no tensor"], changed_inputs=False))
    with SavedBatches(saved.folder, "asked", resume=True) as again:
        assert again.find(3, range(4), OWN) is not None and again.find(4, range(4), OWN) is None
    (saved.folder / "notes.txt").write_text("mine")
    saved.remove()
    assert [path.name for path in saved.folder.iterdir()] == ["notes.txt"]


def test_a_short_pass_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_batches, "SECONDS", 60)
    assert not kept(tmp_path / "a.state").exists()
    assert SavedBatches(tmp_path / "a.state", "asked").remedy() == ""


def test_a_state_of_other_rows_or_of_another_request_is_refused(tmp_path: Path) -> None:
    folder = kept(tmp_path / "a.state")
    for request, rows, own, other in (
        ("asked", range(1, 5), OWN, "rows"),
        ("asked", range(4), [*OWN[:3], b"y" * 32], "rows"),
        ("else", range(4), OWN, "settings or another checkpoint"),
    ):
        with SavedBatches(folder, request, resume=True) as saved, pytest.raises(CheckpointError) as error:
            saved.find(1, rows, own)
        assert str(error.value) == (
            f"{folder} is the state of an audit with other {other}. Give the same, or remove it to begin anew."
        )


def test_a_state_that_is_not_there_and_one_that_would_be_mixed_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a.state"
    with pytest.raises(CheckpointError, match=r"^No state .*a\.state to go on from\. Leave --resume out to begin\.$"):
        require_state(folder, resume=True)
    folder.mkdir()
    require_state(folder, resume=False)  # nothing is in it
    kept(folder)
    with pytest.raises(CheckpointError, match=r"is the state of an audit that did not end\. Go on with --resume, or"):
        require_state(folder, resume=False)
    (tmp_path / "b.state").write_text("")
    with pytest.raises(CheckpointError, match=r"b\.state is no folder, and the state of this audit would be one\. Rem"):
        require_state(tmp_path / "b.state", resume=False)


@pytest.mark.parametrize("content", ["cut", "text", "empty", "layers", "numbers", "rows"])
def test_a_damaged_state_is_told_in_one_line(content: str, tmp_path: Path) -> None:
    folder = kept(tmp_path / "a.state", (0, 1))
    for path in folder.iterdir():
        path.unlink()
    path = folder / "0-1.safetensors"
    of_these = hashlib.sha256(b"[0, 1, 2, 3]" + b"".join(OWN)).hexdigest()
    told = {"request": "asked", "0.of": "0" * 64, "0.layers": '["a"]', "0.changed": "False"}
    whole = safetensors.torch.save({"0.z.a": torch.zeros(4, 3)}, metadata=told)
    path.write_bytes(
        {
            "cut": whole[:-5],
            "text": b"no numbers at all",
            "empty": b"",
            "rows": safetensors.torch.save({"0.z.a": torch.zeros(1, 3)}, metadata=told | {"0.of": of_these}),
            "layers": safetensors.torch.save({}, metadata=told),
            "numbers": safetensors.torch.save({"0.z.a": torch.zeros(4, 3)}, metadata=told | {"0.layers": "7"}),
        }[content]
    )
    with SavedBatches(folder, "asked", resume=True) as saved, pytest.raises(CheckpointError) as error:
        saved.find(0, range(4), OWN)
    assert str(error.value).startswith(f"{path} is damaged: ") and len(str(error.value).splitlines()) == 1
    assert str(error.value).endswith(f"Remove {folder} to begin anew.")


class Counts(torch.nn.Module):
    """Counts the rows that it is run on, and fails at some batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.rows, self.fails_at = torch.nn.Linear(4, 3000), 0, -1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take x, (n, 4)."""
        self.rows += len(x)
        if self.rows > self.fails_at > 0:
            raise ValueError("no more memory")
        found: torch.Tensor = self.layer(x)[:, :2]
        return found


def rows() -> LabelledData:
    """Return 400 rows, of two classes each."""
    x: NDArray[np.float32] = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    return labelled(
        torch.from_numpy(x), {name: (x[:, place] > 0).astype(int).tolist() for place, name in enumerate("vy")}
    )


def test_a_pass_that_failed_goes_on_and_gives_the_same_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_batches, "SECONDS", 60)
    monkeypatch.setattr(saved_batches, "BYTES", 100_000)  # some batches are written together
    torch.manual_seed(0)
    model = Counts()
    whole = extract(Encoder(model, batch_size=10), rows(), LAYERS, task="y", raw=True)
    most, model.rows, model.fails_at = model.rows, 0, 0.6 * model.rows
    with pytest.raises(DataError, match="no more memory"):
        extract(
            Encoder(model, batch_size=10, saved=SavedBatches(tmp_path / "s", "")), rows(), LAYERS, task="y", raw=True
        )
    model.rows, model.fails_at = 0, -1
    saved = SavedBatches(tmp_path / "s", "", resume=True)
    again = extract(Encoder(model, batch_size=10, saved=saved), rows(), LAYERS, task="y", raw=True)
    assert model.rows < 0.7 * most
    assert [whole.z[name].shape for name in LAYERS] == [(400, 1024), (400, 2)]
    assert all(np.array_equal(again.z[name], whole.z[name]) for name in LAYERS)
    assert whole.predicted is not None and np.array_equal(again.predicted, whole.predicted)  # type: ignore[arg-type]
    assert again.fingerprint == whole.fingerprint and again.notes == whole.notes
    assert again.projections.keys() == whole.projections.keys() == {"layer"}


def test_a_model_that_gives_something_else_now_does_not_go_on(tmp_path: Path) -> None:
    model = Counts()
    extract(Encoder(model, batch_size=10, saved=SavedBatches(tmp_path / "s", "")), rows(), LAYERS)
    with torch.no_grad():
        model.layer.weight.mul_(1.1)
    with pytest.raises(
        CheckpointError, match=r"s is the state of an audit with other code of the model\. Give the same"
    ):
        extract(Encoder(model, batch_size=10, saved=SavedBatches(tmp_path / "s", "", resume=True)), rows(), LAYERS)
