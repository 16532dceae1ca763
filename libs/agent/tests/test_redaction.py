"""Redaction: 22 usual secrets in each way they come, none of what is no secret, and every border between pieces."""

import base64
import json
import random
import string
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from build_dashboard.holder import raw
from build_dashboard.holder.raw import RawWriter
from build_dashboard.recording.log_recorder import LogRecorder
from build_dashboard.recording.normalise import Block, Normaliser
from build_dashboard.recording.records import Recorder
from build_dashboard.recording.sealed import seal, unseal
from build_dashboard.recording.spool import Spool
from build_dashboard.redaction import literals
from build_dashboard.redaction.environment import declared_secrets
from build_dashboard.redaction.names import is_secret_name
from build_dashboard.redaction.own_key import child_environment
from build_dashboard.redaction.redactor import Redactor, shape_spans
from build_dashboard.redaction.values import environment_secrets
from hypothesis import given, settings
from hypothesis import strategies as st

_chance = random.Random(22)  # the same secrets in every run


def chance(length: int, of: str = string.ascii_uppercase + string.ascii_lowercase + string.digits) -> str:
    return "".join(_chance.choices(of, k=length))


HEX = "0123456789abcdef"
PRIVATE = "\n".join(
    [
        "-----BEGIN RSA PRIVATE KEY-----",
        *(chance(64) for _ in range(8)),
        chance(22) + "==",
        "-----END RSA PRIVATE KEY-----",
    ]
)
GOOGLE = json.dumps(
    {
        "type": "service_account",
        "project_id": "compilers",
        "private_key_id": chance(40, HEX),
        "private_key": PRIVATE.replace("RSA ", ""),
        "client_email": "ci@compilers.iam.gserviceaccount.com",
    }
)
HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"1234567890","name":"ci"}').decode().rstrip("=")

# name of the variable -> what is printed, and what of it must not be stored
SECRETS: dict[str, tuple[str, str]] = {
    "GITHUB_TOKEN": (text := "ghp_" + chance(36), text),
    "GH_FINE_TOKEN": (text := "github_pat_" + chance(22) + "_" + chance(59), text),
    "GH_APP_TOKEN": (text := "ghs_" + chance(36), text),
    "GITLAB_TOKEN": (text := "glpat-" + chance(20), text),
    "AWS_ACCESS_KEY_ID": (text := "AKIA" + chance(16, string.ascii_uppercase + "234567"), text),
    "AWS_SECRET_ACCESS_KEY": (text := "wJalr/" + chance(33) + "+", text),
    "SLACK_BOT_TOKEN": (text := f"xoxb-{chance(12, '123456789')}-{chance(12, '123456789')}-{chance(24)}", text),
    "SLACK_WEBHOOK_URL": (
        f"https://hooks.slack.com/services/T{chance(8)}/B{chance(8)}/{(text := chance(24))}",
        text,
    ),
    "NPM_TOKEN": (text := "npm_" + chance(36), text),
    "PYPI_TOKEN": (text := "pypi-AgEIcHlwaS5vcmc" + chance(80), text),
    "GOOGLE_CREDENTIALS": (GOOGLE, PRIVATE.splitlines()[3]),
    "GOOGLE_API_KEY": (text := "AIza" + chance(35), text),
    "AZURE_SAS_URL": (
        f"https://x.blob.core.windows.net/c/f?sv=2024-01-01&se=2027-01-01&sig={(text := quote(chance(42) + '/='))}",
        text,
    ),
    "AZURE_STORAGE_CONNECTION_STRING": (
        f"DefaultEndpointsProtocol=https;AccountName=ml;AccountKey={(text := chance(86) + '==')};EndpointSuffix=x",
        text,
    ),
    "SESSION_JWT": (text := f"{HEADER}.{CLAIMS}.{chance(43)}", text),
    "DATABASE_URL": (f"postgres://ci:{(text := chance(16))}@db.internal:5432/builds", text),
    "AUTH_HEADER": (f"Authorization: Bearer {(text := chance(32))}", text),
    "DEPLOY_KEY": (PRIVATE, PRIVATE.splitlines()[5]),
    "STRIPE_KEY": (text := "sk_live_" + chance(24), text),
    "SENDGRID_API_KEY": (text := f"SG.{chance(22)}.{chance(43)}", text),
    "HF_TOKEN": (text := "hf_" + chance(34), text),
    "DB_PASSWORD": (text := "tr0ub4dor&3x" + chance(4), text),
}
UNNAMED = ("AWS_SECRET_ACCESS_KEY", "DB_PASSWORD")
"""Known by no prefix: alone they are any word, so they are printed as people print them."""


