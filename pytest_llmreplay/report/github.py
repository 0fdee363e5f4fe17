"""What GitHub Actions reads: workflow commands. Text of models never becomes one; see `fence`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_llmreplay.compare import Decision
from pytest_llmreplay.report.decision import by_severity
from pytest_llmreplay.report.text import one_line

_MOST_ANNOTATIONS = 10


def annotation_lines(decision: Decision, files: Mapping[str, str]) -> Iterator[str]:
    """A workflow command for the decision and one for each of the most severe red cases.

    GitHub shows at most ten errors of a step.

    Args:
        decision: what the gate decided.
        files: the golden file of a case, by case id.
    """
    if decision.decision == "pass":
        yield _command("notice", decision.sentence, title="llmreplay: pass")
        return
    level = "error" if decision.decision == "regression" else "warning"
    yield _command(level, f"{decision.rule}: {decision.sentence}", title=f"llmreplay: {decision.decision}")
    for item in by_severity(decision.red)[: _MOST_ANNOTATIONS - 1]:
        title = f"{item.severity or 'unrated'}: {item.case_id}"
        yield _command("error", item.message, title=title, file=files.get(item.case_id))


def _command(level: str, message: str, *, title: str, file: str | None = None) -> str:
    properties = {"title": title, **({"file": file} if file else {})}
    written = ",".join(f"{name}={_property(one_line(value, 200))}" for name, value in properties.items())
    return f"::{level} {written}::{_data(one_line(message, 500))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
