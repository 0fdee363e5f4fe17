"""A log as target: the answer is looked up, nothing is called."""

from __future__ import annotations

from collections.abc import Callable

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation, calls_of, turns_of
from pytest_llmreplay.model.errors import InfrastructureError, Unmeasurable, UserError
from pytest_llmreplay.model.ports import ConversationLog
from pytest_llmreplay.model.trajectory import Trajectory, TurnReplay, Usage
from pytest_llmreplay.model.variant import TracesTarget
from pytest_llmreplay.replay.divergence import first_divergence


class TracesReplayer:
    """Replays a case by looking up what another version answered.

    Args:
        config: the variant's target.
        log: the log, opened on the column that joins it to the cases.
        redact: redacts what was looked up as the case was, so that equal values compare equal.
    """

    def __init__(
        self,
        config: TracesTarget,
        log: ConversationLog,
        redact: Callable[[Conversation, Case], Conversation] = lambda conversation, _case: conversation,
    ) -> None:
        self._config = config
        self._log = log
        self._redact = redact

    async def replay(self, case: Case, trial: int) -> Trajectory:
        """The logged conversation that belongs to the case.

        Raises:
            InfrastructureError: more than one row of the log fits.
            Unmeasurable: the case has no value to join on, or the log has no such conversation or turn.
        """
        key = self._join_value(case)
        try:
            conversation = self._log.lookup(key, trial)
        except UserError as error:
            raise InfrastructureError(str(error), code="ambiguous_row") from error
        if conversation is None:
            raise Unmeasurable(
                f"{self._config.logs} has no row with {self._config.on} = {key!r} for trial {trial}", code="not_in_log"
            )
        return _trajectory(case, self._redact(conversation, case))

    async def close(self) -> None:
        """Nothing is held."""

    def _join_value(self, case: Case) -> str:
        column = self._config.on
        value = case.provenance.trace_id if column == "conversation_id" else case.metadata.get(column)
        if value is None:
            raise Unmeasurable(f"the case has no '{column}' in its metadata to join the log on", code="no_join_value")
        return str(value)


def _trajectory(case: Case, conversation: Conversation) -> Trajectory:
    messages = conversation.messages
    replays = tuple(
        TurnReplay(turn.number, messages[: turn.start + 1], messages[turn.start + 1 : turn.stop])
        for turn in turns_of(messages)
    )
    before = messages[: len(messages) if not replays else len(replays[0].history)]
    recorded_turns = len(turns_of(case.messages))
    return Trajectory(
        turns=replays,
        failing_turn=case.turn,
        recorded_calls=calls_of(before),
        usage=Usage(
            steps=sum(message.role == "assistant" for message in messages),
            input_tokens=conversation.input_tokens,
            output_tokens=conversation.output_tokens,
            cost_usd=conversation.cost_usd,
            latency_s=conversation.latency_s,
        ),
        divergence=first_divergence(case, [replay for replay in replays if replay.number <= recorded_turns]),
    )
