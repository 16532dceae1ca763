"""What callers ask with: who they are, what time it is, and the parameters that many routes share."""

from typing import Annotated, TypeVar

from build_chassis.auth import Caller
from build_chassis.errors import Invalid, NotFound
from fastapi import Depends, Query

from build_history.dependencies import Needs
from build_history.routes.reader import Reader


async def _reader(needs: Needs, caller: Caller) -> Reader:
    return Reader(needs.store, caller, needs.projects, needs.statistics)


async def _now_ms(needs: Needs) -> int:
    return needs.clock()


Reads = Annotated[Reader, Depends(_reader)]
Now = Annotated[int, Depends(_now_ms)]
ProjectQuery = Annotated[str | None, Query(max_length=64, description="Only this project.")]
BranchQuery = Annotated[str | None, Query(max_length=512, description="Only this branch.")]
ConfigQuery = Annotated[str | None, Query(max_length=512, description="Only this config.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=256, description="`nextCursor` of the page before.")]
Found = TypeVar("Found")


def found(answer: Found | None, what: str) -> Found:
    """The answer; 404 where there is none."""
    if answer is None:
        raise NotFound(f"no such {what}")
    return answer


def sha_prefix(text: str) -> str:
    """The beginning of a sha as it is stored; 422 where it is none, or says too little."""
    prefix = text.lower()
    if len(prefix) < 4 or not set(prefix) <= set("0123456789abcdef"):
        raise Invalid("a commit is named by at least 4 hex digits of its sha")
    return prefix
