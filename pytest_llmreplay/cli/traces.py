"""`pytest-llmreplay traces …`: look at production logs and make canonical Parquet of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.cli.logs import LogChoice, Telling, choosing_logs
from pytest_llmreplay.cli.terminal import echo, echo_json
from pytest_llmreplay.model.errors import UserError, did_you_mean
from pytest_llmreplay.report.text import call_text, one_line, printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.conversation import Conversation, Message

_KNOWN_IDS = 2000


@click.group()
def traces() -> None:
    """Read production logs."""


@traces.command()
@click.argument("logs", metavar="FILE")
@click.argument("conversation_id", metavar="[ID]", required=False)
@choosing_logs
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one conversation a line.")
def show(logs: LogChoice, conversation_id: str | None, as_json: bool) -> None:
    """List the conversations in FILE (a file, glob, folder, s3://…, gs://…, or - for standard input), or print one."""
    [file] = logs.paths
    tell = Telling()
    conversations = _read(logs, tell)
    if conversation_id is not None:
        conversations = _with_id(conversations, conversation_id, file)
    count = 0
    for conversation in conversations:
        count += 1
        if as_json:
            echo_json(_json(conversation))
        elif conversation_id is not None:
            echo("\n".join(_lines(conversation)))
        else:
            echo(_row(conversation))
    tell.finish()
    if not as_json and conversation_id is None:
        noun = "conversation" if count == 1 else "conversations"
        click.echo(f"{count} {noun}; next: pytest-llmreplay traces show {printable(file)} ID")


@traces.command()
@click.argument("logs", metavar="LOGS…", nargs=-1, required=True)
@choosing_logs
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The Parquet file to write.")
def convert(logs: LogChoice, out: str) -> None:
    """Write the conversations in LOGS as canonical Parquet; one that exists is replaced once all is written."""
    from pytest_llmreplay.traces import write_conversations

    logs.refuse_overwriting(Path(out))
    tell = Telling()
    count = write_conversations(out, _read(logs, tell))
    tell.finish()
    noun = "conversation" if count == 1 else "conversations"
    click.echo(f"{count} {noun} in {printable(out)}")
    click.echo(f"next: pytest-llmreplay promote {printable(out)} --id ID")


@traces.command()
def formats() -> None:
    """List the formats that can be read, and what each does not hold."""
    from tabulate import tabulate

    from pytest_llmreplay.traces import format_gaps

    click.echo(tabulate(list(format_gaps().items()), headers=("format", "does not hold"), maxcolwidths=(None, 80)))


def _read(logs: LogChoice, tell: Telling) -> Iterator[Conversation]:
    from pytest_llmreplay.traces import read_conversations

    return read_conversations(
        logs.paths, format=logs.format_name, id_column=logs.id_column, where=logs.where, on_problem=tell
    )


def _with_id(conversations: Iterator[Conversation], wanted: str, file: str) -> Iterator[Conversation]:
    """Every conversation with this id.

    Raises:
        UserError: there is none; it suggests the nearest id.
    """
    known: list[str] = []
    found = False
    for conversation in conversations:
        if conversation.conversation_id == wanted:
            found = True
            yield conversation
        elif len(known) < _KNOWN_IDS:
            known.append(conversation.conversation_id)
    if not found:
        nearest = did_you_mean(wanted, known)
        fix = f"did you mean '{nearest}'?" if nearest else f"list them with: pytest-llmreplay traces show {file}"
        raise UserError("no such conversation", file=file, value=wanted, fix=fix)


def _row(conversation: Conversation) -> str:
    """One conversation on one line: id, start, model, turns, calls, how it ended, and how it began."""
    asked = next((m.content for m in conversation.messages if m.role == "user" and m.content), "")
    turns = sum(m.role == "user" for m in conversation.messages)
    calls = sum(len(m.tool_calls) for m in conversation.messages)
    ended = f"error: {one_line(conversation.error, 40)}" if conversation.error else conversation.finish_reason or "-"
    parts = (
        one_line(conversation.conversation_id, 60),
        (conversation.started_at or "-")[:19],
        one_line(conversation.model or "-", 40),
        f"{turns} turns",
        f"{calls} calls",
        ended,
        one_line(asked or "", 60),
    )
    return "  ".join(parts)


def _lines(conversation: Conversation) -> Iterator[str]:
    """One conversation as a person reads it."""
    from pytest_llmreplay.model.canonical import canonical_json

    yield f"conversation {printable(conversation.conversation_id)}"
    for name in ("format", "source_file", "record", "started_at", "model", "prompt_version", "user_id", "session_id"):
        value = getattr(conversation, name)
        if value is not None:
            yield f"  {name}: {printable(str(value))}"
    tools = "unknown" if conversation.tools is None else ", ".join(tool.name for tool in conversation.tools) or "none"
    yield f"  tools: {printable(tools)}"
    for name in ("latency_s", "input_tokens", "output_tokens", "cost_usd", "finish_reason", "error"):
        value = getattr(conversation, name)
        if value is not None:
            yield f"  {name}: {printable(str(value))}"
    if conversation.feedback:
        yield f"  feedback: {printable(canonical_json(dict(conversation.feedback)))}"
    turn = 0
    for message in conversation.messages:
        turn += message.role == "user"
        yield from _message_lines(message, turn)
    for step in conversation.steps:
        told = one_line(step.output or step.input or "", 80)
        yield f"step in turn {step.turn}: {step.kind} {printable(step.name or '')} {step.status or ''} {told}".rstrip()
    if conversation.metadata:
        yield f"metadata: {one_line(canonical_json(dict(conversation.metadata)), 2000)}"


def _message_lines(message: Message, turn: int) -> Iterator[str]:
    label = f"{turn} {message.role}" if message.role == "user" else f"  {message.role}"
    if message.content is not None:
        text = printable(message.content).replace("\n", "\n      ")
        yield f"{label}: {text}"
    if message.content_parts is not None:
        yield f"{label}: (parts) {one_line(message.content_parts, 200)}"
    if message.refusal is not None:
        yield f"{label}: (refusal) {printable(message.refusal)}"
    for call in message.tool_calls:
        yield f"{label}: calls {call_text(call.name, call.arguments)}"
    if message.content is None and message.content_parts is None and message.refusal is None and not message.tool_calls:
        yield f"{label}: (no text in the log)"


def _json(conversation: Conversation) -> str:
    """The conversation as JSON, by canonical column."""
    import json

    from pytest_llmreplay.traces import conversation_row

    row: dict[str, Any] = conversation_row(conversation)
    return json.dumps(row, ensure_ascii=True)
