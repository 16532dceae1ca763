"""The doctor names what is wrong on the way, and the fix: one test a disease, on real sockets."""

import time

import pytest
from build_dashboard.cli.doctor import Finding, examine
from build_dashboard.endpoint import Endpoint
from build_protocol.credentials import KEY_PREFIX, new_id, new_value

pytestmark = pytest.mark.slow

HOST = "dashboard.test"
KEY = "bmk_test_key_of_the_tests"


@pytest.fixture
def trusting(bare_environment, authority):
    """An environment that trusts the dashboard's authority."""
    bare_environment.setenv("BUILD_DASHBOARD_CA_FILE", str(authority.pem))
    return bare_environment


def diagnosis(url: str, key: str = KEY) -> Finding:
    """The one finding that is not well."""
    found = [finding for finding in examine(Endpoint(f"{url}/ws", key)) if not finding.is_well]
    assert len(found) == 1, found
    assert found[0].remedy
    return found[0]


def local(port: int, scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{port}"


def test_a_healthy_way_is_shown_step_by_step(trusting, gateway, proxy) -> None:
    """Through a proxy, with TLS: every check is there and well."""
    trusting.setenv("HTTPS_PROXY", proxy().url)
    gateway._welcome = lambda hello: {**_WELCOME, "serverAt": int(time.time() * 1000)}

    found = list(examine(Endpoint(f"wss://{HOST}/ws", KEY)))

    assert [finding for finding in found if not finding.is_well] == []
    checks = [finding.check for finding in found]
    assert checks[:6] == ["spool", "address", "certificates", "proxy", "DNS", "connection"]
    assert checks[6:] == ["key", "clock", "ingest", "uploads"]


def test_proxy_that_is_not_there(trusting, free_port) -> None:
    """Refused by the proxy's machine is not the dashboard's fault."""
    trusting.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port}")
    found = diagnosis(f"wss://{HOST}")

    assert (found.check, f"127.0.0.1:{free_port} cannot be reached" in found.detail) == ("proxy", True)
    assert "HTTPS_PROXY" in str(found.remedy)


@pytest.mark.parametrize(("given", "words"), [("", "wants a user"), ("ann:wrong@", "refuses the user")])
def test_proxy_that_wants_a_password(trusting, given, words, proxy) -> None:
    """407 says where to write it; a wrong one is named as such, and never shown."""
    through = proxy(user_password="ann:right")
    trusting.setenv("HTTPS_PROXY", f"http://{given}127.0.0.1:{through.port}")
    found = diagnosis(f"wss://{HOST}")

    assert (found.check, words in found.detail, "wrong" in found.detail) == ("proxy", True, False)
    assert "HTTPS_PROXY" in str(found.remedy)


def test_proxy_that_does_not_let_us_there(trusting, proxy) -> None:
    """403 names the host that has to be allowed."""
    trusting.setenv("HTTPS_PROXY", proxy({}).url)
    found = diagnosis(f"wss://{HOST}")

    assert (found.check, "HTTP 403" in found.detail, HOST in str(found.remedy)) == ("proxy", True, True)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1:1", "http://host:port", "http://"])
def test_proxy_with_an_address_that_is_none(trusting, address) -> None:
    """A typing error in the variable is reported as such."""
    trusting.setenv("HTTPS_PROXY", address)
    found = diagnosis(f"wss://{HOST}")

    assert (found.check, "HTTPS_PROXY is no address" in found.detail) == ("settings", True)


def test_authority_nobody_trusts(bare_environment, authority, gateway, front) -> None:
    """A company CA: the variable to set is named."""
    door = front(gateway.port, authority.server_context("127.0.0.1"))
    found = diagnosis(local(door.port, "wss"))

    assert (found.check, "BUILD_DASHBOARD_CA_FILE" in str(found.remedy)) == ("TLS", True)


def test_authority_of_a_proxy_that_looks_into_tls(trusting, authority, company, proxy) -> None:
    """The same through a proxy, where only the dialling itself can tell."""
    trusting.setenv("HTTPS_PROXY", proxy(inspects_as=company, trusts=authority).url)
    found = diagnosis(f"wss://{HOST}")

    assert (found.check, "BUILD_DASHBOARD_CA_FILE" in str(found.remedy)) == ("TLS", True)


