import pytest

from pytest_llmreplay.config.check import check_configs
from pytest_llmreplay.config.judge import load_judge, load_rubric, rubric_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.rubric import InlineRubric, RubricReference

RUBRIC = "kind: rubric\ncriteria:\n  - {id: polite, question: 'Is it polite?'}\n"
JUDGE = "kind: judge\ntarget: {type: model, model: openai/gpt-4.1}\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "configs" / "rubrics").mkdir(parents=True)
    (tmp_path / "configs" / "rubrics" / "support.yaml").write_text(RUBRIC)
    (tmp_path / "configs" / "judge.yaml").write_text(JUDGE)
    return tmp_path


def test_rubrics_and_judges_are_read_from_their_files(project):
    assert load_rubric(project / "configs/rubrics/support.yaml").criteria[0].id == "polite"
    assert load_judge(project / "configs/judge.yaml").target.model == "openai/gpt-4.1"


def test_the_rubric_of_a_case_is_its_own_or_that_of_a_file_in_the_project(project):
    named = RubricReference(file="configs/rubrics/support.yaml")
    inline = InlineRubric(criteria=[{"id": "polite", "question": "Is it polite?"}])
    assert rubric_of(named, project).digest == rubric_of(inline, project).digest
    for path, said in (("../secret.yaml", "leads out of the project"), ("configs/none.yaml", "no such rubric")):
        with pytest.raises(UserError, match=said):
            rubric_of(RubricReference(file=path), project)


def test_validate_finds_mistakes_in_rubrics_and_judges(project):
    (project / "configs" / "rubrics" / "bad.yaml").write_text(RUBRIC.replace("question", "qeustion"))
    (project / "configs" / "judge.yaml").write_text(JUDGE + "vote: 3\n")
    _, problems = check_configs(project / "configs", project)
    text = "\n".join(map(str, problems))
    assert "did you mean 'question'?" in text
    assert "did you mean 'votes'?" in text


def test_validate_names_the_case_whose_rubric_is_not_there(project, monkeypatch):
    from click.testing import CliRunner

    from pytest_llmreplay.cli.main import program
    from pytest_llmreplay.store.cases import write_cases
    from tests.session.conftest import make_case

    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "golden").mkdir()
    (project / "configs" / "rubrics" / "bad.yaml").write_text(RUBRIC.replace("question", "qeustion"))
    cases = [
        make_case(name, "hi", "order", expect={"rubric": {"file": f"configs/rubrics/{file}.yaml"}})
        for name, file in (("gone-1", "gone"), ("bad-1", "bad"), ("bad-2", "bad"), ("good-1", "support"))
    ]
    write_cases(project / "golden" / "s.parquet", cases)
    monkeypatch.chdir(project)
    result = CliRunner().invoke(program, ["validate"])
    problems = [line for line in result.output.splitlines() if line.startswith("problem:")]
    assert len([line for line in problems if "golden/s.parquet::gone-1: expect.rubric.file" in line]) == 1
    assert len([line for line in problems if "did you mean 'question'?" in line]) == 1
