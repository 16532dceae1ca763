"""Print a build's log while it is made, across lost connections: `python follow_build.py BUILD_ID`.

Written from docs/protocol.md. BUILD_DASHBOARD_URL says where; `admin` logs in with BUILD_DASHBOARD_ADMIN_PASSWORD.
"""

import json
import os
import sys
import time
import urllib.request

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

URL, BUILD = os.environ["BUILD_DASHBOARD_URL"], sys.argv[1]


def ask(path: str, token: str = "", body: object = None) -> dict:
    """The answer of the REST API."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(URL + path, json.dumps(body).encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class Log:
    """The lines so far, the record they go up to, how many of them are printed, and the build's row."""

    def __init__(self) -> None:
        self.lines, self.seq, self.printed, self.build = [], 0, 0, {"status": "running"}

    def read_range(self, token: str) -> None:
        """All that is stored from the last line on, of which we may have a part only."""
        while True:
            page = ask(f"/api/builds/{BUILD}/logs?first={max(len(self.lines), 1)}&count=10000", token)
            self.lines[page["first"] - 1 :], self.seq = page["lines"], page["asOfSeq"]
            if len(self.lines) >= page["total"]:
                return

    def take(self, frame: dict, token: str) -> None:
        """Apply a frame of the gateway's."""
        if frame["type"] == "SUBSCRIBED":
            self.build = ask(f"/api/builds/{BUILD}", token)
        goes_on = frame.get("continues", False)  # the first element belongs to the line before
        is_gap = frame["type"] == "LOG" and (frame["afterSeq"] > self.seq or (goes_on and frame["afterSeq"] < self.seq))
        if is_gap or frame["type"] in ("SUBSCRIBED", "RESYNC"):
            self.read_range(token)
        elif frame["type"] == "LOG" and frame["seq"] > self.seq:
            at, head = frame["firstLine"] - 1, self.lines[-1] if goes_on else ""
            self.lines[at:], self.seq = [head + frame["lines"][0], *frame["lines"][1:]], frame["seq"]
        elif frame["type"] == "BUILD" and frame["build"]["id"] == BUILD:
            self.build = frame["build"]
        elif frame["type"] == "WARNING":
            print(frame["detail"], file=sys.stderr)

    def show(self) -> bool:
        """Print what is new; the last line may still go on. Whether the build is over and its log whole."""
        is_over = self.build["status"] not in ("queued", "running") and len(self.lines) >= self.build["logLines"]
        end = len(self.lines) if is_over else max(len(self.lines) - 1, self.printed)
        sys.stdout.writelines(line + "\n" for line in self.lines[self.printed : end])
        sys.stdout.flush()
        self.printed = end
        return is_over


def follow(log: Log) -> None:
    """One connection, until it is lost or the build is over."""
    account = {"username": "admin", "password": os.environ["BUILD_DASHBOARD_ADMIN_PASSWORD"]}
    token = ask("/api/auth/login", body=account)["accessToken"]
    with connect(URL.replace("http", "ws", 1) + "/ws", origin=URL) as socket:
        socket.send(json.dumps({"type": "AUTH", "token": token}))
        socket.send(json.dumps({"type": "SUBSCRIBE", "buildIds": [BUILD], "afterSeq": {BUILD: log.seq}}))
        while not log.show():
            log.take(json.loads(socket.recv()), token)


log = Log()
while not log.show():
    try:
        follow(log)
    except (urllib.error.URLError, OSError, ConnectionClosed) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code < 500:
            raise
        print(f"again in 1 s: {error}", file=sys.stderr)
        time.sleep(1)
