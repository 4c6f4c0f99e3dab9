"""Paired codes: no word tells the private class, the word of a row is always the same, and what is kept stays."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from audit.data.columns import Ints
from audit.data.labelled import labelled
from audit.errors import IreneError
from audit.model.forward import Encoder
from audit.model.maps.paired_code import PairedCode
from audit.model.release import found_in, install
from audit.model.representations import extract
from sanitizer.job import Recipe, TrainingJob
from sanitizer.method_table import make_method
from sanitizer.methods.base import Batch, Rows
from sanitizer.methods.codebook import fit_code
from sanitizer.methods.heads import RetainedHeads
from sanitizer.methods.pairing import by_chance, codes_of, paired
from sanitizer.methods.pairs import Pairs, fit_pairs
from sanitizer.training.loop import fine_tune

N = 3000


def shares(codes: Ints, v: Ints, says: np.ndarray) -> np.ndarray:
    """Return how likely each word is in each class of v, (k, words)."""
    k, count = int(v.max()) + 1, len(says)
    of_codes = np.stack([np.bincount(codes[v == one], minlength=count) / (v == one).sum() for one in range(k)])
    return np.asarray(of_codes @ says)


@given(
    st.integers(2, 40), st.integers(1, 40), st.lists(st.integers(2, 4), min_size=1, max_size=2), st.integers(0, 2**31)
)
@settings(max_examples=60, deadline=None)
def test_each_word_is_as_likely_in_every_class_of_every_attribute(
    count: int, words: int, classes: list[int], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(count, 3))
    codes = generator.integers(0, count, 400)
    labels = [(codes * generator.integers(1, 9) + generator.integers(0, k, 400)) % k for k in classes]
    labels = [np.unique(v, return_inverse=True)[1] for v in labels]
    says = paired(codes, labels, centres, words, [0] * len(labels))
    assert np.allclose(says.sum(axis=1), 1) and says.min() >= 0
    for v in labels:
        likely = shares(codes, v, says)
        assert np.abs(likely - likely[0]).max() < 1e-9


def test_codes_are_paired_with_those_that_are_alike() -> None:
    """Two codes of each of two places far apart, one of each class: words stay at their places."""
    centres = np.array([[0.0], [1.0], [100.0], [101.0]])
    codes, v = np.repeat(np.arange(4), 50), np.tile(np.repeat([0, 1], 50), 2)
    says = paired(codes, [v], centres, 4, [0])
    assert says.shape == (4, 2)
    assert np.array_equal(says[0], says[1]) and np.array_equal(says[2], says[3]) and says[0] @ says[2] == 0


def leaning(seed: int, k: int = 2) -> tuple[Ints, Ints, np.ndarray]:
    """Draw the codes of rows, (n,), their classes, (n,), and the codes' centres."""
    generator = np.random.default_rng(seed)
    centres, v = generator.normal(size=(8, 2)), generator.integers(0, k, 400)
    return (generator.integers(0, 8, 400) * generator.integers(1, 3, 400) + 2 * v) % 8, v, centres


def test_words_keep_more_of_the_variance_than_the_best_of_many_pairs_of_codes() -> None:
    ours, others = [], []
    for seed in range(30):
        codes, v, centres = leaning(seed)
        lean = np.array([[np.mean(codes[v == one] == code) for code in range(8)] for one in (0, 1)])
        ours.append(lost(paired(codes, [v], centres, 8, [0]), codes, centres))
        generator = np.random.default_rng(seed)
        others.append(min(lost(in_turn(lean[1] - lean[0], generator), codes, centres) for _ in range(20)))
    assert np.mean(ours) < np.mean(others)


