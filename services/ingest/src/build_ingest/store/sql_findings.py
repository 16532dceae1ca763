"""What was found in builds, on SQL: failures as one row a build, test results a row a block, feedback a row each."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from build_chassis.store.sql_store import SqlStore
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from typing_extensions import override

from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.green_log import GreenLog
from build_ingest.findings.test_results import ResultBlock
from build_ingest.store import rows
from build_ingest.store.findings import FindingsStore
from build_ingest.store.tables import failures, green_logs, results
from build_ingest.store.tables import feedback as remarks


class SqlFindings(SqlStore, FindingsStore):
    """Failures, test results and feedback in three tables."""

    @override
    async def keep_failures(self, build_id: str, text_bytes: int, found: Found) -> None:
        row = rows.failures_row(build_id, text_bytes, found)
        newer = update(failures).where(failures.c.build_id == build_id, failures.c.text_bytes <= text_bytes)

        def put(db: Connection) -> None:
            if db.execute(newer.values(row)).rowcount:
                return
            with suppress(IntegrityError), db.begin_nested():
                db.execute(insert(failures), [row])

        await self._engine.write(put)

    @override
    async def find_failures(self, build_id: str) -> Found:
        query = select(failures.c.found).where(failures.c.build_id == build_id)
        return rows.failures_of(await self._engine.read(lambda db: db.execute(query).scalar()))

    @override
    async def keep_results(self, blocks: Sequence[ResultBlock]) -> None:
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

    @override
    async def keep_feedback(self, feedback: Feedback) -> None:
        row = rows.feedback_row(feedback)

        def put(db: Connection) -> None:
            db.execute(delete(remarks).where(remarks.c.id == feedback.id))
            db.execute(insert(remarks), [row])

        await self._engine.write(put)

    @override
    async def list_feedback(
        self, projects: Collection[str] | None, build_id: str | None, before: str | None, limit: int
    ) -> list[Feedback]:
        query = select(remarks.c.body).order_by(remarks.c.place.desc()).limit(limit)
        if projects is not None:
            query = query.where(remarks.c.project.in_(list(projects)))
        if build_id is not None:
            query = query.where(remarks.c.build_id == build_id)
        if before is not None:
            query = query.where(remarks.c.place < before)
        found = await self._engine.read(lambda db: db.execute(query).scalars().all())
        return [Feedback.model_validate_json(body) for body in found]

    @override
    async def keep_green_log(self, green_log: GreenLog) -> None:
        row = rows.green_log_row(green_log)

        def put(db: Connection) -> None:
            db.execute(delete(green_logs).where(green_logs.c.build_id == green_log.build_id))
            db.execute(insert(green_logs), [row])

        await self._engine.write(put)

    @override
    async def list_green_logs(self, project: str, config: str, before: str, limit: int) -> list[GreenLog]:
        mine = (green_logs.c.project == project, green_logs.c.config == config, green_logs.c.place < before)
        query = select(green_logs).where(*mine).order_by(green_logs.c.place.desc()).limit(limit)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.green_log_of(row) for row in found]

    @override
    async def read_results(self, build_id: str) -> list[ResultBlock]:
        query = select(results).where(results.c.build_id == build_id).order_by(results.c.source, results.c.number)
        found = await self._engine.read(lambda db: db.execute(query).mappings().all())
        return [rows.result_of(row) for row in found]
