"""The mapping to provisions: complete, dated, in words that claim no more than the evidence at hand."""

import html
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.claims import CLAIMS
from support.evidences import HOSTILE, KINDS, around_word, everything, largest, reworded
from support.findings import audit, certified, continuous, leakage, readable, remeasured, sanitized, task_less
from support.outline import Outline, shape

from audit.evidence.audit_result import AuditResult
from reports.compliance import mapping as mappings
from reports.compliance.dpia import render_html
from reports.compliance.evidence_items import ITEMS, SHOWN, Absent, Item, Present, items
from reports.compliance.mapping import OWN, FrameworkError, load, own, supported
from reports.compliance.provisions_view import compliance_view
from reports.inputs.comparison import Comparison, compare
from reports.render.template import fill

ASKED_FOR = {
    "GDPR": {
        "Recital 26",
        "Art. 5(1)(c)",
        "Art. 5(1)(f)",
        "Art. 5(2)",
        "Art. 9(1)",
        "Art. 25(1)",
        "Art. 28",
        "Art. 32(1)(d)",
        "Art. 35(7)(c)",
        "Art. 35(7)(d)",
        "Art. 36(1)",
    },
    "EDPB Opinion 28/2024": {"Question 1"},
    "CNIL": {"Status of a model", "Annotation"},
    "ICO": {"Security, data minimisation"},
    "AI Act": {
        "Art. 9(2)(a)",
        "Art. 10(2)(f)",
        "Art. 10(2)(g)",
        "Art. 13(3)(b)",
        "Art. 15(5)",
        "Art. 26(9)",
        "Art. 27",
        "Art. 72",
        "Art. 4a",
        "Annex IV(2)(g)",
    },
    "NIST AI RMF": {"MEASURE 2.7", "MEASURE 2.10", "MEASURE 2.11", "MANAGE 4.1"},
    "ISO/IEC 42001": {"A.6.2.4"},
    "ISO/IEC": {"23894", "27559", "27701", "29134", "42005"},
    "OWASP": {"AISVS C8.4.1", "AITG-MOD-05"},
    "prEN 18283": {"prEN 18283"},
}


def section(before: AuditResult, after: AuditResult | None = None) -> str:
    view = compliance_view(compare(before, after))
    return fill("audit_page/compliance.html.j2", view=view)


def told(comparison: Comparison, item: Item) -> str:
    found = items(comparison)[item].told
    return found.reason if isinstance(found, Absent) else " | ".join((found.figure, *found.details))


def test_every_provision_asked_for_is_mapped_and_on_the_page() -> None:
    named: dict[str, set[str]] = {}
    for entry in own().entries:
        named.setdefault(own().instruments[entry.instrument].short, set()).add(entry.article)
    assert named == ASKED_FOR
    headings = re.findall(r'<h4 id="[^"]*">(.*?) <small>', section(audit()))
    assert headings == [entry.article for entry in own().entries]


def test_the_page_says_when_the_texts_were_read_whom_they_bind_and_since_when() -> None:
    text = Outline(section(audit())).text
    assert f"as it was read on {own().date.isoformat()}" in text
    for part in (
        "Regulation (EU) 2016/679. Binds: Controllers",
        "Regulation (EU) 2024/1689, as amended by Regulation (EU) 2026/1744. Binds: Providers of high-risk AI systems.",
        "from 2 December 2027 to the high-risk systems of Annex III",
        "Binds: Nobody: it is voluntary.", "ISO/IEC 42001:2023",
    ):  # fmt: skip
        assert part in text, part


def test_a_text_that_was_not_read_is_marked_so_on_the_page_and_in_the_annex() -> None:
    unread = [entry for entry in own().entries if entry.unread]
    assert {"29134", "prEN 18283", "Art. 4a"} <= {entry.article for entry in unread}
    assert Outline(section(audit())).text.count("Its text was not read for this.") == len(unread)
    assert render_html(audit()).count("not checked: its text was not read for this") == len(unread)


def test_the_exception_for_bias_is_named_as_no_basis() -> None:
    assert "named here because it is none" in Outline(section(audit())).text


def test_a_pass_is_said_not_to_be_anonymity() -> None:
    assert "A PASS is not anonymity: it is about one attribute at one layer." in Outline(section(audit())).text


@pytest.mark.parametrize(("years", "is_told"), [(0, False), (1, False), (2, True)])
def test_texts_that_were_read_long_before_the_audit_are_warned_of(years: int, is_told: bool) -> None:
    read = own().date
    one = audit(created=f"{read.replace(year=read.year + years).isoformat()}T00:00:00Z")
    words = "read more than 12 months before this audit"
    assert (words in section(one)) is is_told
    assert (words in render_html(one)) is is_told


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hostile"])
def test_nothing_is_said_to_meet_a_law(kind: str) -> None:
    words = " ".join(own().model_dump_json().split())
    assert "Supports the judgement" in words
    assert CLAIMS.findall(words) == []
    assert CLAIMS.findall(Outline(section(*KINDS[kind]())).text) == []


