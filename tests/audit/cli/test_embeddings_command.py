"""`irene audit` on embeddings that some model made: labels beside them, no model, nothing run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from support.planted import labels, noise

from audit.atomic_write import sha256
from audit.evidence.audit_result import AuditResult, read_audit

Run = Callable[..., Result]
N = 800
QUICK = "--attackers logistic"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .npz file with labels inside, and a .npy file with a table: `pool` tells sex and age, `other` nothing."""
    folder = tmp_path_factory.mktemp("embeddings")
    sex, job = labels(N), labels(N, seed=2)
    z = noise(N)
    z[:, 0] += 3 * sex
    columns = {
        "sex": np.where(sex, "f", "m"),
        "job": np.where(job, "cook", "judge"),
        "said": np.where(np.arange(N) % 10 == 0, "cook", np.where(job, "cook", "judge")),
        "age": 40 + 10 * z[:, 1],
        "person": np.arange(N) // 2,
    }
    pool = z.astype(np.float32)
    np.savez(folder / "z.npz", pool=pool, other=noise(N, seed=4), **columns)  # type: ignore[arg-type]
    np.save(folder / "pool.npy", pool)
    table = pd.DataFrame(columns)
    table.to_csv(folder / "labels.csv", index=False)
    table[["sex", "job"]][::-1].to_csv(folder / "shuffled.csv", index=False)
    named = table[["sex"]].assign(id=[f"p{row:04}" for row in range(N)])
    np.savez(folder / "id.npz", pool=pool, id=named["id"].to_numpy().astype("U"))
    named.sample(frac=1, random_state=0).to_csv(folder / "id.csv", index=False)
    named[["id"]][::-1].rename(columns={"id": "key"}).to_csv(folder / "key.csv", index=False)
    named[1:].to_csv(folder / "few.csv", index=False)
    pool[7, 3] = np.nan
    np.savez(folder / "nan.npz", pool=pool, sex=columns["sex"])
    return folder


@pytest.fixture
def audited(made: Path, run: Run, tmp_path: Path) -> Callable[..., AuditResult]:
    def call(name: str, *typed: str | Path) -> AuditResult:
        result = run("audit", made / name, QUICK, *typed, "-o", tmp_path / "a.json")
        assert result.exit_code == 0, result.output
        return read_audit(tmp_path / "a.json")

    return call


def test_labels_inside_the_file_are_enough(made: Path, audited: Callable[..., AuditResult]) -> None:
    result = audited("z.npz", "--private sex,age")
    pool, pool_age, other, _ = result.private
    assert [(one.attribute, one.layer) for one in result.findings] == [
        ("sex", "pool"),
        ("age", "pool"),
        ("sex", "other"),
        ("age", "other"),
    ]
    assert pool.decided.verdict == "FAIL"
    assert abs(other.measurement.score.value - 0.5) < 0.1
    assert pool_age.measurement.metric == "r2" and pool_age.measurement.score.value > 0.95
    assert pool.measurement.ceiling is None
    assert result.task is None
    assert (result.checkpoint.file, result.checkpoint.sha256) == ("z.npz", sha256(made / "z.npz"))
    assert result.checkpoint.format == "embeddings"
    assert any("rows that trained the model leak more" in warning for warning in result.warnings)
    assert "no prediction of a task was given, so the floor is chance" in result.warnings


def test_a_column_that_stands_in_both_says_whose_row_is_whose(made: Path, audited: Callable[..., AuditResult]) -> None:
    joined = audited("id.npz", "--private sex", "--table", made / "id.csv")
    assert joined.private[0].decided.verdict == "FAIL"
    assert "rows of id.csv were put in the order of the vectors by 'id'" in joined.warnings
    same, alone = (
        audited("z.npz", "--private sex --layer pool", *more) for more in (["--table", made / "labels.csv"], [])
    )
    assert same.private[0].measurement.score == alone.private[0].measurement.score
    told = audited("pool.npy", "--private sex", "--table", made / "labels.csv").warnings
    assert any(note.endswith("in the order of the vectors: no column says whose they are") for note in told)


