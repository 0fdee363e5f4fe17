"""Logs and caches for the tests of mining."""

import pytest

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces.write import write_conversations


@pytest.fixture
def caches(tmp_path):
    return Caches(tmp_path / "caches", 3600.0)


@pytest.fixture
def log(tmp_path):
    """Writes a canonical log; each conversation is what its user said, a list, answered with OK."""

    def write(said, name="log.parquet", **columns):
        path = tmp_path / name
        conversations = [
            Conversation(
                conversation_id,
                tuple(m for text in texts for m in (Message("user", text), Message("assistant", "OK"))),
                **{column: values[number] for column, values in columns.items()},
            )
            for number, (conversation_id, texts) in enumerate(said.items())
        ]
        write_conversations(path, conversations)
        return path

    return write
