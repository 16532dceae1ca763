"""Rules: which of them are in force here, as a fingerprint that changes when their answers may."""

import hashlib
from functools import cache

from build_analysis.rule_set import default_rules

ENGINE = 3
"""Raised when the analyser answers otherwise by the same rules."""


@cache
def fingerprint() -> str:
    """Of all rules without their examples. The first call takes as long as reading the rules: not on the loop."""
    digest = hashlib.sha256(str(ENGINE).encode())
    for rule in default_rules().rules:
        digest.update(rule.model_dump_json(exclude={"examples", "counter_examples"}).encode())
    return digest.hexdigest()[:12]
