"""What a session would send and what it would cost, worked out from the cases, before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.judge.prompt import verdict_prompt
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, tools_json, turns_of
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.variant import ModelTarget, TracesTarget, Variant
from pytest_llmreplay.providers.prices import cost_usd
from pytest_llmreplay.replay.turns import offered_tools
from pytest_llmreplay.session.judging import TrialJudge
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.session.session import ReplaySession
from pytest_llmreplay.store.cases import CaseFile

_CHARACTERS_A_TOKEN = 4
_SECONDS_A_CALL = 2.0
_TOKENS_A_CRITERION = 60


@dataclass(slots=True)
class Estimate:
    """Calls and tokens; `cost_usd` counts only what has a known price."""

    trials: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


def plan_text(planned: Sequence[PlannedTrial], session: ReplaySession) -> str:
    """A table by variant and severity, and what it stands on.

    A case is taken to need as many calls as its failing turn had in production, and answers as long as those; each
    case with a rubric is taken to be judged.

    Raises:
        UserError: a golden file or a rubric cannot be read.
    """
    estimates: dict[tuple[str, str], Estimate] = defaultdict(Estimate)
    files: dict[str, CaseFile] = {}
    unpriced: set[str] = set()
    minutes: dict[str, float] = defaultdict(float)
    judge = TrialJudge(None, session.power, session.settings.root, warn=lambda _: None)
    for trial in dict.fromkeys(planned):
        file = files.setdefault(trial.file, CaseFile(session.settings.root / trial.file))
        variant = session.variants[trial.variant]
        case = file.load(trial.row)
        calls = _add(estimates[trial.variant, trial.labels.severity or "-"], case, variant, unpriced)
        concurrency = getattr(variant.target, "max_concurrency", 1)
        minutes[trial.variant] += calls * _SECONDS_A_CALL / concurrency / 60
        rubric = judge.rubric_to_ask(case, trial.file) if "rubric" in case.expect else None
        if rubric is not None and judge.power.judge is not None:
            estimate = estimates[f"{trial.variant}, judge", trial.labels.severity or "-"]
            calls = _add_verdict(estimate, case, rubric, judge.power.judge, unpriced)
            minutes["judge"] += calls * _SECONDS_A_CALL / judge.power.judge.target.max_concurrency / 60
    rows = [
        [variant, severity, e.trials, e.calls, f"{e.input_tokens + e.output_tokens:,}", f"{e.cost_usd:.4f}"]
        for (variant, severity), e in sorted(estimates.items())
    ]
    total = sum(estimate.cost_usd for estimate in estimates.values())
    table = tabulate(rows, headers=["variant", "severity", "trials", "calls", "tokens", "USD"], disable_numparse=True)
    cost = f"{total:.4f} USD in all; the budget is {session.settings.max_cost_usd:g} USD."
    time = f"About {sum(minutes.values()):.1f} minutes at {_SECONDS_A_CALL:g} s a call."
    basis = f"Estimated at {_CHARACTERS_A_TOKEN} characters a token, with as many calls as production made."
    lines = [table, f"{cost} {time}", f"{basis} Recordings, which cost nothing, are not taken off."]
    lines += [f"The price of {model} is not known and counts 0." for model in sorted(unpriced)]
    return "\n".join([*lines, "Nothing was sent."])


def _add(estimate: Estimate, case: Case, variant: Variant, unpriced: set[str]) -> int:
    """Add one trial; the number of its calls."""
    estimate.trials += 1
    target = variant.target
    if isinstance(target, TracesTarget):
        return 0
    turns = turns_of(case.messages)
    chosen = turns if variant.replay.mode != "failing_turn" else turns[case.turn - 1 : case.turn]
    overhead = len(tools_json(offered_tools(variant, case) or ())) + len(variant.system_prompt or "")
    overhead += sum(_length(message) for message in variant.examples)
    total_calls = 0
    for turn in chosen:
        produced = [m for m in case.messages[turn.start : turn.stop] if m.role == "assistant"]
        calls = max(1, len(produced))
        total_calls += calls
        if isinstance(target, ModelTarget):
            history = sum(_length(message) for message in case.messages[: turn.start + 1])
            read = calls * (history + overhead) // _CHARACTERS_A_TOKEN
            written = max(1, sum(_length(message) for message in produced) // _CHARACTERS_A_TOKEN)
            _spend(estimate, target, read, written, unpriced)
    estimate.calls += total_calls
    return total_calls


def _add_verdict(estimate: Estimate, case: Case, rubric: Rubric, judge: Judge, unpriced: set[str]) -> int:
    """Add one verdict on what production did; the number of its calls."""
    turn = turns_of(case.messages)[case.turn - 1]
    produced = case.messages[turn.start + 1 : turn.stop]
    material = Material("".join(message.content or "" for message in produced), case.messages[: turn.start + 1])
    prompt = verdict_prompt(rubric, material.shown(rubric), None)
    read = judge.votes * (len(prompt.rules) + len(prompt.question)) // _CHARACTERS_A_TOKEN
    estimate.trials += 1
    estimate.calls += judge.votes
    _spend(estimate, judge.target, read, judge.votes * _TOKENS_A_CRITERION * len(rubric.criteria), unpriced)
    return judge.votes


def _spend(estimate: Estimate, target: ModelTarget, read: int, written: int, unpriced: set[str]) -> None:
    price = cost_usd(target.model, read, written, target.prices)
    if price is None and not target.model.startswith("local/"):
        unpriced.add(target.model)
    estimate.input_tokens += read
    estimate.output_tokens += written
    estimate.cost_usd += price or 0.0


def _length(message: Message) -> int:
    return len(message.content or "") + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
