"""What ingest's store promises about what was found in builds: failures, test results, and people's remarks on them.

Failures and results are derived: reading a build again finds them again. All of it goes with its build.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.green_log import GreenLog
from build_ingest.findings.test_results import ResultBlock


class FindingsStore(Protocol):
    """Failures and test results by build. Every method raises StoreUnavailable when the store does not answer."""

    async def keep_failures(self, build_id: str, text_bytes: int, found: Found) -> None:
        """Keep what was found in the first `text_bytes` of a build's log; key build id.

        Replaces what was found in as much of the log or less; what was found in more of it stays.
        """
        ...

    async def find_failures(self, build_id: str) -> Found:
        """The failures kept of a build; none where none were kept."""
        ...

    async def keep_results(self, blocks: Sequence[ResultBlock]) -> None:
        """Keep blocks of test results; key (build id, source, number).

        A block replaces one with as many results or fewer; one with more stays.
        """
        ...

    async def keep_feedback(self, feedback: Feedback) -> None:
        """Keep a person's remark; key its id: sent again it is replaced."""
        ...

    async def list_feedback(
        self, projects: Collection[str] | None, build_id: str | None, before: str | None, limit: int
    ) -> list[Feedback]:
        """People's remarks, newest first: of these projects (None: all), of this build, standing before this place."""
        ...

    async def keep_green_log(self, green_log: GreenLog) -> None:
        """Keep what a build that went well printed; key build id: kept again it is replaced."""
        ...

    async def list_green_logs(self, project: str, config: str, before: str, limit: int) -> list[GreenLog]:
        """Up to `limit` green logs of a configuration whose builds stand before this place, newest first."""
        ...

    async def read_results(self, build_id: str) -> list[ResultBlock]:
        """All blocks of a build, by source and number."""
        ...
