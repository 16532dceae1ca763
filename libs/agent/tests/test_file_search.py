"""File search: what a pattern finds below a directory, on trees as builds and people leave them."""

import glob
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_dashboard.file_search import search_files

EVERYTHING = ["**"]


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def names(*patterns: str, root: Path) -> list[str]:
    return [name for name, _ in search_files(patterns, root).files]


def left_out(*patterns: str, root: Path) -> str:
    return "\n".join(search_files(patterns, root).left_out.sentences())


def test_a_linked_folder_does_not_hide_or_multiply_the_files(tmp_path) -> None:
    """`ln -s . loop`: each file is found once, under its own name, and the link is named."""
    write(tmp_path, "a.txt", "lib/b.txt")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "lib" / "up").symlink_to("..")

    assert names(*EVERYTHING, root=tmp_path) == ["a.txt", "lib/b.txt"]
    assert left_out(*EVERYTHING, root=tmp_path) == "lib/up, loop: a linked folder is not followed"


def test_links_in_a_circle_end(tmp_path) -> None:
    """Links to each other, to themselves, and folders that link to one another."""
    write(tmp_path, "a/x.txt", "b/y.txt")
    for link, target in (("a/b", "../b"), ("b/a", "../a"), ("one", "two"), ("two", "one"), ("self", "self")):
        (tmp_path / link).symlink_to(target)

    assert names(*EVERYTHING, root=tmp_path) == ["a/x.txt", "b/y.txt"]
    assert names("*/*/*/*/*.txt", "**/a/b/**/*.txt", "one", "self/**", root=tmp_path) == []


def test_nothing_outside_is_found(tmp_path) -> None:
    """Neither by `..`, nor by an absolute pattern, nor through a link to a file or a folder; each is named."""
    write(tmp_path, "secret.txt", "other/secret.txt", "work/in.txt")
    work = tmp_path / "work"
    (work / "file").symlink_to(tmp_path / "secret.txt")
    (work / "folder").symlink_to(tmp_path / "other")
    patterns = ("../secret.txt", "x/../../secret.txt", f"{tmp_path}/*.txt", "**", "folder/*", "file", "/etc/passwd")

    assert names(*patterns, root=work) == ["in.txt"]
    notices = left_out(*patterns, root=work)
    for words in (
        f"outside of the working directory {work}",
        "../secret.txt",
        "/etc/passwd",
        "leads out of the working",
    ):
        assert words in notices


def test_patterns_that_stay_inside_are_found_however_they_are_written(tmp_path) -> None:
    """Absolute, through a link to the working directory, with `.` and `..` that cancel, a linked file's own name."""
    write(tmp_path, "real/out/a.so.1", "real/out/b.o")
    (tmp_path / "here").symlink_to("real")
    (tmp_path / "real" / "out" / "a.so").symlink_to("a.so.1")
    (tmp_path / "real" / "latest").symlink_to("out")
    here = tmp_path / "here"

    assert names(f"{here}/out/*.o", root=here) == ["out/b.o"]
    assert names(f"{tmp_path}/real/out/*.o", root=here) == ["out/b.o"]
    assert names("./out/../out/*.o", root=here) == ["out/b.o"]
    assert names("out/*.so", root=here) == ["out/a.so"]
    assert names("latest/*.o", root=here) == ["latest/b.o"]


def test_a_file_with_several_names_is_found_once(tmp_path) -> None:
    """Under its own name where a pattern matches that, however many links and ways lead to it."""
    write(tmp_path, "plain.txt", "z/real.so.1")
    for link, target in (("a-link", "plain.txt"), ("loop", "."), ("z/real.so", "real.so.1")):
        (tmp_path / link).symlink_to(target)

    assert names("**", "a-link", "loop/plain.txt", "loop/loop/a-link", root=tmp_path) == ["plain.txt", "z/real.so.1"]
    assert names("z/*.so", "a-link", "loop/a-link", root=tmp_path) == ["a-link", "z/real.so"]
    assert "z/real.so: another name of a file that is found" in left_out("z/*", root=tmp_path)


def test_a_pattern_that_names_nothing_is_reported(tmp_path) -> None:
    """An unset variable in a script, or the directory itself; what stands beside it is found."""
    write(tmp_path, "a.txt")

    for pattern in ("", ".", "./", "x/.."):
        assert names(pattern, "a.txt", root=tmp_path) == ["a.txt"]
        assert f"{pattern!r}: names no file" in left_out(pattern, "a.txt", root=tmp_path)