@pytest.mark.parametrize("k", [2, 5])
def test_no_class_says_words_further_from_all_rows_than_the_share_of_chance_that_is_allowed(k: int) -> None:
    codes, v, centres = leaning(1, k)
    chance = of_nothing(v, 8)
    variance = []
    for slack in (0.0, 0.25, 0.5, 1.0):
        says = paired(codes, [v], centres, 8, [slack])
        assert (apart(codes, v, says) <= slack * 1.3 * chance + 1e-9).all()
        variance.append(lost(says, codes, centres))
    assert variance == sorted(variance, reverse=True) and variance[0] > 1.2 * variance[-1]


def apart(codes: Ints, v: Ints, says: np.ndarray) -> np.ndarray:
    """Return the total variation between the words of each class and those of all rows, (k,)."""
    of_all = np.bincount(codes, minlength=len(says)) / len(codes) @ says
    return np.asarray(np.maximum(shares(codes, v, says) - of_all, 0).sum(axis=1))


def of_nothing(v: Ints, words: int) -> np.ndarray:
    """Return the same of as many equally frequent words that tell nothing of v."""
    generator = np.random.default_rng(9)
    return np.asarray(
        np.mean([apart(generator.integers(0, words, len(v)), v, np.eye(words)) for _ in range(200)], axis=0)
    )


def test_one_row_of_a_rare_class_allows_the_others_nothing() -> None:
    codes, v, centres = leaning(1)
    for slack in (0.0, 0.5):
        alone = paired(codes, [v], centres, 8, [slack])
        rare = v.copy()
        rare[0] = 2
        beside = paired(codes, [rare], centres, 8, [slack])
        assert apart(codes, rare, beside)[:2].max() < 1.2 * apart(codes, v, alone).max() + 0.01


def test_of_many_classes_that_codes_tell_nothing_of_what_is_kept_stays() -> None:
    generator = np.random.default_rng(3)
    v, kept = generator.integers(0, 10, N), generator.integers(0, 2, N)
    z = generator.normal(size=(N, 6)).astype(np.float32)
    z[:, 0] += 3 * kept
    z[:, 1:] += np.eye(10)[v] @ generator.normal(size=(10, 5))
    rows = Rows(
        before=torch.from_numpy(z),
        z=torch.from_numpy(z),
        scores=torch.zeros(N, 1),
        y=torch.zeros(N, dtype=torch.int64),
        v={},
    )
    read = {}
    for slack in (0.0, 0.5):
        words = words_of(fit_pairs(rows, [v], [kept], Pairs(words=8, slack=slack), has_task=False), rows.before)
        read[slack] = best_guess(words, kept)
        assert best_guess(words, np.asarray(v > 4).astype(np.int64)) < 0.54
    assert read[0.5] > max(0.88, read[0.0])


