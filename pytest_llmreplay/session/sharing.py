"""One engine for all xdist workers: it runs in the controller, and workers ask over an authenticated local socket.

Each worker announces the trials that it collected; all collect the same, so the first announcement is the plan.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from pytest_llmreplay.model.errors import LlmReplayError
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.session.engine import Engine
from pytest_llmreplay.session.plan import PlannedTrial


class EngineServer:
    """Answers workers in the controller.

    Args:
        start: starts the engine; called once, when the first worker announces its trials.
    """

    def __init__(self, start: Callable[[], Engine]) -> None:
        self._start = start
        self._key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1", 0), authkey=self._key)
        self._engine: Engine | None = None
        self._planned = False
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="llmreplay-server", daemon=True).start()

    @property
    def address(self) -> dict[str, Any]:
        """What a worker needs to connect, as plain data."""
        host, port = self._listener.address
        return {"host": host, "port": port, "key": self._key.hex()}

    def close(self) -> None:
        """Accept no more workers."""
        self._stopped.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                if self._stopped.is_set():
                    return
                continue
            threading.Thread(target=self._serve, args=(connection,), name="llmreplay-worker", daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        with connection, contextlib.suppress(EOFError, OSError):
            while True:
                operation, value = connection.recv()
                connection.send(self._answer(operation, value))

    def _answer(self, operation: str, value: Any) -> Any:
        try:
            if operation == "plan":
                self._plan(value)
                return None
            return self._started().result(value)
        except LlmReplayError as error:
            return error

    def _plan(self, trials: Sequence[PlannedTrial]) -> None:
        engine = self._started()
        with self._lock:
            if self._planned:
                return
            self._planned = True
        engine.plan(trials)

    def _started(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._start()
            return self._engine


class RemoteEngine:
    """The controller's engine, as a worker sees it."""

    def __init__(self, address: dict[str, Any]) -> None:
        self._connection = Client((address["host"], address["port"]), authkey=bytes.fromhex(address["key"]))

    def plan(self, trials: Sequence[PlannedTrial]) -> None:
        """Announce what this worker collected.

        Raises:
            UserError: the controller cannot set up a target.
        """
        self._ask("plan", list(trials))

    def result(self, trial: PlannedTrial) -> Trial:
        """Wait for a trial.

        Raises:
            NotRun: the run was stopped first.
        """
        finished: Trial = self._ask("result", trial)
        return finished

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, operation: str, value: Any) -> Any:
        self._connection.send((operation, value))
        answer = self._connection.recv()
        if isinstance(answer, LlmReplayError):
            raise answer
        return answer
