"""The faults: what may happen to a process, a connection, a broker or a disk, each undone by whoever caused it."""

import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from build_testkit.rabbitmq import Broker
from delivery.arena import Arena, wait_until
from delivery.bout import GREEN, STORY, Bout
from delivery.proxy import State

LEASE_SECONDS = 14.0
"""Longer than an ingest replica's claims live without a beat."""

Happen = Callable[[Bout], None]


@dataclass(frozen=True)
class Fault:
    """One row of the matrix."""

    what: str
    target: str
    phase: str
    happen: Happen
    story: tuple[bool, ...] = GREEN
    in_ci: bool = False
    brings_artifact: bool = False

    @property
    def name(self) -> str:
        """As it stands in the report."""
        return f"{self.target}: {self.what}, {self.phase}"


def kill(target: str) -> Happen:
    """SIGKILL once."""
    return lambda bout: bout.arena.kill(target)


def _wait_for_death(bout: Bout, target: str, deaths: int) -> None:
    """Wait until it has died once more than so often."""
    wait_until(lambda: bout.arena.deaths[target] > deaths, 20, lambda: f"{target} is dead")


def kill_again_and_again(target: str, times: int = 4) -> Happen:
    """SIGKILL in a loop, each time as soon as it is back, or a little later."""

    def happen(bout: Bout) -> None:
        for _ in range(times):
            deaths = bout.arena.deaths[target]
            bout.arena.kill(target)
            _wait_for_death(bout, target, deaths)
            time.sleep(random.uniform(0.2, 2.5))

    return happen


def terminate(target: str) -> Happen:
    """SIGTERM, as in a rolling update."""
    return lambda bout: bout.arena.terminate(target)


def freeze(target: str, seconds: float) -> Happen:
    """SIGSTOP for a while."""

    def happen(bout: Bout) -> None:
        bout.arena.freeze(target)
        time.sleep(seconds)
        bout.arena.thaw(target)

    return happen


def network(proxy: str, state: State, seconds: float) -> Happen:
    """A connection is cut, held, slow, or deaf in one direction, for a while."""

    def happen(bout: Bout) -> None:
        bout.arena.proxies[proxy].become(state)
        time.sleep(seconds)
        bout.arena.proxies[proxy].become("open")

    return happen


def broker_killed(bout: Bout) -> None:
    """SIGKILL of RabbitMQ, and its next start."""
    broker = _broker(bout.arena)
    broker.kill()
    broker.start()


def broker_restarted(bout: Bout) -> None:
    """RabbitMQ stops in order, and starts."""
    _broker(bout.arena).restart()


def memory_alarm(bout: Bout) -> None:
    """RabbitMQ has no memory left to give, for a while."""
    broker = _broker(bout.arena)
    broker.control("set_vm_memory_high_watermark", "0.00001")
    time.sleep(4)
    broker.control("set_vm_memory_high_watermark", "0.4")


def disk_alarm(bout: Bout) -> None:
    """RabbitMQ is made to report a full disk, for a while."""
    broker = _broker(bout.arena)
    broker.control("set_disk_free_limit", "900000GB")
    time.sleep(4)
    broker.control("set_disk_free_limit", "50MB")


def queue_deleted(bout: Bout) -> None:
    """Somebody deletes a shard's queue, with all it holds."""
    for shard in range(8):
        _broker(bout.arena).control("delete_queue", f"ingest.{shard}")


def binding_deleted(bout: Bout) -> None:
    """Somebody takes away the bindings of all log records; they come back when a service starts."""
    broker = _broker(bout.arena)
    broker.control(
        "eval",
        'X = rabbit_misc:r(<<"/">>, exchange, <<"builds">>),'
        '[rabbit_binding:remove(B, fun(_, _) -> ok end, <<"test">>) || B <- rabbit_binding:list_for_source(X),'
        ' binary:match(element(3, B), <<"BUILD_LOG">>) =/= nomatch], ok.',
    )
    assert "BUILD_LOG" not in broker.control("list_bindings"), "they are still there"
    time.sleep(2)
    bout.arena.terminate("gateway-2")


def database_killed(bout: Bout) -> None:
    """SIGKILL of ingest's MariaDB, and its next start."""
    database = bout.arena.database
    assert database is not None
    database.kill()
    time.sleep(1)
    database.start()


