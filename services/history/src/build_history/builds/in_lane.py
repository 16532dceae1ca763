"""In a lane: whatever is known of one lane names it by the same three fields."""

from build_protocol.model import WireModel


class InLane(WireModel):
    """Something of one lane; a branch without a name is `""`."""

    project: str
    branch: str
    config: str
