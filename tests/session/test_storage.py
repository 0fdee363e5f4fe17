"""Where nothing can be written: a full disk, a limit on files, a read-only project."""

import os
import resource
import shutil
import subprocess

import pytest

from tests.fault_runs import VARIANT, WINDOW, fault_cases, finish, outcomes, start, write_project
from tests.loopback import FaultyModel, serving


def no_room_for_files_beyond(size):
    """What a full disk does, for any user and everywhere: a file does not grow any more."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "-n2"])
def test_a_run_that_cannot_be_kept_any_more_stops_paying_and_goes_on_later(plain_project, arguments):
    model, root = FaultyModel(latency_s=0.05), plain_project.root
    with serving(model.routes()) as url:
        write_project(root, fault_cases(200), url)
        process = start(root, *VARIANT, *arguments, preexec_fn=no_room_for_files_beyond(40_000))
        output = finish(process)
        check_stopped(root, process.returncode, output, model, "File too large")
        sent = model.requests
        plain_project.run(*VARIANT, "--llmreplay-resume").assert_outcomes(passed=200)
    assert sent <= model.requests <= 200 + 2 * WINDOW


def test_a_full_disk(plain_project):
    model, root = FaultyModel(latency_s=0.05), plain_project.root
    state = root / ".pytest_llmreplay"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", state]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system of its own may not be mounted here")
    try:
        with serving(model.routes()) as url:
            write_project(root, fault_cases(200), url)
            output = finish(process := start(root, *VARIANT))
            check_stopped(root, process.returncode, output, model, "No space left on device")
            subprocess.run(["mount", "-o", "remount,size=20m", state], check=True)
            plain_project.run(*VARIANT, "--llmreplay-resume").assert_outcomes(passed=200)
        assert model.requests <= 200 + 2 * WINDOW
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)


def check_stopped(root, code, output, model, why):
    assert code == 10, output
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output
    assert f"cannot be written: {why}" in output
    assert model.requests < 200
    kept = [outcome for outcome in outcomes(root) if outcome.status == "passed"]
    assert 0 < len(kept) <= model.answered
    assert len(kept) >= model.answered - 2 * WINDOW


@pytest.fixture
def read_only(plain_project):
    """Makes the project read-only and gives the beginning of a command that has to respect it, even as root."""
    places = []

    def lock():
        places.extend([plain_project.root, *plain_project.root.rglob("*")])
        for place in places:
            place.chmod(0o555 if place.is_dir() else 0o444)

    yield lock
    for place in places:
        place.chmod(0o755)


def without_powers():
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and setpriv is not here to take that away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "-n2"])
def test_a_read_only_project_runs_from_its_recordings_and_sends_nothing(plain_project, read_only, arguments):
    prefix, root = without_powers(), plain_project.root
    model = FaultyModel()
    with serving(model.routes()) as url:
        write_project(root, fault_cases(10), url)
        plain_project.run(*VARIANT).assert_outcomes(passed=10)
        read_only()
        refused = finish(process := start(root, *VARIANT, *arguments, prefix=prefix))
        assert process.returncode not in (0, 1), refused
        assert "Traceback" not in refused
        assert "INTERNALERROR" not in refused
        assert "cannot be written: Permission denied; nothing could be kept; with --llmreplay-record none" in refused
    output = finish(process := start(root, *VARIANT, *arguments, "--llmreplay-record", "none", prefix=prefix))
    assert process.returncode == 0, output
    assert "10 passed" in output
    [notice] = [line for line in output.splitlines() if line.startswith("notice: ")]
    folder = notice.removeprefix("notice: this run is kept in ").partition(": ")[0]
    kept = outcomes(folder, state="")
    assert [outcome.status for outcome in kept] == ["passed"] * 10
    assert model.requests == 10
    shutil.rmtree(folder)
