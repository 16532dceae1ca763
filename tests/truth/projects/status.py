"""A status of three lines, drawn again and again above nothing, as Bazel and others do it."""

import sys
import time

print("Loading", flush=True)
for step in range(1, 8):
    if step > 1:
        sys.stdout.write("\r\x1b[1A\x1b[K" * 3)
    if step == 4:
        print("ERROR: kept for good")
    print(f"[{step} / 7] actions running\n    Compiling a{step}.cc\n    Compiling b{step}.cc", flush=True)
    time.sleep(0.03)
print("INFO: Build completed")
