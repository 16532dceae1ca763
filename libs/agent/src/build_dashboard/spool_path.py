"""Where the spool is. A build's command waits for what this imports."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def spool_path(path: str | None, environment: "Mapping[str, str]") -> str:
    """Where builds are kept until stored: by argument, BUILD_DASHBOARD_SPOOL, else the user's state directory."""
    if chosen := path or environment.get("BUILD_DASHBOARD_SPOOL"):
        return chosen
    state = environment.get("XDG_STATE_HOME") or f"{environment.get('HOME', '/tmp')}/.local/state"  # noqa: S108  (0700)
    return f"{state}/build-dashboard/spool"
