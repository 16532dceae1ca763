"""The outbox: what branches' rows decided of their incidents is published, and then struck off.

A crash in between publishes it again: the message carries the incident's whole state with its revision and all of its
transitions, so that repeating or overtaking it is harmless.
"""

from collections.abc import Sequence

from build_chassis.bus import Bus, Outgoing
from build_chassis.failpoints import fail_at
from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.clock import Clock, now_ms
from build_protocol.incidents import IncidentChanged, IncidentState
from build_protocol.topology import branch_routing_key

from build_history.refresh import row_kinds
from build_history.store import HistoryStore, Row
from build_history.store.contract import RowQuery
from build_history.store.versions import version_of

BRANCHES_PER_STEP = 50


class Outbox:
    """Publishes INCIDENT_CHANGED; `step` is one round."""

    def __init__(self, store: HistoryStore, bus: Bus, clock: Clock = now_ms) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def step(self) -> int:
        """Publish what is due; how many messages that were. Key: incident id and revision.

        Raises:
            BusUnavailable: Nothing of the branch at hand was published.
            PublishFailed: Some of it may have been; it is published again.
            StoreUnavailable: The same.
        """
        count = 0
        rows = await self._store.rows(
            RowQuery("branch", labels=[row_kinds.DUE], limit=BRANCHES_PER_STEP, newest_first=False)
        )
        for row in rows:
            branch = row_kinds.read_as(row_kinds.Branch, row)
            outbox, quiet = branch.outbox, set(branch.quiet)
            await self._write_rows(outbox)
            await self._bus.publish([outgoing(state, self._clock(), is_baseline=state.id in quiet) for state in outbox])
            fail_at("history.published")
            await self._strike_off(row, outbox)
            count += len(outbox)
        return count

    async def _write_rows(self, outbox: Sequence[IncidentState]) -> None:
        """See to it that every incident's row shows at least what is about to be published."""
        known = await self._store.rows_by_key([row_kinds.INCIDENT.key(state.id) for state in outbox])
        late = []
        for state in outbox:
            row = known.get(row_kinds.INCIDENT.key(state.id))
            if row is None or row_kinds.read_as(IncidentState, row).revision < state.revision:
                late.append(row_kinds.INCIDENT.row(state, version_of(known, row_kinds.INCIDENT.key(state.id))))
        if late:
            await self._store.put_rows(late)

    async def _strike_off(self, row: Row, published: Sequence[IncidentState]) -> None:
        done = {state.id: state.revision for state in published}

        async def attempt() -> Lost | None:
            nonlocal row
            branch = row_kinds.read_as(row_kinds.Branch, row)
            left = [state for state in branch.outbox if state.revision > done.get(state.id, -1)]
            quiet = [each for each in branch.quiet if any(state.id == each for state in left)]
            after = branch.model_copy(update={"outbox": left, "quiet": quiet})
            if await self._store.put_rows([row_kinds.BRANCH.row(row_kinds.BranchAt(after, row.rank), row.version)]):
                return None
            row = (await self._store.rows_by_key([row.key]))[row.key]
            return LOST

        await update("history", f"the outbox of {len(done)} incidents", attempt)


def outgoing(state: IncidentState, at: int, *, is_baseline: bool = False) -> Outgoing:
    """The message of an incident's state, as the bus takes it."""
    message = IncidentChanged(
        build_id=state.opening.build_id, project=state.project, timestamp=at, data=state, is_baseline=is_baseline
    )
    key = branch_routing_key(message.type, state.project, state.branch)
    return Outgoing(key, message.to_json().encode(), {"build_id": message.build_id, "incident": state.id})
