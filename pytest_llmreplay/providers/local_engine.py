"""The embedded model in this process: llama.cpp through xllamacpp, silent, with one thread."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.providers.local_prompt import Prompt
from pytest_llmreplay.providers.local_slots import PrefixSlots

# Sequences of 3072 tokens each that share no memory: with one unified cache, what a request is answered would depend on
# the requests before it. The first is for prompts that are read anew each time.
_SLOTS = 4
_SCRATCH_SLOT = 0
_CONTEXT_TOKENS = 12288
_KEPT_FROM_CHARACTERS = 150
_THREADS = 1
_SILENT = -1


@dataclass(frozen=True, slots=True)
class Generation:
    """Limits of one generation: tokens at most, temperature (0: always the likeliest token), seed of the sampling."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote after a prompt; `finish_reason` is `stop`, or `length` when it was cut off."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


class Engine(Protocol):
    """Something that continues a prompt."""

    def complete(self, prompt: Prompt, limits: Generation, **constraint: Any) -> Completion:
        """Continue a prompt within the limits and the constraint.

        Raises:
            InfrastructureError: there is no usable continuation.
        """
        ...


class LocalEngine:
    """A model file loaded into memory; it is not safe to use from two threads at once.

    Args:
        model: path of the GGUF file.

    Raises:
        InfrastructureError: xllamacpp is not installed, or it cannot load the file.
    """

    def __init__(self, model: Path) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise InfrastructureError(
                "the embedded model needs the package xllamacpp; get it with `pip install 'pytest-llmreplay[local]'`",
                code="local_missing",
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx = _CONTEXT_TOKENS
        params.n_parallel = _SLOTS
        params.kv_unified = False
        params.cpuparams.n_threads = _THREADS
        params.cpuparams_batch.n_threads = _THREADS
        params.warmup = False
        params.cache_ram_mib = 0
        params.cache_idle_slots = False
        params.verbosity = _SILENT
        # The library always opens a loopback port beside its in-process calls; a key that nobody knows shuts it.
        params.api_keys = [secrets.token_urlsafe(32)]
        self._slots = PrefixSlots([slot for slot in range(_SLOTS) if slot != _SCRATCH_SLOT])
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise InfrastructureError(
                f"the embedded model cannot be loaded from {model}: {error}", code="local_broken"
            ) from error

    def complete(self, prompt: Prompt, limits: Generation, **constraint: Any) -> Completion:
        """Continue a prompt.

        What a prompt shares with others is read once and kept. Before each use the slot is brought back to exactly
        that state, so that the reply is the same whatever was asked before.

        Args:
            prompt: plain text, used as it is.
            limits: bounds of the generation.
            constraint: `grammar` (GBNF) or `json_schema`, as llama.cpp's completion endpoint takes them.

        Raises:
            InfrastructureError: the prompt is longer than the context, or the engine refused the request.
        """
        kept = len(prompt.shared) >= _KEPT_FROM_CHARACTERS
        slot = self._prepared(prompt.shared) if kept else _SCRATCH_SLOT
        generation = {"n_predict": limits.max_tokens, "temperature": limits.temperature, "seed": limits.seed}
        reply = self._ask(prompt.shared + prompt.own, slot, keep=kept, **generation, **constraint)
        choice, usage = reply["choices"][0], reply["usage"]
        return Completion(choice["text"], choice["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"])

    def _prepared(self, shared: str) -> int:
        slot, found = self._slots.place(shared)
        try:
            if not found:
                self._ask(shared, slot, keep=False, n_predict=0)
            # Drops what followed the shared part, and reads its last token alone, as every time.
            self._ask(shared, slot, keep=True, n_predict=0)
        except InfrastructureError:
            self._slots.forget(shared)
            raise
        return slot

    def _ask(self, prompt: str, slot: int, *, keep: bool, **settings: Any) -> Mapping[str, Any]:
        request = {"prompt": prompt, "id_slot": slot, "cache_prompt": keep, "temperature": 0.0, **settings}
        reply: Mapping[str, Any] = self._server.handle_completions(request)
        if "error" in reply:
            raise _refusal(reply["error"])
        return reply


def _refusal(error: Mapping[str, Any]) -> InfrastructureError:
    if error.get("type") == "exceed_context_size_error":
        return InfrastructureError(
            f"the request has {error.get('n_prompt_tokens')} tokens and the embedded model reads {error.get('n_ctx')}",
            code="context_exceeded",
        )
    return InfrastructureError(f"the embedded model refused the request: {error.get('message')}", code="local_refused")