def in_turn(lean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Pair what leans one way with what leans the other in any order, and return how often each code says each word."""
    left, words = generator.permutation(np.flatnonzero(np.abs(lean) > 1e-12)), []
    here, there = ([[code, abs(lean[code])] for code in left if lean[code] * way > 0] for way in (1, -1))
    while here and there:
        moved, word = min(here[0][1], there[0][1]), np.zeros(len(lean))
        for side in (here, there):
            word[int(side[0][0])] = moved / abs(lean[int(side[0][0])])
            side[0][1] -= moved
            if side[0][1] < 1e-12:
                side.pop(0)
        words.append(word)
    words += [np.eye(len(lean))[code] for code in np.flatnonzero(np.abs(lean) <= 1e-12)]
    return np.stack(words, axis=1)


def lost(says: np.ndarray, codes: Ints, centres: np.ndarray) -> float:
    """Return the variance of the codes' centres within words."""
    joint = says * (np.bincount(codes, minlength=len(says)) / len(codes))[:, None]
    means = joint.T @ centres / np.maximum(joint.sum(axis=0), 1e-12)[:, None]
    return float((joint * np.square(centres[:, None] - means).sum(axis=2)).sum())


def drawn(seed: int) -> tuple[Tensor, Ints, Ints]:
    """Draw features (n, 6) with v along one, and what is to be kept, which goes with v, along another."""
    generator = np.random.default_rng(seed)
    v, kept = generator.integers(0, 2, N), generator.integers(0, 2, N)
    z = generator.normal(size=(N, 6)).astype(np.float32)
    z[:, 0] += 3 * v
    z[:, 1] += 3 * kept + v
    return torch.from_numpy(z), v, kept


@pytest.fixture(scope="module")
def code() -> PairedCode:
    z, v, kept = drawn(0)
    rows = Rows(before=z, z=z, scores=torch.zeros(N, 1), y=torch.zeros(N, dtype=torch.int64), v={})
    return fit_pairs(rows, [v], [kept], Pairs(words=48), has_task=False)


def words_of(code: PairedCode, z: Tensor) -> Ints:
    return np.asarray(torch.unique(code(z), dim=0, return_inverse=True)[1])


def best_guess(words: Ints, v: Ints) -> float:
    """Return the balanced accuracy of the table of words, fitted on half of the rows, on the other half."""
    fit = np.arange(len(v)) % 2 == 0
    most = words.max() + 1
    counts = [np.bincount(words[fit & (v == one)], minlength=most) / (fit & (v == one)).sum() for one in (0, 1)]
    said = counts[1] > counts[0]
    return float(np.mean([said[words[~fit & (v == 1)]].mean(), 1 - said[words[~fit & (v == 0)]].mean()]))


def test_new_rows_tell_nothing_of_v_and_much_of_what_is_kept(code: PairedCode) -> None:
    z, v, kept = drawn(1)
    assert best_guess(np.asarray(z[:, 0] > 1.5).astype(np.int64), v) > 0.9
    words = words_of(code, z)
    assert best_guess(words, v) < 0.54
    assert best_guess(words, kept) > 0.8


def test_a_row_says_the_same_word_alone_and_among_others_and_where_its_last_bits_differ(code: PairedCode) -> None:
    z, *_ = drawn(2)
    said = code(z)
    assert torch.equal(torch.cat([code(row[None]) for row in z[:200]]), said[:200])
    assert torch.equal(code(z), said)
    assert float((code(z * (1 + 1e-7)) == said).all(dim=1).float().mean()) > 0.995


def test_a_row_says_the_same_word_where_the_model_runs_in_halves(code: PairedCode) -> None:
    z = drawn(2)[0] + 5
    with torch.autocast("cpu", torch.bfloat16):
        said = code(z)
    assert torch.equal(said, code(z))


def test_codes_say_their_words_as_often_as_they_were_paired(code: PairedCode) -> None:
    z, *_ = drawn(3)
    die = code.die(z)
    assert abs(float(die.mean()) - 0.5) < 0.02 and abs(float(die.std()) - 12**-0.5) < 0.01
    of = code.code(z)
    most = int(torch.bincount(of).argmax())
    chances = torch.diff(code.upto[most].clamp_max(1.0), prepend=torch.zeros(1))
    said = torch.bincount((die[of == most][:, None] > code.upto[most]).sum(dim=1), minlength=len(chances))
    assert torch.allclose(said / said.sum(), chances, atol=0.12)


def test_a_code_comes_back_from_the_tensors_of_a_checkpoint(code: PairedCode) -> None:
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(6, 2))
    released, again = copy.deepcopy(model), copy.deepcopy(model)
    install(released, "1:input", code)
    standing = found_in(released.state_dict())
    assert standing is not None
    standing.install(again)
    z, *_ = drawn(4)
    assert torch.equal(released(z), again(z))


