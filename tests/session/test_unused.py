"""The plugin when it is installed and not used."""

import subprocess
import sys
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def test_no_dependency_brings_a_pytest_plugin_of_its_own():
    """Each would be loaded in every session; anyio comes with litellm."""
    packages: dict[str, Distribution] = {}
    add_with_needed("pytest-llmreplay", packages)
    brought = {point.name for package in packages.values() for point in package.entry_points.select(group="pytest11")}

    assert brought == {"llmreplay", "anyio"}


def add_with_needed(name, packages):
    """Add an installed package and all that it needs, extras left out."""
    packages[canonicalize_name(name)] = distribution(name)
    for needed in map(Requirement, distribution(name).requires or ()):
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if applies and canonicalize_name(needed.name) not in packages:
            add_with_needed(needed.name, packages)
