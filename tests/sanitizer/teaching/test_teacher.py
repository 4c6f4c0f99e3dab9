"""Who labels rows without a private label, how often that is wrong, and which rows it may label at all."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.training import Net, net

from audit.data.columns import Column, Quantity, Undecided
from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError, IreneError
from sanitizer.job import Recipe, TrainingJob
from sanitizer.method_table import make_method, require_teachable
from sanitizer.methods.leace import Leace
from sanitizer.methods.width import balanced_rows
from sanitizer.options import SanitizeOptions
from sanitizer.run import prepared
from sanitizer.teaching import network
from sanitizer.teaching import taught as teaching
from sanitizer.teaching.network import tell
from sanitizer.teaching.readers import read
from sanitizer.teaching.taught import Errors, taught
from sanitizer.training.forward import ForwardPass
from sanitizer.training.rows import ORIGIN, TrainingRows, held_from_training

Make = Callable[..., LabelledData]
EACH = 2


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STEPS", 60)


def people(first: int, last: int, *, noise: float = 0.0, missing: Sequence[str] = (), **more: Any) -> LabelledData:
    """Rows of people, two each: two inputs tell y and v, and labels of v are wrong as often as asked."""
    person = np.repeat(np.arange(first, last), EACH)
    x, v, y = [], [], []
    for one in range(first, last):
        generator = np.random.default_rng(one)
        truth = int(generator.integers(2))
        own = generator.normal(size=(EACH, 5)) + np.array([0, 8 * truth - 4, 0, 0, 0])
        x += [*own]
        y += [*(own[:, 0] > 0)]
        v += [truth if generator.random() >= noise else 1 - truth] * EACH
    columns = {
        "y": np.where(y, "b", "a").tolist(),
        "v": [("c", "d")[one] for one in v],
        "kept": np.where(np.array(x)[:, 2] > 0, "on", "off").tolist(),
        "person": [f"p{one}" for one in person],
    }
    columns |= {name: [None] * len(person) for name in missing} | more
    columns = {name: values for name, values in columns.items() if values is not None}
    groups = {"group": columns["person"], "group_name": "person"} if "person" in columns else {}
    return labelled(torch.tensor(np.array(x), dtype=torch.float32), columns, **groups)


def classes(data: LabelledData, name: str) -> tuple[str, ...]:
    column = data.columns[name]
    column = column.column if isinstance(column, Undecided) else column
    assert isinstance(column, Column)
    return column.classes


def names(source: LabelledData, some: LabelledData) -> list[str]:
    """Who some rows of a source are of."""
    assert some.group is not None
    return [classes(source, "person")[int(code)] for code in some.group]


def job(data: LabelledData, **changes: Any) -> TrainingJob:
    usual: dict[str, Any] = {"task": "y", "layer": "fc:input", "private": ["v"], "method": Leace()}
    return TrainingJob(data, **(usual | {"recipe": Recipe(1, 8)} | changes))


def test_the_error_rate_is_that_of_labels_with_a_known_noise() -> None:
    truth = np.repeat([0, 1, 2], 20_000)
    generator = np.random.default_rng(0)
    for q in (0.0, 0.1, 0.3):
        wrong = generator.random(len(truth)) < q
        said = np.where(wrong, (truth + generator.integers(1, 3, len(truth))) % 3, truth)
        errors = Errors.of(Column(truth, ("a", "b", "c")), said, np.arange(len(truth)))
        assert [*errors.of_class.values()] == pytest.approx([q] * 3, abs=0.01)
        assert errors.worth == pytest.approx((1 - 1.5 * q) ** 2, abs=0.02)
    two = Errors.of(Column(np.array([0, 0, 0, 0, 1, 1]), ("a", "b")), np.array([0, 0, 0, 1, 1, 0]), np.arange(6))
    assert two.of_class == {"a": 0.25, "b": 0.5}
    assert two.rate == 0.375 and two.worth == pytest.approx((1 - 2 * 0.375) ** 2)


def test_a_mean_that_n_rows_and_m_noisy_ones_determine_is_as_good_as_the_law_says() -> None:
    """The simulation behind what a row is worth: labels wrong by chance, and a difference of means across d noises."""
    generator, (n, m, d, q) = np.random.default_rng(0), (400, 4000, 400, 0.1)

    def error(flips: float, rows: int) -> float:
        v = np.tile([-1.0, 1.0], rows // 2)
        told = np.where(generator.random(rows) < flips, -v, v)
        found = (told[:, None] * generator.normal(size=(rows, d))).mean(axis=0) / (1 - 2 * flips)
        return float((found**2).mean())

    assert error(q, m) == pytest.approx(error(0, round(m * (1 - 2 * q) ** 2)), rel=0.2)
    assert error(q, m) < error(0, n) / 4


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_a_teacher_labels_rows_and_its_measured_errors_are_its_true_ones(noise: float) -> None:
    made = taught(net(), job(people(0, 400, noise=noise)), people(1000, 2000, missing=["v"]))
    truth, found = people(1000, 2000), made.taught
    assert found is not None
    wrong = (found.data.codes("v") != truth.codes("v")).mean()
    assert wrong < 0.03  # the inputs tell v, whatever noise its labels have
    errors = found.said["unlabelled.error.v"]
    assert isinstance(errors, float) and errors == pytest.approx(noise, abs=0.13)  # of 100 people, held against noise
    assert found.said["unlabelled.rows"] == len(truth) == 2000
    assert found.worth["v"] == pytest.approx((1 - 2 * errors) ** 2, abs=1e-3)
    assert "rows with true labels" in found.notes[0] and "a mean over classes (c " in found.notes[0]


def test_a_network_that_sees_the_input_teaches_where_its_untouched_features_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "STEPS", 300)
    model = net()
    with torch.no_grad():
        next(model.encoder.parameters())[:, 1] = 0  # v is told by this number alone
    image = replace(people(0, 400), inputs=_Images(people(0, 400)))
    more = replace(people(1000, 1100, missing=["v"]), inputs=_Images(people(1000, 1100)))
    flat = _Flat(model)
    before = {name: one.clone() for name, one in flat.state_dict().items()}
    made = taught(flat, job(image, layer="net.fc:input"), more)
    assert made.taught is not None
    assert made.taught.said["unlabelled.teacher.v"] == teaching.NETWORK
    assert (made.taught.data.codes("v") != people(1000, 1100).codes("v")).mean() < 0.05
    assert all(torch.equal(one, before[name]) for name, one in flat.state_dict().items())


class _Images:
    def __init__(self, data: LabelledData) -> None:
        self.inputs = data.inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int, /) -> torch.Tensor:
        image: torch.Tensor = self.inputs[row][None, None]
        return image


class _Flat(torch.nn.Module):
    def __init__(self, model: Net) -> None:
        super().__init__()
        self.net = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.net(x.flatten(1))
        return scores


def test_rows_that_choose_are_truly_labelled_and_none_is_of_a_person_who_trains_or_teaches() -> None:
    data, more = people(0, 200), people(150, 500, missing=["v"])
    for epochs in (0, 2):
        made = taught(net(), job(data, recipe=Recipe(epochs, 8)), more)
        rows, (fit, held) = TrainingRows.of(made), held_from_training(made)
        assert made.taught is not None
        assert ORIGIN not in rows.held_out.columns and len(rows.held_out) == len(held) == 100
        named = [set(names(data, held)), set(names(data, fit)), set(names(more, made.taught.data))]
        assert not named[0] & (named[1] | named[2])
        assert named[2] == {f"p{one}" for one in range(200, 500)}  # of people who teach, these rows are copies
        origin = rows.full.codes(ORIGIN)
        assert np.bincount(origin, minlength=3).tolist() == [300, 0 if epochs else 100, 600]
        seen = ForwardPass.of(net(), made, made.device).run(rows.full)
        assert seen.chooses is not None and (seen.chooses.numpy() == (origin == 1)).all()
        assert seen.worth["v"].numpy() == pytest.approx(np.where(origin == 2, made.taught.worth["v"], 1))
        assert any("of groups held out" in note for note in made.taught.notes)


def test_a_row_counts_as_much_as_it_is_worth() -> None:
    v = np.tile([0, 1], 500)
    assert balanced_rows(v, np.repeat([1.0, 0.5], 500)) == balanced_rows(v[:750]) == 750


def test_what_a_file_says_stays_and_what_it_does_not_say_is_never_made_up() -> None:
    model, labels = net(), [None, "c"] * 300
    given = people(1000, 1300, v=labels, missing=["kept"], y=["a", None, None] * 200)
    made = taught(model, job(people(0, 300), keep=["kept"]), given)
    assert made.taught is not None
    assert len(made.taught.data) == 300  # the others have the label
    assert not made.taught.data.columns["kept"].known.any()
    rows = given.take(np.arange(0, 600, 2))
    said = model(torch.stack([rows.inputs[row] for row in range(300)])).argmax(dim=1).numpy()
    assert (made.taught.data.codes("y") == np.where(rows.columns["y"].known, 0, said)).all()
    told = " ".join(made.taught.notes)
    assert "300 rows of arrays have the private labels already" in told
    assert "task's label of 200 of them is what the untouched model answers" in told
    assert "'kept' is not known of 300" in told


def test_people_to_keep_are_the_same_people_in_both_files() -> None:
    options = SanitizeOptions(1, 8, keep_identity="person")
    data = prepared(options, people(0, 200), Leace(), None)[1]
    ours = job(data, task=None, keep_identity="person", recipe=Recipe(0, 2))
    given = people(100, 260, missing=["v"])
    made = taught(
        net(), ours, replace(given, inputs=torch.stack([given.inputs[row] for row in range(len(given))]) + 0.01)
    )
    assert made.taught is not None
    held = held_from_training(made)[1]
    ours_named, codes = classes(data, "person"), made.taught.data.codes("person")
    known = codes < len(ours_named)
    assert {ours_named[code] for code in codes[known]} == {f"p{one}" for one in range(100, 200)} - {
        ours_named[code] for code in held.codes("person")
    }
    assert len(set(codes[~known])) == 60 and (~known).sum() == 120
    with pytest.raises(DataError, match="no column 'person', by which people are to stay recognisable"):
        taught(net(), ours, people(300, 400, v=None, person=None))


def test_without_a_group_a_note_says_what_cannot_be_told() -> None:
    made = taught(net(), job(people(0, 200, person=None)), people(300, 400, missing=["v"]))
    assert made.taught is not None and any("no group was named" in note for note in made.taught.notes)
    made = taught(net(), job(people(0, 200)), people(300, 400, v=None, person=None))
    assert made.taught is not None and any("both need ids in a column 'person'" in note for note in made.taught.notes)


def test_a_task_that_is_a_quantity_is_the_models_own_number_where_nobody_says_it() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    ages = [40.5 + row for row in range(400)]
    ours = job(people(0, 200, y=ages), layer="2:input", recipe=Recipe(0, 2))
    given = people(300, 350, v=None, y=[17.25, None] * 50)
    made = taught(model, ours, given)
    assert made.taught is not None
    column = made.taught.data.columns["y"]
    assert isinstance(column, Quantity)
    said = model(torch.stack([given.inputs[row] for row in range(100)])).detach().numpy()[:, 0]
    assert column.values == pytest.approx(np.where(np.arange(100) % 2, said, 17.25), abs=1e-3)


@pytest.mark.parametrize(
    ("given", "changes", "fact"),
    [
        (lambda: people(300, 310).take(np.zeros(0, dtype=np.int64)), {}, "has no rows"),
        (lambda: replace(people(300, 310, v=None), inputs=torch.zeros(20, 4)), {}, r"shape \[4\].*\[5\]"),
        (lambda: people(300, 310), {}, "Every row of arrays has a label of 'v'"),
        (lambda: people(0, 200, missing=["v"]), {}, "No row of arrays is left"),
        (lambda: people(300, 310, v=list(np.linspace(0, 1, 20))), {}, "'v' of the unlabelled rows is a quantity"),
        (
            lambda: people(300, 310, v=None),
            {"recipe": Recipe(1, 8, reweigh=True)},
            "--reweigh draws rows by their true",
        ),
    ],
)
def test_what_cannot_be_labelled_is_refused(given: Make, changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(IreneError, match=fact) as told:
        taught(net(), job(people(0, 200), **changes), given())
    assert "\n" not in str(told.value)


def test_a_teacher_that_guesses_is_refused() -> None:
    with pytest.raises(DataError, match="no better than chance") as told:
        taught(net(), job(people(0, 200, noise=0.5)), people(300, 400, missing=["v"]))
    assert "\n" not in str(told.value)


def test_labels_that_cost_more_than_they_bring_are_refused() -> None:
    poor = teaching.Teacher(
        "x", np.zeros(0, dtype=np.int64), Errors({"a": 0.35, "b": 0.35}, {"a": 500, "b": 500}, {"a": 500, "b": 500})
    )
    with pytest.raises(DataError, match="2000 rows so labelled would cost more than they bring beside 500"):
        teaching._require_worth("v", poor, 500, 2000)
    teaching._require_worth("v", poor, 50, 2000)


def test_methods_that_need_true_labels_are_refused_by_name() -> None:
    bare, whole = people(0, 5, v=None, y=None), people(0, 5, v=None)
    with pytest.raises(IreneError, match="The method rubi learns 'y' anew"):
        require_teachable(make_method("rubi", {}), bare, "y", ())
    require_teachable(make_method("rubi", {}), whole, "y", ())
    with pytest.raises(IreneError, match="The method plain removes nothing"):
        require_teachable(make_method("plain", {}), whole, "y", ())
    require_teachable(make_method("rich", {}), bare, "y", ["kept", "other"])
    with pytest.raises(IreneError, match="does not say 'other' of every row, and the method _Own"):
        require_teachable(_Own(), whole, "y", ["kept", "other"])


class _Own:
    weight = 0.0
    start = Leace.start


def test_a_reader_is_chosen_for_what_it_reads_and_too_few_rows_make_no_network() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=(600, 4)).astype(np.float32)
    v = (np.abs(z[:, 0]) > 0.67).astype(np.int64)  # no linear attacker reads that
    told, (found,) = read({"z": z[:400]}, v[:400], np.arange(400), [{"z": z[400:]}], 0)
    assert not told.startswith("logistic") and (found == v[400:]).mean() > 0.9
    assert tell(net(), job(people(0, 20)), "v", people(0, 20), []) == "40 rows are too few to fine-tune the encoder"
    assert tell(torch.nn.Identity(), job(people(0, 200)), "v", people(0, 200), []) == "there is no encoder to fine-tune"
