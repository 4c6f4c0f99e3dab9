"""The pages of the site that stand elsewhere in the repository, and the links between them and those of docs/."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "index.md": "README.md",
    "results.md": "benchmarks/RESULTS.md",
    "changes.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "holes.md": "SECURITY.md",
}
"""By what they are called on the site."""
EXAMPLES = [path for path in sorted((ROOT / "examples").glob("*.py")) if path.stem != "run"]
"""Each is a page of the site: what it says, its code, and what it prints."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, path in ELSEWHERE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_linked(text, path)))
    for path in EXAMPLES:
        files.append(File.generated(config, _page(path.stem), content=_shown(path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Lead the links of a page of docs/ to the site's own pages."""
    for name, path in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{path}", f"]({name}")
    for path in EXAMPLES:
        markdown = markdown.replace(f"](../examples/{path.name}", f"]({_page(path.stem)}")
    return markdown


def _page(name: str) -> str:
    return f"example-{name.replace('_', '-')}.md"


def _shown(path: Path) -> str:
    """Return the page of an example: its code, and what is kept of what it prints."""
    output = path.parent / "outputs" / f"{path.stem}.txt"
    printed = f"\n\nIt prints:\n\n```text\n{output.read_text(encoding='utf-8')}```\n" if output.exists() else "\n"
    return f"# {path.name}\n\n```python\n{path.read_text(encoding='utf-8')}```{printed}"


def _linked(text: str, path: str) -> str:
    """Lead the links of a page that stands elsewhere to those of the site."""
    up = "../" * path.count("/")
    text = text.replace(f"]({up}docs/", "](").replace(f'"{up}docs/', '"')
    for name, other in ELSEWHERE.items():
        text = text.replace(f"]({up}{other}", f"]({name}")
    return text
