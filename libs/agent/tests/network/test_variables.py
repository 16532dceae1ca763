"""Which proxy and which certificates the environment's variables mean, without a socket."""

import pytest
from build_dashboard.delivery.network import NetworkSettingWrong, find_proxy, is_exempt, tls_context, without_password

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("wss://d.example", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://d.example", {"https_proxy": "p:1", "HTTPS_PROXY": "http://other:2"}, "http://p:1"),
        ("wss://d.example", {"HTTP_PROXY": "http://p:1"}, None),
        ("wss://d.example", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("ws://d.example", {"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, "http://p:1"),
        ("ws://d.example", {"HTTP_PROXY": "http://p:2"}, "http://p:2"),
        ("http://d.example", {"HTTP_PROXY": "http://p:2"}, "http://p:2"),
        ("http://d.example", {"HTTP_PROXY": "http://p:2", "REQUEST_METHOD": "GET"}, None),
        ("wss://d.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x.example,.example"}, None),
        ("ws://127.0.0.1:8080", {"HTTPS_PROXY": "http://p:1"}, None),
        ("ws://localhost:8080", {"HTTPS_PROXY": "http://p:1"}, None),
        ("wss://d.example", {"HTTPS_PROXY": ""}, None),
        ("wss://d.example", {}, None),
    ],
)
def test_the_proxy_is_the_one_other_tools_would_take(url, environment, proxy) -> None:
    """Lower case wins, this machine is never asked for through a proxy, a WebSocket prefers the one for HTTPS."""
    assert find_proxy(url, environment) == proxy


@pytest.mark.parametrize(
    ("entry", "host", "is_listed"),
    [
        ("*", "anything.test", True),
        ("example.com", "example.com", True),
        ("example.com", "builds.example.com", True),
        ("example.com", "notexample.com", False),
        (".example.com", "builds.example.com", True),
        ("*.example.com", "builds.example.com", True),
        ("EXAMPLE.com", "Builds.Example.COM", True),
        ("example.com:8443", "example.com", False),
        ("example.com:443", "example.com", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("192.168.7.5", "192.168.7.5", True),
        ("fd00::/8", "fd12::1", True),
        ("10.0.0.0/8", "ten.example.com", False),
        ("a b,c", "b", True),
        ("", "example.com", False),
    ],
)
def test_no_proxy_is_read_as_curl_reads_it(entry, host, is_listed) -> None:
    """Names cover what is below them; networks, ports and the star count too."""
    assert is_exempt(host, 443, entry) is is_listed


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "BUILD_DASHBOARD_CA_FILE", "BUILD_DASHBOARD_CLIENT_CERT"])
def test_a_file_that_cannot_be_used_is_named_with_its_variable(variable, tmp_path) -> None:
    """Missing and wrong files are errors, where OpenSSL would say nothing and trust nobody."""
    with pytest.raises(NetworkSettingWrong, match=variable):
        tls_context({variable: str(tmp_path / "none.pem")})
    (tmp_path / "wrong.pem").write_text("this is no certificate")
    with pytest.raises(NetworkSettingWrong, match=variable):
        tls_context({variable: str(tmp_path / "wrong.pem")})


def test_a_company_authority_is_trusted_beside_the_others(company) -> None:
    """BUILD_DASHBOARD_CA_FILE adds, it does not replace."""
    before = {str(each) for each in tls_context({}).get_ca_certs()}
    after = {str(each) for each in tls_context({"BUILD_DASHBOARD_CA_FILE": str(company.pem)}).get_ca_certs()}

    assert before < after


def test_socks_says_what_it_needs(monkeypatch) -> None:
    """A missing package is named, rather than ending the delivery of builds."""
    monkeypatch.setattr("build_dashboard.delivery.network.find_spec", lambda module: None)
    with pytest.raises(NetworkSettingWrong, match="pip install"):
        find_proxy("wss://d.example", {"ALL_PROXY": "socks5://p:1080"})
    monkeypatch.setattr("build_dashboard.delivery.network.find_spec", lambda module: object())
    assert find_proxy("wss://d.example", {"ALL_PROXY": "socks5://p:1080"}) == "socks5://p:1080"


def test_a_password_is_never_shown() -> None:
    """What is shown of a proxy leaves user and password out."""
    assert without_password("http://user:p%40ss@proxy.test:3128") == "http://proxy.test:3128"