def test_what_an_entry_says_begins_with_the_verb_that_claims_least() -> None:
    sentences = [sentence for entry in own().entries for sentence in entry.supports.values()]
    assert sentences
    assert all(sentence.startswith("Supports ") and sentence.count(".") == 1 for sentence in sentences)


def fields(model: type[BaseModel], path: str) -> Iterator[type]:
    """Yield what stands at a dotted path of a schema, every element of a list and every kind of a union."""
    name, _, rest = path.partition(".")
    for kind in kinds(model.model_fields[name].annotation):
        if not rest:
            yield kind
        elif issubclass(kind, BaseModel):
            yield from fields(kind, rest)


def kinds(annotation: typing.Any) -> Iterator[type]:
    within = typing.get_args(annotation)
    if not within:
        yield annotation if isinstance(annotation, type) else object
    for one in within:
        yield from kinds(one)


SCHEMA: dict[Item, tuple[str, ...]] = {
    "leakage": ("findings.measurement.excess", "findings.decision.verdict"),
    "floor": ("findings.measurement.floor",),
    "certificate": ("findings.certificate",),
    "task": ("task",),
    "kept": ("findings.role", "findings.measurement.figures"),
    "subgroups": ("findings.measurement.classes", "findings.measurement.left_out"),
    "sanitizing": ("checkpoint.sanitizing",),
    "comparison": ("checkpoint.sha256", "data.fingerprint"),
    "rows": ("data.name", "data.rows", "data.fingerprint", "data.group"),
    "protocol": ("protocol",),
}
"""Where each item stands in the evidence."""


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_of_evidence_stands_in_the_schema(item: Item) -> None:
    assert SCHEMA[item]
    for path in SCHEMA[item]:
        assert list(fields(AuditResult, path)), path


def test_every_item_supports_some_provision() -> None:
    assert {item for entry in own().entries for item in entry.supports} == set(ITEMS)


ABSENT: dict[str, tuple[Comparison, set[Item]]] = {
    "one audit": (compare(audit(), None), {"certificate", "kept", "sanitizing", "comparison"}),
    "before and after": (compare(everything(), everything(after=True)), set()),
    "no task": (
        compare(task_less().model_copy(update={"findings": [continuous()]}), None),
        {"floor", "certificate", "task", "kept", "subgroups", "sanitizing", "comparison"},
    ),
    "a sanitized model alone": (compare(sanitized(leakage(), readable()), None), {"certificate", "comparison"}),
    "a bound before and none after": (
        compare(audit(certified(leakage(read=0.58))), sanitized()),
        {"certificate", "kept"},
    ),
}


@pytest.mark.parametrize("name", ABSENT)
def test_evidence_that_is_not_there_supports_nothing_and_says_why(name: str) -> None:
    comparison, absent = ABSENT[name]
    found = items(comparison)
    assert {item for item, one in found.items() if isinstance(one.told, Absent)} == absent
    for support in supported(comparison, own()):
        present = {one.item for one, _ in support.present}
        assert present == set(support.entry.supports) - absent
        assert {one.item for one in support.absent} == set(support.entry.supports) & absent
    audits = [audit for _, audit in comparison.audits]
    text = Outline(section(*audits)).text
    for entry in own().entries:
        for item, sentence in entry.supports.items():
            assert item in absent or sentence in text, sentence
    for item in absent:
        only = {entry.supports[item] for entry in own().entries if item in entry.supports}
        assert not [sentence for sentence in only if sentence in text], item
    assert text.count("Not in this evidence, because") == len(absent)


def test_a_bound_that_excludes_nothing_is_no_evidence() -> None:
    vacuous = certified(leakage(), most=1, bits=3.4)
    assert "no less than all there is" in told(compare(audit(vacuous), None), "certificate")
    few_bits = certified(leakage(), most=1, bits=0.9)
    assert "For 1 of 1 finding" in told(compare(audit(few_bits), None), "certificate")


def test_a_bound_that_an_attacker_exceeds_is_no_evidence() -> None:
    assert "one of the two is wrong" in told(compare(audit(certified(leakage(), most=0.3)), None), "certificate")


def test_a_bound_of_some_findings_is_told_as_of_those() -> None:
    comparison = compare(audit(certified(leakage()), leakage("age", 0.3)), None)
    assert told(comparison, "certificate").startswith(
        "For 1 of 2 findings. | colour at features.7: No attacker whatever can read more than 61.0 %"
    )


