"""`build-dashboard support-bundle`: all that helps, nothing that must stay; where in doubt, nothing at all."""

import json
import os
import tarfile
from pathlib import Path

import pytest
from build_embedded.setup.cli import setup
from build_embedded.support import cli
from build_embedded.support.masking import Leak, masked, passwords_of

SMTP = "gees3-on-a-bike"
BROKER, BROKER_QUOTED = "br0ker/pass w", "br0ker%2Fpass%20w"
CHAT = "slack://TokenA1234/TokenB5678/TokenC9012"
PLANTED = {
    "a mail password": SMTP,
    "a broker's password": BROKER_QUOTED,
    "the same, decoded": BROKER,
    "GitHub's token": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "a chat's token": "TokenB5678",
    "a person": "ann.smith@example.com",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose secrets stand where they should, and in its logs, where they should not."""
    for name in list(os.environ):
        if name.startswith(("NOTIFIER_", "BUILD_DASHBOARD", "JWT_", "AMQP", "SECRET_", "MYSQL")):
            monkeypatch.delenv(name)
    (tmp_path / "word").write_text(SMTP)
    place = tmp_path / "b"
    mail = ["--mail", "smtp", "--mail-from", "ann.smith@example.com", "--smtp-host", "mail", "--smtp-username", "us"]
    setup(["--folder", str(place), "--yes", *mail, "--smtp-password-file", str(tmp_path / "word"), "--project", "mine"])
    monkeypatch.chdir(place)
    monkeypatch.setenv("AMQP_URL", f"amqp://history:{BROKER_QUOTED}@broker/")
    monkeypatch.setenv("NOTIFIER_GITHUB_TOKEN", PLANTED["GitHub's token"])
    text = Path("config.yaml").read_text().replace("# channels: []", f"channels: ['{CHAT}']")
    text = text.replace("# notification_emails: []", "notification_emails: [ann.smith@example.com]")
    Path("config.yaml").write_text(text)
    key = Path("agent.env").read_text().split("KEY=")[1].strip()
    Path("server.log").write_text("\n".join([*PLANTED.values(), key, f"connect amqp://x:{BROKER}@h", "ordinary line"]))
    return place


def written(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as files:
        return {
            each.name.removeprefix("build-dashboard-support/"): files.extractfile(each).read().decode()  # type: ignore[union-attr]
            for each in files.getmembers()
        }


def test_a_bundle_has_what_helps_and_no_secret(folder: Path) -> None:
    """Wherever the secrets stand: settings, config.yaml, logs. What is ordinary is left as it is."""
    cli.support_bundle(["--log", "server.log", "--output", "out.tar.gz", "--port", "9"])
    texts = written(folder / "out.tar.gz")
    everything = "\n".join(texts.values())
    settings = json.loads(texts["settings.json"])

    assert {
        "about.json",
        "settings.json",
        "schemas.txt",
        "readyz.json",
        "metrics.txt",
        "config.yaml",
        "logs/0-server.log",
    } <= set(texts)
    for what, secret in PLANTED.items():
        assert secret not in everything, what
    assert Path("agent.env").read_text().split("KEY=")[1].strip() not in everything
    assert "ordinary line" in texts["logs/0-server.log"]
    assert "someone@example.com" in texts["config.yaml"]
    assert "slack://[REDACTED]" in texts["config.yaml"]
    assert ("set", "mail") == (settings["notifier"]["smtp_password"], settings["notifier"]["smtp_host"])
    assert "gateway" in texts["schemas.txt"]
    assert "does not answer" in texts["readyz.json"]
    assert json.loads(texts["about.json"])["packages"]["build-dashboard"]
    assert 0 == (folder / "out.tar.gz").stat().st_mode & 0o077


def test_a_bundle_that_would_show_a_secret_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reads what would be written, not what was meant to be; nothing is left behind."""
    monkeypatch.setattr(cli, "masked", lambda texts, secrets: _leak())
    with pytest.raises(SystemExit, match="would show a secret"):
        cli.support_bundle(["--output", "out.tar.gz", "--port", "9"])

    assert not (folder / "out.tar.gz").exists()


def _leak() -> None:
    raise Leak("settings.json")


def test_a_file_that_is_there_stays(folder: Path) -> None:
    """Nobody's evidence is overwritten."""
    Path("out.tar.gz").write_text("mine")
    with pytest.raises(SystemExit, match="cannot be written"):
        cli.support_bundle(["--output", "out.tar.gz", "--port", "9"])

    assert "mine" == Path("out.tar.gz").read_text()


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("mongodb://gateway:s3cr3tpw@host/db", "s3cr3tpw"),
        ("see https://ann:pa55word@host/x", "pa55word"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "JHMHI8qBe7bk2ZwO5U711o3dV_js"),
        ("mail to Ann <ann.smith@example.com>", "ann.smith"),
        ("line of a secret: second-line-key", "second-line-key"),
    ],
)
def test_what_looks_secret_is_masked_although_nobody_knows_it(text: str, gone: str) -> None:
    """Passwords in addresses, chats' addresses, people's; and each line of a known secret that has several."""
    assert gone not in masked({"a": text}, ["first-line-key\nsecond-line-key"])["a"]


def test_addresses_without_a_password_are_left() -> None:
    """They help: where a server looks for what."""
    text = "http://ingest:8081 sqlite:////srv/b/data/x.sqlite https://builds.example.com/builds/1#L7"

    assert text == masked({"a": text}, [])["a"]
    assert [] == passwords_of("http://[::1") == passwords_of("amqp://guest@h")
