"""Posting: frames as HTTP requests, for networks that pass no WebSocket.

One request waits for news at all times; another, beside it, brings what there is to send. Each is a whole session at
the gateway, so that the next one may reach another gateway.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from build_protocol.limits import POST_BYTES, POST_WAIT_SECONDS

from build_dashboard.delivery.exchange import (
    SUPERSEDED,
    Exchange,
    GatewaySilent,
    PostClosed,
    PostFailed,
    beside_each_other,
    decode,
    encode,
)
from build_dashboard.delivery.network import NetworkSettingWrong, find_proxy, tls_context
from build_dashboard.endpoint import Endpoint
from build_dashboard.failpoints import fail_at

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 15.0
"""Beyond what a post asks to wait: an answer that takes longer does not come."""

CONFIRM_SECONDS = 10.0
"""What is posted is confirmed within this, or goes again."""

GATHER_SECONDS = 0.05
"""Behind silence, what is printed within this travels together."""

PAUSE_SECONDS = 0.2
"""From one waiting post to the next, where answers come at once."""

HEARTBEATS_APART_SECONDS = 2.0
LEAST_BYTES = 64 * 1024
"""No front takes less."""

ROOM_BYTES = 32 * 1024
"""A RECORDS frame is begun where at least this is left of a post: a record fits."""

_KEPT = httpx.Limits(keepalive_expiry=2.0)
"""Seconds that an idle connection is used again: less than servers and fronts keep one."""


class Posts:
    """The posts of one agent, from the first answered one on."""

    is_posting = True

    def __init__(self, endpoint: Endpoint, exchange: Exchange) -> None:
        self._url = posting_url(endpoint.url)
        self._exchange = exchange
        self._post_bytes = POST_BYTES
        self._beaten_at = 0.0
        self._greeting: list[dict[str, Any]] = []
        self._later: list[dict[str, Any]] = []
        """What came with the first WELCOME."""

        self._http = http_client(endpoint)

    async def open(self) -> None:
        """Greet the gateway. Raises PostFailed, PostClosed, GatewaySilent."""
        self._greeting = await self._post([self._exchange.hello(), self._heartbeat()], 0)
        _welcome(self._greeting)

    def begin(self) -> None:
        """This way is taken: its WELCOME holds from here on."""
        welcome = _welcome(self._greeting)
        self._exchange.welcome(welcome, [frame for frame in self._greeting if frame.get("type") == "REFUSED"])
        self._later = [frame for frame in self._greeting if frame.get("type") not in ("WELCOME", "REFUSED")]

    async def serve(self) -> None:
        """Send and listen until it fails. Raises PostFailed, PostClosed, Draining, GatewaySilent, ValueError."""
        self._take(self._later)
        await beside_each_other(self._listen(), self._send_all())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _listen(self) -> None:
        while True:
            began = time.monotonic()
            wait = min(self._exchange.heartbeat_seconds, POST_WAIT_SECONDS)
            self._again(await self._post([self._exchange.hello(), self._heartbeat()], wait))
            await asyncio.sleep(max(0.0, began + min(PAUSE_SECONDS, wait) - time.monotonic()))

    async def _send_all(self) -> None:
        is_busy = False
        while True:
            if not is_busy:
                await self._exchange.more.wait()
                await asyncio.sleep(GATHER_SECONDS)
            self._exchange.more.clear()
            is_busy = await self._send_some()

    async def _send_some(self) -> bool:
        """Post what there is, as far as one post goes; whether there was anything."""
        frames = [self._exchange.hello()]
        asides = len(self._exchange.outbox)
        frames += map(encode, self._exchange.outbox[:asides])
        is_due, has_records = self._exchange.news.is_set(), False
        if is_due or time.monotonic() > self._beaten_at + HEARTBEATS_APART_SECONDS:
            frames.append(self._heartbeat())
        room = self._post_bytes - sum(map(len, frames))
        while room >= ROOM_BYTES and (records := self._exchange.next_records(room)) is not None:
            frames.append(records)
            room -= len(records) + 1
            has_records = True
        if not (asides or has_records or is_due):
            return False
        fail_at("agent.sent")
        try:
            self._again(await self._post(frames, CONFIRM_SECONDS if has_records else 0))
        except PostFailed as failure:
            if failure.status != httpx.codes.REQUEST_ENTITY_TOO_LARGE or self._post_bytes <= LEAST_BYTES:
                raise
            # A front that takes less than most do.
            self._post_bytes = max(self._post_bytes // 2, LEAST_BYTES)
        else:
            del self._exchange.outbox[:asides]
        self._exchange.end_post()
        return True

    def _heartbeat(self) -> bytes:
        self._beaten_at = time.monotonic()
        return self._exchange.heartbeat()

    async def _post(self, frames: Sequence[bytes], wait_seconds: float) -> list[dict[str, Any]]:
        body, is_cut_before = b"\n".join(frames), False
        while True:
            try:
                answer = await self._http.post(
                    self._url,
                    params={"wait": f"{wait_seconds:g}"},
                    content=body,
                    timeout=httpx.Timeout(ANSWER_SECONDS + wait_seconds, connect=CONNECT_SECONDS, pool=None),
                )
                break
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # A kept connection that was just given up at its other end; what comes twice is stored once.
                if is_cut_before:
                    raise _failure(error) from error
                is_cut_before = True
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _failure(error) from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        try:
            return [decode(line) for line in answer.content.split(b"\n") if line]
        except ValueError as error:
            raise PostFailed("something else than the dashboard answers what is posted", answer.status_code) from error

    def _again(self, frames: Sequence[dict[str, Any]]) -> None:
        welcome = _welcome(frames)
        self._exchange.welcome_again(welcome)
        self._take([frame for frame in frames if frame is not welcome])

    def _take(self, frames: Sequence[dict[str, Any]]) -> None:
        for frame in frames:
            if frame.get("type") != "CLOSE":
                self._exchange.take(frame)
            elif frame.get("code") != SUPERSEDED:  # by our own next post, or by a socket of ours
                raise PostClosed(int(frame.get("code", 0)), str(frame.get("reason", "")))


def posting_url(url: str) -> str:
    """Where frames are posted: the WebSocket's address, by HTTP."""
    parts = urlsplit(url)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, parts.path, parts.query, ""))


