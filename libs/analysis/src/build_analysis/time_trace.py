"""Clang's `-ftime-trace`: what compilers spent time on, summed over all traces of a build."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

_KINDS = {
    "Source": "include",
    "InstantiateClass": "instantiate",
    "InstantiateFunction": "instantiate",
    "OptFunction": "optimise",
}
_PHASES = {"Frontend": "front end", "Backend": "back end", "Optimizer": "optimiser", "CodeGenPasses": "code generation"}
TEXT_CHARACTERS = 300


class Hotspots:
    """Milliseconds by what they were spent on: headers, templates, functions, and the compiler's phases."""

    def __init__(self) -> None:
        self.traces = 0
        self._micros: Counter[str] = Counter()

    def add(self, text: str) -> bool:
        """Count one trace; False when the text is none."""
        try:
            trace = json.loads(text)
            events = trace["traceEvents"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        if not isinstance(events, list):
            return False
        for event in events:
            if isinstance(event, dict) and isinstance(event.get("dur"), int) and (what := _what(event)):
                self._micros[what] += event["dur"]
        self.traces += 1
        return True

    def greatest_ms(self, count: int) -> list[tuple[str, int]]:
        """What most time was spent on, greatest first; inclusive, so a header counts what it includes."""
        return [(what, micros // 1000) for what, micros in self._micros.most_common(count) if micros >= 1000]


def _what(event: Mapping[str, Any]) -> str | None:
    name = str(event.get("name", ""))
    if kind := _KINDS.get(name):
        arguments = event.get("args")
        detail = arguments.get("detail") if isinstance(arguments, dict) else None
        return f"{kind} {detail}"[:TEXT_CHARACTERS] if isinstance(detail, str) else None
    return _PHASES.get(name)
