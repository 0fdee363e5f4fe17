"""What the plugin does once a golden file or the fixture is met: hooks that are registered only then."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.text import printable
from pytest_llmreplay.session.failures import error_text, show_headline
from pytest_llmreplay.session.interrupts import on_next_interrupt
from pytest_llmreplay.session.items import GoldenFile, GoldenItem, case_mark, finished_trial
from pytest_llmreplay.session.options import settings_from, state_of
from pytest_llmreplay.session.plan import PlannedTrial, gravity
from pytest_llmreplay.session.ratchet import Verdicts, judge_report
from pytest_llmreplay.session.session import ReplaySession
from pytest_llmreplay.store.cases import KeptIndex, is_case_file

if TYPE_CHECKING:
    from pytest_llmreplay.model.trial import Trial
    from pytest_llmreplay.providers.litellm_process import LitellmProcess
    from pytest_llmreplay.session.gating import GateResult
    from pytest_llmreplay.session.host import Host
    from pytest_llmreplay.session.sharing import EngineServer

_HOOKS = "llmreplay-hooks"
_FIXTURE = "llmreplay_trial"


class ReplayHooks:
    """The hooks of one pytest process that replays, or that answers for xdist workers that do."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: ReplaySession | None = None
        self._verdicts = Verdicts()
        self._server: EngineServer | None = None
        self._plan: str | None = None
        self._mistake: str | None = None
        self._restore_interrupts: Callable[[], None] = lambda: None
        self._gate: list[GateResult] = []
        self._gate_problem: str | None = None
        self._litellm: LitellmProcess | None = None
        self.host: Host | None = None

    @property
    def session(self) -> ReplaySession:
        """Settings and variants, loaded when they are first needed.

        Raises:
            UserError: a variant has a mistake.
        """
        if self._session is None:
            self._session = ReplaySession(settings_from(self._config))
            if not self._is_worker and not self._config.option.collectonly:
                from pytest_llmreplay.session.ways import litellm_ahead

                self._litellm = litellm_ahead(self._session.variants.values(), self._session.settings)
        return self._session

    def start_host(self) -> Host:
        """Start the run and its engine in this process.

        Raises:
            UserError: a target cannot be set up.
        """
        if self.host is None:
            from pytest_llmreplay.session.host import Host

            self.host = Host(self.session.settings, self.session.variants, self.session.power, self._litellm)
        return self.host

    def worker_address(self) -> dict[str, Any]:
        """Where workers find the engine, which starts with the first one that asks."""
        if self._server is None:
            from pytest_llmreplay.session.sharing import EngineServer

            self._server = EngineServer(self.start_host)
        return self._server.address

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Ask for the gravest first where they are replayed first; what a test asks for jumps the queue."""
        if not any(map(planned_trial, items)) or not self.session.settings.critical_first:
            return
        planned = [(place, item, trial) for place, item in enumerate(items) if (trial := planned_trial(item))]
        gravest = sorted(planned, key=lambda each: gravity(each[2]))
        for (place, _, _), (_, item, _) in zip(planned, gravest, strict=True):
            items[place] = item

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start replaying what was selected."""
        planned = [trial for trial in map(planned_trial, session.items) if trial is not None]
        if not planned:
            return
        # Modules and items live until the end; looking through them for garbage again and again costs more than a tenth
        # of a session.
        gc.freeze()
        if self._config.option.collectonly:
            return
        try:
            if self.session.settings.plan_only:
                from pytest_llmreplay.session.planning import plan_text

                self._plan = plan_text(planned, self.session)
                if self._is_worker:
                    self._config.workeroutput["llmreplay_plan"] = self._plan  # type: ignore[attr-defined]
                self._config.hook.pytest_deselected(items=session.items)
                session.items.clear()
                return
            self.session.start_engine(self._engine())
            self.session.plan(planned)
        except UserError as error:
            if not self._is_worker:
                raise pytest.UsageError(str(error)) from error
            # The controller says it; a worker that raises is taken for a broken one.
            self._config.workeroutput["llmreplay_mistake"] = str(error)  # type: ignore[attr-defined]
            session.items.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Apply the ratchet: a failure that is known is expected."""
        report = yield
        if report.when == "setup" and report.failed and call.excinfo is not None:
            # pytest asks an item to describe its failures in `runtest` only.
            report.longrepr = error_text(item, call.excinfo.value) or report.longrepr
        planned = planned_trial(item)
        if planned is not None and report.when != "teardown":
            judge_report(self.session, item, call, report, planned)
        if isinstance(item, GoldenItem):
            if getattr(self._config.option, "xmlpath", None):
                _add_properties(item)
            _keep_less(item, report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what an item came to; under xdist this runs in the controller too."""
        ours = getattr(report, "llmreplay", None)
        self._verdicts.count(report, ours)
        if ours is None:
            return
        if ours["own_assertion"] and self.host is not None:
            self.host.add_own_assertion(tuple(ours["trial"]), ours["own_assertion"])
        if not self._is_worker:
            if ours["headline"]:
                show_headline(report, ours["headline"])
            # pytest keeps every report until the end, and nobody asks for this again.
            del report.llmreplay

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Seal the run and set the exit code."""
        if self._server is not None:
            self._server.close()
        gate_code = self._decide(exitstatus)
        if self._session is not None and self._session.engine is not None:
            self._session.engine.close()
        if self.host is not None:
            self.host.close()
        if self._litellm is not None:
            self._litellm.end()
        self._restore_interrupts()
        if self._is_worker:
            return
        if self._mistake is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        if self._plan is not None and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
            return
        ours = self._verdicts.exit_code() if gate_code is None else gate_code
        tests_failed = exitstatus == pytest.ExitCode.TESTS_FAILED
        if exitstatus == pytest.ExitCode.OK or (tests_failed and not self._verdicts.foreign_failures):
            session.exitstatus = ours

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the outcomes and the comparison."""
        if self._mistake is not None:
            terminalreporter.write_line(f"ERROR: {printable(self._mistake)}", red=True)
        if self._plan is not None and not self._is_worker:
            terminalreporter.section("llmreplay plan", sep="=")
            terminalreporter.write_line(self._plan)
        if self.host is not None:
            from pytest_llmreplay.session.summary import write_gate, write_summary

            write_summary(terminalreporter, self.host, self.session.settings)
            write_gate(terminalreporter, self._gate, self._gate_problem)

    def _decide(self, exitstatus: int) -> int | None:
        """Let the gate decide, where one is named and the session came to its end."""
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self.host is None or self.session.policy is None or not ended:
            return None
        from pytest_llmreplay.session.gating import gate_exit_code

        try:
            self._gate = self.host.decide(self.session.policy)
        except UserError as error:
            self._gate_problem = str(error)
            return 10
        return gate_exit_code(self._gate)

    def pytest_keyboard_interrupt(self) -> None:
        """Send nothing more; a second interrupt does not wait for what is under way."""
        if self.host is None:
            return
        self.host.stop_sending()
        self._restore_interrupts = on_next_interrupt(self.host.give_up)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("\nllmreplay: waiting for the answers under way; interrupt again to end at once")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over the plan that an xdist worker made, or the mistake that it met; all workers meet the same."""
        told = getattr(node, "workeroutput", {})
        self._plan = told.get("llmreplay_plan", self._plan)
        self._mistake = told.get("llmreplay_mistake", self._mistake)

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def _engine(self) -> Any:
        address = getattr(self._config, "workerinput", {}).get("llmreplay")
        if address is None:
            return self.start_host()
        from pytest_llmreplay.session.sharing import RemoteEngine

        return RemoteEngine(address)


def hooks_of(config: pytest.Config) -> ReplayHooks:
    """The hooks of this process, registered when they are first needed."""
    hooks: ReplayHooks | None = config.pluginmanager.get_plugin(_HOOKS)
    if hooks is None:
        hooks = ReplayHooks(config)
        config.pluginmanager.register(hooks, _HOOKS)
    return hooks


def collect_golden(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The collector of a Parquet file, if it says that it holds golden cases, or cannot be read."""
    try:
        if not KeptIndex(state_of(parent.config)).holds(path) and not is_case_file(path):
            return None
    except UserError:
        # The collector meets the same error, where pytest shows it as one sentence.
        pass
    return GoldenFile.from_parent(parent, path=path, session_of=lambda: hooks_of(parent.config).session)


