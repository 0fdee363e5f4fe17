import pytest

from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.variant import Environment, ModelTarget


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


V1 = """
kind: variant
name: v1
target: {type: model, model: openai/small, params: {temperature: 0}, max_concurrency: 7}
system_prompt: You are a bot.
tools: [{name: look, effect: read}]
"""


def test_a_variant_extends_another_and_states_only_what_changes(write):
    write("v1.yaml", V1)
    path = write(
        "v2.yaml",
        "kind: variant\nname: v2\nextends: v1.yaml\ntarget: {params: {top_p: 1}}\nsystem_prompt: Be kind.\n",
    )
    variant = load_variant(path)
    assert variant.name == "v2"
    assert isinstance(variant.target, ModelTarget)
    assert variant.target.params == {"temperature": 0, "top_p": 1}
    assert variant.target.max_concurrency == 7
    assert variant.system_prompt == "Be kind."
    assert [tool.name for tool in variant.tools] == ["look"]


def test_a_target_of_another_type_shares_nothing_with_the_one_it_replaces(write):
    write("v1.yaml", V1)
    path = write("v2.yaml", "kind: variant\nname: v2\nextends: v1.yaml\ntarget: {type: callable, function: 'a:b'}\n")
    assert load_variant(path).target.type == "callable"


def test_references_are_relative_to_the_file_that_states_them(write):
    write("base/prompts/p.md", "From the base.")
    write(
        "base/v1.yaml",
        "kind: variant\nname: v1\ntarget: {type: callable, function: 'a:b'}\nsystem_prompt: file://prompts/p.md\n",
    )
    path = write("v2.yaml", "kind: variant\nname: v2\nextends: base/v1.yaml\n")
    assert load_variant(path).system_prompt == "From the base."


def test_tools_and_examples_come_from_files(write):
    write("t.yaml", "kind: tools\ntools: [{name: a}, {type: function, function: {name: b}}]\n")
    write(
        "e.yaml",
        "kind: messages\nmessages: [{role: user, content: hi}, {role: assistant, tool_calls: [{name: a, arguments: {x: 1}}]}]\n",
    )
    path = write(
        "v.yaml",
        "kind: variant\nname: v\ntarget: {type: callable, function: 'a:b'}\ntools: file://t.yaml\nexamples: file://e.yaml\n",
    )
    variant = load_variant(path)
    assert [tool.name for tool in variant.tools] == ["a", "b"]
    assert variant.examples[1].tool_calls[0].arguments == '{"x": 1}'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: varient\nname: v", "kind: must be 'variant' here (found 'varient')"),
        ("name: v", "kind: is missing; write 'kind: variant'"),
        ("kind: variant\nname: v", "target: is missing"),
        ("kind: variant\nname: v\ntarget: {type: modle, model: x}", "target.type: unknown value (found 'modle'); allowed: model, callable, http, traces; did you mean 'model'?"),
        ("kind: variant\nname: v\ntarget: {model: x}", "target.type: is missing"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x, temperatur: 1}", "target.temperatur: unknown key (found 'temperatur'); allowed: api_base"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x}\nsystem_promt: x", "did you mean 'system_prompt'?"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x}\nreplay: {mode: each}", "replay.mode: unknown value (found 'each'); allowed: failing_turn, each_turn, conversation"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x}\nsystem_prompt: file://no.md", "system_prompt: there is no such file (found 'file://no.md')"),
        ("kind: variant\nname: v\nextends: v.yaml", "extends: extends itself"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x}\ntools: [{description: x}]", "tools[0]: a tool has no name"),
        ("kind: variant\nname: v\ntarget: {type: model, model: x}\ntools: [{name: a}, {name: a}]", "tools: tool 'a' is defined twice"),
        ("kind: [variant", "is not YAML at line"),
        ("- 1", "must be a mapping of keys to values"),
        ("kind: variant\nname: v\ntarget: {type: traces, logs: x, limit: 3}", "target.limit: unknown key"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_sentence(write, text, sentence):
    with pytest.raises(UserError) as caught:
        load_variant(write("v.yaml", text))
    assert sentence in str(caught.value)
    assert "v.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_reported_at_once(write):
    with pytest.raises(Problems) as caught:
        load_variant(write("v.yaml", "kind: variant\nname: v\ntarget: {type: model}\nreplay: {max_steps: 0}\nx: 1\n"))
    assert len(caught.value.problems) == 3


def test_files_outside_of_the_project_are_refused(write, tmp_path):
    write("secret.md", "secret")
    path = write(
        "project/v.yaml",
        "kind: variant\nname: v\ntarget: {type: model, model: x}\nsystem_prompt: file://../secret.md\n",
    )
    with pytest.raises(UserError, match="leads out of the project"):
        load_variant(path, root=tmp_path / "project")


def test_the_digest_depends_on_what_changes_an_outcome_and_on_nothing_else(write):
    first = load_variant(write("a.yaml", V1))
    renamed = load_variant(
        write("b.yaml", V1.replace("name: v1", "name: other").replace("max_concurrency: 7", "max_concurrency: 9"))
    )
    changed = load_variant(write("c.yaml", V1.replace("a bot", "a cat")))
    assert first.digest == renamed.digest
    assert first.digest != changed.digest


def test_an_environment_file_that_is_not_there_is_empty(tmp_path):
    assert load_environment(tmp_path / "environment.yaml") == Environment()


def test_a_tool_with_a_stub_and_a_function_is_refused(write):
    path = write("environment.yaml", "kind: environment\nstubs: {a: 1}\nfunctions: {a: 'm:f'}\n")
    with pytest.raises(UserError, match="tool 'a' has both a stub and a function"):
        load_environment(path)
