"""config.yaml at the server: in force as it was while the file is broken, and why is one sentence."""

import os

from build_chassis.projects import Projects


def test_a_broken_file_changes_nothing_and_says_why(tmp_path) -> None:
    """The place and the name that was meant, on one line; the repaired file is in force at once."""
    path = tmp_path / "config.yaml"
    path.write_text("projects:\n  before: {}\n")
    projects = Projects(path)
    before = set(projects.current())
    path.write_text("projects:\n  a:\n    brnch: x\n")
    os.utime(path, ns=(1, 1))

    assert before == set(projects.current()) == {"before"}
    assert "config.yaml: projects.a.brnch: there is no such field; did you mean branch?" == projects.fault

    path.write_text("projects:\n  a:\n    repo_url: https://example.com/größe\n", encoding="utf-8")
    assert {"a"} == set(projects.current())
    assert projects.fault is None
