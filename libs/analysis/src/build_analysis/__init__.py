"""The reader of build logs: log text in, progress, failures, test results and verdicts out; no I/O."""
