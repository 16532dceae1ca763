"""What was found in builds, on SQL: failures as one row a build, test results a row a block, feedback a row each."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from build_chassis.store.sql import SqlEngine
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.test_results import ResultBlock
from build_ingest.store import rows
from build_ingest.store.tables import failures, results
from build_ingest.store.tables import feedback as remarks


class SqlFindings:
    """Failures, test results and feedback in three tables."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine

    async def keep_failures(self, build_id: str, text_bytes: int, found: Found) -> None:
        """Keep what was found in the first `text_bytes` of a build's log; key build id."""
        row = rows.failures_row(build_id, text_bytes, found)
        newer = update(failures).where(failures.c.build_id == build_id, failures.c.text_bytes <= text_bytes)

        def put(db: Connection) -> None:
            if db.execute(newer.values(row)).rowcount:
                return
            with suppress(IntegrityError), db.begin_nested():
                db.execute(insert(failures), [row])

        await self._engine.write(put)

    async def find_failures(self, build_id: str) -> Found:
        """The failures kept of a build."""
        query = select(failures.c.found).where(failures.c.build_id == build_id)
        return rows.failures_of(await self._engine.read(lambda db: db.execute(query).scalar()))

    async def keep_results(self, blocks: Sequence[ResultBlock]) -> None:
        """Keep blocks of test results; key (build id, source, number)."""

        def put(db: Connection) -> None:
            for block in blocks:
                row = rows.result_row(block)
                kept = (
                    results.c.build_id == block.build_id,
                    results.c.source == block.source,
                    results.c.number == block.number,
                )
                if db.execute(update(results).where(*kept, results.c.count <= block.count).values(row)).rowcount:
                    continue
                with suppress(IntegrityError), db.begin_nested():
                    db.execute(insert(results), [row])

        await self._engine.write(put)

    async def keep_feedback(self, feedback: Feedback) -> None:
        """Keep what a person said; key its id."""
        row = rows.feedback_row(feedback)

        def put(db: Connection) -> None:
            db.execute(delete(remarks).where(remarks.c.id == feedback.id))
            db.execute(insert(remarks), [row])

        await self._engine.write(put)

    async def list_feedback(
        self, projects: Collection[str] | None, build_id: str | None, before: str | None, limit: int
    ) -> list[Feedback]:
        """What people said, newest first."""
        query = select(remarks.c.body).order_by(remarks.c.place.desc()).limit(limit)
        if projects is not None:
            query = query.where(remarks.c.project.in_(list(projects)))
        if build_id is not None:
            query = query.where(remarks.c.build_id == build_id)
        if before is not None:
            query = query.where(remarks.c.place < before)
        found = await self._engine.read(lambda db: db.execute(query).scalars().all())
        return [Feedback.model_validate_json(body) for body in found]

    async def read_results(self, build_id: str) -> list[ResultBlock]:
        """All blocks of a build, by source and number."""
        query = select(results).where(results.c.build_id == build_id).order_by(results.c.source, results.c.number)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.result_of(row) for row in found]
