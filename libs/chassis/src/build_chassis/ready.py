"""`python -m build_chassis.ready [PORT]`: whether the service on this machine is ready, for container health.

It prints what `/readyz` answered, which names what is missing, and ends with 0 only where nothing is.
"""

import http.client
import sys

PORT = 8080
ANSWER_SECONDS = 8.0
"""Above the time that `/readyz` gives its stores."""


def ask(port: int) -> tuple[bool, str]:
    """Whether the service on this port of the loopback address is ready, and its answer or why there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})  # a name that the gateway always has
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK, answer.read().decode(errors="replace")
    except Exception as error:  # noqa: BLE001  whatever it is, a service that does not answer is not ready
        return False, f"no answer at port {port}: {error}"
    finally:
        connection.close()


if __name__ == "__main__":
    is_ready, answer = ask(int(sys.argv[1]) if sys.argv[1:] else PORT)
    print(answer)
    sys.exit(not is_ready)
