"""A status of three lines, drawn again and again above nothing, as Bazel and others do it.

It is drawn anew with the first write already: a status that stands for longer before is in the log for good.
"""

import os
import time

UP = "\r\x1b[1A\x1b[K" * 3
STATUSES = [f"[{n} / 7] actions running\n    Compiling a{n}.cc\n    Compiling b{n}.cc\n" for n in range(1, 8)]


def draw(text: str) -> None:
    os.write(1, text.encode())


draw("Loading\n" + STATUSES[0] + UP + STATUSES[1])
for number, status in enumerate(STATUSES[2:], start=3):
    time.sleep(0.03)
    draw(UP + ("ERROR: kept for good\n" if number == 4 else "") + status)
draw("INFO: Build completed\n")
