"""The official checker of the Berkeley Function Calling Leaderboard, asked in an environment of its own.

It reads candidates from standard input, a JSON line each, and prints the verdict on each as one; `bfcl_agreement.py`
runs it. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict


def official_verdicts() -> None:
    """Read candidates from stdin and print the official verdict on each, a JSON line each."""
    import types

    # The model table imports every vendor's SDK; the checker only asks it whether dots in names become underscores.
    table = types.ModuleType("bfcl_eval.constants.model_config")
    table.MODEL_CONFIG_MAPPING = defaultdict(lambda: types.SimpleNamespace(underscore_to_dot=False))
    sys.modules["bfcl_eval.constants.model_config"] = table
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval import ast_checker as checker

    for line in sys.stdin:
        row = json.loads(line)
        functions, answers, category = row["functions"], row["ground_truth"], row["category"]
        language = Language[language_of(category).upper()]
        output = [{call["name"]: call["arguments"]} for call in row["calls"]]
        verdict = {"valid": None, "error": None, "solvable": None, "calls": row["calls"]}
        try:
            if "irrelevance" in category:
                verdict["valid"] = not output
            else:
                found = checker.ast_checker(functions, output, answers, language, category, "reference")
                verdict["valid"], verdict["error"] = found["valid"], found.get("error_type")
                if language != Language.PYTHON:
                    verdict["calls"] = parsed_literals(checker, language, functions, row["calls"])
                if "parallel" in category and not found["valid"] and len(output) == len(answers):
                    verdict["solvable"] = solvable(checker, language, functions, output, answers)
        except Exception as error:  # noqa: BLE001 - that it raises is the finding
            verdict["error"] = f"raises {type(error).__name__}: {error}"
        print(json.dumps(verdict), flush=True)


def language_of(category: str) -> str:
    return "javascript" if "javascript" in category else "java" if "java" in category else "python"


def parsed_literals(checker, language, functions, calls) -> list[dict]:
    """Calls whose arguments are source literals of Java or JavaScript, read by BFCL's own converters.

    To read source code is not a matter of matching: ours judges the values that the official checker compares.
    """
    java = language.name == "JAVA"
    convert = checker.java_type_converter if java else checker.js_type_converter
    parsed = []
    for call in calls:
        description = checker.find_description(functions, call["name"]) or {"parameters": {"properties": {}}}
        declared = description["parameters"]["properties"]
        arguments = {}
        for name, value in call["arguments"].items():
            if name in declared:
                nested = declared[name]["items"]["type"] if "items" in declared[name] else None
                value = convert(value, declared[name]["type"], nested)  # noqa: PLW2901
            arguments[name] = value
        parsed.append({"name": call["name"], "arguments": arguments})
    return parsed


def solvable(checker, language, functions, output, answers) -> bool:
    """Whether the official comparison of single calls allows some one-to-one pairing."""

    def fits(answer, call):
        description = checker.find_description(functions, next(iter(answer)))
        try:
            return checker.simple_function_checker(description, call, answer, language, "reference")["valid"]
        except Exception:  # noqa: BLE001 - a pair that it cannot compare does not fit
            return False

    matrix = [[fits(answer, call) for call in output] for answer in answers]
    reachable = {frozenset()}
    for row in matrix:
        reachable = {used | {i} for used in reachable for i, fit in enumerate(row) if fit and i not in used}
    return bool(reachable)


if __name__ == "__main__":
    official_verdicts()
