"""The embedded local model as a provider: no key, no network, no server.

It is far too small to be a good assistant. It is here so that everything can be tried for real on any machine.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall, calls_of
from pytest_llmreplay.model.errors import InfrastructureError, did_you_mean
from pytest_llmreplay.model.ports import ModelReply, ModelRequest
from pytest_llmreplay.providers.local_engine import Completion, Engine, Generation, LocalEngine
from pytest_llmreplay.providers.local_grammar import (
    answer_line,
    parameters_of,
    read_value,
    tool_choice,
    value_constraint,
)
from pytest_llmreplay.providers.local_model import MODEL_SHA256, model_path
from pytest_llmreplay.providers.local_prompt import answer_prompt, argument_prompt, question_prompt, routing_prompt
from pytest_llmreplay.providers.local_schema import json_grammar, schema_of

MODELS = ("local/smollm2",)
PARAMS = ("max_tokens", "response_format", "seed", "temperature")

# Part of every recording's key: raise it whenever the rendering of requests changes.
_LAYOUT = 1
_NAME_TOKENS = 24
_VALUE_TOKENS = 64
_ANSWER_TOKENS = 32
_SCHEMA_TOKENS = 512


class LocalProvider:
    """Answers requests for `local/smollm2` in this process.

    With tools offered and a user message last, it chooses one tool and writes its arguments, each under a grammar;
    under a `response_format` it writes one JSON value of that schema; else it writes a short text. At temperature 0,
    the default, equal requests get equal replies, whatever was asked before. The model is loaded with the first
    request, and requests are answered one after another on one thread.

    Args:
        model: path of the model file; None means the one that `local-model fetch` stored.
        load: what loads a model file.
    """

    def __init__(self, model: Path | None = None, load: Callable[[Path], Engine] = LocalEngine) -> None:
        self._model = model
        self._load = load
        self._engine: Engine | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llmreplay-local")

    @property
    def identity(self) -> str:
        """The embedded model's file and the way in which requests are put to it."""
        return f"local:{MODEL_SHA256[:16]}:{_LAYOUT}"

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:
        """Ask the model once. The trial changes the reply only when the temperature is above 0.

        Raises:
            InfrastructureError: the model or xllamacpp is missing, the request is too long, or a parameter is unknown.
        """
        limits = _limits(request, trial)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._reply, request, limits)

    async def close(self) -> None:
        """Release the model's memory, after the request that is under way."""
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
        self._engine = None

    def _reply(self, request: ModelRequest, limits: Generation) -> ModelReply:
        engine = self._loaded()
        started = time.perf_counter()
        if request.tools and request.messages and request.messages[-1].role == "user":
            message, parts = _call(engine, request, limits)
            finish_reason = "tool_calls"
        elif "response_format" in request.params:
            message, parts = _json(engine, request, limits)
            finish_reason = parts[-1].finish_reason
        else:
            answer = engine.complete(answer_prompt(request.messages), limits, grammar=answer_line())
            message, parts = Message("assistant", content=answer.text.strip()), [answer]
            finish_reason = answer.finish_reason
        return ModelReply(
            message=message,
            finish_reason=finish_reason,
            input_tokens=sum(part.input_tokens for part in parts),
            output_tokens=sum(part.output_tokens for part in parts),
            cost_usd=0.0,
            latency_s=time.perf_counter() - started,
        )

    def _loaded(self) -> Engine:
        if self._engine is None:
            path = self._model or model_path()
            if path is None or not path.is_file():
                raise InfrastructureError(
                    f"the embedded model is not there{f' ({path})' if path else ''}; "
                    "get it with `pytest-llmreplay local-model fetch`",
                    code="local_missing",
                )
            self._engine = self._load(path)
        return self._engine


def _call(engine: Engine, request: ModelRequest, limits: Generation) -> tuple[Message, list[Completion]]:
    names = replace(limits, max_tokens=_NAME_TOKENS)
    chosen = engine.complete(routing_prompt(request.messages, request.tools), names, grammar=tool_choice(request.tools))
    name = chosen.text.removeprefix(" ")
    tool = next((tool for tool in request.tools if tool.name == name), None)
    arguments, written = _arguments(engine, request, tool, limits) if tool else ({}, [])
    number = len(calls_of(request.messages)) + 1
    call = ToolCall(f"call_{number}", name, json.dumps(arguments, ensure_ascii=False))
    return Message("assistant", tool_calls=(call,)), [chosen, *written]


def _json(engine: Engine, request: ModelRequest, limits: Generation) -> tuple[Message, list[Completion]]:
    grammar = json_grammar(schema_of(request.params["response_format"]))
    limits = replace(limits, max_tokens=max(limits.max_tokens, _SCHEMA_TOKENS))
    written = engine.complete(question_prompt(request.messages), limits, grammar=grammar)
    return Message("assistant", content=written.text), [written]


def _arguments(
    engine: Engine, request: ModelRequest, tool: Tool, limits: Generation
) -> tuple[dict[str, Any], list[Completion]]:
    arguments: dict[str, Any] = {}
    written: list[Completion] = []
    for parameter in parameters_of(tool):
        prompt = argument_prompt(request.messages, tool.name, parameter)
        values = replace(limits, max_tokens=_VALUE_TOKENS)
        written.append(engine.complete(prompt, values, **value_constraint(parameter)))
        value = read_value(parameter, written[-1].text)
        if value is not None or parameter.required:
            arguments[parameter.name] = value
    return arguments, written


def _limits(request: ModelRequest, trial: int) -> Generation:
    if request.model not in MODELS:
        raise InfrastructureError(_unknown("model", request.model, MODELS), code="unknown_model")
    for name in request.params:
        if name not in PARAMS:
            raise InfrastructureError(_unknown("parameter", name, PARAMS), code="unknown_param")
    temperature = request.params.get("temperature", 0.0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not temperature >= 0:
        raise _bad_param("temperature", "a number from 0", temperature)
    return Generation(
        max_tokens=_whole_number(request.params, "max_tokens", least=1, default=_ANSWER_TOKENS),
        temperature=float(temperature),
        seed=_whole_number(request.params, "seed", least=0, default=0) + trial,
    )


def _whole_number(params: Mapping[str, Any], name: str, *, least: int, default: int) -> int:
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _bad_param(name, f"a whole number from {least}", value)
    return value


def _bad_param(name: str, what: str, value: object) -> InfrastructureError:
    return InfrastructureError(
        f"the embedded model's parameter '{name}' must be {what} (found {value!r})", code="bad_param"
    )


def _unknown(what: str, name: str, allowed: tuple[str, ...]) -> str:
    nearest = did_you_mean(name, allowed)
    hint = f"; did you mean '{nearest}'?" if nearest else ""
    return f"the embedded model knows no {what} '{name}'; allowed: {', '.join(allowed)}{hint}"
