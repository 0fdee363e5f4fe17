"""Golden cases in Parquet: the door to this part of the store."""

from pytest_llmreplay.store.case_files import golden_files, is_case_file
from pytest_llmreplay.store.case_index import BadRow, CaseEntry, CaseLabels, read_index
from pytest_llmreplay.store.case_read import BadCase, CaseFile, find_case, read_cases
from pytest_llmreplay.store.case_schema import case_schema
from pytest_llmreplay.store.case_write import rewrite_cases, write_cases
from pytest_llmreplay.store.kept_index import KeptIndex

__all__ = [
    "BadCase",
    "BadRow",
    "CaseEntry",
    "CaseFile",
    "CaseLabels",
    "KeptIndex",
    "case_schema",
    "find_case",
    "golden_files",
    "is_case_file",
    "read_cases",
    "read_index",
    "rewrite_cases",
    "write_cases",
]
