"""Pages of a log agree with the state they are read at."""

from ingest.log import read_page


async def test_a_page_holds_no_more_of_a_line_than_its_state(bench, store, speaker) -> None:
    """What came of the last line after the snapshot is not in it: the live feed brings it, once."""
    await bench.intake.handle([speaker.delivery(record) for record in (speaker.start(), speaker.log(["a", "be"]))])
    before = await store.find(speaker.id)
    await bench.intake.handle([speaker.delivery(speaker.log(["gin", "next"], continues=True))])
    after = await store.find(speaker.id)

    assert ["a", "be"] == (await read_page(store, before, 1, 10)).lines
    assert ["be"] == (await read_page(store, before, 2, 10)).lines
    assert ["a", "begin", "next"] == (await read_page(store, after, 1, 10)).lines
