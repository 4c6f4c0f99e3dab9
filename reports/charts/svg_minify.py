"""A drawing of matplotlib's in fewer bytes: a page may hold dozens."""

import re

from markupsafe import Markup

_STYLED = re.compile(r'<(use|text)((?: (?!style=)[\w:-]+="[^"]*")*) style="([^"]*)"')
_BARE = re.compile(r"<g>((?:(?!</?g\b).)*)</g>")
_RUN = re.compile(
    r'<(text|use) style="([^"]*)"[^>]*(?:/>|>[^<]*</text>)'
    r'(?:(?:</g><g class="name">)?<\1 style="\2"[^>]*(?:/>|>[^<]*</text>))+'
)
_TAG = re.compile(r"<[^>]*>")


def smaller(svg: Markup) -> Markup:
    """Say the same in fewer bytes: a style once for all in a row that share it, no empty group, no needless digit."""
    text = _STYLED.sub(r'<\1 style="\3"\2', _TAG.sub(_shorter, str(svg)).replace("<g/>", ""))
    bare = -1
    while bare:
        text, bare = _BARE.subn(r"\1", text)
    return Markup(_RUN.sub(_grouped, text))


def _shorter(found: re.Match[str]) -> str:
    tag = re.sub(r"-?\d+\.\d\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), found[0])
    tag = re.sub(r"M (\S+ \S+) L \1 (?=[M\"])", r"M\1h0", tag)
    tag = re.sub(r"M (\S+) (\S+) L (\S+) \2 (?=[M\"])", r"M\1 \2H\3", tag)
    tag = re.sub(r'(?<= d=")[^"]*', _tight, tag)
    return re.sub(r"([:;,]) (?=[^\"]*\"/?>)", r"\1", tag.replace(" stroke-dashoffset: 0;", ""))


def _tight(path: re.Match[str]) -> str:
    return re.sub(r" ?([MLHhz]) ?", r"\1", path[0])


def _grouped(run: re.Match[str]) -> str:
    style = f' style="{run[2]}"'
    return f"<g{style}>{re.sub('</g><g[^>]*>', '', run[0].replace(style, ''))}</g>"
