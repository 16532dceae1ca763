# ruff: noqa: F821  (lit defines `config`)
from pathlib import Path

import lit.formats

config.name = "TRUTH"
config.test_format = lit.formats.ShTest(False)
config.suffixes = [".txt"]
config.test_exec_root = str(Path(__file__).parent / "out")
