"""`pytest-llmreplay doctor`: what is installed and what would be used."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.variant import Variant

_PACKAGES = ("pytest-llmreplay", "pytest", "pytest-xdist", "pyarrow", "duckdb", "litellm", "aiohttp", "xllamacpp")


@click.command()
@click.option("--data", is_flag=True, help="List every place that holds customer text instead.")
def doctor(data: bool) -> None:
    """Say what is installed and what would be used here; nothing is sent and nothing is written."""
    from tabulate import tabulate

    from pytest_llmreplay.config.project import find_project

    project = find_project(Path.cwd())
    if data:
        from pytest_llmreplay.cli.customer_data import data_places

        places = list(data_places(project))
        click.echo(printable(tabulate(places, tablefmt="plain") or "no place here holds customer text"))
        click.echo("next: pytest-llmreplay erase --user ID")
        return
    rows = [*_installed(), ("project", str(project.root)), *_golden(project), *_variants(project), _state(project)]
    click.echo(printable(tabulate(rows, tablefmt="plain")))
    click.echo("next: pytest-llmreplay validate")


def _installed() -> Iterator[tuple[str, str]]:
    from pytest_llmreplay.providers.local_model import model_path

    yield "python", platform.python_version()
    for name in _PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "not installed"
    model = model_path()
    yield "local model", str(model) if model else "not fetched; pytest-llmreplay local-model fetch"


def _golden(project: Project) -> Iterator[tuple[str, str]]:
    from collections import Counter

    from pytest_llmreplay.store.cases import CaseEntry, golden_files, read_index

    try:
        paths = golden_files([path for path in project.golden if path.exists()])
    except UserError as error:
        yield "golden cases", str(error)
        return
    if not paths:
        yield "golden cases", "none"
    for path in paths:
        try:
            entries = read_index(path)
        except UserError as error:
            yield project.relative(path), str(error)
            continue
        counts = Counter(e.labels.status if isinstance(e, CaseEntry) else "bad row" for e in entries)
        yield project.relative(path), ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _variants(project: Project) -> Iterator[tuple[str, str]]:
    from pytest_llmreplay.config.check import check_configs

    variants, problems = check_configs(project.configs, project.root)
    for variant in variants:
        yield f"variant {variant.name}", _target(variant)
    for problem in problems:
        yield "problem", str(problem)


def _target(variant: Variant) -> str:
    from pytest_llmreplay.model.variant import CallableTarget, HttpTarget, TracesTarget
    from pytest_llmreplay.providers.credentials import without_credentials
    from pytest_llmreplay.session.ways import way_to

    target = variant.target
    if isinstance(target, CallableTarget):
        return f"callable {target.function}"
    if isinstance(target, TracesTarget):
        return f"traces {target.logs}"
    if isinstance(target, HttpTarget):
        return f"http {without_credentials(target.url)}"
    way = {"local": "the embedded model", "openai": "OpenAI's protocol", "litellm": "litellm"}[way_to(target)]
    key = ""
    if target.api_key_env:
        key = f", key in {target.api_key_env}: {'set' if os.environ.get(target.api_key_env) else 'not set'}"
    return f"{target.model} through {way}{key}"


def _state(project: Project) -> tuple[str, str]:
    runs = project.state / "runs"
    count = sum(1 for _ in runs.iterdir()) if runs.is_dir() else 0
    return "runs kept", f"{count} in {project.relative(project.state)}"
