"""The drawing of a sweep: which points no other one beats, where numbers stand, and that any name can be drawn."""

import math
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.cards import card
from support.evidences import FRAGMENTS, HOSTILE
from support.findings import around
from support.sweeps import failed, point, swept, typical

from audit.errors import EvidenceError, IreneError
from audit.evidence.method_card import MethodCard
from audit.evidence.sweep_result import Sweep, SweepFigures
from reports.charts.svg import MUTED, drawing, fitted, measured, printable
from reports.charts.tradeoff_curve import WIDE, curves, kept_curves
from reports.charts.tradeoff_file import draw, write_picture
from reports.charts.tradeoff_panel import Line, draw_panel
from reports.charts.tradeoff_points import NEUTRAL, called, efficient, kept_spots, spots_of
from reports.sweep_page.page import render_sweep
from reports.sweep_page.sections.points import points_table

DRAWN = {"svg", "title", "desc", "style", "rect", "g", "path", "text", "defs", "use"}


def texts(svg: str) -> list[str]:
    """Return what a drawing says, in a file of its own or in a page."""
    return [node.text or "" for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == "text"]


def test_a_point_is_efficient_if_no_other_is_better_in_one_and_as_good_in_the_other() -> None:
    points = [(0.9, 0.95), (0.5, 0.90), (0.5, 0.89), (0.6, 0.90), (0.5, 0.90), (0.95, 0.95)]
    assert efficient(points) == [True, True, False, False, True, False]


def test_every_number_stands_beside_its_mark_and_on_no_other_mark_or_number() -> None:
    generator = random.Random(0)
    sweep = swept(*(point("irene", weight, 0.12 + 0.4 * generator.random(), task=0.9 + 0.08 * generator.random())
                    for weight in range(1, 15)))  # fmt: skip
    spots = spots_of(sweep, "colour")
    with drawing(800, 500, salt="") as figure:
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        draw_panel(axes, spots, WIDE, across="", up="", heading="", chance=0.1, line=Line(0.9, "task kept above"))
        marks = [axes.transData.transform((one.x.value, one.y.value)) for one in spots]
        numbers = {one.get_text(): one.get_position() for one in axes.texts if one.get_text().isdigit()}
    assert [*numbers] == [str(one.number) for one in spots]
    places = list(numbers.values())
    for number, mark in zip(places, marks, strict=True):
        assert math.dist(number, mark) < 20
        others = [one for one in marks if one is not mark] + [one for one in places if one is not number]
        assert min(math.dist(number, other) for other in others) > 8
    assert max(math.dist(number, mark) for number, mark in zip(places, marks, strict=True)) < 20


def test_what_is_kept_is_a_share_of_the_best_of_the_untouched_features_and_the_best_is_drawn() -> None:
    sweep = swept(point("pairs", 1, 0.12, keep=["hat"]), point("map", 1, 0.2, keep=["hat"]), keep=["hat"])
    kept = sweep.points[1].figures.kept[0]  # type: ignore[union-attr]
    worse = kept.model_copy(update={"auroc": around(0.70), "at_best": around(0.5)})  # its own best is not asked
    figures = sweep.points[1].figures.model_copy(update={"kept": [worse]})  # type: ignore[union-attr]
    sweep = sweep.model_copy(
        update={"points": [sweep.points[0], sweep.points[1].model_copy(update={"figures": figures}), sweep.points[2]]}
    )
    spots = kept_spots(sweep, "colour")
    assert [one.number for one in spots] == [1, 2, 3]
    assert spots[1].y.value == pytest.approx((0.70 - 0.5) / (0.93 - 0.5))
    (curve,) = kept_curves(sweep, ["colour"])
    assert "at best" in texts(curve.wide)
    assert "kept of other attributes" in curve.wide
    assert curve.caption.startswith("Further up more is kept")
    older = sweep.model_copy(
        update={"points": [point("untouched", keep=["hat"]).model_copy(update={"figures": _without_best(sweep)})]}
    )
    assert kept_curves(older, ["colour"]) == ()


def _without_best(sweep: Sweep) -> SweepFigures:
    figures = sweep.points[0].figures
    assert figures is not None
    return figures.model_copy(update={"kept": [one.model_copy(update={"at_best": None}) for one in figures.kept]})


def test_a_method_looks_as_its_card_says_and_a_page_has_its_colours_for_light_and_for_dark() -> None:
    sweep = swept(point("irene", 1), point("irene", 2), point("codebook", 1))
    page = render_sweep(sweep)
    for one in spots_of(sweep, "colour")[1:]:
        own = card(one.method)
        assert own is not None
        assert (one.look.mark, one.look.colour, one.look.dark) == (own.mark, own.light, own.dark)
        assert re.findall(rf"--{one.look.variable}:(#[0-9a-f]{{6}})", page) == [own.light, own.dark]
        assert f"var(--{one.look.variable}, {own.light})" in page


def test_a_users_own_method_brings_its_looks_and_words_along() -> None:
    own = MethodCard(description="turns the features upside down", mark="h", light="#123456", dark="#fedcba")
    made = point("own.py:Mine", 1).model_copy(update={"card": own})
    page = render_sweep(swept(made))
    assert spots_of(swept(made), "colour")[1].look.mark == "h"
    assert "#123456" in page and "#fedcba" in page and "turns the features upside down" in page


def test_methods_without_a_card_are_grey_and_take_turns_at_neutral_marks() -> None:
    sweep = swept(point("own.py:One", 1), point("own.py:Two", 1), point("own.py:One", 2))
    found = spots_of(sweep, "colour")[1:]
    assert [one.look.mark for one in found] == [NEUTRAL[0], NEUTRAL[1], NEUTRAL[0]]
    assert {one.look.variable for one in found} == {"muted"}
    assert [one.title for one in found] == ["One 1", "Two 1", "One 2"]
    assert "--method-" not in render_sweep(sweep)


