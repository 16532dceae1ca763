"""Recent results: the merged test results of builds asked for lately, so that going through pages merges them once."""

import asyncio
from collections import OrderedDict

from build_ingest.findings.test_results import Result, merged
from build_ingest.records.fold import BuildState
from build_ingest.store.contract import BuildStore

RESULTS_KEPT = 300_000
"""In all; about 60 MB."""


class ResultsCache:
    """Reads the results of a build. Only those of ended, analysed builds are kept: they change no more."""

    def __init__(self, store: BuildStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, int], list[Result]] = OrderedDict()
        self._merging = asyncio.Lock()

    async def of(self, state: BuildState) -> list[Result]:
        """All results of the build, in order. Raises StoreUnavailable."""
        key = (state.build.id, state.verdict_revision)
        # One at a time: pages that are asked for at once wait for the first of them.
        async with self._merging:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            blocks = await self._store.read_results(state.build.id)
            results = await asyncio.to_thread(merged, blocks)
        if state.complete and state.is_analysed:
            self._kept[key] = results
            while sum(map(len, self._kept.values())) > RESULTS_KEPT:
                self._kept.popitem(last=False)
        return results
