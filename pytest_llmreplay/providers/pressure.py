"""Pressure on an endpoint: how many requests at once, how often to ask again, and when to stop asking."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider
from pytest_llmreplay.providers.budget import Budget

_PRESSURE_CODES = frozenset({"rate_limited", "overloaded"})
_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_FIRST_HOLD_S = 0.1
_LONGEST_HOLD_S = 10.0
_MINUTE = 60.0
_LOOK_UP_S = 0.5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, handed in so that tests own them."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    async def pause(self, seconds: float, check: Callable[[], None]) -> None:
        """Sleep so long, unless `check`, which is called every half second, raises."""
        until = self.now() + seconds
        while (left := until - self.now()) > 0:
            check()
            await self.sleep(min(left, _LOOK_UP_S))


class Patience:
    """How many seconds one trial has lost to passing trouble, in all its requests."""

    __slots__ = ("lost_s",)

    def __init__(self) -> None:
        self.lost_s = 0.0


_PATIENCE: ContextVar[Patience] = ContextVar("llmreplay_patience")


def begin_trial() -> None:
    """From here on the requests of this asyncio task share one deadline."""
    _PATIENCE.set(Patience())


@dataclass(frozen=True, slots=True)
class Spent:
    """What one request took: tokens, and US dollars as far as they are known."""

    tokens: int = 0
    cost_usd: float = 0.0


class Gate:
    """Lets requests through to one endpoint: additive increase, multiplicative decrease, and rates by the minute.

    Args:
        most: most requests at once.
        requests_per_minute: None for no limit.
        tokens_per_minute: None for no limit; counted when a reply says what it took.
        clock: time.
    """

    def __init__(
        self, most: int, *, requests_per_minute: float | None, tokens_per_minute: float | None, clock: Clock
    ) -> None:
        self._most = most
        self._limit = float(most)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lowered_at = float("-inf")
        self._refusals = 0
        self._refused_since: float | None = None
        self._refused_last = float("-inf")
        self._held_until = float("-inf")
        self._rates = [
            _Rate(allowed, clock) for allowed in (requests_per_minute, tokens_per_minute) if allowed is not None
        ]
        self._requests = self._rates[0] if requests_per_minute is not None else None
        self._tokens = self._rates[-1] if tokens_per_minute is not None else None
        self._clock = clock

    @property
    def limit(self) -> float:
        """How many requests may be under way now."""
        return self._limit

    @property
    def refused_for_s(self) -> float:
        """How many seconds lie between the first and the last of the refusals since the endpoint's last answer.

        Of refusals that a minute lies between, in which nothing was refused, only the later ones count.
        """
        return 0.0 if self._refused_since is None else self._refused_last - self._refused_since

    @asynccontextmanager
    async def enter(
        self, check: Callable[[], None] = lambda: None, check_held: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        """Wait for a place, hold it, give it back.

        Args:
            check: called during long waits; what it raises ends them.
            check_held: called too while the endpoint's refusals hold everything up.
        """

        def check_both() -> None:
            check()
            check_held()

        while self._under_way >= int(self._limit):
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self._under_way += 1
        try:
            while (pause := self._held_until - self._clock.now()) > 0:
                await self._clock.pause(pause, check_both)
            for rate in self._rates:
                await rate.wait(check)
            if self._requests is not None:
                self._requests.spend(1)
            yield
        finally:
            self._under_way -= 1
            self._wake()

    def succeeded(self, tokens: int) -> None:
        """A request got its answer: one more at once after every round of answers."""
        self._refusals = 0
        self._refused_since = None
        self._limit = min(self._most, self._limit + 1 / self._limit)
        if self._tokens is not None:
            self._tokens.spend(tokens)
        self._wake()

    def refused(self, sent_at: float) -> None:
        """The endpoint asked for less: half as many at once, and nothing for a moment that doubles while it refuses.

        Refusals of requests that were sent before that count once.
        """
        now = self._clock.now()
        if self._refused_since is None or now - self._refused_last > _MINUTE:
            self._refused_since = now
        self._refused_last = now
        if sent_at > self._lowered_at:
            self._limit = max(1.0, self._limit / 2)
            self._lowered_at = self._clock.now()
            self._held_until = self._lowered_at + min(_LONGEST_HOLD_S, _FIRST_HOLD_S * 2.0**self._refusals)
            self._refusals += 1

    def _wake(self) -> None:
        free = int(self._limit) - self._under_way
        while free > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                free -= 1


class _Rate:
    """So much a minute, over a sliding minute."""

    def __init__(self, allowed: float, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock
        self._spent: deque[tuple[float, float]] = deque()
        self._total = 0.0

    async def wait(self, check: Callable[[], None]) -> None:
        while True:
            now = self._clock.now()
            while self._spent and self._spent[0][0] <= now - _MINUTE:
                self._total -= self._spent.popleft()[1]
            if self._total < self._allowed:
                return
            await self._clock.pause(self._spent[0][0] + _MINUTE - now, check)

    def spend(self, amount: float) -> None:
        self._spent.append((self._clock.now(), amount))
        self._total += amount


class Pressure:
    """Sends through a gate, again after passing trouble, and not beyond the budget.

    Args:
        gate: shared by all who use the endpoint.
        budget: shared by the whole run.
        wait_s: how many seconds a trial may lose to passing trouble before it is given up. They count from a request's
            first trouble, so that one that got no answer in time is asked again, and add up over a trial's requests. An
            endpoint that has refused everything for as long is not waited for by each trial in turn.
        clock: time and chance.
    """

    def __init__(self, gate: Gate, budget: Budget, *, wait_s: float, clock: Clock | None = None) -> None:
        self._gate = gate
        self._budget = budget
        self._wait_s = wait_s
        self._clock = clock or Clock()

    async def send(self, ask: Callable[[], Awaitable[T]], spent: Callable[[T], Spent]) -> T:
        """Ask until there is an answer, the trouble is final, or the time is up.

        Args:
            ask: sends one request.
            spent: what an answer took.

        Raises:
            InfrastructureError: there is no answer; the message says how often it was asked.
            NotRun: the budget is used up, or the run was stopped.
        """
        started = self._clock.now()
        patience = _PATIENCE.get(None) or Patience()
        attempt = 0
        while True:
            attempt += 1
            sent_at = self._clock.now()
            try:
                return await self._once(ask, spent)
            except InfrastructureError as error:
                if not error.retryable:
                    raise
                pause = error.retry_after or self._backoff(attempt)
                patience.lost_s += pause + (self._clock.now() - sent_at if attempt > 1 else 0.0)
                given_up = error.code in _PRESSURE_CODES and self._is_refused_for_long
                if patience.lost_s > self._wait_s or given_up:
                    raise InfrastructureError(
                        f"{error} (asked {attempt} times in {self._clock.now() - started:.1f} s)", code=error.code
                    ) from error
                await self._clock.pause(pause, self._budget.check)

    @property
    def _is_refused_for_long(self) -> bool:
        return self._gate.refused_for_s > self._wait_s

    def _check_held(self) -> None:
        if self._is_refused_for_long:
            raise InfrastructureError(
                f"given up: the endpoint has refused every request for {self._gate.refused_for_s:.1f} s",
                code="overloaded",
            )

    async def _once(self, ask: Callable[[], Awaitable[T]], spent: Callable[[T], Spent]) -> T:
        async with self._gate.enter(self._budget.check, self._check_held):
            self._budget.check()
            sent_at = self._clock.now()
            try:
                reply = await ask()
            except InfrastructureError as error:
                if error.code in _PRESSURE_CODES:
                    self._gate.refused(sent_at)
                if isinstance(error, AccessDenied):
                    self._budget.stop(f"the run was stopped: {error}", code="access_denied")
                raise
            took = spent(reply)
            self._gate.succeeded(took.tokens)
            self._budget.spend(tokens=took.tokens, cost_usd=took.cost_usd)
        # Answers come in bunches. Whoever waits at the gate sends first, and what this answer is good for is worked out
        # while the endpoint works on the next ones.
        await asyncio.sleep(0)
        return reply

    def _backoff(self, attempt: int) -> float:
        """Exponential backoff with full jitter."""
        ceiling = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 16))
        return ceiling * self._clock.random()


class PressedProvider:
    """A provider that is asked under pressure.

    Args:
        provider: the way to the model.
        pressure: the pressure on its endpoint.
        on_unpriced: told why a request counts 0 towards the budget, every time.
    """

    def __init__(self, provider: Provider, pressure: Pressure, on_unpriced: Callable[[str], None]) -> None:
        self._provider = provider
        self._pressure = pressure
        self._on_unpriced = on_unpriced

    @property
    def identity(self) -> str:
        """The identity of the provider behind."""
        return self._provider.identity

    async def complete(self, request: ModelRequest, *, trial: int) -> ModelReply:
        """Ask the model, if need be more than once.

        Raises:
            InfrastructureError: there is no answer.
            NotRun: the budget is used up, or the run was stopped.
        """
        reply = await self._pressure.send(lambda: self._provider.complete(request, trial=trial), _spent)
        if reply.cost_usd is None:
            known = reply.input_tokens is not None and reply.output_tokens is not None
            self._on_unpriced("its price is not known" if known else "it does not say how many tokens it took")
        return reply

    async def close(self) -> None:
        """Close the provider behind."""
        await self._provider.close()


def _spent(reply: ModelReply) -> Spent:
    return Spent((reply.input_tokens or 0) + (reply.output_tokens or 0), reply.cost_usd or 0.0)
