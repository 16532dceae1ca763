"""One-tap links: what a recipient may do about one incident without a login, by a signed permission.

A link opens a page that asks; only its button acts, because mail scanners follow every link. The permission is of one
incident and one recipient, ends by itself, and is refused once the incident is closed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from build_chassis import signing
from build_chassis.signing import JWTError
from build_protocol.clock import DAY_SECONDS

Deed = Literal["take", "mute", "flaky", "leave"]
"""Be on it; mute it until it is fixed; call its failure flaky; have no more mails of the project."""

DEEDS: tuple[Deed, ...] = get_args(Deed)
LIFE_SECONDS = 30 * DAY_SECONDS
_ISSUER, _AUDIENCE = "build-dashboard-notifier", "act"
_REQUIRED = {f"require_{claim}": True for claim in ("exp", "aud", "iss", "sub")}


class NoPermission(ValueError):
    """A link that permits nothing: forged, of another dashboard, or too old."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may act on which incident."""

    recipient: str
    incident: str
    project: str
    branch: str | None
    build_id: str | None
    signature: str | None


class ActionLinks:
    """Makes and reads the links of one dashboard; without a signing key there are none."""

    def __init__(self, secret: str, dashboard_url: str) -> None:
        self._secret = secret
        self._url = dashboard_url.rstrip("/")

    def of(self, permission: Permission, now_ms: int) -> Mapping[Deed, str]:
        """A link for each deed."""
        if not self._secret:
            return {}
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": permission.recipient,
            "exp": now_ms // 1000 + LIFE_SECONDS,
            "inc": permission.incident,
            "prj": permission.project,
            "brn": permission.branch,
            "bld": permission.build_id,
            "sig": permission.signature,
        }
        token = signing.encode(claims, self._secret)
        return {deed: f"{self._url}/api/notifications/act/{token}/{deed}" for deed in DEEDS}

    def read(self, token: str) -> Permission:
        """What a link's token permits. Raises NoPermission."""
        if not self._secret:
            raise NoPermission("this dashboard signs no links")
        try:
            claims = signing.decode(token, self._secret, audience=_AUDIENCE, issuer=_ISSUER, options=_REQUIRED)
            return Permission(
                recipient=str(claims["sub"]),
                incident=str(claims["inc"]),
                project=str(claims["prj"]),
                branch=claims["brn"],
                build_id=claims["bld"],
                signature=claims["sig"],
            )
        except (JWTError, KeyError) as error:
            raise NoPermission("this link is not of this dashboard, or is too old") from error


NO_LINKS = ActionLinks("", "")
"""Of a dashboard without a signing key."""