def test_heads_of_what_is_kept_begin_where_they_read_it_and_follow() -> None:
    generator = np.random.default_rng(5)
    two, three = generator.integers(0, 2, N), generator.integers(0, 3, N)
    z = torch.from_numpy(generator.normal(size=(N, 6)).astype(np.float32))
    z[:, 0] += torch.from_numpy(4.0 * two)
    z[:, 1] += torch.from_numpy(4.0 * three)
    retained = {"two": torch.from_numpy(two), "three": torch.from_numpy(three), "same": torch.zeros(N).long()}
    classes = {"two": 2, "three": 3, "same": 2}
    heads = RetainedHeads(z, retained, classes)
    for head, name in zip(heads.heads, ("two", "three"), strict=False):
        said = head((z - heads.mean) / heads.scale).argmax(dim=1)
        assert (said == retained[name]).float().mean() > 0.9

    def batch(z: Tensor) -> Batch:
        nothing = torch.zeros(N)
        return Batch(
            before=z, z=z, scores=nothing[:, None], y=nothing.long(), v=retained, rows=torch.arange(N), x=lambda: z,
            progress=0.0,
        )  # fmt: skip

    known = heads.loss(batch(z)).item()
    hidden = z.clone().requires_grad_()
    heads.loss(batch(hidden)).backward()  # type: ignore[no-untyped-call]
    assert hidden.grad is not None and hidden.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in heads.parameters())
    before = heads.loss(batch(-z)).item()
    for _ in range(100):
        heads.learn(batch(-z))
    assert heads.loss(batch(-z)).item() < 0.9 * before
    retained["two"][::2] = -1  # unknown
    assert RetainedHeads(z, retained, classes).loss(batch(z)).item() == pytest.approx(known, abs=0.05)


def test_a_constant_feature_or_a_row_far_out_leaves_the_die_its_sides() -> None:
    z, v, kept = drawn(7)
    for outlying in (slice(None), slice(1)):
        odd = torch.cat([z, torch.randn(N, 1, generator=torch.Generator().manual_seed(1))], dim=1)
        odd[outlying, 6] = 1e5
        rows = Rows(before=odd, z=odd, scores=torch.zeros(N, 1), y=torch.zeros(N, dtype=torch.int64), v={})
        code = fit_pairs(rows, [v], [kept], Pairs(words=8), has_task=False)
        assert len(torch.unique(code.die(odd))) > N / 2


def test_of_many_rows_codes_are_as_fine_as_of_few() -> None:
    c = np.random.default_rng(8).normal(size=(30_000, 24))
    few, many = (len(codes_of(rows, 5_000, np.arange(len(rows)))[0]) for rows in (c[:20_000], c))
    assert many > 0.9 * few > 700


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("words", 1),
        ("words", 2.5),
        ("slack", "abc"),
        ("slack", -1),
        ("keep_loss", float("nan")),
        ("keep_weight", 1e300),
        ("words", True),
    ],
)
def test_what_is_no_setting_of_a_code_is_refused(name: str, value: object) -> None:
    with pytest.raises(IreneError, match=rf"{name} is .*\. Give (a (whole )?number, |at most )?[0-9,]+( or more)?\.$"):
        make_method("pairs", {name: value})


def test_the_encoder_is_trained_for_what_is_kept() -> None:
    """A task that has nothing to do with what is kept: a narrow layer hardly has it, unless it is named."""
    generator = np.random.default_rng(6)
    x = generator.normal(size=(N, 8)).astype(np.float32)
    columns = {name: (x[:, place] > 0).astype(int).tolist() for place, name in enumerate(("y", "kept", "v"))}
    data = labelled(torch.from_numpy(x), columns)
    read = {}
    for keep in ((), ("kept",)):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
        recipe = Recipe(20, batch_size=100, lr=1e-2)
        job = TrainingJob(
            data, task="y", private=["v"], keep=keep, layer="2:input", method=Pairs(words=16), recipe=recipe
        )
        done = fine_tune(model, job)
        assert max(one.fresh["v"] for one in done.trace) < 0.6  # of words, as what is released, not of z
        z = extract(Encoder(model), data, ["2:input"]).z["2:input"]
        words = np.unique(np.asarray(z), axis=0, return_inverse=True)[1]
        read[keep] = best_guess(words, data.codes("kept"))
        assert best_guess(words, data.codes("v")) < 0.56
    assert read["kept",] > max(0.8, read[()] + 0.1)