def test_certificate_out_of_date(trusting, authority, gateway, front) -> None:
    """Either the server's certificate or this machine's clock: both are named."""
    door = front(gateway.port, authority.server_context("127.0.0.1", days=-1))
    found = diagnosis(local(door.port, "wss"))

    assert (found.check, "expired" in found.detail, "date" in str(found.remedy)) == ("TLS", True, True)


def test_certificate_for_another_name(trusting, authority, gateway, front) -> None:
    """The address differs from the certificate's."""
    door = front(gateway.port, authority.server_context("other.test"))
    found = diagnosis(local(door.port, "wss"))

    assert (found.check, "another name" in found.detail) == ("TLS", True)


def test_client_certificate_wanted(trusting, authority, company, gateway, front) -> None:
    """A front that wants one says so only after TLS is agreed upon."""
    door = front(gateway.port, authority.server_context("127.0.0.1", clients=company))
    found = diagnosis(local(door.port, "wss"))

    assert (found.check, "BUILD_DASHBOARD_CLIENT_CERT" in str(found.remedy)) == ("client certificate", True)


def test_tls_where_there_is_none(trusting, gateway) -> None:
    """wss:// to a port that speaks plain."""
    found = diagnosis(local(gateway.port, "wss"))

    assert (found.check, "ws://" in str(found.remedy)) == ("TLS", True)


def test_file_of_certificates_that_is_missing(bare_environment, gateway) -> None:
    """OpenSSL would trust nobody, silently."""
    bare_environment.setenv("SSL_CERT_FILE", "/nowhere.pem")
    found = diagnosis(local(gateway.port))

    assert (found.check, "SSL_CERT_FILE" in found.detail) == ("settings", True)


def test_clock_that_is_off(bare_environment, gateway) -> None:
    """The difference is shown in seconds."""
    gateway._welcome = lambda hello: {**_WELCOME, "serverAt": int(time.time() * 1000) - 3_600_000}
    found = diagnosis(local(gateway.port))

    assert (found.check, "NTP" in str(found.remedy)) == ("clock", True)
    assert "ahead" in found.detail


def test_wrong_key(bare_environment, gateway) -> None:
    """A new one is made by a command that is named."""
    found = diagnosis(local(gateway.port), "bmk_wrong")

    assert (found.check, "keys add" in str(found.remedy)) == ("key", True)


def test_mistyped_key(bare_environment, gateway) -> None:
    """A typo is called one; a key that somebody chose has no checksum to compare."""
    value = new_value(KEY_PREFIX, new_id())
    for typed in (value[:-1], value.swapcase().replace("BMK", "bmk"), value[:20] + value[21:]):
        found = diagnosis(local(gateway.port), typed)
        assert (found.check, "a mistyped key" in found.detail) == ("key", True)
    assert "wrong or revoked" in diagnosis(local(gateway.port), value).detail


def test_no_key(bare_environment, gateway) -> None:
    """Reported before anything is dialled."""
    assert diagnosis(local(gateway.port), "").check == "key"


def test_nobody_listens(bare_environment, free_port) -> None:
    """A closed port is a firewall's or the address's fault."""
    found = diagnosis(local(free_port))

    assert (found.check, "HTTPS_PROXY" in str(found.remedy)) == ("connection", True)


@pytest.mark.parametrize(
    ("answer", "check", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "upgrade", "HTTP 200"),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", "upgrade", "not up"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "upgrade", "no dashboard"),
        (b"220 this is mail\r\n", "upgrade", "does not pass WebSockets"),
    ],
)
def test_upgrade_refused(bare_environment, parrot, answer, check, words) -> None:
    """A page, a dead server, a wrong path, and something that is no web server at all."""
    found = diagnosis(local(parrot(answer)))

    assert (found.check, words in found.detail) == (check, True), found


_WELCOME = {"type": "WELCOME", "session": "s", "agent": "a", "stored": {}}
