"""Raw output: what a command printed, as frames in files that the holder appends to and the agent reads.

A frame is a header (kind, length, time) and its bytes. Files are numbered; the writer begins the next one when one is
full, the reader deletes what it no longer needs. Imported by the holder, so only cheap imports belong here.
"""

import contextlib
import os
import struct

HEADER = struct.Struct("<cIQ")
"""Kind (one byte), length of what follows in bytes, milliseconds since the Unix epoch."""

OUT, ERR, PTY, GAP, REPORT, EXIT = b"o", b"e", b"p", b"g", b"r", b"x"
KINDS = frozenset((OUT, ERR, PTY, GAP, REPORT, EXIT))

FILE_BYTES = 32 * 1024 * 1024
"""A raw file is closed at this size, so that what was read can be deleted while the build goes on."""

CAP_BYTES = 4 * 1024 * 1024 * 1024
"""Unread raw output kept for an agent that is not there to read it; more is dropped and counted."""

RESERVE_BYTES = 8 * 1024

SPOOL_SHARE = 2
"""Of the disk, so many times what is kept here stays free for the records that are made of it,"""

SPOOL_BYTES = 256 * 1024
"""and this much beside, or an eighth of a smaller disk: else a build's output would keep the build from arriving."""

SMALLEST_FILE_BYTES = 64 * 1024
FILES_OF_DISK = 64
"""On a small disk a file has a part of it at most, so that what was read makes room."""

_RECOUNT_MS = 100