def test_every_item_says_its_figure_in_words() -> None:
    comparison = compare(everything(), everything(after=True))
    for item, parts in {
        "leakage": ["Highest excess over the floor among classes: 28.0 points (25.7 to 30.3), colour at features.7;",
                    "among numbers: 0.190 (0.165 to 0.215), age at features.7; limit 0.05 of R²"],
        "floor": ["colour: 12.0 % (11.0–13.0); a guess 10 %", "age: R² 0.010 (−0.005 to 0.025); answering the mean 0"],
        "task": ["digit: accuracy before 96.2 % (95.4–97.0), after 96.2 %", "most frequent class, 11.4 %."],
        "kept": ["smiling at features.7: before 88.0 % (86.0–90.0), after 86.0 % (84.0–88.0), change −2.0 points"],
        "subgroups": ["colour: 10 classes, 200 rows; 1 more too rare to audit"],
        "sanitizing": ["irene at features.7. | It minimises the mutual information"],
        "comparison": ["4 findings on the same rows", "colour at features.7: before 58.0 % (56.0–60.0), after 40.0 %",
                       "and 1 more, all in the report"],
        "rows": ["biased_mnist: 8,100 rows, 2,000 of them for the figures, kept together by source image."],
        "protocol": ["(logistic, mlp, knn, trees) on 2 views", "seed 0, limit 5 points (set by default)."],
    }.items():  # fmt: skip
        for part in parts:
            assert part in told(comparison, typing.cast(Item, item)), (item, part)


def test_one_audit_alone_is_told_without_a_before() -> None:
    assert told(compare(audit(), None), "task").startswith("digit: accuracy 96.2 % (95.4–97.0); always")


def test_a_pass_of_weak_attackers_is_doubted_where_it_would_support_something() -> None:
    found = leakage(read=0.13, verdict="PASS")
    measurement = found.measurement
    assert measurement.ceiling is not None
    blind = measurement.ceiling.model_copy(update={"figure": measurement.floor_score})
    weak = remeasured(found, ceiling=blind)
    doubt = "In 1 of them, a weak attacker cannot be told from no leak"
    assert doubt in told(compare(audit(weak), None), "leakage")
    assert doubt not in told(compare(audit(found), None), "leakage")


def test_a_change_between_unrelated_models_is_told_as_one() -> None:
    stranger = told(compare(audit(), sanitized(parent="c" * 64)), "comparison")
    assert "was not made from the one audited before" in stranger
    assert "was not made from" not in told(compare(audit(), sanitized()), "comparison")


def test_many_findings_stay_a_few_lines() -> None:
    found = [one.told for one in items(compare(*largest())).values() if isinstance(one.told, Present)]
    assert [one for one in found if len(one.details) == SHOWN + 1]
    for one in found:
        assert len(one.details) <= SHOWN + 1
        assert len(one.figure) < 300


def test_what_a_person_must_fill_in_is_an_empty_box_with_a_label() -> None:
    page = section(audit())
    boxes = re.findall(r'<div><dt>([^<]+)</dt><dd><div class="blank"><span>([^<]*)</span></div></dd></div>', page)
    assert [html.unescape(label) for label, _ in boxes] == [label for entry in own().entries for label in entry.fields]
    assert {hint for _, hint in boxes} == {"empty, to be filled in"}


WRONG = {
    "leakage = ->leekage = ": "leekage",
    'instrument = "gdpr"->instrument = "gdrp"': "no instrument 'gdrp'",
    'id = "gdpr-25-1"->id = "gdpr-5-1-c"': "the id 'gdpr-5-1-c' stands twice",
    '"Supports the judgement whether->"Ensures that': "begins with 'Supports'",
    "date = 2026-11-29->date = soon": "no framework",
    "date = 2026-11-29->": "date",
    'article = "Art. 25(1)"->article = "Art. 25(1)"\nlevel = 3': "level",
    'title = "Data minimisation"->title = ""': "title",
}


@pytest.mark.parametrize("change", WRONG)
def test_a_mapping_that_is_wrong_is_refused_in_one_line_that_names_the_fault(tmp_path: Path, change: str) -> None:
    old, _, new = change.partition("->")
    text = OWN.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FrameworkError) as error:
        load(path)
    assert WRONG[change] in str(error.value)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_mapping_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match="Cannot read"):
        load(tmp_path / "none.toml")


def test_the_mapping_travels_with_the_package_and_cannot_be_changed() -> None:
    assert OWN.parent == Path(mappings.__file__).parent
    with pytest.raises(Exception, match="frozen"):
        own().entries[0].title = "else"


def test_a_hostile_name_comes_out_as_text_and_changes_no_shape() -> None:
    before, after = KINDS["hostile"]()
    page = section(before, after)
    assert shape(page) == shape(section(everything(), everything(after=True)))
    assert "</script><script>alert(1)</script>" in Outline(page).text


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_no_name_changes_the_shape_of_the_section(name: str) -> None:
    changed = reworded(audit(leakage(), continuous()), around_word(name))
    assert shape(section(changed)) == shape(section(audit(leakage(), continuous())))


def test_without_its_style_the_section_still_says_what_is_empty() -> None:
    text = Outline(section(reworded(audit(), around_word(HOSTILE)))).text
    assert text.count("empty, to be filled in") == sum(len(entry.fields) for entry in own().entries)
