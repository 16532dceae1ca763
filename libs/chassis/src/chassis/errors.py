"""Errors that mean the same in every service."""


class StoreUnavailable(ConnectionError):
    """The service's store does not answer: stop consuming, wait for it, then go on. Nothing is lost meanwhile."""

    def __init__(self, store: str, cause: object) -> None:
        super().__init__(f"store {store} unavailable: {cause}")
        self.store = store


class PoisonMessage(ValueError):
    """This message can never be handled, however often it is delivered: park it, its neighbours go on."""
