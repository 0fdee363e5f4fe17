"""`configs/waivers.yaml`: red cases that are tolerated until a day."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pytest_llmreplay.compare.policy import Waiver, Waivers
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.written import parse_written
from pytest_llmreplay.model.yaml_loader import YamlDumper, load_yaml

_HEAD = "# yaml-language-server: $schema=schemas/waivers.json\nkind: waivers\n"


def load_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a project; without the file there are none.

    Raises:
        UserError: a mistake in the file, or a case that is waived twice.
    """
    if not path.exists():
        return ()
    waivers = parse_written(Waivers, read_yaml(path, kind="waivers"), file=str(path)).waivers
    cases = [waiver.case for waiver in waivers]
    twice = next((case for case in cases if cases.count(case) > 1), None)
    if twice is not None:
        raise UserError(f"case '{twice}' is waived twice", file=str(path), key="waivers")
    return tuple(waivers)


def waivers_text(before: str, waivers: Sequence[Waiver], added: Waiver) -> str:
    """The text of the file with a waiver more, in place of an earlier one of the same case.

    A new case is appended, so that comments stay; where that is not possible the file is written anew.

    Args:
        before: the file as it is; empty when there is none.
        waivers: what it holds.
        added: the new waiver.
    """
    kept = [waiver for waiver in waivers if waiver.case != added.case]
    wanted = {"kind": "waivers", "waivers": [_plain(waiver) for waiver in (*kept, added)]}
    if waivers and len(kept) == len(waivers):
        appended = f"{before.rstrip()}\n{_dumped([_plain(added)])}"
        if _parsed(appended) == wanted:
            return appended
    return f"{_HEAD}{_dumped({'waivers': wanted['waivers']})}"


def _plain(waiver: Waiver) -> dict[str, Any]:
    return waiver.model_dump(mode="python")


def _dumped(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=YamlDumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _parsed(text: str) -> Any:
    try:
        return load_yaml(text)
    except yaml.YAMLError:
        return None
