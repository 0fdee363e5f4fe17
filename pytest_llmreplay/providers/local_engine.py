"""The embedded model in this process: llama.cpp through xllamacpp, silent, with one thread."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import InfrastructureError

# Two sequences of 6144 tokens each that share no memory: with one unified cache, what a request is answered would
# depend on the requests before it.
_SLOTS = 2
_CONTEXT_TOKENS = 12288
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
                "the embedded model needs the package xllamacpp; install it with `pip install 'pytest-llmreplay[local]'`",
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
        params.verbosity = _SILENT
        # The library always opens a loopback port beside its in-process calls; a key that nobody knows shuts it.
        params.api_keys = [secrets.token_urlsafe(32)]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise InfrastructureError(
                f"the embedded model cannot be loaded from {model}: {error}", code="local_broken"
            ) from error

    def complete(self, prompt: str, limits: Generation, **constraint: Any) -> Completion:
        """Continue `prompt`.

        Args:
            prompt: plain text, used as it is.
            limits: bounds of the generation.
            constraint: `grammar` (GBNF), `json_schema` or `stop`, as llama.cpp's completion endpoint takes them.

        Raises:
            InfrastructureError: the prompt is longer than the context, or the engine refused the request.
        """
        reply: Mapping[str, Any] = self._server.handle_completions(
            {
                "prompt": prompt,
                "n_predict": limits.max_tokens,
                "temperature": limits.temperature,
                "seed": limits.seed,
                "cache_prompt": True,
                **constraint,
            }
        )
        if "error" in reply:
            raise _refusal(reply["error"])
        choice, usage = reply["choices"][0], reply["usage"]
        return Completion(
            text=choice["text"],
            finish_reason=choice["finish_reason"],
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
        )


def _refusal(error: Mapping[str, Any]) -> InfrastructureError:
    if error.get("type") == "exceed_context_size_error":
        return InfrastructureError(
            f"the request has {error.get('n_prompt_tokens')} tokens and the embedded model reads {error.get('n_ctx')}",
            code="context_exceeded",
        )
    return InfrastructureError(f"the embedded model refused the request: {error.get('message')}", code="local_refused")
