"""Two branches that each promote, edit or approve: git merges what can be merged."""

import subprocess
import sys

import pytest

from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

EXPECT = {"calls": {"expected": [{"name": "order"}]}}


@pytest.fixture
def git(program_in):
    def run(*arguments):
        options = ("-c", "user.name=n", "-c", "user.email=e@x.example", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *options, *arguments], cwd=program_in.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("init", "-q", "-b", "trunk")
    run("commit", "-q", "--allow-empty", "-m", "begin")
    return run


@pytest.fixture
def promote(program_in, log, git):
    log(*(conversation(f"t-{i}", f"question number {i}, is it {i * 7}?", expect=EXPECT) for i in range(4)))

    def run(branch, *ids, by):
        git("checkout", "-q", "-B", branch, "trunk")
        chosen = [part for one in ids for part in ("--id", one)]
        program_in("promote", "log.jsonl", *chosen, "--expect-column", "expect", "--by-whom", by)
        git("add", "golden")
        git("commit", "-qm", branch)

    return run


def test_two_branches_that_each_promote_merge_without_a_conflict(program_in, git, promote):
    promote("mine", "t-0", "t-1", by="ann")
    promote("theirs", "t-2", by="ben")
    git("checkout", "-q", "trunk")
    git("merge", "-q", "mine")
    git("merge", "-q", "--no-edit", "theirs")
    files = sorted((program_in.root / "golden" / "log").glob("*.parquet"))
    assert sorted(case.provenance.trace_id for file in files for case in read_cases(file)) == ["t-0", "t-1", "t-2"]
    assert "3 cases, 0 variants, 0 problems" in program_in("validate").output


def test_the_same_conversation_on_two_branches_merges_and_validate_names_it(program_in, git, promote):
    promote("mine", "t-0", by="ann")
    promote("theirs", "t-0", by="ben")
    git("checkout", "-q", "trunk")
    git("merge", "-q", "mine")
    git("merge", "-q", "--no-edit", "theirs")
    assert "is also in golden/log/" in program_in("validate", code=1).stderr


def test_git_shows_golden_files_as_text(program_in, git, promote):
    program = "from pytest_llmreplay.cli.main import main; main()"
    (program_in.root / "text.sh").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" golden export "$1"\n')
    (program_in.root / "text.sh").chmod(0o700)
    git("config", "diff.llmreplay.textconv", str(program_in.root / "text.sh"))
    (program_in.root / ".gitattributes").write_text("golden/**/*.parquet diff=llmreplay\n")
    promote("mine", "t-0", by="ann")
    [file] = (program_in.root / "golden" / "log").glob("*.parquet")
    [case] = read_cases(file)
    program_in("golden", "retire", case.case_id, "--reason", "the tool is gone")
    shown = git("diff", "golden")
    assert "-status: open\n+status: retired" in shown
    assert "+  retired_because: the tool is gone" in shown
