"""The source of a repository's GitHub Actions: a job is a build; its steps are shown as they end, its log at its end.

GitHub gives no log of a job that runs. Of what was asked before only changes are asked again (ETags, which are free
with a token), and a rate limit that is nearly spent is waited for.
"""

import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from build_dashboard.mirror.github.app import App
from build_dashboard.mirror.github.jobs import build_of, config_of, parts_of, split_log
from build_dashboard.mirror.github.rest import Rest
from build_dashboard.mirror.project_map import ProjectMap
from build_dashboard.mirror.source import Part, Piece, Source, SourceBuild

PAGE = 100
PAGES_MAX = 10
"""A filtered list has 1,000 runs at most."""

LINES_PER_PIECE = 5_000
LOGS_KEPT = 2
JOBS_KEPT = 2_000
LATE_MS = 10 * 60 * 1000
"""A log may come so long after its job's end; one that is not there then never comes."""

POLL_SECONDS = (15.0, 300.0)
REQUESTS_PER_POLL = 8


class GitHubSource(Source):
    """One repository."""

    kind = "github"
    has_line_times = True

    def __init__(
        self,
        url: str,
        projects: ProjectMap,
        *,
        name: str | None = None,
        token: str | None = None,
        app: App | None = None,
        backfill_seconds: float = 24 * 3600.0,
    ) -> None:
        base = url.rstrip("/")
        super().__init__(name or base.partition("://")[2], base, projects.projects)
        self._projects = projects
        self._rest = Rest(base, self.state, token, app)
        self._since_at = datetime.fromtimestamp(time.time() - backfill_seconds, UTC)
        self._page = 1
        self._read: OrderedDict[tuple[int, int], bool] = OrderedDict()
        """Attempts of runs that ended and whose jobs were all given."""

        self._jobs: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._logs: OrderedDict[str, tuple[int, list[list[tuple[int, str]]]]] = OrderedDict()

    async def builds(self, open_ids: Collection[str], limit: int) -> Sequence[SourceBuild]:
        """The jobs of runs that run, of the next runs that ended, and those that are followed."""
        runs = await self._runs(1)
        if limit > 0 and self._page > 1:
            runs += await self._runs(self._page)
        found: list[SourceBuild] = []
        ended = 0
        self.has_more = False
        for run in runs:
            for attempt in range(1, int(run.get("run_attempt") or 1) + 1):
                is_over = run["status"] == "completed" or attempt < int(run.get("run_attempt") or 1)
                if (run["id"], attempt) in self._read:
                    continue
                if is_over and ended >= max(limit, 1):
                    self.has_more = True
                    continue
                found += await self._attempt(run, attempt)
                if is_over:
                    ended += 1
                    self._note_read(run["id"], attempt)
        if not self.has_more and len(runs) >= PAGE and self._page < PAGES_MAX:
            self._page += 1
            self.has_more = True
        given = {build.id for build in found}
        for foreign_id in set(open_ids) - given:
            found += await self._one(foreign_id)
        self._set_pace()
        return found

    async def parts(self, build: SourceBuild) -> Sequence[Part]:
        """Its steps, once it ended: before that there are no lines, and where a step's would begin is not known."""
        if build.result is None:
            return []
        job = self._jobs.get(build.id) or await self._rest.get(f"actions/jobs/{build.id}")
        if job is None:
            self.state.gone.add(build.id)
            return []
        self._keep_job(job)
        return parts_of(job)

    async def read(self, build: SourceBuild, part: Part, cursor: Any) -> Piece:
        """The lines of a step, cut out of its job's log."""
        first = cursor or 0
        status, steps = await self._log(build)
        is_late = (build.ended_at or 0) + LATE_MS < time.time() * 1000
        if status not in {200, 403, 410} and not is_late:
            return Piece([], cursor)
        if status != 200:
            reason = {410: "log_expired", 403: "log_refused"}.get(status, "log_missing")
            # One log is lost, not one of each step.
            return Piece([], cursor, is_over=True, lost=reason if part.log == 0 else None)
        lines = steps[part.log] if part.log < len(steps) else []
        some = lines[first : first + LINES_PER_PIECE]
        end = first + len(some)
        return Piece(
            [text for _, text in some], end, is_over=end >= len(lines), times=[stamped_at for stamped_at, _ in some]
        )

    async def close(self) -> None:
        """End the connections."""
        await self._rest.close()

    async def _runs(self, page: int) -> list[dict[str, Any]]:
        created = f">={self._since_at:%Y-%m-%dT%H:%M:%SZ}"
        answer = await self._rest.get("actions/runs", {"per_page": PAGE, "page": page, "created": created})
        return [] if answer is None else list(answer["workflow_runs"])

    async def _attempt(self, run: Mapping[str, Any], attempt: int) -> list[SourceBuild]:
        found = []
        earlier = await self._jobs_of(run["id"], attempt - 1) if attempt > 1 else []
        by_name = {job["name"]: job for job in earlier if job.get("started_at")}
        for job in await self._jobs_of(run["id"], attempt):
            if int(job.get("run_attempt") or attempt) != attempt:
                continue  # what did not fail is not run again
            self._keep_job(job)
            found += self._build(run, job, by_name.get(job["name"]))
        return found

    async def _jobs_of(self, run_id: int, attempt: int) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        for page in range(1, PAGES_MAX + 1):
            path = f"actions/runs/{run_id}/attempts/{attempt}/jobs"
            answer = await self._rest.get(path, {"per_page": PAGE, "page": page})
            rows = [] if answer is None else answer["jobs"]
            jobs += rows
            if len(rows) < PAGE:
                break
        return jobs

    async def _one(self, foreign_id: str) -> list[SourceBuild]:
        job = await self._rest.get(f"actions/jobs/{foreign_id}")
        run = None if job is None else await self._rest.get(f"actions/runs/{job['run_id']}")
        if job is None or run is None:
            self.state.gone.add(foreign_id)
            return []
        self._keep_job(job)
        return self._build(run, job, None)

    def _build(
        self, run: Mapping[str, Any], job: Mapping[str, Any], earlier: Mapping[str, Any] | None
    ) -> list[SourceBuild]:
        project = self._projects.project_of(config_of(run, job))
        build = None if project is None else build_of(run, job, project, earlier)
        return [] if build is None else [build]

    async def _log(self, build: SourceBuild) -> tuple[int, list[list[tuple[int, str]]]]:
        if build.id not in self._logs:
            status, text = await self._rest.log(build.id)
            steps = self._jobs.get(build.id, {}).get("steps") or ()
            split = split_log(text, steps) if status == 200 else []
            if status == 404:
                return status, split  # it may come yet
            self._logs[build.id] = (status, split)
            if len(self._logs) > LOGS_KEPT:
                self._logs.popitem(last=False)
        self._logs.move_to_end(build.id)
        return self._logs[build.id]

    def _keep_job(self, job: Mapping[str, Any]) -> None:
        self._jobs[str(job["id"])] = job
        self._jobs.move_to_end(str(job["id"]))
        if len(self._jobs) > JOBS_KEPT:
            self._jobs.popitem(last=False)

    def _note_read(self, run_id: int, attempt: int) -> None:
        self._read[run_id, attempt] = True
        if len(self._read) > 10 * PAGE * PAGES_MAX:
            self._read.popitem(last=False)

    def _set_pace(self) -> None:
        """Ask as often as what is left of the limit allows until it is renewed."""
        shortest, longest = POLL_SECONDS
        left, renewed_at = self.state.requests_left, self.state.requests_renewed_at
        if left is None or renewed_at is None:
            self.poll_seconds = shortest
            return
        seconds = max(0.0, renewed_at / 1000 - time.time())
        self.poll_seconds = min(longest, max(shortest, seconds * REQUESTS_PER_POLL / max(left, 1)))
