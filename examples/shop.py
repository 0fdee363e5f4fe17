"""The shop behind the support bot: what its tools return. Deterministic, and nothing really happens."""

from __future__ import annotations

import hashlib
import re

_STATES = (
    ("packed", "Friday"),
    ("on its way", "Thursday"),
    ("on its way", "tomorrow"),
    ("delivered", "yesterday"),
)


def hours() -> dict[str, str]:
    """When the shop and the hotline are open."""
    return {"shop": "Monday to Saturday, 9:00 to 18:00", "phone": "every day, 8:00 to 20:00"}


def human() -> dict[str, str | int]:
    """Hand the conversation over to a person."""
    return {"queue": "support", "wait_minutes": 4}


def order(order_id: str) -> dict[str, str]:
    """Where an order is."""
    if not _exists(order_id):
        return {"order_id": order_id, "error": "no such order"}
    state, day = _STATES[_number(order_id) % len(_STATES)]
    return {"order_id": order_id, "status": state, "arrives": day}


def refund(order_id: str) -> dict[str, str | int]:
    """Pay an order back."""
    if not _exists(order_id):
        return {"order_id": order_id, "error": "no such order"}
    return {"order_id": order_id, "refund": "accepted", "days": 2 + _number(order_id) % 4}


def account(topic: str) -> dict[str, str]:
    """Where customers change their account."""
    return {"topic": topic, "page": f"shop.example/account/{topic}"}


def fun() -> dict[str, str]:
    """Small talk."""
    return {"mood": "friendly"}


def _exists(order_id: str) -> bool:
    return re.fullmatch(r"\d{4}", order_id) is not None


def _number(order_id: str) -> int:
    return hashlib.sha256(order_id.encode()).digest()[0]
