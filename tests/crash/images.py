"""Crash images: what a disk may hold after power was lost at a point of a recorded run.

Of a file only what was synced is sure. Of the writes since then each may be there, or not, or in part (sectors of 512
bytes); a name that was made, moved or removed is sure once its folder was synced, and until then may be as it was.
"""

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_HEAD = struct.Struct("<cIIQ")
SOURCE = Path(__file__).parent / "write_trace.c"
MARKS = "marks"
"""A file of the recorded program's own: what it writes there says what was promised by then."""


@dataclass(frozen=True)
class Op:
    """One act: C(reate), W(rite), T(runcate), S(ync), U(nlink), R(ename; `data` is the new path)."""

    kind: str
    path: str
    data: bytes
    offset: int


def record(program: str, directory: Path, *arguments: str) -> list[Op]:
    """Run a program whose files are in `directory`, and what it did to them, in order."""
    library = directory.with_name("write_trace.so")
    if not library.exists():
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(command, check=True, capture_output=True)
    trace = directory.with_name("trace")
    environment = {"LD_PRELOAD": str(library), "CRASH_DIR": str(directory), "CRASH_TRACE": str(trace)}
    command = [sys.executable, "-c", program, str(directory), *arguments]
    subprocess.run(command, check=True, env={**os.environ, **environment}, timeout=100)
    return list(_parsed(trace.read_bytes()))


def _parsed(raw: bytes) -> Iterator[Op]:
    at = 0
    while at < len(raw):
        kind, path_bytes, data_bytes, offset = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        path, data = raw[at : at + path_bytes], raw[at + path_bytes : at + path_bytes + data_bytes]
        at += path_bytes + data_bytes
        yield Op(kind.decode(), path.decode(), data, offset)


@dataclass
class _File:
    """A file's content that is sure, what was done since, and whether its name is sure."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)
    is_named: bool = False
    is_removed: bool = False


class Disk:
    """A disk that follows a trace, and may be looked at as after a crash at any point of it."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._former: dict[str, _File] = {}

    def follow(self, op: Op) -> None:
        """The act happened."""
        file = self._files.get(op.path)
        if op.kind == "S" and file is None:
            self._sync_folder(op.path)
        elif op.kind == "S" and file is not None:
            for done in file.pending:
                _apply(file.synced, done)
            file.pending = []
        elif op.kind == "U":
            if file is not None:
                file.is_removed = True
        elif op.kind == "R":
            fresh = op.data.decode()
            if fresh in self._files and self._files[fresh].is_named:
                self._former[fresh] = self._files[fresh]
            self._files[fresh] = self._files.pop(op.path, _File())
            self._files[fresh].is_named = False
        else:
            if file is None or file.is_removed:
                file = self._files[op.path] = _File()
            if op.kind != "C":
                file.pending.append(op)

    def _sync_folder(self, folder: str) -> None:
        for path in [path for path in self._files if path.rpartition("/")[0] == folder]:
            self._former.pop(path, None)
            if self._files[path].is_removed:
                del self._files[path]
            else:
                self._files[path].is_named = True

    def image(self, source: str, target: Path, choose: random.Random | None) -> None:
        """What is on the disk after a crash now. Without a choice nothing that is not sure is there."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for path, file in self._files.items():
            relative = path.removeprefix(source).lstrip("/")
            if relative == MARKS:
                continue
            is_there = file.is_named if choose is None else file.is_named or choose.random() < 0.5
            is_gone = file.is_removed and choose is not None and choose.random() < 0.5
            former = self._former.get(path)
            shown = file if is_there and not is_gone else former
            if shown is None:
                continue
            content = bytearray(shown.synced)
            for op in shown.pending if choose is not None else ():
                _apply(content, op, choose)
            (target / relative).parent.mkdir(parents=True, exist_ok=True)
            (target / relative).write_bytes(content)


def _apply(content: bytearray, op: Op, choose: random.Random | None = None) -> None:
    if op.kind == "T":
        if choose is None or choose.random() < 0.5:
            del content[op.offset :]
            content.extend(bytes(op.offset - len(content)))
        return
    for start in range(0, len(op.data), SECTOR):
        if choose is not None and choose.random() < 0.5:
            continue  # torn: this sector never reached the disk
        piece, at = op.data[start : start + SECTOR], op.offset + start
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(piece)] = piece


def points(ops: Sequence[Op], count: int, seed: int) -> list[int]:
    """So many points of a trace to crash at, all of them where there are no more; the last one is always there."""
    if len(ops) <= count:
        return list(range(1, len(ops) + 1))
    return sorted({*random.Random(seed).sample(range(1, len(ops)), count), len(ops)})