def test_rows_that_training_goes_over_again_do_not_make_a_code() -> None:
    once = np.random.default_rng(9).normal(size=(400, 3))
    again = np.concatenate([once, np.repeat(once[:5] + 20, 30, axis=0)])
    centres, codes = codes_of(again, 100, np.arange(len(again)))
    assert min(len(np.unique(again[codes == code], axis=0)) for code in range(len(centres))) >= 10
    assert len(codes_of(np.repeat(once[:5], 30, axis=0), 100, np.arange(150))[0]) == 1


def test_a_programme_that_takes_too_long_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanitizer.methods.pairing.SECONDS", 1e-9)
    codes, v, centres = leaning(1, 5)
    with pytest.raises(IreneError, match=r"^Words could not be matched \(.*Time limit.*\)\. Try fewer --words"):
        paired(codes, [v], centres, 8, [0])


def test_a_word_is_no_row_that_training_goes_over_again() -> None:
    z = np.random.default_rng(10).normal(size=(300, 4)).astype(np.float32)
    z[:260] = z[0]  # one row, many times, and all of a class
    scores = torch.from_numpy(np.stack([z[:, 0], -z[:, 0]], axis=1) * np.sign(z[0, 0]))
    rows = Rows(before=torch.from_numpy(z), z=torch.from_numpy(z), scores=scores, y=torch.zeros(300).long(), v={})
    keep = np.r_[0:260, 260 + np.flatnonzero(np.asarray(scores[260:].argmax(dim=1)) == 1)]
    some = replace(rows, before=rows.before[keep], z=rows.z[keep], scores=scores[keep], y=rows.y[keep])
    for words in (
        fit_code(some, 1).words,
        fit_pairs(some, [np.arange(len(keep)) % 2], [], Pairs(), has_task=True).words,
    ):
        assert (words - some.before[0]).abs().max(dim=1).values.min() > 0.01


def rows_of(z: np.ndarray, scores: np.ndarray | None = None) -> Rows:
    """Make training rows of features (n, d), without a task if there are no scores."""
    made = torch.from_numpy(np.asarray(z, dtype=np.float32))
    given = torch.zeros(len(z), 1) if scores is None else torch.from_numpy(np.asarray(scores, dtype=np.float32))
    return Rows(before=made, z=made, scores=given, y=torch.zeros(len(z)).long(), v={})


@pytest.mark.parametrize("classes", [2, 3])
def test_noise_is_matched_away_of_two_classes_and_to_a_part_of_more(classes: int) -> None:
    z, v, kept = drawn(13)
    v = np.where(np.random.default_rng(0).random(N) < 0.3, classes - 1, v)
    made = [
        fit_pairs(rows_of(np.asarray(z)), [v], [kept], Pairs(slack=slack), has_task=False) for slack in (None, 0, 0.5)
    ]
    assert [torch.equal(made[0].upto, other.upto) for other in made[1:]] == [classes == 2, classes > 2]


@pytest.mark.parametrize("slack", [0.0, 0.5])
def test_where_rows_are_often_the_same_words_still_tell_nothing_of_v(slack: float) -> None:
    """Rows of the same features throw the same die: of a few, shares are carried out by few throws."""
    k, of_one = 30, np.arange(1, 31) ** -1.5
    for seed in range(3):
        generator = np.random.default_rng(seed)
        a, b = generator.choice(k, (2, 2, 4000), p=of_one / of_one.sum())
        z = np.eye(k)[a] @ np.eye(k, 2 * k) + np.eye(k)[b] @ np.eye(k, 2 * k, k)
        v = ((a + b) % 2) ^ (generator.random((2, 4000)) < 0.02)
        code = fit_pairs(rows_of(z[0]), [v[0]], [], Pairs(slack=slack), has_task=False)
        assert best_guess(words_of(code, rows_of(z[1]).before), v[1]) < 0.56
        assert len(code.words) > 3 and best_guess(np.asarray((a + b)[1] % 2), v[1]) > 0.97


