"""Running systems for tests: their ports."""

import socket

from build_testkit import stack
from build_testkit.stack import PORTS, free_port


def test_no_port_is_given_twice_nor_one_that_connections_are_given() -> None:
    """A server finds its port still free when it starts, however long that takes and whoever dials out meanwhile."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as dialled:
            chosen_by_the_kernel = {listener.getsockname()[1], dialled.getsockname()[1]}

    given = [free_port() for _ in range(200)]

    assert len(set(given)) == len(given)
    assert set(given) <= set(PORTS)
    assert chosen_by_the_kernel.isdisjoint(PORTS)


def test_a_port_that_is_listened_on_is_passed_over() -> None:
    """Whoever else listens keeps their port."""
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        stack._left.append(port)

        assert free_port() != port
