"""Obstacles: what stands between this machine and the dashboard, in people's words and with the fix."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from build_protocol.credentials import is_mistyped
from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    ProxyError,
)

from build_dashboard.ci_key import CiKeyFailed
from build_dashboard.delivery.exchange import PostFailed
from build_dashboard.delivery.network import NetworkSettingWrong, find_proxy, without_password
from build_dashboard.endpoint import Endpoint

_EXPIRED, _NOT_YET_VALID, _OTHER_NAMES = 10, 9, (62, 64)
"""OpenSSL's codes of certificates that nothing is wrong with but the date, or the name or address."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF", "violation of protocol")
"""What OpenSSL says of bytes that are no TLS, depending on its version."""

_KEY_IS_WRONG = "the API key is wrong or revoked (BUILD_DASHBOARD_API_KEY)"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What failed; `check` is the doctor's name for it."""

    check: str
    problem: str
    remedy: str


def explain(error: Exception, endpoint: Endpoint) -> Obstacle:  # noqa: C901, PLR0911  (one answer a kind of error, read from top to bottom)
    """Why dialling this endpoint failed."""
    url = endpoint.url
    if isinstance(error, CiKeyFailed):
        return Obstacle("key", f"{error} (this CI's own token, for there is no BUILD_DASHBOARD_API_KEY)", _TRUST)
    if isinstance(error, NetworkSettingWrong):
        return Obstacle("settings", str(error), "correct or unset the variable")
    if isinstance(error, InvalidProxy):
        return Obstacle(
            "proxy", "HTTPS_PROXY is no address of a proxy", "write http://host:port or http://user:password@host:port"
        )
    if isinstance(error, ProxyError):
        return _of_proxy(error, url)
    if isinstance(error, PostFailed):
        return _of_post(error, endpoint)
    if isinstance(error, InvalidStatus):
        return _of_status(error.response.status_code, endpoint, is_ours=is_ours(error))
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, url)
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return _CERTIFICATE_WANTED if url.startswith("wss:") else _CLOSED
    if isinstance(error, InvalidHandshake):
        return Obstacle(
            "upgrade",
            f"something between here and the dashboard does not pass WebSockets on ({error})",
            "a proxy that looks into connections? ask for an exception for this host, or name the proxy in HTTPS_PROXY",
        )
    if isinstance(error, TimeoutError):
        return Obstacle("connection", "nobody answered in time", _FIREWALL)
    if isinstance(error, OSError):
        return _of_connection(error, url)
    return Obstacle("upgrade", str(error) or type(error).__name__, "update build-dashboard")


_MISTYPED = Obstacle(
    "key",
    "the API key is wrong: a mistyped key, whose checksum does not fit the rest (BUILD_DASHBOARD_API_KEY)",
    "copy the whole value again, or create a new key: build-dashboard keys add NAME",
)

_TRUST = "have `trusted_ci` in the server's config.yaml name this job, or set BUILD_DASHBOARD_API_KEY"

_FIREWALL = "a firewall drops it? set HTTPS_PROXY to your company's proxy, or ask for this way to be opened"

# TLS 1.3 lets a client in before it looks at its certificate, and then hangs up.
_CERTIFICATE_WANTED = Obstacle(
    "client certificate",
    "the server hung up after TLS was agreed upon: it may want a certificate of ours",
    "set BUILD_DASHBOARD_CLIENT_CERT (and BUILD_DASHBOARD_CLIENT_KEY) to the PEM files you were given",
)

_CLOSED = Obstacle("upgrade", "the server hung up without an answer", "wss:// instead of ws://, or another port?")


def _of_proxy(error: ProxyError, url: str) -> Obstacle:
    proxy = find_proxy(url) or ""
    shown = without_password(proxy)
    if not isinstance(error, InvalidProxyStatus):
        return Obstacle("proxy", f"what answers at {shown} is no HTTP proxy ({error})", "check the port in HTTPS_PROXY")
    status = error.response.status_code
    if status == 407 and "@" in proxy:
        return Obstacle(
            "proxy",
            f"{shown} refuses the user or the password (HTTP 407)",
            "correct them in HTTPS_PROXY; special characters as %40. Only basic authentication is spoken: for NTLM or "
            "Kerberos run a local helper (cntlm, px) and name that",
        )
    if status == 407:
        return Obstacle(
            "proxy",
            f"{shown} wants a user and a password (HTTP 407)",
            "write them into HTTPS_PROXY: http://user:password@host:port",
        )
    where = urlsplit(url).netloc
    return Obstacle(
        "proxy",
        f"{shown} does not connect to {where} (HTTP {status})",
        f"ask for {where} to be allowed there; a host inside your network belongs into NO_PROXY",
    )


