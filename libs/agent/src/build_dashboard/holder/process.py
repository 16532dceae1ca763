"""The holder: the small process that owns a build's command, its process group and its pipes or terminal.

It passes every byte on at once, notes it as raw output, and outlives the agent: when that is killed, the build does not
notice. Started by `holding.start` with bare Python (`-I -S -E`), so it imports little, and nothing from outside the
standard library. Everything it knows of its task stands in its arguments (`name=value`, then `--`, then the command).
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import sys
import time

from build_dashboard.holder import raw
from build_dashboard.holder.family import Family
from build_dashboard.holder.outlet import Outlet
from build_dashboard.holder.terminal import Terminal

READ_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024

AFTERMATH_SECONDS = 0.5
"""Waited for output of processes that outlive the command and keep its pipes open (compiler-cache servers)."""

LAST_LOOK_SECONDS = 1.0
"""After SIGKILL, how long anything may still seem to be alive."""

REPEAT_SECONDS = 0.2
"""A signal to the whole terminal group reaches us twice: from the terminal and from the agent."""

ENDING_MS = 20

REPORTS_MAX = 50_000
"""Of one build; a program that reports without end fills no disk."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hangup", signal.SIGQUIT: "quit"}


class Task:
    """What to hold, from the arguments."""

    def __init__(self, arguments: list[str]) -> None:
        split = arguments.index("--")
        options = dict(argument.split("=", 1) for argument in arguments[:split])
        self.command = arguments[split + 1 :]
        self.cwd = options["cwd"]
        self.is_input_closed = options["input_closed"] == "1"
        self.directory = options["directory"]
        self.status_fd = int(options["status_fd"])
        self.is_terminal = options["terminal"] == "1"
        self.timeout_seconds = float(options["timeout"])
        self.silence_seconds = float(options["silence_timeout"])
        self.grace_seconds = float(options["grace"])
        self.cap_bytes = int(options["cap_bytes"])


class Source:
    """One stream of the command, and where it goes."""

    def __init__(self, fd: int, kind: bytes, outlet: Outlet) -> None:
        self.fd = fd
        self.kind = kind
        self.outlet = outlet


