"""In a lane: what is said of one lane names it by the same three words, whatever it says."""

from build_protocol.model import WireModel


class InLane(WireModel):
    """Something of one lane; a branch without a name is `""`."""

    project: str
    branch: str
    config: str
