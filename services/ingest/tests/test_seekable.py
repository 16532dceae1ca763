"""The archive's file: what any zstd reads whole, and we in ranges."""

import random
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from build_ingest.archive.seekable import FOOTER_BYTES, FrameWriter, NotAnArchive, Table, Torn, table_bytes
from build_ingest.records.chunk import merge
from build_ingest.records.plan import plan_build


def chunks_of(reporter, batches):
    state: Any = None
    chunks: list[Any] = []
    for batch in batches:
        step = plan_build(state, {}, [reporter.record_delivery(record) for record in batch]).step
        assert step is not None
        state, chunks = step.after, [*chunks, *step.chunks]
    return chunks


def talk(reporter):
    """Batches of a build with lines in pieces, empty lines, other alphabets, and records without text."""
    yield [reporter.start(), reporter.log(["first", ""])]
    for number in range(40):
        yield [reporter.log([f"{number} größer 💥 " + "x" * number, ""], continues=number % 5 == 2)]
        yield [reporter.update(progress=number)]
    yield [reporter.log([""]), reporter.log(["last"], continues=True), reporter.complete()]


def file_of(chunks) -> bytes:
    writer = FrameWriter()
    frames = b"".join(frame.packed for frame in writer.frames_of(chunks))
    return frames + b"".join(writer.end())


def table_of(file: bytes) -> Table:
    return Table.read(file[-table_bytes(file[-FOOTER_BYTES:]) :])


@pytest.mark.parametrize("is_merged", [False, True])
def test_decompressed_it_is_the_download(reporter, is_merged: bool) -> None:
    """Any decompressor reads the frames one after the other and skips the table; merged chunks change nothing."""
    chunks = chunks_of(reporter, talk(reporter))
    if is_merged:
        chunks = [*chunks[:7], merge(chunks[7:30]), *chunks[30:]]

    text = zstandard.ZstdDecompressor().stream_reader(file_of(chunks), read_across_frames=True).read()

    assert text.decode() == "".join(f"{line}\n" for line in reporter.lines)


def test_any_range_is_read_from_its_frames(reporter) -> None:
    """From the frames that a span names alone, whatever the range."""
    file = file_of(chunks_of(reporter, talk(reporter)))
    whole = "".join(f"{line}\n" for line in reporter.lines).encode()
    table = table_of(file)
    draw = random.Random(5)

    for _ in range(300):
        begin = draw.randrange(len(whole))
        end = draw.randrange(begin, len(whole)) + 1
        span = table.span(begin, end)
        text = span.text(file[span.file_begin : span.file_end])
        assert text[begin - span.text_begin : end - span.text_begin] == whole[begin:end]


def test_chunks_that_do_not_join_are_never_archived(reporter) -> None:
    """A hole, or text that is no longer here, is reported."""
    chunks = chunks_of(reporter, talk(reporter))
    cold = [chunk for chunk in chunks if chunk.has_text][3]

    with pytest.raises(Torn, match="is missing"):
        file_of([*chunks[:4], *chunks[6:]])
    chunks[chunks.index(cold)] = replace(cold, text=b"")
    with pytest.raises(Torn, match="not here"):
        file_of(chunks)


def test_other_files_are_not_taken_for_archives(reporter) -> None:
    """Neither one without a table nor one whose table is damaged, nor a range beyond the text."""
    file = file_of(chunks_of(reporter, talk(reporter)))

    with pytest.raises(NotAnArchive):
        table_bytes(b"x" * FOOTER_BYTES)
    with pytest.raises(NotAnArchive):
        Table.read(b"x" * 40)
    with pytest.raises(NotAnArchive):
        table_of(file).span(0, 10**9)
