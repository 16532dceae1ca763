"""Signatures: one failure, one name, whatever machine, directory, process or run showed it.

A signature is formed from parts that people can read: the category, the tool's code or test, the normalised message and
the stable part of the place. The parts travel with it, so a page can show why two failures are one group.
"""

import hashlib
import re

# gcc quotes with curly quotes in a UTF-8 locale, with straight ones elsewhere.
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "`": "'"})
_URL = re.compile(r"\b(?:https?|git|ssh)://\S+?(?=[\s'\"\])>,]|$)")
_REPLACEMENTS = [
    (re.compile(r"\b(?=[0-9a-z]*\d)[0-9a-z]{32}-(?=[\w.+-])"), ""),  # nix
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I), "<uuid>"),
    (_URL, "<url>"),
    (re.compile(r"\bcc[A-Za-z0-9]{6}(?=\.(?:s|o|ltrans|res|c|ld)\b)"), "cc<tmp>"),
    (re.compile(r"\b[0-9a-f]{40}\b|0x[0-9a-fA-F]+|\b[0-9a-fA-F]{12,16}\b"), "<hex>"),
    (re.compile(r"==\d+=="), ""),
    (re.compile(r"(?<=\bthread )T\d+\b|(?<=<hex> )T\d+(?=\))"), "T<id>"),
    (re.compile(r"(?<![\w<.])\d+(?:\.\d+)?(?=(?:ms|us|ns|s|sec|[kKMGT]i?B)\b)"), "#"),
    (re.compile(r"\(pid[= ]\d+\)|\bpid[= :]+\d+", re.I), "<pid>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"), "<hex>"),
    (re.compile(r"\b(tmp|temp|tmp_|pip-install-|pip-req-build-|tmpxft_)[A-Za-z0-9_]{5,}"), r"\1<tmp>"),
    (re.compile(r"[-_.][0-9a-f]{6,8}(?=\.(?:o|obj|s|ll|bc|tmp|cpp|c|sh)\b)"), "-<tmp>"),
]
# A path: a root, a drive, or words joined by slashes; only its last name says what broke.
# It is looked for where a run of such characters begins: from within it, no search finds another end.
_PATH = re.compile(r"(?<![\w.+@~{}%/\\-])(?:[A-Za-z]:)?(?:[\w.+@~{}%-]*[/\\])+(?=[\w.+@~%-])")
_NUMBER = re.compile(r"(?<![\w<])[-+]?\d+(?:\.\d+)*(?:e[-+]?\d+)?(?![\w>])")
_SHARD = re.compile(r"(?:/\d+)+$|, where (?:GetParam|TypeParam)\(\).*$|\s+\(\d+ of \d+\)$")
# ninja names the outputs of a custom command twice, the second time from the root.
_ROOTED = re.compile(r"(?<=\s)(?:[A-Za-z]:)?[/\\](?:[^\s/\\]*[/\\])*(?=[^\s/\\])")
_SPACES = re.compile(r"\s+")


def normalise(message: str) -> str:
    """The message without what changes between runs and machines; symbols, headers, checks and tests stay."""
    # Directories go first: what is replaced within them would no longer look like one.
    text = _PATH.sub("", _URL.sub("<url>", message.translate(_QUOTES)))
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    text = _NUMBER.sub("#", text)
    return _SPACES.sub(" ", text).strip().lower()


def stable_name(path: str) -> str:
    """The last name of a path, without what temporary files put into it."""
    return normalise(path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def stable_test(test: str) -> str:
    """A test's id without shard numbers, parameters' addresses and the directory it ran in."""
    text = _SHARD.sub("", test.translate(_QUOTES).strip())
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    if text.startswith("/") or text[1:3] in (":\\", ":/"):
        text = _PATH.sub("", text)
    return _ROOTED.sub("", text)


def sign(parts: tuple[str, ...]) -> str:
    """The signature of these parts: the category, and sixteen hex digits over them all."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{parts[0]}-{digest}"
