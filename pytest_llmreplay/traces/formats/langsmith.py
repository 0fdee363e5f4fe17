"""LangSmith: runs as the client lists them, batches as the SDK posts them, and feedback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import messages_of, tools_of
from pytest_llmreplay.traces.formats import anthropic, call_log, langchain, openai_chat, openai_responses
from pytest_llmreplay.traces.jsonable import as_float, as_text
from pytest_llmreplay.traces.spans import Format, Found, Place, Score, Span, SpanKind, salvaged
from pytest_llmreplay.traces.times import epoch

NAME = "langsmith"
_KINDS: dict[str, SpanKind] = {"llm": "llm", "tool": "tool", "retriever": "retrieval"}
_NOISE = ("LANGSMITH_ENDPOINT", "LANGSMITH_TRACING", "LANGSMITH_API_KEY", "usage_metadata", "lc_versions", "stop")
_PARAMETERS = ("model", "model_name", "_type", "tools", "messages", "functions", "stream", "stop")


def accepts(record: Any) -> bool:
    """A run, a batch of runs, or a feedback."""
    if not isinstance(record, Mapping):
        return False
    if isinstance(record.get("post"), list) or isinstance(record.get("patch"), list):
        return True
    return ("run_type" in record and "id" in record) or ("run_id" in record and "key" in record)


def read(record: Any, place: Place) -> Iterator[Found]:
    """The runs of the record with their feedback.

    Raises:
        ValueError: the inputs or outputs of a run are damaged.
    """
    if "run_id" in record and "key" in record:
        yield _feedback(record)
        return
    batch = [*(record.get("post") or ()), *(record.get("patch") or ())] if "run_type" not in record else [record]
    yield from salvaged(batch, lambda run: _run(run, place))


def _run(run: Any, place: Place) -> Iterator[Found]:
    if fields.text(run, "id") is None:
        raise ValueError("a run has no id")
    yield _span(run, place)
    yield from _stats(run)


def _feedback(record: Mapping[str, Any]) -> Score:
    value = record.get("score") if record.get("score") is not None else record.get("value")
    return Score(
        as_text(record["key"]) or "feedback",
        value,
        fields.text(record, "comment"),
        trace_id=fields.text(record, "trace_id"),
        span_id=fields.text(record, "run_id"),
        time=epoch(record.get("created_at")),
    )


def _stats(run: Mapping[str, Any]) -> Iterator[Score]:
    stats = run.get("feedback_stats")
    for name, value in stats.items() if isinstance(stats, Mapping) else ():
        if isinstance(value, Mapping):
            comments = value.get("comments") or [None]
            comment = as_text(comments[0]) if isinstance(comments, list) else None
            yield Score(str(name), value.get("avg"), comment, span_id=fields.text(run, "id"))


def _span(run: Mapping[str, Any], place: Place) -> Span:
    metadata = fields.first(run, "extra.metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    kind = _KINDS.get(str(run.get("run_type")), "other")
    if kind == "other" and "guardrail" in str(run.get("name", "")).lower():
        kind = "guardrail"
    started, ended = epoch(run.get("start_time")), epoch(run.get("end_time"))
    error = fields.text(run, "error")
    common: dict[str, Any] = {
        "format": NAME,
        "place": place,
        "span_id": fields.text(run, "id"),
        "trace_id": fields.text(run, "trace_id") or fields.text(run, "id"),
        "parent_id": fields.text(run, "parent_run_id"),
        "kind": kind,
        "name": fields.text(run, "name"),
        "started": started,
        "ended": ended,
        "latency_s": ended - started if started is not None and ended is not None and ended >= started else None,
        "error": _error_line(error),
        "prompt_version": fields.text(metadata, *fields.PROMPT_VERSION),
        **fields.ids(metadata),
        "metadata": _metadata(run, metadata),
    }
    found = _call(run, metadata) if kind == "llm" else _step(run, kind)
    notes = found.pop("metadata", {})
    return Span(**{**common, **found, "metadata": {**common["metadata"], **notes}})


def _error_line(error: str | None) -> str | None:
    """What was raised, without the stack that follows it."""
    told = error.split("Traceback (most recent call last)")[0].strip() if error else ""
    return told.splitlines()[0] if told else error or None


def _metadata(run: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    used = (*fields.CONVERSATION, *fields.SESSION, *fields.USER, *_NOISE)
    own = {
        key: value
        for key, value in fields.without(metadata, *used).items()
        if not key.startswith(("ls_", "langgraph_", "LANGSMITH_", "checkpoint")) and key not in _PARAMETERS
    }
    tags = run.get("tags")
    kept = (
        [tag for tag in tags if not str(tag).startswith(("seq:step", "graph:step"))] if isinstance(tags, list) else []
    )
    project = fields.text(run, "session_name") or fields.text(metadata, "LANGSMITH_PROJECT")
    return {**own, **({"tags": kept} if kept else {}), **({"project": project} if project else {})}


def _call(run: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    inputs, outputs = run.get("inputs"), run.get("outputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    outputs = outputs if isinstance(outputs, Mapping) else {}
    parameters = fields.first(run, "extra.invocation_params")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    notes: dict[str, Any] = {}
    found = _wrapped(inputs, outputs, notes) or _serialised(inputs, outputs, notes)
    tools = inputs.get("tools") or parameters.get("tools") or parameters.get("functions")
    known = bool(inputs) or bool(parameters)
    count = _usage(run, outputs, metadata)
    return {
        **found,
        "tools": (tools_of(tools) or ()) if known else None,
        "model": found.get("model") or fields.text(outputs, "model", "llm_output.model_name"),
        "request_model": fields.text(inputs, "model")
        or fields.text(parameters, "model", "model_name")
        or fields.text(metadata, "ls_model_name"),
        "parameters": {
            **fields.without(parameters, *_PARAMETERS),
            **call_log.parameters(inputs, "system", "instructions", "prompts", *_PARAMETERS),
        },
        "cost_usd": as_float(run.get("total_cost")),
        "input_tokens": count["input_tokens"],
        "output_tokens": count["output_tokens"],
        "metadata": notes,
    }


def _wrapped(inputs: Mapping[str, Any], outputs: Mapping[str, Any], notes: dict[str, Any]) -> dict[str, Any] | None:
    """A call through a wrapped SDK: its own request and response."""
    if "input" in inputs and ("output" in outputs or "instructions" in inputs):
        found = openai_responses.call(inputs, outputs)
        notes.update(found.pop("metadata"))
        return {
            key: found[key]
            for key in ("messages", "output", "finish_reason", "response_id", "previous", "error")
            if found[key]
        }
    asked = inputs.get("messages")
    if not isinstance(asked, list) or (asked and (isinstance(asked[0], list) or langchain.is_message(asked[0]))):
        return _answer_only(outputs) if not inputs else None
    if outputs.get("type") == "message" or "system" in inputs:
        messages, more = anthropic.messages_of(inputs)
        notes.update(more)
        content = outputs.get("content")
        return {
            "messages": messages,
            "output": anthropic.message_of("assistant", content, notes) if isinstance(content, list) else None,
            "finish_reason": fields.finish_reason(outputs.get("stop_reason")),
        }
    return {"messages": messages_of(asked), **(_answer_only(outputs) or {})}


def _answer_only(outputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the outputs of a wrapped chat completion say: a patch has no inputs."""
    choice = openai_chat.first_choice(outputs)
    if choice is not None:
        return {
            "output": openai_chat.output_of(outputs),
            "finish_reason": fields.finish_reason(choice.get("finish_reason")),
            "response_id": fields.text(outputs, "id"),
        }
    message = outputs.get("message") if isinstance(outputs.get("message"), Mapping) else outputs
    if isinstance(message, Mapping) and isinstance(message.get("role"), str):
        return {"output": messages_of([message])}
    return None