class RawWriter:
    """Appends frames; never raises and never waits for a reader: what cannot be written is counted as a gap."""

    def __init__(self, directory: str, file_bytes: int = FILE_BYTES, cap_bytes: int = CAP_BYTES) -> None:
        self._directory = directory
        self._file_bytes = part_of_disk(directory, file_bytes)
        self._cap_bytes = cap_bytes
        self._number = 1
        self._fd = -1
        self._size = 0  # of the current file
        self._others = 0  # bytes of the earlier files, as last counted
        self._counted_at = 0
        self.gap_bytes = 0  # dropped since the last gap frame
        self.gap_reason = ""
        self._write_reserve()
        self._open(self._number)

    def append(self, kind: bytes, stamped_at: int, data: bytes) -> bool:
        """Write one frame; False when its bytes had to be dropped."""
        if self._size >= self._file_bytes:
            self._open(self._number + 1)
        if self._others + self._size + len(data) > self._cap_bytes and kind != EXIT:
            self._recount(stamped_at)
            if self._others + self._size + len(data) > self._cap_bytes:
                self._drop(data, "raw_cap")
                return False
        if kind != EXIT and not self._leaves_room(len(data)):
            self._recount(stamped_at)
            if not self._leaves_room(len(data)):
                self._drop(data, "disk_full")
                return False
        if self.gap_bytes and not self._append_gap(stamped_at):
            self._drop(data, self.gap_reason)
            return False
        if not self._append(kind, stamped_at, data):
            self._drop(data, "disk_full")
            return False
        return True

    def close(self, stamped_at: int, exit_text: str) -> None:
        """Write the exit frame, from the reserve where the disk is full."""
        with_reserve = f"{self._directory}/reserve"
        with contextlib.suppress(OSError):
            os.unlink(with_reserve)  # noqa: PTH108  (pathlib costs the holder a megabyte)
        self.append(EXIT, stamped_at, exit_text.encode())
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _leaves_room(self, size: int) -> bool:
        """Whether what is kept can still be spooled after this."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return True
        beside = min(SPOOL_BYTES, disk.f_blocks * disk.f_frsize // 8)
        free = disk.f_bavail * disk.f_frsize
        return free - size >= SPOOL_SHARE * (self._others + self._size + size) + beside

    def _append_gap(self, stamped_at: int) -> bool:
        if not self._append(GAP, stamped_at, f"{self.gap_bytes} {self.gap_reason}".encode()):
            return False
        self.gap_bytes = 0
        return True

    def _append(self, kind: bytes, stamped_at: int, data: bytes) -> bool:
        if self._fd < 0:
            return False
        frame = HEADER.pack(kind, len(data), stamped_at) + data
        written = 0
        try:
            while written < len(frame):
                written += os.write(self._fd, frame[written:] if written else frame)
        except OSError:
            # A half-written frame would hide every later one from the reader.
            os.ftruncate(self._fd, self._size)
            os.lseek(self._fd, self._size, os.SEEK_SET)
            return False
        self._size += len(frame)
        return True

    def _drop(self, data: bytes, reason: str) -> None:
        self.gap_bytes += len(data)
        self.gap_reason = reason

    def _open(self, number: int) -> None:
        try:
            fd = os.open(raw_path(self._directory, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return  # no inode left: go on in the file there is
        if self._fd >= 0:
            os.close(self._fd)
        self._others += self._size
        self._number, self._fd, self._size = number, fd, 0

    def _recount(self, stamped_at: int) -> None:
        """Count what the reader has left, at most once a second."""
        if stamped_at - self._counted_at < _RECOUNT_MS:
            return
        self._counted_at = stamped_at
        self._others = sum(
            os.stat(raw_path(self._directory, number)).st_size  # noqa: PTH116  (as above)
            for number in raw_numbers(self._directory)
            if number != self._number
        )

    def _write_reserve(self) -> None:
        try:
            fd = os.open(f"{self._directory}/reserve", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, b"\0" * RESERVE_BYTES)
            os.close(fd)
        except OSError:
            pass


class RawReader:
    """Reads frames in order from a position (file number, offset); a frame not yet whole is left for later."""

    def __init__(self, directory: str, number: int = 1, offset: int = 0) -> None:
        self._directory = directory
        self.number = number
        self.offset = offset
        self._fd = -1

    def read(self, limit_bytes: int) -> list[tuple[bytes, int, bytes]]:
        """The next whole frames (kind, time in ms, bytes), about `limit_bytes` of them; empty when there are none."""
        while True:
            # Asked before reading: a later file means that this one will not grow.
            has_next = os.path.exists(raw_path(self._directory, self.number + 1))  # noqa: PTH110  (as above)
            frames = self._read_file(limit_bytes)
            if frames or not has_next:
                return frames
            self._close()
            self.number += 1
            self.offset = 0

    def forget(self) -> None:
        """Delete the files before the current position; call when what was read is safe elsewhere."""
        for number in raw_numbers(self._directory):
            if number < self.number:
                os.unlink(raw_path(self._directory, number))  # noqa: PTH108  (as above)

    def close(self) -> None:
        """Let go of the file."""
        self._close()

    def cut(self, stamped_at: int) -> None:
        """Nobody writes any more and the disk is full: what was not read makes room for a gap; the end is kept.

        A file is only overwritten in its place and shortened, so that it works without any room, and a crash in between
        leaves the end, too. Less than what would stand in its place stays as it is.

        Raises:
            OSError: the disk takes not even that; what it did not take is read as before.
        """
        rest, lost, end, unread = RawReader(self._directory, self.number, self.offset), 0, b"", 0
        while frames := rest.read(FILE_BYTES):
            for kind, at, data in frames:
                unread += HEADER.size + len(data)
                if kind == EXIT:
                    end = HEADER.pack(EXIT, len(data), at) + data
                else:
                    lost += int(data.split()[0]) if kind == GAP else len(data)
        rest.close()
        text = f"{lost} disk_full".encode()
        kept = (HEADER.pack(GAP, len(text), stamped_at) + text if lost else b"") + end
        if len(kept) >= unread:
            return
        later = [number for number in raw_numbers(self._directory) if number > self.number]
        if not later:
            _overwrite(raw_path(self._directory, self.number), self.offset, kept)
            return
        _overwrite(raw_path(self._directory, later[-1]), 0, kept)
        _overwrite(raw_path(self._directory, self.number), self.offset, b"")
        for number in later[:-1]:
            os.unlink(raw_path(self._directory, number))  # noqa: PTH108  (as above)
        os.rename(raw_path(self._directory, later[-1]), raw_path(self._directory, self.number + 1))  # noqa: PTH104  (as above)

    def _read_file(self, limit_bytes: int) -> list[tuple[bytes, int, bytes]]:
        if self._fd < 0:
            try:
                self._fd = os.open(raw_path(self._directory, self.number), os.O_RDONLY)
            except FileNotFoundError:
                return []
        data = os.pread(self._fd, limit_bytes, self.offset)
        frames = []
        position, header = 0, HEADER.size
        while position + header <= len(data):
            kind, length, stamped_at = HEADER.unpack_from(data, position)
            end = position + header + length
            if end > len(data):
                if position:
                    break
                data = os.pread(self._fd, end, self.offset)  # one frame larger than the limit
                if end > len(data):
                    break
            frames.append((kind, stamped_at, data[position + header : end]))
            position = end
        self.offset += position
        return frames

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _overwrite(path: str, offset: int, data: bytes) -> None:
    """These bytes from there on, and nothing behind them."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return
    try:
        os.pwrite(fd, data, offset)
        os.ftruncate(fd, offset + len(data))
        os.fsync(fd)
    finally:
        os.close(fd)


def part_of_disk(directory: str, size_bytes: int) -> int:
    """A file's size: as given, or a part of a small disk."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return size_bytes
    return min(size_bytes, max(SMALLEST_FILE_BYTES, disk.f_blocks * disk.f_frsize // FILES_OF_DISK))


def raw_path(directory: str, number: int) -> str:
    """The path of a raw file."""
    return f"{directory}/{number:06d}.raw"


def raw_numbers(directory: str) -> list[int]:
    """The numbers of the raw files there, ascending."""
    return sorted(int(name[:-4]) for name in os.listdir(directory) if name.endswith(".raw"))  # noqa: PTH208  (as above)
