"""`pytest-llmreplay init`: a minimal project that runs."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

_GOLDEN = "golden/example.parquet"
_LOG = "logs/example.jsonl"


@click.command()
def init() -> None:
    """Write a minimal project into this folder: a bot to replace, two variants, a log and a golden case.

    A file that exists is left alone.
    """
    from pytest_llmreplay.config.project import find_project
    from pytest_llmreplay.config.schemas import write_schemas

    root = Path.cwd()
    starter = resources.files("pytest_llmreplay.cli") / "starter"
    for name in ("example_bot.py", "configs/v1.yaml", "configs/v2.yaml", _LOG):
        _write(root / name, _content(starter, name))
    write_schemas(root / "configs" / "schemas")
    click.echo("wrote configs/schemas/")
    _add_line(root / ".gitignore", ".pytest_llmreplay/")
    _add_line(root / ".gitattributes", "golden/**/*.parquet diff=llmreplay")
    _promote_example(root)
    if find_project(root).root != root:
        click.echo(f"note: pytest takes {find_project(root).root} for the project; run it with --rootdir=.")
    click.echo("for git diff: git config diff.llmreplay.textconv 'pytest-llmreplay golden export'")
    click.echo("next: pytest golden/ --llmreplay-baseline v1")


def _content(starter: Traversable, name: str) -> str:
    return starter.joinpath(*name.split("/")).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    shown = path.relative_to(Path.cwd()).as_posix()
    if path.exists():
        click.echo(f"left alone {shown}: it exists")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {shown}")


def _add_line(path: Path, line: str) -> None:
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if line not in before.splitlines():
        path.write_text(before + ("" if before.endswith("\n") or not before else "\n") + line + "\n", encoding="utf-8")
        click.echo(f"added {line} to {path.name}")


def _promote_example(root: Path) -> None:
    """Promote the log's conversation as `pytest-llmreplay promote` does."""
    from pytest_llmreplay.cli.promote import promote

    if (root / _GOLDEN).exists():
        click.echo(f"left alone {_GOLDEN}: it exists")
        return
    context = click.get_current_context()
    reason = "the example is invented"
    context.invoke(promote, logs=(_LOG,), out=Path(_GOLDEN), expect_column="expect", store_personal_data=reason)