def test_the_die_is_the_same_where_a_run_is_computed_elsewhere() -> None:
    z, v, kept = drawn(11)
    elsewhere = z * (1 + 1e-6 * torch.randn(z.shape, generator=torch.Generator().manual_seed(0)))
    dice = [fit_pairs(rows_of(np.asarray(one)), [v], [kept], Pairs(), has_task=False).die(z) for one in (z, elsewhere)]
    assert float((dice[0] == dice[1]).float().mean()) > 0.99


@pytest.mark.parametrize("words", [10, 13, 64])
def test_all_predicted_classes_together_have_as_many_words_as_were_asked_for_at_most(words: int) -> None:
    generator = np.random.default_rng(12)
    z, v = generator.normal(size=(4000, 10)), generator.integers(0, 2, 4000)
    code = fit_pairs(rows_of(z, 4 * z), [v], [v], Pairs(words=words), has_task=True)
    assert 10 <= len(code.words) <= words and len(torch.unique(code.owner)) == 10
    assert words < 64 or len(code.words) > 50


def test_fewer_words_than_classes_are_refused_before_any_step() -> None:
    z = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    columns = {"y": [str(row % 4) for row in range(400)], "v": [str(row % 2) for row in range(400)]}
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))
    job = TrainingJob(
        labelled(z, columns),
        task="y",
        private=["v"],
        layer="2:input",
        method=Pairs(words=3),
        recipe=Recipe(1, batch_size=64),
    )
    with pytest.raises(IreneError, match=r"^--words 3 are too few for the 4 classes.*Give --words 4 or more"):
        fine_tune(model, job)


@pytest.mark.parametrize("seed", range(4))
def test_rows_between_two_classes_of_the_task_end_no_fit(seed: int) -> None:
    """Which of two equal scores is the larger hangs on rounding."""
    z = np.random.default_rng(seed).integers(0, 2, (1500, 4))
    scores = np.stack([z[:, 0] + z[:, 1], z[:, 2] + z[:, 3]], axis=1)
    v = np.random.default_rng(seed + 9).integers(0, 2, 1500)
    code = fit_pairs(rows_of(z, scores), [v], [], Pairs(), has_task=True)
    assert torch.isfinite(code(rows_of(z).before)).all()


def test_a_class_whose_rows_are_all_the_same_is_not_told_from_the_others() -> None:
    """All of them throw one die, so a word would be theirs whatever the shares are."""
    generator = np.random.default_rng(14)
    v, z = generator.integers(0, 20, (2, 4000)), generator.normal(size=(2, 4000, 6))
    z[v == 7] = 0.1
    code = fit_pairs(rows_of(z[0]), [v[0]], [], Pairs(), has_task=False)
    assert best_guess(words_of(code, rows_of(z[1]).before), np.asarray(v[1] == 7).astype(np.int64)) < 0.56


def test_three_rows_of_another_class_let_the_die_tell_nothing_of_the_others() -> None:
    k, of_one = 30, np.arange(1, 31) ** -1.5
    for seed in (1, 5):
        generator = np.random.default_rng(seed)
        a, b = generator.choice(k, (2, 2, 4000), p=of_one / of_one.sum())
        z = np.eye(k)[a] @ np.eye(k, 2 * k) + np.eye(k)[b] @ np.eye(k, 2 * k, k)
        v = ((a + b) % 2) ^ (generator.random((2, 4000)) < 0.02)
        v[0, :3] = 2
        code = fit_pairs(rows_of(z[0]), [v[0]], [], Pairs(slack=0), has_task=False)
        assert best_guess(words_of(code, rows_of(z[1]).before), v[1]) < 0.57


