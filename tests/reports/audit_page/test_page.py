"""The page: what stands on it, that it asks nobody for anything, and that it holds its shape."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.browser import UNFOLD
from support.cards import card
from support.findings import (
    audit,
    ceiling,
    certified,
    continuous,
    leakage,
    readable,
    regression,
    remeasured,
    rich,
    sanitized,
    sanitizing,
    task_less,
    where,
)

from audit.errors import visible
from audit.evidence.audit_result import AuditResult, Epoch
from reports.audit_page import render as pages
from reports.audit_page.render import render, write_report
from reports.charts.heatmap import MOST_INK, heatmap
from reports.render.template import MARK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

from support.outline import HOSTILE, Outline, assert_it_stands_alone, everywhere, shape, verdicts


def without_provisions(page: str) -> str:
    """Return a page without the section that others tell of: what evidence supports, and what it lacks."""
    return re.sub(r'<section class="folded" aria-labelledby="articles-title".*?</section>', "", page, flags=re.S)


def both() -> tuple[AuditResult, AuditResult]:
    reason = "About 9,000 test rows would settle it."
    open_ = leakage("left-handed", 0.55, "INCONCLUSIVE", classes=("no", "yes"), half=0.06, reason=reason)
    before = audit(leakage(read=0.58), leakage("left-handed", 0.66, classes=("no", "yes")))
    return before, sanitized(leakage(read=0.40), open_)


def test_every_verdict_stands_with_its_figures_limit_and_rows() -> None:
    text = Outline(render(*both())).text
    for part in (
        "FAIL colour at features.7",
        "A fresh attacker still reads it beyond the limit: 28.0 points (25.7 to 30.3) over the "
        "floor, against a limit of 5 points (set by default), on 2,000 test rows.",
        "Before 58.0 % 95 % interval 56.0–60.0", "After 40.0 % 95 % interval 38.0–42.0",
        "Change −18.0 points 95 % interval −20.7 to −15.2",
        "Task label alone (floor) 12.0 % 95 % interval 11.0–13.0 a guess: 10 %",
        "INCONCLUSIVE left-handed at features.7", "About 9,000 test rows would settle it.",
        "rbf standardised did not run: out of memory", "mlp strongest standardised 58.0 58.0 56.0–60.0",
    ):  # fmt: skip
        assert part in text, part


def test_a_head_that_says_ten_percent_beside_an_attacker_at_forty_is_shown_as_a_failure() -> None:
    page = Outline(render(audit(), sanitized(leakage(read=0.40), head=0.10)))
    assert "the sanitizer's own head says 10.0 %, a fresh attacker reads 40.0 %" in page.text
    assert "Contradicted. The head says less than" in page.text
    assert ("p", {"class": "alarm"}) in page.tags


def test_an_open_verdict_is_not_set_like_a_pass() -> None:
    page = Outline(render(audit(leakage(read=0.16, verdict="INCONCLUSIVE"))))
    assert verdicts(page) == ["verdict open"]
    assert "Not a pass" in page.text


def test_everything_that_was_measured_or_left_out_stands_on_the_page() -> None:
    text = Outline(render(rich(), rich(after=True))).text
    for part in (
        "AUROC Information, bits Given the task, bits Before 58.0 56.0–60.0 46.0 43.7 to 48.3 0.900 0.880–0.920 1.20 "
        "1.12–1.28 0.70 0.64–0.76 After 40.0",
        "The same attackers read 94.0 % (92.0–96.0) from the raw input, so they are able to.",
        "mlp on whitened input averaged to 3 × 16 × 16",
        "FAIL age at features.7", "Before, R² 0.430 95 % interval 0.410–0.450",
        "Answering the mean gives R² 0, and the median a mean error of 11.80; 1,999 test rows.",
        "mlp strongest standardised 0.43 0.430 0.410–0.450",
        "smiling at features.7 A guess gives 50 %, AUROC 0.5 and 0 of 1.00 bits; 400 test rows. "
        "Before 88.0 86.0–90.0 52.0 51.0–53.0 0.930 0.918–0.942",
        "Change −2.0 −4.7 to +0.9 – −0.020 −0.036 to −0.002", "Before 0.610 0.590–0.630", "Change −0.060",
        "Could not be read 12 rows", "Copies across groups 34 rows", "Without a task label 56 rows", "no value 40 rows",
        "no value 31 rows", "8 & red left out: 3 rows", "128 numbers, projected at random from 25,088",
        "20, each on at most 2,000 rows", "Format state_dict state_dict",
    ):  # fmt: skip
        assert part in text, part


def test_what_is_kept_has_no_verdict_on_the_page() -> None:
    page = Outline(render(audit(leakage(), readable(), regression())))
    assert len(verdicts(page)) == 1
    assert "1 FAIL — one verdict" in page.text


def test_the_map_draws_what_is_below_zero_like_zero_and_writes_the_number() -> None:
    drawn = heatmap([[0.2, 0.1], [0.0, -0.3]], 0.2, title="a map", label="of four")
    inks = [float(ink) for ink in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert inks[0] > inks[1] > inks[2] == inks[3] == 0
    assert re.findall(r">([−\d.]+)</text>", drawn) == ["0.20", "0.10", "0.00", "−0.30"]


def test_the_maps_before_and_after_stand_side_by_side_on_one_scale_with_their_rows() -> None:
    page = render(rich(), rich(after=True))
    before, after = re.findall(r'<div class="map">(.*?)</div>', page, flags=re.S)
    strongest = [max(map(float, re.findall(r'fill-opacity="([\d.]+)"', one))) for one in (before, after)]
    assert strongest == [MOST_INK, pytest.approx(MOST_INK * 0.06 / 0.25, abs=0.001)]
    assert Outline(page).text.count("Mean over 256 test rows, read by mlp on standardised; no person's image.") == 2


def test_without_images_there_are_units_and_the_reason_for_no_map() -> None:
    blind = where().model_copy(update={"input_map": None, "patch": None, "note": "The inputs are no images."})
    page = render(audit(leakage().model_copy(update={"where": blind})))
    assert "The inputs are no images." in page
    assert 'class="map"' not in page
    assert "Units worth most to the attacker, of 128" in page and page.count('class="bars"') == 1


def test_without_a_task_the_page_says_that_the_floor_is_chance() -> None:
    text = Outline(render(task_less())).text
    assert "A guess (floor) 10 % no task was named; the floor is chance" in text
    assert "No task was named; the floor is chance." in text
    assert "Task label alone" not in text
    assert "was not measured" in text


def test_a_continuous_attribute_alone_makes_a_page() -> None:
    text = Outline(render(audit(continuous()))).text
    assert "1 FAIL — one verdict" in text
    assert "Limit on the excess 0.05 of R²" in text


def alternatives(page: str) -> str:
    """Return what the drawings say to who cannot see them."""
    return " ".join(re.findall(r"<desc[^>]*>(.*?)</desc>", page, flags=re.S))


def test_a_bound_on_every_attacker_stands_beside_the_finding_in_the_drawing_and_in_a_table() -> None:
    page = render(audit(leakage(read=0.58)), sanitized(certified(leakage())))
    text = Outline(page).text
    for part in (
        "on 2,000 test rows. No attacker whatever can read more than 61.0 % balanced accuracy, or 1.25 bits, "
        "from this layer, each with 95 % confidence: it gives 4 distinct vectors, counted on 8,000 rows.",
        "colour a guess: 10 %, H(v): 3.32 bits features.7 – – – – – – 61.0 40.0 38.0–42.0 1.25 4 8,000 103",
        "on rows that the model was not made from, with groups taken for independent of each other.",
        "Each bound holds with 95 % confidence by itself", "whoever holds the encoder before the code sees more",
        "Arrowhead: the bound on every attacker", "but where a bound on every attacker stands beside",
    ):  # fmt: skip
        assert part in text, part
    assert alternatives(page).count("After: 40.0 % (38.0–42.0); Any attacker (bound): at most 61.0 %;") == 2
    assert "Any attacker before" not in text


def test_a_bound_before_stands_beside_the_one_after() -> None:
    page = render(audit(certified(leakage(read=0.58), 0.87, 0.9, 77)), sanitized(certified(leakage())))
    assert "Any attacker before (bound): at most 87.0 %; Any attacker (bound): at most 61.0 %;" in alternatives(page)
    assert "features.7 87.0 58.0 56.0–60.0 0.90 77 8,000 103 61.0 40.0" in Outline(page).text
    assert Outline(without_provisions(page)).text.count("No attacker whatever") == 1


def test_without_a_certificate_the_page_has_no_bound_and_says_that_attackers_are_only_some() -> None:
    page = without_provisions(render(rich(), rich(after=True)))
    body = page.partition("<body>")[2].replace("It is a lower bound.", "")
    assert [word for word in ("whatever", "ny attacker", "bound", "distinct", "confidence") if word in body] == []
    assert "one that nobody tried may read more." in Outline(page).text


def test_the_mark_of_a_bound_points_to_its_figure() -> None:
    found = remeasured(certified(leakage(), 0.83), ceiling=ceiling(0.83))
    drawn = re.findall(r"<svg.*?</svg>", render(audit(found)), flags=re.S)[0]
    shapes = dict(re.findall(r'<path id="(\w+)" d="([^"]*)"', drawn))
    across = {name: [float(x) for x in re.findall(r"[ML] (-?[\d.]+) ", shape)] for name, shape in shapes.items()}
    marks = [(name, float(x)) for name, x in re.findall(r'<use[^>]* href="#(\w+)" x="([\d.]+)"', drawn)]
    (arrow,) = [(name, x) for name, x in marks if across[name] and min(across[name]) == 0 < max(across[name])]
    assert marks.count(arrow) == 1
    assert [x for _, x in marks].count(arrow[1]) == 2, "the tip is at the figure, as the ceiling's mark is"


def test_an_attacker_beyond_the_bound_on_every_attacker_is_read_with_care() -> None:
    beyond, within = (Outline(render(audit(certified(leakage(), most)))).text for most in (0.37, 0.39))
    assert "colour at features.7: the strongest attacker's whole interval lies above the bound" in beyond
    assert "lies above the bound" not in within


def test_what_the_sanitizer_did_stands_with_how_its_epoch_was_chosen() -> None:
    trace = [Epoch(task_loss=0.5 - 0.1 * i, penalty={}, task_accuracy=0.971 + 0.001 * i, fresh={"colour": 0.113})
             for i in range(8)]  # fmt: skip
    changes: dict[str, object] = {
        "method": "codebook",
        "card": card("codebook"),
        "trace": trace,
        "chosen": 4,
        "release": "code",
    }
    made = sanitizing().model_copy(update=changes)
    text = Outline(render(audit(made=made))).text
    for part in (
        "Method codebook lets nothing but a finite code", "Left at the bottleneck a finite code",
        "Epoch epoch 5 of 8 chosen by the task and by quick fresh attackers on held-out rows, not by the head in the "
        "loop", "Task on held-out rows 97.5 % balanced accuracy on 1,500 rows",
        "Fresh attackers on held-out rows colour 11.3 % no evidence of removal: the epoch was chosen by them",
    ):  # fmt: skip
        assert part in text, part
    headless = made.model_copy(update={"head_accuracy": {"colour": None}, "method": "own.py:Mine", "card": None})
    text = Outline(render(audit(made=headless))).text
    assert "held-out rows, not by what the method itself minimises" in text
    assert "Method own.py:Mine has no description on record" in text


def test_a_record_that_names_no_epoch_claims_no_choice() -> None:
    text = Outline(render(audit(made=sanitizing()))).text
    assert "Epoch the last of 1" in text
    assert "Task on held-out rows not measured" in text
    assert "chosen by" not in text


def test_code_that_ran_from_the_file_is_read_with_care() -> None:
    opened = audit().checkpoint.model_copy(update={"pickle_ran": True, "format": "pickled module"})
    assert "--allow-pickle" in Outline(render(audit(checkpoint=opened))).text
    assert "--allow-pickle" not in Outline(render(audit())).text


def test_a_pass_of_weak_attackers_is_read_with_care() -> None:
    weak = remeasured(leakage(read=0.13, verdict="PASS"), ceiling=ceiling(0.11))
    text = Outline(render(audit(weak))).text
    assert text.count("a weak attacker cannot be told from no leak") == 2  # the verdict, the provisions
    able = leakage(read=0.13, verdict="PASS")
    assert "a weak attacker cannot" not in Outline(render(audit(able))).text


def test_one_audit_alone_makes_a_page_without_a_before() -> None:
    text = Outline(without_provisions(render(audit()))).text
    assert "Audited 40.0 %" in text
    assert "Before" not in text
    assert "Its own head is no evidence" not in text


def test_a_foreign_parent_is_told_on_the_page() -> None:
    text = Outline(render(audit(), sanitized(parent="c" * 64))).text
    assert "was not made from the one audited before" in text


def test_the_page_asks_for_nothing_and_runs_nothing() -> None:
    assert_it_stands_alone(render(*both()))


def test_the_page_stays_under_a_megabyte_with_twenty_attributes() -> None:
    found = [leakage(f"attribute {index}") for index in range(20)]
    assert len(render(audit(*found)).encode()) < 1_000_000


def test_every_drawing_has_a_title_and_a_description() -> None:
    page = render(*both())
    drawings = re.findall(
        r'<svg viewBox="[^"]+" role="img"[^>]*><title[^>]*>[^<]+</title><desc[^>]*>[^<]+</desc>', page
    )
    assert len(drawings) == page.count("<svg") > 0


def test_the_same_evidence_gives_the_same_page() -> None:
    assert render(*both()) == render(*both())


def test_no_colour_is_fixed_inside_a_drawing() -> None:
    drawing = re.sub(r"var\([^)]*\)", "", "".join(re.findall(r"<svg.*?</svg>", render(*both()), flags=re.S)))
    assert not re.search(r"#[0-9a-f]{6}\b", drawing)


def test_a_hostile_name_comes_out_as_text() -> None:
    page = render(everywhere(HOSTILE))
    assert shape(page) == shape(render(everywhere("plain")))
    assert visible(HOSTILE) in Outline(page).words


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=5, deadline=None)
def test_no_name_changes_the_shape_of_the_page(name: str) -> None:
    assert shape(render(everywhere(name))) == shape(render(everywhere("plain")))


def test_a_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, old = tmp_path / "report.html", f"old, {MARK.decode()}"
    path.write_text(old)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report(path, audit())
    assert path.read_text() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_needs_no_torch() -> None:
    code = "import sys, reports.audit_page.render, reports.cli.report; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(pages.__file__).parents[1])


def test_the_command_imports_nothing_slow() -> None:
    slow = "{'pydantic', 'matplotlib', 'jinja2', 'torch'}"
    code = f"import sys, reports.cli.report, reports.cli.check; assert not {slow} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(pages.__file__).parents[1])


def opened(browser: "Browser", path: Path, width: int) -> tuple["Page", list[str]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False, offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.evaluate(UNFOLD)
    return page, asked


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["plain", HOSTILE, "W" * 10_000])
def test_a_browser_shows_the_page_without_scrolling_sideways(
    browser: "Browser", tmp_path: Path, width: int, name: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(everywhere(name)), encoding="utf-8")
    page, asked = opened(browser, path, width)
    assert asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cells = page.evaluate("[...document.querySelectorAll('tbody td')].map(one => one.clientWidth)")
    assert min(cells) >= (90 if width == 360 else 40), "a column too narrow to read"
    assert page.locator("svg:visible").count() == 10  # four attributes, map, legend, units, task, two curves
    page.context.close()


def test_the_page_prints(browser: "Browser", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, *both())
    page, _ = opened(browser, path, 1280)
    printed = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20
    page.context.close()
