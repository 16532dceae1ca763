"""Owning: what people do about an incident is written into its own row, and read with those it absorbed."""

from collections.abc import Callable, Sequence

from build_chassis.store.optimistic import LOST, Lost, update
from build_protocol.incidents import IncidentState

from build_history.builds.ownership import Ownership, OwnershipRow, ownership_of
from build_history.refresh import row_kinds
from build_history.store import HistoryStore


async def change_ownership(
    store: HistoryStore, state: IncidentState, change: Callable[[Ownership], Ownership]
) -> Ownership:
    """Change what is shown of the incident's ownership; as it is then. Key: incident id, the last of two goes on top.

    Args:
        store: The store.
        state: The incident as it stands; one that was merged is not changed, but the one it was merged into.
        change: Gives the same object where nothing changes.

    Raises:
        StoreUnavailable: Nothing was written.
    """
    key = row_kinds.OWNERSHIP.key(state.id)

    async def attempt() -> Ownership | Lost:
        rows = await store.rows_by_key([key, *(row_kinds.OWNERSHIP.key(other) for other in state.absorbed)])
        before = _read(state, {row.key: row_kinds.read_as(OwnershipRow, row) for row in rows.values()}) or Ownership()
        after = change(before)
        if after is before:
            return after
        row = OwnershipRow(
            incident=state.id,
            project=state.project,
            first_started_at=state.first_started_at,
            ownership=after,
            included=state.absorbed,
        )
        version = rows[key].version if key in rows else 0
        return after if await store.put_rows([row_kinds.OWNERSHIP.row(row, version)]) else LOST

    return await update("history", f"ownership of incident {state.id}", attempt)


async def read_ownerships(store: HistoryStore, states: Sequence[IncidentState]) -> dict[str, Ownership]:
    """What is shown of these incidents' ownership, by incident; those that nobody did anything about are absent."""
    keys = {row_kinds.OWNERSHIP.key(known) for state in states for known in (state.id, *state.absorbed)}
    rows = {row.key: row_kinds.read_as(OwnershipRow, row) for row in (await store.rows_by_key(keys)).values()}
    shown = {state.id: _read(state, rows) for state in states}
    return {incident: ownership for incident, ownership in shown.items() if ownership is not None}


def _read(state: IncidentState, rows: dict[str, OwnershipRow]) -> Ownership | None:
    own = rows.get(row_kinds.OWNERSHIP.key(state.id))
    keys = [row_kinds.OWNERSHIP.key(other) for other in state.absorbed if own is None or other not in own.included]
    absorbed = [rows[key].ownership for key in keys if key in rows]
    return ownership_of(state, own.ownership if own else None, absorbed)
