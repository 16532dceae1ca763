"""Where pages began: lets a server that sorts everything of a listing before it cuts read one page of it only."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

T = TypeVar("T")
LISTINGS_MAX = 10_000


class PageHints:
    """Remembers for each listing, newest first, the rank at which its last full page ended.

    As many stand above that rank as filled the page, and more may have come: asked for again from there on, the page
    is full. Where it is not, for something was dropped, all of the listing is asked for.
    """

    def __init__(self) -> None:
        self._ranks: OrderedDict[Hashable, int] = OrderedDict()

    async def page(
        self,
        listing: Hashable,
        limit: int,
        ask: Callable[[int | None], Awaitable[list[T]]],
        rank_of: Callable[[T], int],
    ) -> list[T]:
        """The newest `limit`; `ask` answers with the newest from a rank on, None: of all."""
        rank = self._ranks.get((listing, limit))
        found = await ask(rank)
        if rank is not None and len(found) < limit:
            found = await ask(None)
        self._ranks.pop((listing, limit), None)
        if len(found) == limit:
            self._ranks[listing, limit] = rank_of(found[-1])
            if len(self._ranks) > LISTINGS_MAX:
                self._ranks.popitem(last=False)
        return found
