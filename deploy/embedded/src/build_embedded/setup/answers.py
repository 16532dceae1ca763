"""What an installation is decided by: a person's answers, what follows from them, what is wrong with them. Pure."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from build_protocol.model import ProjectName
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

Tls = Literal["none", "acme", "own", "proxy"]
MailProvider = Literal["none", "smtp", "sendgrid"]

HTTP_PORT, HTTPS_PORT, FRONTED_PORT = 80, 443, 8080
_PROJECT = TypeAdapter[str](ProjectName)
_PLAIN_PATH = re.compile(r"/[\w@+.,/-]*", re.ASCII)
_PLAIN_WORD = re.compile(r"[\w@+.:-]+", re.ASCII)
_SENDER = re.compile(r"[^\s<>@'\"$\\]+@[^\s<>@'\"$\\]+|[\w .-]+ <[^\s<>@'\"$\\]+@[^\s<>@'\"$\\]+>")


class Answers(BaseModel):
    """Everything that the files of an installation follow from; no secret among it, so that it can be kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a later release may have kept more

    folder: Path
    url: str = "http://127.0.0.1:8080"
    port: int | None = None
    """Where the server itself listens; None: the address's own port, or 8080 behind a front."""
    tls: Tls = "none"
    certificate: Path | None = None
    certificate_key: Path | None = None
    acme_email: str = ""
    user: str = ""
    """The account that server and agent run as."""
    project: str = "my-project"
    mail: MailProvider = "none"
    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_tls: bool = True

    @property
    def hostname(self) -> str:
        """The name people reach it by."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine is meant to reach it."""
        try:
            return self.hostname == "localhost" or ipaddress.ip_address(self.hostname).is_loopback
        except ValueError:
            return False

    @property
    def listen_host(self) -> str:
        """Where the server itself listens: for this machine, unless nothing stands in front of it."""
        return "0.0.0.0" if self.tls == "none" and not self.is_local else "127.0.0.1"  # noqa: S104  asked for, with a remark

    @property
    def listen_port(self) -> int:
        """Where the server itself listens."""
        if self.port is not None or self.tls != "none":
            return self.port or FRONTED_PORT
        return urlsplit(self.url).port or HTTP_PORT

    @property
    def endpoint(self) -> str:
        """Where agents connect."""
        return self.url.replace("http", "ws", 1)

    @property
    def data(self) -> Path:
        """The directory of all stores."""
        return self.folder / "data"

    @property
    def secrets(self) -> Path:
        """The directory of what is secret and was given."""
        return self.folder / "secrets"


def faults(answers: Answers) -> Iterator[str]:
    """A sentence for each answer that cannot be followed."""
    yield from _faults_of_place(answers)
    yield from _faults_of_tls(answers)
    yield from _faults_of_mail(answers)
    try:
        _PROJECT.validate_python(answers.project)
    except ValidationError:
        yield f"{answers.project!r} is no name of a project: use a-z, 0-9, `_`, `.`, `-`, at most 64 (--project)"


def remarks(answers: Answers) -> Iterator[str]:
    """What the person should know of these answers, although they can be followed."""
    if answers.tls == "none" and not answers.is_local:
        yield "passwords and keys travel unencrypted: anybody on the way reads them (--tls acme, own or proxy)"
    if answers.user == "root":
        yield "the units run as root: name an account for them, --user build-dashboard"


def _faults_of_place(answers: Answers) -> Iterator[str]:
    parts = urlsplit(answers.url)
    if parts.scheme not in ("http", "https") or not answers.hostname or not _PLAIN_WORD.fullmatch(parts.netloc):
        yield f"{answers.url!r} is no address: write https://host or http://host:port (--url)"
    elif parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        yield f"{answers.url!r} has more than a host and a port: a dashboard is at the top of its address (--url)"
    if answers.port is not None and not 0 < answers.port < 65536:
        yield f"{answers.port} is no port (--port)"
    for option, path in {"--folder": answers.folder, "--certificate": answers.certificate}.items():
        if path is not None and not _PLAIN_PATH.fullmatch(str(path)):
            yield f"{str(path)!r}: choose a path of letters, digits and `_@+.,-`, which units take as it is ({option})"
    if answers.user and not _PLAIN_WORD.fullmatch(answers.user):
        yield f"{answers.user!r} is no name of an account (--user)"


def _faults_of_tls(answers: Answers) -> Iterator[str]:
    is_https = urlsplit(answers.url).scheme == "https"
    if is_https and answers.tls == "none":
        yield f"{answers.url} needs a certificate: --tls acme, own, or proxy where another server has it (--tls)"
    if not is_https and answers.tls != "none":
        yield f"--tls {answers.tls} is for an address that begins with https:// (--url)"
    if answers.tls == "acme" and (answers.is_local or "." not in answers.hostname or _is_address(answers.hostname)):
        yield f"nobody gives out a certificate for {answers.hostname}: use a name in the public DNS (--url)"
    if answers.tls == "own" and (answers.certificate is None or answers.certificate_key is None):
        yield "name the certificate and its key: --certificate FILE --certificate-key FILE"
    if answers.acme_email and not _SENDER.fullmatch(answers.acme_email):
        yield f"{answers.acme_email!r} is no mail address (--acme-email)"


def _faults_of_mail(answers: Answers) -> Iterator[str]:
    if answers.mail != "none" and not _SENDER.fullmatch(answers.mail_from):
        yield f"{answers.mail_from!r} is no sender: write builds@example.com (--mail-from)"
    if answers.mail == "smtp" and not _PLAIN_WORD.fullmatch(answers.smtp_host):
        yield f"{answers.smtp_host!r} is no mail server (--smtp-host)"
    if answers.mail == "smtp" and not 0 < answers.smtp_port < 65536:
        yield f"{answers.smtp_port} is no port (--smtp-port)"
    if answers.smtp_username and not re.fullmatch(r"[^\s'\"$\\#]+", answers.smtp_username):
        yield f"{answers.smtp_username!r} is no user of a mail server (--smtp-username)"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