def test_every_pattern_without_a_file_is_named(tmp_path) -> None:
    """Also beside others that match; a folder's name says how to get what is in it."""
    write(tmp_path, "bin/tool", "a.txt")

    assert names("*.txt", "*.whl", "bin", root=tmp_path) == ["a.txt"]
    notices = left_out("*.txt", "*.whl", "bin", root=tmp_path)
    assert notices == "*.whl: matches no file\nbin: a folder: write FOLDER/** for the files in it"


def test_what_is_no_file_is_left_out_and_hangs_nobody(tmp_path) -> None:
    """A pipe, a socket, a device behind a link, a link to nowhere: named, never opened."""
    write(tmp_path, "a.txt")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        (tmp_path / "gone").symlink_to("nowhere")

        assert names("*", root=tmp_path) == ["a.txt"]
        assert left_out("*", root=tmp_path) == "gone: a link that leads nowhere\npipe, socket: no regular file"


@contextmanager
def without_special_rights() -> Iterator[None]:
    """Root, who runs the tests in CI, may read everything."""
    me = os.geteuid()
    os.seteuid(me or 65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_that_cannot_be_read_is_named() -> None:
    """What is beside it is found."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write(root, "a.txt", "closed/b.txt")
        root.chmod(0o755)
        (root / "closed").chmod(0)
        with without_special_rights():
            assert names("**", root=root) == ["a.txt"]
            assert left_out("**", root=root) == "closed: cannot be read (Permission denied)"
        (root / "closed").chmod(0o755)


def test_a_search_ends_in_time(tmp_path) -> None:
    """By entries or by the clock, with what was found until then and a sentence."""
    write(tmp_path, *(f"{number:03}/x.txt" for number in range(50)))
    ticks = iter(range(10_000))

    for found in (
        search_files(EVERYTHING, tmp_path, entries_max=60),
        search_files(EVERYTHING, tmp_path, limit_seconds=20.0, clock=lambda: next(ticks)),
    ):
        assert 0 < len(found.files) < 50
        assert "the search stopped" in "\n".join(found.left_out.sentences())


def test_deep_and_odd_names_are_found(tmp_path) -> None:
    """Deeper than Python recurses, brackets and bytes that are no text."""
    odd = os.fsdecode(b"caf\xe9.txt")
    write(tmp_path, odd, "[x].txt", "a b/*.txt")
    path = tmp_path
    for _ in range(400):
        path /= "d"
    path.mkdir(parents=True)
    (path / "deep.txt").touch()

    assert names("**/deep.txt", root=tmp_path) == [f"{'d/' * 400}deep.txt"]
    assert names("*.txt", root=tmp_path) == sorted([odd, "[x].txt"])
    assert names("[[]x].txt", root=tmp_path) == ["[x].txt"]
    assert names("a b/[*].txt", root=tmp_path) == ["a b/*.txt"]


def test_without_links_it_finds_what_the_shell_would(tmp_path) -> None:
    """The same as Python's glob, hidden names and all, for many patterns on random trees."""
    noise = random.Random(7)
    parts = ("a", "b", ".h", "c.txt", "d.txt", ".e.txt")
    for _ in range(120):
        path = tmp_path.joinpath(*noise.choices(parts[:3], k=noise.randrange(4)))
        path.mkdir(parents=True, exist_ok=True)
        (path / noise.choice(parts[3:])).touch()
    pieces = ("**", "*", "a", "?", "*.txt", ".*", "[ab]", "c.txt", "[!a]*")
    # A `**` at the end takes a file for a folder there: not something to keep.
    ends = [piece for piece in pieces if piece != "**"]
    patterns = {"/".join([*noise.choices(pieces, k=noise.randrange(4)), noise.choice(ends)]) for _ in range(400)}

    for pattern in patterns:
        expected = {
            os.path.normpath(name)
            for name in glob.glob(pattern, root_dir=tmp_path, recursive=True)  # noqa: PTH207  (the yardstick)
            if (tmp_path / name).is_file()
        }
        assert set(names(pattern, root=tmp_path)) == expected, pattern
