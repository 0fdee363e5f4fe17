"""The plugin's options and ini keys, and the settings they add up to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from pytest_llmreplay.providers.recorded import RecordMode

_STATE = ".pytest_llmreplay"
_DEFAULT_MAX_COST = "1"
NOBODY = "never"
"""In place of the judge's file: nobody judges."""

RECORD_MODES = ("none", "once", "new_episodes", "all")

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--llmreplay-variant": {
        "metavar": "PATH",
        "action": "append",
        "help": "A variant's YAML file; repeatable. Default: ini llmreplay_variants, else every variant in configs/.",
    },
    "--llmreplay-baseline": {
        "metavar": "NAME",
        "help": "The variant that the others are compared with; its failures are expected (xfail).",
    },
    "--llmreplay-trials": {"metavar": "N", "type": int, "help": "Replays of each case on each variant (1)."},
    "--llmreplay-record": {
        "metavar": "MODE",
        "choices": RECORD_MODES,
        "help": "none: recordings only; once; new_episodes (default): ask for what is not recorded; all: ask always.",
    },
    "--llmreplay-max-cost": {
        "metavar": "USD",
        "type": float,
        "help": "Start no more requests once this is spent (1).",
    },
    "--llmreplay-max-tokens": {
        "metavar": "N",
        "type": int,
        "help": "Start no more requests once these are used (no limit).",
    },
    "--llmreplay-wait": {
        "metavar": "TIME",
        "help": "How long to ask again after passing trouble, as in 90s or 20m (60s).",
    },
    "--llmreplay-cassettes": {
        "metavar": "PATH",
        "action": "append",
        "help": "Cassettes to read (golden/cassettes); repeatable.",
    },
    "--llmreplay-resume": {
        "metavar": "RUN",
        "nargs": "?",
        "const": "last",
        "help": "Go on with a run (default: the last): what it measured is kept, the rest is replayed.",
    },
    "--llmreplay-gate": {
        "metavar": "FILE",
        "help": "Let this policy decide the exit code, such as configs/gate.yaml.",
    },
    "--llmreplay-judge": {
        "metavar": "FILE",
        "help": "Who judges cases with a rubric (configs/judge.yaml when it is there); never: nobody.",
    },
    "--llmreplay-plan": {
        "action": "store_true",
        "help": "Say what would be sent and what it would cost; send nothing.",
    },
}

INI_KEYS: Mapping[str, Mapping[str, Any]] = {
    "llmreplay_cassettes": {"help": "As --llmreplay-cassettes, from the root folder.", "type": "linelist"},
    "llmreplay_variants": {"help": "Variants to run, one path a line, from the root folder.", "type": "linelist"},
    "llmreplay_baseline": {"help": "As --llmreplay-baseline.", "default": ""},
    "llmreplay_gate": {"help": "As --llmreplay-gate, from the root folder.", "default": ""},
    "llmreplay_judge": {"help": "As --llmreplay-judge, from the root folder.", "default": ""},
    "llmreplay_trials": {"help": "As --llmreplay-trials.", "default": "1"},
    "llmreplay_record": {"help": "As --llmreplay-record.", "default": "new_episodes"},
    "llmreplay_max_cost": {"help": "As --llmreplay-max-cost.", "default": _DEFAULT_MAX_COST},
    "llmreplay_max_tokens": {"help": "As --llmreplay-max-tokens.", "default": ""},
    "llmreplay_wait": {"help": "As --llmreplay-wait.", "default": "60s"},
    "llmreplay_golden": {"help": "Suites for the fixture llmreplay_trial (golden).", "type": "linelist"},
    "llmreplay_environment": {"help": "Stubs for tools (configs/environment.yaml).", "default": ""},
    "llmreplay_approver_differs": {
        "help": "Who promoted a case may not approve it (false).",
        "type": "bool",
        "default": False,
    },
}


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and ini key."""
    group = parser.getgroup("llmreplay", "replay golden LLM conversations (pytest-llmreplay)")
    for name, attributes in OPTIONS.items():
        group.addoption(name, **attributes)
    for name, attributes in INI_KEYS.items():
        parser.addini(name, **attributes)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session was asked to do.

    `variants` are YAML files; empty means every variant in `configs/`. `golden` are suites for the fixture. `wait_s` is
    how long a request may be asked again before it is given up. `cassettes` are read and never written. `resume` is the
    run to go on with. `plan_only` sends nothing. `critical_first` replays the gravest cases first. `gate` is the
    policy that decides. `judge` is the file of the judge; None when nobody judges.
    """

    root: Path
    variants: tuple[Path, ...]
    baseline: str | None
    trials: int
    record: RecordMode
    golden: tuple[Path, ...]
    environment: Path
    max_cost_usd: float
    max_tokens: int | None
    wait_s: float
    cassettes: tuple[Path, ...]
    resume: str | None
    plan_only: bool
    critical_first: bool
    gate: Path | None
    judge: Path | None

    @property
    def configs(self) -> Path:
        """The folder of variants."""
        return self.root / "configs"

    @property
    def accepted(self) -> Path:
        """The accepted baseline."""
        return self.root / "golden" / "baseline.parquet"

    @property
    def state(self) -> Path:
        """The folder of runs and recordings."""
        return self.root / _STATE

    @property
    def recordings(self) -> Path:
        """The project's own recordings."""
        return self.state / "recordings"


