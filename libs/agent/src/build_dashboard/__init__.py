"""The agent: wraps a build, records all it prints, and reports it to the dashboard. Public names are in `__all__`."""

TYPE_CHECKING = False  # typing's own costs the holder a megabyte; type checkers know the name
if TYPE_CHECKING:
    from build_dashboard.daemon.sdk import Build, BuildAgent, BuildResult, ConfigError

__all__ = ["Build", "BuildAgent", "BuildResult", "ConfigError", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # The holder and the command line import this package too; they must not pay for the SDK.
    if name in __all__:
        from build_dashboard.daemon import sdk  # noqa: PLC0415  (see above)

        return getattr(sdk, name)
    raise AttributeError(name)
