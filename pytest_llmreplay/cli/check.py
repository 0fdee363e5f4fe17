"""`pytest-llmreplay check`: compare tool calls with what is expected of them, without a suite."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.checks import CallsCheck
    from pytest_llmreplay.model.expectation import Expectation

PASSED, FAILED, USAGE, UNMEASURED = 0, 1, 2, 10
# The first of these that a batch met decides.
_EXIT_CODES = {"unreadable": USAGE, "failed": FAILED, "unmeasured": UNMEASURED}
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command()
@click.option("--expect", type=_FILE, metavar="E.yaml", help="The expectation (YAML or JSON).")
@click.option("--calls", type=_FILE, metavar="C.json", help="The calls: a JSON list; - reads standard input.")
@click.option(
    "--tools", type=_FILE, metavar="T.json", help="The tools that were offered (JSON, or YAML of kind tools)."
)
@click.option("--batch", type=_FILE, metavar="FILE.jsonl", help='A line each: {"id", "calls", "expect", "tools"?}.')
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def check(expect: Path | None, calls: Path | None, tools: Path | None, batch: Path | None, as_json: bool) -> None:
    """Compare tool calls with an expectation.

    Exit code 0: as expected; 1: not as expected; 2: a mistake in the input; 10: something could not be measured.
    --batch prints a JSON line for every line, in the same order.
    """
    if batch is not None:
        if expect or calls or tools or as_json:
            raise UserError("--batch stands alone: its lines hold calls, expect and tools")
        _check_batch(batch)
    if expect is None or calls is None:
        raise UserError("--expect and --calls are both needed, or --batch alone")
    _check_one(expect, calls, tools, as_json)


def _check_one(expect: Path, calls: Path, tools: Path | None, as_json: bool) -> NoReturn:
    from pytest_llmreplay.checks import CallsCheck
    from pytest_llmreplay.checks.batch import other_parts, result_data
    from pytest_llmreplay.checks.called import read_calls
    from pytest_llmreplay.checks.messages import screen
    from pytest_llmreplay.checks.tool_schema import read_tools

    expectation = _read_expectation(expect)
    if expectation.calls is None:
        raise UserError("says nothing of the calls, and only calls are checked here", file=str(expect), key="expect")
    _say_what_is_left_out(other_parts(expectation))
    try:
        offered = read_tools(None if tools is None else _read_tools(tools))
    except ValueError as error:
        raise UserError(str(error), file=str(tools), key="tools") from error
    made = read_calls(_calls_in(_read_json(calls), calls), offered)
    compiled = CallsCheck.of(expectation.calls, offered)
    result = compiled.compare(made)
    if as_json:
        click.echo(json.dumps(result_data(result), indent=2))
    elif result.passed:
        click.echo(f"passed: {_counted(len(made), 'call')}, {_described(compiled)}")
        click.echo(f"next: pytest-llmreplay promote LOGS --expect {expect}")
    else:
        click.echo(screen(_wanted(compiled), made, [*result.failures, *result.unmeasured]))
        click.echo("next: mend the prompt, the tool or the expectation; --json shows every detail")
    sys.exit(PASSED if result.passed else FAILED if result.failures else UNMEASURED)


def _check_batch(path: Path) -> NoReturn:
    from pytest_llmreplay.checks.batch import Batch

    batch = Batch()
    counts: Counter[str] = Counter()
    with _opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            verdict = batch.check(line, f"{path}:{number}")
            counts[verdict.status] += 1
            sys.stdout.write(verdict.text)
            sys.stdout.write("\n")
    sys.stdout.flush()
    shown = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no lines"
    click.echo(shown, err=True)
    _say_what_is_left_out(sorted(batch.left_out))
    sys.exit(next((code for status, code in _EXIT_CODES.items() if counts[status]), PASSED))


def _opened(path: Path) -> IO[str]:
    """A file, or standard input for `-`; bytes that are no UTF-8 stay what they are and make the line unreadable."""
    try:
        return click.open_file(str(path), encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=str(path)) from error


def _read_expectation(path: Path) -> Expectation:
    from pytest_llmreplay.config.yaml_file import read_yaml
    from pytest_llmreplay.model.expectation import parse_expectation

    data = read_yaml(path)
    kind = data.get("kind", "expectations")
    if kind != "expectations":
        raise UserError("must be 'expectations' here", file=str(path), key="kind", value=kind, allowed=["expectations"])
    return parse_expectation(data, file=str(path))


def _read_tools(path: Path) -> list[Any]:
    from pytest_llmreplay.config.yaml_file import read_yaml

    data: Any = read_yaml(path, kind="tools") if path.suffix in (".yaml", ".yml") else _read_json(path)
    tools = data.get("tools") if isinstance(data, dict) else data
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UserError("must be a list of tools", file=str(path), key="tools", value=tools)
    return tools


def _read_json(path: Path) -> Any:
    with _opened(path) as file:
        text = file.read()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"is not JSON: {error}", file=str(path)) from error


def _calls_in(data: Any, path: Path) -> list[Any]:
    """The list of calls in a file: itself, that of an assistant message, or the messages of a conversation."""
    if isinstance(data, dict):
        data = data.get("tool_calls", data.get("calls", data.get("messages")))
    if not isinstance(data, list):
        raise UserError("must be a list of tool calls, or an assistant message", file=str(path), value=data)
    return data


def _say_what_is_left_out(parts: list[str]) -> None:
    if parts:
        click.echo(f"not looked at here, for there are only calls: {', '.join(parts)}", err=True)


def _wanted(compiled: CallsCheck) -> list[str]:
    forbidden = [f"never {name}" for name in compiled.expectation.forbidden]
    return [*(pattern.describe(100) for pattern in compiled.patterns), *forbidden]


def _described(compiled: CallsCheck) -> str:
    order = compiled.expectation.order
    expected = _counted(len(compiled.patterns), "call")
    return "none expected" if order == "none" else f"{expected} expected, order {order}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
