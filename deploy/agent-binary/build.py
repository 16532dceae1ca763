"""Build the one-file agent: `python deploy/agent-binary/build.py WHEEL OUTPUT`, which is `make agent-binary`.

It carries this interpreter, its standard library, the wheel, what the wheel needs, and every shared library of these
but the C library's own; the C library of the machine it runs on must be as new as that of the machine it is built on.
"""

import compileall
import gzip
import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

LAUNCHER = Path(__file__).with_name("launcher.c")
MAGIC = b"BDAGENT1"
LIBC = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl)\.so.*|linux-vdso.*)$")
"""Part of every system's C library, and of one piece with it."""

UNUSED = [
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "pydoc_data",
    "venv",
    "__pycache__",
]
UNUSED_MODULES = [
    "_tkinter*",
    "_test*",
    "_xxtest*",
    "_xxsub*",
    "xxlimited*",
    "_ctypes_test*",
    "turtle.py",
    "*.a",
    "*.exe",
]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def main(wheel: Path, output: Path) -> None:
    """Collect, make relocatable, pack, and put the launcher before it."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "root"
        _collect(root, wheel)
        _carry_libraries(root)
        # By content: the times of unpacked files say nothing.
        compileall.compile_dir(root, quiet=2, stripdir=root, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        packed = gzip.compress(b"".join(_entries(root)), 6, mtime=0)
        launcher = Path(place) / "launcher"
        _run("cc", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror", "-o", launcher, LAUNCHER, "-lz")
        digest = hashlib.sha256(packed).hexdigest()[:23].encode() + b"\0"
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(launcher.read_bytes() + packed + struct.pack("<Q", len(packed)) + digest + MAGIC)
        output.chmod(0o755)
        print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, needs {_newest_symbols(root)}")


def _collect(root: Path, wheel: Path) -> None:
    library = root / "lib" / PYTHON
    ignored = shutil.ignore_patterns(*UNUSED, *UNUSED_MODULES, "config-*", "site-packages", "dist-packages")
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=ignored, symlinks=False)
    (root / "bin").mkdir()
    shutil.copy2(Path(sys._base_executable).resolve(), root / "bin" / "python3")  # noqa: SLF001  there is no other name
    # Copies: uv's links share their bytes with its cache and with every environment on this machine.
    install = ("uv", "pip", "install", "--quiet", "--link-mode", "copy", "--python", sys.executable)
    _run(*install, "--target", library / "site-packages", wheel)
    shutil.rmtree(library / "site-packages" / "bin", ignore_errors=True)


def _carry_libraries(root: Path) -> None:
    """Copy each shared library that is needed, and let everything find it there."""
    folder = root / "lib"
    waiting = list(_programs(root))
    while waiting:
        program = waiting.pop()
        for name, path in _needed(program):
            if not (folder / name).exists() and not LIBC.match(name) and root not in path.parents:
                shutil.copy2(path, folder / name)
                waiting.append(folder / name)
    for program in _programs(root):
        if "site-packages" in program.parts:
            continue  # what a wheel brings stays as its RECORD has it
        if program.stat().st_nlink > 1:
            raise RuntimeError(f"{program} is linked from elsewhere: a change would reach what is not ours")
        _run("strip", "--strip-unneeded", program)
        # Of the interpreter's, also what wheels' libraries need is looked for there (RPATH, which RUNPATH is not).
        _run("patchelf", "--force-rpath", "--set-rpath", f"$ORIGIN/{os.path.relpath(folder, program.parent)}", program)


def _programs(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def _needed(program: Path) -> Iterator[tuple[str, Path]]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listed, re.M):
        yield name, Path(path)


def _entries(root: Path) -> Iterator[bytes]:
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root)).encode()
        if path.is_symlink():
            yield _entry("l", 0o777, name, str(path.readlink()).encode())
        elif path.is_dir():
            yield _entry("d", 0o755, name, b"")
        else:
            yield _entry("f", 0o755 if os.access(path, os.X_OK) else 0o644, name, path.read_bytes())
    yield _entry("e", 0, b"", b"")


def _entry(kind: str, mode: int, name: bytes, data: bytes) -> bytes:
    return struct.pack("<IIIIQ", ord(kind), mode, len(name), 0, len(data)) + name + data


def _newest_symbols(root: Path) -> str:
    """The newest version of the C library's symbols that anything in it asks for."""
    versions: set[tuple[int, ...]] = set()
    for program in _programs(root):
        listed = subprocess.run(["objdump", "-T", program], capture_output=True, text=True, check=True).stdout
        versions |= {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", listed)}
    return f"glibc {'.'.join(map(str, max(versions)))}"


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