def _of_post(error: PostFailed, endpoint: Endpoint) -> Obstacle:
    if isinstance(error.cause, ssl.SSLError):
        return _of_tls(error.cause, endpoint.url)
    if error.code is not None and error.status in (401, 403):
        return _of_status(error.status, endpoint, is_ours=True)
    return Obstacle(
        "post",
        f"neither a WebSocket nor an HTTP post passes ({error})",
        "ask for an exception for this host, or name the proxy in HTTPS_PROXY",
    )


def is_ours(error: InvalidStatus) -> bool:
    """Whether the gateway itself refused, and nobody on the way to it."""
    return error.response.headers.get("Content-Type", "").startswith("application/problem+json")


def _of_status(status: int, endpoint: Endpoint, *, is_ours: bool) -> Obstacle:
    if status == 401 and is_mistyped(endpoint.api_key):
        return _MISTYPED
    if status == 401:
        return Obstacle("key", _KEY_IS_WRONG, "create a new key: build-dashboard keys add NAME")
    if status == 403 and is_ours:
        return Obstacle(
            "key", "the API key may not connect (HTTP 403)", "create a new key: build-dashboard keys add NAME"
        )
    if status == 404:
        path = urlsplit(endpoint.url).path
        return Obstacle(
            "upgrade", f"no dashboard answers at {endpoint.url}", f"is {path} the path of the dashboard's WebSocket?"
        )
    if status in (502, 503, 504):
        return Obstacle(
            "upgrade", f"the dashboard is not up behind its front (HTTP {status})", "try again, or tell whoever runs it"
        )
    return Obstacle(
        "upgrade",
        f"the server answered HTTP {status} where a WebSocket was asked for",
        "a proxy or front that does not pass `Upgrade` on? see docs/install-agent.md, Behind company networks",
    )


def _of_tls(error: ssl.SSLError, url: str) -> Obstacle:
    host = urlsplit(url).hostname
    code = getattr(error, "verify_code", None)
    if code in (_EXPIRED, _NOT_YET_VALID):
        words = "has expired" if code == _EXPIRED else "is not valid yet"
        return Obstacle(
            "TLS",
            f"the server's certificate {words}",
            "check this machine's date (`date -u`); else tell whoever runs the server",
        )
    if code in _OTHER_NAMES:
        return Obstacle(
            "TLS",
            f"the server's certificate is for another name than {host}",
            "write the name it was made for into WS_ENDPOINT",
        )
    if code is not None:
        return Obstacle(
            "TLS",
            f"the server's certificate is signed by nobody we trust ({getattr(error, 'verify_message', error)})",
            "a company CA, or a proxy that looks into TLS? set BUILD_DASHBOARD_CA_FILE to its certificate (PEM)",
        )
    if "CERTIFICATE_REQUIRED" in str(error) or "ALERT_HANDSHAKE_FAILURE" in str(error):
        return _CERTIFICATE_WANTED
    if any(sign in str(error) for sign in _NO_TLS):
        remedy = "ws:// instead of wss://, or another port; or a firewall that does not like this host"
        return Obstacle("TLS", f"there is no TLS on this port ({error.reason or error})", remedy)
    return Obstacle("TLS", str(error.reason or error), _FIREWALL)


def _of_connection(error: OSError, url: str) -> Obstacle:
    words = error.strerror or str(error) or type(error).__name__
    if proxy := find_proxy(url):
        return Obstacle(
            "proxy",
            f"{without_password(proxy)} cannot be reached ({words})",
            "check HTTPS_PROXY, or put the dashboard into NO_PROXY",
        )
    return Obstacle("connection", f"{urlsplit(url).netloc}: {words}", _FIREWALL)
