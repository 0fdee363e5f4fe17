"""Asking a person, and printing what may hold text of models: on a terminal, and where a CI runner reads along."""

from __future__ import annotations

import os
import shutil
import sys

import click

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.fence import fenced_on_github
from pytest_llmreplay.report.paint import Screen


def screen_of(quiet: bool, verbose: bool) -> Screen:
    """The terminal at hand; a pipe is 100 columns wide and has no colour."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns
    return Screen(width=width, colour=colour, verbosity=-1 if quiet else 1 if verbose else 0)


def confirmed(question: str, yes: bool) -> None:
    """Ask before what was listed is done, unless `yes` was said; a "no" ends the command.

    Raises:
        UserError: there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("there is no terminal to ask on", fix="look at the list above and add --yes")
    click.confirm(question, abort=True)


def echo_json(written: str) -> None:
    """Print JSON for a program: no fence around it, and no line of it that a runner would follow.

    A line of ASCII JSON cannot begin with `::`; the older commands may stand anywhere in a line, but only in a string.
    """
    click.echo(written.replace("##[", "#\\u0023["))


def echo(text: str) -> None:
    """Print, fenced against workflow commands where a runner would follow them."""
    click.echo(fenced_on_github(text))