def _serialised(inputs: Mapping[str, Any], outputs: Mapping[str, Any], notes: dict[str, Any]) -> dict[str, Any]:
    """A call through LangChain: its messages as it serialises them, a batch of one."""
    found: dict[str, Any] = {}
    asked = inputs.get("messages", inputs.get("prompts", inputs.get("input")))
    if asked is not None:
        batch = asked[0] if isinstance(asked, list) and asked and isinstance(asked[0], list) else asked
        found["messages"] = langchain.messages_of([batch] if isinstance(batch, str) else batch, notes)
    generation = _generation(outputs)
    if generation:
        message = generation.get("message")
        text = generation.get("text")
        found["output"] = (
            langchain.message_of(message, notes) if message is not None else (Message("assistant", as_text(text)),)
        )
        kwargs = fields.first(message, "kwargs.response_metadata", "response_metadata", "data.response_metadata")
        reason = fields.first(generation, "generation_info.finish_reason") or fields.first(
            kwargs, "finish_reason", "stop_reason"
        )
        found["finish_reason"] = fields.finish_reason(reason)
        found["model"] = fields.text(kwargs, "model_name", "model")
        found["response_id"] = fields.text(kwargs, "id")
    return found


def _generation(outputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    generations = outputs.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    return generations if isinstance(generations, Mapping) else None


def _usage(run: Mapping[str, Any], outputs: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, int | None]:
    generation = _generation(outputs)
    places = (
        fields.first(outputs, "usage_metadata", "usage"),
        fields.first(generation, "message.kwargs.usage_metadata", "message.usage_metadata"),
        metadata.get("usage_metadata"),
        run,
    )
    return next((found for found in map(fields.usage, places) if any(found.values())), fields.usage(None))


def _step(run: Mapping[str, Any], kind: SpanKind) -> dict[str, Any]:
    inputs, outputs = run.get("inputs"), run.get("outputs")
    if kind == "other":
        return {}
    message = fields.first(outputs, "output")
    if kind == "tool" and isinstance(message, Mapping) and ("tool_call_id" in message or langchain.is_message(message)):
        body = message.get("kwargs") if isinstance(message.get("kwargs"), Mapping) else message
        result = fields.content_text(fields.first(body, "content"))
        call_id = fields.text(body, "tool_call_id")
    else:
        only = outputs.get("output") if isinstance(outputs, Mapping) and set(outputs) == {"output"} else outputs
        result, call_id = fields.content_text(only) if only else None, None
    documents = fields.first(outputs, "documents", "output")
    return {
        "input": fields.content_text(inputs) if inputs else None,
        "result": result,
        "tool_call_id": call_id or fields.text(run, "extra.tool_call_id"),
        "document_ids": _document_ids(documents) if kind == "retrieval" else (),
        "status": fields.text(run, "status"),
    }


def _document_ids(documents: Any) -> tuple[str, ...]:
    """The ids of retrieved documents, or what else names them."""
    found = documents if isinstance(documents, list) else []
    names = (
        fields.text(d, "id", "kwargs.id", "metadata.id", "metadata.source", "kwargs.metadata.source") for d in found
    )
    return tuple(name for name in names if name)


FORMAT = Format(NAME, accepts, read, "cost, where the server did not work it out")
