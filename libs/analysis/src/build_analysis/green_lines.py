"""Green lines: what the last builds that went well printed, as templates, for comparison with one that did not.

A line that a green build printed, too, broke nothing; where no rule knows a failed step's words, the first line that no
green build printed is its message. Templates are lines without what changes between runs (`signature.normalise`).
"""

from collections.abc import Iterable

from build_analysis.prefixes import clean
from build_analysis.signature import normalise

TEMPLATE_LIMIT = 200_000
"""So many templates are kept; a green log has far fewer, as its steps differ in their paths only."""


class GreenLines:
    """The templates of green logs' lines."""

    def __init__(self) -> None:
        self._templates: set[int] = set()

    def learn(self, lines: Iterable[str]) -> None:
        """Take the lines of a log of a build that went well."""
        for line in lines:
            if len(self._templates) < TEMPLATE_LIMIT:
                self._templates.add(_template(clean(line).text))

    def knows(self, text: str) -> bool:
        """Whether a green build printed this, too.

        Args:
            text: a line without its prefixes.
        """
        return _template(text) in self._templates


def _template(text: str) -> int:
    return hash(normalise(text))
