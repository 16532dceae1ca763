"""Shapes of secrets: what is one by its own look, wherever it stands.

Gitleaks' rules (`gitleaks.json`) and rules of our own, for what has no vendor's prefix (addresses with a password,
headers, signatures, names and their values) and for prefixes whose tokens come in more lengths than gitleaks takes.
All are searched in one line at a time; each has literals of which one stands in every match.
"""

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from build_dashboard.redaction.literals import Span
from build_dashboard.redaction.names import is_secret_name

LEAST_CHARACTERS = 6
"""Shorter values would mask ordinary words."""

ENCODED_BYTES = 64 * 1024
"""Base64 longer than this is a file."""


@dataclass(frozen=True)
class Shape:
    """One rule: the groups of the expression are the secret, or all of it where it has none."""

    name: str
    literals: tuple[bytes, ...]
    pattern: bytes
    is_secret: Callable[[re.Match[bytes]], bool] = lambda _match: True

    @cached_property
    def _compiled(self) -> re.Pattern[bytes]:
        return re.compile(self.pattern)

    def spans(self, line: bytes) -> Iterator[Span]:
        """Where its secrets stand in this line."""
        if not any(literal in line for literal in self.literals):
            return
        for match in self._compiled.finditer(line):
            if self.is_secret(match):
                group = next((n for n in range(1, match.re.groups + 1) if match[n] is not None), 0)
                yield match.span(group)


def entropy_bits(text: bytes) -> float:
    """Bits per byte that the text's own distribution of bytes has: 0 of one byte repeated, over 4 of chance."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def shapes() -> list[Shape]:
    """All rules."""
    data = json.loads((Path(__file__).parent / "gitleaks.json").read_text())
    leaks = [
        Shape(rule["name"], tuple(map(str.encode, rule["literals"])), rule["pattern"].encode())
        for rule in data["rules"]
    ]
    return [*USUAL, *leaks]


def _has_digit(match: re.Match[bytes]) -> bool:
    return re.search(rb"\d", match[1]) is not None


def _is_mixed(match: re.Match[bytes]) -> bool:
    return bool(re.search(rb"\d", match[1]) and re.search(rb"[A-Z]", match[1]))


_TALK = re.compile(
    rb"[\[<(\"'`$%*]*(?:redacted|masked|hidden|removed|none|null|nil|true|false|yes|no|empty|undefined|required|optional"
    rb"|[v^~<>=]*\d+(?:\.\d+){1,3}[\w.+-]{0,12}|missing|invalid|expected|unexpected|not|is|was|from|for|the|string|str|int|bool|bytes|default|example|unset|set"
    rb"|set-but-hidden|provided|given|found|ok|x+|\.+|\*+|-+)[\]>)\"'`$%*.]*",
    re.IGNORECASE,
)
"""Written about a secret, or instead of one."""

_CODE = re.compile(rb"::|->|\(|\)|^[@%!#]|^(?:\.{0,2}|~)/|^\$|^%\w+%|^<|^\{\{|^[A-Za-z]:\\|^[\w./-]+\.\w{1,4}:\d+")
"""A value that is computed, a variable's name, a path, or source code that happens to speak of tokens."""


