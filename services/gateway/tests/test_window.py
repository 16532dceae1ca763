"""The window: how far a build has come in one session."""

from build_gateway.agents.window import BuildWindow


def test_confirmed_moves_only_over_the_contiguous_prefix() -> None:
    """A later frame confirmed first opens nothing; the earlier one then carries both."""
    window = BuildWindow()
    for seq in range(1, 7):
        assert window.take(seq)
    first, second = window.sent(1, 3), window.sent(4, 6)

    assert not window.confirm(second)
    assert window.confirmed == 0

    assert window.confirm(first)
    assert window.confirmed == 6


def test_a_gap_is_not_taken_until_it_is_filled() -> None:
    """Record 4 after record 2 waits for record 3."""
    window = BuildWindow()

    assert [window.take(seq) for seq in (1, 2, 4)] == [True, True, False]
    assert window.next_seq == 3
    assert [window.take(seq) for seq in (3, 4)] == [True, True]


def test_a_session_may_begin_in_the_middle() -> None:
    """What came before the session's first record was acked in an earlier one."""
    window = BuildWindow()

    assert window.take(41)
    assert window.confirmed == 40


def test_repeats_are_taken_and_never_move_back() -> None:
    """Records sent again after `resendFrom` pass, and cumulative numbers never shrink."""
    window = BuildWindow()
    for seq in range(1, 10):
        window.take(seq)
    window.confirm(window.sent(1, 9))
    window.store(9, None, None)
    assert window.store(9, 4, None)

    assert all(window.take(seq) for seq in range(4, 11))
    window.confirm(window.sent(4, 10))

    assert (window.confirmed, window.stored, window.resend_from) == (10, 9, 4)


def test_nothing_waits_for_a_refused_record() -> None:
    """A record answered with REFUSED counts as passed, before, between and after others."""
    window = BuildWindow()
    window.take(1)
    window.take(2)
    window.refuse(4)

    assert window.take(3)
    assert window.take(5)
    window.confirm(window.sent(1, 3))
    assert window.confirmed == 4

    window.confirm(window.sent(5, 5))
    window.refuse(6)
    assert window.confirmed == 6


def test_stored_is_news_once() -> None:
    """The heads that ingest repeats every five seconds cost no frame when nothing moved."""
    window = BuildWindow()

    assert window.store(5, None, None)
    assert not window.store(5, None, None)
    assert window.store(5, None, True)
    assert not window.store(5, None, True)
    assert window.confirmed == 5
