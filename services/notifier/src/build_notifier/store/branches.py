"""Branches' rows are changed by several replicas: each change is made to the newest row, whoever else was faster."""

from collections.abc import Callable

from build_chassis.store.optimistic import LOST, Lost, update

from build_notifier.records.branch import Branch
from build_notifier.store.contract import NotifierStore, StoredBranch


async def change_branch(
    store: NotifierStore,
    name: Branch,
    change: Callable[[Branch], Branch],
    *,
    read: StoredBranch | None = None,
    makes: bool = False,
) -> None:
    """Replace a branch's row by what a function makes of it; a change that changes nothing writes nothing.

    Args:
        store: Where the row is.
        name: The branch, as it is where no row exists.
        change: Decides only: it is called again with the newer row when another replica was faster.
        read: The row where it was just read.
        makes: Whether a branch without a row gets one.

    Raises:
        StoreUnavailable: The store does not answer, or others were faster too often.
    """

    async def attempt() -> Lost | None:
        nonlocal read
        stored, read = read or (await store.branches([name.key])).get(name.key), None
        if stored is None and not makes:
            return None
        before = stored.branch if stored else name
        after = change(before)
        if after == before or await store.put_branch(after, stored.version if stored else 0):
            return None
        return LOST

    await update("notifier", f"branch {name.branch} of {name.project}", attempt)
