"""What was found in builds, on MongoDB: failures a document a build, test results a document a block, feedback each."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from build_chassis.store.mongo import Document, available
from build_chassis.store.mongo_store import MongoStore
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError
from typing_extensions import override

from build_ingest.findings.failures import Found
from build_ingest.findings.feedback import Feedback
from build_ingest.findings.green_log import GreenLog
from build_ingest.findings.test_results import ResultBlock
from build_ingest.store import rows
from build_ingest.store.findings import FindingsStore

RESULT_INDEXES = [IndexModel([("build_id", ASCENDING), ("source", ASCENDING), ("number", ASCENDING)], unique=True)]
GREEN_LOG_INDEXES = [IndexModel([("project", ASCENDING), ("config", ASCENDING), ("place", DESCENDING)])]
FEEDBACK_INDEXES = [IndexModel([("build_id", ASCENDING)]), IndexModel([("place", DESCENDING)])]


class MongoFindings(MongoStore, FindingsStore):
    """Failures, test results and feedback in three collections."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._failures = self._database["failures"]
        self._results = self._database["results"]
        self._feedback = self._database["feedback"]
        self._green_logs = self._database["green_logs"]

    @override
    async def keep_failures(self, build_id: str, text_bytes: int, found: Found) -> None:
        row = rows.failures_row(build_id, text_bytes, found)
        with available(self._database):
            changed = await self._failures.update_one(
                {"_id": row.pop("build_id"), "text_bytes": {"$lte": text_bytes}}, {"$set": row}
            )
            if not changed.matched_count:
                with suppress(DuplicateKeyError):
                    await self._failures.insert_one({"_id": build_id, **row})

    @override
    async def find_failures(self, build_id: str) -> Found:
        with available(self._database):
            document = await self._failures.find_one({"_id": build_id}, {"found": 1})
        return rows.failures_of(None if document is None else document["found"])

    @override
    async def keep_results(self, blocks: Sequence[ResultBlock]) -> None:
        with available(self._database):
            for block in blocks:
                row = rows.result_row(block)
                changed = await self._results.update_one(
                    {"_id": _key(block), "count": {"$lte": block.count}}, {"$set": row}
                )
                if not changed.matched_count:
                    with suppress(DuplicateKeyError):
                        await self._results.insert_one({"_id": _key(block), **row})

    @override
    async def keep_feedback(self, feedback: Feedback) -> None:
        row = rows.feedback_row(feedback)
        with available(self._database):
            await self._feedback.replace_one({"_id": row.pop("id")}, row, upsert=True)

    @override
    async def list_feedback(
        self, projects: Collection[str] | None, build_id: str | None, before: str | None, limit: int
    ) -> list[Feedback]:
        wanted: Document = {} if projects is None else {"project": {"$in": list(projects)}}
        if build_id is not None:
            wanted["build_id"] = build_id
        if before is not None:
            wanted["place"] = {"$lt": before}
        with available(self._database):
            found = self._feedback.find(wanted, {"body": 1}).sort("place", DESCENDING).limit(limit)
            return [Feedback.model_validate_json(document["body"]) for document in await found.to_list()]

    @override
    async def keep_green_log(self, green_log: GreenLog) -> None:
        row = rows.green_log_row(green_log)
        with available(self._database):
            await self._green_logs.replace_one({"_id": green_log.build_id}, row, upsert=True)

    @override
    async def list_green_logs(self, project: str, config: str, before: str, limit: int) -> list[GreenLog]:
        wanted: Document = {"project": project, "config": config, "place": {"$lt": before}}
        with available(self._database):
            found = self._green_logs.find(wanted).sort("place", DESCENDING).limit(limit)
            return [rows.green_log_of(document) for document in await found.to_list()]

    @override
    async def read_results(self, build_id: str) -> list[ResultBlock]:
        with available(self._database):
            found = self._results.find({"build_id": build_id}).sort([("source", ASCENDING), ("number", ASCENDING)])
            return [rows.result_of(document) for document in await found.to_list()]


def _key(block: ResultBlock) -> str:
    return f"{block.build_id}:{block.source}:{block.number:016d}"
