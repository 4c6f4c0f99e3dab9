"""The manual is built without a warning, and every public name is in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import irene

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    called = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        called, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_the_navigation(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file()
        assert f": {page.name}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_first_page_is_the_readme_with_links_to_the_sites_own_pages(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    assert "make demo" in start
    for name in ("model", "measured", "removal", "results", "changes", "contributing"):
        assert f'href="{name}.html' in start, name
    for picture in re.findall(r'<(?:img|source)[^>]* (?:src|srcset)="(?!data:)([^"]+)"', start):
        assert (site / picture).is_file(), picture


@pytest.mark.parametrize("name", [one for one in irene.__all__ if one != "__version__"])
def test_every_public_name_is_documented(site: Path, name: str) -> None:
    home = getattr(irene, name).__module__
    assert f'id="{home}.{name}"' in (site / "api.html").read_text(encoding="utf-8")


def test_a_link_that_leads_nowhere_fails(tmp_path: Path) -> None:
    for name in ("docs", "benchmarks", "examples", ".ci", "irene", "audit", "sanitizer", "reports"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.jsonl"))
    for path in (*ROOT.glob("*.md"), ROOT / "mkdocs.yml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "docs" / "gate.md").write_text("# The gate\n\n[nowhere](nowhere.md)\n", encoding="utf-8")
    called = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nowhere.md" in done.stdout + done.stderr
