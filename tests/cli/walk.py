"""Walking through a page: its files are written and its commands run in their order, with the output shown."""

import fnmatch
import re
import shlex
import subprocess
import sys

EXIT_CODE = re.compile(r"\s+# exit code (\d+)$")


def walk(page, program_in):
    """Do what the page says; how many commands were run."""
    ran = 0
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if language != "console":
            path = program_in.root / block.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
            continue
        for command, code, shown in commands_in(block):
            printed_text = run(program_in, command, code)
            lines = iter(printed_text.splitlines())
            for line in shown:
                pattern = "*".join(re.sub(r"([\[*?])", r"[\1]", part) for part in line.split("…"))
                assert any(fnmatch.fnmatchcase(printed, pattern) for printed in lines), (
                    f"{command}\n{line}\n{printed_text}"
                )
            ran += 1
    return ran


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
    if name == "python":
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=program_in.root, check=True, capture_output=True, text=True).stdout
    assert name == "pytest-llmreplay"
    return program_in(*arguments, code=code).output
