"""`build-dashboard setup`: a server from nothing that is whole, private and kept; again is an upgrade."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from build_embedded.cli import own
from build_embedded.notify import notify
from build_embedded.secrets_file import KEY, PASSWORD, SIGNING
from build_embedded.setup.answers import Answers, faults, remarks
from build_embedded.setup.asking import ask_all
from build_embedded.setup.cli import setup
from build_embedded.setup.texts import caddyfile, config, texts
from build_gateway.accounts.passwords import Passwords
from build_gateway.store import open_store
from build_gateway.store.contract import GatewayStore
from build_gateway.store.rows import User
from build_protocol.config_reading import read_config
from build_testkit.mailbox import Mailbox, mail_server

WORDS = "four geese on a bicycle"


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name in (PASSWORD, KEY, SIGNING, "NOTIFICATION_EMAIL", "SECRET_API_KEY") or name.startswith("NOTIFIER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


def install(folder: Path, *flags: str) -> None:
    setup(["--folder", str(folder), "--yes", *flags])


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "data" not in path.relative_to(folder).parts
    }


async def asked(folder: Path, question: Callable[[GatewayStore], Awaitable[Any]]) -> Any:
    store = open_store(f"sqlite:///{folder}/data/gateway.sqlite")
    await store.open()
    try:
        return await question(store)
    finally:
        await store.close()


def admin_of(folder: Path) -> User | None:
    found: User | None = asyncio.run(asked(folder, lambda store: store.find_user("admin")))
    return found


def answers(**changed: object) -> Answers:
    return Answers.model_validate({"folder": "/srv/dashboard", "user": "dashboard", **changed})


def test_the_first_key_is_for_the_first_project(tmp_path: Path) -> None:
    """agent.env, which may be handed to build machines, opens no other; what is set up runs: tests/install."""
    install(tmp_path / "b", "--project", "mine", "--url", "http://127.0.0.1:8081")
    environment = dict(line.split("=", 1) for line in (tmp_path / "b/agent.env").read_text().splitlines())
    (key,) = asyncio.run(asked(tmp_path / "b", lambda store: store.list_keys()))

    assert ("ws://127.0.0.1:8081", "http://127.0.0.1:8081") == (
        environment["WS_ENDPOINT"],
        environment["BUILD_DASHBOARD_URL"],
    )
    assert (("mine",), "build-dashboard setup") == (key.projects, key.created_by)
    assert hashlib.sha256(environment[KEY].encode()).hexdigest() == key.sha256


def test_setting_up_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file differs, no password and no key is made, and none is printed."""
    install(tmp_path / "b", "--project", "mine", "--url", "http://127.0.0.1:8081")
    before, admin = files_of(tmp_path / "b"), admin_of(tmp_path / "b")
    capsys.readouterr()
    install(tmp_path / "b")

    assert before == files_of(tmp_path / "b")
    assert admin == admin_of(tmp_path / "b")
    assert "as admin /" not in capsys.readouterr().out


def test_what_somebody_changed_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The new text lies beside it and is named; what nobody changed follows the new answers."""
    install(tmp_path / "b")
    (tmp_path / "b/.env").write_text("BUILD_DASHBOARD_URL='http://mine:1'\n")
    install(tmp_path / "b", "--url", "http://127.0.0.1:9000")

    assert "http://mine:1" in (tmp_path / "b/.env").read_text()
    assert "http://127.0.0.1:9000" in (tmp_path / "b/.env.new").read_text()
    assert "--port 9000" in (tmp_path / "b/systemd/build-dashboard.service").read_text()
    assert ".env was changed by somebody and stays" in capsys.readouterr().err

    (tmp_path / "b/.env").write_text((tmp_path / "b/.env.new").read_text())
    install(tmp_path / "b")
    assert not (tmp_path / "b/.env.new").exists()


def test_another_release_copies_the_data_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backup of before, then the stores of this release; while the old server runs nothing is changed."""
    folder = tmp_path / "b"
    install(folder)
    kept = json.loads((folder / "setup.json").read_text()) | {"version": "0.0.9"}
    (folder / "setup.json").write_text(json.dumps(kept))
    before = files_of(folder)
    with own(folder / "data"), pytest.raises(SystemExit, match="another dashboard runs"):
        install(folder)
    assert before == files_of(folder)
    install(folder)

    (backup,) = (folder / "backups").iterdir()
    assert "-of-0.0.9-" in backup.name
    assert (backup / "gateway.sqlite").is_file()
    assert "as it should be" in capsys.readouterr().out
    assert "0.0.9" not in (folder / "setup.json").read_text()


