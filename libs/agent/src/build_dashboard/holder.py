"""The holder: the small process that owns a build's command, its process group and its pipes or terminal.

It passes every byte on at once, notes it as raw output, and outlives the agent: when that is killed, the build does not
notice. Started by `holding.start`, with bare Python (`-I -S -E`), so it imports little and nothing from outside the
standard library. Everything it knows of its task stands in its arguments (`name=value`, then `--`, then the command).
"""

import errno
import fcntl
import os
import select
import signal
import sys
import termios
import time
import tty

from build_dashboard import raw

READ_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024
SLICE_BYTES = 4096
"""A pipe or terminal that says it is writable takes this much without blocking."""

AFTERMATH_SECONDS = 0.5
"""Waited for output of processes that outlive the command and keep its pipes open (compiler-cache servers)."""

REAP_SECONDS = 1.0
REPEAT_SECONDS = 0.2
"""A signal sent to the whole terminal group reaches us twice: from the terminal and from the agent."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hangup", signal.SIGQUIT: "quit"}


class Task:
    """What to hold, from the arguments."""

    def __init__(self, arguments: list[str]) -> None:
        split = arguments.index("--")
        options = dict(argument.split("=", 1) for argument in arguments[:split])
        self.command = arguments[split + 1 :]
        self.directory = options["directory"]
        self.status_fd = int(options["status_fd"])
        self.is_terminal = options["terminal"] == "1"
        self.timeout_seconds = float(options["timeout"]) or None
        self.silence_seconds = float(options["silence_timeout"]) or None
        self.grace_seconds = float(options["grace"])
        self.cap_bytes = int(options["cap_bytes"])
        self.cwd = options["cwd"]


class Outlet:
    """Passes one stream on; while its reader is slow, what cannot be written waits here and no more is read."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending = b""
        self.is_gone = False
        mode = os.fstat(fd).st_mode
        self._never_blocks = (mode & 0o170000) == 0o100000  # a regular file

    def write(self, data: bytes) -> None:
        """Pass on as much as does not block."""
        self.pending = self.pending + data if self.pending else data
        while self.pending and not self.is_gone:
            if not self._never_blocks and not select.select((), (self.fd,), (), 0)[1]:
                return
            part = self.pending if self._never_blocks else self.pending[:SLICE_BYTES]
            try:
                self.pending = self.pending[os.write(self.fd, part) :]
            except BlockingIOError:
                return
            except OSError:
                self.is_gone = True
        if self.is_gone:
            self.pending = b""


class Source:
    """One stream of the command."""

    def __init__(self, fd: int, kind: bytes, outlet: Outlet) -> None:
        self.fd = fd
        self.kind = kind
        self.outlet = outlet