def stored(tmp_path: Path, redactor: Redactor, *pieces: bytes, facts: dict[str, object] | None = None) -> bytes:
    """What is in the spool of a build that printed these, each a write of its own."""
    directory = tmp_path / chance(12)
    (directory / "raw").mkdir(parents=True)
    writer = RawWriter(str(directory / "raw"))
    for moment, piece in enumerate(pieces):
        writer.append(raw.PTY if b"\x1b" in piece else raw.OUT, 1000 * moment, piece)
    spool = Spool(directory)
    recorder = Recorder("01900000-0000-7000-8000-000000000000", "p", redactor=redactor)
    recording = LogRecorder(str(directory / "raw"), spool, recorder, Normaliser(redactor))
    recording.start(facts or {}, 1)
    while recording.step():
        pass
    writer.close(9000, "code=0 wall_ms=1")
    while recording.step():
        pass
    assert recording.end is not None
    recording.complete(recording.end, {}, 9001)
    return b"\n".join(spool.records())


def _printed(name: str, text: str) -> tuple[Redactor, list[bytes]]:
    shown = f"{name}={text}" if name in UNNAMED else text
    return Redactor(), [f"before\n{shown}\nafter\n".encode()]


def _from_environment(name: str, text: str) -> tuple[Redactor, list[bytes]]:
    # Out of any context, and under no name that tells.
    return Redactor.of({name: text}), [f"using '{text}' for the upload\n".encode()]


def _encoded(name: str, text: str) -> tuple[Redactor, list[bytes]]:
    known = {name: text} if name in UNNAMED else {}
    return Redactor.of(known), [base64.b64encode(text.encode()) + b"\n"]


def _coloured(name: str, text: str) -> tuple[Redactor, list[bytes]]:
    half = len(text) // 2
    known = {name: text} if name in UNNAMED else {}
    return Redactor.of(known), [f"\x1b[32mkey \x1b[1m{text[:half]}\x1b[31m{text[half:]}\x1b[0m ok\n".encode()]


def _in_two_writes(name: str, text: str) -> tuple[Redactor, list[bytes]]:
    half = len(text) // 2
    known = {name: text} if name in UNNAMED else {}
    return Redactor.of(known), [f"key {text[:half]}".encode(), f"{text[half:]}\nafter\n".encode()]


WAYS: dict[str, Callable[[str, str], tuple[Redactor, list[bytes]]]] = {
    "printed": _printed,
    "from the environment": _from_environment,
    "as base64": _encoded,
    "with a colour in the middle": _coloured,
    "in two writes": _in_two_writes,
}


def log_of(blocks: list[Block]) -> str:
    return "".join(("" if block.continues else "\n") + "\n".join(block.lines) for block in blocks)[1:]


def leaks(text: bytes, name: str, secret: str) -> bool:
    """Whether a reader of these records has the secret, in clear or encoded."""
    joined = text.replace(b'","', b"").replace(b"\\n", b"")
    encoded = base64.b64encode(SECRETS[name][0].encode())
    return any(form in joined for form in (secret.encode(), quote(secret).encode(), encoded, encoded[8:24]))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_usual_secrets_are_not_stored(tmp_path, way) -> None:
    """All of 22, in each way that output has them; what was replaced is counted."""
    through = []
    for name, (text, secret) in SECRETS.items():
        redactor, pieces = WAYS[way](name, text)
        if leaks(stored(tmp_path, redactor, *pieces), name, secret) or not redactor.count:
            through.append(name)

    assert through == []


@pytest.mark.slow
def test_usual_secrets_of_a_command_line_are_not_stored(tmp_path) -> None:
    """Neither as an argument, nor when a build tool repeats its command."""
    through = []
    for name, (text, secret) in SECRETS.items():
        redactor = Redactor()
        option = f"--{name.lower().replace('_', '-')}"
        command = redactor.command(["deploy", option, text, f"-D{name}={text}", "x.so"])
        found = stored(tmp_path, redactor, f"FAILED: deploy {text}\n".encode(), facts={"command": command})
        if leaks(json.dumps(command).encode() + found, name, secret) or command[-1] != "x.so":
            through.append(name)

    assert through == []


