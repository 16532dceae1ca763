"""A mirror of a CI that nobody has, from docs/mirrors.md alone: `python mirror.py http://anvil.example`."""

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request

from build_dashboard.mirror import Part, Piece, Source, SourceBuild, SourceUnavailable, run

OUTCOMES = {"ok": "succeeded", "broken": "failed", "stopped": "cancelled", "crashed": "error", None: None}


class Anvil(Source):
    """One Anvil."""

    kind, poll_seconds = "anvil", 2.0

    async def builds(self, open_ids, limit):
        """Its running jobs, those that ended since yesterday, and those that are followed."""
        jobs = await self.get("/jobs?state=running")
        jobs += await self.get(f"/jobs?ended_after={time.time() - 86_400}&limit={limit}")
        jobs += [job for each in open_ids for job in await self.get(f"/jobs?id={each}")]
        return [self.build(job) for job in jobs]

    def build(self, job):
        """A job as a build."""
        shown = {"config": job["pipeline"], "branch": job["branch"], "commit": job["sha"], "worker": job["machine"]}
        ended_at = int(job["ended"] * 1000) if job["ended"] else None
        times = {"started_at": int(job["started"] * 1000), "ended_at": ended_at, "result": OUTCOMES[job["outcome"]]}
        return SourceBuild(id=str(job["id"]), project=self.projects[0], url=job["page"], **shown, **times)

    async def parts(self, build):
        """Its stages."""
        stages = await self.get(f"/jobs/{build.id}/stages")
        names = [(stage["name"], stage["log"], stage["done"], OUTCOMES[stage["outcome"]]) for stage in stages]
        return [Part(key=name, name=name, log=log, is_over=over, result=result) for name, log, over, result in names]

    async def read(self, build, part, cursor):  # noqa: ARG002  (the contract's)
        """The lines of a stage from a number on."""
        answer = await self.get(f"/logs/{part.log}?from={cursor or 0}")
        return Piece(answer["lines"], (cursor or 0) + len(answer["lines"]), is_over=answer["closed"])

    async def get(self, path):
        """What Anvil answers."""
        self.state.count_request()
        try:
            with await asyncio.to_thread(urllib.request.urlopen, self.url + path, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            refused = error.code in (401, 403, 429)
            raise SourceUnavailable(f"Anvil answers {error.code} to {path}", is_refusal=refused) from error
        except OSError as error:
            raise SourceUnavailable(f"Anvil cannot be reached: {error}") from error


if __name__ == "__main__":
    run([Anvil("anvil", sys.argv[1], ["forge"])], *sys.argv[2:])
