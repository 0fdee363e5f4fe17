import pytest

from pytest_llmreplay.compare import compare_many
from pytest_llmreplay.model.outcome import Outcome, Reason
from pytest_llmreplay.report.comparison import comparison_text, comparisons_text
from pytest_llmreplay.report.decision import decision_text
from pytest_llmreplay.report.paint import Screen
from pytest_llmreplay.report.summary import RunSummary
from tests.compare.build import many, rows
from tests.report.made import CONTROL, compared, decided, hostile_rows, many_red

PLAIN = Screen()


def busy():
    """Every part of the summary at once: slices, several trials, figures, many causes."""
    cases = {}
    for i in range(60):
        columns = {
            **CONTROL,
            "severity": ("high", "low")[i % 2],
            "intent": f"intent {i % 12}",
            "reasons": [{"check": "calls", "code": f"code_{i % 10}", "message": "wrong"}],
            "cost_usd": 0.01,
            "latency_s": 1.0,
            "tokens": 100,
        }
        cases[f"case-{i:02}"] = ("PPP", "FFP" if i % 3 == 0 else "PPP", columns)
    return compared(rows(cases))


def test_the_summary_is_a_screen_at_most_and_says_what_it_leaves_out():
    text = comparison_text(busy(), PLAIN)
    assert len(text.splitlines()) <= 45
    assert "more slices; -v shows all" in text
    assert len(comparison_text(busy(), Screen(verbosity=1)).splitlines()) > 45
    assert len(comparison_text(busy(), Screen(verbosity=-1)).splitlines()) <= 8


def test_the_worst_slice_stands_first():
    comparison = compared(
        rows(
            {
                **{f"a{i}": ("P", "P", {"severity": "low"}) for i in range(5)},
                **{f"b{i}": ("P", "F", {"severity": "critical"}) for i in range(5)},
            }
        )
    )
    text = comparison_text(comparison, PLAIN)
    assert text.index("severity critical") < text.index("severity low")


def test_every_figure_on_screen_is_one_of_the_comparison():
    comparison = compared(many(both_pass=20, fixed=2, regressed=9))
    text = comparison_text(comparison, PLAIN)
    low, high = comparison.interval
    assert f"{100 * comparison.difference:+.1f}" in text
    assert f"{100 * low:+.1f} to {100 * high:+.1f}" in text
    assert f"{comparison.p_value:.3f}" in text
    assert "fixed 2   regressed 9   both pass 20" in text


def test_colour_comes_only_where_it_is_asked_for():
    comparison = compared(many(both_pass=2, regressed=9))
    assert "\x1b[" not in comparison_text(comparison, PLAIN)
    assert "\x1b[31m" in comparison_text(comparison, Screen(colour=True))


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_hostile_text_is_shown_and_does_nothing(width, verbosity):
    comparison = compared(hostile_rows())
    screen = Screen(width=width, verbosity=verbosity)
    shown = comparison_text(comparison, screen) + decision_text(decided(comparison), {}, screen)
    assert not {"\x1b", "\x07", "\x00", "\u202e", "\u2066", "\ud800"} & set(shown)
    assert len(shown) < 50_000
    shown.encode("utf-8")


def test_several_candidates_begin_with_a_table():
    made = [*many(both_pass=6), *(r for r in rows({"pp000": ("P", "F")}, candidate="v3") if r["variant"] == "v3")]
    text = comparisons_text(compare_many(made, baseline="v1"), PLAIN)
    assert text.startswith("v1 (pass rate 100.0%) against 2 candidates")
    assert text.index("No variant is significantly better") < text.index("v1 -> v2")


def test_the_red_list_is_sorted_by_severity_and_holds_whole_commands():
    comparison = many_red(30)
    command = "pytest " + "x" * 300
    text = decision_text(decided(comparison), {"case-00003": command}, PLAIN)
    assert text.index("critical case-00003") < text.index("high case-00002")
    assert command in text
    assert "(+20 red cases; -v shows all)" in text
    assert "red cases; -v" not in decision_text(decided(comparison), {}, Screen(verbosity=1))


@pytest.mark.parametrize(
    ("outcomes", "head"),
    [(("P", "P"), "GATE: PASS"), (("P", "F"), "GATE: REGRESSION"), (("P", "E"), "GATE: UNMEASURABLE")],
)
def test_the_head_says_the_decision_in_a_word(outcomes, head):
    text = decision_text(decided(compared(rows({"a": (*outcomes, CONTROL), "b": ("P", "P", CONTROL)}))), {}, PLAIN)
    assert text.startswith(head)


def summarised(screen, count=30):
    made = [
        Outcome(
            f"case-{number:02}", variant, 1, "passed" if variant == "v1" else "failed", kind="control",
            case_status="fixed", reasons=(Reason("calls", f"code_{number % 12}", "wrong " * 30),), steps=1,
            latency_s=1.0, cost_usd=0.01, input_tokens=1000, output_tokens=10, live_share=1.0,
        )
        for number in range(count) for variant in ("v1", "v2")
    ]  # fmt: skip
    summary = RunSummary("v1")
    for outcome in made:
        summary.add(outcome)
    return summary.text(["v1", "v2"], screen, made)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_summary_of_a_run_fits_its_screen(width):
    lines = summarised(Screen(width=width)).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= 45
    assert "(+20 more; -v shows all)" in lines[-1]


def test_a_wide_screen_shows_all_figures_of_a_run_and_a_narrow_one_keeps_what_came_of_it():
    wide, narrow = (" ".join(summarised(Screen(width=w)).splitlines()[0].split()) for w in (120, 60))
    assert narrow == "variant passed failed error unmeasured not run"
    assert wide == f"{narrow} latency tokens USD live"


def test_a_quiet_run_says_less_and_a_verbose_one_all():
    quiet, verbose = summarised(Screen(verbosity=-1)), summarised(Screen(verbosity=1))
    assert "What changed, by cause" not in quiet
    assert "regressed 30" in quiet
    assert verbose.count("(control): code_") == 30


def test_columns_stand_below_each_other_whatever_the_script():
    lines = PLAIN.table([["退款", "1"], ["refund", "22"], ["возврат", "3"]], ["intent", "count"]).splitlines()
    assert {sum(2 if ord(letter) > 0x2E80 else 1 for letter in line) for line in lines} == {len(lines[0])}
