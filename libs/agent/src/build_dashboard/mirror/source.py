"""The source: what a mirror must be able to ask a CI. `docs/mirrors.md` shows a whole one in 60 lines.

A mirror reads; it never changes anything at the CI. What a source answers is looked at again and again, and only what
is new in it is recorded: every method may be asked the same twice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["succeeded", "warnings", "failed", "skipped", "cancelled", "error"]
"""How a build or a part of it ended. `error`: the CI itself failed, which is nobody's code."""

Stream = Literal["out", "err"]

MINUTE_SECONDS = 60.0


class SourceUnavailable(Exception):
    """The CI does not answer, or refuses: the same is asked again later.

    Args:
        problem: Why, as a sentence.
        retry_seconds: When the CI says to come back.
        is_refusal: It answered, and refused (401, 403, 429).
    """

    def __init__(self, problem: str, *, retry_seconds: float | None = None, is_refusal: bool = False) -> None:
        super().__init__(problem)
        self.retry_seconds = retry_seconds
        self.is_refusal = is_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBuild:
    """A build as its CI shows it now. Instants are ms since the Unix epoch, by the CI's clock."""

    id: str
    """The CI's own: unique in it together with `started_at`. A retry is another build."""

    started_at: int
    project: str
    config: str = "default"
    """What is built how: a builder, or workflow / job."""

    branch: str | None = None
    commit: str | None = None
    origin: Literal["ci", "premerge"] = "ci"
    url: str | None = None
    """Its page."""

    worker: str | None = None
    tags: Sequence[str] = ()
    repository: str | None = None
    retry_of: tuple[str, int] | None = None
    """`id` and `started_at` of the build that this one repeats."""

    step: str | None = None
    """What it does now, where that is known before its parts are."""

    progress: float | None = None
    """Per cent done, in the same way."""

    ended_at: int | None = None
    result: Result | None = None
    """None while it runs."""

    reason: str | None = None
    """Why it ended so, in a word, e.g. `retry`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A step of a build, with at most one log; a build's log is that of its parts, one after another."""

    key: str
    """Names it within its build. Parts stay in their order, and new ones come last."""

    name: str
    log: Any = None
    """How `read` finds its log; None while it has none."""

    is_over: bool = False
    """Whether it ended. A part without a log that is over is passed by."""

    started_at: int | None = None
    ended_at: int | None = None
    result: Result | None = None
    url: str | None = None
    has_annotations: bool = False
    """Its log has lines `@@@BUILD_STEP name@@@`, which begin steps of their own."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next lines of a part's log."""

    lines: Sequence[str]
    """Whole lines, without their line feeds."""

    cursor: Any
    """Where to go on: anything that JSON can hold. It is kept on disk with the lines."""

    is_over: bool = False
    """Nothing comes after these lines."""

    streams: Sequence[Stream] = ()
    """One per line; empty: all are `out`."""

    times: Sequence[int] = ()
    """When each line was printed, in ms since the Unix epoch; empty: nobody knows."""

    lost: str | None = None
    """Why the rest of the log is gone (`log_deleted`, `log_expired`); it is shown as a gap, and the part is over."""

    source_line: int | None = None
    """The number that the CI gives to the first of these lines."""


@dataclass(slots=True)
class SourceState:
    """How a source's requests fare; counted by whoever makes them, shown on the page."""

    gone: set[str] = field(default_factory=set)
    """Ids of builds that were followed, and that the CI has no more (its database was made anew)."""

    refused: int = 0
    requests_left: int | None = None
    requests_renewed_at: int | None = None
    _asked: deque[float] = field(default_factory=deque)

    def count_request(self) -> None:
        """A request goes out."""
        self._asked.append(time.monotonic())
        self._forget()

    @property
    def requests_per_minute(self) -> int:
        """Requests of the last minute."""
        self._forget()
        return len(self._asked)

    def _forget(self) -> None:
        horizon = time.monotonic() - MINUTE_SECONDS
        while self._asked and self._asked[0] < horizon:
            self._asked.popleft()


class Source:
    """A CI to be shown. Subclasses answer `builds`, `parts` and `read`.

    Each may raise `SourceUnavailable`; then nothing is lost, and it is asked again.
    """

    kind = "other"
    has_line_times = False
    """Whether `Piece.times` are known."""

    poll_seconds = 30.0
    """How often `builds` is asked, at least."""

    def __init__(self, name: str, url: str | None = None, projects: Sequence[str] = ()) -> None:
        self.name = name
        """Part of every build's id: never change it, or all builds are shown once more."""

        self.url = url
        self.projects = list(projects)
        self.state = SourceState()
        self.has_more = False
        """Whether there are ended builds that `builds` did not give yet."""

    async def builds(self, open_ids: Collection[str], limit: int) -> Sequence[SourceBuild]:
        """Builds that run, builds that ended lately, and of those in `open_ids` what they are now.

        Of ended builds no more than `limit` are wanted at once; who has more sets `has_more`, and is asked again soon.

        What was given before may be given again, and is recorded once. A build of `open_ids` that is not in the answer
        goes on as it was.
        """
        raise NotImplementedError

    async def parts(self, build: SourceBuild) -> Sequence[Part]:
        """The build's parts so far, in order."""
        raise NotImplementedError

    async def read(self, build: SourceBuild, part: Part, cursor: Any) -> Piece:
        """The lines of the part's log after `cursor` (None: from its beginning), as many as one request gives."""
        raise NotImplementedError

    async def commits(self, build: SourceBuild, green: str) -> Sequence[Mapping[str, Any]] | None:  # noqa: ARG002  for those who can tell
        """The commits of the build after this one, as `commits` of BUILD_UPDATE has them; None: unknown."""
        return None

    async def wait(self, seconds: float) -> Collection[str] | None:
        """Wait so long, or until something changes; ids of builds that changed, None: perhaps all of them did."""
        await asyncio.sleep(seconds)
        return None

    async def close(self) -> None:
        """Let go of connections."""
