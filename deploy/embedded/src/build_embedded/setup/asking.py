"""The questions of `setup`, to a person at a terminal; Enter takes what stands in brackets."""

import getpass
from collections.abc import Callable

from build_embedded.setup.answers import Answers

Ask = Callable[[str], str]


def ask_all(begin: Answers, ask: Ask = input) -> Answers:
    """The answers, beginning with what flags and earlier answers say; each question shows what follows from Enter."""
    found = begin.model_copy(update={"url": _ask(ask, "Address people will use", begin.url).rstrip("/")})
    if found.url.startswith("https://"):
        tls = found.tls if found.tls != "none" else "acme"
        found = _with(found, tls=_choose(ask, "Certificate", ("acme", "own", "proxy"), tls))
    else:
        found = _with(found, tls="none")
    if found.tls == "own":
        found = _with(
            found,
            certificate=_ask(ask, "Certificate, PEM, with its chain", str(found.certificate or "")),
            certificate_key=_ask(ask, "Its key", str(found.certificate_key or "")),
        )
    found = _with(found, project=_ask(ask, "First project", found.project))
    found = _with(found, mail=_choose(ask, "Who sends mails", ("none", "smtp", "sendgrid"), found.mail))
    if found.mail != "none":
        found = _with(found, mail_from=_ask(ask, "Sender", found.mail_from or f"builds@{found.hostname}"))
    if found.mail == "smtp":
        found = _with(
            found,
            smtp_host=_ask(ask, "Mail server", found.smtp_host or "localhost"),
            smtp_port=_ask(ask, "Its port", str(found.smtp_port)),
            smtp_username=_ask(ask, "User there, empty for none", found.smtp_username),
        )
    return found


def ask_secret(what: str) -> str:
    """A secret, typed unseen."""
    return getpass.getpass(f"{what}: ").strip()


def _with(answers: Answers, **update: str) -> Answers:
    return Answers.model_validate(answers.model_dump() | update)


def _ask(ask: Ask, question: str, default: str) -> str:
    return ask(f"{question} [{default}]: ").strip() or default


def _choose(ask: Ask, question: str, choices: tuple[str, ...], default: str) -> str:
    while (chosen := _ask(ask, f"{question}: {', '.join(choices)}", default)) not in choices:
        pass
    return chosen
