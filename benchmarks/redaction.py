"""Planted personal data: how much of it redaction finds, and how often it is wrong on conversations without any.

    python benchmarks/redaction.py [CONVERSATIONS] [SEED] [--log LOG]

Prints the recall by kind and place, the false alarms on the log's conversations, and the time.
"""

from __future__ import annotations

import argparse
import calendar
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.promote import Promotion, Stopped, promote
from pytest_llmreplay.promote.redact import Pseudonyms, Redactor, Rules
from pytest_llmreplay.promote.redact.redactor import NOTE

STRUCTURED = ("email", "phone", "card", "iban", "national_id", "ip", "url", "secret")
TYPED = ("dob", "address", "name", "user_id")
PLACES = ("message", "argument", "result", "nested", "typed", "split")
FIRST = ("Mia", "Ahmed", "Ulrike", "Zoltán", "Chidi", "Siobhán", "Rajesh", "Ingrid", "Mateo", "Xiomara")
LAST = ("Novak", "Okonkwo", "Brückner", "Fitzgerald", "Yamamoto", "Castellanos", "Lindqvist", "Papadakis")


@dataclass(frozen=True)
class Planted:
    """A value that was put into a conversation, in the spellings that it has there."""

    kind: str
    place: str
    spellings: tuple[str, ...]


def conversations(count: int, seed: int) -> Iterator[tuple[Conversation, list[Planted]]]:
    """Conversations with every kind planted, each in another place every time."""
    rng = random.Random(seed)
    for number in range(count):
        yield _conversation(number, rng)


def left_over(text: str, planted: Planted) -> bool:
    """Whether any spelling of a value is still in a text, however it is grouped or cased."""
    squashed = _squashed(text)
    return any(_squashed(spelling) in squashed for spelling in planted.spellings)


def _conversation(number: int, rng: random.Random) -> tuple[Conversation, list[Planted]]:
    planted: list[Planted] = []
    said: list[list[str]] = [[], [], []]
    arguments: dict[str, object] = {"query": "status"}
    result: dict[str, object] = {"ok": True}
    nested: dict[str, object] = {"source": "crm"}
    # People split what they dictate at the end of one message and the beginning of the next.
    free, splits = [0, 1], {}
    for kind in (*STRUCTURED, *TYPED):
        value, spoken = _value(kind, rng)
        place = rng.choice(PLACES if kind in STRUCTURED else ("typed",))
        if place == "split" and (kind not in ("card", "phone", "email") or not free):
            place = "message"
        spellings = (value, spoken) if place == "typed" else (value,)
        if place == "message":
            said[rng.randrange(3)].append(_sentence(value, rng))
        elif place == "split":
            first, second = _halves(kind, value)
            splits[free.pop(rng.randrange(len(free)))] = (first, second)
            spellings = (value, first, second)
        elif place == "typed":
            (arguments if rng.random() < 0.5 else result)[_typed_name(kind)] = value
            said[rng.randrange(3)].append(f"as I said, {spoken}")
        elif place == "argument":
            arguments[f"field_{kind[0]}{rng.randrange(99)}"] = f"see {value}"
        elif place == "result":
            result[f"note_{rng.randrange(999)}"] = f"found {value}, done"
        else:
            nested[f"n{rng.randrange(999)}"] = json.dumps({"deep": [{"text": f"has {value} inside"}]})
        planted.append(Planted(kind, place, spellings))
    for turn, (first, second) in splits.items():
        said[turn].append(f"the first part is {first}")
        said[turn + 1].insert(0, f"{second} is the rest")
    return _assembled(number, said, arguments, {**result, "raw": nested}), planted


def _assembled(
    number: int, said: list[list[str]], arguments: dict[str, object], result: dict[str, object]
) -> Conversation:
    texts = [", and ".join(["hello", *parts] if i == 0 else parts or ["then"]) for i, parts in enumerate(said)]
    return Conversation(
        f"planted-{number}",
        (
            Message("system", "You help the customers of a shop."),
            Message("user", texts[0]),
            Message("assistant", tool_calls=(ToolCall("1", "look_up", json.dumps(arguments)),)),
            Message("tool", json.dumps(result), tool_call_id="1"),
            Message("assistant", "one moment"),
            Message("user", texts[1]),
            Message("assistant", "and the rest?"),
            Message("user", texts[2]),
            Message("assistant", "thank you"),
        ),
    )


def _value(kind: str, rng: random.Random) -> tuple[str, str]:
    """A value, and another spelling of it."""
    made = MAKERS[kind](rng)
    return made if isinstance(made, tuple) else (made, made)


def _email(rng):
    email = f"{rng.choice(FIRST)}.{rng.choice(LAST)}{rng.randrange(99)}@{rng.choice(['mail', 'post'])}.example".lower()
    return email, rng.choice([email.upper(), email.replace("@", " at ").replace(".", " dot ")])


def _phone(rng):
    area, office, line = f"{rng.randrange(201, 989)}", f"{rng.randrange(200, 999)}", _digits(4, rng)
    return f"({area}) {office}-{line}", f"+1 {area} {office} {line}"


def _card(rng):
    card = _luhn("4" + _digits(14, rng))
    return " ".join(card[i : i + 4] for i in range(0, 16, 4)), card


def _iban(rng):
    body = _digits(18, rng)
    iban = f"DE{98 - int(f'{body}131400') % 97:02}{body}"
    return iban, " ".join(iban[i : i + 4] for i in range(0, 22, 4))


def _national_id(rng):
    ssn = f"{rng.randrange(100, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}"
    return ssn, ssn.replace("-", " ")