@pytest.mark.parametrize("name", list(SECRETS))
def test_no_split_of_a_secret_shows_it(tmp_path, name) -> None:
    """Shown while it is unfinished, at every place: no eight characters of it are stored in clear."""
    text, secret = SECRETS[name]
    text = f"{name}={text}" if name in UNNAMED else text
    line = text.splitlines()[0].encode() if "\n" in text else text.encode()
    visible = shape_spans(line)
    for cut in range(1, len(line), max(1, len(line) // 23)):
        normaliser = Normaliser(Redactor())
        blocks = normaliser.feed("out", line[:cut], 1) + normaliser.flush()
        blocks += normaliser.feed("out", line[cut:] + b"\n", 2)
        shown = log_of(blocks)
        for start, end in visible:
            secret = line[start:end].decode()
            assert not any(secret[at : at + 8] in shown for at in range(6, len(secret) - 8)), (cut, shown)


def test_nothing_but_the_secret_changes() -> None:
    """A line that several rules have something to say about is there once, and the lines around it as they were."""
    key = "bmk_" + chance(8) + "_" + chance(24)

    assert Redactor([key]).redact(f"one\n25 {key}\n{key} two\nthree\n".encode()) == (
        b"one\n25 [REDACTED]\n[REDACTED] two\nthree\n"
    )


# --- what is none ---

ORDINARY = r"""
[1/2] Building CXX object lib/Analysis/CMakeFiles/obj.MLIRAnalysis.dir/AliasAnalysis.cpp.o
/usr/bin/c++ -DGTEST_HAS_RTTI=0 -D_GNU_SOURCE -DLLVM_TOKEN_COUNT=12 -Itools/mlir/include -o Token.cpp.o -c Token.cpp
error: unexpected token: identifier
note: expected token = 'arith.addi'; token: "module", key: value
%token = gpu.create_2to4_spmat async [%dep] : !gpu.async.token
Token.Kind = tok::identifier; secret = getSecretValue(); password_hash = compute(password)
commit 4b1d96f3c0aa5f6d7e8f9a0b1c2d3e4f5a6b7c8d
Already at 2908b39a1c44f1ff8d2d3b3a6a5c3a6f2b2a90aa, tree 9dcf906aa2908b39a1c44f1ff8d2d3b3a6a5c3a6
sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
_ZN4mlir6detail17OpToOpPassAdaptor3runEPNS_4PassEPNS_9OperationENS_15AnalysisManagerEbj
-- Looking for https://github.com/llvm/llvm-project.git at git@github.com:llvm/llvm-project.git
-- Found Python3: /usr/bin/python3.11 (found version "3.11.2") found components: Interpreter
PASS: MLIR :: Dialect/Linalg/transform-op-fuse-into-containing.mlir (1 of 2345)
        "js-tokens": "^4.0.0", "set-cookie-parser": "~2.6.0",
Basic block in function 'main': bearer of bad news; basic understanding123
collect2: error: ld returned 1 exit status
remark: tokens: 128, tokenizer: gpt2, max_tokens=4096 key=value keys: 12 author: none
Password: required  password: incorrect  TOKEN_FILE=/run/secrets/token CACHE_KEY=llvm-main-19.1.7
warning: macro "DISALLOW_COPY_AND_ASSIGN" https://reviews.llvm.org/D123456#inline-1 foo@bar:baz
iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
"""


def test_what_is_no_secret_stays() -> None:
    """Compilers speak of tokens, keys and bases all day, and commits are as random as keys."""
    redactor = Redactor.of({"PATH": "/usr/bin", "HOME": "/root", "CI": "true", "TOKENIZERS_PARALLELISM": "false"})

    assert redactor.redact(ORDINARY.encode()).decode().splitlines() == ORDINARY.splitlines()
    assert redactor.count == 0


@pytest.mark.parametrize("text", ["secret", "builds", "abc"])
def test_short_words_are_masked_as_words_only(text: str) -> None:
    """A password of six characters is one; within a longer word it is none, and three never are."""
    redactor = Redactor([text])

    assert redactor.redact(f"{text} x{text}x".encode()).decode() == (
        f"[REDACTED] x{text}x" if len(text) >= 6 else f"{text} x{text}x"
    )


def test_six_characters_that_are_no_word_are_masked_anywhere() -> None:
    """A short token has digits or signs, and no other text has them in that order."""
    assert Redactor(["hunt3r"]).redact(b"xhunt3rx") == b"x[REDACTED]x"


# --- which variables are secrets ---


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("DB_PASSWORD", "authToken", "--api-key", "NPM_CONFIG__AUTH", "KEY", "MYSQL_PWD")),
        *((name, True) for name in ("SIGNING_KEY", "GH_PAT", "client_secret", "AWS_SECRET_ACCESS_KEY", "IMAP_PASS")),
        *((name, False) for name in ("PATH", "PWD", "TOKEN_FILE", "SECRET_NAME", "tokenizer", "monkey", "KEYBOARD")),
        *((name, False) for name in ("CACHE_KEY", "PASSWORD_STORE", "compass", "AUTHOR", "ACCESS_TOKEN_EXPIRES_IN")),
    ],
)
def test_names_say_what_is_secret(name: str, is_one: bool) -> None:
    """As people name secrets, and what they say about them."""
    assert is_secret_name(name) is is_one


