"""How the project reads YAML: as YAML 1.2 does, where the older rules take words and codes for something else."""

from __future__ import annotations

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_READ_ANEW = (f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float")


class YamlLoader(yaml.SafeLoader):
    """A safe loader for which `on`, `yes` and `NO` are words, `9:30` is text and `0417` is no octal number.

    Only `true` and `false` are booleans. Digits after a leading zero are text, since they are codes. Dates stay dates,
    so that who reads a value that JSON does not have can say so.
    """


YamlLoader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in forms if tag not in _READ_ANEW]
    for letter, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _form, _letters in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
):
    YamlLoader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"^(?:{_form})$"), list(_letters))


class YamlDumper(yaml.SafeDumper):
    """A safe dumper that quotes each text which the loader, or one by the older rules, would not read as text."""


YamlDumper.yaml_implicit_resolvers = {
    letter: [*yaml.SafeDumper.yaml_implicit_resolvers.get(letter, ()), *forms]
    for letter, forms in {
        **dict.fromkeys(yaml.SafeDumper.yaml_implicit_resolvers, ()), **YamlLoader.yaml_implicit_resolvers
    }.items()
}  # fmt: skip


def load_yaml(text: str) -> Any:
    """The one document in a text.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, Loader=YamlLoader)  # noqa: S506 - a SafeLoader
