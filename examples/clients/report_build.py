"""A small agent: run a command, report its output as a build: `python report_build.py PROJECT COMMAND...`.

Written from docs/protocol.md. WS_ENDPOINT says where, BUILD_DASHBOARD_API_KEY is an agent's key. Records wait in memory
only, and long lines are cut; the real agent has a spool and sends them whole.
"""

import hashlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import uuid

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PROJECT, COMMAND = sys.argv[1], sys.argv[2:]
ENDPOINT = os.environ["WS_ENDPOINT"].removesuffix("/ws") + "/ws"
KEY = {"Authorization": f"Bearer {os.environ['BUILD_DASHBOARD_API_KEY']}"}
IN_FLIGHT, LINE_CHARACTERS = 80, 2000  # 80 records of at most 24 KiB are less than the window
NOISE = f"7{secrets.randbits(12):03x}{8 + secrets.randbits(2):x}{secrets.randbits(60):015x}"
BUILD = str(uuid.UUID(f"{time.time_ns() // 1_000_000:012x}{NOISE}"))  # a UUIDv7: milliseconds, then randomness
records: list[dict] = []  # record `seq` is at seq - 1


def add(kind: str, data: dict) -> None:
    """Make the build's next record."""
    head = {"type": kind, "buildId": BUILD, "project": PROJECT, "timestamp": time.time_ns() // 1_000_000}
    records.append(head | {"seq": len(records) + 1, "data": data})


def build() -> None:
    """Run the command."""
    add("BUILD_START", {"command": COMMAND})
    lines: list[str] = []
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            lines.append(line.decode(errors="replace").rstrip("\r\n")[:LINE_CHARACTERS])
            add("BUILD_LOG", {"firstLine": len(lines), "lines": lines[-1:]})
    text = "\n".join(lines).encode()
    totals = {"lines": len(lines), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    status = "failed" if process.returncode else "succeeded"
    add("BUILD_COMPLETE", {"status": status, "exitCode": process.returncode, "totals": totals})


def session(socket: ClientConnection) -> None:
    """Send what is not stored, until the whole log is stored and verified."""
    held = {"buildId": BUILD, "project": PROJECT, "firstUnacked": 1, "lastSpooled": len(records)}
    socket.send(json.dumps({"type": "HELLO", "agentVersion": "example", "instance": NOISE, "builds": [held]}))
    stored, sent, beat_at = 0, 0, time.monotonic() + 10
    while True:
        for record in records[sent : stored + IN_FLIGHT]:
            socket.send(json.dumps({"type": "RECORDS", "records": [record]}))
            sent = record["seq"]
        if time.monotonic() > beat_at:
            socket.send(json.dumps({"type": "HEARTBEAT", "builds": [BUILD]}))
            beat_at = time.monotonic() + 10
        try:
            frame = json.loads(socket.recv(timeout=0.1))
        except TimeoutError:
            continue
        if frame["type"] == "WELCOME":
            sent = stored = max(stored, frame.get("stored", {}).get(BUILD, 0))
        elif frame["type"] == "ACK":
            stored = max(stored, frame["stored"])
            sent = frame.get("resendFrom", sent + 1) - 1
            if frame.get("verified"):
                return
        elif frame["type"] == "REFUSED" and frame["code"] != "sequence_gap":
            sys.exit(f"refused: {frame['detail']}")


threading.Thread(target=build, daemon=True).start()
while not records:
    time.sleep(0.01)
while True:
    try:
        with connect(ENDPOINT, additional_headers=KEY) as socket:
            session(socket)
        break
    except (OSError, ConnectionClosed) as error:
        print(f"again in 1 s: {error}", file=sys.stderr)
        time.sleep(1)
print(BUILD)
