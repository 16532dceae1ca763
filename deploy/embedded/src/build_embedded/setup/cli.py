"""`build-dashboard setup`: everything a server needs, in one folder; again: the same with this release."""

import argparse
import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from build_chassis.errors import StoreUnavailable, Unusable
from build_chassis.private_files import private_directory
from build_chassis.secret_rules import USER_PASSWORD
from build_dashboard import __version__
from build_dashboard.whole_file import write_whole
from pydantic import ValidationError

from build_embedded.backup.embedded import back_up
from build_embedded.backup.manifest import BackupFault
from build_embedded.cli import own
from build_embedded.migrate import migrate
from build_embedded.setup import accounts
from build_embedded.setup.answers import Answers, MailProvider, Tls, faults, remarks
from build_embedded.setup.asking import ask_all, ask_secret
from build_embedded.setup.placing import digest, place
from build_embedded.setup.texts import SERVER_UNIT, agent_environment, secret_files, texts

KEPT = "setup.json"
"""The answers, the release, and by which each file is recognised that was written; no secret."""


def setup(arguments: Sequence[str]) -> None:
    """Install, or upgrade what is installed. `arguments` are those behind `setup`. SystemExit with what is wrong."""
    options = _parser().parse_args(arguments)
    folder: Path = options.folder.expanduser().resolve()
    kept = _kept(folder / KEPT)
    answers = _answers(folder, kept, options)
    is_new = not kept
    if is_new and not options.yes and sys.stdin.isatty():
        answers = ask_all(answers)
    if wrong := list(faults(answers)):
        _refuse(*wrong)
    given = _given_secrets(answers, options)
    private_directory(folder)
    private_directory(answers.data)
    if not is_new and kept["version"] != __version__:
        _upgrade(answers, kept["version"])
    for path, secret in given.items():
        private_directory(path.parent)
        write_whole(path, secret + "\n")
    _place_all(answers, kept.get("written", {}))
    made = _make_accounts(answers, _password(options.admin_password_file))
    if answers.user and os.getuid() == 0:
        _give(folder, answers.user)
    _report(answers, made, is_new=is_new)
    if options.test_mail:
        _test_mail(answers, options.test_mail)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build-dashboard setup",
        description="Everything a server needs, in one folder: settings, config.yaml, the first admin, project and "
        "agent's key, units for systemd, a front for TLS. Run again it keeps what is there, what you changed as well, "
        "and brings it to this release; what it asks at a terminal may be given by flags.",
    )
    parser.add_argument("--folder", type=Path, default=Path("~/build-dashboard"), help="(default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="ask nothing: flags, earlier answers, defaults")
    place_ = parser.add_argument_group("how it is reached")
    place_.add_argument("--url", help="the address people use (default: http://127.0.0.1:8080)")
    place_.add_argument("--port", type=int, help="where the server itself listens (default: 8080, or the address's)")
    place_.add_argument(
        "--tls", choices=_choices(Tls), help="for https: by Caddy with ACME or your own certificate, or by your proxy"
    )
    place_.add_argument("--certificate", type=Path, help="your own, PEM, with its chain")
    place_.add_argument("--certificate-key", type=Path, help="its key")
    place_.add_argument("--acme-email", help="whom the certificate's authority writes to")
    place_.add_argument("--user", help="the account that the units run as; made where root sets up (default: yours)")
    first = parser.add_argument_group("what there is first")
    first.add_argument("--project", help="the first project (default: my-project)")
    first.add_argument(
        "--admin-password-file",
        type=Path,
        help="a file with the password of user admin, `-`: standard input (default: one is made)",
    )
    mail = parser.add_argument_group("mails")
    mail.add_argument("--mail", choices=_choices(MailProvider), help="who sends them (default: none)")
    mail.add_argument("--mail-from", help="their sender")
    mail.add_argument("--smtp-host", help="the mail server")
    mail.add_argument("--smtp-port", type=int, help="its port (default: 587)")
    mail.add_argument("--smtp-username", help="who we are there")
    mail.add_argument("--smtp-password-file", type=Path, help="a file with the password; it is copied")
    mail.add_argument("--smtp-tls", action=argparse.BooleanOptionalAction, help="STARTTLS, which must succeed")
    mail.add_argument("--sendgrid-key-file", type=Path, help="a file with SendGrid's key; it is copied")
    mail.add_argument("--test-mail", metavar="ADDRESS", help="send one at the end; exit 1 where it is not taken")
    return parser


def _choices(literal: Any) -> tuple[str, ...]:
    chosen: tuple[str, ...] = literal.__args__
    return chosen


def _answers(folder: Path, kept: Mapping[str, Any], options: argparse.Namespace) -> Answers:
    flags = {name: value for name in Answers.model_fields if (value := getattr(options, name, None)) is not None}
    for name in ("certificate", "certificate_key"):
        if name in flags:
            flags[name] = flags[name].expanduser().resolve()
    found = kept.get("answers", {}) | flags | {"folder": folder}
    found.setdefault("user", pwd.getpwuid(os.getuid()).pw_name)
    try:
        return Answers.model_validate(found)
    except ValidationError as error:
        _refuse(f"{folder / KEPT} or a flag cannot be read: {error}")


def _kept(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text())
        return {"version": str(kept["version"]), "answers": dict(kept["answers"]), "written": dict(kept["written"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        _refuse(f"{path} cannot be read ({error!r}): put it back, or delete it to be asked everything again")


def _given_secrets(answers: Answers, options: argparse.Namespace) -> dict[Path, str]:
    """The content of each file of a secret that is given now. SystemExit where one is needed and nowhere."""
    sources = {"smtp_password": options.smtp_password_file, "sendgrid_api_key": options.sendgrid_key_file}
    flags = {"smtp_password": "--smtp-password-file", "sendgrid_api_key": "--sendgrid-key-file"}
    given = {}
    for name, path in secret_files(answers).items():
        if sources[name]:
            given[path] = _read(sources[name])
        elif not path.is_file():
            if options.yes or not sys.stdin.isatty():
                _refuse(f"give it in a file: {flags[name]} FILE")
            given[path] = ask_secret(name.replace("_", " "))
    return given


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    password = sys.stdin.readline().rstrip("\r\n") if str(path) == "-" else _read(path)
    if fault := USER_PASSWORD.fault(password):
        _refuse(fault)
    return password


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        _refuse(f"{path} cannot be read: {error}")


def _upgrade(answers: Answers, of: str) -> None:
    """A backup, then every store as this release wants it. SystemExit where the old server still runs."""
    if not (answers.data / "gateway.sqlite").exists():
        return
    with own(answers.data):
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        backup = answers.folder / "backups" / f"before-{__version__}-of-{of}-{stamp}"
        private_directory(backup.parent)
        try:
            back_up(answers.data, backup, answers.folder / "config.yaml")
        except BackupFault as fault:
            _refuse(f"nothing was changed: {fault}")
        print(f"The data as of {of} is in {backup}", file=sys.stderr)
        try:
            migrate(["--data", str(answers.data)])
        except SystemExit as done:
            if done.code:
                _refuse(f"the stores are not as {__version__} wants them; restore {backup}, see docs/backup.md")


def _place_all(answers: Answers, written: Mapping[str, str]) -> None:
    now = dict(written)
    for name, text in texts(answers, _program()).items():
        placed = place(answers.folder / name, text, written.get(name))
        if placed == "kept":
            print(
                f"{answers.folder / name} was changed by somebody and stays; this release's is {name}.new",
                file=sys.stderr,
            )
        else:
            now[name] = digest(text)
    kept = {"version": __version__, "answers": answers.model_dump(mode="json"), "written": now}
    write_whole(answers.folder / KEPT, json.dumps(kept, indent=2) + "\n")


def _make_accounts(answers: Answers, password: str | None) -> dict[str, str]:
    """The admin and the key, where they are not there; what the person must be shown, by what it is."""
    made = {}
    agent = answers.folder / "agent.env"
    try:
        if fresh := asyncio.run(accounts.add_admin(answers.data, password)):
            made["password"] = fresh
        if not agent.exists():
            key = asyncio.run(accounts.add_key(answers.data, answers.project))
            write_whole(agent, agent_environment(answers, key))
    except (StoreUnavailable, Unusable) as error:
        _refuse(str(error))
    return made


def _give(folder: Path, user: str) -> None:
    try:
        pwd.getpwnam(user)
    except KeyError:
        command = ["useradd", "--system", "--home-dir", str(folder), "--shell", "/usr/sbin/nologin", user]
        if subprocess.run(command, check=False).returncode:
            _refuse(f"make the account {user} and run this again")
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)


def _program() -> str:
    program = Path(sys.executable).parent / "build-dashboard"
    return str(program) if program.exists() else f"{sys.executable} -m build_dashboard"


def _report(answers: Answers, made: Mapping[str, str], *, is_new: bool) -> None:
    folder = answers.folder
    print(f"{'Installed' if is_new else 'Up to date'}: build-dashboard {__version__} in {folder}")
    if "password" in made:
        print(f"  log in at {answers.url} as admin / {made['password']}   (shown once)")
    print(f"  agents: {folder / 'agent.env'} has the address and a key for project {answers.project}")
    for remark in remarks(answers):
        print(f"  note: {remark}")
    print("Start it:")
    place_ = (answers.listen_host, answers.listen_port)
    flags = "" if place_ == ("127.0.0.1", 8080) else " --host {} --port {}".format(*place_)
    print(f"  cd {folder} && {_program()} up{flags}")
    print("or as a service:")
    print(f"  sudo cp {folder}/systemd/{SERVER_UNIT} /etc/systemd/system/ && sudo systemctl daemon-reload")
    print(f"  sudo systemctl enable --now {SERVER_UNIT.removesuffix('.service')}")
    if answers.tls in ("acme", "own"):
        print("TLS by Caddy (apt-get install caddy):")
        print(f"  sudo cp {folder}/Caddyfile /etc/caddy/Caddyfile && sudo systemctl restart caddy")


def _test_mail(answers: Answers, address: str) -> None:
    command = [sys.executable, "-m", "build_dashboard", "notify", "test", "--to", address]
    sys.stdout.flush()
    if code := subprocess.run(command, cwd=answers.folder, check=False).returncode:
        sys.exit(code)


def _refuse(*sentences: str) -> NoReturn:
    sys.exit("\n".join(f"build-dashboard setup: {sentence}" for sentence in sentences))
