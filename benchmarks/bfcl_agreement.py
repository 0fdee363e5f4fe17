"""Our verdicts beside those of the official checker of the Berkeley Function Calling Leaderboard.

    python benchmarks/bfcl_agreement.py [--cases FILE.jsonl]... [--category NAME]... [--python PATH] [--per-case N]

Every case gives right and mutated candidates (seeded). The official `ast_checker` and `match_calls` with
`coerce: bfcl` judge each; agreement is printed by category and mutation, and every disagreement one by one.

`--cases` are files in the layout {case_id, category, functions, ground_truth}; default: the development cases beside
the checkout. `--category` reads a category from the installed bfcl-eval package instead. `--python` is an interpreter
with bfcl-eval; without it one is made in the cache directory (once, with pip).

Exit code 0 when every disagreement is a known defect of the official checker: greedy pairing, or an exception.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import subprocess
import sys
import tempfile
import venv
from collections import Counter, defaultdict
from pathlib import Path

REQUIREMENTS = [
    "bfcl-eval==2026.3.23",
    "tree_sitter==0.21.3",
    "tree-sitter-java==0.21.0",
    "tree-sitter-javascript==0.21.4",
]
CASES = Path(__file__).resolve().parents[2] / "shared" / "data" / "bfcl_cases_dev.jsonl"
CACHE = Path(tempfile.gettempdir()) / "pytest-llmreplay-bfcl"
JSON_TYPES = {
    **dict.fromkeys(("dict", "HashMap", "Hashtable"), "object"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("tuple", "list", "Array", "ArrayList", "Queue", "Stack", "Set"), "array"),
    **dict.fromkeys(("byte", "short", "long", "Bigint"), "integer"),
    **dict.fromkeys(("String", "char"), "string"),
    "Boolean": "boolean",
}


SUFFIXES = {("java", "long"): "L", ("java", "float"): "f", ("javascript", "Bigint"): "n"}


# What follows runs in the checker's own environment and imports nothing of ours.


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


# From here on: ours.


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


class Mutations:
    """Candidates for a case: right ones, and right ones with one thing changed."""

    def __init__(self, case: dict, rng: random.Random) -> None:
        self.case = case
        self.rng = rng
        self.described = {f["name"]: f["parameters"] for f in reversed(case["functions"])}

    def candidates(self, count: int):
        """Pairs of a mutation's name and calls."""
        if "irrelevance" in self.case["category"]:
            yield "no_call", []
            yield "any_call", [{"name": next(iter(self.described), "anything"), "arguments": {}}]
            return
        yield "no_call", []
        yield "right", self.right(0.5)
        yield "right_all", self.right(1.0)
        yield "right_min", self.right(0.0)
        for name in self.rng.choices(list(MUTATORS), k=max(0, count - 4)):
            calls = self.right(self.rng.choice([0.0, 0.5, 1.0]))
            mutated = MUTATORS[name](self, copy.deepcopy(calls))
            if mutated is not None:
                yield name, mutated

    def right(self, optional_share: float) -> list[dict]:
        return [
            {"name": name, "arguments": self.arguments(parameters, optional_share)}
            for answer in self.case["ground_truth"]
            for name, parameters in answer.items()
        ]

    def arguments(self, parameters: dict, optional_share: float) -> dict:
        chosen = {}
        for key, alternatives in parameters.items():
            real = [value for value in alternatives if value != ""]
            if not real or ("" in alternatives and self.rng.random() >= optional_share):
                continue
            chosen[key] = self.concrete(self.rng.choice(real))
        return chosen

    def concrete(self, value):
        """A value that fits an alternative: inside objects one of the alternatives of each key."""
        if isinstance(value, dict):
            picked = {}
            for key, alternatives in value.items():
                options = alternatives if isinstance(alternatives, list) else [alternatives]
                real = [option for option in options if option != ""]
                if real and not ("" in options and self.rng.random() < 0.5):
                    picked[key] = copy.deepcopy(self.rng.choice(real))
            return picked
        if isinstance(value, list):
            return [self.concrete(item) if isinstance(item, dict) else copy.deepcopy(item) for item in value]
        return value

    def spot(self, calls: list[dict], of_type: type | tuple | None = None):
        """A random place of an argument: (call, key)."""
        places = [
            (call, key)
            for call in calls
            for key, value in call["arguments"].items()
            if of_type is None or (isinstance(value, of_type) and not isinstance(value, bool))
        ]
        return self.rng.choice(places) if places else None

    def wrong_tool(self, calls):
        call = self.rng.choice(calls)
        others = [f["name"] for f in self.case["functions"] if f["name"] != call["name"]]
        call["name"] = self.rng.choice(others) if others and self.rng.random() < 0.7 else call["name"] + "_v2"
        return calls

    def wrong_value(self, calls):
        if (place := self.spot(calls)) is None:
            return None
        call, key = place
        call["arguments"][key] = self.other(call["arguments"][key])
        return calls

    def other(self, value):
        if isinstance(value, bool):
            return not value
        if isinstance(value, int | float):
            return value + self.rng.choice([1, -1, 10])
        if isinstance(value, str):
            return self.rng.choice([value + "x", value[:-1], "something else", ""])
        if isinstance(value, list):
            return self.rng.choice([value[:-1], [*value, *value[:1]], value[::-1], []])
        if isinstance(value, dict) and value:
            key = self.rng.choice(list(value))
            kept = {k: v for k, v in value.items() if k != key}
            return self.rng.choice([{**value, key: self.other(value[key])}, kept, {**value, "unknown": 1}])
        return "other"

    def missing(self, calls):
        if (place := self.spot(calls)) is None:
            return None
        del place[0]["arguments"][place[1]]
        return calls

    def extra(self, calls):
        call = self.rng.choice(calls)
        declared = self.described.get(call["name"], {}).get("properties", {})
        unused = [key for key in declared if key not in call["arguments"]]
        key = self.rng.choice(unused) if unused and self.rng.random() < 0.6 else "unknown_parameter"
        call["arguments"][key] = self.rng.choice([1, "x", True, 2.5, [], {}, ""])
        return calls

    def type_changed(self, calls):
        if (place := self.spot(calls)) is None:
            return None
        call, key = place
        call["arguments"][key] = self.retyped(call["arguments"][key])
        return calls

    def retyped(self, value):
        if isinstance(value, bool):
            return self.rng.choice([str(value), int(value)])
        if isinstance(value, int):
            return self.rng.choice([str(value), float(value), [value]])
        if isinstance(value, float):
            return self.rng.choice([str(value), int(value), [value]])
        if isinstance(value, str):
            return self.rng.choice([[value], 1, True, None, {"value": value}])
        if isinstance(value, list) and value and self.rng.random() < 0.6:
            index = self.rng.randrange(len(value))
            return [*value[:index], self.retyped(value[index]), *value[index + 1 :]]
        if isinstance(value, dict) and value and self.rng.random() < 0.6:
            key = self.rng.choice(list(value))
            return {**value, key: self.retyped(value[key])}
        return self.rng.choice([str(value), None, [value], [[]]])

    def recased(self, calls):
        if (place := self.spot(calls, (str, list, dict))) is None:
            return None
        call, key = place
        call["arguments"][key] = self.respelled(call["arguments"][key])
        return calls

    def respelled(self, value):
        if isinstance(value, str):
            spelled = [value.upper(), value.lower(), value.replace(" ", "-"), f" {value}.", value.replace("'", '"')]
            return self.rng.choice([*spelled, value.replace(".", ""), value.replace(",", " ,"), f"*{value}^"])
        if isinstance(value, list):
            return [self.respelled(item) for item in value]
        if isinstance(value, dict):
            return {key: self.respelled(inner) for key, inner in value.items()}
        return value

    def integral(self, calls):
        """1 for 1.0 and 1.0 for 1, also inside lists."""
        if (place := self.spot(calls, (int, float, list))) is None:
            return None

        def swapped(value):
            if isinstance(value, bool):
                return value
            if isinstance(value, int):
                return float(value)
            if isinstance(value, float):
                return int(value)
            return [swapped(item) for item in value] if isinstance(value, list) else value

        call, key = place
        call["arguments"][key] = swapped(call["arguments"][key])
        return calls

    def emptied(self, calls):
        """An optional parameter given as the empty text, the empty list or null."""
        call = self.rng.choice(calls)
        answers = [a[call["name"]] for a in self.case["ground_truth"] if call["name"] in a]
        keys = [key for answer in answers for key, values in answer.items() if "" in values]
        if not keys:
            return None
        call["arguments"][self.rng.choice(keys)] = self.rng.choice(["", [], None, " ", {}])
        return calls

    def reordered(self, calls):
        self.rng.shuffle(calls)
        return calls

    def repeated(self, calls):
        return [*calls, copy.deepcopy(self.rng.choice(calls))]

    def one_less(self, calls):
        calls.pop(self.rng.randrange(len(calls)))
        return calls

    def one_twice(self, calls):
        """As many calls as expected, one of them in place of another."""
        if len(calls) < 2:
            return None
        left, right = self.rng.sample(range(len(calls)), 2)
        calls[left] = copy.deepcopy(calls[right])
        return calls

    def mixed(self, _):
        """Alternatives mixed over the calls of one tool, in any order: what greedy pairing stumbles over."""
        answers = list(self.case["ground_truth"])
        self.rng.shuffle(answers)
        return [
            {"name": name, "arguments": self.arguments(parameters, self.rng.choice([0.0, 1.0]))}
            for answer in answers
            for name, parameters in answer.items()
        ]


