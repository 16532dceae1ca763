"""The agent's own key, which the command does not get. A build's command waits for what this imports."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = ("BUILD_DASHBOARD_API_KEY", "BUILD_DASHBOARD_API_KEY_FILE", "BUILD_DASHBOARD_ID_TOKEN")
"""The agent's own key is none of the build's business: whoever has it may report builds of others."""

_NO = ("", "0", "false", "no")


def child_environment(environment: "Mapping[str, str]", *, keep_key: bool = False) -> dict[str, str]:
    """What the command gets; `BUILD_DASHBOARD_KEEP_KEY=1` is as good as `keep_key`."""
    if keep_key or environment.get("BUILD_DASHBOARD_KEEP_KEY", "").lower() not in _NO:
        return dict(environment)
    return {name: value for name, value in environment.items() if name not in OWN}
