"""Badges: a project's state in a few words, as a small SVG for a README."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape

from build_protocol.views import Colour

HEIGHT = 20
PADDING = 6
CHARACTER = 6.6
"""Pixels a character of the badge's font takes on average; `textLength` makes every renderer keep to it."""

# Each with at least 4.5:1 to white text.
_GREEN, _RED, _GREY, _LABEL = "#2a7d3f", "#c5303c", "#6a6a6a", "#444"


class Lane(NamedTuple):
    """One config of a branch, as far as a badge is concerned."""

    config: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class BadgeState:
    """The text of a badge, and its colour."""

    words: str
    colour: str


def badge_state(lanes: Sequence[Lane]) -> BadgeState:
    """The state of these configs together: red when one is, and never green only because others are unknown."""
    red = [lane for lane in lanes if lane.colour == "red"]
    green = [lane for lane in lanes if lane.colour == "green"]
    if red:
        return BadgeState("failing" if len(lanes) == 1 else f"{len(red)} of {len(lanes)} failing", _RED)
    if green:
        return BadgeState("passing" if len(green) == len(lanes) else f"{len(green)} of {len(lanes)} passing", _GREEN)
    return BadgeState("no result yet", _GREY)


NOT_KNOWN = BadgeState("not known", _GREY)
"""History does not answer: the badge shows that."""


def draw(label: str, state: BadgeState) -> str:
    """The badge: `label` on the left, its state on the right."""
    left, right = _width(label), _width(state.words)
    title = f"{escape(label)}: {escape(state.words)}"
    quoted = title.replace('"', "&quot;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img" '
        f'aria-label="{quoted}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{_LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{state.colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(label, 0)}{_text(state.words, left)}</g></svg>"
    )


def _width(text: str) -> int:
    return round(len(text) * CHARACTER) + 2 * PADDING


def _text(text: str, x: int) -> str:
    return f'<text x="{x + PADDING}" y="14" textLength="{_width(text) - 2 * PADDING}">{escape(text)}</text>'
