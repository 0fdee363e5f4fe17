"""Typed places: names of arguments, results and columns under which a personal value stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

PLACES: Mapping[str, str] = {
    **dict.fromkeys(("email", "email_address", "e_mail", "mail"), "email"),
    **dict.fromkeys(
        ("phone", "phone_number", "mobile", "mobile_number", "telephone", "tel", "fax", "msisdn", "cell"), "phone"
    ),
    **dict.fromkeys(
        ("name", "full_name", "first_name", "last_name", "middle_name", "given_name", "family_name", "surname"), "name"
    ),
    **dict.fromkeys(("maiden_name", "display_name", "nickname", "cardholder", "account_holder"), "name"),
    **dict.fromkeys(
        ("address", "address1", "address2", "street", "street_address", "address_line", "address_line1"), "address"
    ),
    **dict.fromkeys(("address_line2", "address_line_1", "address_line_2", "zip", "zip_code", "zipcode"), "address"),
    **dict.fromkeys(("postal_code", "postcode", "house_number"), "address"),
    **dict.fromkeys(("dob", "date_of_birth", "birth_date", "birthdate", "birthday"), "dob"),
    **dict.fromkeys(("user_id", "customer_id", "member_id", "userid", "username", "login", "end_user"), "user_id"),
    **dict.fromkeys(("session_id", "sessionid"), "session_id"),
    **dict.fromkeys(("ssn", "social_security_number", "national_id", "tax_id"), "national_id"),
    **dict.fromkeys(("passport", "passport_number"), "national_id"),
    **dict.fromkeys(("driver_license", "drivers_license", "license_number"), "national_id"),
    **dict.fromkeys(("card_number", "credit_card_number", "cc_number", "pan"), "card"),
    **dict.fromkeys(("iban", "account_number", "bank_account"), "iban"),
    **dict.fromkeys(("ip", "ip_address", "client_ip", "remote_addr"), "ip"),
    **dict.fromkeys(("password", "secret", "api_key", "access_token", "auth_token", "refresh_token"), "secret"),
}  # fmt: skip
"""Places by their name in lower case with underscores."""

_PEOPLE = (
    r"(?:customer|client|user|passenger|guest|patient|contact|holder|sender|recipient|owner|caller|billing|shipping)"
)
_PERSON_NAME = re.compile(rf"^{_PEOPLE}_name$|^name_of_{_PEOPLE}$")
_PASSED_DOWN = frozenset(
    {"equals", "one_of", "contains", "value", "text", "unordered_list"}
    | {"line1", "line2", "line_1", "line_2", "formatted"}
    | {"full", "first", "last", "middle", "given", "family", "number"}
)
_SUFFIXES = tuple(
    name for name in PLACES if name not in ("name", "mail", "tel", "cell", "pan", "ip", "login", "secret")
)
_EMPTY = frozenset(
    {"", "none", "null", "unknown", "n/a", "na", "-", "anonymous", "guest", "true", "false", "undefined"}
)


@dataclass(frozen=True, slots=True)
class Places:
    """The kind of what stands under a name; `own` adds places or, with None, takes one away."""

    own: Mapping[str, str | None] = field(default_factory=dict)

    def kind_of(self, key: str, inherited: str | None, *, bare_name: bool) -> str | None:
        """The kind of personal value under `key`, or None.

        Args:
            key: the name of an argument, a result's field or a column.
            inherited: the kind of the place that holds this one.
            bare_name: whether `name` alone speaks of a person; in an expectation it names a tool.
        """
        name = snake(key)
        if name in self.own:
            return self.own[name]
        if name == "name":
            return "name" if bare_name else None
        return _typed(name) or (inherited if name in _PASSED_DOWN else None)


@lru_cache(maxsize=4096)
def _typed(name: str) -> str | None:
    if name in PLACES:
        return PLACES[name]
    if _PERSON_NAME.search(name):
        return "name"
    suffix = next((s for s in _SUFFIXES if name.endswith("_" + s)), None)
    return None if suffix is None else PLACES[suffix]


@lru_cache(maxsize=4096)
def snake(key: str) -> str:
    """A name in lower case with underscores."""
    return re.sub(r"[\s.-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key.strip())).lower()


def says_something(kind: str, value: str) -> bool:
    """Whether a value at a typed place is one, and not a word for its absence."""
    stripped = value.strip()
    if stripped.casefold() in _EMPTY or not any(character.isalnum() for character in stripped):
        return False
    if kind in ("phone", "dob", "card"):
        return any(character.isdigit() for character in stripped)
    return kind != "name" or any(character.isalpha() for character in stripped)
