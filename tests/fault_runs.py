"""Whole pytest runs against an endpoint in trouble: `tests/session` runs slices, `benchmarks/faults.py` the full size."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.cases import write_cases
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore
from tests.loopback import FaultyModel, StormyModel, serving

WINDOW = 20
FAULTS = {"500": 0.025, "429": 0.025, "slow": 0.02, "reset": 0.01, "cut": 0.01, "no JSON": 0.01, "malformed": 0.02}
VARIANT = ("golden", "--llmreplay-variant", "configs/m.yaml")
# hypothesis loads itself into every pytest that has it, which is most of what such a run would cost.
QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")


@dataclass(frozen=True)
class Matrix:
    """What a run with faults came to beside one without; every field but the first three is 0 when all is well."""

    requests: int
    most_at_once: int
    malformed: int
    lost: int
    doubled: int
    changed: int
    paid_twice: int


@dataclass(frozen=True)
class Kills:
    """What a run that was killed and resumed over and over came to.

    `in_flight` are the requests whose answers were not kept when a kill came, in all; `most_in_flight` at one kill.
    """

    kills: int
    lost: int
    requests: int
    in_flight: int
    most_in_flight: int


@dataclass(frozen=True)
class Storm:
    """How often a storm of refusals was asked, by its parts, and how many cases did not pass in the end."""

    by_half_second: tuple[int, ...]
    not_passed: int


def fault_cases(count: int, failing_every: int = 0) -> list[Case]:
    """Cases of one tool call each; every so manieth expects arguments that the model never writes."""
    return [
        Case(
            case_id=f"case-{i:04d}", suite="s", kind="incident", status="fixed", turn=1,
            tools=(Tool("order", effect="read"),),
            messages=(Message("user", f"number {i}: please order"),),
            expect={"calls": {"expected": [
                {"name": "order", "args": {"id": "1"} if failing_every and (i + 1) % failing_every == 0 else {}}
            ]}},
        )
        for i in range(count)
    ]  # fmt: skip


def write_project(root: Path, cases: Sequence[Case], url: str, extra: str = "") -> None:
    """A project with these cases and the variant `m`, which asks the endpoint; `extra` is said of its target."""
    write_cases(root / "golden" / "s.parquet", cases, replace=True)
    (root / "configs").mkdir(exist_ok=True)
    (root / "pytest.ini").write_text("[pytest]\n")
    write_variant(root, url, extra)


def write_variant(root: Path, url: str, extra: str = "") -> None:
    """The variant `m`, which asks the endpoint."""
    target = f"type: model, model: openai/m, api_base: '{url}/v1', max_concurrency: {WINDOW}{extra}"
    (root / "configs" / "m.yaml").write_text(f"kind: variant\nname: m\ntarget: {{{target}}}\n")


def start(root: Path, *arguments: str, prefix: Sequence[str] = (), **settings) -> subprocess.Popen[str]:
    """A pytest of its own in the project; `prefix` is a command that runs it, `settings` are those of `Popen`."""
    command = [*prefix, sys.executable, "-m", "pytest", *QUIET, *arguments]
    # Whoever runs the tests in the background has them ignore interrupts, and their children with them.
    settings.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)


def finish(process: subprocess.Popen[str], seconds: float = 300) -> str:
    """What it printed, once it has ended."""
    return process.communicate(timeout=seconds)[0]


def outcomes(root: Path, state: str = ".pytest_llmreplay") -> list[Outcome]:
    """Those of the last run."""
    return RunStore(Path(root) / state).load("last")[1]


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until it holds.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.005)


def fault_matrix(root: Path, count: int, faults: dict[str, float], *arguments: str, extra: str = "") -> Matrix:
    """Replay once without faults and once with them, from nothing each time, and compare outcome by outcome."""
    clean_root, root = root / "clean", root / "faulty"
    results = []
    for place, model in ((clean_root, FaultyModel()), (root, FaultyModel(faults=faults))):
        place.mkdir()
        with serving(model.routes()) as url:
            write_project(place, fault_cases(count, failing_every=10), url, extra)
            finish(start(place, *VARIANT, *arguments))
        results.append(outcomes(place))
    expected = {outcome.trial_id: _result(outcome) for outcome in results[0]}
    found = {outcome.trial_id: _result(outcome) for outcome in results[1]}
    malformed = [result for result in found.values() if result == ("failed", ("malformed_arguments",))]
    unlike = [trial for trial, result in found.items() if result != expected[trial] and result not in malformed]
    return Matrix(
        requests=model.requests,
        most_at_once=model.peak,
        malformed=len(malformed),
        lost=count - len(found),
        doubled=len(results[1]) - len(found),
        changed=len(unlike) + abs(model.malformed - len(malformed)),
        paid_twice=model.answered - count,
    )


def kill_and_resume(root: Path, count: int, kills: int, seed: int) -> Kills:
    """Kill the run at random moments, resume it each time, and let it end at last."""
    chance = random.Random(seed)
    model = FaultyModel(latency_s=0.05)
    resume: tuple[str, ...] = ()
    in_flight = [0]
    with serving(model.routes()) as url:
        write_project(root, fault_cases(count), url)
        for _ in range(kills):
            process = start(root, *VARIANT, *resume)
            enough = min(count, model.answered + chance.randint(1, max(2, 2 * count // kills)))
            wait_until(lambda enough=enough, process=process: model.answered >= enough or process.poll() is not None)
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
            finish(process)
            time.sleep(0.05)  # the endpoint reads what was sent before the kill
            in_flight.append(model.requests - len(RecordingStore(root / ".pytest_llmreplay" / "recordings")))
            resume = ("--llmreplay-resume",)
        finish(start(root, *VARIANT, *resume))
    results = {outcome.trial_id: outcome.status for outcome in outcomes(root)}
    lost = count - sum(status in ("passed", "failed") for status in results.values())
    most = max(after - before for before, after in pairwise(in_flight))
    return Kills(kills, lost, model.requests, in_flight[-1], most)


def ride_out_storm(root: Path, count: int, seconds: float) -> Storm:
    """Replay against an endpoint that refuses everything for some seconds."""
    model = StormyModel(seconds=seconds)
    with serving(model.routes()) as url:
        write_project(root, fault_cases(count), url)
        finish(start(root, *VARIANT))
    parts = tuple(model.in_part(i / 2, (i + 1) / 2) for i in range(int(seconds * 2)))
    return Storm(parts, count - sum(outcome.status == "passed" for outcome in outcomes(root)))


def _result(outcome: Outcome) -> tuple[str, tuple[str, ...]]:
    return outcome.status, tuple(sorted({reason.code for reason in outcome.reasons}))
