"""The plugin when it is installed and not used."""

import subprocess
import sys

HEAVY = {
    "pyarrow", "duckdb", "litellm", "aiohttp", "pydantic", "yaml", "scipy", "numpy", "jsonschema", "jinja2", "tabulate",
    "click", "rich", "asyncio", "multiprocessing",
}  # fmt: skip


def test_it_imports_nothing_heavy(tmp_path):
    (tmp_path / "test_x.py").write_text("def test_x(): pass\n")
    script = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "code = pytest.main(['-q', '-p', 'no:cacheprovider', *sys.argv[1:]])\n"
        "print('CODE', int(code))\n"
        "print('MODULES', *sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
        "print('OURS', *sorted(name for name in sys.modules if name.startswith('pytest_llmreplay')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:anyio"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    lines = {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines() if line.split()}
    assert lines["CODE"] == {"0"}
    assert "pytest_llmreplay.plugin" in lines["OURS"]
    assert lines["OURS"] <= {
        "pytest_llmreplay", "pytest_llmreplay.plugin", "pytest_llmreplay.session", "pytest_llmreplay.session.options",
    }  # fmt: skip
    assert not lines["MODULES"] & HEAVY


def test_xdist_alone_does_not_start_an_engine(pytester):
    pytester.makepyfile("def test_x(): pass")
    result = pytester.runpytest_subprocess("-n2", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert not (pytester.path / ".pytest_llmreplay").exists()
