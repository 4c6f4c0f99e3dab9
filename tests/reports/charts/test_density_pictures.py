"""Pictures of scores and maps: what each shows, what is withheld, and that older evidence has no such section."""

import re
import xml.etree.ElementTree as ET

import pytest
from support.evidences import everything
from support.findings import audit, leakage, lying

from audit.evidence.audit_result import AuditResult
from audit.evidence.densities import GRIDS, MapDensity, ScoreDensity
from reports.audit_page.densities import ANEW, view
from reports.audit_page.page import sections
from reports.charts.densities.map import LEAST_INK, MOST_INK, UNIT, densities_of, panel
from reports.charts.densities.scores import HEIGHT, MOST, quantile, score_drawing
from reports.inputs.comparison import Pair, compare

HAND = ("no", "yes")


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == "text"]


def told(svg: str) -> str:
    return next(node.text or "" for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == "desc")


def binary(*, apart: float = 2.0, sha: str = "b", names: tuple[str, ...] = HAND) -> AuditResult:
    return audit(lying(leakage("left-handed", 0.7, classes=names), apart=apart), sha=sha * 64)


def pair_of(before: AuditResult, after: AuditResult | None = None) -> Pair:
    return compare(before, after).pairs[0]


def test_evidence_of_before_has_no_such_section_and_the_new_one_a_folded_one() -> None:
    assert view(compare(audit(leakage()), None)) is None
    assert view(compare(binary(), None)) is not None
    assert [one.is_folded for one in sections(()) if one.name == "densities"] == [True]


def test_each_class_has_its_lane_its_median_and_its_words() -> None:
    one = score_drawing(pair_of(binary()), "scores")
    assert one is not None
    for svg in (one.wide, one.narrow):
        assert {"no", "yes", "a guess 50 %", "median 50 %", "median 80 %"} <= {*texts(svg)}
        assert "probability of yes" in texts(svg)
        assert "Before" not in texts(svg)
        assert "no 50 % (23 % to 70 %); yes 80 %" in told(svg)


def test_before_stands_above_after_on_one_scale() -> None:
    one = score_drawing(pair_of(binary(apart=2.0), binary(apart=0.0, sha="a")), "scores")
    assert one is not None
    for svg in (one.wide, one.narrow):
        said = texts(svg)
        assert [word for word in said if word in ("Before", "After")] == ["Before", "After"]
        heights = [float(y) for y, word in re.findall(r'y="([\d.]+)"[^>]*>(Before|After|no|yes)</text>', svg)]
        assert len(heights) == 6
        assert "Before: median" in told(svg) and "After: median" in told(svg)
        assert said.count("median 50 %") == 3 and said.count("median 80 %") == 1


def test_no_line_of_a_narrow_drawing_runs_through_a_name() -> None:
    one = score_drawing(pair_of(binary(), binary(apart=0.0, sha="a")), "scores")
    assert one is not None
    names = [
        float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:no|yes|Before|After|median [\d.]+ %)</text>', one.narrow)
    ]
    assert len(names) == 10
    upright = re.findall(r"M ([\d.]+) ([\d.]+) L \1 ([\d.]+)", one.narrow)
    spans = [sorted((float(low), float(high))) for _, low, high in upright]
    assert len([one for one in spans if one[1] - one[0] > HEIGHT]) == 4, "the guess, through each lane"
    assert [y for y in names for low, high in spans if low < y + 2 and high > y - 9] == []


def test_of_many_classes_those_are_drawn_that_are_recognised_most() -> None:
    names = tuple(f"kind {number}" for number in range(9))
    one = view(compare(audit(lying(leakage("kind", 0.3, classes=names))), None))
    assert one is not None and one.each[0].scores is not None
    assert one.each[0].scores.caption.startswith(f"The {MOST} most recognised of 9 classes.")
    assert [word for word in texts(one.each[0].scores.wide) if word in names] == [*names[:MOST]]
    assert [each.name for each in one.each[0].maps[0].panels] == [*names[:MOST]]


def test_classes_that_are_told_are_drawn_even_if_others_are_recognised_more() -> None:
    found = lying(leakage("kind", 0.3, classes=tuple(f"kind {number}" for number in range(9))))
    assert found.densities is not None
    last = found.densities.model_copy(update={"scores": found.densities.scores[-1:], "map": []})
    one = view(compare(audit(found.model_copy(update={"densities": last})), None))
    assert one is not None and one.each[0].scores is not None and one.each[0].maps == ()
    assert "kind 8" in texts(one.each[0].scores.wide) and "of 9 classes" not in one.each[0].scores.caption


def test_maps_of_a_pair_say_that_their_directions_are_taken_anew() -> None:
    alone, both = (view(compare(*some)) for some in ((binary(), None), (binary(), binary(sha="a"))))
    assert alone is not None and both is not None
    assert ANEW not in " ".join(alone.words) and ANEW in " ".join(both.words)
    assert [maps.when for maps in alone.each[0].maps] == [""]
    assert [maps.when for maps in both.each[0].maps] == ["Before", "After"]


def test_a_coarse_cell_is_drawn_where_no_finer_one_is_and_its_rows_are_spread_evenly() -> None:
    one = MapDensity(name="no", cells=[0, GRIDS[6]], shares=[0.4, 0.6], withheld=0.07)
    found = densities_of(one)
    assert found == pytest.approx({(0, 0): 0.4, (0, 1): 0.2, (1, 0): 0.2, (1, 1): 0.2})
    drawn = panel(one, 0.4, "After")
    assert drawn.withheld == "7 % withheld"
    assert f'd="M0 0h{UNIT:g}v{UNIT:g}h-{UNIT:g}z" fill-opacity="{MOST_INK:.2f}"' in drawn.svg
    assert "After: where the rows of no lie" in drawn.svg
    assert "Densest in column 1, row 1 of 12, with 40 % of what is drawn" in told(str(drawn.svg))
    inks = [float(ink) for ink in re.findall(r'fill-opacity="([\d.]+)"', drawn.svg)]
    assert len(inks) == 2 and LEAST_INK < min(inks) < max(inks)


def test_a_map_whose_shares_are_all_rounded_to_nothing_is_drawn_pale() -> None:
    drawn = panel(MapDensity(name="no", cells=[5, 7], shares=[0.0, 0.0], withheld=0.0), 0.0, "")
    assert f'fill-opacity="{LEAST_INK:.2f}"' in drawn.svg and drawn.withheld == ""


def test_a_name_reaches_both_pictures_as_text_alone() -> None:
    names = ("</svg><script>alert(1)</script>", "\u202eyes")
    one = view(compare(binary(names=names), None))
    assert one is not None and one.each[0].scores is not None
    for svg in (one.each[0].scores.wide, *(each.svg for each in one.each[0].maps[0].panels)):
        assert "<script" not in svg and "\u202e" not in svg
        ET.fromstring(str(svg))


def test_a_median_lies_where_half_the_rows_are_below() -> None:
    score = ScoreDensity(name="no", edges=[0.05, 1.05, 5.05], shares=[0.4, 0.6])
    assert quantile(score, 0.4) == pytest.approx(1.05)
    assert quantile(score, 0.7) == pytest.approx(3.05)


def test_each_attribute_that_has_densities_is_drawn_the_worst_first() -> None:
    one = view(compare(everything(), everything(after=True)))
    assert one is not None
    assert [each.attribute for each in one.each] == ["colour", "left-handed"]