def disk_full(target: str, seconds: float) -> Happen:
    """No file of this process may grow, for a while."""

    def happen(bout: Bout) -> None:
        popen = bout.arena.processes[target].popen
        assert popen is not None
        _, most = resource.prlimit(popen.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(popen.pid, resource.RLIMIT_FSIZE, (4096, most))
        time.sleep(seconds)
        resource.prlimit(popen.pid, resource.RLIMIT_FSIZE, (most, most))

    return happen


def agent_killed(bout: Bout) -> None:
    """SIGKILL of the agent that wraps a build; its holder and the build go on."""
    wait_until(lambda: bout.real is not None, 30, lambda: "the agent runs")
    time.sleep(0.7)
    assert bout.real is not None
    bout.real.kill()


def agent_frozen(bout: Bout) -> None:
    """SIGSTOP of the agent for a while."""
    wait_until(lambda: bout.real is not None, 30, lambda: "the agent runs")
    time.sleep(0.7)
    assert bout.real is not None
    bout.real.send_signal(19)
    time.sleep(3)
    bout.real.send_signal(18)


def agent_disk_full(bout: Bout) -> None:
    """No file of the agent may grow, for a while; its build goes on."""
    wait_until(lambda: bout.real is not None, 30, lambda: "the agent runs")
    time.sleep(0.5)
    assert bout.real is not None
    _, most = resource.prlimit(bout.real.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bout.real.pid, resource.RLIMIT_FSIZE, (4096, most))
    time.sleep(1)
    resource.prlimit(bout.real.pid, resource.RLIMIT_FSIZE, (most, most))


def together(*happenings: Happen) -> Happen:
    """One after the other, at once."""

    def happen(bout: Bout) -> None:
        for each in happenings:
            each(bout)

    return happen


def _broker(arena: Arena) -> Broker:
    assert arena.broker is not None
    return arena.broker


STREAMING, STARTING, ENDING = "while it streams", "as it starts", "as it ends"

SEPARATE: list[Fault] = [
    Fault("nothing", "nothing", STREAMING, lambda bout: None, STORY, in_ci=True),
    Fault("kill -9 loop", "gateway", STREAMING, kill_again_and_again("gateway"), in_ci=True),
    Fault("kill -9", "gateway", ENDING, kill("gateway")),
    Fault("kill -9", "gateway", STARTING, kill("gateway")),
    Fault("SIGTERM", "gateway", STREAMING, terminate("gateway"), in_ci=True),
    Fault("SIGSTOP 5 s", "gateway", STREAMING, freeze("gateway", 5)),
    Fault("kill -9 of both", "gateway", STREAMING, together(kill("gateway"), kill("gateway-2"))),
    Fault("kill -9 loop", "ingest", STREAMING, kill_again_and_again("ingest"), STORY, in_ci=True),
    Fault("kill -9", "ingest", ENDING, kill("ingest"), STORY),
    Fault("kill -9", "ingest", STARTING, kill("ingest")),
    Fault("SIGTERM", "ingest", STREAMING, terminate("ingest")),
    Fault("SIGSTOP past its claims", "ingest", STREAMING, freeze("ingest-2", LEASE_SECONDS), in_ci=True),
    Fault("kill -9 of both", "ingest", STREAMING, together(kill("ingest"), kill("ingest-2"))),
    Fault("kill -9 loop", "notifier", STREAMING, kill_again_and_again("notifier"), STORY, in_ci=True),
    Fault("SIGTERM", "notifier", STREAMING, terminate("notifier"), STORY),
    Fault("SIGSTOP 5 s", "notifier", STREAMING, freeze("notifier", 5), STORY),
    Fault("kill -9 loop", "history", STREAMING, kill_again_and_again("history", 2), STORY, in_ci=True),
    Fault("SIGTERM", "history", STREAMING, terminate("history"), STORY),
    Fault("SIGSTOP 5 s", "history", STREAMING, freeze("history", 5), STORY),
    Fault("kill -9 loop", "artifacts", ENDING, kill_again_and_again("artifacts", 2), brings_artifact=True),
    Fault("SIGTERM", "artifacts", STREAMING, terminate("artifacts"), brings_artifact=True),
    Fault("SIGSTOP 5 s", "artifacts", STREAMING, freeze("artifacts", 5), brings_artifact=True),
    Fault("kill -9", "RabbitMQ", STREAMING, broker_killed, STORY, in_ci=True),
    Fault("kill -9", "RabbitMQ", ENDING, broker_killed, STORY),
    Fault("stop and start", "RabbitMQ", STREAMING, broker_restarted, STORY),
    Fault("memory alarm 4 s", "RabbitMQ", STREAMING, memory_alarm, in_ci=True),
    Fault("disk alarm 4 s", "RabbitMQ", STREAMING, disk_alarm),
    Fault("queues of all shards deleted", "RabbitMQ", STREAMING, queue_deleted, in_ci=True),
    Fault("bindings of log records deleted", "RabbitMQ", STREAMING, binding_deleted),
    Fault("kill -9", "MariaDB", STREAMING, database_killed, STORY, in_ci=True),
    Fault("kill -9", "MariaDB", ENDING, database_killed, STORY),
    Fault("cut 2 s", "agent to gateway", STREAMING, network("agents-gateway", "cut", 2), in_ci=True),
    Fault("held 4 s", "agent to gateway", STREAMING, network("agents-gateway", "held", 4)),
    Fault("slow 4 s", "agent to gateway", STREAMING, network("agents-gateway", "slow", 4)),
    Fault("one-way up lost 3 s", "agent to gateway", STREAMING, network("agents-gateway", "deaf_up", 3)),
    Fault("one-way down lost 3 s", "agent to gateway", STREAMING, network("agents-gateway", "deaf_down", 3)),
    Fault("cut 3 s", "gateway to RabbitMQ", STREAMING, network("gateway-broker", "cut", 3), in_ci=True),
    Fault("held 5 s", "gateway to RabbitMQ", STREAMING, network("gateway-broker", "held", 5)),
    Fault("slow 4 s", "gateway to RabbitMQ", STREAMING, network("gateway-broker", "slow", 4)),
    Fault("one-way up lost 4 s", "gateway to RabbitMQ", STREAMING, network("gateway-broker", "deaf_up", 4)),
    Fault("one-way down lost 4 s", "gateway to RabbitMQ", STREAMING, network("gateway-broker", "deaf_down", 4)),
    Fault("cut 3 s", "ingest to RabbitMQ", STREAMING, network("ingest-broker", "cut", 3)),
    Fault("held 5 s", "ingest to RabbitMQ", STREAMING, network("ingest-broker", "held", 5)),
    Fault("one-way down lost 4 s", "ingest to RabbitMQ", STREAMING, network("ingest-broker", "deaf_down", 4)),
    Fault("cut 3 s", "others to RabbitMQ", STREAMING, network("others-broker", "cut", 3), STORY),
    Fault("cut 3 s", "ingest to MariaDB", STREAMING, network("ingest-database", "cut", 3)),
    Fault("held 6 s", "ingest to MariaDB", STREAMING, network("ingest-database", "held", 6)),
    Fault("kill -9", "agent", STREAMING, agent_killed, in_ci=True),
    Fault("SIGSTOP 3 s", "agent", STREAMING, agent_frozen),
    Fault("disk full 1 s", "agent", STREAMING, agent_disk_full, in_ci=True),
    Fault(
        "kill -9 of broker, ingest and gateway",
        "all",
        STREAMING,
        together(kill("ingest"), kill("gateway"), broker_killed, kill("ingest-2")),
        STORY,
    ),
]

EMBEDDED: list[Fault] = [
    Fault("nothing", "embedded", STREAMING, lambda bout: None, STORY, in_ci=True),
    Fault("kill -9 loop", "embedded", STREAMING, kill_again_and_again("embedded"), STORY, in_ci=True),
    Fault("kill -9", "embedded", ENDING, kill("embedded"), STORY),
    Fault("SIGTERM", "embedded", STREAMING, terminate("embedded"), STORY),
    Fault("SIGSTOP 5 s", "embedded", STREAMING, freeze("embedded", 5)),
    Fault("disk full 3 s", "embedded", STREAMING, disk_full("embedded", 3), STORY, in_ci=True),
]
