"""Reads gitleaks' rules and writes those the agent uses: `python -m tools.gitleaks gitleaks.toml COMMIT`.

Kept are the rules whose secrets say themselves whose they are (`glpat-...`). Left out are those that need a word beside
the secret (`asana: ...`): a compiler's log has `linear`, `square` and `looker` in it, and the agent has a rule of its
own for names of secrets. Go's expressions become Python's, and the end of a secret is no longer asked for, so that
`token=npm_...&next` is found too.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

RULES = Path(__file__).parents[1] / "libs/agent/src/build_dashboard/redaction/gitleaks.json"
BY_NAME = "(?:=|>|:{1,3}=|"
"""Stands in every rule that needs a name beside the secret."""

LEFT_OUT = {
    "clickhouse-cloud-api-secret-key",  # also a commit that begins with 4b1d
    "sourcegraph-access-token",  # any commit
    "square-access-token",  # EAAA begins much base64
    "vault-service-token",  # `s.` and 24 characters is a member of a struct
    "authress-service-client-access-key",  # `ext_`, `pat.` and `SK` stand in the names of files and of flags
    "harness-api-key",
    "twilio-api-key",
    "airtable-personnal-access-token",
    "curl-auth-header",
    "curl-auth-user",
    "facebook-access-token",
    "freemius-secret-key",
    "jwt",
    "jwt-base64",
    "kubernetes-secret-yaml",
    "nuget-config-password",
    "private-key",  # the agent's own rules read these
}
_END = re.compile(r"\(\?:\[\\x60'\"\\s;\]\|\\\\\[nr\]\|\$(?:\|\\b)?\)$|\(\?:\[\^[^\]]*\]\|\\z\)$")


def python_pattern(go: str) -> str:
    """The expression for Python: a flag in the middle becomes a group to the end of the one it stands in."""
    text = _END.sub("", go).replace("[[:alnum:]]", "[A-Za-z0-9]")
    while (at := text.find("(?i)")) >= 0:
        depth, end = 0, at + 4
        while end < len(text) and depth >= 0:
            if text[end] == "\\":
                end += 1
            elif text[end] == "[":
                end = text.index("]", end + 2)
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += depth >= 0
        text = f"{text[:at]}(?i:{text[at + 4 : end]}){text[end:]}"
    re.compile(text.encode())
    return text


def literals(rule: dict[str, Any]) -> list[str]:
    """One of these stands in every match, as it is written there; lower case where either may be."""
    pattern, found = rule["regex"], []
    for keyword in rule["keywords"]:
        spelled = re.search(re.escape(keyword), pattern.replace("\\", ""), re.IGNORECASE)
        words = {spelled[0]} if spelled is not None else set()
        if spelled is None or "(?i)" in pattern:
            words |= {keyword, keyword.upper()}
        found += sorted(words)
    return found


def main() -> None:
    """Write the rules."""
    source, commit = sys.argv[1:]
    rules = [
        {"name": rule["id"], "literals": literals(rule), "pattern": python_pattern(rule["regex"])}
        for rule in tomllib.loads(Path(source).read_text())["rules"]
        if BY_NAME not in rule.get("regex", BY_NAME) and rule["id"] not in LEFT_OUT
    ]
    about = {
        "source": "https://github.com/gitleaks/gitleaks config/gitleaks.toml",
        "commit": commit,
        "licence": "MIT, Copyright (c) 2019 Zachary Rice; its text is in gitleaks.LICENSE",
    }
    lines = ",\n".join(f"  {json.dumps(rule)}" for rule in rules)
    RULES.write_text(f'{{\n "about": {json.dumps(about, indent=2)},\n "rules": [\n{lines}\n ]\n}}\n')
    print(f"{len(rules)} rules")


if __name__ == "__main__":
    main()
