"""What each service may do on the broker, as the user of its name; and whose word a message is by its user.

The broker checks the user that a message names against its connection's, so nobody publishes in another's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from build_protocol import topology

_NOTHING = "^$"
_OWN_QUEUE = r"amq\.gen.*"


@dataclass(frozen=True, slots=True)
class Rights:
    """Names of exchanges and queues a user may configure, write to and read from, as regular expressions.

    `keys`: the routing keys it may publish with, by topic exchange; of other topic exchanges it may use none.
    """

    configure: str
    write: str
    read: str
    keys: Mapping[str, str]


def _published(service: str, *, replayed_to: str) -> str:
    """The types it publishes, and what it replays to queues whose names begin like that."""
    kinds = "|".join(topology.PUBLISHED[service])
    replays = rf"{topology.REPLAY}\.{replayed_to}"
    return rf"^([0-7]\.({kinds})|{replays})\." if kinds else rf"^{replays}\."


def _consuming(service: str) -> Rights:
    return Rights(
        configure=_NOTHING,
        write=r"^builds(\.dead)?$",
        read=rf"^{service}\.(builds|returned)$",
        keys={topology.EXCHANGE: _published(service, replayed_to=service), topology.LIVE_EXCHANGE: _NOTHING},
    )


RIGHTS: Mapping[str, Rights] = {
    "gateway": Rights(
        configure=f"^{_OWN_QUEUE}$",
        write=rf"^(builds|builds\.control|{_OWN_QUEUE})$",
        read=rf"^(builds\.live|builds\.control|{_OWN_QUEUE}|parking|[a-z]+\.returned)$",
        keys={topology.EXCHANGE: _published("gateway", replayed_to="[a-z]+"), topology.LIVE_EXCHANGE: _NOTHING},
    ),
    "ingest": Rights(
        configure=_NOTHING,
        write=r"^builds(\.live|\.dead)?$",
        read=r"^ingest\.(\d+|returned)$",
        keys={topology.EXCHANGE: _published("ingest", replayed_to="ingest"), topology.LIVE_EXCHANGE: ".*"},
    ),
    "artifacts": _consuming("artifacts"),
    "history": _consuming("history"),
    "notifier": _consuming("notifier"),
}


def user_of(url: str) -> str:
    """The user that an AMQP URL connects as."""
    return unquote(urlsplit(url).username or "guest")


def fault_of(own_user: str, key: str, user: str | None) -> str | None:
    """Why a message under this routing key is not believed; None when it is.

    Args:
        own_user: Whom the reader connects as. A service's name: every service has a user of its own, and what one of
            them publishes comes from its user. Any other: all share it, and the broker cannot tell them apart.
        key: The message's routing key.
        user: The user that published it, as the broker validated it; None where it names none.
    """
    if own_user in RIGHTS and key.startswith(f"{topology.REPLAY}."):
        # It was believed before: the service itself, or an admin through the gateway, puts it back.
        return None if user in {own_user, "gateway"} else f"replayed by {user or 'nobody known'}"
    publisher = topology.publisher_of(key)
    if own_user not in RIGHTS or publisher is None or user == publisher:
        return None
    return f"published by {f'user {user}' if user else 'nobody known'}, not by {publisher}"
