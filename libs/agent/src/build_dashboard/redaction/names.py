"""Names of secrets: whether what a variable, an option or a field is called says that its value is one.

One rule for the environment, the command line, the configuration of build trees, and names in the output.
"""

import re

_SECRET = re.compile(
    r"passw(?:or)?d|passwd|passphrase|passcode|secret|token|credential|api_?key|apikey|auth_?key|access_?key|accesskey"
    r"|account_?key|private_?key|signing_?key|encryption_?key|shared_?key|master_?key|deploy_?key|webhook|bearer|cookie"
    r"|connection_?string|(?:^|_)(?:key|keys|pass|pwd|pat|jwt|sas|dsn|auth|psk|otp|pin|creds?|signature)$"
)
_ABOUT = re.compile(
    r"_(?:url|uri|file|files|path|dir|name|names|type|kind|endpoint|host|port|user|username|id|ids|expir\w*|ttl|length"
    r"|len|size|count|limit|max|min|enabled|disabled|parallelism|header|prefix|version|issuer|audience|algorithm|region"
    r"|scope|scopes|issued|age|created|updated|at|arn|fingerprint|store|vault|provider|helper|command|cmd|list|rules?)$"
)
"""What describes a secret is none: where it is kept, how long it lives, whose it is."""

_ORDINARY = re.compile(r"^(?:tokeniz\w*|tokens?_(?:kinds?|per|limit)\w*|\w*_?cache_key|sort_key|public_key|\w*pubkey)$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret_name(name: str) -> bool:
    """Whether this is what people call a secret: `DB_PASSWORD`, `authToken`, `--api-key`; not `TOKEN_FILE`."""
    if name in ("PWD", "OLDPWD"):
        return False
    words = _HUMP.sub("_", name).replace("-", "_").replace(".", "_").strip("_").lower()
    found = _SECRET.search(words)
    if found is None or _ORDINARY.match(words):
        return False
    about = _ABOUT.search(words)
    # `private_key_id` and `access_key_id` name a key that is no use alone; `_at` must not be the end of `_pat`.
    return about is None or about.end() <= found.start()
