"""What people answered in an assessment: a file of their own, which is read at every run and never written over.

A table for each part has its questions by their keys. A form is a table within, with one for each of its lines: an
attribute, or an office.

    [processing]
    purposes = "Sorting of incoming mail"

    [risks.inference.gender]
    likelihood = "low"
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit.errors import IreneError, UnknownNameError
from audit.file_limits import read_toml
from reports.compliance.part import Form, Part, Question

Answers = Mapping[str, Any]
LONGEST = 10_000
"""Characters of an answer."""
HEAD = """\
# Answers to the annex of a data protection impact assessment, merged into it by: irene report ... --dpia --answers FILE
# irene wrote this file once, and reads it from now on: nothing in it is ever written over. Text of several lines
# stands between three quotation marks.
"""


class AnswersError(IreneError):
    """A file of answers cannot be read."""


def read_answers(path: Path) -> Answers:
    """Read a file of answers.

    Raises:
        AnswersError: It cannot be read, or is no TOML.
    """
    try:
        return read_toml(path)
    except OSError as error:
        raise AnswersError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError as error:  # TOML or UTF-8
        raise AnswersError(f"{path} holds no answers: {error}. Mend that line.") from None


def starter(parts: Mapping[str, Part]) -> str:
    """Return a file without answers, in which each question stands over its key."""
    lines = [HEAD]
    for name, part in parts.items():
        if not (part.fields or part.forms):
            continue
        lines += [f"\n[{name}]", *(_empty(one) for one in part.fields)]
        for form in part.forms:
            lines.append(f"\n# {form.caption}")
            for line in form.names:
                lines += [f"[{name}.{form.key}.{_quoted(line)}]", *map(_empty, form.asked)]
    return "\n".join(lines) + "\n"


def _quoted(line: str) -> str:
    """Return a name as a key of TOML, which allows no DEL and no half of a character, unlike JSON."""
    whole = line.encode("utf-8", errors="replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007F")


def _empty(question: Question) -> str:
    return f'# {question.label}\n{question.key} = ""'


def answered(parts: Mapping[str, Part], answers: Answers) -> dict[str, Part]:
    """Return the parts with their answers; what nobody answered stays empty.

    A line of a form that the evidence no longer has, such as an attribute that was not audited again, stays as well.

    Raises:
        AnswersError: An answer is no text, or is too long.
        UnknownNameError: A part, a form or a question that there is not.
    """
    known = [name for name, part in parts.items() if part.fields or part.forms]
    for name in answers:
        if name not in known:
            raise UnknownNameError("part of the answers", str(name), known)
    return {name: _answered(name, part, _table(answers.get(name, {}), name)) for name, part in parts.items()}


def _answered(name: str, part: Part, given: Answers) -> Part:
    known = [*(one.key for one in part.fields), *(form.key for form in part.forms)]
    for key in given:
        if key not in known:
            raise UnknownNameError(f"question of {name!r} in the answers", str(key), known)
    fields = tuple(replace(one, answer=_text(given.get(one.key, ""), f"{name}.{one.key}")) for one in part.fields)
    forms = tuple(_form(form, _table(given.get(form.key, {}), f"{name}.{form.key}"), name) for form in part.forms)
    return replace(part, fields=fields, forms=forms)


def _form(form: Form, given: Answers, part: str) -> Form:
    keys = [one.key for one in form.asked]
    told: list[tuple[str, tuple[str, ...]]] = []
    for line in (*form.names, *(str(one) for one in given if one not in form.names)):
        place = f"{part}.{form.key}.{line}"
        own = _table(given.get(line, {}), place)
        for key in own:
            if key not in keys:
                raise UnknownNameError(f"question of {place!r} in the answers", str(key), keys)
        told.append((line, tuple(_text(own.get(key, ""), f"{place}.{key}") for key in keys)))
    return replace(form, names=tuple(line for line, _ in told), answers=tuple(cells for _, cells in told))


def _table(given: object, place: str) -> Answers:
    if not isinstance(given, dict):
        raise AnswersError(f"In the answers {place} is no table. Write [{place}] above its questions.")
    return given


def _text(given: object, place: str) -> str:
    if not isinstance(given, str):
        raise AnswersError(f"In the answers {place} is no text. Put it between quotation marks.")
    if len(given) > LONGEST:
        raise AnswersError(f"In the answers {place} has {len(given):,} characters; {LONGEST:,} are the most.")
    return given.strip()


def unanswered(parts: Mapping[str, Part]) -> Iterator[str]:
    """Yield where an answer is missing, as it is written in the file."""
    for name, part in parts.items():
        yield from (f"{name}.{one.key}" for one in part.fields if not one.answer)
        for form in part.forms:
            for line, cells in zip(form.names, form.filled, strict=True):
                yield from (
                    f"{name}.{form.key}.{line}.{one.key}"
                    for one, cell in zip(form.asked, cells, strict=True)
                    if not cell
                )
