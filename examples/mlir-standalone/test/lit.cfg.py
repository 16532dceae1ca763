"""The lit suite of the tally dialect: every .mlir file here is a test."""

import os

import lit.formats

config.name = "Tally"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.tally_exec_root
config.environment["PATH"] = os.pathsep.join([config.tally_tools_dir, config.llvm_tools_dir, os.environ["PATH"]])
