"""Running: a mirror as a process, until it is asked to end."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from build_dashboard.endpoint import find_endpoint, spool_directory
from build_dashboard.mirror.mirror import Mirror
from build_dashboard.mirror.source import Source

logger = logging.getLogger("build_dashboard")


def run(sources: Sequence[Source], spool: str | None = None, *, ends_with_input: bool = False) -> None:
    """Show these sources until SIGTERM or SIGINT.

    The dashboard and the key are those of BUILD_DASHBOARD_URL (or WS_ENDPOINT) and BUILD_DASHBOARD_API_KEY.

    Args:
        sources: The CIs.
        spool: A folder of this mirror alone; by default `mirror` beside the spool of `build-dashboard run`.
        ends_with_input: End at the end of the standard input too, as when the process that holds it dies.

    Raises:
        ValueError: There is no key.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    place = Path(spool) if spool else spool_directory().with_name("mirror")
    shown = Mirror(sources, find_endpoint(), place)

    def end_with_input() -> None:
        if not os.read(0, 4096):
            shown.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, shown.close)
        if ends_with_input:
            loop.add_reader(0, end_with_input)
        logger.info("mirror %s", ", ".join(source.name for source in sources))
        await shown.run()

    asyncio.run(main())
