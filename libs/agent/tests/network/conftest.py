"""A company's network in miniature: its certificate authority, TLS fronts, and proxies that want a password, look into
TLS, refuse, or cut what is idle."""

import asyncio
import base64
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "dashboard.test"
"""A name that only proxies can look up: a request that does not go through one fails."""

VARIABLES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")


class Authority:
    """A certificate authority; what it issues lies as PEM files in its directory."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory / name
        self._directory.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.pem = self._directory / "ca.pem"
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None), None, 1)
        self.pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str, *, days: int = 1) -> Path:
        """A PEM file with key and certificate; with negative days it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key, x509.BasicConstraints(ca=False, path_length=None), host, days)
        path = self._directory / f"{host}{days}.pem"
        form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, *form) + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def server_context(self, host: str, *, days: int = 1, clients: "Authority | None" = None) -> ssl.SSLContext:
        """TLS for a server of this name; `clients` signs whom it lets in."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.issue(host, days=days))
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.pem)
        return context

    def _sign(self, subject: x509.Name, key: Any, rule: Any, host: str | None, days: int) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(rule, critical=True)
        )
        if host is not None:
            name = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Listener:
    """An asyncio server in a thread of its own, on a free port of 127.0.0.1."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self._tls = tls
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a peer went away, or the test is over
        finally:
            writer.transport.abort()


class Front(Listener):
    """Ends TLS in front of a port."""

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self._behind = port
        super().__init__(tls)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await join((reader, writer), await asyncio.open_connection("127.0.0.1", self._behind))


class Proxy(Listener):
    """An HTTP proxy for CONNECT. `hosts` is whom it knows and where they are."""

    def __init__(
        self,
        hosts: dict[str, int],
        *,
        user_password: str | None = None,
        inspects_as: Authority | None = None,
        trusts: Authority | None = None,
        idle_seconds: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.hosts = hosts
        self.connects: list[str] = []
        self._expected = user_password and "Basic " + base64.b64encode(user_password.encode()).decode()
        self._inspects_as = inspects_as
        self._trusts = trusts
        self._idle_seconds = idle_seconds
        self._scheme = "https" if tls else "http"
        super().__init__(tls)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def url_for(self, user_password: str) -> str:
        return f"{self._scheme}://{user_password}@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        host = target.rpartition(":")[0]
        if self._expected and fields.get("Proxy-Authorization") != self._expected:
            return await self._refuse(writer, "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic")
        if method != "CONNECT" or host not in self.hosts:
            return await self._refuse(writer, "403 Forbidden")
        self.connects.append(host)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        if self._inspects_as is None:
            upstream = await asyncio.open_connection("127.0.0.1", self.hosts[host])
        else:
            await writer.start_tls(self._inspects_as.server_context(host))
            assert self._trusts is not None
            trusting = ssl.create_default_context(cafile=str(self._trusts.pem))
            upstream = await asyncio.open_connection("127.0.0.1", self.hosts[host], ssl=trusting, server_hostname=host)
        return await join((reader, writer), upstream, self._idle_seconds)

    async def _refuse(self, writer: asyncio.StreamWriter, status: str) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


class Parrot(Listener):
    """Answers every request with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        super().__init__()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        await writer.drain()
        await reader.read()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def join(one: Streams, other: Streams, idle_seconds: float | None = None) -> None:
    """Pass bytes both ways until one side ends, or nothing passed for so long."""
    loop = asyncio.get_running_loop()
    received_at = loop.time()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received_at
        while data := await reader.read(65536):
            received_at = loop.time()
            writer.write(data)
            await writer.drain()

    async def watch() -> None:
        if idle_seconds is None:
            await asyncio.Event().wait()
            return
        while (left := received_at + idle_seconds - loop.time()) > 0:  # noqa: ASYNC110  (time passing is waited for)
            await asyncio.sleep(left)

    pumps: list[Coroutine[Any, Any, None]] = [pump(one[0], other[1]), pump(other[0], one[1]), watch()]
    tasks = [asyncio.create_task(each) for each in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        other[1].transport.abort()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the dashboard's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"), "Dashboard CA")


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs what the company's proxy shows instead."""
    return Authority(tmp_path_factory.mktemp("company"), "Company CA")


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    """What runs for one test."""
    running: list[Listener] = []
    yield running
    for listener in reversed(running):
        listener.stop()


@pytest.fixture
def proxy(listeners: list[Listener], dashboard: dict[str, int]) -> Callable[..., Proxy]:
    """Starts a proxy that knows the dashboard, or the hosts given; the other arguments are those of Proxy."""

    def start(hosts: dict[str, int] | None = None, **options: Any) -> Proxy:
        listeners.append(started := Proxy(dashboard if hosts is None else hosts, **options))
        return started

    return start


@pytest.fixture
def front(listeners: list[Listener]) -> Callable[[int, ssl.SSLContext], Front]:
    """Starts a TLS front: `front(port_behind, context)`."""

    def start(port: int, tls: ssl.SSLContext) -> Front:
        listeners.append(started := Front(port, tls))
        return started

    return start


@pytest.fixture
def parrot(listeners: list[Listener]) -> Callable[[bytes], int]:
    """Starts a server that answers everything with these bytes; its port."""

    def start(answer: bytes) -> int:
        listeners.append(started := Parrot(answer))
        return started.port

    return start


@pytest.fixture
def dashboard(gateway: Any, authority: Authority, front: Callable[[int, ssl.SSLContext], Front]) -> dict[str, int]:
    """The gateway with TLS, under a name that only proxies can look up."""
    return {HOST: front(gateway.port, authority.server_context(HOST)).port}


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No proxy and no certificate of the machine that runs the tests."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "BUILD_DASHBOARD_CA_FILE", "BUILD_DASHBOARD_CLIENT_CERT", "WS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BUILD_DASHBOARD_SPOOL", str(tmp_path / "spool"))
    return monkeypatch


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
