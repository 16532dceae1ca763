"""Failures: what the analyser found, in the wire's fields and in the order people read them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from build_analysis.failure import Failure
from build_analysis.roots import Root, roots
from build_analysis.rule import UNKNOWN, WRAPPER
from build_protocol.messages import FailureData
from build_protocol.model import Count, WireModel
from pydantic import Field

SHORT_CHARACTERS = 512
LONG_CHARACTERS = 8192
"""What the wire takes of one field; the analyser takes fields from lines of any length."""

_LONG_FIELDS = frozenset({"file", "message", "target", "command"})


class Found(WireModel):
    """Failures of one build, first real one first; `count` includes those beyond what is kept."""

    items: list[FailureData] = Field(default_factory=list)
    count: Count = 0

    @property
    def first(self) -> FailureData | None:
        """The first real failure."""
        return self.items[0] if self.items else None


def ranked(failures: Iterable[Failure], dropped: int = 0) -> Found:
    """Failures that the analyser has ranked, for the wire; each knows how many others have its cause."""
    listed = list(failures)
    shares = {id(one): _share(root) for root in roots(listed) for one in root.failures}
    items = [_on_wire(one).model_copy(update=shares[id(one)]) for one in listed]
    return Found(items=items, count=len(items) + dropped)


def _share(root: Root) -> dict[str, int]:
    return {"root_line": root.first.first_line, "root_count": root.count}


def so_far(failures: Iterable[Failure]) -> Found:
    """Failures that became certain while the build runs, in the order that its report will have."""
    return ranked(sorted(failures, key=lambda found: (found.rank >= WRAPPER, found.rank >= UNKNOWN, found.first_line)))


def _on_wire(failure: Failure) -> FailureData:
    """One failure as every other service and the page see it."""
    return FailureData.model_validate(_cut(failure.to_json()))


def _cut(fields: Mapping[str, Any]) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            cut[name] = value[: LONG_CHARACTERS if name in _LONG_FIELDS else SHORT_CHARACTERS]
        elif value not in (None, []):
            cut[name] = value
    return cut
