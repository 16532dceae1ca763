"""Colours: which builds say something about the health of their lane.

Only succeeded and failed builds of origin `ci` whose fault is not infra do, in the order in which they started.
"""

from typing import Literal

from build_protocol.messages import BuildStatus, Fault, Origin

Colour = Literal["green", "red", "none"]


def colour_of(status: BuildStatus, origin: Origin, fault: Fault | None) -> Colour:
    """The colour this build gives its lane; `none` leaves the lane as it was (running, lost, cancelled, infra)."""
    if origin != "ci":
        return "none"
    if status == "succeeded":
        return "green"
    return "red" if status == "failed" and fault != "infra" else "none"