MUTATORS = {
    name: getattr(Mutations, name)
    for name in (
        "wrong_tool",
        "wrong_value",
        "missing",
        "extra",
        "type_changed",
        "recased",
        "integral",
        "emptied",
        "reordered",
        "repeated",
        "one_less",
        "one_twice",
        "mixed",
    )
}


def candidates_of(cases: list[dict], per_case: int, seed: int) -> list[dict]:
    rows = []
    for case in cases:
        rng = random.Random(f"{seed}:{case['case_id']}")
        mutations = Mutations(case, rng)
        for mutation, calls in mutations.candidates(per_case):
            rows.append(
                {**case, "mutation": mutation, "calls": in_source(calls, mutations.described, case["category"])}
            )
    return rows


def in_source(calls: list[dict], described: dict, category: str) -> list[dict]:
    """The calls with their arguments as a model writes them for this language: Java and JavaScript as source code."""
    language = language_of(category)
    if language == "python":
        return calls
    written_calls = []
    for call in calls:
        declared = described.get(call["name"], {}).get("properties", {})
        arguments = {
            k: source(v, declared.get(k, {}).get("type", "any"), language) for k, v in call["arguments"].items()
        }
        written_calls.append({"name": call["name"], "arguments": arguments})
    return written_calls


def source(value, declared: str, language: str, *, inner: bool = False) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"{value}{SUFFIXES.get((language, declared), '')}"
    if isinstance(value, str):
        return f'"{value}"' if inner else value
    java = language == "java"
    if isinstance(value, list):
        items = ", ".join(source(item, "any", language, inner=True) for item in value)
        if not java:
            return f"[{items}]"
        element = "String" if value and isinstance(value[0], str) else "int"
        return (
            f"new {element}[]{{{items}}}"
            if declared == "Array"
            else f"new ArrayList<{element}>(Arrays.asList({items}))"
        )
    pairs = {key: source(item, "any", language, inner=True) for key, item in value.items()}
    if java:
        puts = " ".join(f'put("{key}", {item});' for key, item in pairs.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    return "{" + ", ".join(f"{key}: {item}" for key, item in pairs.items()) + "}"


def ask_official(python: Path, rows: list[dict]) -> list[dict]:
    keys = ("functions", "ground_truth", "category", "calls")
    text = "\n".join(json.dumps({key: row[key] for key in keys}) for row in rows)
    done = subprocess.run([python, __file__, "--official"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the official checker did not run:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask_ours(rows: list[dict], official: list[dict]) -> list[tuple[bool, tuple[str, ...]]]:
    from pytest_llmreplay.checks import match_calls

    verdicts = []
    for row, theirs in zip(rows, official, strict=True):
        calls = [{"name": c["name"], "arguments": json.dumps(c["arguments"])} for c in theirs["calls"]]
        result = match_calls(calls, expectation_of(row), tools=tools_of(row))
        verdicts.append((result.passed, result.codes))
    return verdicts


def classified(official: dict, ours: bool) -> str:
    """agree, greedy or raises (defects of the official checker), or disagree."""
    if official["valid"] is None:
        return "disagree" if ours else "raises"
    if official["valid"] == ours:
        return "agree"
    return "greedy" if ours and official["solvable"] else "disagree"


def environment(cache: Path) -> Path:
    """An interpreter with the official checker, made once."""
    python = cache / "bin" / "python"
    if not (cache / "ready").exists():
        print(f"making {cache} with {', '.join(REQUIREMENTS)}", file=sys.stderr)
        venv.create(cache, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *REQUIREMENTS], check=True)
        (cache / "ready").touch()
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, action="append", default=[])
    parser.add_argument("--category", action="append", default=[])
    parser.add_argument("--python", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--per-case", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--official", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.official:
        official_verdicts()
        return 0
    python = options.python or environment(options.cache)
    files = options.cases or ([] if options.category else [CASES])
    cases = [case for path in files for case in read_cases(path)]
    cases += [case for name in options.category for case in read_category(python, name)]
    open_ended = [case for case in cases if not case["ground_truth"] and "irrelevance" not in case["category"]]
    if open_ended:
        print(f"{len(open_ended)} cases have no possible answers and are left out", file=sys.stderr)
    rows = candidates_of([case for case in cases if case not in open_ended], options.per_case, options.seed)
    official = ask_official(python, rows)
    return report(rows, official, ask_ours(rows, official))


def report(rows: list[dict], official: list[dict], ours: list[tuple[bool, tuple[str, ...]]]) -> int:
    kinds = [classified(theirs, mine) for theirs, (mine, _) in zip(official, ours, strict=True)]
    for title, key in (("category", "category"), ("mutation", "mutation")):
        counts: dict[str, Counter] = defaultdict(Counter)
        for row, kind, theirs in zip(rows, kinds, official, strict=True):
            counts[row[key]].update([kind, "pairs", "valid" if theirs["valid"] else "invalid"])
        columns = ("pairs", "valid", "agree", "greedy", "raises", "disagree")
        print(f"{title:<22} {' '.join(f'{column:>8}' for column in columns)}  agreement")
        for name, count in sorted(counts.items()):
            share = (count["agree"] + count["raises"]) / count["pairs"]
            print(f"{name:<22} {' '.join(f'{count[column]:>8}' for column in columns)}  {share:.4%}")
        print()
    total = Counter(kinds)
    print(f"all: {len(rows)} pairs, {dict(total)}")
    for row, kind, theirs, (mine, codes) in zip(rows, kinds, official, ours, strict=True):
        if kind in ("greedy", "disagree"):
            verdicts = f"official {theirs['valid']} ({theirs['error']}), ours {mine} {codes}"
            print(f"{kind}: {row['case_id']} {row['mutation']}: {verdicts}")
            print(f"  calls   {json.dumps(row['calls'])}")
            print(f"  answers {json.dumps(row['ground_truth'])}")
    raised = Counter(theirs["error"].split(":")[0] for theirs in official if theirs["valid"] is None)
    for error, count in raised.most_common():
        print(f"the official checker {error} on {count} pairs; ours fails them")
    return 1 if total["disagree"] else 0


if __name__ == "__main__":
    sys.exit(main())
