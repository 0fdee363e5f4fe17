import pytest

from pytest_llmreplay.config.project import find_project
from pytest_llmreplay.config.references import fill_environment
from pytest_llmreplay.model.errors import UserError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\nllmreplay_golden = ["suites"]\n'),
        ("pyproject.toml", '[tool.pytest]\nllmreplay_golden = ["suites"]\n'),
        ("pytest.ini", "[pytest]\nllmreplay_golden = suites\n"),
        ("tox.ini", "[pytest]\nllmreplay_golden =\n    suites\n"),
        ("setup.cfg", "[tool:pytest]\nllmreplay_golden = suites\n"),
    ],
)
def test_the_project_is_the_nearest_folder_with_pytest_settings(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    project = find_project(inner)
    assert project.root == tmp_path
    assert project.golden == [tmp_path / "suites"]


def test_without_settings_it_is_the_nearest_pyproject_and_else_the_folder_itself(tmp_path):
    inner = tmp_path / "a"
    inner.mkdir()
    assert find_project(inner).root == inner
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_project(inner).root == tmp_path
    assert find_project(inner).golden == [tmp_path / "golden"]


def test_a_broken_settings_file_is_one_sentence(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(UserError, match="cannot be read"):
        find_project(tmp_path)


def test_environment_variables_are_filled_in_or_named():
    assert fill_environment("http://${HOST}/v1", {"HOST": "h"}) == "http://h/v1"
    with pytest.raises(UserError, match="the environment variable HOST is not set"):
        fill_environment("http://${HOST}/v1", {})
