import json

from pytest_llmreplay.model.case import Provenance
from tests.session.conftest import make_case


def test_a_log_without_numbered_trials_has_one_trial_of_each_case(plain_project):
    plain_project.golden(make_case("hard-1", "hard, I want a human", "human", provenance=Provenance(trace_id="t-1")))
    rows = [
        {
            "conversation_id": "t-1",
            "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "no"}],
        }
    ]
    (plain_project.root / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (plain_project.root / "configs" / "v1.yaml").write_text(
        "kind: variant\nname: v1\ntarget: {type: traces, logs: ../old.jsonl}\n"
    )
    result = plain_project.run("golden", "--llmreplay-baseline", "v1", "--llmreplay-trials", "3")
    assert result.ret == 0, result.stdout.str()
    assert plain_project.outcomes() == {
        ("hard-1", "v1", 1): "failed",
        **{("hard-1", "v2", n): "passed" for n in (1, 2, 3)},
    }


def test_a_case_is_joined_to_a_log_as_a_yaml_file_says_it(plain_project):
    expect = {"answer": {"contains_any": ["human"]}}
    plain_project.golden(make_case("hard-1", "I want a human", "human", metadata={"task_id": "7"}, expect=expect))
    said = [("7", "v0", 1, "early"), ("7", "v1", 2, "later"), ("7", "v1", 1, "human"), ("8", "v1", 1, "another")]
    rows = [
        {
            "id": f"r{number}",
            "task_id": task,
            "run_id": run,
            "attempt": attempt,
            "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": answer}],
        }
        for number, (task, run, attempt, answer) in enumerate(said)
    ]
    (plain_project.root / "shadow.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (plain_project.root / "configs" / "v1.yaml").write_text(
        "kind: variant\nname: v1\n"
        "target: {type: traces, logs: ../shadow.jsonl, on: task_id, where: \"run_id = 'v1'\", trial: attempt}\n"
    )
    result = plain_project.run("golden", "--llmreplay-variant", "configs/v1.yaml", "--llmreplay-trials", "2")
    assert plain_project.outcomes() == {("hard-1", "v1", 1): "passed", ("hard-1", "v1", 2): "failed"}, result.outlines