def http_client(endpoint: Endpoint) -> httpx.AsyncClient:
    """A client with the agent's key, by the network's proxy and certificates. Raises PostFailed."""
    try:
        context, proxy = tls_context(), find_proxy(posting_url(endpoint.url))
    except NetworkSettingWrong as error:
        raise PostFailed(str(error), cause=error) from error
    through = httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https") else None) if proxy else None
    return httpx.AsyncClient(
        # What the environment says is read by `network`, once, in the way WebSockets need too.
        transport=httpx.AsyncHTTPTransport(verify=context, proxy=through, trust_env=False, limits=_KEPT),
        headers={"Content-Type": "application/x-ndjson"},
        auth=_Credential(endpoint),
    )


class _Credential(httpx.Auth):
    """The agent's key, as it is when a post goes out: a job's is replaced while posts go on. Raises CiKeyFailed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        is_job = self._endpoint.job is not None
        key = await asyncio.to_thread(self._endpoint.credential) if is_job else self._endpoint.credential()
        request.headers["Authorization"] = f"Bearer {key}"
        yield request


def _welcome(frames: Sequence[dict[str, Any]]) -> dict[str, Any]:
    for frame in frames:
        if frame.get("type") == "WELCOME":
            return frame
    for frame in frames:
        if frame.get("type") == "CLOSE":
            raise PostClosed(int(frame.get("code", 0)), str(frame.get("reason", "")))
    raise GatewaySilent("the gateway answers a post without WELCOME")


def _refusal(answer: httpx.Response) -> PostFailed:
    status, code, words = answer.status_code, None, ""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        with contextlib.suppress(ValueError, AttributeError):
            problem = answer.json()
            code, words = problem.get("code"), str(problem.get("detail", ""))
    return PostFailed(words or f"HTTP {status} answers what is posted", status, code)


def _failure(error: Exception) -> PostFailed:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    words = str(error) or type(error).__name__
    return PostFailed(words, cause=cause or error)
