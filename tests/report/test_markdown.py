import re

import pytest

from pytest_llmreplay.report.fence import fenced
from pytest_llmreplay.report.github import annotation_lines
from pytest_llmreplay.report.markdown import LONGEST, MARKER, code, escaped, markdown_text
from tests.compare.build import many, rows
from tests.report.made import CONTROL, EVIL, compared, decided, hostile_rows, many_red


def test_the_comment_is_found_again_by_its_first_line():
    comparison = compared(many(both_pass=3))
    assert markdown_text(comparison).splitlines()[0] == MARKER
    assert markdown_text(comparison, marker="<!-- mine -->").startswith("<!-- mine -->\n")


@pytest.mark.parametrize("count", [0, 5, 300, 3000])
def test_it_is_never_too_large_and_the_least_severe_go_first(count):
    comparison = many_red(count, "ä" * 200) if count else compared(many(both_pass=3))
    decision = decided(comparison)
    commands = {item.case_id: f"pytest golden/a.parquet::{item.case_id}" for item in decision.red}
    text = markdown_text(comparison, decision, commands=commands)
    assert len(text.encode()) <= LONGEST
    rows_shown = re.findall(r"^\| (critical|high|medium|low) \|", text, re.MULTILINE)
    assert rows_shown == sorted(rows_shown, key=["critical", "high", "medium", "low"].index)
    assert len(rows_shown) == min(count, len(rows_shown))
    if count == 3000:
        assert f"_{count - len(rows_shown)} more red cases (" in text
        assert "low) did not fit here" in text
    else:
        assert "did not fit" not in text or count == 300


def test_nothing_that_a_model_wrote_becomes_markup_a_link_or_a_mention():
    comparison = compared(hostile_rows())
    text = markdown_text(comparison, decided(comparison), commands={})
    text.encode("utf-8")
    bare = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text.replace("\\`", ""))
    bare = (
        bare.replace(MARKER, "").replace("<details><summary>", "").replace("</summary>", "").replace("</details>", "")
    )
    assert not re.search(r"(?<!\\)<", bare)
    assert "@octocat" not in bare
    assert "https://evil" not in bare
    assert not re.search(r"(?<!\\)\]\(", bare)
    assert not {"\x1b", "\u202e", "\x00"} & set(text)
    for line in text.splitlines():
        assert not line.startswith(("::", "##["))


def test_hostile_text_stays_in_its_cell():
    comparison = compared(hostile_rows())
    text = markdown_text(comparison, decided(comparison))
    [line] = [line for line in text.splitlines() if line.startswith("| critical |")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 7


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a``b`", "x|y", "", "  "])
def test_code_is_closed_by_the_fence_that_opens_it(text):
    shown = code(text)
    if not text.strip():
        assert shown == ""
        return
    fence = re.match("`+", shown)[0]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)]


def test_escaped_text_reads_the_same():
    assert escaped("a*b_c") == r"a\*b\_c"
    assert escaped("@me www.x.y") == "@\u200bme w\u200bww.x.y"


def test_all_that_is_red_is_annotated_up_to_what_github_shows():
    lines = list(annotation_lines(decided(many_red(30)), {"case-00003": "golden/a,b:c.parquet"}))
    assert len(lines) == 10
    assert lines[0].startswith("::error title=llmreplay%3A regression::max_regressions")
    assert lines[1] == "::error title=critical%3A case-00003,file=golden/a%2Cb%3Ac.parquet::wrong"


def test_a_pass_is_a_notice_and_what_cannot_be_told_a_warning():
    good = decided(compared(rows({"a": ("P", "P", CONTROL)})))
    unclear = decided(compared(rows({"a": ("P", "E", CONTROL)})))
    assert [line.split(" ")[0] for line in annotation_lines(good, {})] == ["::notice"]
    assert [line.split(" ")[0] for line in annotation_lines(unclear, {})] == ["::warning"]


def test_an_annotation_is_one_line_whatever_is_in_it():
    for line in annotation_lines(decided(compared(hostile_rows())), {f"evil {EVIL}": EVIL}):
        assert len(line.splitlines()) == 1
        properties = re.match(r"::error ([^:]*)::", line)[1]
        assert all(part.split("=")[0] in ("title", "file") for part in properties.split(","))


def test_a_fence_ends_with_its_own_token_only():
    text = fenced("::error::x\n::other::", "token")
    assert text.splitlines() == ["::stop-commands::token", "::error::x", "::other::", "::token::"]