def test_a_chosen_password_is_the_admins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is nowhere in the folder and not printed; a weak one is refused before anything is made."""
    (tmp_path / "weak").write_text("admin1\n")
    with pytest.raises(SystemExit, match="the password"):
        install(tmp_path / "b", "--admin-password-file", str(tmp_path / "weak"))
    assert not (tmp_path / "b/data/gateway.sqlite").exists()
    (tmp_path / "good").write_text(f"{WORDS}\n")
    install(tmp_path / "b", "--admin-password-file", str(tmp_path / "good"))
    admin = admin_of(tmp_path / "b")

    assert admin is not None
    assert asyncio.run(Passwords().check(WORDS, admin.password_hash))
    assert WORDS not in capsys.readouterr().out
    assert not any(WORDS.encode() in text for text in files_of(tmp_path / "b").values())


def test_nobody_else_reads_what_is_secret(tmp_path: Path) -> None:
    """Folder and files are their owner's; a mail server's password is in a file of its own, and in no other."""
    (tmp_path / "word").write_text("geese-on-a-bike\n")
    flags = ["--mail", "smtp", "--mail-from", "builds@example.com", "--smtp-host", "mail.example.com"]
    install(tmp_path / "b", *flags, "--smtp-username", "us", "--smtp-password-file", str(tmp_path / "word"))

    for path in [tmp_path / "b", *(tmp_path / "b").rglob("*")]:
        assert 0 == path.stat().st_mode & 0o077, path
    holding = [name for name, text in files_of(tmp_path / "b").items() if b"geese-on-a-bike" in text]
    assert ["secrets/smtp_password"] == holding


def test_a_secret_that_is_nowhere_is_asked_for(tmp_path: Path) -> None:
    """Without a terminal: by the name of its flag; nothing is made."""
    with pytest.raises(SystemExit, match="--sendgrid-key-file FILE"):
        install(tmp_path / "b", "--mail", "sendgrid", "--mail-from", "builds@example.com")

    assert not (tmp_path / "b").exists()


WRONG = {
    "an address that is none": ({"url": "dashboard"}, "--url"),
    "an address with a path": ({"url": "http://d.example/builds"}, "more than a host"),
    "an address with a quote": ({"url": "http://d'x"}, "no address"),
    "a line in an address": ({"url": "http://d\nX=1"}, "--url"),
    "https without a certificate": ({"url": "https://d.example.com"}, "needs a certificate"),
    "a certificate without https": ({"tls": "acme"}, "begins with https"),
    "ACME for a name of this machine": ({"url": "https://localhost", "tls": "acme"}, "nobody gives out"),
    "ACME for an address": ({"url": "https://192.0.2.7", "tls": "acme"}, "nobody gives out"),
    "ACME for a short name": ({"url": "https://builds", "tls": "acme"}, "nobody gives out"),
    "an own certificate that is not named": ({"url": "https://d.example.com", "tls": "own"}, "--certificate"),
    "a folder that units do not take": ({"folder": "/srv/my dashboard"}, "--folder"),
    "a folder with a specifier": ({"folder": "/srv/%h"}, "--folder"),
    "a project that is none": ({"project": "LLVM"}, "--project"),
    "no port": ({"port": 70000}, "--port"),
    "no account": ({"user": "a b"}, "--user"),
    "a sender that is none": ({"mail": "smtp", "smtp_host": "m", "mail_from": "us"}, "--mail-from"),
    "a sender with a variable": ({"mail": "smtp", "smtp_host": "m", "mail_from": "a${HOME}@b"}, "--mail-from"),
    "no mail server": ({"mail": "smtp", "mail_from": "a@b.example"}, "--smtp-host"),
    "a user with a quote": ({"smtp_username": "a'b"}, "--smtp-username"),
}


@pytest.mark.parametrize(("changed", "words"), WRONG.values(), ids=WRONG)
def test_an_answer_that_cannot_be_followed_is_named(changed: dict[str, object], words: str) -> None:
    """Before anything is made."""
    assert [] == list(faults(answers()))
    assert any(words in fault for fault in faults(answers(**changed)))


def test_a_server_without_tls_says_what_that_means() -> None:
    """It listens for others only where people are to reach it unencrypted, with a remark on it."""
    local, plain = answers(), answers(url="http://builds.corp:8080")
    behind = answers(url="https://builds.example.com", tls="proxy")

    assert ("127.0.0.1", "0.0.0.0", "127.0.0.1") == (local.listen_host, plain.listen_host, behind.listen_host)
    assert (8080, 8080, 8080, 80) == (
        local.listen_port,
        plain.listen_port,
        behind.listen_port,
        answers(url="http://builds.corp").listen_port,
    )
    assert any("unencrypted" in remark for remark in remarks(plain))
    assert [] == list(remarks(behind))
    assert "wss://builds.example.com" == behind.endpoint


def test_questions_begin_with_what_is_known() -> None:
    """Enter takes what stands in brackets; what does not apply is not asked."""
    asked: list[str] = []

    def person(*typed: str) -> Callable[[str], str]:
        lines = iter(typed)

        def ask(question: str) -> str:
            asked.append(question)
            return next(lines)

        return ask

    local = ask_all(answers(), person("", "", ""))
    assert answers() == local
    assert not any("Certificate" in question for question in asked)

    typed = ["https://b.example.com/", "own", "/c.pem", "/k.pem", "iree", "maybe", "smtp", "", "mail", "", "us"]
    found = ask_all(answers(), person(*typed))
    assert [] == list(faults(found))
    assert ("https://b.example.com", "own", "iree") == (found.url, found.tls, found.project)
    assert ("smtp", "builds@b.example.com", "mail", 587, "us") == (
        found.mail,
        found.mail_from,
        found.smtp_host,
        found.smtp_port,
        found.smtp_username,
    )


def test_every_field_of_the_config_can_be_uncommented() -> None:
    """Each comment is a valid field with its default."""
    lines = config("mine").splitlines()
    fields = [number for number, line in enumerate(lines) if line.startswith("    # ")]

    assert "mine" in read_config("\n".join(lines)).projects
    assert len(fields) > 15
    for number in fields:
        changed = [*lines]
        changed[number] = changed[number].replace("# ", "", 1)
        assert read_config("\n".join(changed)).projects["mine"] == read_config("\n".join(lines)).projects["mine"]


PLACES = {
    "local": {},
    "unencrypted on port 80": {"url": "http://builds.corp"},
    "acme": {"url": "https://b.example.com", "tls": "acme", "acme_email": "ops@example.com"},
    "own": {"url": "https://b:8443", "tls": "own", "certificate": "/c.pem", "certificate_key": "/k.pem"},
}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_units_are_taken_by_systemd(tmp_path: Path) -> None:
    """systemd's own checker has nothing against them, whatever the answers."""
    for number, changed in enumerate(PLACES.values()):
        for name, text in texts(answers(**changed, user="root"), "/bin/true").items():
            if name.startswith("systemd/"):
                (tmp_path / f"{number}-{Path(name).name}").write_text(text)
    units = sorted(map(str, tmp_path.glob("*.service")))
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )

    assert 2 * len(PLACES) == len(units)
    assert [] == [line for line in (done.stdout + done.stderr).splitlines() if str(tmp_path) in line]
    assert 0 == done.returncode, done.stderr


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
@pytest.mark.parametrize("kind", ["acme", "own"])
def test_the_front_is_taken_by_caddy(tmp_path: Path, kind: str) -> None:
    """Caddy adapts it without a warning, and passes on to where the server listens."""
    (tmp_path / "Caddyfile").write_text(caddyfile(answers(**PLACES[kind])))
    done = subprocess.run(
        ["caddy", "adapt", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert '"dial":"127.0.0.1:8080"' in done.stdout
    assert "WARN" not in done.stderr.upper()


def test_a_trial_is_sent_with_the_settings_of_the_folder(
    tmp_path: Path, mailbox: Mailbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To an address, and to everybody a project names; each is answered for, and it says that it is a test."""
    flags = ["--smtp-port", str(mailbox.port), "--no-smtp-tls", "--project", "mine"]
    mail = ["--mail", "smtp", "--mail-from", "builds@example.com", "--smtp-host", "127.0.0.1"]
    install(tmp_path / "b", *mail, *flags, "--test-mail", "ops@example.com")
    text = (tmp_path / "b/config.yaml").read_text()
    (tmp_path / "b/config.yaml").write_text(
        text.replace("# notification_emails: []", "notification_emails: [team@example.com]")
    )
    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(SystemExit) as done:
        notify(["test", "--project", "mine"])
    assert 0 == done.value.code
    assert ["ops@example.com", "team@example.com"] == [mail["To"] for mail in mailbox.messages]
    assert "this is a test" in mailbox.messages[0]["Subject"]
    assert "team@example.com: taken" in capsys.readouterr().out

    mailbox.rcpt = "550 no such user"
    with pytest.raises(SystemExit) as refused:
        notify(["test", "--to", "nobody@example.com"])
    assert 1 == refused.value.code
    assert "nobody@example.com: not sent: the mail server answered 550" in capsys.readouterr().out


def test_a_trial_without_a_sender_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """The variables to set; and nobody to send to is an error as well."""
    with pytest.raises(SystemExit):
        notify(["test", "--to", "ops@example.com"])
    assert "NOTIFIER_SMTP_HOST" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="--to ADDRESS"):
        notify(["test"])


def test_a_record_of_before_that_cannot_be_read_is_no_new_installation(tmp_path: Path) -> None:
    """Nothing is asked, made or overwritten."""
    install(tmp_path / "b")
    (tmp_path / "b/setup.json").write_text("{")
    before = files_of(tmp_path / "b")
    with pytest.raises(SystemExit, match=r"setup\.json cannot be read"):
        install(tmp_path / "b")

    assert before == files_of(tmp_path / "b")