def test_a_cards_colour_that_is_the_pages_own_stays_readable_on_dark_paper() -> None:
    own = MethodCard(description="hides", mark="h", light=MUTED, dark="#141618")
    (drawn,) = curves(swept(point("own.py:Mine", 1).model_copy(update={"card": own})), ["colour"])
    assert f"var(--muted, {MUTED})" in drawn.wide and "--method-" not in drawn.wide


def test_the_chosen_point_is_ringed_and_nothing_else_is() -> None:
    sweep = swept(point("irene", 1, read=0.30), point("codebook", 1, read=0.12), point("rich", 9, 0.11, task=0.5))
    assert [one.title for one in spots_of(sweep, "colour") if one.chosen] == ["codebook 1"]


def test_every_drawing_numbers_and_names_every_point() -> None:
    sweep = swept(point("irene", 1, read=0.50), failed("irene", 2), point("codebook", 1, read=0.12))
    (drawn,) = curves(sweep, ["colour"])
    for svg in (drawn.wide, drawn.narrow, draw(sweep)):
        said = texts(svg)
        assert {"1 untouched", "2 irene 1", "4 codebook 1", "accuracy on digit, the task"} <= set(said)
        assert [one for one in said if one.isdigit()] == ["1", "2", "4"], (
            "a point that failed has a number, and no mark"
        )


def test_a_number_is_the_row_of_its_point_in_the_table_of_all_points() -> None:
    sweep = typical()
    rows = [row[0].text for row in points_table(sweep, "colour").rows]
    for one in spots_of(sweep, "colour"):
        assert rows[one.number - 1].rpartition(":")[2] == one.title


def test_a_drawing_of_a_page_has_no_colour_of_its_own_and_no_id_of_another() -> None:
    both = ("colour", "age")
    drawn = curves(swept(point("codebook", 1, private=both), private=both), both)
    svgs = [svg for one in drawn for svg in (one.wide, one.narrow)]
    assert not re.search(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", "".join(svgs)))
    ids = re.findall(r' id="([^"]+)"', "".join(svgs))
    assert ids and len(ids) == len(set(ids))
    for svg in svgs:
        assert set(re.findall(r'href="#([^"]+)"', svg)) <= set(re.findall(r' id="([^"]+)"', svg))


def test_the_picture_tells_its_figures_to_who_cannot_see_it_and_which_points_failed() -> None:
    drawn = draw(swept(point("codebook", 2, read=0.12), failed("irene", 64)))
    title = ET.fromstring(drawn).find("{http://www.w3.org/2000/svg}title")
    assert title is not None and title.text is not None
    assert "2 codebook 2: task 95.0%, read 12.0%" in title.text
    assert "Not shown, since training failed: irene 64." in texts(drawn)


def test_several_attributes_have_a_panel_each() -> None:
    drawn = texts(draw(swept(point("codebook", 1, private=("colour", "age")), private=("colour", "age"))))
    assert [name for name in drawn if name in ("colour", "age")] == ["colour", "age"]
    assert drawn.count("2") == 2 and drawn.count("2 codebook 1") == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FRAGMENTS)
def test_any_name_can_be_drawn_and_comes_out_as_text(name: str) -> None:
    text = FRAGMENTS[name]
    one = point(f"own.py:{text}", 1, private=(text,))
    sweep = swept(one, private=(text,), task=text, layer=text, file=text)
    (drawn,) = curves(sweep, [text])
    for svg in (draw(sweep), drawn.wide, drawn.narrow):
        assert any(words.startswith(f"2 {called(one)[:2]}") for words in texts(svg))
        said = [words.split() for words in texts(svg)]
        assert any(words[:2] == ["accuracy", "on"] and words[-2:] == ["the", "task"] for words in said)
        assert {one.tag.rpartition("}")[2] for one in ET.fromstring(svg).iter()} <= DRAWN


def test_words_that_do_not_fit_lose_their_middle() -> None:
    with drawing(400, 400, salt="") as figure:
        whole, part = (fitted(figure, "own method number 17", room, size=12) for room in (400, 80))
        assert whole == "own method number 17"
        assert part.startswith("own") and part.endswith("17") and "…" in part
        assert measured(figure, part, size=12)[0] <= 80 < measured(figure, whole, size=12)[0]


def test_a_colour_in_a_name_stays_a_name() -> None:
    (drawn,) = curves(swept(task="#0b5394"), ["colour"])
    assert "accuracy on #0b5394, the task" in texts(drawn.wide)


def test_a_long_name_is_cut_and_says_so() -> None:
    assert printable("W" * 41) == "W" * 39 + "…"
    assert printable("a\x00b\u202e") == r"a\x00b\u202e"
    assert printable(HOSTILE).isprintable()


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sweep.svg"
    write_picture(path, swept(point("codebook", 1)))
    old = path.read_bytes()
    with pytest.raises(EvidenceError):
        write_picture(path, swept().model_copy(update={"points": []}))
    assert path.read_bytes() == old


def test_a_picture_replaces_a_picture_of_a_sweep_alone(tmp_path: Path) -> None:
    path = tmp_path / "sweep.svg"
    for _ in range(2):
        write_picture(path, swept(point("codebook", 1)))
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg"><title>Mine</title></svg>')
    with pytest.raises(IreneError, match=r"sweep\.svg is there already"):
        write_picture(path, swept(point("codebook", 1)))


def test_the_same_sweep_gives_the_same_picture() -> None:
    assert draw(swept(point("codebook", 1))) == draw(swept(point("codebook", 1)))
