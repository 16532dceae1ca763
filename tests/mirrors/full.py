"""What takes too long for every run: only with FULL=1."""

import os

import pytest

FULL = bool(os.environ.get("FULL"))
only_full = pytest.mark.skipif(not FULL, reason="only with FULL=1")
