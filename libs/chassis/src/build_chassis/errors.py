"""Errors that mean the same in every service."""


class StoreUnavailable(ConnectionError):
    """The service's store does not answer: stop consuming, wait for it, then go on. Nothing is lost meanwhile.

    `hint` may be shown to anybody: it names no address, no account and no directory.
    """

    def __init__(self, store: str, cause: object, hint: str = "it does not answer") -> None:
        super().__init__(f"store {store} unavailable: {cause}")
        self.store = store
        self.hint = hint


class Unusable(Exception):
    """What was found in place of a store or a bus file never becomes one by waiting: the process ends and says so."""


class PoisonMessage(ValueError):
    """This message can never be handled, however often it is delivered: park it, its neighbours go on."""
