"""The key of the pseudonyms: it lies with the user and never in a project."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from pytest_llmreplay.model.errors import UserError

KEY_VARIABLE = "PYTEST_LLMREPLAY_REDACTION_KEY"
_SHORTEST = 16


def redaction_key(environ: Mapping[str, str] | None = None) -> bytes:
    """The key: the environment variable, else the file in the user's configuration folder, made when it is missing.

    Raises:
        UserError: the key is too short, others may read its file, or the file cannot be read or made.
    """
    environ = os.environ if environ is None else environ
    given = environ.get(KEY_VARIABLE)
    if given is not None:
        return _checked(given, f"the environment variable {KEY_VARIABLE}")
    path = key_path(environ)
    try:
        _make(path)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UserError("others may read the redaction key", file=str(path), fix=f"chmod 600 {path}")
        return _checked(path.read_text(encoding="ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        fix = f"or set {KEY_VARIABLE}"
        raise UserError(f"the redaction key cannot be read or made: {error}", file=str(path), fix=fix) from error


def key_path(environ: Mapping[str, str]) -> Path:
    """The file of the key."""
    folder = environ.get("XDG_CONFIG_HOME") or (environ.get("APPDATA") if os.name == "nt" else None)
    return (Path(folder) if folder else Path.home() / ".config") / "pytest-llmreplay" / "redaction.key"


def _make(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        # A link is made only where there is no file yet, so that two first promotions at once share one key.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _checked(key: str, where: str) -> bytes:
    if len(key) < _SHORTEST:
        raise UserError(f"{where}: the redaction key is shorter than {_SHORTEST} characters")
    return key.encode("utf-8", "surrogateescape")
