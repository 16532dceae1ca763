"""`build-dashboard up`: one process, one data directory, secrets made once; what is given and weak is refused."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from build_chassis.secret_rules import SIGNING_KEY
from build_embedded.cli import own
from build_embedded.secrets_file import KEY, PASSWORD, SIGNING, Secrets, forget, given, load_secrets
from build_embedded.serve import SERVICES
from build_gateway.accounts.passwords import Passwords
from build_gateway.store import open_store
from build_gateway.store.contract import GatewayStore
from build_testkit.signing import SECRET
from build_testkit.stack import Process, free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
GEESE = "four geese on a bicycle"
SECONDS = 60
SEED = """
# WebSocket Configuration
WS_ENDPOINT=wss://your-api-gateway-url
WS_REGION=us-east-1

# Database
MYSQL_URI=mongodb://localhost:27017/
DB_NAME=build_dashboard

# AWS Services
AWS_ACCESS_KEY=your_key
AWS_SECRET_KEY=your_secret
AWS_REGION=us-east-1
S3_BUCKET=build-artifacts

# Authentication
JWT_SECRET_KEY=your_jwt_secret
JWT_ALGORITHM=HS256

# Notifications
SECRET_API_KEY=your_enter_key
NOTIFICATION_EMAIL=builds@your-domain.com
"""
"""The founding document's `.env`, word for word."""


@pytest.fixture(autouse=True)
def no_secrets_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (PASSWORD, KEY, SIGNING):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def load(data: Path, *, is_local: bool = True, exists: Mapping[str, str] | None = None) -> Secrets:
    return load_secrets(data, given(), is_local=is_local, exists=exists)


def refusal(data: Path, **how: Any) -> str:
    with pytest.raises(SystemExit) as stopped:
        load(data, **how)
    assert isinstance(stopped.value.code, str)  # which Python prints on stderr, and exits with 1
    return stopped.value.code


def test_a_second_system_on_the_same_data_refuses_to_start(tmp_path: Path) -> None:
    """Two processes never share a data directory; the second says what to do."""
    with own(tmp_path), pytest.raises(SystemExit, match="choose another --data"):
        own(tmp_path)

    with own(tmp_path):
        pass  # the first one is gone: its lock went with it


def test_secrets_are_made_once_and_kept_privately(tmp_path: Path) -> None:
    """The first start makes and names them, later ones find them; nobody else may read the file."""
    left = tmp_path / "secrets.json.4711.new"
    left.write_text("what a start that was cut off had written")
    os.utime(left, (1, 1))
    first = load(tmp_path)
    second = load(tmp_path)

    assert {PASSWORD, KEY, SIGNING} == set(first.made)
    assert () == second.made
    assert first.values == second.values
    assert all(origin.startswith("kept in ") for origin in second.origins.values())
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert ["secrets.json"] == [path.name for path in tmp_path.iterdir()]


def test_secrets_of_the_environment_win_and_are_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who rotates a secret in the environment leaves no old copy in the data directory."""
    monkeypatch.setenv(PASSWORD, "chosen by the operator")

    secrets = load(tmp_path)

    assert "chosen by the operator" == secrets.values[PASSWORD]
    assert "from the environment" == secrets.origins[PASSWORD]
    assert PASSWORD not in json.loads((tmp_path / "secrets.json").read_text())


def test_the_environment_goes_before_the_file_and_the_file_before_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One rule for the three; set to nothing is unset, and the line that names the source shows no value."""
    load(tmp_path)
    Path(".env").write_text(f'{PASSWORD}="{GEESE}"\n{KEY}=key-from-the-file-of-geese\n{SIGNING}=\n')
    monkeypatch.setenv(KEY, "key-from-the-shell-of-geese")
    monkeypatch.setenv(PASSWORD, "")

    secrets = load(tmp_path)

    assert {PASSWORD: GEESE, KEY: "key-from-the-shell-of-geese"}.items() <= secrets.values.items()
    assert ("from .env", "from the environment") == (secrets.origins[PASSWORD], secrets.origins[KEY])
    assert secrets.origins[SIGNING].startswith("kept in ")
    assert not [origin for origin in secrets.origins.values() for value in secrets.values.values() if value in origin]


