"""Cases of the Berkeley Function Calling Leaderboard, and what they expect in this project's words."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

JSON_TYPES = {
    **dict.fromkeys(("dict", "HashMap", "Hashtable"), "object"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("tuple", "list", "Array", "ArrayList", "Queue", "Stack", "Set"), "array"),
    **dict.fromkeys(("byte", "short", "long", "Bigint"), "integer"),
    **dict.fromkeys(("String", "char"), "string"),
    "Boolean": "boolean",
}


def read_cases(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_category(python: Path, name: str) -> list[dict]:
    """A category of the installed package."""
    code = "import bfcl_eval, os; print(os.path.dirname(bfcl_eval.__file__))"
    shown = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    data = Path(shown.stdout.strip()) / "data"
    cases = {row["id"]: row for row in read_cases(data / f"BFCL_v4_{name}.json")}
    answers_file = data / "possible_answer" / f"BFCL_v4_{name}.json"
    answers = {row["id"]: row["ground_truth"] for row in read_cases(answers_file)} if answers_file.exists() else {}
    return [
        {"case_id": key, "category": name, "functions": case["function"], "ground_truth": answers.get(key, [])}
        for key, case in cases.items()
        if key in answers or "irrelevance" in name
    ]


def json_schema(node):
    """A BFCL parameter description as JSON Schema; its type `any` says nothing."""
    if isinstance(node, list):
        return [json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    converted = {}
    for key, value in node.items():
        if key == "properties" and isinstance(value, dict):
            converted[key] = {name: json_schema(schema) for name, schema in value.items()}
        elif key == "type" and isinstance(value, str):
            if value != "any":
                converted[key] = JSON_TYPES.get(value, value)
        elif key == "items":
            converted[key] = json_schema(value)
        else:
            converted[key] = value
    return converted


def tools_of(case: dict) -> list[dict]:
    return [{"name": f["name"], "parameters": json_schema(f["parameters"])} for f in case["functions"]]


def expectation_of(case: dict) -> dict:
    """The possible answers of a case as an expectation."""
    if "irrelevance" in case["category"]:
        return {"order": "none"}
    single = "parallel" not in case["category"] and "multiple" not in case["category"]
    described = {function["name"]: function["parameters"]["properties"] for function in reversed(case["functions"])}
    expected = []
    for answer in case["ground_truth"]:
        ((name, parameters),) = answer.items()
        # The checker of single calls takes the name from the function, not from the answer.
        name = case["functions"][0]["name"] if single else name
        types = described.get(name, {})
        args = {key: written(values, types.get(key, {})) for key, values in parameters.items()}
        expected.append({"name": name, "args": args})
    return {"order": "any_order", "coerce": "bfcl", "expected": expected}


def written(alternatives: list, described: dict) -> dict:
    """BFCL's alternatives as `one_of`, its empty text as `optional`."""
    value = {"one_of": [literal(each, described) for each in alternatives if each != ""]}
    return {**value, "optional": True} if "" in alternatives else value


def literal(value, described: dict):
    """An alternative; inside objects BFCL lists alternatives again, one level deep."""
    if isinstance(value, dict) and described.get("type") in ("dict", "HashMap"):
        return shaped(value)
    if isinstance(value, list) and described.get("items", {}).get("type") == "dict":
        return [shaped(item) if isinstance(item, dict) else item for item in value]
    return {"equals": value} if isinstance(value, dict) else value


def shaped(value: dict) -> dict:
    inner = {}
    for key, alternatives in value.items():
        values = list(alternatives) if isinstance(alternatives, list | str) else [alternatives]
        inner[key] = {"one_of": [{"equals": each} for each in values if each != ""]}
        if "" in values:
            inner[key]["optional"] = True
    return inner
