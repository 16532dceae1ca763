"""`pytest --build-dashboard`: in a wrapped build, as a build of its own, with workers, and where nothing works."""

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = """
import pytest

def test_good(): pass

@pytest.mark.parametrize("word", ["ünï", "b"])
def test_param(word): pass

def test_bad(): assert 1 == 2, "the reason"

@pytest.mark.skip
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): assert False

@pytest.mark.xfail
def test_surprise(): pass

@pytest.fixture
def broken(): raise RuntimeError("set up")

def test_error(broken): pass

@pytest.fixture
def leaking():
    yield
    raise RuntimeError("torn down")

def test_teardown(leaking): pass
"""

OUTCOMES = {
    "test_good": "passed",
    "test_param[\\xfcn\\xef]": "passed",
    "test_param[b]": "passed",
    "test_bad": "failed",
    "test_skipped": "skipped",
    "test_expected": "xfailed",
    "test_surprise": "xpassed",
    "test_error": "failed",
    "test_teardown": "failed",
}
COUNTS = {"testsPassed": 4, "testsFailed": 4, "testsSkipped": 1}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    (path / "test_it.py").write_text(TESTS)
    return path


def session(*options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--build-dashboard", *options)


def results(gateway, build: str) -> dict[str, str]:
    found = [test for record in gateway.of(build, "BUILD_UPDATE") for test in record["data"].get("tests", ())]
    names = [test["name"].partition("::")[2] for test in found]
    assert len(names) == len(set(names)), "reported twice"
    return {name: test["outcome"] for name, test in zip(names, found, strict=True)}


def metrics(gateway, build: str) -> dict[str, int]:
    updates = [record["data"].get("metrics", {}) for record in gateway.of(build, "BUILD_UPDATE")]
    return {name: value for update in updates for name, value in update.items() if name in COUNTS}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_in_a_wrapped_build_the_results_are_the_builds(agent, gateway, project, workers) -> None:
    """Every test once, by the worst that became of it, through the holder: no key, no connection, no second build."""
    if workers:
        pytest.importorskip("xdist")
    strip = ("env", "-u", "BUILD_DASHBOARD_API_KEY")
    done = agent.build(*strip, *session(*workers), cwd=project)

    build = gateway.only_build()
    assert done.returncode == 1, done.stderr
    assert results(gateway, build) == OUTCOMES
    assert metrics(gateway, build) == COUNTS
    assert gateway.connections == 1


def test_alone_the_session_is_a_build(agent, gateway, project) -> None:
    """With its command, every result, what failed in its log, and the session's exit code."""
    done = agent.run_program(session("--build-dashboard-project", "p"), cwd=project)

    build = gateway.only_build()
    end = gateway.of(build, "BUILD_COMPLETE")[0]["data"]
    assert done.returncode == 1, done.stdout
    assert gateway.of(build, "BUILD_START")[0]["data"]["command"][:2] == ["pytest", "-q"]
    assert results(gateway, build) == OUTCOMES
    assert metrics(gateway, build) == COUNTS
    assert (end["status"], end["exitCode"]) == ("failed", 1)
    assert "test_it.py::test_bad FAILED" in gateway.log(build)
    assert any("the reason" in line for line in gateway.log(build))


def test_a_report_file_that_the_agent_reads_is_not_repeated(agent, gateway, project) -> None:
    """With `--junitxml` the results come from there, once; progress and phase come at once."""
    agent.build(*session("--junitxml=out.xml", "-k", "good or bad"), cwd=project)

    build = gateway.only_build()
    found = [test for record in gateway.of(build, "BUILD_UPDATE") for test in record["data"].get("tests", ())]
    assert sorted(test["outcome"] for test in found) == ["failed", "passed"]
    assert metrics(gateway, build) == {}


def test_without_the_option_nothing_is_loaded(agent, gateway, project) -> None:
    """Sessions that do not ask for it pay nothing; who asks without a project is refused."""
    (project / "test_it.py").write_text(
        "import sys\ndef test_it(): assert not [m for m in sys.modules if m.startswith('build_dashboard.')][1:]\n"
    )
    plain = agent.run_program((sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"), cwd=project)
    asked = agent.run_program(session(), cwd=project)

    assert plain.returncode == 0, plain.stdout
    assert asked.returncode == 4
    assert b"needs --build-dashboard-project" in asked.stderr
    assert gateway.records == {}


def test_a_report_that_fails_fails_no_test(agent, gateway, project, tmp_path) -> None:
    """Where the spool cannot be written the session runs, and its last lines say so."""
    (tmp_path / "file").touch()
    agent.environment["BUILD_DASHBOARD_SPOOL"] = str(tmp_path / "file" / "spool")
    done = agent.run_program(session("--build-dashboard-project", "p", "-k", "good"), cwd=project)

    assert done.returncode == 0, done.stdout
    assert b"build-dashboard: the tests are not reported any more" in done.stdout
