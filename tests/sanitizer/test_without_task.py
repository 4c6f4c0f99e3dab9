"""A model without a task: its geometry is kept in the place of one, and a release stands at what leaves it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from support.people import checkpoint, loaded, rows
from torch import Tensor, nn

from audit.errors import BottleneckError, DataError, IreneError
from audit.evidence.audit_result import Sanitizing
from audit.model.checkpoint import load
from audit.model.forward import Encoder
from audit.model.maps.affine_and_code import Affine
from audit.model.release import install, remove
from audit.model.representations import extract
from sanitizer.cli.sanitize import describe
from sanitizer.method_table import METHODS, NEED_TASK
from sanitizer.methods import nonlinear_map
from sanitizer.options import SanitizeOptions
from sanitizer.run import program, sanitize
from sanitizer.similarity import contrastive, similarities
from sanitizer.training.model_selection import HeldOutMetrics

QUICK = SanitizeOptions(epochs=2, batch_size=64)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return checkpoint(tmp_path)


def made(
    encoder: Path, method: str | None = None, options: SanitizeOptions = QUICK, *, is_grouped: bool = True
) -> tuple[Sanitizing, Path]:
    out, data = encoder.with_name("clean.pt"), rows(0)
    data = data if is_grouped else replace(data, group=None, group_name=None)
    return sanitize(loaded(encoder), data, out, private="v", method=method, options=options), out


def vectors(model: nn.Module) -> Tensor:
    data = rows(1)
    return torch.from_numpy(np.array(extract(Encoder(model), data, ["logits"]).z["logits"]))


def correlation(z: Tensor, before: Tensor) -> float:
    above = torch.triu_indices(len(z), len(z), 1)
    pair = torch.stack([similarities(one)[above[0], above[1]] for one in (z, before)])
    return float(torch.corrcoef(pair)[0, 1])


@pytest.mark.parametrize("method", [None, "leace"])
def test_the_shortest_call_removes_v_and_leaves_vectors_alike_and_every_weight(
    method: str | None, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 100)
    done, out = made(encoder, method, is_grouped=False)
    assert (done.method, done.release, done.layer, done.trace) == (method or "map", "map", "logits", [])
    told = (
        "Only what a linear attacker reads"
        if method
        else r"dimensions? pass(es)?. \d+ rows allow about \d+ within 2 points"
    )
    assert any(re.search(told, note) for note in done.notes)
    assert done.settings["task"] is None and done.settings["epochs"] == 0
    before, after = loaded(encoder).module, loaded(out).module
    state = after.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in before.state_dict().items())
    v = torch.from_numpy(rows(1).codes("v")).double()
    z, erased = vectors(before).double(), vectors(after).double()
    shift, left = ((one[v == 1].mean(0) - one[v == 0].mean(0)).norm() / one.std(0).norm() for one in (z, erased))
    assert shift > 0.4 and left < 0.5 * shift
    assert correlation(erased, z) > 0.8


def test_people_of_several_rows_allow_fewer_dimensions_than_as_many_people(
    encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 2)
    done, _ = made(encoder)
    told = r"720 rows of 240 groups \(person\) allow about 1 within 2 points above the floor and 3 within 5"
    assert any(re.search(told, note) for note in done.notes)


def test_the_program_beside_it_gives_the_same_vectors_and_is_audited_at_what_leaves_it(encoder: Path) -> None:
    _, out = made(encoder, "leace")
    assert torch.allclose(vectors(load(program(out)).module), vectors(loaded(out).module), atol=1e-5)


def test_words_are_said_by_the_program_too(encoder: Path) -> None:
    done, out = made(encoder, "pairs")
    assert done.release == "code"
    said, again = vectors(load(program(out)).module), vectors(loaded(out).module)
    assert torch.allclose(said, again, atol=1e-5)
    assert 1 < len(torch.unique(said, dim=0)) <= 256


def test_a_method_that_trains_keeps_the_geometry_of_the_untouched_model(
    encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, out = made(encoder, "kernel", replace(QUICK, lr=1e-2))
    assert all(one.geometry is not None and one.geometry > 0.9 for one in done.trace)
    assert all(one.task_accuracy is None for one in done.trace)
    describe(done, out)
    told = capsys.readouterr().out
    assert told.startswith("Loss of what is kept, first and last epoch") and "nats" not in told
    assert correlation(vectors(loaded(out).module), vectors(loaded(encoder).module)) > 0.9


def test_identities_are_kept_where_they_are_named_and_the_record_has_the_column_and_nobody(encoder: Path) -> None:
    done, out = made(encoder, "rich", replace(QUICK, keep_identity="person"))
    assert done.settings["keep_identity"] == "person"
    assert done.chosen is not None and (done.trace[done.chosen].geometry or 0) > 0.9
    assert "zqperson" not in out.with_name("clean.pt.json").read_text()


def test_a_map_in_closed_form_needs_no_held_out_people_and_a_method_that_trains_does(encoder: Path) -> None:
    few, options = rows(0).take(np.arange(150)), replace(QUICK, keep_identity="person")
    out = encoder.with_name("clean.pt")
    assert sanitize(loaded(encoder), few, out, private="v", options=options).release == "map"
    with pytest.raises(DataError, match="held-out people have two rows or more"):
        sanitize(loaded(encoder), few, encoder.with_name("x.pt"), private="v", method="rich", options=options)


@pytest.mark.parametrize("method", NEED_TASK)
def test_a_method_that_works_by_a_tasks_classes_says_so_before_the_work(method: str, encoder: Path) -> None:
    with pytest.raises(IreneError, match=f"method {method} works by the classes of a task.*--task.*leace"):
        made(encoder, method)
    assert not encoder.with_name("clean.pt").exists()


def test_every_other_method_of_irene_runs_without_a_task(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 5)
    for method in sorted({*METHODS} - {*NEED_TASK} - {"leace", "rich", "kernel"}):
        made(encoder, method, replace(QUICK, epochs=1))


def test_identities_need_people_with_two_rows_and_do_not_stand_beside_a_task(encoder: Path) -> None:
    options = replace(QUICK, keep_identity="person")
    data = rows(0)
    data = replace(data, columns={**data.columns, "w": data.columns["v"]})
    with pytest.raises(DataError, match="in the place of a task"):
        sanitize(loaded(encoder), data, encoder.with_name("x.pt"), task="v", private="w", options=options)
    alone = rows(0).take(np.arange(0, 360, 3))
    with pytest.raises(DataError, match="No two rows have the same 'person'"):
        sanitize(loaded(encoder), alone, encoder.with_name("x.pt"), private="v", method="rich", options=options)


def test_reweighing_needs_a_task(encoder: Path) -> None:
    with pytest.raises(DataError, match="no --task was named"):
        made(encoder, "rich", replace(QUICK, reweigh=True))


def test_a_release_at_what_a_model_returns_is_taken_away_again() -> None:
    model, x = nn.Sequential(nn.Linear(3, 2)), torch.ones(4, 3)
    before = model(x)
    install(model, "logits", Affine(torch.zeros(2, 2), torch.ones(2)))
    assert torch.equal(model(x), torch.ones(4, 2))
    remove(model)
    assert torch.equal(model(x), before)
    with pytest.raises(BottleneckError, match="cannot be replaced"):
        install(model, "logits:input", Affine(torch.zeros(2, 2), torch.ones(2)))


def told(leak: float, kept: float) -> HeldOutMetrics:
    return HeldOutMetrics(1.0, {"v": leak}, {"v": 2000, "": 2000}, kept=kept, guess={"v": 0.5})


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        ((0.54, 0.80), (0.60, 0.99), True),  # within the tolerance, whatever it kept
        ((0.60, 0.99), (0.54, 0.80), False),
        ((0.54, 0.95), (0.51, 0.90), True),  # both within: more is kept
        ((0.51, 0.90), (0.54, 0.95), False),
        ((0.70, 0.80), (0.80, 0.90), True),  # neither within: less leaks
        ((0.70, 0.90), (0.70, 0.90), False),
    ],
)
def test_leakage_within_the_tolerance_comes_first_and_then_what_is_kept(
    one: tuple[float, float], other: tuple[float, float], better: bool
) -> None:
    assert told(*one).better_than(told(*other)) == better


def test_rows_of_one_person_that_are_alike_lose_less() -> None:
    person, z = torch.tensor([0, 0, 1, 1, 2]), torch.eye(5)
    near = z.clone()
    near[1], near[3] = z[0], z[2]
    assert contrastive(similarities(near), person) < 0.1 < contrastive(similarities(z), person)
    assert contrastive(similarities(z), torch.arange(5)) == 0


def test_the_command_says_which_method_it_took_and_why(
    encoder: Path, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = tmp_path / "people.py"
    factory.write_text("from support.people import rows\ndef load(part):\n    return rows(part == 'audit')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nonlinear_map, "STEPS", 5)
    given = f"{encoder} --arch support.people:Encoder --data people.py:load --private v"
    result = run("sanitize", given, "-o clean.pt")
    assert result.exit_code == 0, result.output
    assert "Method: map (no --task" in result.output
    assert run("sanitize", given, "--method codebook -o other.pt").exit_code == 1
