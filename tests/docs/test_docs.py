"""The documentation: it builds, its links lead somewhere, and what it says of the program is so."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from grokscope.analysis.checkpoint import LAYER_KEYS, TRAP_KEYS
from grokscope.cli.main import app
from grokscope.version import __version__
from tests.conftest import ROOT
from tests.report.test_page import write_run

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
Command = Callable[..., Result]


def test_the_generated_pages_are_those_of_the_program() -> None:
    """Commands, keys and the man page."""
    check = [sys.executable, str(ROOT / "tools" / "manual.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_make_bench_runs_the_benchmarks_that_need_no_argument() -> None:
    """All of them, and no other, which would print its usage."""
    printed = subprocess.run(["make", "-n", "bench"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    needs = re.compile(r'add_argument\("[^-](?!.*nargs="\?")')
    scripts = (ROOT / "benchmarks").glob("*.py")
    assert set(re.findall(r"benchmarks/(\w+\.py)", printed)) == {
        script.name for script in scripts if not needs.search(script.read_text())
    }


def test_the_man_page_is_roff_without_a_warning() -> None:
    if shutil.which("groff") is None:
        pytest.skip("no groff here")
    groff = ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", str(DOCS / "grokscope.1")]
    done = subprocess.run(groff, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "grokscope train [OPTIONS]" in plain
    for words in ("--train-images", "grokscope demo [OPTIONS] [DIR]", "(default: grokscope-demo)", "--debug"):
        assert words in plain


class Links(HTMLParser):
    """Every address in a page: those that a reader may follow, those that a browser fetches, and the anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.followed: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.anchors.add(values.get("id", ""))
        if tag == "a" and "href" in values:
            self.followed.append(values["href"])
        elif address := values.get("src") or (values.get("href") if tag == "link" else ""):
            self.fetched.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(build, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_asks_nobody_and_no_link_is_broken(site: Path) -> None:
    """Styles, scripts and pictures are inside; every link inside leads to a page and an anchor that is there."""
    pages = {page: Links(page) for page in site.glob("*.html") if page.name != "404.html"}
    assert len(pages) >= len(PAGES)
    for page, links in pages.items():
        assert not [address for address in links.fetched if "//" in address], page
        assert "\\|" not in page.read_text(encoding="utf-8"), page  # in code a bar's escape is shown as it is
        for address in links.followed:
            path, _, anchor = address.partition("#")
            if "//" in path or not path:
                continue
            target = page.parent / path
            assert target.is_file(), f"{page.name}: {address}"
            assert not anchor or anchor in Links(target).anchors, f"{page.name}: {address}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda p: p.name)
def test_links_between_files_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "//" in target or (page.parent / target).exists(), target


def command_lines(page: Path) -> Iterator[str]:
    """Lines of indented or fenced blocks that call grokscope."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(?:    |\$ )(grokscope .+)", line):
            yield re.split(r" [|>] | \[|  #", match[1])[0]


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda p: p.name)
def test_every_command_that_is_shown_can_be_called_so(page: Path) -> None:
    """Its name, its options and their values are the program's; nothing is run."""
    group: Any = typer.main.get_command(app)
    for line in command_lines(page):
        if page.name == "commands.md":
            assert line.split()[1] in group.commands
            continue
        name, *arguments = shlex.split(line.replace("FILE", "file"), comments=True)[1:]
        with group.commands[name].make_context(name, arguments):
            pass


def keys_of(value: object) -> Iterator[str]:
    """Every key in a tree of objects, but for those that are names of metrics and measures."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in ("metrics", "config", "events"):
                yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_the_json_page_names_every_key(tmp_path: Path, grokscope_here: Command) -> None:
    """Those of `show`, `report`, `plot`, `verify` and `info`."""
    run = write_run(tmp_path / "a.h5", 0, 0.0)
    named = set(re.findall(r"`([a-zA-Z_]+)`", (DOCS / "json.md").read_text(encoding="utf-8")))
    assert {*LAYER_KEYS, *TRAP_KEYS} <= named
    calls = (("show", run), ("report", run), ("plot", run, "esd"), ("plot", run, "heatmap"), ("verify", "start"),
             ("info", run))  # fmt: skip
    numbers = {
        "x",
        "y",
        "edges",
        "heights",
        "low",
        "high",
        "names",
        "at",
        "x0",
        "x1",
        "values",
        "log",
        "x_edges",
        "y_edges",
    }
    for call in calls:
        shown = json.loads(grokscope_here(*call, "--json").stdout)
        assert set(keys_of(shown)) - named - numbers == set(), call[0]


def test_the_format_page_names_every_metric_of_a_training() -> None:
    from grokscope_train.config import TrainConfig
    from grokscope_train.measures import metric_names
    from grokscope_train.optimizer_measures import names_of_optimizer_metrics

    page = (DOCS / "file-format.md").read_text(encoding="utf-8")
    for name in (*metric_names(3), *names_of_optimizer_metrics(TrainConfig(depth=3))):
        assert f"`{re.sub(r'_(1e-.|q..|sd|se)(?=_|$)', '', name).split('_fc')[0]}" in page, name


def test_the_example_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell in order, from an empty folder; what a cell ends with can be shown."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((DOCS / "example.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        *statements, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(statements, []), "example.ipynb", "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), "example.ipynb", "eval"), names))
        else:
            exec(compile(ast.Module([last], []), "example.ipynb", "exec"), names)
    assert "<table>" in shown[1]._repr_html_()
    assert {type(one).__name__ for one in shown} >= {"Opened", "DataFrame", "Series", "Figure"}
    assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])


def test_the_citation_is_of_this_version() -> None:
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
