"""Generates the reference pages and the README's catalogue from the tables that the program runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drills.scenarios import SCENARIOS
from drills.verifiers import verifiers
from exporters.metrics import PROBE_METRICS, WATCHER_METRICS
from exporters.slis import SLIS
from oidcwatch import documentation_alerts as generated_pages
from oidcwatch import documentation_pages as pages
from oidcwatch.documentation_commands import command_names, commands_page
from oidcwatch.documentation_config import configuration_page
from oidcwatch.documentation_markdown import anchor_of, link
from oidcwatch.drill_table import drills_page
from oidcwatch.verifier_table import verifiers_page
from probes.reasons import ROWS
from probes.registry import PROBES

COMMAND = "python -m oidcwatch docs --write"
README = Path("README.md")
REFERENCE = Path("docs/reference")
BEGIN = f"<!-- begin: written by `{COMMAND}` -->"
END = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Page:
    """One generated file of the reference. `names` are the entries that the README's catalogue links to."""

    name: str
    title: str
    body: Callable[[], Iterable[str]]
    names: Callable[[], Sequence[str]]


PAGES: tuple[Page, ...] = (
    Page("commands", "Commands", commands_page, command_names),
    Page("probes", "Probes", pages.probes_page, lambda: tuple(PROBES)),
    Page("checks", "Protocol checks", pages.checks_page, lambda: tuple(check.id for check in pages.all_checks())),
    Page("reasons", "Failure reasons", pages.reasons_page, lambda: tuple(row.reason for row in ROWS)),
    Page("slis", "Service level indicators", pages.slis_page, lambda: tuple(sli.name for sli in SLIS)),
    Page(
        "metrics", "Metrics", pages.metrics_page, lambda: tuple(row.name for row in (*PROBE_METRICS, *WATCHER_METRICS))
    ),
    Page("alerts", "Alerts", generated_pages.alerts_page, generated_pages.alert_names),
    Page("panels", "Dashboards and their panels", generated_pages.panels_page, generated_pages.dashboard_names),
    Page("verifiers", "Verifiers", verifiers_page, lambda: tuple(verifiers())),
    Page("drills", "Drills", drills_page, lambda: tuple(SCENARIOS)),
    Page("configuration", "Configuration", configuration_page, lambda: ("Configuration",)),
)


def path_of(page: Page) -> Path:
    """Where the page is in a checkout."""
    return REFERENCE / f"{page.name}.md"


def render(page: Page) -> str:
    """The whole file."""
    lines = (f"<!-- written by `{COMMAND}` -->", f'<a id="{page.name}"></a>', "", f"# {page.title}", "", *page.body())
    return "\n".join(lines).rstrip() + "\n"


def catalogue() -> str:
    """Links to every entry of the reference, for the README: one line an entry, so that a diff shows what is new."""
    return "\n\n".join(_catalogue_of(page) for page in PAGES)


def with_catalogue(readme: str) -> str:
    """The README with its catalogue brought up to date. Raises ValueError when the two marker lines are not there."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no lines {BEGIN!r} and {END!r} around its catalogue")
    return f"{before}{begin}\n\n{catalogue()}\n\n{end}{after}"


def generated(root: Path) -> Mapping[Path, str]:
    """Every generated file below `root` with what it must hold. Raises ValueError, and OSError without a README."""
    contents = {path_of(page): render(page) for page in PAGES}
    return {**contents, README: with_catalogue((root / README).read_text(encoding="utf-8"))}


def stale(root: Path) -> list[Path]:
    """The files whose tables have changed since they were written, as paths relative to `root`."""
    return [path for path, content in generated(root).items() if _held(root / path) != content]


def write(root: Path) -> list[Path]:
    """Writes what is stale; gives those files. Never deletes: a page that is no longer generated is removed by hand."""
    changed = stale(root)
    contents = generated(root)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(contents[path], encoding="utf-8")
    return changed


def _catalogue_of(page: Page) -> str:
    path = path_of(page)
    entries = " ·\n".join(_entries(page, path))
    return f"**{link(page.title, str(path))}**:\n{entries}"


def _entries(page: Page, path: Path) -> Iterator[str]:
    for name in page.names():
        yield link(f"`{name}`", f"{path}#{anchor_of(name)}")


def _held(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
