"""The plugin's options and ini keys, and the settings they add up to."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import pytest

RecordMode = Literal["none", "once", "new_episodes", "all"]
_DEFAULT_MAX_COST = "1"
NOBODY = "never"
"""In place of the judge's file: nobody judges."""

RECORD_MODES = ("none", "once", "new_episodes", "all")


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
        return self.root / ".pytest_llmreplay"

    @property
    def recordings(self) -> Path:
        """The project's own recordings."""
        return self.state / "recordings"


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and ini key."""
    group = parser.getgroup("llmreplay", "replay golden LLM conversations (pytest-llmreplay)")
    group.addoption(
        "--llmreplay-variant",
        metavar="PATH",
        action="append",
        help="A variant's YAML file; repeatable. Default: ini llmreplay_variants, else every variant in configs/.",
    )
    group.addoption(
        "--llmreplay-baseline",
        metavar="NAME",
        help="The variant that the others are compared with; its failures are expected (xfail).",
    )
    group.addoption("--llmreplay-trials", metavar="N", type=int, help="Replays of each case on each variant (1).")
    group.addoption(
        "--llmreplay-record",
        metavar="MODE",
        choices=RECORD_MODES,
        help="none: recordings only; once; new_episodes (default): ask for what is not recorded; all: ask always.",
    )
    group.addoption(
        "--llmreplay-max-cost", metavar="USD", type=float, help="Start no more requests once this is spent (1)."
    )
    group.addoption(
        "--llmreplay-max-tokens", metavar="N", type=int, help="Start no more requests once these are used (no limit)."
    )
    group.addoption(
        "--llmreplay-wait", metavar="TIME", help="How long to ask again after passing trouble, as in 90s or 20m (60s)."
    )
    group.addoption(
        "--llmreplay-cassettes",
        metavar="PATH",
        action="append",
        help="Cassettes to read (golden/cassettes); repeatable.",
    )
    group.addoption(
        "--llmreplay-resume",
        metavar="RUN",
        nargs="?",
        const="last",
        help="Go on with a run (default: the last): what it measured is kept, the rest is replayed.",
    )
    group.addoption(
        "--llmreplay-gate", metavar="FILE", help="Let this policy decide the exit code, such as configs/gate.yaml."
    )
    group.addoption(
        "--llmreplay-judge",
        metavar="FILE",
        help="Who judges cases with a rubric (configs/judge.yaml when it is there); never: nobody.",
    )
    group.addoption(
        "--llmreplay-plan", action="store_true", help="Say what would be sent and what it would cost; send nothing."
    )
    parser.addini("llmreplay_cassettes", "As --llmreplay-cassettes, from the root folder.", type="linelist")
    parser.addini("llmreplay_variants", "Variants to run, one path a line, from the root folder.", type="linelist")
    parser.addini("llmreplay_baseline", "As --llmreplay-baseline.", default="")
    parser.addini("llmreplay_gate", "As --llmreplay-gate, from the root folder.", default="")
    parser.addini("llmreplay_judge", "As --llmreplay-judge, from the root folder.", default="")
    parser.addini("llmreplay_trials", "As --llmreplay-trials.", default="1")
    parser.addini("llmreplay_record", "As --llmreplay-record.", default="new_episodes")
    parser.addini("llmreplay_max_cost", "As --llmreplay-max-cost.", default=_DEFAULT_MAX_COST)
    parser.addini("llmreplay_max_tokens", "As --llmreplay-max-tokens.", default="")
    parser.addini("llmreplay_wait", "As --llmreplay-wait.", default="60s")
    parser.addini("llmreplay_golden", "Suites for the fixture llmreplay_trial (golden).", type="linelist")
    parser.addini("llmreplay_environment", "Stubs for tools (configs/environment.yaml).", default="")
    parser.addini(
        "llmreplay_approver_differs", "Who promoted a case may not approve it (false).", type="bool", default=False
    )


def settings_from(config: pytest.Config) -> Settings:
    """Read the options; each one falls back to its ini key.

    Raises:
        pytest.UsageError: an option has a value that is not allowed.
    """
    root = config.rootpath
    given = config.getoption("--llmreplay-variant") or []
    variants = [_existing(Path(path), config.invocation_params.dir, root) for path in given]
    variants = variants or [root / path for path in config.getini("llmreplay_variants")]
    golden = [root / path for path in config.getini("llmreplay_golden")] or [root / "golden"]
    record = config.getoption("--llmreplay-record") or config.getini("llmreplay_record")
    if record not in RECORD_MODES:
        raise pytest.UsageError(f"llmreplay_record is '{record}'; allowed: {', '.join(RECORD_MODES)}")
    given_cassettes = config.getoption("--llmreplay-cassettes") or []
    cassettes = [_existing(Path(path), config.invocation_params.dir, root) for path in given_cassettes]
    cassettes = cassettes or [root / path for path in config.getini("llmreplay_cassettes")]
    budgets = ("--llmreplay-max-cost", "--llmreplay-max-tokens")
    return Settings(
        root=root,
        variants=tuple(variants),
        baseline=config.getoption("--llmreplay-baseline") or config.getini("llmreplay_baseline") or None,
        trials=int(_number(config, "trials", "a whole number from 1", least=1, whole=True) or 1),
        record=cast("RecordMode", record),
        golden=tuple(golden),
        max_cost_usd=_number(config, "max-cost", "US dollars, such as 2.5", least=0) or 0.0,
        max_tokens=_whole_or_none(_number(config, "max-tokens", "a whole number from 0", least=0, whole=True)),
        wait_s=_seconds(config.getoption("--llmreplay-wait") or config.getini("llmreplay_wait")),
        cassettes=tuple(cassettes or [root / "golden" / "cassettes"]),
        resume=config.getoption("--llmreplay-resume"),
        plan_only=config.getoption("--llmreplay-plan"),
        gate=_gate(config),
        judge=_judge(config),
        critical_first=any(config.getoption(name) is not None for name in budgets)
        or config.getini("llmreplay_max_cost") != _DEFAULT_MAX_COST
        or config.getini("llmreplay_max_tokens") != "",
        environment=root / (config.getini("llmreplay_environment") or "configs/environment.yaml"),
    )


def _gate(config: pytest.Config) -> Path | None:
    given = config.getoption("--llmreplay-gate")
    if given:
        return _existing(Path(given), config.invocation_params.dir, config.rootpath)
    written = config.getini("llmreplay_gate")
    return config.rootpath / written if written else None


def _judge(config: pytest.Config) -> Path | None:
    given, written = config.getoption("--llmreplay-judge"), config.getini("llmreplay_judge")
    if (given or written) == NOBODY:
        return None
    if given:
        return _existing(Path(given), config.invocation_params.dir, config.rootpath)
    usual = config.rootpath / "configs" / "judge.yaml"
    return config.rootpath / written if written else usual if usual.is_file() else None


def _existing(path: Path, *bases: Path) -> Path:
    """A path from the folder in which pytest was started, else from the root folder."""
    return next((base / path for base in bases if (base / path).exists()), bases[0] / path)


def _number(config: pytest.Config, name: str, allowed: str, *, least: float, whole: bool = False) -> float | None:
    given = config.getoption(f"--llmreplay-{name}")
    written = config.getini(f"llmreplay_{name.replace('-', '_')}") if given is None else given
    if written == "":
        return None
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not number >= least or (whole and number != int(number)):
        raise pytest.UsageError(f"--llmreplay-{name} is {written!r}; allowed: {allowed}")
    return number


def _whole_or_none(number: float | None) -> int | None:
    return None if number is None else int(number)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip())
    if match is None:
        raise pytest.UsageError(f"--llmreplay-wait is {text!r}; allowed: a time such as 90s, 20m or 1h")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2] or "s"]
