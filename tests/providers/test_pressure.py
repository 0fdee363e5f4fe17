import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.errors import InfrastructureError, NotRun
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.pressure import Clock, Gate, Pressure, Spent, begin_trial
from pytest_llmreplay.providers.trouble import clean_message, retry_after_seconds


class FakeClock:
    """Time that passes only when somebody sleeps; chance that always says one half."""

    def __init__(self):
        self.time = 0.0
        self.slept = []

    def clock(self):
        return Clock(now=lambda: self.time, sleep=self.sleep, random=lambda: 0.5)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def gate(most=50, clock=None, **rates):
    rates = {"requests_per_minute": None, "tokens_per_minute": None, **rates}
    return Gate(most, clock=clock or Clock(), **rates)


def send(answers, *, wait_s=60.0, budget=None, clock=None):
    """Ask until an answer that is no error comes; gives it and how often was asked."""
    fake = clock or FakeClock()
    pressure = Pressure(gate(clock=fake.clock()), budget or Budget(), wait_s=wait_s, clock=fake.clock())
    asked = []

    async def ask():
        asked.append(1)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asyncio.run(pressure.send(ask, lambda _: Spent(10, 0.25))), len(asked)


def moments(answers, **settings):
    """When it was asked, in seconds from the start."""
    fake = FakeClock()
    seen = []

    async def ask():
        seen.append(fake.time)
        answer = answers[min(len(seen), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    pressure = Pressure(gate(clock=fake.clock()), Budget(), wait_s=60.0, clock=fake.clock())
    asyncio.run(pressure.send(ask, lambda _: Spent()))
    return seen


def passing(retry_after=None, code="server_error"):
    return InfrastructureError("down", code=code, retryable=True, retry_after=retry_after)


def test_passing_trouble_is_asked_again_with_growing_pauses():
    assert moments([passing(), passing(), passing(), "yes"]) == [0, 0.25, 0.75, 1.75]


def test_retry_after_is_obeyed():
    assert moments([passing(retry_after=7.0), "yes"]) == [0, 7.0]


def test_a_server_that_asks_for_no_pause_is_not_asked_without_one():
    assert moments([passing(retry_after=0.0), passing(retry_after=0.0), "yes"]) == [0, 0.25, 0.75]


def test_a_request_without_an_answer_in_time_is_asked_again_with_the_time_out_as_long_as_the_wait():
    fake = FakeClock()
    asked = []

    async def ask():
        asked.append(fake.time)
        if len(asked) == 1:
            fake.time += 60
            raise InfrastructureError("no answer", code="timeout", retryable=True)
        return "yes"

    pressure = Pressure(gate(clock=fake.clock()), Budget(), wait_s=60.0, clock=fake.clock())
    assert asyncio.run(pressure.send(ask, lambda _: Spent())) == "yes"


def test_the_deadline_holds_for_all_requests_of_a_trial():
    """Each request is in trouble for 40 s: the first is waited for, and of the second only what is left of the 60."""
    fake = FakeClock()
    pressure = Pressure(gate(clock=fake.clock()), Budget(), wait_s=60.0, clock=fake.clock())

    async def request():
        first = fake.time

        async def ask():
            if fake.time < first + 40:
                raise passing(retry_after=5.0)
            return "yes"

        return await pressure.send(ask, lambda _: Spent())

    async def trial():
        begin_trial()
        assert await request() == "yes"
        with pytest.raises(InfrastructureError, match="down"):
            await request()

    asyncio.run(trial())
    assert 40 < fake.time <= 60


def test_a_stopped_run_ends_long_pauses():
    fake = FakeClock()
    budget = Budget()

    async def ask():
        budget.stop()
        raise passing(retry_after=50.0)

    pressure = Pressure(gate(clock=fake.clock()), budget, wait_s=60.0, clock=fake.clock())
    with pytest.raises(NotRun):
        asyncio.run(pressure.send(ask, lambda _: Spent()))
    assert fake.time < 1


def test_final_trouble_is_asked_once():
    with pytest.raises(InfrastructureError):
        send([InfrastructureError("no such model", code="not_found"), "never"])


def test_it_gives_up_when_the_time_is_up_and_says_how_often_it_asked():
    clock = FakeClock()
    with pytest.raises(InfrastructureError, match=r"down \(asked \d+ times in \d+\.\d s\)"):
        send([passing()], wait_s=20, clock=clock)
    assert clock.time <= 20


@pytest.mark.parametrize(
    ("rate", "most", "wait_s", "refuses"),
    [
        (30, 1, 30.0, lambda number, now: number == 30),
        (30, 4, 30.0, lambda number, now: 27 <= number <= 30),
        (2, 8, 60.0, lambda number, now: now <= 0.5),
    ],
)
def test_waiting_for_the_rate_is_no_refusal(rate, most, wait_s, refuses):
    fake, asked = FakeClock(), []
    limited = gate(most, clock=fake.clock(), requests_per_minute=rate)
    pressure = Pressure(limited, Budget(), wait_s=wait_s, clock=fake.clock())

    async def ask():
        asked.append(fake.time)
        number, now = len(asked), fake.time
        await asyncio.sleep(0)
        if refuses(number, now):
            raise passing(code="rate_limited")
        return "yes"

    async def trial():
        begin_trial()
        return await pressure.send(ask, lambda _: Spent())

    async def session():
        return await asyncio.gather(*(asyncio.create_task(trial()) for _ in range(60)))

    assert asyncio.run(session()) == 60 * ["yes"]


def test_an_endpoint_that_refuses_everything_is_not_waited_for_by_each_trial_anew():
    fake, ended, asked = FakeClock(), [], []
    pressure = Pressure(gate(clock=fake.clock()), Budget(), wait_s=20.0, clock=fake.clock())

    async def ask():
        asked.append(fake.time)
        await asyncio.sleep(0)
        raise passing(code="overloaded")

    async def trial():
        begin_trial()
        with pytest.raises(InfrastructureError) as caught:
            await pressure.send(ask, lambda _: Spent())
        ended.append((fake.time, caught.value.code, str(caught.value)))

    async def session():
        await asyncio.gather(*(asyncio.create_task(trial()) for _ in range(200)))

    asyncio.run(session())
    assert len(ended) == 200
    assert {code for _, code, _ in ended} == {"overloaded"}
    assert max(at for at, _, _ in ended) < 40
    assert any(said.startswith("given up: the endpoint has refused every request for 2") for _, _, said in ended)


def test_an_endpoint_that_comes_back_answers_all_who_still_wait():
    fake, answered = FakeClock(), []
    pressure = Pressure(gate(clock=fake.clock()), Budget(), wait_s=60.0, clock=fake.clock())

    async def ask():
        await asyncio.sleep(0)
        if fake.time < 45:
            raise passing(code="overloaded")
        return "yes"

    async def trial():
        begin_trial()
        answered.append(await pressure.send(ask, lambda _: Spent()))

    async def session():
        await asyncio.gather(*(asyncio.create_task(trial()) for _ in range(200)))

    asyncio.run(session())
    assert answered == ["yes"] * 200


def test_a_pause_beyond_the_deadline_is_not_waited_for():
    clock = FakeClock()
    with pytest.raises(InfrastructureError):
        send([passing(retry_after=120.0), "yes"], wait_s=60, clock=clock)
    assert clock.slept == []


def test_the_budget_stops_new_requests_and_overshoots_by_what_is_under_way():
    budget = Budget(max_cost_usd=1.0)
    for _ in range(4):
        send(["yes"], budget=budget)
    with pytest.raises(NotRun, match=r"the budget of 1 USD is used up .*; raise it with --max-cost"):
        send(["yes"], budget=budget)
    assert budget.spent_usd == 1.0
    tokens = Budget(max_tokens=15)
    send(["yes"], budget=tokens)
    send(["yes"], budget=tokens)
    with pytest.raises(NotRun, match="15 tokens is used up"):
        send(["yes"], budget=tokens)


def test_a_stopped_run_sends_nothing_more():
    budget = Budget()
    budget.stop()
    with pytest.raises(NotRun, match="was stopped"):
        send(["yes"], budget=budget)


@given(st.integers(1, 20), st.integers(1, 60))
def test_never_more_than_the_limit_at_once_and_everybody_gets_in(most, callers):
    async def main():
        door, inside, peak, done = gate(most), 0, 0, 0

        async def enter():
            nonlocal inside, peak, done
            async with door.enter():
                inside += 1
                peak = max(peak, inside)
                await asyncio.sleep(0)
                inside -= 1
            done += 1

        await asyncio.gather(*(enter() for _ in range(callers)))
        return peak, done

    peak, done = asyncio.run(main())
    assert peak <= most
    assert done == callers


def test_a_caller_that_is_cancelled_while_it_waits_leaves_no_place_behind():
    async def main():
        door = gate(1)
        async with door.enter():
            waiting = asyncio.create_task(_enter(door))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        return waiting.cancelled(), await asyncio.wait_for(_enter(door), 1)

    assert asyncio.run(main()) == (True, "inside")


async def _enter(door):
    async with door.enter():
        await asyncio.sleep(0)
    return "inside"


def test_refusals_halve_the_limit_once_and_answers_raise_it_again():
    fake = FakeClock()
    door = gate(16, clock=fake.clock())
    fake.time = 1.0
    door.refused(sent_at=0.5)
    door.refused(sent_at=0.6)
    assert door.limit == 8
    fake.time = 2.0
    door.refused(sent_at=1.5)
    assert door.limit == 4
    for _ in range(4):
        door.succeeded(0)
    assert 4.8 < door.limit < 5.1
    for _ in range(1000):
        door.succeeded(0)
    assert door.limit == 16


@pytest.mark.parametrize("rates", [{"requests_per_minute": 3}, {"tokens_per_minute": 30}])
def test_rates_hold_over_a_sliding_minute(rates):
    fake = FakeClock()
    door = gate(10, clock=fake.clock(), **rates)
    sent = []

    async def one():
        async with door.enter():
            sent.append(fake.time)
        door.succeeded(10)

    async def main():
        for _ in range(7):
            await one()

    asyncio.run(main())
    assert sent == [0, 0, 0, 60, 60, 60, 120]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": ""}, None), ({"Retry-After": "3"}, 3.0), ({"retry-after": "3"}, 3.0)]
    + [({"Retry-After": "-2"}, 0.0), ({"Retry-After": "soon"}, None), ({"Retry-After": "nan"}, 0.0)]
    + [
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT"}, 0.0),
    ]
    + [({"Retry-After": "Sun, 22 Nov 99999999 09:00:00 GMT"}, None)],
)
def test_retry_after_in_seconds_or_as_a_date(headers, seconds):
    assert retry_after_seconds(headers, datetime(2026, 11, 22, 10, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("hour", [0, 7, 23])
def test_a_date_is_read_by_the_clock_of_the_server_whatever_the_time_here(hour):
    headers = {"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:10 GMT"}
    assert retry_after_seconds(headers, datetime(2026, 11, 22, hour, tzinfo=UTC)) == 20.0


def test_messages_carry_no_credentials_of_the_environment_or_in_urls(monkeypatch):
    monkeypatch.setenv("SHOP_API_TOKEN", "planted-in-environment")
    said = clean_message(
        "bad planted-in-environment at https://h/x?api_key=planted-in-url&a=1, Authorization: Bearer planted-bearer"
    )
    assert "planted" not in said
    assert "a=1" in said


def test_messages_carry_no_credentials():
    text = clean_message("key my-secret at https://user:pass@host/x?y with sk-abcdef123456 \n and more", ["my-secret"])
    assert "my-secret" not in text
    assert "user:pass" not in text
    assert "abcdef" not in text
    assert "\n" not in text
