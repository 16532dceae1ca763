"""Whom a service trusts when it calls another over TLS."""

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The machine's own choice in `SSL_CERT_FILE` or `SSL_CERT_DIR`, else certifi's authorities.

    Read once in a process: each client would else read and check all of them, which takes 30 ms (measured).
    """
    return httpx.create_ssl_context()
