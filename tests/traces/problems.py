"""What the readers report, collected."""

from collections.abc import Iterator

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces import ReadProblem, read_conversations


def read(*paths: object, **options: object) -> tuple[list[Conversation], list[ReadProblem]]:
    """All conversations and all problems."""
    problems: list[ReadProblem] = []
    conversations: Iterator[Conversation] = read_conversations(
        [str(p) for p in paths], on_problem=problems.append, **options
    )
    return list(conversations), problems
