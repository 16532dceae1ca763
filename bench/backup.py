"""Backup and restore beside their yardstick, `cp -a` and `sha256sum` of the same files.

`python -m bench.backup [--gib 0.5]`: first the pause of backups of a system to which four agents stream 10,000 lines a
second each, then the rates of a data directory of that size, half of it logs and half artifacts.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_embedded.backup.embedded import back_up
from build_embedded.backup.manifest import check, read_manifest
from build_embedded.backup.restore import restore
from build_testkit.stack import embedded_stack
from sqlalchemy import create_engine, text

PAUSES = 10
AGENTS = 4
CHUNK = 256 * 1024
OBJECT = 16 * 1024**2
NONE = Path("none.yaml")


def pauses(directory: Path) -> list[float]:
    """How long nothing could be written, in ms, in backups of a system under load."""
    over = directory / "over"
    script = f"while [ ! -e {over} ]; do seq 1000; sleep 0.1; done"
    with embedded_stack(directory) as stack:
        flood = stack.agent_command("flood", "sh", "-c", script)
        agents = [
            subprocess.Popen(flood, env=stack.agent_environment, stdout=subprocess.DEVNULL) for _ in range(AGENTS)
        ]
        time.sleep(8)
        try:
            return [back_up(directory / "data", directory / f"{n}", NONE).pause_ms for n in range(PAUSES)]
        finally:
            over.touch()
            for agent in agents:
                agent.wait()


def filled(data: Path, size_bytes: int) -> None:
    """A data directory with so much in it."""
    with embedded_stack(data.parent):
        pass  # every store and the bus, as a start makes them
    engine = create_engine(f"sqlite:///{data / 'ingest.sqlite'}")
    values = "'bench', :n, :n, 1, 1, 0, 9, false, :bytes, ''"
    names = 'build_id, first_seq, last_seq, first_line, last_line, first_byte, end_byte, continues, text, "index"'
    with engine.begin() as connection:
        for number in range(size_bytes // 2 // CHUNK):
            statement = text(f"insert into chunks ({names}) values ({values})")
            connection.execute(statement, {"n": number, "bytes": os.urandom(CHUNK)})
    engine.dispose()
    for _ in range(size_bytes // 2 // OBJECT):
        (data / "objects" / "objects" / str(uuid.uuid4())).write_bytes(os.urandom(OBJECT))


def rate(what: str, size_bytes: int, work: Callable[[], Any]) -> float:
    """GiB a minute."""
    began = time.perf_counter()
    work()
    found = size_bytes / 2**30 / ((time.perf_counter() - began) / 60)
    print(f"{what}: {found:.1f} GiB/min", flush=True)
    return found


def copied(source: Path, target: Path) -> None:
    """The yardstick."""
    subprocess.run(["cp", "-a", source, target], check=True)
    subprocess.run(["sync", "-f", target], check=True)
    files = [path for path in target.rglob("*") if path.is_file()]
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gib", type=float, default=0.5)
    size_bytes = round(parser.parse_args().gib * 2**30)
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        root = Path(place)
        (root / "load").mkdir()
        found = pauses(root / "load")
        print(f"pause under load, ms: median {statistics.median(found):.1f} [{min(found):.1f} - {max(found):.1f}]")
        shutil.rmtree(root / "load")
        (root / "large").mkdir()
        data, backup = root / "large" / "data", root / "backup"
        filled(data, size_bytes)
        ours = rate("back up", size_bytes, lambda: back_up(data, backup, NONE))
        yardstick = rate("cp -a, sync, sha256sum", size_bytes, lambda: copied(data, root / "copy"))
        shutil.rmtree(root / "copy")
        manifest = read_manifest(backup)
        rate("verify", size_bytes, lambda: check(backup, manifest))
        restored = rate(
            "restore", size_bytes, lambda: restore(backup, manifest, root / "data", confirmed=True, sends_gap=False)
        )
        print(f"ratio to cp: back up {ours / yardstick:.2f}, restore {restored / yardstick:.2f}")


if __name__ == "__main__":
    main()