def test_secrets_of_an_environment_are_known(tmp_path) -> None:
    """By name, by look, within addresses and documents; paths of files and plain words are none."""
    key_file = tmp_path / "id_rsa"
    key_file.touch()
    github = SECRETS["GITHUB_TOKEN"][1]
    environment = {
        "DEPLOY_TOKEN": "abcdefgh1",
        "SSH_KEY": str(key_file),
        "PATH": "/usr/bin:/bin",
        "PEM_SECRET": "line-one-long\nline-two-long",
        "OTHER": github,
        "PIP_INDEX_URL": "https://ci:pa55w0rd@pypi.internal/simple",
        "SIGNING_KEY": '{"kid": "visible", "secret": "within-json"}',
        "SECRET_MODE": "enabled",
        "USE_TOKEN": "true",
    }
    found = set(environment_secrets(environment, shape_spans))

    assert {"abcdefgh1", "line-one-long", "line-two-long", github, "pa55w0rd", "within-json"} <= found
    assert not found & {str(key_file), "/usr/bin:/bin", "visible", "true", "https://ci:pa55w0rd@pypi.internal/simple"}


def test_declared_secrets_are_variables_files_or_values(tmp_path) -> None:
    """`--secret` takes what people have at hand."""
    (tmp_path / "s").write_text("of-a-file\n")
    given = ["VISIBLE", f"@{tmp_path / 's'}", "the-value"]

    assert {"of-a-variable", "of-a-file", "the-value", "by-name"} <= set(
        declared_secrets(given, {"VISIBLE": "of-a-variable", "X": "by-name", "BUILD_DASHBOARD_SECRETS": "X"})
    )


@pytest.mark.parametrize("form", ["base64", "basic", "wrapped", "url", "json", "hex", "markup"])
def test_known_values_are_masked_in_other_forms(form: str) -> None:
    """Encoded, quoted or behind `user:`: the value cannot be read back."""
    value = 'p&ss"w0rd/with+signs' * (5 if form == "wrapped" else 1)
    data = value.encode()
    text = {
        "base64": base64.b64encode(data),
        "basic": base64.b64encode(b"ci:" + data),
        "wrapped": base64.encodebytes(data),
        "url": quote(value, safe="").encode(),
        "json": json.dumps({"x": value}).encode(),
        "hex": data.hex().encode(),
        "markup": b"p&amp;ss&quot;w0rd/with+signs",
    }[form]
    shown = Redactor([value]).redact(b"it is " + text + b"\n")

    assert b"[REDACTED]" in shown
    assert not any(text[at : at + 12] in shown for at in range(4, len(text) - 16))


# --- borders ---


@settings(max_examples=60, deadline=None)
@given(cut=st.lists(st.integers(0, 700), max_size=5), flushes=st.booleans())
def test_a_private_key_is_masked_however_it_is_split(cut, flushes) -> None:
    """Over lines, records, reads and flushes; what follows it is shown."""
    data = f"before\n{PRIVATE}\nafter\n".encode()
    edges = sorted({0, len(data), *(c for c in cut if c < len(data))})
    normaliser = Normaliser(Redactor())
    blocks: list[Block] = []
    for start, end in pairwise(edges):
        blocks += normaliser.feed("out", data[start:end], 1)
        if flushes:
            blocks += normaliser.flush()
    shown = log_of(blocks)

    assert shown.startswith("before\n")
    assert shown.endswith("after")
    assert not any(line[8:24] in shown for line in PRIVATE.splitlines()[1:-2])


