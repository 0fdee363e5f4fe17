"""The workflow files in `docs/ci.md` are parsed and their shell steps run; commands in the documents exist."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_llmreplay.cli.main import _COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
SHIM_GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
case "$*" in *--paginate*) cat "$GH_IDS" ;; esac
"""


def blocks(name, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def workflow(key):
    [found] = [data for data in map(yaml.safe_load, blocks("ci.md", "yaml")) if key in data]
    return found


@pytest.fixture
def project(tmp_path):
    """A project as `init` writes it, and a shell in which pip does nothing and gh only takes notes."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "gh").write_text(SHIM_GH)
    real = Path(sys.executable).parent
    (bin_folder / "python").write_text(
        f'#!/bin/sh\ncase "$*" in *"pip install"*) exit 0 ;; esac\nexec {real}/python "$@"\n'
    )
    (bin_folder / "pytest").write_text(
        f'#!/bin/sh\nexec {real}/pytest -p no:cacheprovider -p no:hypothesispytest "$@"\n'
    )
    for shim in bin_folder.iterdir():
        shim.chmod(0o755)
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "ids").write_text("")
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}:{real}:{os.environ['PATH']}",
        "GH_LOG": str(tmp_path / "gh.log"),
        "GH_IDS": str(tmp_path / "ids"),
        "COMMENTS": "repos/o/r/issues",
        "NUMBER": "7",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }

    def shell(script, code=0):
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    shell("pytest-llmreplay init")
    (root / "configs" / "gate.yaml").write_text("kind: gate\n")
    shell.root, shell.folder = root, tmp_path
    return shell


def test_the_github_workflow_runs(project):
    steps = {step["name"]: step["run"] for step in workflow("jobs")["jobs"]["gate"]["steps"] if "run" in step}
    assert list(steps) == ["Install", "Replay", "Gate", "Report", "Comment"]
    printed = "".join(project(script) for script in steps.values())
    assert "::notice title=llmreplay%3A pass::" in printed
    assert (project.folder / "summary.md").read_text().startswith("<!-- pytest-llmreplay -->")
    for name in ("report.html", "evidence.json", "comment.md", "llmreplay-junit.xml"):
        assert (project.root / name).stat().st_size
    (project.folder / "ids").write_text("42\n43\n")
    project(steps["Comment"])
    calls = (project.folder / "gh.log").read_text().splitlines()
    assert calls[1] == "api --method POST repos/o/r/issues/7/comments -F body=@comment.md"
    assert calls[3] == "api --method PATCH repos/o/r/issues/comments/42 -F body=@comment.md"


def test_a_red_gate_stops_the_github_job_and_a_broken_suite_does_too(project):
    steps = {step["name"]: step["run"] for step in workflow("jobs")["jobs"]["gate"]["steps"] if "run" in step}
    variant = project.root / "configs/v2.yaml"
    case = project("pytest golden/ --collect-only -q | grep -o 'example-1-[0-9a-f]*' | head -1").strip()
    variant.write_text("kind: variant\nname: v2\nextends: v1.yaml\n")
    (project.root / "configs/gate.yaml").write_text(f"kind: gate\nmust_fix: [{case}]\n")
    project(steps["Replay"])
    assert "::error title=llmreplay%3A regression::must_fix" in project(steps["Gate"], code=1)
    variant.write_text("kind: variant\nname: v2\n")
    code = int(project("code=0; pytest golden/ --llmreplay-baseline v1 -q > log.txt 2>&1 || code=$?; echo $code"))
    assert code not in (0, 1, 10)
    project(steps["Replay"], code=code)


def test_the_gitlab_job_runs(project):
    job = workflow("llmreplay")["llmreplay"]
    assert job["allow_failure"] == {"exit_codes": [10]}
    project("\n".join(job["script"]))
    for name in [*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]]:
        assert (project.root / name).exists()


@pytest.mark.parametrize("name", ["ci.md", "gate.md", "report.md"])
def test_every_command_and_option_in_the_documents_exists(name):
    lines = "\n".join(blocks(name, "sh") + blocks(name, "yaml")).splitlines()
    commands = [line.strip().removeprefix("- ").removeprefix("run: ") for line in lines]
    found = [shlex.split(line) for line in commands if line.startswith("pytest-llmreplay ")]
    assert found
    for _, command, *rest in found:
        module, _, attribute = _COMMANDS[command].partition(":")
        click_command = getattr(importlib.import_module(module), attribute)
        if hasattr(click_command, "commands"):
            click_command = click_command.commands[rest[0]]
        known = {option for parameter in click_command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, command


def test_the_policies_in_the_documents_are_valid():
    from pytest_llmreplay.compare import GatePolicy

    policies = [data for data in map(yaml.safe_load, blocks("gate.md", "yaml")) if data.get("kind") == "gate"]
    assert policies
    for policy in policies:
        GatePolicy.model_validate(policy)
    keys = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "gate.md").read_text(), re.MULTILINE)) - {
        "pass",
        "regression",
        "unmeasurable",
    }
    assert keys == set(GatePolicy.model_fields) - {"kind"}