def state_of(config: pytest.Config) -> Path:
    """The folder of runs and recordings, whatever the options say."""
    return config.rootpath / _STATE


def settings_from(config: pytest.Config) -> Settings:
    """Read the options; each one falls back to its ini key.

    Raises:
        pytest.UsageError: an option has a value that is not allowed.
    """
    root = config.rootpath
    return Settings(
        root=root,
        variants=_paths(config, "variant", "variants"),
        baseline=config.getoption("--llmreplay-baseline") or config.getini("llmreplay_baseline") or None,
        trials=int(_number(config, "trials", "a whole number from 1", least=1, whole=True) or 1),
        record=_record(config),
        golden=tuple(root / path for path in config.getini("llmreplay_golden")) or (root / "golden",),
        max_cost_usd=_number(config, "max-cost", "US dollars, such as 2.5", least=0) or 0.0,
        max_tokens=_whole_or_none(_number(config, "max-tokens", "a whole number from 0", least=0, whole=True)),
        wait_s=_seconds(config.getoption("--llmreplay-wait") or config.getini("llmreplay_wait")),
        cassettes=_cassettes(config),
        resume=config.getoption("--llmreplay-resume"),
        plan_only=config.getoption("--llmreplay-plan"),
        gate=_path(config, "gate"),
        judge=_judge(config),
        critical_first=_budget_is_stated(config),
        environment=root / (config.getini("llmreplay_environment") or "configs/environment.yaml"),
    )


def _paths(config: pytest.Config, option: str, key: str) -> tuple[Path, ...]:
    given: list[str] = config.getoption(f"--llmreplay-{option}") or []
    written: list[str] = config.getini(f"llmreplay_{key}")
    return tuple(_existing(config, path) for path in given) or tuple(config.rootpath / path for path in written)


def _cassettes(config: pytest.Config) -> tuple[Path, ...]:
    paths = _paths(config, "cassettes", "cassettes")
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None and config.getoption("--llmreplay-cassettes"):
        raise pytest.UsageError(f"--llmreplay-cassettes is '{missing}', which does not exist")
    return paths or (config.rootpath / "golden" / "cassettes",)


def _path(config: pytest.Config, name: str) -> Path | None:
    given, written = config.getoption(f"--llmreplay-{name}"), config.getini(f"llmreplay_{name}")
    if given:
        return _existing(config, given)
    return config.rootpath / written if written else None


def _existing(config: pytest.Config, path: str) -> Path:
    """A path from the folder in which pytest was started, else from the root folder."""
    here, root = config.invocation_params.dir / path, config.rootpath / path
    return root if root.exists() and not here.exists() else here


def _judge(config: pytest.Config) -> Path | None:
    if (config.getoption("--llmreplay-judge") or config.getini("llmreplay_judge")) == NOBODY:
        return None
    usual = config.rootpath / "configs" / "judge.yaml"
    return _path(config, "judge") or (usual if usual.is_file() else None)


def _record(config: pytest.Config) -> RecordMode:
    mode = config.getoption("--llmreplay-record") or config.getini("llmreplay_record")
    if mode not in RECORD_MODES:
        raise pytest.UsageError(f"llmreplay_record is '{mode}'; allowed: {', '.join(RECORD_MODES)}")
    return cast("RecordMode", mode)


def _budget_is_stated(config: pytest.Config) -> bool:
    """Whether somebody set a budget, so that it may be used up before the last case."""
    given = (config.getoption("--llmreplay-max-cost"), config.getoption("--llmreplay-max-tokens"))
    return (
        any(budget is not None for budget in given)
        or config.getini("llmreplay_max_cost") != _DEFAULT_MAX_COST
        or config.getini("llmreplay_max_tokens") != ""
    )


def _number(config: pytest.Config, name: str, allowed: str, *, least: float, whole: bool = False) -> float | None:
    given = config.getoption(f"--llmreplay-{name}")
    written = config.getini(f"llmreplay_{name.replace('-', '_')}") if given is None else given
    if written == "":
        return None
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not number >= least or (whole and not number.is_integer()):
        raise pytest.UsageError(f"--llmreplay-{name} is {written!r}; allowed: {allowed}")
    return number


def _whole_or_none(number: float | None) -> int | None:
    return None if number is None else int(number)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip())
    if match is None:
        raise pytest.UsageError(f"--llmreplay-wait is {text!r}; allowed: a time such as 90s, 20m or 1h")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2] or "s"]