def test_another_key_is_tried_before_there_are_fewer_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def few_values(seed: int) -> PairedCode:
        generator = np.random.default_rng(seed)
        z = np.round(generator.normal(size=(4000, 2)), 1)
        return fit_pairs(rows_of(z), [(np.sin(6 * z[:, 0]) > 0).astype(np.int64)], [], Pairs(), has_task=False)

    many = sum(len(few_values(seed).words) for seed in range(6))
    monkeypatch.setattr("sanitizer.methods.pairs.KEYS", 1)
    assert sum(len(few_values(seed).words) for seed in range(6)) < 0.8 * many


def test_a_word_is_far_from_a_row_that_is_drawn_many_times_and_chance_is_that_of_rows_once() -> None:
    z, v, kept = drawn(15)
    v[:12] = 2
    drawn_again = np.concatenate([np.arange(N), np.repeat(np.arange(12), 80), np.full(900, 20)])
    one = replace(rows_of(np.asarray(z[drawn_again])), drawn=torch.from_numpy(drawn_again))
    code = fit_pairs(one, [v[drawn_again]], [kept[drawn_again]], Pairs(), has_task=False)
    assert (code.words - z[20]).norm(dim=1).min() > 0.2
    each = replace(one, drawn=None)
    alone = fit_pairs(each, [v[drawn_again]], [kept[drawn_again]], Pairs(), has_task=False)
    assert len(code.words) > 40 and len(alone.words) < 10


def test_rows_that_are_there_again_count_once_in_what_chance_allows() -> None:
    v, cells = np.arange(60) % 2, np.ones(8)
    once, again = by_chance(v, cells), by_chance(np.tile(v, 20), cells, np.tile(np.arange(60), 20))
    assert np.allclose(again, once) and once.mean() > 3 * by_chance(np.tile(v, 20), cells).mean()


def of_people(people: int, each: int, *, one: int = 0) -> tuple[Rows, Ints]:
    """Return rows of people who look like themselves, of the first `one` more, with scores of two classes, and v."""
    generator = np.random.default_rng(17)
    whose = np.concatenate([np.repeat(np.arange(people), each), np.zeros(one, dtype=np.int64)])
    z = generator.normal(size=(people, 6))[whose] + 0.1 * generator.normal(size=(len(whose), 6))
    rows = rows_of(z, np.outer(z[:, 0], [-1, 1]))
    return replace(rows, group=torch.from_numpy(whose)), (whose % 2).astype(np.int64)


@pytest.mark.parametrize("one", [0, 3000])
def test_a_word_is_of_many_people_where_groups_are_given(one: int) -> None:
    rows, v = of_people(200, 15, one=one)
    group = rows.group
    assert group is not None
    persons = torch.stack([rows.z[group == person].mean(dim=0) for person in range(200)])
    code = fit_pairs(rows, [v], [], Pairs(), has_task=True)
    of, told = code.code(rows.z.float()), functional.linear(rows.z, code.weight, code.bias).argmax(dim=1)
    for one_code, label in enumerate(code.owner):
        of_class = torch.bincount(group[told == label], minlength=200)
        own = torch.bincount(group[of == one_code], minlength=200) / of_class.clamp_min(1)
        assert own.sum() ** 2 >= 9.99 * own.square().sum()
    alone = fit_pairs(replace(rows, group=None), [v], [], Pairs(), has_task=True)
    assert len(alone.words) > len(code.words) > 2
    near, among = (float(torch.cdist(words, persons).min()) for words in (alone.words, code.words))
    of_levels = float(torch.cdist(fit_code(rows, 24).words, persons).min())
    assert 1.3 * near < min(among, of_levels), (near, among, of_levels)


def test_of_few_people_a_predicted_class_has_one_word_of_all_their_rows() -> None:
    rows, v = of_people(6, 40)
    group = rows.group
    assert group is not None
    persons = torch.stack([rows.z[group == person].mean(dim=0) for person in range(6)])
    for words in (fit_pairs(rows, [v], [], Pairs(), has_task=True).words, fit_code(rows, 4).words):
        assert len(torch.unique(words, dim=0)) == 2
        assert torch.cdist(words.float(), persons).min() > 0.5