@pytest.mark.parametrize("name", [PASSWORD, KEY, SIGNING])
@pytest.mark.parametrize("is_exported", [True, False], ids=["exported", "in .env"])
def test_a_placeholder_is_replaced_on_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_exported: bool
) -> None:
    """Made once, kept, and printed; where others reach the system it is refused."""
    if is_exported:
        monkeypatch.setenv(name, "your_secret")
    else:
        Path(".env").write_text(f"{name}=your_secret\n")
    origin = "the environment" if is_exported else ".env"

    assert f"in {origin}: {name} is a placeholder from an example: make one with" in refusal(tmp_path, is_local=False)
    secrets = load(tmp_path)

    assert name in secrets.made
    assert "your_secret" not in secrets.values.values()
    assert secrets.origins[name].endswith(f" (the placeholder in {origin} is not used)")
    assert load(tmp_path).values == secrets.values


def test_a_placeholder_in_the_shell_leaves_the_file_to_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as not given."""
    monkeypatch.setenv(SIGNING, "your_jwt_secret")
    Path(".env").write_text(f"{SIGNING}={SECRET}\n")

    assert load(tmp_path).values[SIGNING] == SECRET


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("name", [PASSWORD, KEY, SIGNING])
def test_what_was_chosen_and_is_weak_is_refused_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_local: bool
) -> None:
    """Nobody's choice is replaced behind their back."""
    monkeypatch.setenv(name, "pw")

    assert f"in the environment: {name} has 2 of the " in refusal(tmp_path, is_local=is_local)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', '{"JWT_SECRET_KEY": 7}', "\xff"])
def test_a_broken_file_is_a_sentence(tmp_path: Path, content: str) -> None:
    """Which file, and what becomes of everything when it is deleted; it is left as it is."""
    path = tmp_path / "secrets.json"
    path.write_bytes(content.encode("latin-1"))

    assert f"{path} cannot be read" in refusal(tmp_path)
    assert path.read_bytes() == content.encode("latin-1")


def test_nothing_is_made_for_what_the_store_has(tmp_path: Path) -> None:
    """A lost file costs the signing key alone; nobody is shown a password that is not in force."""
    secrets = load(tmp_path, exists={PASSWORD: "user admin is there", KEY: "there are keys"})

    assert ((SIGNING,), {SIGNING}) == (secrets.made, set(secrets.values))
    assert "user admin is there" == secrets.origins[PASSWORD]
    assert {SIGNING} == set(json.loads((tmp_path / "secrets.json").read_text()))


def test_a_password_that_was_reset_is_kept_no_longer(tmp_path: Path) -> None:
    """The other secrets stay."""
    before = load(tmp_path)
    forget(tmp_path, PASSWORD)

    after = json.loads((tmp_path / "secrets.json").read_text())
    assert after == {name: before.values[name] for name in (KEY, SIGNING)}


class Up:
    """`python server.py` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.port = free_port()

    def served(self, **exported: str) -> str:
        """Start it, stop it once it is ready; what it printed."""
        self.log.unlink(missing_ok=True)
        command = [sys.executable, str(ROOT / "server.py"), "--port", str(self.port)]
        process = Process("server.py", command, {**os.environ, **exported}, self.log, self.port)
        process.start()
        try:
            process.wait_ready()
        finally:
            process.stop(signal.SIGTERM)
        return self.log.read_text()

    def ask(self, question: Callable[[GatewayStore], Any]) -> Any:
        """Ask the gateway's store while nobody runs on it."""

        async def asked() -> Any:
            store = open_store(f"sqlite:///{self.directory}/data/gateway.sqlite")
            await store.open()
            try:
                return await question(store)
            finally:
                await store.close()

        return asyncio.run(asked())

    def is_password(self, password: str) -> bool:
        """Whether this is the admin's."""
        admin = self.ask(lambda store: store.find_user("admin"))
        return asyncio.run(Passwords().check(password, admin.password_hash))


