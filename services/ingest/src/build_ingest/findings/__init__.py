"""Findings: failures, test results and people's feedback on them. Pure."""
