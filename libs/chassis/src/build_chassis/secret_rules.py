"""Which secrets are too weak to start with. Pure: a value comes in, a sentence that never repeats it comes out.

There are two kinds. A placeholder asks to be filled in (`your_jwt_secret`, `changeme`): nobody chose it. What is
short, repeats itself or is made of the words of every example was chosen, and can be guessed.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

_FILL_IN = frozenset(
    re.findall(
        r"\w+",
        """
        change changeit changeme enter example examples fill fixme here insert placeholder put redacted replace todo xxx
        xxxx your yours
        """,
    )
)
_KNOWN = _FILL_IN | frozenset(
    re.findall(
        r"\w+",
        """
        123qweasd 1q2w3e4r 1qaz2wsx a admin administrator agent agents an and api app artifacts asdfghjkl at
        aws autumn bad base64 battery be bearer benchmark build builds by byte bytes char characters chars
        correct credential credentials dashboard default demo dev development django do dragon dummy enough
        fake first foo football for from generate generated goes good guest hello hex hmac horse hs256 id
        iloveyou in insecure is it jwt key keys least letmein local localhost login long me minimum minio
        minioadmin mlir monkey must my no not of only openssl or our p4ssw0rd pass passphrase passw0rd
        passwort paste paw0rd passwd password please princess prod production pssw0rd pw pwd qwerty qwertyuiop
        qwertz rand random real root run s3 s3cr3t safe sample secret secrets secure set sign signing some
        staging staple spring string strong summer sunshine super superman system temp temporary test testing
        text that the thirty this to token torch trustno two unsafe use user username value very weak welcome
        winter with world zxcvbnm you 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 16 256 32
        64
        """,
    )
)
_TEMPLATE = re.compile(r"<[\w -]+>|\[[\w -]+\]|\$?\{+[\w .-]+\}+|\$[A-Z_]+|%[A-Z_]+%", re.ASCII)
_REQUEST = re.compile(
    r"((enter|insert|put)[_-])?your([_-][a-z0-9]+)+"
    r"|change[_-]?(me|this|it)([_-][a-z0-9]+)*"
    r"|replace[_-](me|this|with)([_-][a-z0-9]+)*"
    r"|[a-z0-9_-]*[_-]your[_-]([a-z]+[_-])*(here|key|password|secret|token)[a-z0-9_-]*"
    r"|[a-z]{0,4}[_-]?x{8,}"
)
"""An identifier that asks for a value. A sentence that begins so, with spaces and capitals, is a passphrase."""

_TRAILING_DIGITS = 12
_WORD = 3
"""So many characters make a word that anybody can tell from chance."""
FEWEST, MOST = 4, 8
"""So many different characters, and steps from one to the next, a short and a long secret has at least."""


@dataclass(frozen=True)
class Rule:
    """What one secret has to be: `measure` of it at least `least`, `unit` says of what, `remedy` what to do instead."""

    name: str
    least: int
    unit: str
    measure: Callable[[str], int]
    remedy: str

    def weakness(self, value: str) -> str | None:
        """Why this value is too weak, as the end of a sentence; None where it is not."""
        core = _unquoted(value)
        size = self.measure(core)
        steps = {ord(later) - ord(earlier) for earlier, later in itertools.pairwise(core)}
        variety = min(MOST, max(FEWEST, self.least // 4))
        reasons = {
            "is not set": not core,
            "is a placeholder from an example": is_placeholder(core),
            f"has {size} of the {self.least} {self.unit} it needs": size < self.least,
            "is made of words that everybody tries first": bool(_words(core)),
            "repeats itself": self.measure(_period(core)) < self.least,
            "has too few different characters": min(len(set(core)), len(steps)) < variety,
        }
        return next((why for why, is_so in reasons.items() if is_so), None)

    def fault(self, value: str) -> str | None:
        """The whole sentence against this value; None where there is nothing against it."""
        why = self.weakness(value)
        return None if why is None else f"{self.name} {why}: {self.remedy}"


@dataclass(frozen=True)
class RingRule(Rule):
    """A rule for each line of a value that may have several: keys that replace one another."""

    def fault(self, value: str) -> str | None:
        """The sentence against the first line that is too weak."""
        lines = [line for line in _unquoted(value).splitlines() if line.strip()] or [""]
        return next((fault for line in lines if (fault := super(RingRule, self).fault(line))), None)


def _byte_count(value: str) -> int:
    return len(value.encode(errors="replace"))


SIGNING_KEY = RingRule(
    "JWT_SECRET_KEY",
    32,
    "bytes",
    _byte_count,
    "make one with `openssl rand -hex 32` and give every service the same",
)
ADMIN_PASSWORD = Rule(
    "BUILD_DASHBOARD_ADMIN_PASSWORD",
    8,
    "characters",
    len,
    "make one with `openssl rand -base64 18`, or leave it unset where user admin exists already",
)
USER_PASSWORD = Rule("the password", ADMIN_PASSWORD.least, "characters", len, "choose another")
"""What every person's password has to be, the first administrator's as well."""
API_KEY = Rule(
    "BUILD_DASHBOARD_API_KEY",
    16,
    "characters",
    len,
    "make one with `openssl rand -hex 32`, or leave it unset and create keys on the dashboard",
)


def is_placeholder(value: str) -> bool:
    """Whether the value only says that a value belongs there."""
    core = _unquoted(value)
    is_identifier = core in (core.lower(), core.upper())
    if _TEMPLATE.fullmatch(core) or (is_identifier and _REQUEST.fullmatch(core.lower())):
        return True
    return not _FILL_IN.isdisjoint(_words(core))


def _unquoted(value: str) -> str:
    # `docker run --env-file` keeps the quotes that a shell and a `.env` reader take away.
    return value.strip().strip("'\"").strip()


def _words(value: str) -> frozenset[str]:
    """The known words that the value is made of, whatever stands between and a few digits behind; else none."""
    characters = re.sub(r"[\W_]", "", value.casefold())
    words = _split(characters) or _split(re.sub(rf"\d{{1,{_TRAILING_DIGITS}}}$", "", characters))
    return words if any(len(word) >= _WORD and not word.isdigit() for word in words) else frozenset()


def _split(characters: str) -> frozenset[str]:
    reached: dict[int, frozenset[str]] = {0: frozenset()}
    for start in range(len(characters)):
        if start in reached:
            for word in _KNOWN:
                if characters.startswith(word, start):
                    end = start + len(word)
                    reached[end] = reached.get(end, frozenset()) | reached[start] | {word}
    return reached.get(len(characters), frozenset())


def _period(value: str) -> str:
    """The shortest beginning whose repetition the value is, the last time perhaps in part."""
    for length in range(1, len(value) // 2 + 1):
        if value[length:] == value[:-length]:
            return value[:length]
    return value
