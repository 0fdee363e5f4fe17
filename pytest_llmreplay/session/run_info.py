"""What a run says of itself: what produced it, without credentials and personal data."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.variant import CallableTarget, ModelTarget, Variant
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.session.power import Power
from pytest_llmreplay.session.ways import way_to

_NAMED_PACKAGES = ("pytest-llmreplay", "pytest", "litellm", "pyarrow", "aiohttp", "xllamacpp")


def run_info(
    settings: Settings, variants: Mapping[str, Variant], environment_digest: str, power: Power
) -> dict[str, Any]:
    """What produced a run: versions, digests, the git commit. No credentials, no personal data."""
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "baseline": settings.baseline,
        "trials": settings.trials,
        "record": settings.record,
        "variants": {name: _variant_info(variant, settings.root) for name, variant in variants.items()},
        "environment_digest": environment_digest,
        "judge": _judge_info(settings, power),
        "versions": {"python": platform.python_version(), **_versions()},
        "git_commit": _git_commit(settings.root),
        "ci": bool(os.environ.get("CI")),
    }


def _judge_info(settings: Settings, power: Power) -> dict[str, Any] | None:
    """What a run says of its judge; None when nobody judges."""
    if power.judge is None or settings.judge is None:
        return None
    return {
        "file": _shown(settings.judge, settings.root),
        "digest": power.judge.digest,
        "model": power.judge.target.model,
        "via": way_to(power.judge.target),
        "when": power.judge.when,
        "votes": power.judge.votes,
        "scoring": power.judge.scoring,
    }


def _variant_info(variant: Variant, root: Path) -> dict[str, Any]:
    target = variant.target
    return {
        "file": _shown(Path(variant.file), root),
        "digest": variant.digest,
        "target": target.type,
        "model": getattr(target, "model", None),
        "via": way_to(target) if isinstance(target, ModelTarget) else None,
        "function": target.function if isinstance(target, CallableTarget) else None,
    }


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _versions() -> dict[str, str]:
    found = {}
    for name in _NAMED_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git_commit(root: Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 (git is found where the user has it)
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
