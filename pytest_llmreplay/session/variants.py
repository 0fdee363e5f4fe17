"""Which variants a session runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import Problems, UserError, did_you_mean
from pytest_llmreplay.model.variant import Variant
from pytest_llmreplay.session.options import Settings

if TYPE_CHECKING:
    from pytest_llmreplay.compare.policy import GatePolicy


def load_variants(settings: Settings) -> dict[str, Variant]:
    """The variants of the session by name, in the order given; the baseline comes first.

    Raises:
        UserError: a file has a mistake, two variants share a name, there is none, or the baseline is not among them.
    """
    files = settings.variants or tuple(variant_files(settings.configs))
    if not files:
        raise UserError(
            f"there is no variant to replay: neither --llmreplay-variant nor a file of 'kind: variant' in "
            f"{settings.configs}; `pytest-llmreplay init` writes a project that runs"
        )
    variants: dict[str, Variant] = {}
    for file in files:
        if not file.is_file():
            raise _missing(file, settings)
        variant = load_variant(file, root=settings.root)
        if variant.name in variants:
            other = variants[variant.name].file
            raise UserError(f"the name is taken by {other}", file=str(file), key="name", value=variant.name)
        variants[variant.name] = variant
    if settings.baseline is not None and settings.baseline not in variants:
        from pytest_llmreplay.store.baseline import ACCEPTED

        if settings.baseline == ACCEPTED:
            return variants
        raise UserError(
            "the baseline is not among the variants", key="--llmreplay-baseline", value=settings.baseline,
            allowed=list(variants),
        )  # fmt: skip
    return dict(sorted(variants.items(), key=lambda entry: entry[0] != settings.baseline))


def load_policy(settings: Settings) -> GatePolicy:
    """The policy that decides.

    Raises:
        UserError: the file has a mistake, or no baseline is named to compare with.
    """
    from pytest_llmreplay.config.gate import load_gate

    if settings.gate is None or settings.baseline is None:
        raise UserError("a gate compares with a baseline", key="--llmreplay-gate", fix="add --llmreplay-baseline NAME")
    return load_gate(settings.gate)


def variant_files(folder: Path) -> list[Path]:
    """The YAML files of `kind: variant` in a folder, by name.

    Raises:
        UserError: one of the YAML files cannot be read; the others are read all the same, all mistakes at once.
    """
    found: list[Path] = []
    problems: list[UserError] = []
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            if read_yaml(path).get("kind") == "variant":
                found.append(path)
        except UserError as error:
            problems.append(error)
    if problems:
        raise Problems(problems)
    return found


def _missing(file: Path, settings: Settings) -> UserError:
    known = {str(path.relative_to(settings.root)): path for path in sorted(settings.configs.glob("*.y*ml"))}
    named = next((path.name for path in known.values() if path.stem == file.name), None)
    nearest = named or did_you_mean(file.name, [path.name for path in known.values()])
    hint = next((f"did you mean '{shown}'?" for shown, path in known.items() if path.name == nearest), None)
    return UserError("there is no such variant file", file=str(file), fix=hint)
