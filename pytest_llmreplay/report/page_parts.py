"""What the HTML pages share: their files, the templates, and the policy under which nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from pytest_llmreplay.report.page_data import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE, _FOLDER = "pytest_llmreplay.report", "page"


def page_environment() -> Environment:
    """The templates; all that they are given is escaped, and `visible` spells out what cannot be seen."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_PACKAGE, _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    return environment


def content_security_policy(style: str, script: str) -> str:
    """Nothing is loaded from anywhere, and only this style and this script apply."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def asset(name: str) -> str:
    """The text of one of the page's files."""
    return resources.files(_PACKAGE).joinpath(_FOLDER, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
