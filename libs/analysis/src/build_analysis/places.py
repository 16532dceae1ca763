"""Places: whether a path is the project's own, or the system's, a toolchain's or a dependency's."""

import re

_FOREIGN = re.compile(
    r"^/usr/|^/opt/(?:rocm|intel|conda|hostedtoolcache|gcc|llvm)|^/nix/store/|^/Library/|^/Applications/Xcode"
    r"|[/\\]include[/\\]c\+\+[/\\]|[/\\](?:site|dist)-packages[/\\]|[/\\]third[_-]party[/\\]|[/\\]3rdparty[/\\]"
    r"|^third[_-]party[/\\]|^external[/\\]|[/\\]external[/\\]|[/\\]_deps[/\\]|[/\\]node_modules[/\\]"
    r"|[/\\]lib(?:32|64)?[/\\]cmake[/\\]"
    r"|Program Files|[/\\]VC[/\\]Tools[/\\]|Windows Kits|[/\\]\.cargo[/\\]|^<"
)


def is_foreign(place: str) -> bool:
    """Whether this path, with or without a line behind it, is not the project's own."""
    return _FOREIGN.search(place) is not None
