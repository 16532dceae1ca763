"""How far the dashboard is behind a master while builds run, and how often their mirror asks it."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from build_testkit.buildbot import Farm
from build_testkit.stack import Stack
from websockets.asyncio.client import connect

_STAMP = re.compile(r"^o?stamp (\d+)$")
_REQUEST = re.compile(r'\[(?P<second>[^\]]+)\] "GET /api/.*httpx')


@dataclass
class LagMeter:
    """Watches the master's own events and the dashboard's list, each in a thread; `lags` compares them afterwards."""

    stack: Stack
    farm: Farm
    appended: list[tuple[float, int, int]] = field(default_factory=list)
    """When a log had so many lines at the master: time, log, lines."""

    shown: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """When the dashboard showed which stamp of a build as its newest line."""

    _is_over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._look)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(10)

    def lags(self, log_of_build: dict[str, int]) -> list[float]:
        """Seconds from each append until its newest stamp was shown."""
        lags = []
        for url, log_id in log_of_build.items():
            lines = self.farm.log(log_id).split("\n")
            stamps = [int(match[1]) if (match := _STAMP.match(line)) else -1 for line in lines]
            for at, of_log, count in self.appended:
                newest = max(stamps[:count], default=-1)
                if of_log != log_id or newest < 0:
                    continue
                seen = next((time_ for time_, stamp in self.shown.get(url, ()) if stamp >= newest), None)
                if seen is not None:  # else the next line came before its time: counted with that one
                    lags.append(max(0.0, seen - at))
        return lags

    def requests_per_second(self) -> float:
        """Of the mirror, the most in any ten seconds, as the master's own access log has them."""
        text = (self.farm.directory / "master" / "http.log").read_text(errors="replace")
        seconds = Counter(
            int(time.mktime(time.strptime(match["second"].split(" ")[0], "%d/%b/%Y:%H:%M:%S")))
            for match in _REQUEST.finditer(text)
        )
        first = min(seconds, default=0)
        windows = [sum(seconds[first + at + n] for n in range(10)) for at in range(max(seconds, default=0) - first + 1)]
        return max(windows, default=0) / 10

    def _listen(self) -> None:
        async def listen() -> None:
            async with connect(self.farm.url.replace("http", "ws") + "/ws") as socket:
                await socket.send(json.dumps({"cmd": "startConsuming", "path": "logs/*/*", "_id": 1}))
                while not self._is_over.is_set():
                    try:
                        message = json.loads(await asyncio.wait_for(socket.recv(), 0.5))
                    except TimeoutError:
                        continue
                    if str(message.get("k", "")).endswith("/append"):
                        self.appended.append((time.monotonic(), message["m"]["logid"], message["m"]["num_lines"]))

        asyncio.run(listen())

    def _look(self) -> None:
        token = self.stack.token()
        while not self._is_over.wait(0.05):
            rows = self.stack.get("/api/builds?project=farm&status=running&limit=100", token)["items"]
            for row in rows:
                if match := _STAMP.match(row.get("lastLine") or ""):
                    self.shown.setdefault(row["sourceUrl"], []).append((time.monotonic(), int(match[1])))