def is_assigned_secret(name: bytes, separator: bytes, value: bytes, *, is_quoted: bool) -> bool:
    """Whether `name = value` in a line gives a secret away: strict where people and compilers write prose."""
    value = value.rstrip(b".,;:")
    if len(value) < LEAST_CHARACTERS or _TALK.fullmatch(value) or _CODE.search(value):
        return False
    if not is_secret_name(name.decode("latin-1")):
        return False
    is_spoken = separator.strip() != separator or separator.startswith(b":")  # `token: x`, `token = x`
    if is_spoken and not is_quoted and re.fullmatch(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", value):
        return False  # `%token = gpu.create`
    if is_quoted or not is_spoken:
        # `"TOKEN": "identifier"` and `token=identifier` are a compiler's own words.
        return not _is_word_of_parsers(name, value)
    if re.search(rb"passw|passphrase|passcode|pwd", name, re.IGNORECASE):
        return re.search(rb"[\d\W_]", value) is not None
    return len(value) >= 12 and entropy_bits(value) > 3 and bool(re.search(rb"\d", value))


def _is_word_of_parsers(name: bytes, value: bytes) -> bool:
    words = name.lower().replace(b"-", b"_").rpartition(b"_")[2]
    return words in (b"token", b"tokens", b"key", b"keys", b"auth", b"pass", b"pin", b"otp") and (
        re.fullmatch(rb"[A-Za-z_.]+|\d+(?:\.\d+)?|0x[0-9a-f]+", value) is not None
    )


def _is_assigned(match: re.Match[bytes]) -> bool:
    quoted = match["quoted"]
    value = quoted if quoted is not None else match["bare"]
    return is_assigned_secret(match["name"], match["separator"], value, is_quoted=quoted is not None)


def _any_case(*words: str) -> tuple[bytes, ...]:
    return tuple(
        spelled.encode() for word in words for spelled in dict.fromkeys((word, word.upper(), word.capitalize()))
    )


_NAME_WORDS = (
    *_any_case("password", "passwd", "passphrase", "passcode", "secret", "token", "credential", "webhook", "cookie"),
    *_any_case("apikey", "api_key", "api-key", "accesskey", "access_key", "access-key"),
    *_any_case("authkey", "auth_key", "auth-key"),
    *_any_case("privatekey", "private_key", "private-key", "accountkey", "account_key", "signing_key", "shared_key"),
    *_any_case("encryption_key", "master_key", "deploy_key", "connection_string", "connectionstring", "bearer"),
    *_any_case("_auth", "_pwd", "_jwt", "_psk"),
    *(b"apiKey", b"ApiKey", b"accessKey", b"AccessKey", b"privateKey", b"PrivateKey", b"accountKey", b"AccountKey"),
    *(b"authKey", b"AuthKey", b"ConnectionString", b"connectionString", b"_PASS", b"_KEY", b"_PAT", b"_DSN"),
)

_ASSIGNMENT = (
    rb"(?<![\w.-])(?P<name>-{0,2}[A-Za-z_][\w.-]{0,80})"
    rb"(?P<separator>\\?[\"']?\]?[ \t]{0,2}(?::=|=>|[:=](?![:=]))[ \t]{0,2})"
    rb"(?:\\?(?P<quote>[\"'])(?P<quoted>[^\"'\\]{1,4096}(?:\\.[^\"'\\]{0,4096}){0,64})"
    rb"|(?P<bare>[^\s\"',;&|<>{}\[\]()\\]{1,4096}))"
)


class _Assignments(Shape):
    """`DB_PASSWORD=hunter2`, `"authToken": "..."`, `password: ...`: a name that says what its value is."""

    def spans(self, line: bytes) -> Iterator[Span]:
        if not any(literal in line for literal in self.literals):
            return
        at = 0
        while match := self._compiled.search(line, at):
            # What is no secret may have one within: `env: API_TOKEN=...`.
            at = match.end("separator")
            if _is_assigned(match):
                group = "bare" if match["quoted"] is None else "quoted"
                yield match.span(group)
                at = match.end(group)


_AUTH_HEADER = rb"(?i:authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?)"
_TOKEN_HEADER = rb"x-)?(?:[a-z]+-)?(?:api-?key|auth-?token|private-token|job-token|access-token|vault-token|csrf-token"

USUAL: Sequence[Shape] = (
    Shape(
        "password in an address",
        (b"://", b":\\/\\/", b"%3A%2F%2F", b"%3a%2f%2f"),
        rb"(?:://|:\\/\\/)[^\s/:\"'<>@|,;()]*:([^\s/\"'<>]+)@|%3[Aa]%2[Ff]%2[Ff][\w.~-]*%3[Aa]([^\s&]+?)%40"
        # A token may stand where the user does.
        rb"|(?:://|:\\/\\/)([\w.~%+-]{20,})(?::x-oauth-basic)?@",
    ),
    Shape("authorization header", _any_case("authorization"), _AUTH_HEADER + rb"([^\s\"',]{6,})"),
    Shape(
        "bearer token",
        _any_case("bearer", "basic"),
        rb"\b(?i:bearer|basic)(?:\s+|\+|%20)([A-Za-z0-9._~+/=-]{12,})",
        lambda match: _is_mixed(match) or (_has_digit(match) and len(match[1]) >= 20),
    ),
    Shape(
        "token header",
        _any_case("api-key", "apikey", "token"),
        rb"(?i:\b(?:" + _TOKEN_HEADER + rb")[\"']?\s*:\s*[\"']?)([^\s\"',;]{6,})",
        _has_digit,
    ),
    Shape(
        "signature in an address",
        (b"sig=", b"ignature=", b"SIGNATURE=", b"Security-Token=", b"Amz-Credential=", b"Goog-Credential="),
        rb"(?i:[?&;\s\"']|^)(?i:sig|signature|(?:x-(?:amz|goog)-)(?:signature|security-token|credential))="
        rb"([A-Za-z0-9%/+=_.~-]{16,})",
    ),
    Shape(
        "Azure key",
        (b"AccountKey=", b"SharedAccessKey=", b"SharedAccessSignature", b"SharedSecretValue="),
        rb"(?:AccountKey|SharedAccessKey|SharedSecretValue)=([A-Za-z0-9+/=%]{16,})"
        rb"|SharedAccessSignature[ =]([^\s\"';]{16,})",
    ),
    Shape("JSON web token", (b"eyJ",), rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    Shape(
        "GitHub token",
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
        rb"gh[pousr]_[A-Za-z0-9_]{16,}|github_pat_\w{20,}",
    ),
    Shape(
        "AWS access key",
        (b"AKIA", b"ASIA", b"ABIA", b"ACCA"),
        rb"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    # The secret half has no prefix: it is known by the company it keeps.
    Shape(
        "AWS secret key",
        (b"AKIA", b"ASIA", b"aws", b"AWS"),
        rb"(?<![A-Za-z0-9/+=_.-])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=_.-])",
        lambda match: _is_mixed(match) and bool(re.search(rb"[a-z]", match[1])) and entropy_bits(match[1]) > 4.2,
    ),
    Shape(
        "Slack token",
        (b"xox", b"xapp-", b"hooks.slack.com"),
        rb"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}"
        rb"|hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/_-]{16,})",
    ),
    Shape(
        "chat webhook",
        (b"/api/webhooks/", b".webhook.office.com", b"api.telegram.org/bot", b"chat.googleapis.com"),
        rb"/api/webhooks/(\d+/[\w-]{20,})|\.webhook\.office\.com/webhookb2/(\S{20,})|telegram\.org/bot(\d+:[\w-]{20,})"
        rb"|chat\.googleapis\.com/v1/spaces/(\S{20,})",
    ),
    Shape("Telegram bot", (b":AA",), rb"\b\d{8,10}:AA[\w-]{32,}"),
    Shape("npm token", (b"npm_",), rb"\bnpm_[A-Za-z0-9]{24,}", lambda match: bool(re.search(rb"\d|[A-Z]", match[0]))),
    Shape("PyPI token", (b"pypi-Ag",), rb"\bpypi-Ag[A-Za-z0-9_-]{16,}"),
    Shape(
        "GitLab token",
        (b"glpat-", b"gldt-", b"glrt-", b"glptt-", b"glcbt-", b"glsoat-", b"glft-", b"gloas-", b"glimt-", b"glagent-"),
        rb"\bgl(?:pat|dt|rt|ptt|cbt|soat|ft|oas|imt|agent)-[\w.=-]{16,}",
    ),
    Shape("Docker token", (b"dckr_",), rb"\bdckr_(?:pat|oat)_[\w-]{16,}"),
    Shape("registry login", (b'"auth"', b'\\"auth\\"'), rb"\\?\"auth\\?\"\s*:\s*\\?\"([A-Za-z0-9+/=]{8,})"),
    Shape(
        "Google key",
        (b"AIza", b"ya29.", b"GOCSPX-", b"1//0"),
        rb"\bAIza[\w-]{30,}|\bya29\.[\w.-]{20,}|\bGOCSPX-[\w-]{16,}|\b1//0[\w-]{30,}",
    ),
    Shape(
        "Google service account",
        (b"private_key_id",),
        rb"private_key_id\\?[\"']?\s*[:=]\s*\\?[\"']?([0-9a-fA-F]{16,})",
    ),
    Shape("Hugging Face token", (b"hf_",), rb"\bhf_[A-Za-z0-9]{24,}", lambda match: b"_" not in match[0][3:]),
    Shape("AI vendor key", (b"sk-",), rb"(?<![\w-])(sk-(?:[a-z0-9]{2,10}-){0,2}[\w-]{20,})", _is_mixed),
    Shape(
        "payment key",
        (b"k_live_", b"k_test_", b"k_prod_", b"whsec_", b"sq0"),
        rb"\b[srp]k_(?:test|live|prod)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{20,}|\bsq0[a-z]{3}-[\w-]{20,}",
    ),
    Shape("SendGrid key", (b"SG.",), rb"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    Shape("Mailgun key", (b"key-",), rb"\bkey-[0-9a-f]{32}\b"),
    Shape("Vault token", (b"hvs.", b"hvb.", b"hvr."), rb"\bhv[sbr]\.[\w-]{20,}"),
    Shape("DigitalOcean token", (b"_v1_",), rb"\bdo[opr]_v1_[a-f0-9]{32,}"),
    Shape("Terraform token", (b".atlasv1.",), rb"\b\w{10,}\.atlasv1\.[\w=-]{20,}"),
    Shape("Twilio key", (b"SK", b"AC"), rb"\b(?:SK|AC)[0-9a-f]{32}\b"),
    Shape("age key", (b"AGE-SECRET-KEY-",), rb"AGE-SECRET-KEY-(?:PQ-)?1[A-Za-z0-9]{40,}"),
    Shape("dashboard key", (b"bmk_", b"bmp_"), rb"\bbm[kp]_[A-Za-z0-9]+_[A-Za-z0-9]{12,}(?:_\w+)?"),
    Shape("login of a tool", (b" -u", b"--user"), rb"\s(?:-u|--user)[ =]?[\"']?[^\s:\"'/]+:([^\s\"'/]{4,})"),
    Shape("sshpass", (b"sshpass",), rb"\bsshpass\s+-p\s*(\S+)"),
    Shape("netrc", (b"password ", b"passwd "), rb"\b(?:machine|login)\s+\S+.{0,200}?\b(?:password|passwd)\s+(\S{4,})"),
    _Assignments("name and value", _NAME_WORDS, _ASSIGNMENT),
)

EXPRESSIONS = (rb"[A-Za-z0-9+/_-]{16,}={1,2}", rb"[A-Za-z0-9+/_-]{24}\r?\n")
"""What is worth a second look without a literal of any rule: base64 that is padded, or ends its line."""

_ENCODED = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}(?![A-Za-z0-9+/_=-])")
_ALONE = re.compile(rb"(?:^|(?<=[\"' ]))[A-Za-z0-9/+]{40}(?=[\"']?\s*$|[\"'])")


def alone_spans(line: bytes) -> Iterator[Span]:
    """Where an AWS secret key stands with nothing around it: as random as one, and no path, hash or word."""
    for match in _ALONE.finditer(line):
        text = match[0]
        kinds = (rb"\d", rb"[A-Z]", rb"[a-z]")
        if all(len(re.findall(kind, text)) >= 3 for kind in kinds) and entropy_bits(text) > 4.4:
            yield match.span()


def encoded_spans(line: bytes, spans: Callable[[bytes], Sequence[Span]]) -> Iterator[Span]:
    """Where base64 stands that holds a secret, by what `spans` finds in its text."""
    for match in _ENCODED.finditer(line):
        text = match[0].rstrip(b"=")
        if len(text) > ENCODED_BYTES or len(text) % 4 == 1:
            continue
        try:
            plain = base64.b64decode(text.translate(_STANDARD) + b"=" * (-len(text) % 4))
        except binascii.Error:
            continue
        if _is_text(plain) and any(spans(part) for part in plain.split(b"\n")):
            yield match.span()


_STANDARD = bytes.maketrans(b"-_", b"+/")


def _is_text(plain: bytes) -> bool:
    """Nearly all of it can be printed: other base64 is a hash or a file."""
    printed = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in plain)
    return printed >= 0.95 * len(plain)
