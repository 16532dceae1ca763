"""The network between here and the dashboard: which proxy, which certificates; the same for WebSocket and uploads."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")

_SOCKS_MODULES = ("python_socks", "socksio")
"""What WebSockets and uploads need for it; few machines do."""

_PROXY_VARIABLES = {
    "https": ("https_proxy", "all_proxy"),
    "wss": ("https_proxy", "all_proxy"),
    "http": ("http_proxy", "all_proxy"),
    # A WebSocket needs CONNECT, for which proxies for HTTPS are made (RFC 6455, 4.1).
    "ws": ("https_proxy", "http_proxy", "all_proxy"),
}


class NetworkSettingWrong(ValueError):
    """A variable about the network cannot be followed; reads as a sentence, and names the variable."""


def find_proxy(url: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The proxy for this address by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; None: straight there.

    This machine itself is never asked for through a proxy.

    Raises:
        NetworkSettingWrong: the variable holds no address of a proxy.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    if _is_loopback(host) or is_exempt(host, port, _read(environment, "no_proxy") or ""):
        return None
    for name in _PROXY_VARIABLES.get(parts.scheme, ()):
        if proxy := _read(environment, name):
            return _checked(proxy if "://" in proxy else f"http://{proxy}", name)
    return None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: by name (and all below it), address, network (`10.0.0.0/8`), port, or `*`."""
    host = host.lower().rstrip(".")
    return any(_matches(host, port, entry) for entry in no_proxy.lower().replace(",", " ").split())


def tls_context(environment: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Whom we trust (the system, SSL_CERT_FILE, BUILD_DASHBOARD_CA_FILE) and who we are (BUILD_DASHBOARD_CLIENT_CERT).

    Raises:
        NetworkSettingWrong: a file that was named cannot be used.
    """
    context = ssl.create_default_context()
    chosen = environment.get("SSL_CERT_FILE")
    if chosen and not Path(chosen).is_file():
        # OpenSSL says nothing of a missing file, and then trusts nobody.
        raise NetworkSettingWrong(f"SSL_CERT_FILE: there is no file {chosen}")
    if chosen:
        _load(context, "SSL_CERT_FILE", chosen)
    elif _knows_no_authority():
        import certifi  # noqa: PLC0415  (only a Python without the system's certificates needs it)

        context.load_verify_locations(certifi.where())
    if own := environment.get("BUILD_DASHBOARD_CA_FILE"):
        _load(context, "BUILD_DASHBOARD_CA_FILE", own)
        # Authorities that companies made themselves often lack extensions that Python 3.13 began to insist on.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if certificate := environment.get("BUILD_DASHBOARD_CLIENT_CERT"):
        key = environment.get("BUILD_DASHBOARD_CLIENT_KEY") or None
        password = environment.get("BUILD_DASHBOARD_CLIENT_KEY_PASSWORD", "")
        try:
            # With a password given OpenSSL never asks for one at the terminal, where nobody may sit.
            context.load_cert_chain(certificate, key, password)
        except OSError as error:
            raise NetworkSettingWrong(f"BUILD_DASHBOARD_CLIENT_CERT, {certificate}: {_words(error)}") from error
    return context


def without_password(proxy: str) -> str:
    """The proxy's address as it may be shown."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _checked(proxy: str, name: str) -> str:
    try:
        parts = urlsplit(proxy)
        is_address = bool(parts.hostname) and parts.port != 0 and parts.scheme in _PROXY_SCHEMES
    except ValueError:  # a port that is no number
        is_address = False
    if not is_address:
        # Without its text, which may hold a password.
        raise NetworkSettingWrong(f"{name.upper()} is no address of a proxy: write http://user:password@host:port")
    if proxy.startswith("socks") and not all(find_spec(module) for module in _SOCKS_MODULES):
        raise NetworkSettingWrong(f"{name.upper()}: SOCKS needs more: pip install 'python-socks[asyncio]' socksio")
    return proxy


def _load(context: ssl.SSLContext, variable: str, path: str) -> None:
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:
        raise NetworkSettingWrong(f"{variable}, {path}: {_words(error)}") from error


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"this is no PEM file that OpenSSL can read ({error.reason or error})"
    return error.strerror or str(error)


def _knows_no_authority() -> bool:
    """Whether this Python was built for another system's layout and finds no certificates here."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile is None and paths.capath is None


def _read(environment: Mapping[str, str], name: str) -> str | None:
    """Lower case first, as curl does; programs that CGI starts must not believe HTTP_PROXY, a visitor's header."""
    if name == "http_proxy" and "REQUEST_METHOD" in environment:
        return environment.get(name) or None
    return environment.get(name) or environment.get(name.upper()) or None


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # one of the two is a name
        pass
    name, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdigit() and "]" not in wanted_port:
        if int(wanted_port) != port:
            return False
        entry = name.strip("[]")
    entry = entry.lstrip("*").lstrip(".")
    return host == entry or host.endswith(f".{entry}")