class Holder:
    """Owns the command until it and its output are over."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.raw = raw.RawWriter(f"{task.directory}/raw", cap_bytes=task.cap_bytes)
        self.sources: dict[int, Source] = {}
        self.pid = 0
        self.wait_status: int | None = None
        self.usage = ""
        self.reason = ""  # why we ended it, or which signal a person sent
        self.kill_at: float | None = None
        self.is_killed = False
        self.started = self.last_output = time.monotonic()
        self.ended = 0.0
        self.terminal_before: list[object] | None = None
        self.master = -1
        self.typed = b""  # typed by the person, not yet taken by the command
        self._forwarded_at: dict[int, float] = {}
        self._wakeup, wake = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        self._control = os.open(f"{task.directory}/control", os.O_RDWR | os.O_NONBLOCK)
        os.set_blocking(task.status_fd, False)

    # --- the command's life ---

    def run(self) -> int:
        """Hold the command to its end; its exit code as a shell would tell it."""
        for number in FORWARDED:
            # What our parent ignores (nohup, a shell's background job) the command must go on ignoring.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._forward)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        if self.task.is_terminal:
            signal.signal(signal.SIGWINCH, lambda *_: self._copy_window_size())
        else:
            signal.signal(signal.SIGTSTP, self._suspend)
        try:
            self._start()
            while not self._is_over():
                self._wait()
        finally:
            self._restore_terminal()
        code, name = exit_code(self.wait_status or 0)
        wall_ms = int((self.ended - self.started) * 1000)
        self.raw.close(now_ms(), f"code={code} signal={name} reason={self.reason} wall_ms={wall_ms} {self.usage}")
        return code

    def _start(self) -> None:
        failed, fail = os.pipe()
        if self.task.is_terminal:
            self._open_terminal()
        else:
            out, child_out = _wide_pipe()
            self.sources[out] = Source(out, raw.OUT, Outlet(1))
        err = child_err = -1
        if not self.task.is_terminal or not os.isatty(2):
            err, child_err = _wide_pipe()
            self.sources[err] = Source(err, raw.ERR, Outlet(2))
        self.pid = os.fork()
        if self.pid == 0:
            try:
                if self.task.is_terminal:
                    self._enter_terminal()
                else:
                    os.setpgid(0, 0)
                    os.dup2(child_out, 1)
                if child_err >= 0:
                    os.dup2(child_err, 2)
                _exec(self.task.command, self.task.cwd, fail)
            finally:
                os._exit(127)
        os.close(fail)
        if child_err >= 0:
            os.close(child_err)
        if self.task.is_terminal:
            self.sources[self.master] = Source(self.master, raw.PTY, Outlet(1))
        else:
            os.close(child_out)
            try:
                os.setpgid(self.pid, self.pid)  # whoever of the two comes first
            except OSError:
                pass
        problem = os.read(failed, 16)
        os.close(failed)
        if problem:
            self._say_not_started(int(problem))

    def _say_not_started(self, number: int) -> None:
        why = "command not found" if number == errno.ENOENT else os.strerror(number)
        text = f"build-dashboard: {self.task.command[0]}: {why}\n".encode()
        self.raw.append(raw.ERR, now_ms(), text)
        Outlet(2).write(text)
        self.reason = "command_not_found" if number == errno.ENOENT else "command_not_started"

    def _is_over(self) -> bool:
        if self.wait_status is None:
            return False
        if any(source.outlet.pending for source in self.sources.values()):
            return False
        now = time.monotonic()
        if self.kill_at is not None and self._group_lives():
            # Told to end it: children that outlive the command are ended too.
            return self.is_killed and now > self.kill_at + REAP_SECONDS
        return not self.sources or now > max(self.ended, self.last_output) + AFTERMATH_SECONDS

    def _wait(self) -> None:
        """Wait for something to do, and do it."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        if self.task.status_fd >= 0:
            poll.register(self.task.status_fd, 0)  # only tells that the agent is gone
        for source in self.sources.values():
            if source.outlet.pending:
                poll.register(source.outlet.fd, select.POLLOUT)
            else:
                poll.register(source.fd, select.POLLIN)
        if self.terminal_before is not None and not self.typed:
            poll.register(0, select.POLLIN)
        if self.typed:
            poll.register(self.master, select.POLLIN | select.POLLOUT)
        ready = dict(poll.poll(self._patience_ms()))
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
            self._reap()
        if self._control in ready:
            self._obey(os.read(self._control, 4096))
        if self.task.status_fd in ready:
            self._agent_is_gone()
        if 0 in ready and self.terminal_before is not None:
            self._read_typed()
        if self.typed and ready.get(self.master, 0) & select.POLLOUT:
            self.typed = self.typed[os.write(self.master, self.typed[:SLICE_BYTES]) :]
        for source in list(self.sources.values()):
            if source.outlet.pending:
                source.outlet.write(b"")
            elif ready.get(source.fd, 0) & ~select.POLLOUT:
                self._read(source)
        self._watch_clock()

    def _patience_ms(self) -> float | None:
        """How long nothing may happen before we must look."""
        if self.wait_status is not None or self.kill_at is not None:
            return 20
        now = time.monotonic()
        waits = []
        if self.task.timeout_seconds:
            waits.append(self.started + self.task.timeout_seconds - now)
        if self.task.silence_seconds:
            waits.append(self.last_output + self.task.silence_seconds - now)
        return max(0.0, min(waits) * 1000 + 1) if waits else None

    def _read(self, source: Source) -> None:
        try:
            data = os.read(source.fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last user is gone
            data = b""
        if not data or source.outlet.is_gone:
            # Nobody reads our output any more: the command learns it as it would without us.
            del self.sources[source.fd]
            os.close(source.fd)
            return
        self.last_output = time.monotonic()
        self.raw.append(source.kind, now_ms(), data)
        source.outlet.write(data)
        self._tick()

    def _tick(self) -> None:
        """Tell the agent that there is something to read."""
        if self.task.status_fd < 0:
            return
        try:
            os.write(self.task.status_fd, b".")
        except BlockingIOError:
            pass  # it knows already
        except OSError:
            self._agent_is_gone()

    def _agent_is_gone(self) -> None:
        if self.task.status_fd >= 0:
            os.close(self.task.status_fd)
            self.task.status_fd = -1
        # The shell thinks the job is over and has the terminal again; it must find it as it was.
        self._restore_terminal()

    def _reap(self) -> None:
        if self.wait_status is not None or not self.pid:
            return
        pid, status, usage = os.wait4(self.pid, os.WNOHANG | os.WUNTRACED)
        if pid != self.pid:
            return
        if os.WIFSTOPPED(status):
            if os.WSTOPSIG(status) in (signal.SIGTTIN, signal.SIGTTOU):
                self._lend_terminal()
            return
        self.wait_status = status
        self.ended = time.monotonic()
        peak_kib = usage.ru_maxrss
        self.usage = f"user_ms={int(usage.ru_utime * 1000)} system_ms={int(usage.ru_stime * 1000)} peak_rss_bytes={peak_kib * 1024}"

    # --- ending it ---

    def _watch_clock(self) -> None:
        now = time.monotonic()
        if self.wait_status is None and self.kill_at is None:
            if self.task.timeout_seconds and now >= self.started + self.task.timeout_seconds:
                self._stop("timeout")
            elif self.task.silence_seconds and now >= self.last_output + self.task.silence_seconds:
                self._stop("silence_timeout")
        if self.kill_at is not None and now >= self.kill_at and not self.is_killed:
            self.is_killed = True
            self._signal_group(signal.SIGKILL)
            self._signal_family(signal.SIGKILL)

    def _obey(self, text: bytes) -> None:
        words = text.decode("ascii", "replace").split()
        if words and self.kill_at is None and self.wait_status is None:
            self._stop(words[0])

    def _stop(self, reason: str) -> None:
        self.reason = reason
        self.kill_at = time.monotonic() + self.task.grace_seconds
        self._family = family(self.pid)
        self._signal_family(signal.SIGTERM)
        self._signal_group(signal.SIGTERM)
        self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except OSError:
            pass

    def _signal_family(self, number: int) -> None:
        """Children that left the group (each with its start time, for numbers are used again)."""
        for pid, begun in self._family:
            if started_at(pid) == begun:
                try:
                    os.kill(pid, number)
                except OSError:
                    pass

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except OSError:
            return any(started_at(pid) == begun for pid, begun in self._family)
        return True

    def _forward(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if now < self._forwarded_at.get(number, -1.0) + REPEAT_SECONDS or self.wait_status is not None:
            return
        self._forwarded_at[number] = now
        if number in REASONS and self.kill_at is None:
            self.reason = REASONS[signal.Signals(number)]
        if self.pid:
            self._signal_group(number)

    def _suspend(self, _number: int, _frame: object) -> None:
        """Ctrl-Z: the command stops with us and goes on with us."""
        self._signal_group(signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._signal_group(signal.SIGCONT)

    # --- the terminal ---

    def _open_terminal(self) -> None:
        self.master, self._slave = os.openpty()
        self._copy_window_size()
        mode = termios.tcgetattr(1)
        if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
            self.terminal_before = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            tty.setraw(0, termios.TCSADRAIN)
        else:
            mode[1] &= ~termios.OPOST  # the outer terminal ends lines; twice would be once too often
        termios.tcsetattr(self._slave, termios.TCSANOW, mode)

    def _enter_terminal(self) -> None:
        """In the child: a session of its own, whose terminal is ours."""
        os.setsid()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
        if os.isatty(0):
            os.dup2(self._slave, 0)
        os.dup2(self._slave, 1)
        if os.isatty(2):
            os.dup2(self._slave, 2)

    def _copy_window_size(self) -> None:
        try:
            size = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)
        except OSError:
            pass

    def _read_typed(self) -> None:
        try:
            self.typed = os.read(0, SLICE_BYTES)
        except OSError:
            self.typed = b""
        if not self.typed:
            self._restore_terminal()  # the terminal is gone, or another's
        elif b"\x03" in self.typed:
            self.reason = self.reason or "interrupted"

    def _restore_terminal(self) -> None:
        if self.terminal_before is not None:
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, self.terminal_before)  # type: ignore[arg-type]  # as it was got
            except (OSError, termios.error):
                pass
            self.terminal_before = None

    def _lend_terminal(self) -> None:
        """The command wants to read what is typed: it becomes the foreground, as if it had been started alone."""
        try:
            os.tcsetpgrp(0, self.pid)
        except OSError:
            return
        self._signal_group(signal.SIGCONT)

    _slave = -1
    _family: tuple[tuple[int, str], ...] = ()


def main() -> None:
    """Hold the command of our arguments."""
    task = Task(sys.argv[1:])
    lock = os.open(f"{task.directory}/holder.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    code = Holder(task).run()
    # Nothing is left to finish, and an interpreter's orderly end takes longer than it is worth.
    os._exit(code)


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def exit_code(wait_status: int) -> tuple[int, str]:
    """The exit code as a shell tells it, and the signal's name where one ended the command."""
    if os.WIFSIGNALED(wait_status):
        number = os.WTERMSIG(wait_status)
        try:
            return 128 + number, signal.Signals(number).name
        except ValueError:
            return 128 + number, f"SIG{number}"
    return os.WEXITSTATUS(wait_status), ""


def family(pid: int) -> tuple[tuple[int, str], ...]:
    """All descendants of a process, each with its start time."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  (pathlib costs the holder a megabyte)
        if name.isdigit() and (fields := _stat_fields(int(name))):
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), ()):
            found.append((child, started_at(child)))
            todo.append(child)
    return tuple(found)


def started_at(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it is gone or only waits to be reaped."""
    fields = _stat_fields(pid)
    return fields[19] if fields and fields[0] not in ("Z", "X") else ""


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, ..."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return []
    try:
        return os.read(fd, 4096).decode("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []
    finally:
        os.close(fd)


def _wide_pipe() -> tuple[int, int]:
    read, write = os.pipe()
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)  # a burst should not have to wait for us
    except OSError:
        pass  # over the user's limit for pipes
    os.set_blocking(read, False)
    return read, write


def _exec(command: list[str], cwd: str, fail: int) -> None:
    """Become the command; tells why not through `fail`, which closes by itself when it works."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them, a command expects them
    try:
        if cwd:
            os.chdir(cwd)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(fail, str(error.errno).encode())
        os._exit(127 if error.errno == errno.ENOENT else 126)


if __name__ == "__main__":
    main()
