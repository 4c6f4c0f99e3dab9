"""The sections of the page: a verdict per attribute, who attacks, layers, classes, controls, and what is filled in."""

import re
from itertools import pairwise

import pytest
from support.evidences import largest
from support.findings import (
    LAYER,
    around,
    audit,
    certified,
    leakage,
    lying,
    powered,
    readable,
    redecided,
    remeasured,
    sanitized,
    task_less,
    where,
    with_where,
)
from support.outline import HOSTILE, Outline, everywhere, section, verdicts

from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.numbers import Figure, bare, named, plain, signed_quantity
from reports.audit_page.render import render
from reports.audit_page.sections.attackers import attackers, floors
from reports.audit_page.sections.layers import layer_matrix
from reports.audit_page.sections.leakage import readings
from reports.audit_page.sections.task import retained_table
from reports.charts.intervals import NARROW, WIDE, Lane, Line, Point, Scale, draw
from reports.inputs.by_attribute import LARGE, by_attribute, tally, worst
from reports.inputs.comparison import compare
from reports.render.section import running_head
from reports.render.table import Body, Row, Table, over, quoted, rules
from reports.text.sentences import unpaired

SECTIONS = [
    "verdict", "leakage", "task", "classes", "tested", "limits", "sign-off", "power", "attackers", "layers", "where",
    "densities", "bounds", "records", "articles", "reproduce", "words",
]  # fmt: skip
"""In the order of the page; some only where there is something to show."""
FIRST = SECTIONS[: SECTIONS.index("power")]
"""Those that everybody reads; the others are folded."""


def layered(*, after: bool = False) -> AuditResult:
    """Return an audit of one attribute at three layers with three verdicts, and of another one at two."""
    read = (0.40, 0.13, 0.15) if after else (0.58, 0.50, 0.44)
    told = ("FAIL", "PASS", "INCONCLUSIVE") if after else ("FAIL", "FAIL", "FAIL")
    found = [
        leakage(read=value, verdict=verdict, layer=layer)  # type: ignore[arg-type]
        for value, verdict, layer in zip(read, told, ("conv", LAYER, "head"), strict=True)
    ]
    others = [leakage("age", 0.13, "PASS", layer=layer) for layer in ("conv", "head")]
    return sanitized(*found, *others) if after else audit(*found, *others)


def with_floor(found: Finding, floor: float) -> Finding:
    return remeasured(found, floor=found.measurement.floor | {"balanced_accuracy": around(floor)})


def order(page: str) -> list[str]:
    return re.findall(r'<section [^>]*aria-labelledby="([\w-]+)-title"', page)


def test_sections_stand_in_their_order_and_the_contents_name_each_of_them() -> None:
    found = [certified(lying(powered(with_where(one)))) for one in (leakage(), leakage(layer="conv"))]
    page = render(audit(*found))
    assert order(page) == SECTIONS
    assert re.findall(r'<li><a href="#([\w-]+)">', page) == SECTIONS
    assert re.findall(r'<section id="([\w-]+)"', page) == FIRST
    assert re.findall(r'<section class="folded".*?<details><summary>.*?<div id="([\w-]+)">', page, flags=re.S) == [
        name for name in SECTIONS if name not in FIRST
    ]
    assert page.index('id="verdict"') < page.index('<nav class="contents"') < page.index('id="leakage"')
    without = remeasured(leakage(), curves=[], spikes=[])
    assert order(render(audit().model_copy(update={"findings": [without]}))) == [
        name for name in SECTIONS if name not in ("power", "bounds", "layers", "where", "densities")
    ]


def test_a_reader_with_a_keyboard_can_skip_to_the_content() -> None:
    tags = Outline(render(audit())).tags
    first = next(attributes for tag, attributes in tags if tag == "a")
    assert first["href"] == "#main"
    assert ("main", {"id": "main"}) in tags


