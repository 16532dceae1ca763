"""Logs: lines as JSON, a search, or the whole text as a download that may be asked for in ranges."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from build_chassis.auth import Caller
from build_chassis.errors import Invalid, RangeNotSatisfiable
from build_protocol.limits import LOG_LINES_PER_PAGE
from build_protocol.messages import BuildStatus
from build_protocol.model import Count, ShortText
from build_protocol.views import BuildHits, LogNews, LogPage, LogSearch, LogsSearched
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from build_ingest.dependencies import Needs
from build_ingest.logs.pages import read_page, stream_text, text_size
from build_ingest.logs.search import BadPattern, search
from build_ingest.logs.search_many import LogsQuery
from build_ingest.records.fold import BuildState
from build_ingest.routes.access import CommitPrefix, Place, VisibleBuild, visible_projects
from build_ingest.store.contract import BuildQuery, ChunkSource

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})$")

router = APIRouter(prefix="/api/builds", tags=["builds"])


@router.get("/{build_id}/logs", response_model=LogPage | LogSearch, responses={200: {"content": {"text/plain": {}}}})
async def get_log(  # noqa: PLR0917  query parameters; nobody passes them by position
    state: VisibleBuild,
    needs: Needs,
    first: Annotated[Count, Query(ge=1)] = 1,
    count: Annotated[int | None, Query(ge=1, le=LOG_LINES_PER_PAGE)] = None,
    format: Annotated[Literal["json", "text"], Query()] = "json",  # noqa: A002  the query parameter's public name
    q: Annotated[str | None, Query(min_length=1, max_length=1000)] = None,
    case: bool = False,
    regex: bool = False,
    range_header: Annotated[str | None, Header(alias="range", max_length=100)] = None,
) -> Response:
    """Lines `first`, `first + 1`, ... (`format=json`), the lines that match `q`, or the whole log (`format=text`)."""
    if q is not None:
        try:
            hits = await search(
                needs.texts, state.build, q, is_regex=regex, match_case=case, first=first, count=count or 100
            )
        except BadPattern as error:
            raise _refused(error) from error
        return Response(hits.to_json(), media_type="application/json")
    if format == "text" and first == 1 and count is None:
        return _download(needs.texts, state, range_header)
    page = await read_page(needs.texts, state, first, count or 1000)
    if format == "text":
        return Response(
            "".join(f"{line}\n" for line in page.lines), media_type="text/plain; charset=utf-8", headers=_SAFE
        )
    return Response(page.to_json(), media_type="application/json")


@router.get("/{build_id}/logs/news", response_model=LogNews)
async def get_log_news(
    state: VisibleBuild,
    needs: Needs,
    count: Annotated[int, Query(ge=1, le=1000, description="At most so many kinds of lines.")] = 100,
) -> LogNews:
    """Lines that none of the configuration's last green builds before this one printed, each kind by its first.

    Times, directories, addresses and numbers are no difference. While a build runs: those that it printed so far.
    """
    green = await needs.replica.analyst.green_logs.kept_before(state.build)
    return await needs.log_news.read(state, green, count)


class JsonLines(StreamingResponse):
    """A JSON document a line."""

    media_type = "application/x-ndjson"


@router.get("/logs/search", response_class=JsonLines, responses={200: {"model": BuildHits | LogsSearched}})
async def search_logs(  # noqa: PLR0917  query parameters; nobody passes them by position
    caller: Caller,
    needs: Needs,
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    project: Annotated[Sequence[ShortText], Query(max_length=100)] = (),
    status: Annotated[Sequence[BuildStatus], Query(max_length=10)] = (),
    branch: ShortText | None = None,
    config: ShortText | None = None,
    commit: CommitPrefix = None,
    case: bool = False,
    regex: bool = False,
    hits: Annotated[int, Query(ge=1, le=100, description="Of each build, at most.")] = 10,
    limit: Annotated[int, Query(ge=1, le=200, description="Builds to search, at most.")] = 100,
    cursor: Place = None,
) -> JsonLines:
    """Search the logs of a commit, a branch or a configuration, newest start first: JSON lines, as they are found.

    The first lines are `BuildHits`, one for each build that was searched; the last one is `LogsSearched`. An answer
    without it was cut off.
    """
    if commit is None and branch is None and config is None:
        raise Invalid("query: name a commit, a branch or a config; not every log there is is searched")
    wanted = LogsQuery(
        q=q,
        is_regex=regex,
        match_case=case,
        hits=hits,
        builds=BuildQuery(
            projects=visible_projects(caller, project),
            branch=branch,
            config=config,
            statuses=status,
            commit_prefix=commit.lower() if commit else None,
            before=cursor,
            limit=limit,
        ),
    )
    try:
        wanted.finder()
    except BadPattern as error:
        raise _refused(error) from error
    lines = (f"{found.to_json()}\n".encode() async for found in needs.logs_search.search(wanted))
    return JsonLines(lines)


def _refused(error: BadPattern) -> Invalid:
    return Invalid(f"q: not a regular expression (RE2): {error}")


_SAFE = {
    # Log text is whatever a build printed: no browser may take it for a page.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def _download(texts: ChunkSource, state: BuildState, range_header: str | None) -> Response:
    size = text_size(state)
    headers = {
        **_SAFE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{state.build.project}-{state.build.id}.log"',
    }
    wanted = _read_range(range_header, size)
    if wanted is None:
        begin, end, status = 0, size, 200
    else:
        begin, end = wanted
        status = 206
        if begin >= end:
            raise RangeNotSatisfiable(f"the log has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - begin)
    return StreamingResponse(
        stream_text(texts, state, begin, end), status, headers=headers, media_type="text/plain; charset=utf-8"
    )


def _read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The wanted bytes [begin, end); None where no range, several, or none that we read: then all is sent."""
    match = _RANGE.match(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size