class Holder:
    """Owns the command until it and its output are over."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._raw = raw.RawWriter(f"{task.directory}/raw", cap_bytes=task.cap_bytes)
        self._terminal = _terminal() if task.is_terminal else None
        self._sources: dict[int, Source] = {}
        self._outlets: list[Outlet] = []
        self._family = Family(0)
        self._wait_status: int | None = None
        self._usage = ""
        self._reason = ""  # why we ended it, or which signal a person sent
        self._kill_at: float | None = None
        self._is_killed = False
        self._started = self._last_output = self._ended = time.monotonic()
        self._forwarded_at: dict[int, float] = {}
        self._wakeup, wake = os.pipe()
        for fd in (self._wakeup, wake, task.status_fd):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake)
        self._control = os.open(f"{task.directory}/control", os.O_RDWR | os.O_NONBLOCK)
        self._reports = os.open(f"{task.directory}/reports", os.O_RDWR | os.O_NONBLOCK)
        self._reports_left = REPORTS_MAX

    def run(self) -> int:
        """Hold the command to its end; its exit code as a shell would give it."""
        self._take_signals()
        try:
            self._start()
            while not self._is_over():
                self._wait()
        finally:
            self._restore_terminal()
        self._take_reports()
        code, name = exit_code(self._wait_status or 0)
        if not self._reason and self._terminal and self._terminal.has_interrupt:
            self._reason = "interrupted"
        wall_ms = int((self._ended - self._started) * 1000)
        facts = f"code={code} signal={name} reason={self._reason} wall_ms={wall_ms} {self._usage} {self._losses()}"
        self._raw.close(now_ms(), facts)
        return code

    # --- the beginning ---

    def _take_signals(self) -> None:
        for number in FORWARDED:
            # What our parent ignores (nohup, a shell's background job) the command must go on ignoring.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._forward)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self._terminal is not None:
            signal.signal(signal.SIGWINCH, lambda *_: self._copy_size())
        else:
            signal.signal(signal.SIGTSTP, self._suspend)

    def _start(self) -> None:
        failed, fail = os.pipe()
        child_out = child_err = -1
        if self._terminal is None:
            child_out = self._open_pipe(raw.OUT, 1)
        else:
            self._add(self._terminal.master, raw.PTY, 1)
        if self._terminal is None or not os.isatty(2):
            child_err = self._open_pipe(raw.ERR, 2)
        pid = os.fork()
        if pid == 0:
            try:
                self._become_command(child_out, child_err, fail)
            finally:
                os._exit(127)
        build_id = self._task.directory.rpartition("/")[2]
        self._family = Family(pid, f"BUILD_DASHBOARD_BUILD_ID={build_id}")
        for fd in (fail, child_out, child_err):
            if fd >= 0:
                os.close(fd)
        if self._terminal is not None:
            self._terminal.entered()
        else:
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)  # whoever of the two comes first
        problem = os.read(failed, 16)
        os.close(failed)
        if problem:
            self._say_not_started(int(problem))

    def _open_pipe(self, kind: bytes, outlet_fd: int) -> int:
        """A pipe for one stream; the command's end of it."""
        read, write = os.pipe()
        with contextlib.suppress(OSError, AttributeError):  # over the user's limit for pipes; macOS has no such call
            fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # a burst should not have to wait for us
        os.set_blocking(read, False)
        self._add(read, kind, outlet_fd)
        return write

    def _add(self, fd: int, kind: bytes, outlet_fd: int) -> None:
        outlet = Outlet(outlet_fd)
        self._outlets.append(outlet)
        self._sources[fd] = Source(fd, kind, outlet)

    def _become_command(self, out: int, err: int, fail: int) -> None:
        """In the child: become the command, or report why not through `fail`, which closes by itself when it works."""
        if self._task.is_input_closed:
            os.close(0)
        if self._terminal is not None:
            self._terminal.enter()
        else:
            os.setpgid(0, 0)
            os.dup2(out, 1)
        if err >= 0:
            os.dup2(err, 2)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, a command expects them
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        try:
            if self._task.cwd:
                os.chdir(self._task.cwd)
            os.execvp(self._task.command[0], self._task.command)  # noqa: S606  (it is what the person asked for)
        except OSError as error:
            os.write(fail, str(error.errno).encode())
            os._exit(127 if error.errno == errno.ENOENT else 126)

    def _say_not_started(self, number: int) -> None:
        is_unknown = number == errno.ENOENT
        why = "command not found" if is_unknown else os.strerror(number)
        text = f"build-dashboard: {self._task.command[0]}: {why}\n".encode()
        self._raw.append(raw.ERR, now_ms(), text)
        Outlet(2).write(text)
        self._reason = "command_not_found" if is_unknown else "command_not_started"

    # --- while it runs ---

    def _wait(self) -> None:
        """Wait for something to do, and do it."""
        ready = dict(self._poll().poll(self._patience_ms()))
        self._look_inside(ready)
        if self._terminal is not None:
            self._terminal.pass_typed(ready)
        for source in list(self._sources.values()):
            if source.outlet.has_one_reader and ready.get(source.outlet.fd, 0) & (select.POLLERR | select.POLLHUP):
                source.outlet.leave()
            elif source.outlet.pending:
                source.outlet.write(b"")
            elif ready.get(source.fd, 0) & ~select.POLLOUT:
                self._read(source)
            if source.outlet.is_gone:
                self._close(source)
        self._watch_clock()

    def _look_inside(self, ready: dict[int, int]) -> None:
        """What signals, the agent and the command's reports bring."""
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
            self._reap()
        if self._control in ready:
            self._obey(os.read(self._control, 4096))
        if self._reports in ready:
            self._take_reports()
        if self._task.status_fd in ready:
            self._agent_is_gone()

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        poll.register(self._reports, select.POLLIN)
        if self._task.status_fd >= 0:
            poll.register(self._task.status_fd, 0)  # only reports that the agent is gone
        for source in self._sources.values():
            if source.outlet.pending:
                poll.register(source.outlet.fd, select.POLLOUT)
                continue
            poll.register(source.fd, select.POLLIN)
            if source.outlet.has_one_reader:
                poll.register(source.outlet.fd, 0)  # only reports that the reader left
        if self._terminal is not None:
            self._terminal.register(poll)
        return poll

    def _patience_ms(self) -> float | None:
        """How long nothing may happen before we must look."""
        if self._wait_status is not None or self._kill_at is not None:
            return ENDING_MS
        now = time.monotonic()
        waits = []
        if self._task.timeout_seconds:
            waits.append(self._started + self._task.timeout_seconds - now)
        if self._task.silence_seconds:
            waits.append(self._last_output + self._task.silence_seconds - now)
        return max(0.0, min(waits) * 1000 + 1) if waits else None

    def _read(self, source: Source) -> bool:
        """Pass on and note what was printed; False when there is no more for now."""
        try:
            data = os.read(source.fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # a terminal whose last user is gone
            data = b""
        if not data:
            del self._sources[source.fd]
            os.close(source.fd)
            return False
        self._last_output = time.monotonic()
        self._raw.append(source.kind, now_ms(), data)
        source.outlet.write(data)
        self._tick()
        return True

    def _take_reports(self) -> None:
        """Note what the command reports of itself; each report came in one piece, for it is smaller than a pipe."""
        try:
            data = os.read(self._reports, READ_BYTES)
        except OSError:
            return
        for line in data.splitlines():
            if self._reports_left > 0:
                self._reports_left -= 1
                self._raw.append(raw.REPORT, now_ms(), line)
        self._tick()

    def _close(self, source: Source) -> None:
        """Nobody reads our output any more: the command learns it as it would without us."""
        for _ in range(PIPE_BYTES // READ_BYTES):  # printed before that, perhaps: no more than the pipe holds
            if not self._read(source):
                break
        if self._sources.pop(source.fd, None):
            os.close(source.fd)

    def _tick(self) -> None:
        """Notify the agent that there is something to read."""
        if self._task.status_fd < 0:
            return
        try:
            os.write(self._task.status_fd, b".")
        except BlockingIOError:
            pass  # it knows already
        except OSError:
            self._agent_is_gone()

    def _agent_is_gone(self) -> None:
        if self._task.status_fd >= 0:
            os.close(self._task.status_fd)
            self._task.status_fd = -1
        # The shell thinks the job is over and has the terminal again; it must find it as it was.
        self._restore_terminal()

    def _restore_terminal(self) -> None:
        if self._terminal is not None:
            self._terminal.restore()

    def _copy_size(self) -> None:
        if self._terminal is not None:
            self._terminal.copy_size()

    def _losses(self) -> str:
        """What could not be passed on, for the exit frame."""
        lost = [outlet for outlet in self._outlets if outlet.lost_bytes]
        return " ".join(f"lost{outlet.fd}={outlet.lost_bytes}:{outlet.problem}" for outlet in lost)

    # --- its end ---

    def _reap(self) -> None:
        if self._wait_status is not None:
            return
        pid, status, usage = os.wait4(self._family.pid, os.WNOHANG | os.WUNTRACED)
        if pid != self._family.pid:
            return
        if os.WIFSTOPPED(status):
            if os.WSTOPSIG(status) in (signal.SIGTTIN, signal.SIGTTOU):
                self._lend_terminal()
            return
        self._wait_status = status
        self._ended = time.monotonic()
        user_ms, system_ms = int(usage.ru_utime * 1000), int(usage.ru_stime * 1000)
        self._usage = f"user_ms={user_ms} system_ms={system_ms} peak_rss_bytes={peak_bytes(usage.ru_maxrss)}"

    def _is_over(self) -> bool:
        if self._wait_status is None or any(source.outlet.pending for source in self._sources.values()):
            return False
        now = time.monotonic()
        if self._kill_at is not None and self._family.lives():
            # Asked to end it: children that outlive the command are ended too.
            return self._is_killed and now > self._kill_at + LAST_LOOK_SECONDS
        return not self._sources or now > max(self._ended, self._last_output) + AFTERMATH_SECONDS

    def _watch_clock(self) -> None:
        now = time.monotonic()
        if self._wait_status is None and self._kill_at is None:
            if self._task.timeout_seconds and now >= self._started + self._task.timeout_seconds:
                self._stop("timeout")
            elif self._task.silence_seconds and now >= self._last_output + self._task.silence_seconds:
                self._stop("silence_timeout")
        if self._kill_at is not None and now >= self._kill_at:
            self._is_killed = True
            # Again and again until nobody is left: somebody may just have started somebody.
            self._family.look()
            self._family.signal(signal.SIGKILL)

    def _obey(self, text: bytes) -> None:
        words = text.decode("ascii", "replace").split()
        if words and self._kill_at is None and self._wait_status is None:
            self._stop(words[0])

    def _stop(self, reason: str) -> None:
        self._reason = reason
        self._kill_at = time.monotonic() + self._task.grace_seconds
        self._family.look()
        self._family.signal(signal.SIGTERM)
        self._family.signal_group(signal.SIGCONT)

    def _forward(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        is_repeated = now < self._forwarded_at.get(number, -REPEAT_SECONDS) + REPEAT_SECONDS
        if is_repeated or self._wait_status is not None or not self._family.pid:
            return
        self._forwarded_at[number] = now
        if number in REASONS and self._kill_at is None:
            self._reason = REASONS[signal.Signals(number)]
        self._family.signal_group(number)

    def _suspend(self, _number: int, _frame: object) -> None:
        """Ctrl-Z: the command stops with us and goes on with us."""
        self._family.signal_group(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._family.signal_group(signal.SIGCONT)

    def _lend_terminal(self) -> None:
        """The command wants to read what is typed: it becomes the foreground, as if it had been started alone."""
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, self._family.pid)
            self._family.signal_group(signal.SIGCONT)


def main() -> None:
    """Hold the command of our arguments."""
    task = Task(sys.argv[1:])
    lock = os.open(f"{task.directory}/holder.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    code = Holder(task).run()
    # Nothing is left to finish, and an interpreter's orderly end takes longer than it is worth.
    os._exit(code)


def _terminal() -> Terminal | None:
    """A terminal for the command; None where the system has none left, or none at all: then it has pipes."""
    try:
        return Terminal()
    except OSError:
        return None


def peak_bytes(largest: int) -> int:
    """The most that a process held, of what `wait4` says: kibibytes, and bytes on macOS."""
    return largest if sys.platform == "darwin" else largest * 1024


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def exit_code(wait_status: int) -> tuple[int, str]:
    """The exit code as a shell gives it, and the signal's name where one ended the command."""
    if not os.WIFSIGNALED(wait_status):
        return os.WEXITSTATUS(wait_status), ""
    number = os.WTERMSIG(wait_status)
    try:
        return 128 + number, signal.Signals(number).name
    except ValueError:
        return 128 + number, f"SIG{number}"