def test_an_attribute_has_one_verdict_and_the_worst_of_its_layers_decides() -> None:
    page = render(layered(), layered(after=True))
    assert verdicts(Outline(page)) == ["verdict fail", "verdict pass"]
    text = section(page, "verdict")
    assert "1 FAIL, 1 PASS — one verdict per private attribute, the worst of its layers." in text
    assert "FAIL colour at conv" in text
    assert "The worst of 3 layers: 1 FAIL, 1 INCONCLUSIVE, 1 PASS." in text


@pytest.mark.parametrize(
    ("told", "decides"),
    [(("PASS", "FAIL", "INCONCLUSIVE"), 1), (("PASS", "INCONCLUSIVE", "PASS"), 1), (("FAIL", "PASS", "FAIL"), 2)],
)
def test_a_fail_decides_before_an_open_verdict_and_that_before_a_pass(told: tuple[str, ...], decides: int) -> None:
    found = [
        remeasured(redecided(leakage(layer=str(place)), verdict=verdict), excess=around(0.01 * place, 0))
        for place, verdict in enumerate(told)
    ]
    (pairs,) = by_attribute(compare(audit(*found), None).pairs)
    assert worst(pairs).last.found.layer == str(decides)


def test_verdicts_are_counted_the_worst_first() -> None:
    assert tally(["PASS", "FAIL", "PASS"]) == "1 FAIL, 2 PASS"


def test_the_sentence_names_a_limit_that_the_user_set() -> None:
    own = audit().protocol.model_copy(update={"limit_set_by": "user", "limit": 0.02})
    found = redecided(leakage(), limit=0.02)
    text = section(render(audit(found, protocol=own)), "verdict")
    assert "against a limit of 2 points (set by the user), on 2,000 test rows." in text
    assert "by default" not in text


def test_the_threat_model_says_what_the_attacker_has_and_what_nobody_tried() -> None:
    text = section(render(audit()), "tested")
    for part in (
        "Has The features of each row at features.7 (128 numbers), as the model gives them.",
        "5,000 here to fit an attacker, and 1,000 to tune and choose it",
        "Neither the architecture nor the weights are used",
        "Passive. It trains 4 kinds of attacker on 2 views of the features, from scratch",
        "beyond what the predicted task label alone gives", "Out of scope Attackers who know more",
    ):  # fmt: skip
        assert part in text, part


def test_a_committee_is_told_of_only_where_one_attacked() -> None:
    assert "and an ensemble of them, from scratch" in section(render(largest()[0]), "tested")
    assert "ensemble" not in section(render(audit()), "tested")


def test_of_embeddings_no_model_is_claimed_to_be_frozen() -> None:
    text = section(render(task_less()), "tested")
    assert "The embeddings of model.pt, on 8,000 rows" in text
    assert "as the table of embeddings holds them" in text
    assert "frozen" not in text and "predicted task label" not in text


def test_many_layers_are_counted_and_not_strung_together() -> None:
    found = [leakage(layer=f"layer {place}") for place in range(5)]
    assert "at the 5 layers listed below" in section(render(audit(*found)), "tested")


def test_one_drawing_holds_all_layers_of_an_attribute() -> None:
    page = render(layered(), layered(after=True))
    found = re.search(r'<section id="leakage".*?</section>', page, flags=re.S)
    assert found
    assert found[0].count("<svg") == 2 * 2  # two attributes, for wide and for narrow screens
    assert "58.0 % → 40.0 %" in section(page, "leakage")
    assert "Circle: before; square: after. Grey bar: shuffled labels (null)." in section(page, "leakage")


def test_no_floor_is_drawn_across_layers_that_have_others() -> None:
    found = [leakage(layer="x"), with_floor(leakage(layer="y"), 0.3)]
    text = section(render(audit(*found)), "leakage")
    assert "The floor is another at each layer, so that no line is drawn for it, nor for the limit." in text
    assert "limit 17 %" not in text and "Dashed" not in text
    assert "limit 17 %" in section(render(layered()), "leakage")


