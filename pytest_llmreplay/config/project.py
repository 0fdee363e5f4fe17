"""The project: its root folder, found as pytest finds it, and the settings that its ini file holds."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError

_INI_SECTIONS = {
    "pytest.ini": "pytest",
    ".pytest.ini": "pytest",
    "tox.ini": "pytest",
    "setup.cfg": "tool:pytest",
}
_YES, _NO = ("1", "yes", "true", "on"), ("0", "no", "false", "off", "")


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder; `ini` holds the `llmreplay_*` keys of its pytest settings."""

    root: Path
    ini: Mapping[str, str | list[str]] = field(default_factory=dict)

    @property
    def golden(self) -> list[Path]:
        """Where the suites are: the ini key `llmreplay_golden`, or `golden/`."""
        return [self.root / part for part in self.ini_lines("llmreplay_golden")] or [self.root / "golden"]

    @property
    def configs(self) -> Path:
        """The folder of variants and the other files that people write."""
        return self.root / "configs"

    @property
    def state(self) -> Path:
        """The folder of runs and recordings."""
        return self.root / ".pytest_llmreplay"

    def ini_lines(self, key: str) -> list[str]:
        """What the settings say under a key, line by line; nothing where they do not say."""
        return _lines(self.ini.get(key))

    @property
    def approver_differs(self) -> bool:
        """Whether who promoted a case may not approve it: the ini key `llmreplay_approver_differs`.

        Raises:
            UserError: the key is neither yes nor no.
        """
        written: Any = self.ini.get("llmreplay_approver_differs", False)
        word = str(written).strip().lower()
        if word not in (*_YES, *_NO):
            raise UserError("is neither", key="llmreplay_approver_differs", value=written, allowed=["true", "false"])
        return word in _YES

    def relative(self, path: Path) -> str:
        """A path as it is shown and stored: relative to the project where it lies inside."""
        resolved = path.resolve()
        return resolved.relative_to(self.root).as_posix() if resolved.is_relative_to(self.root) else str(path)


def find_project(start: Path) -> Project:
    """The project around a folder: the nearest parent with pytest settings, else with a pyproject.toml, else itself.

    Raises:
        UserError: the settings file cannot be read.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        for settings in _pytest_settings(folder):
            return Project(folder, {key: value for key, value in settings.items() if key.startswith("llmreplay_")})
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").exists() or (folder / "setup.py").exists():
            return Project(folder)
    return Project(start)


def _pytest_settings(folder: Path) -> Iterator[Mapping[str, str | list[str]]]:
    for name in ("pytest.ini", ".pytest.ini"):
        if (folder / name).is_file():
            yield _ini_section(folder / name) or {}
    for name in ("pytest.toml", ".pytest.toml", "pyproject.toml"):
        if (folder / name).is_file():
            data = _toml(folder / name)
            for table in (data, data.get("tool", {})):
                if "pytest" in table:
                    yield table["pytest"].get("ini_options", table["pytest"])
    for name in ("tox.ini", "setup.cfg"):
        section = _ini_section(folder / name) if (folder / name).is_file() else None
        if section is not None:
            yield section


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}", file=str(path)) from error


def _ini_section(path: Path) -> Mapping[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error) as error:
        raise UserError(f"cannot be read: {error}", file=str(path)) from error
    section = _INI_SECTIONS[path.name]
    return dict(parser[section]) if parser.has_section(section) else None


def _lines(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [line.strip() for line in (value.splitlines() if isinstance(value, str) else value) if line.strip()]
