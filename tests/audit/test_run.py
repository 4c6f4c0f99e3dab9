"""A whole audit on live objects: every attribute, layer and row is where it belongs in the evidence."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.audited import N, Net, data, run, table
from support.planted import FEW, labels, noise
from torch import Tensor, nn

from audit.attackers.attack import attack
from audit.caveats import NO_GROUP, NO_TASK
from audit.data.labelled import labelled
from audit.errors import DataError, IreneError, UnreadableError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Measurement
from audit.evidence.metric import GIVEN_TASK
from audit.model.forward import Encoder
from audit.protocol import baselines, target
from audit.protocol.leakage import measure
from audit.run import audit_embeddings
from audit.settings import Settings

BY_ALPHABET = (
    "the model's outputs were taken in the order no,yes of the classes of 'y', which is the alphabet's; --task-classes "
    "names another"
)


def only(result: AuditResult) -> Measurement:
    """Return the measurement of the one finding."""
    (one,) = result.findings
    return one.measurement


def test_a_model_and_lists_of_labels_are_all_it_takes() -> None:
    model = Net().train()
    result = run(model=model, task="y")
    (one,) = result.findings
    measured = one.measurement
    assert (one.role, one.attribute, one.layer) == ("private", "v", "head:input")
    assert (one.decided.verdict, measured.metric, measured.width) == ("FAIL", "balanced_accuracy", 6)
    assert measured.score.value == pytest.approx(0.933, abs=0.03)  # Φ(1.5)
    assert measured.floor_score.value == pytest.approx(0.5, abs=0.07)
    assert [row.name for row in measured.classes] == ["f", "m"]
    assert result.task is not None
    assert (result.task.name, result.task.classes) == ("y", ["no", "yes"])
    assert result.task.accuracy.value == pytest.approx(0.977, abs=0.02)  # Φ(2)
    assert (result.checkpoint.format, result.checkpoint.architecture) == ("live object", "Net")
    assert (result.data.name, result.data.rows, result.data.group) == ("arrays", N, None)
    assert result.warnings == [NO_GROUP, BY_ALPHABET]
    assert model.training
    assert AuditResult.model_validate_json(result.model_dump_json()) == result


def test_without_a_task_the_floor_is_chance_and_the_reader_is_told() -> None:
    result = run()
    measured = only(result)
    floor = measured.floor_score
    assert result.task is None
    assert floor.value == floor.low == floor.high == measured.guess == 0.5
    assert measured.floor["bits"].value == 0
    assert GIVEN_TASK not in measured.figures
    assert result.warnings[-1] == "no prediction of a task was given, so the floor is chance"


def test_few_outputs_without_a_task_are_told_to_have_been_taken_for_scores() -> None:
    for layer, told in (("", True), ("head:input", False), ("logits", False)):
        result = run(layer=layer or [])
        assert [one.layer for one in result.findings] == [layer or "head:input"]
        assert (NO_TASK in result.warnings) == told
    assert NO_TASK not in run(task="y").warnings


def test_several_layers_and_the_logits_are_audited_in_one_pass() -> None:
    model = Net()
    result = run(model=Encoder(model, batch_size=N), task="y", layer=["encoder", "logits"])
    assert model.passes == 10, "a few rows, to see what the model is like, and then all of them, one batch turned, too"
    encoder, logits = result.find("v", "encoder"), result.find("v", "logits")
    assert encoder is not None and logits is not None
    assert (encoder.decided.verdict, encoder.measurement.width) == ("FAIL", 6)
    assert logits.measurement.width == 2
    assert abs(logits.measurement.score.value - 0.5) < 0.1, "the head reads the first number alone"


def test_an_attribute_is_prepared_once_for_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(place: str, call: Callable[..., object], name: Callable[..., str]) -> None:
        def wrapper(*given: Any, **named: Any) -> object:
            calls.append(name(*given))
            return call(*given, **named)

        monkeypatch.setattr(place, wrapper)

    counted("audit.run.make_target", target.make_target, lambda attribute, *_: f"target of {attribute}")
    counted("audit.protocol.baselines.by_label", baselines.by_label, lambda *_: "floor's table")
    counted("audit.protocol.baselines.attack", attack, lambda found, _: f"input as {found.problem.metric}")
    counted("audit.run.measure", measure, lambda _, found, *__: f"layer for {found.attribute}")
    _, columns = table()
    alike = np.where(np.random.default_rng(0).random(N) < 0.8, np.array(columns["y"]) == "yes", labels(N) == 1)
    result = run(
        data(v=alike.astype(str).tolist()),
        private=["v", "age"],
        keep="w",
        task="y",
        layer=["encoder", "head"],
        settings=replace(FEW, ceiling=True),
    )
    assert len(result.findings) == 6
    assert Counter(calls) == {
        "target of v": 1,
        "target of age": 1,
        "target of w": 1,
        "floor's table": 1,  # w has nothing to do with the task, and an age has no classes
        "input as balanced_accuracy": 2,  # of v and w
        "input as r2": 1,
        "layer for v": 2,
        "layer for age": 2,
        "layer for w": 2,
    }
    here, there = (result.find("v", layer) for layer in ("encoder", "head"))
    assert here is not None and there is not None
    assert here.measurement.floor == there.measurement.floor
    assert here.measurement.floor_score.value > 0.8
    assert here.measurement.ceiling == there.measurement.ceiling


def test_what_is_to_be_kept_is_measured_without_a_verdict() -> None:
    result = run(keep=["w", "age"])
    w, age = result.retained
    assert [(one.attribute, one.measurement.metric) for one in (w, age)] == [("w", "balanced_accuracy"), ("age", "r2")]
    assert w.decision is age.decision is None
    assert w.measurement.score.value > 0.88
    assert age.measurement.score.value > 0.6
    assert [one.attribute for one in result.private] == ["v"]
    assert [*result.private, *result.retained] == result.findings


def test_numbers_and_intersections_stand_beside_classes() -> None:
    result = run(private=["v", "age", "v+w"])
    _, age, both = result.private
    assert [one.attribute for one in result.findings] == ["v", "age", "v+w"]
    assert [row.name for row in both.measurement.classes] == ["f & a", "f & b", "m & a", "m & b"]
    assert both.measurement.score.value > 0.8
    assert (age.decided.verdict, age.measurement.metric) == ("FAIL", "r2")
    assert age.measurement.score.value == pytest.approx(0.8, abs=0.1)
    assert 3 < age.measurement.figures["mae"].value < age.measurement.baseline["mae"]


def test_a_missing_label_leaves_its_row_out_for_that_attribute_alone() -> None:
    _, columns = table()
    some = [None if row % 4 == 0 else value for row, value in enumerate(columns["v"])]
    unknown = [None if row % 5 == 0 else value for row, value in enumerate(columns["y"])]
    result = run(data(v=some, y=unknown), private=["v", "w"], task="y")
    v, w = (one.measurement for one in result.private)
    assert (v.missing, w.missing) == (N // 4, 0)
    assert sum(one.train + one.select + one.test for one in v.classes) == N - N // 4
    assert sum(one.train + one.select + one.test for one in w.classes) == N
    assert v.score.value > 0.88, "labels and features still belong together"
    assert result.task is not None
    assert result.task.missing == N // 5
    assert result.task.accuracy.value > 0.95
    assert f"'v' is not known for {N // 4} of {N} rows, which were left out where it counts" in result.warnings
    assert not any("'w'" in warning for warning in result.warnings)


class Broken:
    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int, /) -> Tensor:
        if row % 10 == 0:
            raise UnreadableError("cut off")
        return self.x[row]


def test_inputs_that_cannot_be_read_are_counted_and_nothing_shifts() -> None:
    x, columns = table()
    people = np.arange(N) // 2
    result = run(labelled(Broken(x), columns, group=people, group_name="person"), task="y")
    assert (result.data.rows, result.data.unreadable) == (N, N // 10)
    assert sum(part.rows for part in (result.data.train, result.data.select, result.data.test)) == N - N // 10
    assert only(result).score.value > 0.88
    assert result.task is not None
    assert result.task.accuracy.value > 0.95
    assert result.data.group == "person"
    assert result.warnings == [f"{N // 10} of {N} inputs could not be read and were left out", BY_ALPHABET]


def by_heart(*, exact: bool) -> AuditResult:
    """Audit 5 copies of 300 inputs, whose v is a coin flip each: only who saw a copy knows it."""
    seen = np.repeat(np.arange(300), 5)
    x = torch.tensor(noise(300)[seen], dtype=torch.float32)
    x = x if exact else x + 1e-4 * torch.tensor(noise(1500, seed=8), dtype=torch.float32)
    return run(labelled(x, {"v": labels(300, seed=4)[seen].tolist()}), settings=replace(FEW, attackers=("knn",)))


def test_exact_copies_are_joined_counted_and_told_so_that_no_split_knows_anothers() -> None:
    result = by_heart(exact=True)
    assert only(result).score.value < 0.65
    assert result.data.copies == 1500
    assert result.data.train.groups + result.data.select.groups + result.data.test.groups == 300
    assert any(warning.startswith("1500 rows have the very input of ") for warning in result.warnings)
    alike = by_heart(exact=False)
    assert only(alike).score.value > 0.9, "such copies would have told"
    assert alike.data.copies == 0


def test_copies_within_a_group_are_no_news_and_those_across_join_whole_groups() -> None:
    x, columns = table()
    people = np.arange(N) // 4
    x[1] = x[0]  # the same person twice
    x[9] = x[4]  # people 1 and 2
    x[13] = x[10]  # people 2 and 3, so 1, 2 and 3 are together
    result = run(labelled(x, columns, group=people, group_name="person"))
    assert result.data.copies == 4
    assert result.data.train.groups + result.data.select.groups + result.data.test.groups == N // 4 - 2


def test_what_the_input_holds_and_the_bottleneck_does_not_is_seen_by_the_ceiling() -> None:
    model = Net()
    with torch.no_grad():
        model.encoder.weight[1] = 0  # the encoder drops v
    result = run(model=model, settings=replace(FEW, ceiling=True), private=["v", "age"])
    one, age = (found.measurement for found in result.private)
    assert abs(one.score.value - 0.5) < 0.08
    assert one.ceiling is not None and age.ceiling is not None
    assert one.ceiling.source == "the input"
    assert one.ceiling.figure.value > 0.88
    assert age.ceiling.figure.value == pytest.approx(age.score.value, abs=0.05)


@pytest.mark.slow
def test_a_layer_too_wide_is_recorded_with_its_width() -> None:
    result = run(model=Net(width=2100), layer=["encoder", "head"], private=["v", "age"])
    places = [("v", "encoder"), ("age", "encoder"), ("v", "head"), ("age", "head")]
    assert [(one.attribute, one.layer) for one in result.private] == places
    wide, wide_age, narrow, narrow_age = (one.measurement for one in result.private)
    assert (wide.width, wide.projected_from) == (wide_age.width, wide_age.projected_from) == (1024, 2100)
    assert (narrow.width, narrow.projected_from) == (narrow_age.width, narrow_age.projected_from) == (2, None)
    told = [one for one in result.warnings if "projected" in one]
    assert told == [
        "encoder: its 2,100 numbers were projected at random to 1,024, where a leak in a few of them may drown"
    ]


def test_a_model_of_one_batch_size_and_one_that_spoils_its_input_are_audited_alike() -> None:
    class Awkward(Net):
        def forward(self, x: Tensor) -> Tensor:
            assert len(x) == 48
            scores = super().forward(x)
            x.fill_(7)
            return scores

    awkward, plain = run(model=Encoder(Awkward(), fixed_batch=48), task="y"), run(task="y")
    assert awkward.findings == plain.findings
    assert awkward.data == plain.data
    assert "the model changes its inputs in place; it was given copies" in awkward.warnings


@pytest.mark.slow
def test_the_same_audit_twice_gives_the_same_evidence() -> None:
    first, again, other = (
        run(task="y", private=["v", "age"], keep="w", settings=replace(FEW, seed=seed)) for seed in (0, 0, 1)
    )
    same = {"created": ""}
    assert first.model_copy(update=same) == again.model_copy(update=same)
    assert first.data.fingerprint == other.data.fingerprint
    assert first.findings != other.findings


@pytest.mark.filterwarnings("error")
def test_where_the_attacker_reads_is_told_by_unit_and_on_a_map() -> None:
    v = labels(600)
    images = torch.randn(600, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images[:, :, :4, :4] += 1.0 * torch.from_numpy(v)[:, None, None, None]
    model = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4, 2))  # unit 0 is the corner
    given = labelled(images, {"v": v.tolist()})
    settings = replace(FEW, attackers=("logistic",))
    found = run(given, model, settings=replace(settings, where=True)).findings[0].where
    assert found is not None
    assert found.input_map is not None
    assert (found.units[0].index, found.width) == (0, 4)
    assert found.units[0].bits > 0.3
    bits = np.array(found.input_map)
    assert bits[:2, :2].sum() > 0.15
    assert np.abs(bits[2:]).max() < 0.05
    assert run(given, model, settings=settings).findings[0].where is None


def embeddings(**asked: Any) -> AuditResult:
    x, columns = table()
    given = labelled(x, {**columns, "said": columns["y"], "told": columns["v"]})
    usual: dict[str, Any] = {"private": "v", "settings": replace(FEW, ceiling=True)}
    return audit_embeddings({"pool": x.numpy()}, given, **(usual | asked))


def test_embeddings_are_audited_without_a_model() -> None:
    settings = replace(FEW, ceiling=True, where=True)
    result = embeddings(task="y", predicted="said", keep="age", settings=settings)
    (one,) = result.private
    assert (one.layer, one.decided.verdict) == ("pool", "FAIL")
    assert one.measurement.ceiling is None, "there is no input"
    assert one.where is not None
    assert (one.where.units[0].index, one.where.input_map) == (1, None)
    assert result.task is not None
    assert result.task.accuracy.value == 1
    assert any("predictions ('said') are the true labels of 'y' in every row" in note for note in result.warnings)
    assert (result.checkpoint.format, result.protocol.pool) == ("embeddings", "none")
    assert embeddings().task is None
    with pytest.raises(DataError, match="Predicted column 'w' has 0 missing values and the classes a, b; the task has"):
        embeddings(task="y", predicted="w")


def test_predictions_alone_are_a_floor() -> None:
    told, alone = embeddings(predicted="told"), embeddings()
    decided = told.private[0].decided
    assert only(told).floor_score.value == 1
    assert only(told).excess.high < 0
    assert decided.verdict == "INCONCLUSIVE", "who reads less than the answer tells has not tried hard enough"
    assert "the task alone tells the attribute" in decided.reason
    assert only(alone).floor_score.value == 0.5


@pytest.mark.parametrize("asked", [{}, {"private": "w", "keep": "v"}, {"private": "v+w"}])
def test_what_the_model_answered_is_not_private_or_kept(asked: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="'v' is what the model answered and cannot be private or kept too"):
        embeddings(predicted="v", **asked)


def test_a_finite_code_that_tells_the_attribute_is_no_set_of_copies() -> None:
    code = labels(N, k=16, seed=7)
    v = np.random.default_rng(0).random(N) < np.where(code % 2, 0.9, 0.1)
    z = noise(16, 8)[code].astype(np.float32)
    result = audit_embeddings(
        {"code": z},
        labelled(torch.from_numpy(z), {"v": v.astype(str).tolist()}),
        private="v",
        settings=replace(FEW, attackers=("knn",)),
    )
    assert result.private[0].decided.verdict == "FAIL"
    assert only(result).score.value == pytest.approx(0.9, abs=0.05)
    assert result.data.copies == N
    assert any("of a row in another group, as behind a finite code" in warning for warning in result.warnings)


def test_inputs_of_few_distinct_values_are_people_who_look_alike_and_no_copies() -> None:
    x = torch.tensor(np.random.default_rng(0).integers(2, size=(1500, 6)), dtype=torch.float32)
    v = (x[:, 0] != x[:, 1]).numpy()
    result = run(labelled(x, {"v": v.astype(str).tolist()}))
    assert result.data.test.groups == result.data.test.rows
    assert any("may stand on both sides of a split" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("asked", "fact"),
    [
        ({"private": []}, "No private attribute was named"),
        ({"private": "y", "task": "y"}, "'y' is the task and cannot be private or kept too"),
        ({"keep": "y", "task": "y"}, "'y' is the task and cannot be private or kept too"),
        ({"keep": ["v"]}, "'v' cannot be private and kept at once"),
        ({"private": "vv"}, "Did you mean 'v'"),
        ({"private": "v+age"}, "'age' is continuous; classes are needed here"),
        ({"settings": replace(FEW, attackers=())}, "No attacker was named"),
        ({"settings": replace(FEW, attackers=("knnn",))}, "Did you mean 'knn'"),
        ({"private": "w"}, "'w' has one class with enough rows"),
        ({"settings": replace(FEW, limit=0.5)}, "A limit of 0.5 lets all of 'v' pass"),
        ({"keep": "rare"}, "'rare' has a value in"),
    ],
)
@pytest.mark.parametrize("call", [run, embeddings])
def test_what_cannot_be_audited_is_told_before_the_model_runs(
    asked: dict[str, Any], fact: str, call: Callable[..., AuditResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, columns = table()
    few = {"w": ["a"] * (N - 25) + ["b"] * 25, "rare": [0.5 * row if row < 30 else None for row in range(N)]}
    for module in ("support.audited", __name__):
        monkeypatch.setattr(f"{module}.table", lambda: (x, {**columns, **few}))
    model = Net()
    with pytest.raises(IreneError, match=re.escape(fact)) as caught:
        call(**asked, **({"model": model} if call is run else {}))
    assert "\n" not in str(caught.value)
    assert model.passes == 0


def test_a_budget_of_seconds_lets_fewer_rows_fit_and_says_so() -> None:
    v = labels(30_000)
    data = labelled(torch.zeros(30_000, 1), {"v": v.tolist()})
    z = noise(30_000, 8).astype(np.float32)
    settings = replace(FEW, attackers=("logistic",), budget=1.0)
    result = audit_embeddings({"z": z}, data, private="v", settings=settings)
    fitted = result.protocol.fit_rows
    assert fitted is not None
    assert 2000 <= fitted < len(z) / 2
    (rows,) = [one for one in result.findings[0].measurement.classes if one.name == "0"]
    assert rows.train <= fitted
    assert f"a budget of 1 s let {fitted:,} of 15,000 rows fit an attacker on this machine" in result.warnings


def test_where_of_too_few_rows_is_refused_before_the_model_runs() -> None:
    ran = []
    model = Net()
    model.register_forward_hook(lambda *_: ran.append(1))
    with pytest.raises(DataError, match=r"Where v is read would be a mean over \d\d test rows"):
        run(labelled(torch.randn(120, 6), {"v": labels(120).tolist()}), model, settings=replace(FEW, where=True))
    assert ran == []


@pytest.mark.parametrize(
    ("asked", "fact"),
    [
        ({"null_refits": 1}, "null_refits is 1. Give 2 or more."),
        ({"bootstrap": 0}, "bootstrap is 0. Give 40 or more."),
        ({"test_rows": 0}, "test_rows is 0. Give 1 or more."),
        ({"limit": float("nan")}, "limit is nan"),
        ({"limit": -0.05}, "limit is -0.05"),
    ],
)
def test_settings_that_measure_nothing_are_refused(asked: dict[str, Any], fact: str) -> None:
    with pytest.raises(IreneError, match=re.escape(fact)):
        Settings(**asked)
