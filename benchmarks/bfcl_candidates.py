"""Candidates for cases of the Berkeley Function Calling Leaderboard: right calls, and right ones with one change."""

from __future__ import annotations

import copy
import random

from benchmarks.bfcl_official import language_of

SUFFIXES = {("java", "long"): "L", ("java", "float"): "f", ("javascript", "Bigint"): "n"}


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
