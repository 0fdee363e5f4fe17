"""Typed places: names of arguments, results and columns under which a personal value stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

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
    **dict.fromkeys(("customer_number", "customer_no", "customer_ref", "member_number", "member_no"), "user_id"),
    **dict.fromkeys(("membership_number", "loyalty_number", "frequent_flyer_number", "patient_id"), "user_id"),
    **dict.fromkeys(("client_number", "account_id", "subscriber_id", "contact_id", "guest_id"), "user_id"),
    **dict.fromkeys(("phone_no", "mobile_no", "mobile_phone", "contact_number", "contact_no", "whatsapp"), "phone"),
    **dict.fromkeys(("telefon", "telefonnummer", "handynummer", "telephone_number", "telefono", "teléfono"), "phone"),
    **dict.fromkeys(("vorname", "nachname", "prenom", "prénom", "nom_de_famille", "apellido", "apellidos"), "name"),
    **dict.fromkeys(("nombre", "nombre_completo", "cognome", "kundenname", "nom_complet"), "name"),
    **dict.fromkeys(("geburtsdatum", "geburtstag", "date_de_naissance", "fecha_de_nacimiento", "birth_day"), "dob"),
    **dict.fromkeys(("strasse", "straße", "anschrift", "adresse", "direccion", "dirección"), "address"),
    **dict.fromkeys(("hausnummer", "plz"), "address"),
    **dict.fromkeys(("postleitzahl", "code_postal", "codigo_postal", "indirizzo"), "address"),
    **dict.fromkeys(("kundennummer", "kunden_id", "mitgliedsnummer", "numero_cliente"), "user_id"),
    **dict.fromkeys(("correo", "correo_electronico", "courriel", "email_adresse"), "email"),
    **dict.fromkeys(("pin", "cvv", "cvc", "otp", "passcode", "passwort", "pwd", "passwd", "client_secret"), "secret"),
    **dict.fromkeys(("password", "secret", "api_key", "access_token", "auth_token", "refresh_token"), "secret"),
}  # fmt: skip
"""Places by their name in lower case with underscores."""

_PEOPLE = (
    r"(?:customer|client|user|passenger|guest|patient|contact|holder|sender|recipient|owner|caller|billing|shipping)"
)
_PERSON = re.compile(
    r"(?:customer|client|user|passenger|guest|patient|member|subscriber|caller|recipient|sender|travell?er)s?"
)
_FULL_NAME = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:['’ -]+[^\W\d_a-z][^\W\d_]*){1,3}\.?")
_PERSON_NAME = re.compile(rf"^{_PEOPLE}_name$|^name_of_{_PEOPLE}$")
_PASSED_DOWN = frozenset(
    {"equals", "one_of", "contains", "value", "text", "unordered_list"}
    | {"line1", "line2", "line_1", "line_2", "formatted"}
    | {"full", "first", "last", "middle", "given", "family", "number"}
)
_SUFFIXES = tuple(
    name
    for name in PLACES
    if name not in ("name", "mail", "tel", "cell", "pan", "ip", "login", "secret", "pin", "plz", "nombre", "adresse")
)
_EMPTY = frozenset(
    {"", "none", "null", "unknown", "n/a", "na", "-", "anonymous", "guest", "true", "false", "undefined"}
)


@dataclass(frozen=True, slots=True)
class Places:
    """The kind of what stands under a name; `own` adds places or, with None, takes one away."""

    own: Mapping[str, str | None] = field(default_factory=dict)

    def kind_of(
        self, key: str, inherited: str | None, *, bare_name: bool, holder: str = "", value: Any = None
    ) -> str | None:
        """The kind of personal value under `key`, or None.

        Args:
            key: the name of an argument, a result's field or a column.
            inherited: the kind of the place that holds this one.
            bare_name: whether `name` alone speaks of a person; in an expectation it names a tool.
            holder: the name of what holds the field; the `id` of a customer is the customer's.
            value: what stands there; a customer may be written as a name or an id.
        """
        name = snake(key)
        if name in self.own:
            return self.own[name]
        if name == "name":
            return "name" if bare_name else None
        if name in ("id", "uuid", "_id") and _PERSON.fullmatch(snake(holder)):
            return "user_id"
        kind = _typed(name) or (inherited if name in _PASSED_DOWN else None)
        return kind or (_person(value) if _PERSON.fullmatch(name) else None)


def _person(value: Any) -> str | None:
    """What a field called `customer` holds: a name, an id, or something else."""
    if not isinstance(value, str) or " " in value:
        return "name" if isinstance(value, str) and _FULL_NAME.fullmatch(value.strip()) else None
    return "user_id" if len(value) > 3 and any(c.isdigit() for c in value) else None


@lru_cache(maxsize=4096)
def _typed(name: str) -> str | None:
    singular = name.removesuffix("es") if name.endswith("addresses") else name.removesuffix("s")
    if name in PLACES or (singular in PLACES and singular != "name"):
        return PLACES.get(name) or PLACES[singular]
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
