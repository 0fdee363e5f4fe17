"""A variant: one configuration under test; and the environment that all variants share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.conversation import Message, Tool, tools_digest
from pytest_llmreplay.model.written import Written

PACE = {"max_concurrency", "timeout_s", "requests_per_minute", "tokens_per_minute", "prices", "api_key_env"}
"""The keys of a target that change how it is reached, and not what it answers."""

ReplayMode = Literal["failing_turn", "each_turn", "conversation"]
Unrecorded = Literal["stop", "error", "nearest"]


class Prices(Written):
    """Prices in US dollars for a million tokens, where no price list knows the model."""

    input_per_million: float = Field(ge=0)
    output_per_million: float = Field(ge=0)


class ModelTarget(Written):
    """A model answers, through litellm or the embedded local model (`local/…`)."""

    type: Literal["model"]
    model: str = Field(min_length=1, description="Model name as litellm writes it, or local/smollm2.")
    params: dict[str, Any] = Field(default_factory=dict, description="Sent with every request, such as temperature.")
    api_base: str | None = Field(None, description="Base URL of the endpoint; may hold ${ENV}.")
    api_key_env: str | None = Field(None, description="Name of the environment variable that holds the key.")
    timeout_s: float = Field(60.0, gt=0, description="Seconds after which one request is given up.")
    via: Literal["litellm", "openai"] | None = Field(None, description="How to ask; default: what fits the model.")
    max_concurrency: int = Field(50, ge=1, description="Most requests under way at once.")
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0)
    prices: Prices | None = Field(None, description="Instead of the listed prices.")


class CallableTarget(Written):
    """A Python callable answers: `function` is `module:function`."""

    type: Literal["callable"]
    function: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    version: str | None = Field(None, description="Answers are kept under it; without version or digest never.")
    digest: tuple[str, ...] = Field((), description="Files whose contents stand for the version, from this file.")
    max_concurrency: int = Field(50, ge=1)
    timeout_s: float = Field(120.0, gt=0, description="Seconds after which one turn is given up.")


class HttpRequest(Written):
    """One HTTP request. Strings are Jinja2 templates and may hold ${ENV}."""

    url: str = Field(pattern=r"^(https?://|\$\{)")
    method: Literal["GET", "POST", "PUT"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = Field(None, description="JSON with templates inside; see `user`, `messages`, `session`, `vars`.")


class HttpSession(Written):
    """How a conversation is opened and carried: an id found in the reply, and cookies, which are always carried."""

    open: HttpRequest
    id: str | None = Field(None, description="Path of the session's id in the reply, as in data.session.id.")


class HttpResponse(Written):
    """Where the answer is in the reply: paths as in choices.0.text."""

    answer: str = Field(min_length=1)
    tools: str | None = Field(None, description="Path of the list of tool calls that the application reports.")
    name: str = Field("name", description="Path of the tool's name in one of them.")
    arguments: str = Field("arguments", description="Path of its arguments.")
    stream: Literal["sse"] | None = Field(None, description="The reply is a stream of events; answers are joined.")


class HttpTarget(HttpRequest):
    """A deployed application answers through its own API; its tools run for real."""

    type: Literal["http"]
    response: HttpResponse
    session: HttpSession | None = None
    side_effects: Literal["accepted"] | None = Field(None, description="Say `accepted`: the tools run for real.")
    version: str | None = Field(None, description="Answers are kept under it; without version or digest never.")
    digest: tuple[str, ...] = Field((), description="Files whose contents stand for the version, from this file.")
    max_concurrency: int = Field(10, ge=1, description="Most requests under way at once.")
    requests_per_minute: float | None = Field(None, gt=0)
    timeout_s: float = Field(60.0, gt=0, description="Seconds after which one request is given up.")


class TracesTarget(Written):
    """The answer is looked up in a log; nothing is called.

    A case is joined to the log's row whose column `on` equals the case's own value of that column (its metadata, or
    `conversation_id`, its trace). Trial n is the row with the n-th smallest value of the column `trial`.
    """

    type: Literal["traces"]
    logs: str
    on: str = "conversation_id"
    where: str | None = None
    trial: str | None = None


TargetConfig = Annotated[ModelTarget | CallableTarget | HttpTarget | TracesTarget, Field(discriminator="type")]


class ReplaySettings(Written):
    """How a case is replayed."""

    mode: ReplayMode = "failing_turn"
    max_steps: int = Field(8, ge=1, description="Most requests in one turn.")
    unrecorded: Unrecorded = Field("stop", description="What a tool call that nothing can answer leads to.")


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant with everything it refers to loaded; None means: as recorded in the case.

    `examples` are earlier messages that stand between the system prompt and the conversation.
    """

    name: str
    target: ModelTarget | CallableTarget | HttpTarget | TracesTarget
    system_prompt: str | None = None
    tools: tuple[Tool, ...] | None = None
    examples: tuple[Message, ...] = ()
    replay: ReplaySettings = field(default_factory=ReplaySettings)
    file: str = ""

    @property
    def digest(self) -> str:
        """Digest of all that can change an outcome: not the name, the file or how fast it may be asked."""
        target = self.target.model_dump(mode="json", exclude=PACE)
        return digest(
            {
                "target": target,
                "system_prompt": self.system_prompt,
                "tools": None if self.tools is None else tools_digest(self.tools),
                "examples": [message.to_openai() for message in self.examples],
                "replay": self.replay.model_dump(mode="json"),
            }
        )


class ResolverConfig(Written):
    """Where the text of cases that hold references comes from: a function, or a log that the runner may read."""

    function: str | None = Field(
        None,
        pattern=r"^[\w.]+:[\w.]+$",
        description="module:function that takes a reference and returns messages, a row with messages, or None.",
    )
    logs: str | None = Field(None, description="A log, folder or glob, from the project's root, or a URL.")
    id_column: str = Field("conversation_id", description="The column of the log with the id of the trace.")

    @model_validator(mode="after")
    def _one_of_two(self) -> ResolverConfig:
        if (self.function is None) == (self.logs is None):
            raise ValueError("needs either function or logs")
        return self


@dataclass(frozen=True, slots=True)
class Environment:
    """Stubs and allowed functions for tools, shared by all variants.

    `stubs` maps a tool to the JSON value that it returns, `functions` maps a tool to `module:function`. What `resolver`
    brings is verified against the case, so that it cannot change an outcome and is no part of the digest.
    """

    stubs: Mapping[str, Any] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    resolver: ResolverConfig | None = None

    @property
    def digest(self) -> str:
        """Digest of the stubs and the names of the functions."""
        return digest({"stubs": dict(self.stubs), "functions": dict(self.functions)})
