"""`docs/incident.md` is true: its files are written and its commands run in their order, with the output shown."""

import fnmatch
import re
import shlex
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "incident.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")


def commands_in(block):
    """Each command with the exit code that it says and the lines of output that are shown."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        code = EXIT_CODE.search(command)
        yield EXIT_CODE.sub("", command), int(code.group(1)) if code else 0, [line for line in shown if line.strip()]


def run(program_in, command, code):
    name, *arguments = shlex.split(command)
    if name == "pytest":
        return program_in.pytest(*arguments, code=code)
    assert name == "pytest-llmreplay"
    return program_in(*arguments, code=code).output


def test_the_walk_through(program_in, monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    for folder in ("logs", "configs"):
        (program_in.root / folder).mkdir()
    shutil.copy(ROOT / "examples" / "logs" / "support.parquet", program_in.root / "logs")
    ran = 0
    for language, block in BLOCKS:
        if language != "console":
            path = program_in.root / block.splitlines()[0].removeprefix("# ")
            path.write_text(block, encoding="utf-8")
            continue
        for command, code, shown in commands_in(block):
            lines = iter(run(program_in, command, code).splitlines())
            for line in shown:
                pattern = "*".join(re.sub(r"([\[*?])", r"[\1]", part) for part in line.split("…"))
                assert any(fnmatch.fnmatchcase(printed, pattern) for printed in lines), f"{command}\n{line}"
            ran += 1
    assert ran == 12
    assert (program_in.root / "report.html").stat().st_size > 10_000
    assert "12345" not in (program_in.root / "comment.md").read_text(encoding="utf-8")
