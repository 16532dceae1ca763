"""The pytest plugin: `pytest --build-dashboard` reports every test as it ends.

Within a wrapped build the results are that build's; elsewhere the session is a build of its own. Reporting never fails
a test, and where something of ours fails, a line at the end of the session says so.
"""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from build_dashboard import Build
    from build_dashboard.reportable import Outcome

NAME_CHARACTERS = 500
"""The end of a test's id; all of it fits into what is passed to a holder at once."""

_COUNTED = {"passed": "passed", "xfailed": "passed", "failed": "failed", "xpassed": "failed", "skipped": "skipped"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("build-dashboard", "reporting to the Build Dashboard")
    group.addoption(
        "--build-dashboard", action="store_true", help="report every test to the Build Dashboard as it ends"
    )
    group.addoption(
        "--build-dashboard-project",
        metavar="P",
        default=os.environ.get("BUILD_DASHBOARD_PROJECT"),
        help="the project of a session outside of a wrapped build; BUILD_DASHBOARD_PROJECT",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to report, in the process that collects the results of all."""
    if config.getoption("--build-dashboard") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(SessionReporter(config), "build-dashboard-session")


class SessionReporter:
    """One session's reports."""

    def __init__(self, config: pytest.Config) -> None:
        from build_dashboard.builds.nested import outer_build  # noqa: PLC0415  (sessions without the option pay nothing)

        self.problem = ""
        self._closing = ExitStack()
        self._build: Build | None = outer_build()
        self._is_nested = self._build is not None
        # The agent reads a report file that the command names: the same results twice would be two runs of each test.
        self._sends_results = not (self._is_nested and getattr(config.option, "xmlpath", None))
        self._project = config.getoption("--build-dashboard-project")
        self._arguments = [str(argument) for argument in config.invocation_params.args]
        self._running: dict[str, _Test] = {}
        self._counts: Counter[str] = Counter()
        self._total = 0
        if self._build is None and not self._project:
            raise pytest.UsageError("--build-dashboard needs --build-dashboard-project outside of a wrapped build")

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Begin a build where there is none around."""
        try:
            if self._build is None:
                from build_dashboard.daemon.sdk import BuildAgent  # noqa: PLC0415  (as above)

                agent = self._closing.enter_context(BuildAgent(self._project))
                self._build = self._closing.enter_context(agent.build(command=["pytest", *self._arguments]))
            self._build.phase("test")
        except Exception as error:  # noqa: BLE001  (a session never fails because of its report)
            self._give_up(error)

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know how many tests there are."""
        self._total = max(self._total, len(session.items))

    @pytest.hookimpl
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same with pytest-xdist, where others collect."""
        self._total = max(self._total, len(ids))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Report a test when its last step ended, as the worst that became of it."""
        test = self._running.setdefault(report.nodeid, _Test())
        test.add(report)
        if report.when != "teardown":
            return
        del self._running[report.nodeid]
        self._counts[_COUNTED[test.outcome]] += 1
        try:
            self._report(report.nodeid[-NAME_CHARACTERS:], test)
        except Exception as error:  # noqa: BLE001  (as above)
            self._give_up(error)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Report the numbers, and end the build where it is the session's."""
        try:
            if self._build is not None and self._sends_results:
                for name in ("passed", "failed", "skipped"):
                    self._build.metric(f"tests_{name}", self._counts[name])
            self._closing.__exit__(*_ending(int(exitstatus)))
        except Exception as error:  # noqa: BLE001  (as above)
            self._give_up(error)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name what could not be reported."""
        if self.problem:
            terminalreporter.write_line(f"build-dashboard: {self.problem}")

    def _report(self, name: str, test: "_Test") -> None:
        if self._build is None:
            return
        if self._sends_results:
            self._build.test(name, test.outcome, test.seconds)
        done = sum(self._counts.values())
        if self._total:
            self._build.progress(min(100.0, 100 * done / self._total), name)
        if not self._is_nested:
            self._build.log(f"{name} {test.outcome.upper()}")
            if test.words:
                self._build.log(test.words)

    def _give_up(self, error: Exception) -> None:
        self.problem = self.problem or f"the tests are not reported any more ({type(error).__name__}: {error})"
        self._build = None


class _Test:
    """What became of one test in its steps: setup, call, teardown."""

    def __init__(self) -> None:
        self.outcome: Outcome = "passed"
        self.seconds = 0.0
        self.words = ""

    def add(self, report: pytest.TestReport) -> None:
        """One step ended."""
        self.seconds += float(getattr(report, "duration", 0.0))
        was_expected = hasattr(report, "wasxfail")
        if report.failed:
            self.outcome = "failed"
            self.words += report.longreprtext
        elif self.outcome != "failed" and report.skipped:
            self.outcome = "xfailed" if was_expected else "skipped"
        elif self.outcome == "passed" and report.when == "call" and was_expected:
            self.outcome = "xpassed"


def _ending(code: int) -> tuple[Any, Any, Any]:
    """How the block of a build is left: a session that failed is a build that exits so."""
    error = SystemExit(code) if code else None
    return (type(error), error, error.__traceback__) if error else (None, None, None)
