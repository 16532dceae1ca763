"""Where tests keep files: in memory where that takes a whole run, else where they always were."""

from pathlib import Path

from build_testkit.memory_disk import memory_disk


def test_memory_is_used_only_where_a_run_finds_room(tmp_path: Path) -> None:
    """A disk with room is used; one without it, as containers have, and one that is not there are not."""
    assert memory_disk(tmp_path, room_bytes=1) == tmp_path
    assert memory_disk(tmp_path, room_bytes=2**62) is None
    assert memory_disk(tmp_path / "none", room_bytes=1) is None
