"""Baselines: incidents published again as they stand, for a service that lost what it knew of them.

A baseline notifies nobody: who receives it takes its transitions as known. So an incident of which something waits in
the outbox is left to that: its row may show already what nobody was notified of yet. Rows are read before the outbox:
what is not in it any more was published before.
"""

from build_chassis.bus import Bus
from build_chassis.pagination import decode_cursor, encode_cursor
from build_protocol.incidents import IncidentState

from build_history.refresh import row_kinds
from build_history.refresh.outbox import outgoing
from build_history.store import HistoryStore
from build_history.store.contract import RowQuery

INCIDENTS_AT_ONCE = 200
BRANCHES_DUE_MAX = 1000


async def publish_baselines(store: HistoryStore, bus: Bus, now_ms: int, cursor: str | None) -> tuple[int, str | None]:
    """Publish the incidents beyond a cursor, the first started first; how many, and where to go on. Key: the incident.

    Raises StoreUnavailable, BusUnavailable, PublishFailed: it may be repeated.
    """
    after = None if cursor is None else decode_cursor(cursor)
    query = RowQuery("incident", limit=INCIDENTS_AT_ONCE, newest_first=False, after=after)
    rows = await store.rows(query)
    due = await store.rows(RowQuery("branch", labels=[row_kinds.DUE], limit=BRANCHES_DUE_MAX))
    waiting = {state.id for row in due for state in row_kinds.read_as(row_kinds.Branch, row).outbox}
    states = [state for state in row_kinds.read_all(IncidentState, rows) if state.id not in waiting]
    await bus.publish([outgoing(state, now_ms, is_baseline=True) for state in states])
    more = encode_cursor(rows[-1].rank, rows[-1].key) if len(rows) == INCIDENTS_AT_ONCE else None
    return len(states), more
