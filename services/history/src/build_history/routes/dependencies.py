"""What callers ask with: who they are, what time it is, and the parameters that many routes share."""

import time
from typing import Annotated, TypeVar

from build_chassis.auth import Caller
from fastapi import Depends, HTTPException, Query, Request

from build_history.routes.reader import Reader


def _reader(request: Request, caller: Caller) -> Reader:
    return Reader(request.app.state.store, caller, request.app.state.projects, request.app.state.statistics)


def now_ms() -> int:
    """Milliseconds since the Unix epoch; a dependency, so that tests say what time it is."""
    return int(time.time() * 1000)


Reads = Annotated[Reader, Depends(_reader)]
Now = Annotated[int, Depends(now_ms)]
ProjectQuery = Annotated[str | None, Query(max_length=64, description="Only this project.")]
BranchQuery = Annotated[str | None, Query(max_length=512, description="Only this branch.")]
ConfigQuery = Annotated[str | None, Query(max_length=512, description="Only this config.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=256, description="`nextCursor` of the page before.")]
Found = TypeVar("Found")


def found(answer: Found | None, what: str) -> Found:
    """The answer; 404 where there is none."""
    if answer is None:
        raise HTTPException(404, f"no such {what}")
    return answer
