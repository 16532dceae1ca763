"""Phases: which part of a build a step is, by its name, as CI configurations name them. Pure."""

import re
from typing import Literal

Phase = Literal["configure", "build", "link", "test"]

_WORDS: tuple[tuple[Phase, re.Pattern[str]], ...] = (
    ("test", re.compile(r"(?:^|[\W_])(?:tests?|check|lit|ctest|pytest|unittests?)(?:$|[\W_])", re.IGNORECASE)),
    ("configure", re.compile(r"(?:^|[\W_])(?:cmake|configure|config|setup)(?:$|[\W_])", re.IGNORECASE)),
    ("build", re.compile(r"(?:^|[\W_])(?:build|compile|make|ninja|bazel)(?:$|[\W_])", re.IGNORECASE)),
    ("link", re.compile(r"(?:^|[\W_])link(?:$|[\W_])", re.IGNORECASE)),
)


def phase_of(step: str) -> Phase | None:
    """The phase that a step of this name is; None where its name does not say."""
    return next((phase for phase, words in _WORDS if words.search(step)), None)
