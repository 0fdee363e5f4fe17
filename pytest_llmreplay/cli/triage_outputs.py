"""What a triage leaves behind when it is asked to: suggestions, a page, and drafts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.cli.logs import LogChoice
    from pytest_llmreplay.cli.triaging import TriageAsked, Triaging
    from pytest_llmreplay.mine.triage import Triage
    from pytest_llmreplay.mine.triage.suggestions import Suggestion
    from pytest_llmreplay.report.triage_links import Example

_ON_A_PAGE = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options that say what is wanted beside the triage itself."""

    suggest: int | None
    out: Path | None
    to_promote: bool
    suite: str | None
    residual: str | None
    html: Path | None

    def refuse(self, *, as_json: bool) -> None:
        """Refuse options that say nothing, or exclude each other.

        Raises:
            UserError: they do.
        """
        if self.suggest is None and (self.out is not None or self.to_promote):
            raise UserError("--out and --promote take what --suggest N proposes", fix="say --suggest N")
        if not self.to_promote and (self.suite is not None or self.residual is not None):
            raise UserError("--suite and --residual say nothing without --promote")
        if self.to_promote and as_json:
            raise UserError("--promote and --json exclude each other", fix="say --out FILE, then promote --ids FILE")

    def examples(self, triaging: Triaging, asked: TriageAsked, found: Triage) -> list[Example]:
        """The conversations that are suggested, or shown on the page.

        Raises:
            UserError: they are asked for, and the embedding of texts is not installed.
        """
        from pytest_llmreplay.cli.suggesting import Suggesting

        if self.suggest is None and self.html is None:
            return []
        failing = triaging.failing(asked)
        suggesting = Suggesting(
            triaging.table, triaging.known, failing, triaging.caches, triaging.display, triaging.embedder
        )
        try:
            return suggesting.examples(found, self.suggest or _ON_A_PAGE)
        except UserError as error:
            if self.suggest is not None:
                raise
            click.echo(printable(f"the page shows no conversation: {error}"), err=True)
            return []

    def write(self, found: Triage, examples: Sequence[Example], logs: Sequence[str]) -> None:
        """Write the files, readable by their owner only; a warning goes with one that git would take.

        Raises:
            UserError: a file cannot be written.
        """
        from pytest_llmreplay.mine.triage.suggestions import write_suggestions
        from pytest_llmreplay.store.atomic import write_privately

        if self.out is not None:
            write_privately(self.out, lambda path: write_suggestions(path, [one.suggestion for one in examples]))
            _warn_of_git(self.out)
        if self.html is not None:
            text = _page_text(found, examples, logs)
            write_privately(self.html, partial(_fill, text))
            _warn_of_git(self.html)
            click.echo(printable(f"the page: {self.html}"), err=True)

    def promote(self, logs: LogChoice, suggestions: Sequence[Suggestion]) -> int:
        """Hand the suggestions to the command `promote`, as a file of them would be; its exit code.

        Raises:
            UserError: the command does.
        """
        from pytest_llmreplay.cli.promote import promote
        from pytest_llmreplay.mine.triage.suggestions import write_suggestions

        options = {
            "--suite": self.suite,
            "--residual": self.residual,
            "--format": logs.format_name,
            "--id-column": logs.id_column,
        }
        given = [word for name, value in options.items() if value is not None for word in (name, value)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "suggestions.parquet"
            write_suggestions(file, suggestions)
            arguments = ["--ids", str(file), *given, "--", *logs.paths]
            code = promote.main(arguments, prog_name="pytest-llmreplay promote", standalone_mode=False)
        return code if isinstance(code, int) else 0


def suggestions_text(suggestions: Sequence[Suggestion], failures: int) -> Iterator[str]:
    """The suggestions as a terminal shows them, and for how many of all failures they stand."""
    from tabulate import tabulate

    yield ""
    if not suggestions:
        yield "nothing to suggest: no conversation with a text of its user failed"
        return
    headers = ("suggested", "stands for", "intent", "failure", "turn", "conversation", "the user")
    rows = [
        (
            one.kind,
            f"{one.weight:,}",
            one_line(one.intent or "-", 30),
            one_line(one.failure or "-", 24),
            "-" if one.turn is None else str(one.turn),
            one_line(one.conversation_id, 40),
            one_line(one.text, 60),
        )
        for one in suggestions
    ]
    yield from tabulate(rows, headers=headers, disable_numparse=True).splitlines()
    stood_for = sum(one.weight for one in suggestions if one.kind == "incident")
    yield f"the incidents stand for {stood_for:,} of {failures:,} failed conversations"


def _page_text(found: Triage, examples: Sequence[Example], logs: Sequence[str]) -> str:
    from datetime import UTC, datetime

    from pytest_llmreplay.report.triage_page import TriagePage, triage_html

    facts = {"logs": ", ".join(logs), "written": datetime.now(UTC).isoformat(timespec="seconds")}
    return triage_html(TriagePage(found, examples, facts))


def _fill(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _warn_of_git(path: Path) -> None:
    from pytest_llmreplay.cli.git import would_take

    if would_take(path):
        click.echo(
            printable(f"{path} holds what customers wrote, unredacted, and git does not ignore it: do not commit it"),
            err=True,
        )