def test_a_key_goes_on_after_a_restart() -> None:
    """The next agent masks the rest, and counts on."""
    first = Normaliser(Redactor())
    lines = PRIVATE.splitlines()
    first.feed("out", "\n".join(lines[:4]).encode() + b"\n", 1)
    second = Normaliser(Redactor())
    second.restore(json.loads(json.dumps(first.state())))
    blocks = second.feed("out", "\n".join(lines[4:]).encode() + b"\nafter\n", 2)

    shown = [line for block in blocks for line in block.lines]
    assert [*["[REDACTED]"] * (len(lines) - 4), "after"] == shown
    assert second.redactor.count == len(lines)


def test_the_beginning_of_a_key_alone_hides_little() -> None:
    """A test that prints only the first line of one loses none of its log."""
    text = b"-----BEGIN RSA PRIVATE KEY-----\nis what a key begins with\nPASS: one\nPASS: two\nPASS: three\n"

    assert Redactor().redact(text).splitlines()[1:] == text.splitlines()[1:]


def test_streams_have_keys_of_their_own() -> None:
    """A key on one stream masks nothing of the other."""
    redactor = Redactor()
    redactor.redact(b"-----BEGIN RSA PRIVATE KEY-----\n", "out")

    assert redactor.redact(b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo\n", "err").startswith(b"QUJD")
    assert redactor.redact(b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo\n", "out") == b"[REDACTED]\n"


# --- beside the output ---


def test_the_own_key_stays_with_the_agent() -> None:
    """The command gets everything but the agent's key, unless it is asked for."""
    environment = {"BUILD_DASHBOARD_API_KEY": "k", "BUILD_DASHBOARD_API_KEY_FILE": "f", "PATH": "/bin"}

    assert child_environment(environment) == {"PATH": "/bin"}
    assert child_environment(environment, keep_key=True) == environment
    assert "BUILD_DASHBOARD_API_KEY" in child_environment({**environment, "BUILD_DASHBOARD_KEEP_KEY": "1"})


def test_facts_are_masked_as_deep_as_they_go() -> None:
    """Names of tests, artifacts and settings, and a fact that was cut within a secret."""
    token = SECRETS["GITHUB_TOKEN"][1]
    redactor = Redactor(["a-value-of-20-chars!"])
    cut = ("x" * 500 + "a-value-of-20-chars!")[:510]

    assert redactor.clean({"tests": [{"name": f"t[{token}]", "seconds": 1.5}], "cut": cut, "n": None}) == {
        "tests": [{"name": "t[[REDACTED]]", "seconds": 1.5}],
        "cut": "x" * 500 + "[REDACTED]",
        "n": None,
    }
    assert redactor.environment({"API_TOKEN": "x1", "CC": "clang"}) == {"API_TOKEN": "[REDACTED]", "CC": "clang"}


def test_what_is_sealed_opens_here_and_only_whole(tmp_path) -> None:
    """Who adopts a build knows its secrets; the file itself says nothing."""
    seal(tmp_path, {"secrets": ["pa55w0rd-of-the-build"]})
    data = (tmp_path / "sealed").read_bytes()

    assert {"secrets": ["pa55w0rd-of-the-build"]} == unseal(tmp_path)
    assert b"pa55" not in data
    assert 0o600 == (tmp_path / "sealed").stat().st_mode & 0o777
    (tmp_path / "sealed").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert unseal(tmp_path) is None


def test_both_searches_find_the_same(monkeypatch) -> None:
    """A machine without the fast engine masks the same."""
    text = ("\n".join(f"{name}={text}" for name, (text, _) in SECRETS.items()) + ORDINARY).encode()
    fast = Redactor.of({"DB_PASSWORD": SECRETS["DB_PASSWORD"][1]}).redact(text)
    monkeypatch.setattr(literals, "hyperscan", lambda: None)

    assert fast == Redactor.of({"DB_PASSWORD": SECRETS["DB_PASSWORD"][1]}).redact(text)
    assert fast.count(b"[REDACTED]") >= len(SECRETS)
