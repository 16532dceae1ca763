"""Chunks: whatever the records, what is read back is what was recorded."""

from build_ingest.intake.duplicates import holds
from build_ingest.records.chunk import Chunk, Position, events_of, index_of, merge, pack, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

# Tests import the reporter by fixture; hypothesis makes many per test, so it takes the factory.
RECORDS = st.lists(
    st.one_of(
        st.tuples(
            st.lists(
                st.text(alphabet=st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8),
                min_size=1,
                max_size=6,
            ),
            st.booleans(),
            st.sampled_from(["out", "err"]),
        ),
        st.none(),
    ),
    min_size=1,
    max_size=20,
)
CUTS = st.lists(st.integers(1, 5), min_size=1, max_size=20)


def _read(chunks: list[Chunk]) -> str:
    parts: list[str] = []
    for chunk in chunks:
        if not chunk.has_text:
            continue
        if parts and not chunk.continues:
            parts.append("\n")
        parts.append(text_of(chunk).decode())
    return "".join(parts)


def _pack_in_batches(reporter, records, cuts) -> list[Chunk]:
    deliveries = [reporter.record_delivery(record) for record in records]
    chunks: list[Chunk] = []
    at = Position(0, 0, 0)
    sizes = iter(cuts * len(deliveries))
    while deliveries:
        size = next(sizes)
        batch, deliveries = deliveries[:size], deliveries[size:]
        packed, _ = pack(reporter.id, batch, at)
        chunks += packed
        last = packed[-1]
        at = Position(last.last_seq, last.last_line, last.end_byte)
    return chunks


def _record_all(reporter, contents) -> list:
    return [
        reporter.update(progress=1)
        if record is None
        else reporter.log(record[0], continues=record[1], stream=record[2])
        for record in contents
    ]


@settings(max_examples=60, deadline=None)
@given(contents=RECORDS, cuts=CUTS)
def test_any_split_into_records_and_batches_reads_back_equal(make_reporter_factory, contents, cuts) -> None:
    """Lines split over any records, in any batches, merged or not, are read back as they were printed."""
    reporter = make_reporter_factory()
    records = _record_all(reporter, contents)
    chunks = _pack_in_batches(reporter, records, cuts)
    expected = "\n".join(reporter.lines)

    assert expected == _read(chunks)
    assert expected == _read([merge(chunks)])
    half = len(chunks) // 2
    if half:
        assert expected == _read([merge(chunks[:half]), merge(chunks[half:])])


@settings(max_examples=40, deadline=None)
@given(contents=RECORDS, cuts=CUTS)
def test_numbers_and_columns_agree_with_the_text(make_reporter_factory, contents, cuts) -> None:
    """First and last line, byte offsets and one stream and time per line fit the text, merged or not."""
    reporter = make_reporter_factory()
    chunks = _pack_in_batches(reporter, _record_all(reporter, contents), cuts)
    text = "\n".join(reporter.lines).encode()

    for chunk in [*chunks, merge(chunks)]:
        index = index_of(chunk)
        if not chunk.has_text:
            assert not index.counts
            continue
        assert text_of(chunk) == text[chunk.first_byte : chunk.end_byte]
        assert chunk.first_line == text[: chunk.first_byte].count(b"\n") + 1
        assert chunk.last_line == text[: chunk.end_byte].count(b"\n") + 1
        assert len(index.times) == sum(count for _, count in index.streams) == chunk.last_line - chunk.first_line + 1


@settings(max_examples=40, deadline=None)
@given(contents=RECORDS, cuts=CUTS)
def test_a_repeated_record_is_recognised_and_another_is_not(make_reporter_factory, contents, cuts) -> None:
    """Every stored record is recognised; one with the same seq and other content is not."""
    reporter = make_reporter_factory()
    records = _record_all(reporter, contents)
    chunks = _pack_in_batches(reporter, records, cuts)

    for stored in (chunks, [merge(chunks)]):
        for record in records:
            place = next(i for i, chunk in enumerate(stored) if chunk.last_seq >= record.seq)
            following = stored[place + 1] if place + 1 < len(stored) else None
            assert holds(stored[place], following, reporter.record_delivery(record))
            if record.type == "BUILD_LOG":
                other = record.model_copy(update={"data": record.data.model_copy(update={"lines": ["\x00other"]})})
                assert not holds(stored[place], following, reporter.record_delivery(other))


def test_events_are_kept_as_reported(reporter) -> None:
    """Records that are not log come back whole, in order, also after a merge."""
    records = [reporter.start(), reporter.log(["a"]), reporter.update(progress=5), reporter.update(progress=6)]
    chunks = _pack_in_batches(reporter, records, [1])

    assert [event["seq"] for event in events_of(merge(chunks))] == [1, 3, 4]
    assert events_of(merge(chunks))[-1]["data"]["progress"] == 6


def test_a_newline_inside_a_line_shifts_no_number(reporter) -> None:
    """A line that holds a newline stays one line."""
    chunks = _pack_in_batches(reporter, [reporter.log(["a\nb", "c"])], [1])

    assert _read(chunks) == "a\N{SYMBOL FOR NEWLINE}b\nc"


def test_a_quick_build_fills_chunks_of_bounded_size(reporter) -> None:
    """A large batch becomes several chunks, none much larger than the limit."""
    records = [reporter.log([f"line {number}" + "x" * 100 for number in range(200)]) for _ in range(60)]
    chunks = _pack_in_batches(reporter, records, [60])

    assert len(chunks) > 3
    assert max(chunk.text_bytes for chunk in chunks) < 300 * 1024