def test_a_refuted_head_at_another_layer_is_told_with_its_layer() -> None:
    worse, own = leakage(read=0.58, layer="conv"), leakage(read=0.40)
    alone = section(render(audit(own), sanitized(own)), "verdict")
    both = section(render(audit(worse, own), sanitized(worse, own)), "verdict")
    assert "the head is no evidence of removal. Next" in alone
    assert "FAIL colour at conv" in both
    assert "the head is no evidence of removal. This is at features.7." in both


def test_of_several_layers_before_after_and_change_stand_in_one_row() -> None:
    pairs = by_attribute(compare(layered(), layered(after=True)).pairs)[0]
    table = readings(pairs)
    assert table.columns == ("Layer", "Before", "After", "Change", "Before", "After", "Before", "After")
    first = table.bodies[0].rows[0]
    assert first.head == "conv"
    assert [cell.split()[0] for cell in first.cells] == ["58.0", "40.0", "−18.0", "46.0", "28.0", "0.70", "0.70"]


def test_the_change_is_paired_where_the_evidence_can_be() -> None:
    draws = [0.40 + 0.001 * i for i in range(100)]
    before = remeasured(leakage(read=0.58), draws={"balanced_accuracy": [one + 0.18 for one in draws]})
    later = [one + 0.0001 * (i % 3) for i, one in enumerate(draws)]
    after = remeasured(leakage(read=0.40), draws={"balanced_accuracy": later})
    text = section(render(audit(before), sanitized(after)), "verdict")
    assert "Change −18.00 points 95 % interval −18.00 to −17.98 paired on the same rows" in text


@pytest.mark.parametrize(
    ("paired", "told"), [((True, True), ""), ((False, False), "; changes"), ((True, False), "; not all changes")]
)
def test_a_caption_says_which_changes_are_not_paired(paired: tuple[bool, ...], told: str) -> None:
    drawn = {True: [0.40, 0.41, 0.42], False: []}
    before, after = (
        [
            remeasured(
                leakage(f"attribute {place}", read),
                draws={"balanced_accuracy": [one + shift * i for i, one in enumerate(drawn[is_paired])]},
            )
            for place, is_paired in enumerate(paired)
        ]
        for read, shift in ((0.58, 0.0), (0.40, 0.01))
    )
    assert unpaired(compare(audit(*before), sanitized(*after)).pairs).startswith(told)
    assert bool(told) is bool(unpaired(compare(audit(*before), sanitized(*after)).pairs))


@pytest.mark.parametrize("after", [layered(after=True), None])
def test_the_layers_stand_beside_each_other_with_their_verdicts(after: AuditResult | None) -> None:
    matrix = layer_matrix(compare(layered(), after).pairs)
    assert matrix is not None
    assert matrix.columns == ("colour", "age")
    assert [head for head, _ in matrix.rows] == ["conv", LAYER, "head"]
    _, (verdict, missing) = matrix.rows[1]
    assert missing is None, "age was not audited there"
    assert verdict is not None and verdict.verdict == ("PASS" if after else "FAIL")
    assert ("was" in verdict.figure) is (after is not None)


def test_the_fewer_of_attributes_and_layers_stand_across() -> None:
    found = [leakage(name, layer=layer) for name in ("a", "b", "c") for layer in ("x", "y")]
    matrix = layer_matrix(compare(audit(*found), None).pairs)
    assert matrix is not None and matrix.columns == ("x", "y") and not matrix.upright
    wide = [leakage(f"attribute {name}", layer=f"layer {layer}") for name in range(8) for layer in range(7)]
    upright = layer_matrix(compare(audit(*wide), None).pairs)
    assert upright is not None and upright.upright
    _, (first, *_others) = upright.rows[0]
    assert first is not None and "25.7…30.3" in first.figure


def test_of_one_layer_there_is_nothing_to_compare() -> None:
    page = render(audit())
    assert "layers" not in order(page)
    assert 'class="matrix' not in page
    assert "features.7 (128 numbers)" in section(page, "tested")