@pytest.mark.parametrize("is_exported", [True, False], ids=["exported", "in .env"])
def test_the_founding_env_starts_as_it_is(tmp_path: Path, is_exported: bool) -> None:
    """With secrets of this machine's own; its database, bucket and mail key are not used, and nothing breaks."""
    pairs = [line.partition("=")[::2] for line in SEED.splitlines() if "=" in line]
    if not is_exported:
        (tmp_path / ".env").write_text(SEED)
    printed = Up(tmp_path).served(**dict(pairs if is_exported else []))

    origin = "the environment" if is_exported else ".env"
    (line,) = [line for line in printed.splitlines() if line.startswith("  JWT_SECRET_KEY: ")]
    assert line.endswith(f"(the placeholder in {origin} is not used)")
    kept = json.loads((tmp_path / "data" / "secrets.json").read_text())
    assert SIGNING_KEY.fault(kept[SIGNING]) is None
    assert kept[SIGNING] not in printed
    assert f"log in as admin / {kept[PASSWORD]}" in printed
    data = tmp_path / "data"
    assert f"  MYSQL_URI: not used, its data are SQLite files in {data}" in printed
    assert f"  S3_BUCKET: not used, artifacts are files in {data}" in printed
    assert "AMQP_URL" not in printed


def test_a_lost_secrets_file_shows_no_wrong_password(tmp_path: Path) -> None:
    """Whoever starts again has the accounts they had, and neither a password nor a key that nobody asked for."""
    up = Up(tmp_path)
    up.served()
    kept = json.loads((tmp_path / "data" / "secrets.json").read_text())
    (tmp_path / "data" / "secrets.json").unlink()
    up.ask(_revoke_all)

    printed = up.served()

    assert "log in as" not in printed
    assert "agent key" not in printed
    assert f"{PASSWORD}: user admin is there" in printed
    assert {SIGNING} == set(json.loads((tmp_path / "data" / "secrets.json").read_text()))
    assert up.is_password(kept[PASSWORD])
    assert [True] == [key.revoked_at is not None for key in up.ask(lambda store: store.list_keys())]


async def _revoke_all(store: GatewayStore) -> None:
    for key in await store.list_keys():
        await store.change_key(key.id, lambda now: now.model_copy(update={"revoked_at": 1}))


def test_reset_admin_of_a_data_directory(tmp_path: Path) -> None:
    """The password it prints is in force, and the one made at the first start is kept no longer."""
    up = Up(tmp_path)
    first = up.served()
    for command in (["-m", "build_dashboard", "reset-admin"], [str(ROOT / "server.py"), "reset-admin"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=SECONDS
        )
        assert up.is_password(done.stdout.strip())
    assert done.stdout.strip() not in first
    assert PASSWORD not in json.loads((tmp_path / "data" / "secrets.json").read_text())


def test_where_others_reach_it_a_placeholder_stops_the_start(tmp_path: Path) -> None:
    """Exit code 1 and one sentence, before anything listens."""
    (tmp_path / ".env").write_text(SEED)
    command = [sys.executable, "-m", "build_dashboard", "up", "--host", "0.0.0.0", "--port", str(free_port())]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=SECONDS)

    assert (ended.returncode, ended.stderr) == (1, f"build-dashboard up: in .env: {SIGNING_KEY.fault('your_secret')}\n")


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_starts_with_a_weak_signing_key(tmp_path: Path, service: str) -> None:
    """As a process of its own: without one, with a placeholder in `.env`, with a short one: exit code 1, a sentence."""
    (tmp_path / ".env").write_text(SEED.replace("your_jwt_secret", "" if service == "history" else "your_jwt_secret"))
    exported = {"JWT_SECRET_KEY": "x"} if service == "ingest" else {}
    value = {"history": "", "ingest": "x"}.get(service, "your_jwt_secret")

    ended = subprocess.run(
        [sys.executable, "-m", f"build_{service}"],
        env={**os.environ, **exported, "S3_BUCKET": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{service}: {SIGNING_KEY.fault(value)}\n"
