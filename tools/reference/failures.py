"""The categories of failures, from the rules that find them."""

from collections import defaultdict

from build_analysis.rule_set import own_rules


def categories() -> dict[str, tuple[set[str], set[str]]]:
    """Category -> the faults and the tools of the rules that find it."""
    found: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for rule in own_rules():
        if rule.category:
            faults, tools = found[rule.category]
            faults.add(rule.fault or "unknown")
            tools.add(rule.id.split(".", 1)[0])
    return dict(found)


def failures_section() -> str:
    """A row for each category."""
    rows = [
        f"| `{name}` | {', '.join(sorted(faults))} | {', '.join(sorted(tools))} |"
        for name, (faults, tools) in sorted(categories().items())
    ]
    return "\n".join(["| category | fault | found by the rules of |", "|---|---|---|", *rows])
