"""What the golden files say of the cases of a report: title, conversation, expectation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.case import Case


def case_contexts(project: Project, rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """By case id, what its golden file says; and what a reader has to know of those that it cannot say.

    A file that is gone or a case that has changed since the run says nothing: the report would show another case.
    """
    digests = {str(row["case_id"]): row.get("case_digest") for row in rows if row.get("case_file")}
    files = sorted({str(row["case_file"]) for row in rows if row.get("case_file")})
    found: dict[str, dict[str, Any]] = {}
    notes, changed = [], 0
    for file in files:
        try:
            for case in cases_in(project, file, set(digests)):
                if digests[case.case_id] and case.content_digest != digests[case.case_id]:
                    changed += 1
                    continue
                found[case.case_id] = {**_context(case), "file": file}
        except UserError as error:
            notes.append(f"The conversations of a golden file are not shown: {error}.")
    if changed:
        notes.append(f"{changed} cases have changed since the run; their conversations are not shown.")
    return found, notes


def cases_in(project: Project, file: str, wanted: set[str]) -> Iterator[Case]:
    """The wanted cases in a golden file, named as a run names it.

    Raises:
        UserError: it is not a file of this project, or cannot be read.
    """
    from pytest_llmreplay.store.cases import BadCase, CaseEntry, CaseFile, read_index

    path = (project.root / file).resolve()
    if not path.is_relative_to(project.root) or not path.is_file():
        raise UserError("is not a file of this project", file=file)
    opened = CaseFile(path)
    for entry in read_index(path):
        if isinstance(entry, CaseEntry) and entry.case_id in wanted:
            try:
                yield opened.load(entry.row)
            except BadCase:
                # Its outcome is an error that says so; there is no conversation to show beside it.
                continue


def _context(case: Case) -> dict[str, Any]:
    from pytest_llmreplay.model.conversation import turns_of

    turns = turns_of(case.messages)
    end = stop = len(case.messages)
    if 1 <= case.turn <= len(turns):
        turn = turns[case.turn - 1]
        end, stop = turn.start + 1, turn.stop
    messages = [
        {
            "role": message.role,
            "content": message.content or message.refusal or message.content_parts,
            "calls": [[call.name, call.arguments] for call in message.tool_calls],
        }
        for message in case.messages
    ]
    return {
        "title": case.title,
        "user": messages[end - 1]["content"] if messages else None,
        "summary": case.summary,
        "owner": case.owner,
        "due": case.due,
        "messages": messages[:end],
        "produced": messages[end:stop],
        "expect": dict(case.expect),
    }
