"""`make demo` where the local model cannot be installed: it says so and replays from its cassette."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.store.runs import RunStore

ROOT = Path(__file__).parent.parent
CASSETTE = ROOT / "examples" / "cassettes" / "demo.parquet"
RECORD_AGAIN = (
    "the demo's cassette does not fit the variants, the environment and the golden suite any more; record it again: "
    "rm -r .pytest_llmreplay/recordings; make demo; "
    "pytest-llmreplay cassettes commit --out examples/cassettes/demo.parquet --replace"
)
NO_PACKAGE = "raise ImportError('no xllamacpp for this machine')"
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("missing", ["the package", "the model"])
def test_the_demo_replays_from_its_cassette(tmp_path, missing):
    checkout, stubs = tmp_path / "checkout", tmp_path / "stubs"
    for folder in ("golden", "configs", "examples"):
        shutil.copytree(ROOT / folder, checkout / folder)
    for file in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / file, checkout)
    stubs.mkdir()
    (stubs / "xllamacpp.py").write_text(NO_PACKAGE if missing == "the package" else "")
    environ = {
        **os.environ, **NO_INDEX, "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(stubs), str(ROOT)]), "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }  # fmt: skip
    command = ["make", "-o", ".venv/demo.stamp", "demo", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)
    said = [line for line in done.stdout.splitlines() if "cannot be installed" in line]
    assert len(said) == 1, done.stdout + done.stderr
    outcomes = RunStore(checkout / ".pytest_llmreplay").load()[1]
    assert not [outcome for outcome in outcomes if outcome.status == "error"], RECORD_AGAIN
    assert {(o.variant, o.status, o.live_share) for o in outcomes} == {
        (variant, status, 0.0) for variant in ("v1", "v2") for status in ("passed", "failed")
    }
    assert len({outcome.trial_id for outcome in outcomes}) == 120
    passed = [outcome.variant for outcome in outcomes if outcome.status == "passed"]
    assert (passed.count("v1"), passed.count("v2")) == (14, 45), RECORD_AGAIN
    assert done.returncode == 0
    assert "a gate would stop this deploy" in done.stdout


def test_the_cassette_is_small_and_holds_nothing_but_the_demo():
    assert CASSETTE.stat().st_size < 100_000
    rows = pq.read_table(CASSETTE, columns=["provider", "model", "trial"]).to_pylist()
    assert len(rows) == 240
    assert {(row["provider"].partition(":")[0], row["model"], row["trial"]) for row in rows} == {
        ("local", "local/smollm2", 1)
    }
