"""What `compare`, `gate` and `report` work on: outcomes of runs of this project, or of any file that holds some."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import outcome_row

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.model.outcome import Outcome

_LISTS = ("reasons", "calls", "tags")


@dataclass(frozen=True, slots=True)
class Material:
    """Outcomes to compare.

    `rows` are plain, `runs` what each run says of itself (empty for a foreign file), `variants` the names in the order
    of the runs, and `baseline` and `candidates` those that were chosen among them. `notes` belong beside the result.
    """

    rows: tuple[Mapping[str, Any], ...]
    runs: tuple[Mapping[str, Any], ...]
    variants: tuple[str, ...]
    baseline: str
    candidates: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> list[Mapping[str, Any]]:
        """The rows of the baseline and the candidates."""
        return [row for row in self.rows if row.get("variant") in (self.baseline, *self.candidates)]

    @property
    def candidate(self) -> str:
        """The only candidate.

        Raises:
            UserError: there are several.
        """
        if len(self.candidates) > 1:
            raise UserError("there is more than one candidate", key="--candidate", allowed=list(self.candidates))
        return self.candidates[0]


@dataclass(frozen=True, slots=True)
class _Source:
    info: Mapping[str, Any]
    rows: list[dict[str, Any]]

    @property
    def variants(self) -> list[str]:
        present = list(dict.fromkeys(str(row.get("variant")) for row in self.rows))
        known = [name for name in self.info.get("variants") or () if name in present]
        return [*known, *(name for name in present if name not in known)]


def load_material(
    project: Project, references: Sequence[str], baseline: str | None = None, candidates: Sequence[str] = ()
) -> Material:
    """Load the outcomes of runs and choose what is compared.

    Args:
        project: where runs are looked up.
        references: run ids, `last`, `accepted`, or paths of runs or of Parquet or JSONL files.
        baseline: its name; None for the one that the run names, else for the first variant.
        candidates: their names; none for all others.

    Raises:
        UserError: an outcome cannot be read, or a variant is not there.
    """
    sources, notes = _sources(project, references, baseline)
    _tell_apart(sources)
    variants = list(dict.fromkeys(name for source in sources for name in source.variants))
    if not variants:
        raise UserError("there is no outcome in it", file=", ".join(references))
    chosen = baseline or _named_baseline(sources, variants)
    for name, option in ((chosen, "--baseline"), *((name, "--candidate") for name in candidates)):
        if name not in variants:
            raise UserError("no outcome belongs to this variant", key=option, value=name, allowed=variants)
    others = list(candidates) or [name for name in variants if name != chosen]
    if not others:
        raise UserError(
            f"there is only the variant '{chosen}', and a comparison needs two",
            fix="replay two variants, name a second run, or compare with what was accepted: --baseline accepted",
        )
    rows = tuple(row for source in sources for row in source.rows)
    return Material(rows, tuple(s.info for s in sources), tuple(variants), chosen, tuple(others), tuple(notes))


def _named_baseline(sources: Sequence[_Source], variants: Sequence[str]) -> str:
    """The baseline that a run names, under the name that it has here; else the first variant."""
    for number, source in enumerate(sources, start=1):
        named = source.info.get("baseline")
        for name in (named, f"{named}@{number}"):
            if name in variants:
                return str(name)
    return variants[0]


def _sources(project: Project, references: Sequence[str], baseline: str | None) -> tuple[list[_Source], list[str]]:
    from pytest_llmreplay.store.baseline import ACCEPTED

    sources = [_source(project, reference) for reference in references if reference != ACCEPTED]
    # A run that was compared with the accepted baseline is so again, where nothing else is asked for.
    named = next((source.info["baseline"] for source in sources if source.info.get("baseline")), None)
    wanted = ACCEPTED in references or (baseline or named) == ACCEPTED
    if not wanted or any(ACCEPTED in source.variants for source in sources):
        return sources, []
    accepted, notes = _accepted(project, sources)
    return [accepted, *sources], notes


def _accepted(project: Project, sources: Sequence[_Source]) -> tuple[_Source, list[str]]:
    from pytest_llmreplay.compare.wording import changed_since_accepted
    from pytest_llmreplay.store.baseline import ACCEPTED, as_baseline, origins_of, read_baseline

    info, outcomes = read_baseline(baseline_file(project))
    compared = origins_of(row for source in sources for row in source.rows) or origins_of(_outcome_rows(outcomes))
    valid, changed = as_baseline(outcomes, compared)
    notes = [changed_since_accepted(changed)] if changed else []
    about = {**info, "baseline": ACCEPTED, "variants": {ACCEPTED: info.get("about") or {}}}
    return _Source(about, _outcome_rows(valid)), notes


def baseline_file(project: Project) -> Path:
    """Where the accepted baseline is kept."""
    first = project.golden[0]
    return (first if first.suffix != ".parquet" else first.parent) / "baseline.parquet"


def _source(project: Project, reference: str) -> _Source:
    path = Path(reference)
    if path.is_file() and path.suffix == ".parquet" and not (path.parent / "run.json").exists():
        return _Source({}, _parquet_rows(path))
    if path.is_file() and path.suffix in (".jsonl", ".ndjson", ".json"):
        return _Source({}, list(_jsonl_rows(path)))
    from pytest_llmreplay.store.runs import RunStore

    info, outcomes = RunStore(project.state).load(reference)
    return _Source(info, _outcome_rows(outcomes))


def _outcome_rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [outcome_row(outcome) for outcome in sorted(outcomes, key=lambda outcome: outcome.trial_id)]


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    from pytest_llmreplay.store.outcomes import read_outcomes
    from pytest_llmreplay.store.parquet import open_parquet, plain_rows, reading

    file = open_parquet(path)
    if (file.metadata.metadata or {}).get(b"llmreplay.kind") == b"outcomes":
        return _outcome_rows(read_outcomes(path))
    with reading(path):
        rows = plain_rows(file.read(use_threads=False))
    return [_with_lists(row, f"{path}: row {number}") for number, row in enumerate(rows, start=1)]


def _jsonl_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _with_lists(_json_object(line, path, number), f"{path}:{number}")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8 text", file=str(path)) from error


def _json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"is not JSON: {error}", file=f"{path}:{number}") from error
    if not isinstance(value, dict):
        raise UserError("a line must be an object", file=f"{path}:{number}", value=value)
    return value


def _with_lists(row: dict[str, Any], place: str) -> dict[str, Any]:
    """The row with lists that a flat file holds as JSON text read as lists."""
    for name in _LISTS:
        value = row.get(name)
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            try:
                row[name] = json.loads(value)
            except (ValueError, RecursionError):
                continue
        if name == "calls" and isinstance(row.get(name), str):
            raise UserError("must be a list of calls", file=place, key=name, value=value)
    return row


def _tell_apart(sources: Sequence[_Source]) -> None:
    """Give variants of one name in several runs a name each, unless the runs are parts of one."""
    owners: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        for name in source.variants:
            owners.setdefault(name, []).append(number)
    for name, numbers in owners.items():
        trials = [(row.get("case_id"), row.get("trial")) for n in numbers for row in _of(sources[n], name)]
        if len(numbers) > 1 and len(set(map(str, trials))) < len(trials):
            for number in numbers:
                for row in _of(sources[number], name):
                    row["variant"] = f"{name}@{number + 1}"


def _of(source: _Source, variant: str) -> list[dict[str, Any]]:
    return [row for row in source.rows if str(row.get("variant")) == variant]