def test_what_is_unknown_of_rows_is_told_and_never_a_small_count() -> None:
    found = remeasured(leakage(), left_out={"8 & red": None}, missing=3)
    page = render(audit(found))
    text = section(page, "records") + section(page, "classes")
    assert "8 & red left out: count withheld, too few to audit" in text
    assert "Counts so small that they could single people out are withheld." in text
    assert "no value 3 rows; no attacker saw them" in text
    assert "withheld" not in section(render(audit()), "records")


def test_groups_and_intersections_are_told() -> None:
    text = section(render(audit(leakage("race+sex"))), "classes")
    assert "Rows are kept together by source image: none stands on two sides of a split" in text
    assert "race+sex is an intersection of attributes" in text
    alone = audit(data=audit().data.model_copy(update={"group": None}))
    text = section(render(alone), "classes")
    assert "No group was named: every row stands alone." in text
    assert "intersection" not in text, "there is one attribute alone"
    two = section(render(audit(leakage("race"), leakage("sex"))), "classes")
    assert "No intersection of attributes was audited" in two


def test_an_attacker_that_failed_in_one_audit_alone_keeps_its_figures_of_the_other() -> None:
    whole = leakage(read=0.58)
    failed = [one.model_copy(update={"figures": {}, "failure": "no memory"}) if one.name == "knn" else one
              for one in leakage(read=0.40).measurement.attackers]  # fmt: skip
    pair = compare(audit(whole), sanitized(remeasured(leakage(read=0.40), attackers=failed))).pairs
    rows = [row for row in attackers(pair).bodies[0].rows if row.head == "knn"]
    assert [(row.cells[0], row.note) for row in rows] == [
        ("standardised", ""), ("standardised", "after: did not run: no memory"),
        ("whitened", ""), ("whitened", "after: did not run: no memory"),
    ]  # fmt: skip
    assert rows[0].cells[1:] == ("54.0", "54.0 52.0–56.0", *rows[0].cells[3:5], "–", "–", "–", "–")


def test_the_strongest_attacker_of_each_audit_is_marked_as_such() -> None:
    after = remeasured(leakage(read=0.40), strongest="logistic on whitened")
    rows = attackers(compare(audit(leakage(read=0.58)), sanitized(after)).pairs).bodies[0].rows
    assert {(row.head, row.cells[0]): row.tag for row in rows if row.tag} == {
        ("mlp", "standardised"): "strongest before", ("logistic", "whitened"): "strongest after",
    }  # fmt: skip


def test_a_floor_that_all_layers_share_is_told_once_and_others_each() -> None:
    same = floors(compare(layered(), None).pairs).bodies[0]
    assert [row.head for row in same.rows] == ["all 3 layers"]
    found = [leakage(layer="x"), with_floor(leakage(layer="y"), 0.5)]
    assert [row.head for row in floors(compare(audit(*found), None).pairs).bodies[0].rows] == ["x", "y"]


def test_the_protocol_tells_seed_refits_and_rows() -> None:
    text = section(render(audit()), "attackers")
    for part in ("Null refits 20, each on at most 2,000 rows", "Seed 0", "Bootstrap resamples 1,000", "20 refits"):
        assert part in text


def test_where_it_leaks_is_drawn_for_the_worst_layer_and_the_others_are_told_of() -> None:
    found = [with_where(leakage(read=read, layer=layer)) for read, layer in ((0.40, "x"), (0.58, "y"))]
    text = section(render(audit(*found)), "where")
    assert "colour at y The worst layer is shown; the evidence holds the same for 1 other layer." in text
    assert "colour at x" not in text


def test_of_many_attributes_where_it_leaks_is_drawn_for_the_worst() -> None:
    found = [with_where(leakage(f"attribute {place}", 0.40 + 0.01 * place)) for place in range(10)]
    text = section(render(audit(*found)), "where")
    assert "The worst attributes are shown; the evidence holds the same for 2 other attributes." in text
    assert "attribute 1 at" not in text and "attribute 9 at" in text


