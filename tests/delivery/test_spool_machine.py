"""The agent's spool under kills, torn tails and full disks in any order: what it reported to have, it has."""

import os
import tempfile
from pathlib import Path

import pytest
from build_dashboard.recording.spool import Spool, SpoolFull
from build_testkit.memory_disk import memory_disk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule


class Spooling(RuleBasedStateMachine):
    """One build's spool, and beside it what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="spool-", dir=memory_disk())
        self.records: list[bytes] = []
        self.checkpoint = b""
        self.stored = 0
        self.spool = self.open()

    def open(self) -> Spool:
        return Spool(Path(self.folder.name), segment_bytes=300, keep_bytes=700)

    @rule(
        records=st.lists(st.binary(min_size=0, max_size=120), max_size=4),
        checkpoint=st.binary(max_size=30),
    )
    def append(self, records: list[bytes], checkpoint: bytes) -> None:
        self.spool.append(records, checkpoint)
        self.records += records
        self.checkpoint = checkpoint or self.checkpoint

    @rule(records=st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=3), after=st.integers(0, 200))
    def append_on_a_full_disk(self, records: list[bytes], after: int) -> None:
        """The disk takes some bytes of it and then no more: nothing was appended."""
        pwrite = os.pwrite

        def full(fd: int, data: bytes, offset: int) -> int:
            if after == 0:
                raise OSError(28, "No space left on device")
            pwrite(fd, data[:after], offset)
            raise OSError(28, "No space left on device")

        os.pwrite = full  # type: ignore[assignment]  # bytes are all it is given
        try:
            self.spool.append(records, b"never")
        except SpoolFull:
            pass
        else:
            raise AssertionError("a full disk took it")
        finally:
            os.pwrite = pwrite

    @rule(torn=st.binary(max_size=60))
    def kill(self, torn: bytes) -> None:
        """The process ends in the middle of a write: of its next entry there is a beginning, or rubbish."""
        self.spool.close()
        newest = max(Path(self.folder.name).glob("*.spool"), default=None)
        if newest is not None:
            with newest.open("ab") as file:
                file.write(torn)
        self.spool = self.open()

    @rule(share=st.floats(0, 1))
    def forget_stored(self, share: float) -> None:
        self.stored = max(self.stored, int(share * len(self.records)))
        self.spool.forget_stored(self.stored)

    @rule()
    def make_room(self) -> None:
        self.spool.make_room()

    @precondition(lambda self: self.records)
    @rule(share=st.floats(0, 1), limit_bytes=st.integers(1, 500), limit_records=st.integers(1, 6))
    def read(self, share: float, limit_bytes: int, limit_records: int) -> None:
        """What is read is what was appended, from wherever it is read."""
        after = max(self.spool.first_seq - 1, int(share * len(self.records)))
        found = self.spool.read_after(after, limit_bytes, limit_records)
        assert found == self.records[after : after + len(found)]
        assert bool(found) == (after < len(self.records))
        assert len(found) <= limit_records

    @invariant()
    def nothing_unstored_is_gone(self) -> None:
        assert self.spool.last_seq == len(self.records)
        assert self.spool.first_seq <= self.stored + 1
        assert list(self.spool.records()) == self.records[self.spool.first_seq - 1 :]

    @invariant()
    def where_to_go_on_is_known(self) -> None:
        assert self.spool.checkpoint == self.checkpoint

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()


TestSpooling = pytest.mark.slow(pytest.mark.delivery(Spooling.TestCase))
TestSpooling.settings = settings(
    max_examples=3000 if os.environ.get("FULL") else 100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
