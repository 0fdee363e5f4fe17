"""How a chat request is put to the embedded model: as plain text that it continues. Pure.

A model this small routes well when it sees earlier messages beside their topics, and badly from a chat template or
JSON. So every earlier message with a tool call is a worked example, and the last message is the one to route.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall, turns_of
from pytest_llmreplay.providers.local_grammar import Parameter, as_value_text

_ARGUMENT_EXAMPLES = 8
_ANSWER_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text to continue: `shared` is how the requests of one configuration begin, `own` what this one adds."""

    shared: str
    own: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A customer's message, the calls made for it, what the tools returned, and the answer in the end."""

    customer: str
    calls: tuple[ToolCall, ...] = ()
    results: tuple[str, ...] = ()
    answer: str | None = None

    @property
    def tool(self) -> str | None:
        """The tool that was called first, or None when none was."""
        return self.calls[0].name if self.calls else None


def exchanges_of(messages: Sequence[Message]) -> tuple[Exchange, ...]:
    """The exchanges of a conversation, worked examples first; what stands before the first user message is none."""
    exchanges: list[Exchange] = []
    if not any(message.role == "user" for message in messages):
        return ()
    for turn in turns_of(messages):
        said = messages[turn.start + 1 : turn.stop]
        spoken = [m.content for m in said if m.role == "assistant" and not m.tool_calls and m.content]
        exchanges.append(
            Exchange(
                customer=one_line(messages[turn.start].content or ""),
                calls=tuple(call for m in said if m.role == "assistant" for call in m.tool_calls),
                results=tuple(one_line(m.content or "") for m in said if m.role in ("tool", "function")),
                answer=one_line(spoken[-1]) if spoken else None,
            )
        )
    return tuple(exchanges)


def routing_prompt(messages: Sequence[Message], tools: Sequence[Tool]) -> Prompt:
    """The text after which the model writes the name of the tool for the last user message."""
    *earlier, last = exchanges_of(messages) or (Exchange(""),)
    topics = "\n".join(f"- {tool.name}: {one_line(tool.description or '')}".rstrip(": ") for tool in tools)
    parts = [_system_text(messages), f"Topics:\n{topics}"]
    parts += [shown for exchange in earlier if (shown := _routed(exchange))]
    return _asked(parts, last, "Topic:")


def argument_prompt(messages: Sequence[Message], tool: str, parameter: Parameter) -> Prompt:
    """The text after which the model writes one argument of a call of `tool` for the last user message."""
    *earlier, last = exchanges_of(messages) or (Exchange(""),)
    shown = [
        f"Customer: {exchange.customer}\n{parameter.name}: {value}"
        for exchange in earlier
        for call in islice((call for call in exchange.calls if call.name == tool), 1)
        if (value := _argument_text(call, parameter)) is not None
    ]
    return _asked(shown[-_ARGUMENT_EXAMPLES:], last, f"{parameter.name}:")


def answer_prompt(messages: Sequence[Message]) -> Prompt:
    """The text after which the model writes its answer to the last user message, from what the tools returned.

    Earlier answers after calls of the same tool show how it is done. Without any, the model's own chat template is what
    makes it write a sentence.
    """
    *earlier, last = exchanges_of(messages) or (Exchange(""),)
    shown = [
        f"Customer: {exchange.customer}\n{_information(exchange)}Answer: {exchange.answer}"
        for exchange in earlier
        if exchange.answer and exchange.tool == last.tool
    ]
    if shown:
        return _asked([_system_text(messages), *shown[-_ANSWER_EXAMPLES:]], last, f"{_information(last)}Answer:")
    return _chat(messages, f"{last.customer}\n{_information(last)}".strip())


def question_prompt(messages: Sequence[Message]) -> Prompt:
    """The text after which the model replies to the last user message as it stands, lines and all."""
    return _chat(messages, _plain(next((m.content or "" for m in reversed(messages) if m.role == "user"), "")))


def one_line(text: str) -> str:
    """Text without line breaks and control words, so that no message can pretend to be another part of the prompt."""
    return " ".join(_plain(text).split())


def _chat(messages: Sequence[Message], asked: str) -> Prompt:
    system = f"<|im_start|>system\n{_system_text(messages)}<|im_end|>\n"
    return Prompt(system, f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n")


def _system_text(messages: Sequence[Message]) -> str:
    return "\n".join(_plain(m.content or "").strip() for m in messages if m.role in ("system", "developer"))


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("<|", "< |")


def _asked(parts: Iterable[str], exchange: Exchange, question: str) -> Prompt:
    shared = "\n\n".join([*filter(None, parts), "Customer:"])
    return Prompt(shared, f" {exchange.customer}\n{question}")


def _routed(exchange: Exchange) -> str | None:
    if exchange.tool is not None:
        return f"Customer: {exchange.customer}\nTopic: {one_line(exchange.tool)}"
    return f"Customer: {exchange.customer}\nAnswer: {exchange.answer}" if exchange.answer else None


def _information(exchange: Exchange) -> str:
    return "".join(f"Information: {result}\n" for result in exchange.results)


def _argument_text(call: ToolCall, parameter: Parameter) -> str | None:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    if not isinstance(arguments, dict):
        return None
    if parameter.name not in arguments:
        return None if parameter.required else as_value_text(None)
    return as_value_text(arguments[parameter.name])