def test_an_audit_that_did_not_look_has_no_such_section() -> None:
    assert "where" not in order(render(audit()))
    assert "where" in order(render(audit(with_where(leakage()))))


def test_how_to_reproduce_names_commands_hashes_and_what_to_compare() -> None:
    after = sanitized(digest="c" * 64, command="irene audit clean.pt -o after.json")
    text = section(render(audit(), after), "reproduce")
    for part in (
        "irene audit model.pt --layer features.7 -o out/before.json irene audit clean.pt -o after.json",
        f"Checkpoint {'b' * 64} {'a' * 64}", f"Made from the checkpoint not on record {'b' * 64}",
        f"Rows that the sanitizer saw not on record {'e' * 64}", f"This evidence none {'c' * 64}",
        f"Audited rows, labels and groups {'d' * 64}", "Seed 0 0", "Device cpu cpu", "irene verify",
    ):  # fmt: skip
        assert part in text, part
    assert "Made from" not in section(render(audit()), "reproduce")


def test_the_sign_off_is_empty_and_says_what_is_signed() -> None:
    page = render(audit(), sanitized(digest="c" * 64))
    text = section(page, "sign-off")
    assert "model.pt, audited on 2026-07-04" in text
    assert f"Checkpoint, SHA-256 {'a' * 64} Evidence, SHA-256 {'c' * 64}" in text
    assert "Decision ☐ accept ☐ accept with measures ☐ reject" in text
    for name in ("Prepared by", "Reviewed by (data-protection officer)", "Date", "Valid until", "Signature"):
        assert f"{name} empty" in text
    assert not {"input", "form", "button"} & {tag for tag, _ in Outline(page).tags}


def test_the_head_of_every_sheet_of_paper_is_text_whatever_the_file_is_called() -> None:
    head = str(running_head(HOSTILE, "2026-07-04"))
    assert not re.search(r"[<>&/]", head)
    assert head.count('"') == 4
    assert running_head("model.pt", "2026-07-04") in render(audit())
    assert quoted('a"\\b') == '"a\\22 \\5c b"'


def test_a_large_table_names_its_cells_by_their_place() -> None:
    table = Table("caption", ("Row", "View", "A", "B", "A", "B"), kind="kind", lead=1,
                  bodies=(Body("", (Row("x", ("v", "1 0–2", "2", "3 2–4", "4")),)),),
                  groups=(("Before", 2), ("After", 2)))  # fmt: skip
    found = dict(re.findall(r"\.kind td:nth-child\((\d)\)::before\{content:\"([^\"]*)\"\}", rules([table])))
    assert {place: name.replace("\\3a ", ":") for place, name in found.items()} == {
        "2": "View", "3": "Before: A", "4": "Before: B", "5": "After: A", "6": "After: B",
    }  # fmt: skip


def test_every_row_of_a_large_table_has_a_cell_for_each_column() -> None:
    page = render(everywhere("plain"), None)
    for table in re.findall(r'<table class="dense.*?</table>', page, flags=re.S):
        columns = len(re.findall(r'<th scope="col">', table))
        for row in re.findall(
            r"<tr(?: class=(?:note|tagged))?><th scope=row>.*?(?=\n<tr|\n</?tbody)", table, flags=re.S
        ):
            spans = [int(span or 1) for span in re.findall(r"<td(?: colspan=(\d+))?>", row)]
            assert 1 + sum(spans) == columns, row


@pytest.mark.slow
def test_a_page_of_very_many_findings_draws_each_attribute_once() -> None:
    few, many = (
        audit().model_copy(
            update={
                "findings": [
                    remeasured(leakage(f"attribute {n // 12}", layer=f"layer {n % 12}"), curves=[])
                    for n in range(number)
                ]
            }
        )
        for number in (LARGE, LARGE + 12)
    )
    assert render(few).count('class="narrow"') == LARGE // 12 + 1  # and the task
    page = render(many)
    assert page.count('class="narrow"') == 1
    assert page.count('class="rolling"') == LARGE // 12 + 1


