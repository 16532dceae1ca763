"""The transport: HTTP requests by the same proxy and certificates as the WebSocket."""

from threading import Lock

import httpx

from build_dashboard.delivery.network import NetworkSettingWrong, find_proxy, tls_context


class RoutedTransport(httpx.BaseTransport):
    """Sends each request as the network's variables say for its address: the object store may lie elsewhere."""

    def __init__(self) -> None:
        self._ways: dict[str | None, httpx.HTTPTransport] = {}
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it. Raises httpx.TransportError, also where a variable cannot be followed."""
        try:
            way = self._way(find_proxy(str(request.url)))
        except (NetworkSettingWrong, ValueError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return way.handle_request(request)

    def close(self) -> None:
        """Close pooled connections."""
        for way in self._ways.values():
            way.close()

    def _way(self, address: str | None) -> httpx.HTTPTransport:
        with self._lock:
            if address not in self._ways:
                context = tls_context()
                proxy = (
                    httpx.Proxy(address, ssl_context=context if address.startswith("https") else None)
                    if address
                    else None
                )
                # What the environment says is read here, once, in the way WebSockets need too.
                self._ways[address] = httpx.HTTPTransport(verify=context, proxy=proxy, trust_env=False)
            return self._ways[address]
