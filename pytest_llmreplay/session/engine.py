"""The engine: an event loop in a background thread that replays trials through a sliding window.

It is fed with the selected trials in their order, and each test waits for its own. The window bounds how many trials
are under way, and finished trials that no test has asked for yet are bounded too, so memory does not grow with the
number of cases.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from pytest_llmreplay.model.errors import NotRun
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.session.plan import PlannedTrial

# What is under way is paid for; a request ends within its time-out, which is a minute unless a variant says otherwise.
_SECONDS_TO_FINISH = 60.0
_RUN_AHEAD = 4
# Finished trials are handed out together: when none has finished for so long, and at the latest after so many looks.
# A test and the engine that both have work to do take turns at the interpreter's lock, which costs both of them.
_QUIET_S = 0.01
_LOOKS = 10


class Engine(Protocol):
    """What tests ask for finished trials."""

    def plan(self, trials: Sequence[PlannedTrial]) -> None:
        """Announce the selected trials, in order; a trial that several tests want is named as often."""
        ...

    def result(self, trial: PlannedTrial) -> Trial:
        """Wait for a trial; one that was not planned, or is far down the queue, is started next.

        Raises:
            NotRun: the engine was stopped before the trial started.
        """
        ...

    def close(self) -> None:
        """Start nothing more, let what is under way finish, and end."""
        ...


class LocalEngine:
    """The engine of this process.

    Args:
        run: replays one trial; never raises.
        window: most trials under way at once.
        commit: keeps what finished trials came to and returns what is handed out in their place; when it raises, so
            does asking for them.
        cleanup: called in the event loop at the end.
    """

    def __init__(
        self,
        run: Callable[[PlannedTrial], Awaitable[Trial]],
        *,
        window: int,
        commit: Callable[[Sequence[tuple[PlannedTrial, Trial]]], Sequence[Trial]],
        cleanup: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._run = run
        self._window = window
        self._most_unclaimed = window * _RUN_AHEAD
        self._commit = commit
        self._cleanup = cleanup
        self._queue: deque[PlannedTrial] = deque()
        self._urgent: deque[PlannedTrial] = deque()
        self._wanted_again: Counter[PlannedTrial] = Counter()
        self._jumped: set[PlannedTrial] = set()
        self._results: dict[PlannedTrial, Future[Trial]] = {}
        self._started: set[PlannedTrial] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: list[tuple[PlannedTrial, Trial]] = []
        self._waiting: list[Future[Trial]] = []
        self._unclaimed = 0
        self._stopping = False
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llmreplay-engine", daemon=True)
        self._thread.start()

    def plan(self, trials: Sequence[PlannedTrial]) -> None:
        """Announce the selected trials; they start at once."""
        with self._lock:
            for trial, wanted in Counter(trials).items():
                self._queue.append(trial)
                if wanted > 1:
                    self._wanted_again[trial] += wanted - 1
        self._loop.call_soon_threadsafe(self._fill)

    def result(self, trial: PlannedTrial) -> Trial:
        """Wait for a trial.

        Raises:
            NotRun: the engine was stopped before the trial started.
        """
        with self._lock:
            if self._stopping and trial not in self._results:
                raise NotRun("the run was stopped before this trial started", code="interrupted")
            future = self._results.setdefault(trial, Future())
            is_started = trial in self._started
            if not is_started:
                self._urgent.append(trial)
        if not is_started:
            self._loop.call_soon_threadsafe(self._fill)
        finished = future.result()
        self._claimed(trial)
        return finished

    def close(self) -> None:
        """Start nothing more, let what is under way finish for a short while, and end the thread."""
        if not self._thread.is_alive():
            return
        with self._lock:
            self._stopping = True
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def give_up(self) -> None:
        """Start nothing more and cancel what is under way."""
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            # A signal handler may be the caller, in a thread that holds the lock.
            self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        with self._lock:
            self._stopping = True
        for task in self._tasks:
            task.cancel()

    def _claimed(self, trial: PlannedTrial) -> None:
        resume = False
        with self._lock:
            if self._wanted_again[trial] > 0:
                self._wanted_again[trial] -= 1
            elif self._results.pop(trial, None) is not None:
                self._started.discard(trial)
                self._unclaimed -= 1
                # Where tests hold the engine up, it is woken for many trials at once and not for every one.
                resume = self._unclaimed == self._window // 2
        if resume:
            self._loop.call_soon_threadsafe(self._fill)

    def _fill(self) -> None:
        with self._lock:
            while not self._stopping and len(self._tasks) < self._window:
                trial = self._next()
                if trial is None:
                    return
                self._started.add(trial)
                self._unclaimed += 1
                self._results.setdefault(trial, Future())
                task = self._loop.create_task(self._work(trial))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def _next(self) -> PlannedTrial | None:
        while self._urgent:
            trial = self._urgent.popleft()
            if trial in self._results and trial not in self._started:
                self._jumped.add(trial)
                return trial
        while self._queue and self._unclaimed < self._most_unclaimed:
            trial = self._queue.popleft()
            if trial not in self._jumped:
                return trial
            self._jumped.discard(trial)
        return None

    async def _work(self, trial: PlannedTrial) -> None:
        future = self._results[trial]
        try:
            finished = await self._run(trial)
        except BaseException as error:
            future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        if not self._finished:
            self._loop.call_later(_QUIET_S, self._look, 1, _LOOKS)
        self._finished.append((trial, finished))
        self._waiting.append(future)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._fill()
        if not self._tasks:
            self._hand_out()

    def _look(self, seen: int, looks: int) -> None:
        if len(self._finished) == seen or looks == 0:
            self._hand_out()
        else:
            self._loop.call_later(_QUIET_S, self._look, len(self._finished), looks - 1)

    def _hand_out(self) -> None:
        if not self._finished:
            return
        finished, self._finished = self._finished, []
        waiting, self._waiting = self._waiting, []
        try:
            kept = self._commit(finished)
        except Exception as error:  # noqa: BLE001 (whatever it is, it belongs to whoever waits for these trials)
            for future in waiting:
                future.set_exception(error)
            return
        for future, trial in zip(waiting, kept, strict=True):
            future.set_result(trial)

    async def _finish(self) -> None:
        with self._lock:
            for trial, future in self._results.items():
                if trial not in self._started and not future.done():
                    future.set_exception(NotRun("the run was stopped before this trial started", code="interrupted"))
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=_SECONDS_TO_FINISH)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._hand_out()
        await self._cleanup()
