"""Comparisons and hostile outcomes, written short."""

import datetime as dt

from pytest_llmreplay.compare import GatePolicy, compare_outcomes, decide
from tests.compare.build import rows

TODAY = dt.date(2026, 3, 6)
CONTROL = {"kind": "control", "case_status": "fixed"}
SCRIPT = "</script><script>document.title='owned'</script>"
EVIL = (
    f"{SCRIPT}<img src=x onerror=\"document.title='owned'\"><a href=\"javascript:document.title='owned'\">x</a>"
    "<!-- --><style>body{display:none}</style>\x1b[31m\x07\u202egnp.exe\u2066 {{7*7}} ${7*7} | `code` @octocat #1 "
    "\ud800 \x00 ::error::x [l](javascript:alert(1)) https://evil.example"
)


def compared(made, **options):
    return compare_outcomes(made, baseline="v1", candidate="v2", **options)


def decided(comparison, **policy):
    return decide(GatePolicy(**policy), comparison, today=TODAY)


def hostile_rows():
    """One case in which everything that a model or a log can write is hostile, and one ordinary case."""
    columns = {
        **CONTROL,
        "severity": "critical",
        "intent": EVIL,
        "tags": [EVIL],
        "reasons": [{"check": EVIL, "code": EVIL, "message": EVIL, "expected": EVIL, "actual": EVIL, "path": EVIL}],
        "calls": [[EVIL, '{"a": "</script>", "b": ' + "[" * 500], ["search", f'{{"q": "{"x" * 10}"}}']],
        "answer": EVIL + "A" * 1_000_000,
        "divergence": {"turn": 1, "step": 1, "recorded": EVIL, "actual": EVIL},
        "cost_usd": 0.01,
        "latency_s": 1.5,
    }
    return rows({f"evil {EVIL}": ("PP", "FF", columns), "calm": ("PP", "PP", CONTROL)})


def many_red(count, message="wrong"):
    """A comparison with this many red cases, of all severities."""
    severities = ("low", "medium", "high", "critical")
    return compared(
        rows(
            {
                f"case-{i:05}": (
                    "P",
                    "F",
                    {**CONTROL, "severity": severities[i % 4], "reasons": [{"message": message}]},
                )
                for i in range(count)
            }
        )
    )
