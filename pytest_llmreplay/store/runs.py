"""Runs: the outcomes of each session and what produced them, readable at any moment and after any end."""

from __future__ import annotations

import contextlib
import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pytest_llmreplay.model.errors import UserError, did_you_mean
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.atomic import write_text_atomically, writing
from pytest_llmreplay.store.journal import Journal, JournalInUse, record_at, sound_records
from pytest_llmreplay.store.locks import folder_lock
from pytest_llmreplay.store.outcomes import (
    NEEDED,
    outcome_from_record,
    outcome_to_record,
    outcomes_draft,
    read_outcome_records,
    trial_id_of,
    write_outcome_records,
)
from pytest_llmreplay.store.state import ensure_state, new_id, notice_on_stderr

RUN_JSON = "run.json"
JOURNAL = "outcomes.journal"
SEALED = "outcomes.parquet"

Info = dict[str, Any]
TrialId = tuple[str, str, int]


class Run:
    """A run that this process writes; its journal is locked until it is sealed or closed.

    Outcomes are kept on the disk alone; in memory is where the latest one of each trial begins. `replaced_any` says
    whether one took the place of an earlier one of its trial.
    """

    def __init__(
        self, folder: Path, journal: Journal, info: Info, on_notice: Callable[[str], None], *, is_new: bool = False
    ) -> None:
        self.folder = folder
        self.info = info
        self._journal = journal
        self._on_notice = on_notice
        self._is_new = is_new
        self.replaced_any = False
        self._draft = outcomes_draft(folder)
        if not is_new:
            self._draft.end()  # earlier records may count, too
        self._places = array("Q")  # in the order in which trials came
        # By variant and trial, then by case, since a tuple for each trial would take half as much memory again.
        self._numbers: defaultdict[tuple[str, int], dict[str, int]] = defaultdict(dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def run_id(self) -> str:
        """The id of the run, which is the name of its folder."""
        return self.folder.name

    @property
    def sealed(self) -> bool:
        """Whether the run is sealed, so that nothing can be added."""
        return bool(self.info.get("sealed"))

    def add(self, *outcomes: Outcome) -> None:
        """Add outcomes; they count once this returns. A later one of the same trial takes its place.

        Raises:
            UserError: the disk is full or failed.
        """
        records = list(map(outcome_to_record, outcomes))
        places = self._journal.append_all(records)
        for outcome, place in zip(outcomes, places, strict=True):
            self._remember(outcome, place)
        self._draft.add(records)

    def __len__(self) -> int:
        """How many trials have an outcome that was added here."""
        return len(self._places)

    def __contains__(self, trial_id: TrialId) -> bool:
        """Whether an outcome of this trial was added here."""
        return self._number(trial_id) is not None

    def outcome(self, trial_id: TrialId) -> Outcome | None:
        """The latest outcome of a trial that was added here, while the run is not sealed; None when there is none."""
        number = self._number(trial_id)
        record = None if number is None or self.sealed else self._journal.read_at(self._places[number])
        return None if record is None else outcome_from_record(record)

    def outcomes(self, columns: Collection[str] | None = None) -> Iterator[Outcome]:
        """The latest outcome of each trial that was added here, read one after the other.

        Args:
            columns: the only fields that are needed, besides trial and status; the others may have their
                defaults. None for all.

        Raises:
            UserError: the sealed file cannot be read.
        """
        if not self.sealed:
            yield from map(outcome_from_record, self._own_records())
            return
        wanted = None if columns is None else {*columns, *NEEDED}
        for record in read_outcome_records(self.folder / SEALED, wanted):
            if trial_id_of(record) in self:
                yield outcome_from_record(record)

    def seal(self, info: Mapping[str, Any] | None = None) -> None:
        """Write `outcomes.parquet` and the final `run.json`, then remove the journal.

        Args:
            info: added to what `run.json` says.

        Raises:
            UserError: a file cannot be written; the journal stays and the run is as readable as before.
        """
        info = {**self.info, **(info or {}), "sealed": True}
        if not self._draft.finish(self.folder / SEALED):
            records = self._own_records() if self._is_new else _latest_records(self.folder, self._on_notice)
            write_outcome_records(self.folder / SEALED, records)
        _write_info(self.folder, info)
        self.info = info
        with writing(self._journal.path):
            self._journal.path.unlink()
        self.close()

    def close(self) -> None:
        """Let the run go; what is not sealed is sealed by the next command."""
        self._draft.end()
        self._journal.close()

    def _remember(self, outcome: Outcome, place: int) -> None:
        number = self._numbers[outcome.variant, outcome.trial].setdefault(outcome.case_id, len(self._places))
        if number < len(self._places):
            self.replaced_any = True
            self._draft.end()
            self._places[number] = place
        else:
            self._places.append(place)

    def _number(self, trial_id: TrialId) -> int | None:
        case_id, variant, trial = trial_id
        return self._numbers.get((variant, trial), {}).get(case_id)

    def _own_records(self) -> Iterator[dict[str, Any]]:
        for place in self._places:
            record = self._journal.read_at(place)
            if record is None:
                self._on_notice(f"{self._journal.path}: a record is damaged and is left out; the others are read")
            else:
                yield record


class RunStore:
    """The runs of a project, in `.pytest_llmreplay/runs/`; making one touches nothing.

    Args:
        state: the state folder.
        on_notice: told of torn and damaged records, in one sentence each.
    """

    def __init__(self, state: Path, on_notice: Callable[[str], None] = notice_on_stderr) -> None:
        self.state = state
        self.folder = state / "runs"
        self._on_notice = on_notice

    def new_id(self, now: datetime | None = None) -> str:
        """An id for a run that starts now; ids sort by time, even when the clock was set back."""
        return new_id(now or datetime.now(UTC), next(iter(reversed(self.runs())), None))

    def start(self, info: Mapping[str, Any] | None = None, *, run_id: str | None = None) -> Run:
        """Start a run.

        Args:
            info: what `run.json` says from the start.
            run_id: from `new_id`; made here when it is None.

        Raises:
            UserError: the run is there already, or the folder cannot be written.
        """
        runs = ensure_state(self.state, "runs")
        folder = runs / (run_id or self.new_id())
        with writing(folder), folder_lock(runs):
            if folder.exists():
                raise UserError(f"the run '{folder.name}' exists already", fix="resume it or start another")
            folder.mkdir(mode=0o700)
            journal = Journal(folder / JOURNAL)
        return self._opened(folder, journal, {"run_id": folder.name, **(info or {}), "sealed": False}, is_new=True)

    def resume(self, reference: str = "last", info: Mapping[str, Any] | None = None) -> Run:
        """Go on with a run that ended early or was sealed; what it holds is kept.

        Raises:
            UserError: there is no such run, another process is writing it, or it cannot be written.
        """
        folder = self._find(reference)
        with writing(folder), folder_lock(self.folder):
            journal = Journal(folder / JOURNAL, on_notice=self._on_notice)
        return self._opened(folder, journal, {**_read_info(folder), **(info or {}), "sealed": False})

    def runs(self) -> list[str]:
        """The ids of all runs, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _is_run(path))

    def load(self, reference: str | Path = "last") -> tuple[Info, list[Outcome]]:
        """What a run says of itself, and its outcomes; of two of one trial the later one counts.

        Args:
            reference: the id of a run, `last`, or the path of a run's folder or of a file in it.

        Raises:
            UserError: there is no such run, or its files cannot be read.
        """
        folder = self._find(reference)
        outcomes = []
        for record in _latest_records(folder, self._on_notice):
            try:
                outcomes.append(outcome_from_record(record))
            except ValueError as error:
                raise UserError(str(error), file=str(folder)) from error
        return _read_info(folder), outcomes

    def seal_abandoned(self) -> list[str]:
        """Seal the runs whose process is gone, and return their ids; a live run is never touched.

        A run that cannot be sealed, as in a read-only project, is as readable as before; a notice says so.
        """
        sealed = []
        for run_id in self.runs():
            try:
                run = self._claimed(self.folder / run_id)
                if run is not None:
                    with run:
                        run.seal({"abandoned": True})
                    sealed.append(run_id)
            except UserError as error:
                self._on_notice(f"the run '{run_id}', whose process is gone, could not be sealed: {error}")
        return sealed

    def _claimed(self, folder: Path) -> Run | None:
        if not (folder / JOURNAL).exists():
            return None
        with writing(folder), folder_lock(self.folder):
            try:
                journal = Journal(folder / JOURNAL, create=False, on_notice=self._on_notice)
            except JournalInUse:
                return None
        return Run(folder, journal, _read_info(folder), self._on_notice)

    def _opened(self, folder: Path, journal: Journal, info: Info, *, is_new: bool = False) -> Run:
        try:
            _write_info(folder, info)
        except BaseException:
            journal.close()
            raise
        return Run(folder, journal, info, self._on_notice, is_new=is_new)

    def _find(self, reference: str | Path) -> Path:
        runs = self.runs()
        if reference == "last" and runs:
            return self.folder / runs[-1]
        if str(reference) in runs:
            return self.folder / str(reference)
        path = Path(reference)
        folder = path.parent if path.name in (RUN_JSON, JOURNAL, SEALED) else path
        if _is_run(folder):
            return folder
        if not runs:
            raise UserError(f"there is no run '{reference}'; none has been made", file=str(self.folder))
        nearest = did_you_mean(reference, [*runs, "last"])
        hint = f"did you mean '{nearest}'?" if nearest else f"the newest is '{runs[-1]}'"
        raise UserError(f"there is no run '{reference}'", file=str(self.folder), fix=hint)


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (SEALED, JOURNAL))


def _latest_records(folder: Path, on_notice: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One record a trial, the latest; only its place is remembered of each, so that large runs stay small."""
    # The journal is opened first: a run that is sealed meanwhile is then in it or in the Parquet file, or in both.
    with contextlib.ExitStack() as stack:
        latest: dict[tuple[Any, Any, Any], int] = {}
        journal = None
        with contextlib.suppress(FileNotFoundError):
            journal = stack.enter_context((folder / JOURNAL).open("rb"))
        for offset, record in sound_records(journal, folder / JOURNAL, on_notice) if journal else ():
            latest[trial_id_of(record)] = offset
        if (folder / SEALED).exists():
            yield from (r for r in read_outcome_records(folder / SEALED) if trial_id_of(r) not in latest)
        if journal is not None:
            yield from filter(None, (record_at(journal.fileno(), offset) for offset in latest.values()))


def _read_info(folder: Path) -> Info:
    path = folder / RUN_JSON
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"run_id": folder.name}  # its process was killed between the journal and this file
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot be read: {error}", file=str(path)) from error
    return info if isinstance(info, dict) else {"run_id": folder.name}


def _write_info(folder: Path, info: Info) -> None:
    write_text_atomically(folder / RUN_JSON, json.dumps(info, indent=2, default=str) + "\n")
