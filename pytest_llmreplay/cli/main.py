"""The program's entry: a group whose commands are imported when they are called, and one place for errors."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from pytest_llmreplay.model.errors import LlmReplayError, did_you_mean
from pytest_llmreplay.report.text import printable

_COMMANDS: Mapping[str, str] = {
    "baseline": "pytest_llmreplay.cli.baseline:baseline",
    "cassettes": "pytest_llmreplay.cli.cassettes:cassettes",
    "check": "pytest_llmreplay.cli.check:check",
    "compare": "pytest_llmreplay.cli.compare:compare",
    "doctor": "pytest_llmreplay.cli.doctor:doctor",
    "erase": "pytest_llmreplay.cli.erase:erase",
    "find": "pytest_llmreplay.cli.find:find",
    "gate": "pytest_llmreplay.cli.gate:gate",
    "golden": "pytest_llmreplay.cli.golden:golden",
    "init": "pytest_llmreplay.cli.init:init",
    "judge": "pytest_llmreplay.cli.judge:judge",
    "local-model": "pytest_llmreplay.cli.local_model:local_model",
    "monitor": "pytest_llmreplay.cli.monitor:monitor",
    "promote": "pytest_llmreplay.cli.promote:promote",
    "report": "pytest_llmreplay.cli.report:report",
    "rubric": "pytest_llmreplay.cli.rubric:rubric",
    "signals": "pytest_llmreplay.cli.signals:signals",
    "traces": "pytest_llmreplay.cli.traces:traces",
    "triage": "pytest_llmreplay.cli.triage:triage",
    "validate": "pytest_llmreplay.cli.validate:validate",
    "waive": "pytest_llmreplay.cli.waive:waive",
}


_INTERRUPTED_QUERY = "Query interrupted"


class LazyGroup(click.Group):
    """A group that knows the names of its commands and imports a command when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """The names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; in the middle of a query DuckDB makes an error of its own of an interruption."""
        try:
            return super().invoke(ctx)
        except RuntimeError as error:
            if str(error) == _INTERRUPTED_QUERY:
                raise KeyboardInterrupt from error
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was asked for, or suggest the nearest one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            nearest = did_you_mean(args[0], list(_COMMANDS))
            hint = f"; did you mean '{nearest}'?" if nearest else ""
            ctx.fail(f"there is no command '{args[0]}'{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pytest-llmreplay", prog_name="pytest-llmreplay")
def program() -> None:
    """Turn failing production conversations into golden cases and replay them on every variant."""


def main() -> None:
    """Run the program; a user's mistake is one sentence on stderr and exit code 2, never a traceback."""
    try:
        program(prog_name="pytest-llmreplay")
    except LlmReplayError as error:
        click.echo(f"pytest-llmreplay: {printable(str(error))}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