def _secret(rng):
    letters = "".join(rng.choice("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789") for _ in range(36))
    return rng.choice(["ghp_", "sk-", "xoxb-12345678-"]) + letters


def _dob(rng):
    year, month, day = rng.randrange(1940, 2005), rng.randrange(1, 13), rng.randrange(1, 28)
    return f"{year}-{month:02}-{day:02}", f"{calendar.month_name[month]} {day}, {year}"


def _address(rng):
    address = f"{rng.randrange(10, 999)} {rng.choice(LAST)} {rng.choice(['Street', 'Avenue', 'Drive'])}"
    return address, address.lower()


def _name(rng):
    first, last = rng.choice(FIRST), rng.choice(LAST)
    return f"{first} {last}", rng.choice([f"{first.upper()} {last.upper()}", f"{last}, {first}", f"{first}'s {last}"])


def _user_id(rng):
    user = f"{rng.choice(FIRST)}_{rng.choice(LAST)}_{_digits(4, rng)}".lower()
    return user, user.upper()


MAKERS = {
    "email": _email,
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "national_id": _national_id,
    "ip": lambda rng: f"{rng.randrange(11, 126)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
    "url": lambda rng: f"https://{rng.choice(FIRST).lower()}:{_digits(8, rng)}@files.example/{_digits(3, rng)}",
    "secret": _secret,
    "dob": _dob,
    "address": _address,
    "name": _name,
    "user_id": _user_id,
}


def _digits(count, rng):
    return "".join(str(rng.randrange(10)) for _ in range(count))


def _halves(kind: str, value: str) -> tuple[str, str]:
    if kind == "email":
        local, _, domain = value.partition("@")
        return local, "@" + domain
    cut = {"card": 9, "phone": 9}[kind]
    return value[:cut].strip(), value[cut:].strip()


def _sentence(value: str, rng: random.Random) -> str:
    frames = ("it is {}", "please use {} for that", "{}, if you need it", "I wrote {} down")
    return rng.choice(frames).format(value)


def _typed_name(kind: str) -> str:
    return {
        "card": "card_number", "ip": "ip_address", "url": "callback", "secret": "api_key", "national_id": "ssn",
        "name": "customer_name",
    }.get(kind, kind)  # fmt: skip


def _luhn(digits: str) -> str:
    doubled = (int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits)))
    return digits + str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def _squashed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def measure(
    count: int, seed: int, *, fake: bool = False
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], int]:
    """How often each kind was planted in each place, how often it was missed, and how many cases were stopped."""
    redactor = _redactor(fake=fake)
    sown: Counter[tuple[str, str]] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    stopped = 0
    for conversation, planted in conversations(count, seed):
        [case] = promote([conversation], Promotion("planted", "incident", "2026-01-01"), [redactor])
        if isinstance(case, Stopped):
            stopped += 1
            continue
        text = repr(case.messages) + repr(case.recorded_results)
        sown.update((one.kind, one.place) for one in planted)
        # Half a telephone number is four digits, which fakes are bound to hold somewhere.
        told = (
            [replace(one, spellings=tuple(t for t in one.spellings if len(t) > 6)) for one in planted]
            if fake
            else planted
        )
        missed.update((one.kind, one.place) for one in told if left_over(text, one))
    return sown, missed, stopped


def _redactor(*, fake: bool = False, asked: Counter[str] | None = None) -> Redactor:
    def confirm(words: list[str]) -> tuple[str, ...]:
        if asked is not None:
            asked.update(words)
        return ()

    return Redactor(Rules(), Pseudonyms(lru_cache(lambda: b"benchmark"), fake=fake), confirm)


def false_alarms(log: str) -> None:
    """Print what is replaced in a log whose personal data is known to stand in its tools' results only."""
    from pytest_llmreplay.traces import read_conversations

    asked: Counter[str] = Counter()
    redactor = _redactor(asked=asked)
    counts: Counter[str] = Counter()
    began, cases, stopped = time.perf_counter(), 0, 0
    for case in promote(read_conversations([log], on_problem=print), Promotion("s", "incident", "2026"), [redactor]):
        if isinstance(case, Stopped):
            stopped += 1
        else:
            cases += 1
            counts.update(case.metadata.get(NOTE, {}).get("counts", {}))
    took = time.perf_counter() - began
    print(f"{log}: {cases} cases in {took:.1f} s, {stopped} stopped")
    print("  replaced:", ", ".join(f"{n} {kind}" for kind, n in counts.most_common()))
    print(f"  possible names to confirm: {len(asked)} words,", ", ".join(word for word, _ in asked.most_common(12)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("seed", nargs="?", type=int, default=7)
    parser.add_argument("--log", action="append", default=[])
    options = parser.parse_args()
    for fake in (False, True):
        began = time.perf_counter()
        sown, missed, stopped = measure(options.count, options.seed, fake=fake)
        took = time.perf_counter() - began
        style = "fakes" if fake else "pseudonyms"
        print(f"{style}: {options.count} conversations, {took:.1f} s, {stopped} stopped")
        for kind in (*STRUCTURED, *TYPED):
            places = {place: sown[kind, place] for place in PLACES if sown[kind, place]}
            found = sum(places.values()) - sum(missed[kind, place] for place in places)
            shown = ", ".join(f"{p} {n - missed[kind, p]}/{n}" for p, n in places.items())
            print(f"  {kind:12} recall {found / max(sum(places.values()), 1):.4f}  ({shown})")
    for log in options.log:
        false_alarms(log)


if __name__ == "__main__":
    main()
