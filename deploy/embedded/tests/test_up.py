"""`build-dashboard up`: one process, one data directory, secrets made once."""

import json
import stat
from pathlib import Path

import pytest
from embedded.cli import own
from embedded.secrets_file import KEY, PASSWORD, SIGNING, load_secrets


@pytest.fixture(autouse=True)
def no_secrets_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD, KEY, SIGNING):
        monkeypatch.delenv(name, raising=False)


def test_a_second_system_on_the_same_data_refuses_to_start(tmp_path: Path) -> None:
    """Two processes never share a data directory; the second says what to do."""
    with own(tmp_path), pytest.raises(SystemExit, match="choose another --data"):
        own(tmp_path)

    with own(tmp_path):
        pass  # the first one is gone: its lock went with it


def test_secrets_are_made_once_and_kept_privately(tmp_path: Path) -> None:
    """The first start makes and names them, later ones find them; nobody else may read the file."""
    first = load_secrets(tmp_path)
    second = load_secrets(tmp_path)

    assert {PASSWORD, KEY, SIGNING} == set(first.made)
    assert () == second.made
    assert (first.password, first.key, first.signing) == (second.password, second.key, second.signing)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_secrets_of_the_environment_win_and_are_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who rotates a secret in the environment leaves no old copy in the data directory."""
    monkeypatch.setenv(PASSWORD, "chosen by the operator")

    secrets = load_secrets(tmp_path)

    assert "chosen by the operator" == secrets.password
    assert PASSWORD not in json.loads((tmp_path / "secrets.json").read_text())