@pytest.mark.slow
def test_the_largest_page_has_a_row_for_every_attacker() -> None:
    before, after = largest()
    page = render(before, after)
    tried = sum(len(one.measurement.attackers) for one in before.findings)
    found = re.findall(r'<table class="dense attackers-balanced_accuracy-2">.*?</table>', page, flags=re.S)
    assert sum(len(re.findall("<th scope=row>", table)) for table in found) == tried


def test_a_name_in_a_drawing_is_text_cut_to_its_room() -> None:
    lanes = [Lane(name, "1 %", (Point("after", 0.2, 0.1, 0.3),)) for name in ("W" * 10_000, "<b>&", "plain")]
    for layout in (WIDE, NARROW):
        drawn = draw(
            lanes, [Line("chance", 0.1, ":")], None, scale=Scale("x", True), label="l", layout=layout, salt="s"
        )
        names = [name for name in re.findall(r"<text[^>]*>([^<]*)</text>", drawn) if name[0] in "W&p"]
        assert names[1:] == ["&lt;b&gt;&amp;", "plain"]
        assert 5 < len(names[0]) < 40 and "…" in names[0]


def test_a_lane_draws_before_and_after_apart_from_each_other() -> None:
    points = (Point("before", 0.4, 0.3, 0.5), Point("after", 0.4, 0.3, 0.5))
    lanes = [Lane("x", "", points), Lane("y", "", points)]
    drawn = draw(lanes, [Line("chance", 0.1, ":")], None, scale=Scale("x", True), label="l", layout=WIDE, salt="s")
    dots = {float(y) for x, y, end, last in re.findall(r"M ([\d.]+) ([\d.]+) L ([\d.]+) ([\d.]+)", drawn)
            if (x, y) == (end, last)}  # fmt: skip
    assert len(dots) == 4
    assert min(later - earlier for earlier, later in pairwise(sorted(dots))) > 8


def test_a_name_that_runs_to_the_left_turns_no_other_word() -> None:
    assert named("gender") == "gender"
    assert named("מין") == "\u2068מין\u2069"
    assert "\u202e" not in named(HOSTILE) and "\u2066" not in named(HOSTILE)
    assert plain("one\n\x1b[31mtwo\u202e") == r"one\n\x1b[31mtwo\u202e"


@pytest.mark.parametrize(("value", "half", "told"), [(-0.4, 0.5, "−0.4 (−0.9 to +0.1)"), (3e-9, 1e-9, "+3e-09")])
def test_a_change_in_an_attributes_own_unit_has_its_sign(value: float, half: float, told: str) -> None:
    assert str(signed_quantity(around(value, half))).startswith(told)


def test_a_figure_over_its_interval_is_two_words() -> None:
    assert over(Figure("−1.0", "−2.0 to +0.1")).split(" ") == ["−1.0", "−2.0\u202fto\u202f+0.1"]
    assert bare(Figure("58.0 %", "56.0–60.0")) == Figure("58.0", "56.0–60.0")


def test_what_should_stay_readable_says_so_when_nothing_was_named() -> None:
    assert "No attribute was named that should stay readable (--keep)." in section(render(audit()), "task")
    kept = section(render(audit(leakage(), readable())), "task")
    assert "No attribute was named" not in kept and "smiling" in kept


def test_of_one_audit_what_is_kept_has_a_row_for_each_layer() -> None:
    elsewhere = readable().model_copy(update={"layer": "head"})
    table = retained_table(compare(audit(leakage(), readable(), elsewhere), None))
    assert table is not None
    assert [(body.name, [row.head for row in body.rows]) for body in table.bodies] == [("smiling", [LAYER, "head"])]


def test_a_legend_is_drawn_only_where_something_is_lost() -> None:
    nothing = where().model_copy(update={"input_map": [[-0.1, 0.0], [0.0, -0.2]]})
    assert 'class="legend"' not in render(audit(leakage().model_copy(update={"where": nothing})))
    assert 'class="legend"' in render(audit(with_where(leakage())))
