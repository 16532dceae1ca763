"""Green lines: what the last builds that went well printed, as templates, for comparison with one that did not.

A line that a green build printed, too, broke nothing; where no rule knows a failed step's words, the first line that no
green build printed is its message. Templates are lines without what changes between runs (`signature.normalise`), kept
as numbers that are the same in every process.
"""

import zlib
from array import array
from collections.abc import Iterable
from itertools import accumulate, pairwise

from build_analysis.prefixes import clean
from build_analysis.signature import normalise

TEMPLATE_LIMIT = 20_000
"""So many templates are kept; a green log has far fewer, as its steps differ in their paths only."""


class GreenLines:
    """The templates of green logs' lines."""

    def __init__(self, templates: Iterable[int] = ()) -> None:
        self.templates = set(templates)
        """Each line's number."""
        self._raw: set[int] = set()

    def __len__(self) -> int:
        return len(self.templates)

    @property
    def is_full(self) -> bool:
        """Whether no more lines are learnt."""
        return len(self.templates) >= TEMPLATE_LIMIT

    def learn(self, lines: Iterable[str]) -> None:
        """Take the lines of a log of a build that went well."""
        for line in lines:
            if self.is_full:
                return
            raw = hash(line)
            # What a log repeats is looked at once.
            if raw not in self._raw:
                self._raw.add(raw)
                self.templates.add(template_of(clean(line).text))

    def knows(self, text: str) -> bool:
        """Whether a green build printed this, too.

        Args:
            text: a line without its prefixes.
        """
        return template_of(text) in self.templates

    def count_new(self, other: "GreenLines") -> int:
        """How many lines of `other` are not among these."""
        return len(other.templates - self.templates)

    def packed(self) -> bytes:
        """The templates as bytes, to be kept: about five a template."""
        ordered = sorted(self.templates)
        return zlib.compress(array("Q", [after - before for before, after in pairwise([0, *ordered])]).tobytes())

    @classmethod
    def unpacked(cls, packed: Iterable[bytes]) -> "GreenLines":
        """The templates of some green logs together, back from `packed`."""
        steps = (array("Q", zlib.decompress(one)) for one in packed)
        return cls(template for one in steps for template in accumulate(one))


def template_of(text: str) -> int:
    """The number of a line's template: the same for lines that differ only in what changes between runs.

    It has 44 bits: of a billion new lines, one is taken for one of 20,000 that green builds printed.

    Args:
        text: a line without its prefixes.
    """
    normal = normalise(text).encode("utf-8", "surrogatepass")
    return zlib.crc32(normal) << 12 | len(normal) & 0xFFF
