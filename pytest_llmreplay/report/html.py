"""The HTML report: one file that needs no network and runs no script but its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmreplay.compare import Comparison, Decision
from pytest_llmreplay.report.comparison import notes_of
from pytest_llmreplay.report.decision import by_severity
from pytest_llmreplay.report.page_data import CasePages, Row, script_json, visible
from pytest_llmreplay.report.page_parts import asset, content_security_policy, page_environment
from pytest_llmreplay.report.plots import WIDTH, change_plots, forest, rate_plots

_SCRIPTS = ("table.js", "case.js", "events.js", "theme.js")


@dataclass(frozen=True, slots=True)
class HtmlReport:
    """What one report is made of.

    `contexts` holds by case id what its golden file says (`title`, `user`, `summary`, `messages`, `produced`,
    `expect`, `file`), `commands` what replays a case, `facts` what stands at the end of the page, as label and text.
    """

    comparison: Comparison
    rows: Iterable[Row]
    decision: Decision | None = None
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def html_text(report: HtmlReport) -> str:
    """The whole file."""
    from markupsafe import Markup

    style, script = asset("report.css"), "\n".join(map(asset, _SCRIPTS))
    pages = CasePages(report.comparison, report.rows, report.contexts, report.commands)
    rows, edge = forest(report.comparison)
    template = page_environment().get_template("report.html.j2")
    # Markup only for the two files of this package and for JSON without a character that HTML reads.
    return template.render(
        policy=content_security_policy(style, script),
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        index=Markup(script_json(_index(report, pages))),  # noqa: S704
        details=(Markup(text) for text in pages.details()),  # noqa: S704
        comparison=report.comparison,
        decision=report.decision,
        red=by_severity(report.decision.red) if report.decision else [],
        commands=report.commands,
        notes=list(report.decision.notes) if report.decision else notes_of(report.comparison),
        rates=list(rate_plots(report.comparison)),
        forest=rows,
        edge=edge,
        changes=list(change_plots(report.comparison)),
        facts=report.facts,
        width=WIDTH,
    )


def _index(report: HtmlReport, pages: CasePages) -> dict[str, Any]:
    names = (report.comparison.baseline, report.comparison.candidate)
    return {"variants": [visible(name, 100) for name in names], "cases": pages.index()}
