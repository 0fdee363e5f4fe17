"""Which way leads to a model: the embedded one, an OpenAI-compatible endpoint asked directly, or litellm."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pytest_llmreplay.config.references import fill_environment
from pytest_llmreplay.judge.judging import Abilities
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.ports import Provider
from pytest_llmreplay.model.variant import ModelTarget, Variant
from pytest_llmreplay.providers.prices import follows_schemas, listed_providers

if TYPE_CHECKING:
    from pytest_llmreplay.providers.litellm_process import LitellmProcess
    from pytest_llmreplay.session.options import Settings

Way = Literal["local", "openai", "litellm"]

_LOCAL = "local/"
_OPENAI = "openai"
# Prefixes with which litellm, too, speaks nothing but the OpenAI protocol to an `api_base`.
_COMPATIBLE = frozenset({_OPENAI, "custom_openai", "hosted_vllm", "litellm_proxy", "llamafile", "lm_studio", "vllm"})
_OPENAI_BASE = "https://api.openai.com/v1"


def way_to(target: ModelTarget) -> Way:
    """The way that a target takes: as `via` says, else the direct one where the endpoint speaks OpenAI's protocol."""
    if target.model.startswith(_LOCAL):
        return "local"
    if target.via is not None:
        return target.via
    prefix, slash, _ = target.model.partition("/")
    if prefix == _OPENAI and slash:
        return "openai"
    if target.api_base is None:
        return "litellm"
    return "openai" if prefix in _COMPATIBLE or not slash or prefix not in listed_providers() else "litellm"


def litellm_ahead(variants: Iterable[Variant], settings: Settings) -> LitellmProcess | None:
    """litellm, which imports for seconds, started while pytest collects if a request will surely need it; else None.

    Where anything is recorded, everything may be, so that nothing needs to be imported.
    """
    if settings.record == "none" or settings.plan_only:
        return None
    if not any(isinstance(v.target, ModelTarget) and way_to(v.target) == "litellm" for v in variants):
        return None
    from pytest_llmreplay.store.recordings import RecordingStore

    if settings.record != "all" and RecordingStore(settings.recordings, settings.cassettes).has_files:
        return None
    from pytest_llmreplay.providers.litellm_process import LitellmProcess

    process = LitellmProcess()
    process.start()
    return process


def build_provider(target: ModelTarget, litellm: LitellmProcess) -> Provider:
    """The way to a model; nothing is sent or loaded before the first request.

    Args:
        target: the model.
        litellm: where litellm works, for the models that are reached through it.

    Raises:
        UserError: an environment variable in `api_base` is not set, or there is no endpoint to ask directly.
    """
    way = way_to(target)
    if way == "local":
        from pytest_llmreplay.providers.local import LocalProvider

        return LocalProvider()
    api_base = None if target.api_base is None else fill_environment(target.api_base)
    if way == "litellm":
        from pytest_llmreplay.providers.litellm import LitellmProvider

        return LitellmProvider(target, api_base=api_base, process=litellm)
    from pytest_llmreplay.providers.openai import OpenAIProvider

    prefix, slash, name = target.model.partition("/")
    compatible = bool(slash) and prefix in _COMPATIBLE
    base = api_base or os.environ.get("OPENAI_BASE_URL") or (_OPENAI_BASE if prefix == _OPENAI else None)
    if base is None:
        raise UserError(f"'{target.model}' asked directly needs an endpoint", key="target.api_base")
    return OpenAIProvider(target, model=name if compatible else target.model, api_base=base)


def abilities_of(judge: Judge) -> Abilities:
    """What the way to a judge's model offers, as far as it is known without asking; `structured` in its file wins."""
    direct = way_to(judge.target) in ("local", "openai")
    structured = direct or follows_schemas(judge.target.model)
    return Abilities(structured if judge.structured is None else judge.structured, seed=direct)
