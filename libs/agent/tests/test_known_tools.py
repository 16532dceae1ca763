"""Versions of tools that need not be asked for again."""

import os
import shutil
from pathlib import Path

import pytest
from build_dashboard.evidence import facts
from build_dashboard.evidence.known_tools import KnownTools


@pytest.fixture
def asked(tmp_path, monkeypatch) -> list[str]:
    """The tools that were run, while only `make` and `gcc` are looked for."""
    ran: list[str] = []

    def run_program(command: list[str], **_: object) -> str:
        ran.append(command[0])
        return f"{command[0]} {len(ran)}\n"

    monkeypatch.setattr(facts, "run_program", run_program)
    monkeypatch.setattr(facts, "TOOLS", ("make", "gcc"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return ran


def versions(path: Path | None) -> dict[str, str]:
    return facts.tool_versions(os.environ, KnownTools(path))["tools"]


def program(path: Path) -> None:
    """A real one: its first bytes are what matters."""
    shutil.copy("/bin/true", path)


def test_a_program_that_did_not_change_is_asked_once(tmp_path, asked) -> None:
    """The next build, of another process, knows; a new version of the file is asked again."""
    program(tmp_path / "make")
    program(tmp_path / "gcc-12")
    (tmp_path / "gcc").symlink_to("gcc-12")
    first = versions(tmp_path / "cache/tools.json")
    assert versions(tmp_path / "cache/tools.json") == first
    assert sorted(asked) == ["gcc", "make"]

    (tmp_path / "make").unlink()
    program(tmp_path / "make")
    assert versions(tmp_path / "cache/tools.json") == {"make": "make 3", "gcc": first["gcc"]}


def test_what_may_answer_differently_is_asked_each_time(tmp_path, asked) -> None:
    """Scripts, and programs that stand for others: ccache as gcc, a version manager's shim."""
    (tmp_path / "make").write_text("#!/bin/sh\n")
    (tmp_path / "make").chmod(0o755)
    program(tmp_path / "ccache")
    (tmp_path / "gcc").symlink_to("ccache")

    versions(tmp_path / "tools.json")
    versions(tmp_path / "tools.json")

    assert sorted(asked) == ["gcc", "gcc", "make", "make"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"make": 7}', "\xff"])
def test_a_damaged_file_costs_nothing(tmp_path, asked, text) -> None:
    """The tools are asked as if there were none."""
    program(tmp_path / "make")
    (tmp_path / "tools.json").write_text(text, encoding="latin-1")

    for path in (tmp_path / "tools.json", Path("/proc/none/tools.json"), None):
        assert versions(path)["make"].startswith("make ")
    assert asked.count("make") == 3
