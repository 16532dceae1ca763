"""`build-dashboard config`: a config.yaml is checked where it is written."""

import json

from build_dashboard.cli.commands import app
from typer.testing import CliRunner


def call(*words: str):
    return CliRunner().invoke(app, ["config", *words])


def test_a_check_names_each_fault_as_editors_and_compilers_do(tmp_path) -> None:
    """`file:line: place: what`, exit 1; a file that is in order says how many projects it has, exit 0."""
    path = tmp_path / "config.yaml"
    path.write_text("projects:\n  p:\n    branh: x\n    every_comit: true\n")
    faulty = call("check", str(path))
    path.write_text("projects:\n  p:\n    branch: x\n")
    whole = call("check", str(path))

    assert 1 == faulty.exit_code
    assert [
        f"{path}:3: projects.p.branh: there is no such field; did you mean branch?",
        f"{path}:4: projects.p.every_comit: there is no such field; did you mean every_commit?",
    ] == faulty.stderr.splitlines()
    assert (0, f"{path}: 1 project, nothing is wrong\n") == (whole.exit_code, whole.stdout)


def test_a_check_of_nothing_is_no_success(tmp_path, monkeypatch) -> None:
    """A file that is not there or is no text is named; without a name it is the one the agent would read."""
    monkeypatch.setenv("BUILD_DASHBOARD_CONFIG", str(tmp_path / "mine.yaml"))
    missing = call("check")
    (tmp_path / "mine.yaml").write_bytes(b"projects: \xe9\n")
    unreadable = call("check")

    assert (1, 1) == (missing.exit_code, unreadable.exit_code)
    assert "mine.yaml is not there" in missing.stderr
    assert "no UTF-8" in unreadable.stderr


def test_the_schema_is_printed_for_editors() -> None:
    """What `# yaml-language-server: $schema=` points at."""
    printed = json.loads(call("schema").stdout)

    assert "projects" in printed["properties"]
