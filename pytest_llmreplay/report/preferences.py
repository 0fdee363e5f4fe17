"""What a judge preferred, case by case, for the terminal and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pytest_llmreplay.compare.significance import mcnemar_mid_p
from pytest_llmreplay.judge.pairs import Pair
from pytest_llmreplay.model.verdict import Preference, usage_of_all
from pytest_llmreplay.report.paint import Screen, most_of, plural
from pytest_llmreplay.report.text import one_line

_MOST_CASES = 20
_LONGEST_QUOTE = 120


def preferences_text(
    pairs: Sequence[Pair], baseline: str, candidate: str, left_out: Sequence[str], advisory: str | None, screen: Screen
) -> str:
    """The counts, a line a case, and what they are worth.

    Args:
        pairs: judged.
        baseline: the name of V1.
        candidate: the name of V2.
        left_out: why trials were left out.
        advisory: why the preferences say nothing reliable.
        screen: the terminal.
    """
    return "\n".join(_lines(pairs, baseline, candidate, left_out, advisory, screen))


def preferences_data(
    pairs: Sequence[Pair], baseline: str, candidate: str, left_out: Sequence[str], advisory: str | None
) -> dict[str, Any]:
    """Everything as plain data; arguments as for `preferences_text`."""
    found = [pair.preference for pair in pairs if pair.preference is not None]
    return {
        "baseline": baseline,
        "candidate": candidate,
        "judge": found[0].model if found else None,
        "judge_digest": found[0].judge_digest if found else None,
        "advisory": advisory,
        "counts": _counts(found),
        "inconsistent": _inconsistent(found),
        "p_value": _p_value(found),
        "usage": asdict(usage_of_all([preference.usage for preference in found])),
        "left_out": list(left_out),
        "cases": [
            {"case_id": pair.case_id, "trial": pair.trial, **_case_data(pair.preference)}
            for pair in pairs
            if pair.preference is not None
        ],
    }


def _case_data(preference: Preference) -> dict[str, Any]:
    return {
        "preferred": preference.preferred,
        "orders": list(preference.orders),
        "consistent": preference.consistent,
        "rubric_digest": preference.rubric_digest,
        "quotes": [asdict(quote) for quote in preference.quotes],
        "problem": preference.problem,
        "text": preference.text,
    }


def _lines(
    pairs: Sequence[Pair], baseline: str, candidate: str, left_out: Sequence[str], advisory: str | None, screen: Screen
) -> Iterator[str]:
    found = [pair.preference for pair in pairs if pair.preference is not None]
    counts = _counts(found)
    headers = [f"{candidate} preferred", f"{baseline} preferred", "tie", "unmeasured"]
    yield screen.table([["pairs", *(str(counts[side]) for side in counts)]], ["", *headers])
    yield ""
    yield screen.paragraph(
        f"{_inconsistent(found)} of the ties are pairs on which the two orders disagree. Were the variants alike, such "
        f"a split or a greater one would come about with p = {_p_value(found):.3f} (mid-p sign test)."
    )
    if advisory is not None:
        yield screen.paragraph(f"Advisory: on pairs, {advisory}.")
    yield ""
    named = {"candidate": candidate, "baseline": baseline, "tie": "tie", None: "unmeasured"}
    lines = [line for pair in pairs for line in _case_lines(pair, named, screen)]
    yield from lines if screen.verbosity > 0 else most_of(lines, _MOST_CASES)
    usage = usage_of_all([preference.usage for preference in found])
    cost = "cost not known" if usage.cost_usd is None else f"{usage.cost_usd:.4f} USD"
    yield ""
    yield f"judge {one_line(found[0].model)}: {plural(usage.calls, 'call')} ({usage.live_calls} live), {cost}"
    yield from (f"left out: {why}" for why in left_out)


def _case_lines(pair: Pair, named: dict[str | None, str], screen: Screen) -> Iterator[str]:
    preference = pair.preference
    if preference is None:
        return
    orders = "" if preference.consistent else f" ({' then '.join(named[side] for side in preference.orders)})"
    said = f": {preference.problem}" if preference.problem else ""
    yield screen.line(f"{pair.case_id}, trial {pair.trial}: {named[preference.preferred]}{orders}{said}")
    for quote in preference.quotes if screen.verbosity > 0 else ():
        flag = "" if quote.found else " (not in what the judge was shown)"
        yield screen.line(f"“{one_line(quote.text, _LONGEST_QUOTE)}”{flag}", "    ")


def _counts(found: Sequence[Preference]) -> dict[str, int]:
    counts = Counter(preference.preferred for preference in found)
    return {
        "candidate": counts["candidate"],
        "baseline": counts["baseline"],
        "tie": counts["tie"],
        "unmeasured": counts[None],
    }


def _inconsistent(found: Sequence[Preference]) -> int:
    return sum(preference.preferred == "tie" and not preference.consistent for preference in found)


def _p_value(found: Sequence[Preference]) -> float:
    counts = _counts(found)
    return mcnemar_mid_p(counts["candidate"], counts["baseline"])
