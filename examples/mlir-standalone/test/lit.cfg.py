"""The lit suite of the tally dialect: every .mlir file here is a test."""
# lit runs this file with `config` already defined, which no checker can know:
# ruff: noqa: F821
# mypy: ignore-errors

import os
from pathlib import Path

import lit.formats

config.name = "Tally"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = config.tally_exec_root
config.environment["PATH"] = os.pathsep.join([config.tally_tools_dir, config.llvm_tools_dir, os.environ["PATH"]])
