"""The plan of a batch: in order, repeated, ahead of a hole, or never."""

from build_ingest.records.plan import plan_build


def test_records_in_order_make_one_step(speaker) -> None:
    """A build's records in one batch become one step with one new revision."""
    said = [speaker.start(), speaker.log(["a", "b"]), speaker.update(progress=50)]

    plan = plan_build(None, {}, [speaker.arrival(record) for record in said])

    assert plan.step is not None
    build = plan.step.after.build
    assert (build.as_of_seq, build.revision, build.log_lines, build.progress) == (3, 1, 2, 50.0)
    assert plan.step.start == said[0]


def test_what_is_stored_is_a_repeat(speaker) -> None:
    """A record delivered again changes nothing."""
    first = plan_build(None, {}, [speaker.arrival(speaker.start())]).step
    again = speaker.arrival(first.start)

    plan = plan_build(first.after, {}, [again])

    assert plan.step is None
    assert [again] == plan.repeats


def test_records_beyond_a_hole_wait(speaker) -> None:
    """A record whose predecessor is missing waits, and is taken once the hole is filled."""
    start, two, three = (speaker.arrival(r) for r in (speaker.start(), speaker.log(["2"]), speaker.log(["3"])))
    after_start = plan_build(None, {}, [start]).step.after

    holed = plan_build(after_start, {}, [three])
    filled = plan_build(after_start, holed.ahead, [two])

    assert holed.step is None
    assert {3: three} == holed.ahead
    assert [two, three] == filled.accepted
    assert filled.ahead == {}


def test_records_of_another_agent_are_poison(speaker) -> None:
    """A build belongs to the agent that started it."""
    after_start = plan_build(None, {}, [speaker.arrival(speaker.start())]).step.after

    plan = plan_build(after_start, {}, [speaker.arrival(speaker.log(["x"]), agent="intruder")])

    assert plan.step is None
    assert "intruder" in plan.poison[0]


def test_an_intruder_in_the_first_batch_takes_no_place(speaker) -> None:
    """Another agent's record in the very first batch is poison; the owner's own record still fits."""
    start, own = speaker.start(), speaker.log(["own"])
    foreign = speaker.arrival(own.model_copy(), agent="intruder")

    plan = plan_build(None, {}, [speaker.arrival(start), foreign, speaker.arrival(own)])

    assert [arrival.seq for arrival in plan.accepted] == [1, 2]
    assert {speaker.agent} == {arrival.agent for arrival in plan.accepted}
    assert len(plan.poison) == 1


def test_a_build_begins_with_its_start(speaker) -> None:
    """A first record that is not BUILD_START can never be stored."""
    plan = plan_build(None, {}, [speaker.arrival(speaker.log(["x"]))])

    assert plan.step is None
    assert "BUILD_START" in plan.poison[0]


def test_one_seq_with_two_contents_keeps_the_first(speaker) -> None:
    """Two records of one seq within a batch: the first is taken, the second is poison."""
    start = speaker.arrival(speaker.start())
    first = speaker.log(["first"])
    second = first.model_copy(update={"data": first.data.model_copy(update={"lines": ["second"]})})

    plan = plan_build(None, {}, [start, speaker.arrival(first), speaker.arrival(second)])

    assert plan.step.after.build.last_line == "first"
    assert "other bytes" in plan.poison[0]


def test_after_complete_only_artifacts_change_anything(speaker) -> None:
    """Log text after BUILD_COMPLETE is kept as an event and is not part of the log."""
    said = [speaker.start(), speaker.log(["a"]), speaker.complete(), speaker.log(["late"])]

    build = plan_build(None, {}, [speaker.arrival(record) for record in said]).step.after.build

    assert (build.as_of_seq, build.log_lines, build.last_line, build.status) == (4, 1, "a", "succeeded")
