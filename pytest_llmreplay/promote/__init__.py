"""From a production conversation to a golden case."""

from pytest_llmreplay.promote.borrow import Lender, borrow, missing_results, parse_stub, stub
from pytest_llmreplay.promote.duplicates import NEAR, Duplicate, SuiteIndex
from pytest_llmreplay.promote.expect import expect_from_column, expect_from_file
from pytest_llmreplay.promote.labels import EVIDENCE, Given, label, proposals, relabelled
from pytest_llmreplay.promote.logged import logged_intent
from pytest_llmreplay.promote.migration import ToolMigration, migrate_tools
from pytest_llmreplay.promote.pipeline import Promotion, Step, Stopped, StoppedError, promote, with_status
from pytest_llmreplay.promote.propose import PROPOSED, propose
from pytest_llmreplay.promote.prove import PROOF, bites, production_report, prove
from pytest_llmreplay.promote.references import (
    Hashes,
    UnresolvedError,
    as_references,
    reference_for,
    with_text,
)

__all__ = [
    "EVIDENCE",
    "NEAR",
    "PROOF",
    "PROPOSED",
    "Duplicate",
    "Given",
    "Hashes",
    "Lender",
    "Promotion",
    "Step",
    "Stopped",
    "StoppedError",
    "SuiteIndex",
    "ToolMigration",
    "UnresolvedError",
    "as_references",
    "bites",
    "borrow",
    "expect_from_column",
    "expect_from_file",
    "label",
    "logged_intent",
    "migrate_tools",
    "missing_results",
    "parse_stub",
    "production_report",
    "promote",
    "proposals",
    "propose",
    "prove",
    "reference_for",
    "relabelled",
    "stub",
    "with_status",
    "with_text",
]
