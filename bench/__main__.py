"""`make bench`: the figures of docs/performance.md, one after the other, each beside its yardstick."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def bench(module: str, *arguments: str) -> None:
    """Run one benchmark in a process of its own."""
    subprocess.run([sys.executable, "-m", f"bench.{module}", *arguments], cwd=ROOT, check=True)


def main() -> None:
    """About fifteen minutes on two cores."""
    bench("bus")
    bench("flood")
    bench("latency")
    bench("page")
    bench("rest")
    with tempfile.TemporaryDirectory(prefix="bench-") as build:
        example = ROOT / "examples" / "tensor-demo"
        configure = ["cmake", "-S", str(example), "-B", build, "-G", "Ninja"]
        subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
        bench("wrapped", build, "all")


if __name__ == "__main__":
    main()