def parametrize(metafunc: pytest.Metafunc, fixture: str) -> None:
    """Run a test over every trial of the suites that the project names.

    Raises:
        pytest.Collector.CollectError: a suite cannot be read or the variants have a mistake.
    """
    try:
        planned = hooks_of(metafunc.config).session.planned_everywhere()
    except (UserError, pytest.UsageError) as error:
        raise pytest.Collector.CollectError(str(error)) from error
    parameters = [
        pytest.param(
            trial, id=f"{trial.case_id}-{trial.variant}-{trial.trial}",
            marks=case_mark(trial.labels.severity, trial.labels.status, trial.variant),
        )
        for trial in planned
    ]  # fmt: skip
    metafunc.parametrize(fixture, parameters, indirect=True)


def fixture_trial(request: pytest.FixtureRequest) -> Trial:
    """The finished trial that a test asked for."""
    return finished_trial(hooks_of(request.config).session, request.param)


def tell_worker(node: Any) -> None:
    """Give an xdist worker the address of the controller's engine."""
    node.workerinput["llmreplay"] = hooks_of(node.config).worker_address()


def planned_trial(item: pytest.Item) -> PlannedTrial | None:
    """The trial behind an item: a golden item, or a test with the fixture."""
    if isinstance(item, GoldenItem):
        return item.planned
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    planned = parameters.get(_FIXTURE)
    return planned if isinstance(planned, PlannedTrial) else None


def _add_properties(item: GoldenItem) -> None:
    """Say in the JUnit report what the trial came to: it takes the properties of the item's last report."""
    if item.trial is None or item.user_properties:
        return
    from pytest_llmreplay.model.outcome import outcome_row
    from pytest_llmreplay.report.junit import trial_properties

    item.user_properties.extend(trial_properties(outcome_row(item.trial.outcome)))


def _keep_less(item: GoldenItem, report: pytest.TestReport) -> None:
    """Pytest keeps every item and report until the end: what a trial came to is on the disk, and keywords repeat."""
    if report.when == "teardown":
        item.trial = None
    if item.keywords_reported != report.keywords:
        item.keywords_reported = report.keywords
    report.keywords = item.keywords_reported