def test_a_layer_can_be_chosen_and_fewer_rows_drawn_by_the_seed(audited: Callable[..., AuditResult]) -> None:
    few = "--private sex --layer pool --limit-rows 400"
    first, other = audited("z.npz", few), audited("z.npz", few, "--seed 1")
    assert [one.layer for one in first.private] == ["pool"]
    assert first.data.rows == 400
    assert first.data.fingerprint != other.data.fingerprint
    assert first.private[0].measurement.score.value > 0.85, "rows and labels still belong together"


def test_a_table_labels_a_bare_array(made: Path, audited: Callable[..., AuditResult]) -> None:
    bare = audited("pool.npy", "--private sex --table", made / "labels.csv")
    inside = audited("z.npz", "--private sex --layer pool")
    assert bare.findings == inside.findings


def test_what_the_model_answered_gives_the_floor_and_the_tasks_accuracy(audited: Callable[..., AuditResult]) -> None:
    result = audited("z.npz", "--private sex --layer pool --task job --predicted said")
    assert result.task is not None
    assert result.task.accuracy.value == pytest.approx(0.95, abs=0.03)
    (found,) = result.private
    one = found.measurement
    assert one.floor_score.value == pytest.approx(0.5, abs=0.08)
    assert one.floor_score != one.score
    assert one.figures["given_task"].low > 0.1
    told = audited("z.npz", "--private job --layer pool --predicted said").private[0]
    assert told.measurement.floor_score.value == pytest.approx(0.95, abs=0.03)
    assert told.decided.verdict != "FAIL", "nothing is read beyond what the answer gives away"


def test_a_group_stays_on_one_side(audited: Callable[..., AuditResult]) -> None:
    result = audited("z.npz", "--private sex --layer pool --group person --classes person")
    assert result.data.group == "person"
    assert result.data.train.groups + result.data.select.groups + result.data.test.groups == N // 2
    assert not any("no group column" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("typed", "said", "code"),
    [
        ("audit z.npz --private sex --arch small-convnet", "need no --arch. Leave it out", 2),
        ("audit z.npz --private sex --data digits", "need no --data. Leave it out", 2),
        ("audit z.npz --private sex --weights-key ema", "need no --weights-key", 2),
        ("audit z.npz --private sex --image-size 32", "need no --image-size", 2),
        ("audit z.npz --private sex --pool mean", "need no --pool", 2),
        ("audit z.npz", "Missing option '--private'", 2),
        ("audit z.npz --private sx", "Did you mean 'sex'?", 1),
        ("audit z.npz --private sex --layer pol", "Unknown layer of z.npz 'pol'. Did you mean 'pool'?", 1),
        ("audit z.npz --private sex --predicted sad", "Did you mean 'said'?", 1),
        ("audit z.npz --private age --task sex --predicted said", "the task has f, m", 1),
        ("audit z.npz --private sex --task job --predicted sex", "cannot be private or kept too", 1),
        ("audit z.npz --private sex --group persn", "Did you mean 'person'?", 1),
        ("audit z.npz --private person --classes person", "each needs 10", 1),
        ("audit z.npz --private sex --continuous sex", "is to be continuous and holds", 1),
        ("audit z.npz --private sex --table shuffled.csv", "in another order, and rows have it in common", 1),
        ("audit id.npz --private sex --table key.csv", "'id' of the embeddings and 'key' of key.csv name mostly", 1),
        ("audit id.npz --private sex --table few.csv", "1 of 800 rows have a 'id' that is not in few.csv", 1),
        ("audit z.npz --private sex -o z.npz", "z.npz is what is audited", 1),
        ("audit pool.npy --private sex", "holds no labels", 1),
        ("audit pool.npy --private sex --table gone.csv", "gone.csv", 1),
        ("audit nan.npz --private sex", "NaN or infinity in row 8", 1),
        ("audit gone.npz --private sex", "gone.npz does not exist", 1),
    ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    typed: str, said: str, code: int, made: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    was = {path: sha256(path) for path in made.rglob("*") if path.is_file()}
    result = run(typed, "" if "-o" in typed else "-o out/a.json", QUICK)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code
    errors = result.stderr[result.stderr.index("Error: ") :].splitlines()
    assert len(errors) == 1 and said in errors[0]
    assert {path: sha256(path) for path in made.rglob("*") if path.is_file()} == was
