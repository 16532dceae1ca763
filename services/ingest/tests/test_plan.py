"""The plan of a batch: in order, repeated, ahead of a hole, or never."""

from build_ingest.records.plan import plan_build


def _step(deliveries):
    step = plan_build(None, {}, deliveries).step
    assert step is not None
    return step


def test_records_in_order_make_one_step(reporter) -> None:
    """A build's records in one batch become one step with one new revision."""
    records = [reporter.start(), reporter.log(["a", "b"]), reporter.update(progress=50)]

    plan = plan_build(None, {}, [reporter.record_delivery(record) for record in records])

    assert plan.step is not None
    build = plan.step.after.build
    assert (build.as_of_seq, build.revision, build.log_lines, build.progress) == (3, 1, 2, 50.0)
    assert plan.step.start == records[0]


def test_what_is_stored_is_a_repeat(reporter) -> None:
    """A record delivered again changes nothing."""
    first = _step([reporter.record_delivery(reporter.start())])
    again = reporter.record_delivery(first.start)

    plan = plan_build(first.after, {}, [again])

    assert plan.step is None
    assert [again] == plan.duplicates


def test_records_beyond_a_hole_wait(reporter) -> None:
    """A record whose predecessor is missing waits, and is taken once the hole is filled."""
    start, two, three = (
        reporter.record_delivery(r) for r in (reporter.start(), reporter.log(["2"]), reporter.log(["3"]))
    )
    after_start = _step([start]).after

    holed = plan_build(after_start, {}, [three])
    filled = plan_build(after_start, holed.ahead, [two])

    assert holed.step is None
    assert {3: three} == holed.ahead
    assert [two, three] == filled.accepted
    assert filled.ahead == {}


def test_records_of_another_agent_are_poison(reporter) -> None:
    """A build belongs to the agent that started it."""
    after_start = _step([reporter.record_delivery(reporter.start())]).after

    plan = plan_build(after_start, {}, [reporter.record_delivery(reporter.log(["x"]), agent="intruder")])

    assert plan.step is None
    assert "intruder" in plan.poison[0]


def test_an_intruder_in_the_first_batch_takes_no_place(reporter) -> None:
    """Another agent's record in the very first batch is poison; the owner's own record still fits."""
    start, own = reporter.start(), reporter.log(["own"])
    foreign = reporter.record_delivery(own.model_copy(), agent="intruder")

    plan = plan_build(None, {}, [reporter.record_delivery(start), foreign, reporter.record_delivery(own)])

    assert [delivery.seq for delivery in plan.accepted] == [1, 2]
    assert {reporter.agent} == {delivery.agent for delivery in plan.accepted}
    assert len(plan.poison) == 1


def test_a_build_begins_with_its_start(reporter) -> None:
    """A first record that is not BUILD_START can never be stored."""
    plan = plan_build(None, {}, [reporter.record_delivery(reporter.log(["x"]))])

    assert plan.step is None
    assert "BUILD_START" in plan.poison[0]


def test_one_seq_with_two_contents_keeps_the_first(reporter) -> None:
    """Two records of one seq within a batch: the first is taken, the second is poison."""
    start = reporter.record_delivery(reporter.start())
    first = reporter.log(["first"])
    second = first.model_copy(update={"data": first.data.model_copy(update={"lines": ["second"]})})

    plan = plan_build(None, {}, [start, reporter.record_delivery(first), reporter.record_delivery(second)])

    assert plan.step is not None
    assert plan.step.after.build.last_line == "first"
    assert "other bytes" in plan.poison[0]


def test_after_complete_only_artifacts_change_anything(reporter) -> None:
    """Log text after BUILD_COMPLETE is kept as an event and is not part of the log."""
    records = [reporter.start(), reporter.log(["a"]), reporter.complete(), reporter.log(["late"])]

    build = _step([reporter.record_delivery(record) for record in records]).after.build

    assert (build.as_of_seq, build.log_lines, build.last_line, build.status) == (4, 1, "a", "succeeded")
