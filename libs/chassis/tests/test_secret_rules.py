"""Which secrets are too weak to start with."""

import secrets

import pytest
from build_chassis.secret_rules import ADMIN_PASSWORD, API_KEY, SIGNING_KEY, USER_PASSWORD, Rule, is_placeholder

PLACEHOLDERS = [
    "your_jwt_secret",
    "your_key",
    "your_secret",
    "your_enter_key",
    "your_api_key",
    "Your-Secret-Key",
    "YOUR_JWT_SECRET",
    ' "your_jwt_secret" ',
    "'your_jwt_secret'\n",
    "your_production_signing_key_that_is_quite_long",
    "enter-your-own-signing-secret",
    "changeme",
    "change-me",
    "CHANGE_ME_PLEASE_CHANGE_ME_PLEASE",
    "change-this-to-something-nobody-will-ever-guess",
    "changeme" * 4,
    "changeme123",
    "replace_with_a_long_random_string",
    "todo",
    "placeholder",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "<put a secret here>",
    "${JWT_SECRET_KEY}",
    "$JWT_SECRET_KEY",
    "{{ jwt_secret }}",
    "bmk_your_key_here_1",
    "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
]
WEAK_SIGNING_KEYS = {
    "x": "has 1 of the 32 bytes it needs",
    "f2ab9c8e71d04356b9c0a1d2e3f4956": "has 31 of the 32 bytes it needs",
    f"  {secrets.token_hex(15)}  ": "has 30 of the 32 bytes it needs",
    "": "is not set",
    "   ": "is not set",
    "a" * 64: "repeats itself",
    "0123456789abcdef" * 4: "repeats itself",
    "kT9x!" * 13: "repeats itself",
    "kT9x!" * 13 + "kT9": "repeats itself",
    "abcdefghijklmnopqrstuvwxyz012345": "has too few different characters",
    "0110100110010110100101100110100110": "has too few different characters",
    "dashboard-secret" * 2: "is made of words that everybody tries first",
    "supersecretjwtkeyforproduction2024": "is made of words that everybody tries first",
    "MySecretKeyMustBeAtLeast32BytesLong!": "is made of words that everybody tries first",
    "my-super-secret-jwt-signing-key-2026-07": "is made of words that everybody tries first",
    "torch-mlir-torch-mlir-torch-mlir-1": "is made of words that everybody tries first",
    "A secret of at least thirty-two bytes!": "is made of words that everybody tries first",
}
WEAK_PASSWORDS = {
    "pw": "has 2 of the 8 characters it needs",
    "admin": "has 5 of the 8 characters it needs",
    "password": "is made of words that everybody tries first",
    "P@ssw0rd1!": "is made of words that everybody tries first",
    "administrator": "is made of words that everybody tries first",
    "correct horse battery staple": "is made of words that everybody tries first",
    "iloveyou": "is made of words that everybody tries first",
    "Winter2026": "is made of words that everybody tries first",
    "aaaaaaaa": "repeats itself",
    "abababab": "repeats itself",
    "12345678": "has too few different characters",
    "87654321": "has too few different characters",
    "11223344": "has too few different characters",
}
WEAK_API_KEYS = {
    "too short": "has 9 of the 16 characters it needs",
    "dashboard-agent-key": "is made of words that everybody tries first",
    "abcdabcdabcdabcd": "repeats itself",
}


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_placeholder_is_known_in_every_disguise(value: str) -> None:
    """Quoted, padded, repeated, in capitals, with a number behind: it still says that nobody chose it."""
    assert is_placeholder(value)
    for rule in (SIGNING_KEY, ADMIN_PASSWORD, USER_PASSWORD, API_KEY):
        assert rule.weakness(value) == "is a placeholder from an example"


@pytest.mark.parametrize(
    ("rule", "value", "why"),
    [
        (rule, value, why)
        for rule, table in ((SIGNING_KEY, WEAK_SIGNING_KEYS), (USER_PASSWORD, WEAK_PASSWORDS), (API_KEY, WEAK_API_KEYS))
        for value, why in table.items()
    ],
    ids=lambda given: given.name if isinstance(given, Rule) else "",
)
def test_what_can_be_guessed_is_weak_and_no_placeholder(rule: Rule, value: str, why: str) -> None:
    """The reason is the first that applies; somebody chose the value, so nobody else replaces it."""
    assert rule.weakness(value) == why
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (SIGNING_KEY, "An old bicycle, four geese, 19 lamps"),
        (SIGNING_KEY, "ключ, который никто"),
        (SIGNING_KEY, "your mother eats seven green frogs daily"),
        (SIGNING_KEY, "Replace this old fridge with 9 swans"),
        (API_KEY, "[Marmalade! on 3 slow trains to Gdansk]"),
        (USER_PASSWORD, "Your Majesty, the kettle"),
        (USER_PASSWORD, "change me into a frog, 12 witches"),
        (USER_PASSWORD, "replace-me-Q7mk"),
        (USER_PASSWORD, "your-Wid0w!"),
        (USER_PASSWORD, "<Q7mk2pz!x>"),
        (USER_PASSWORD, "four geese"),
        (USER_PASSWORD, "$ecretGeese7"),
        (USER_PASSWORD, "your geese 4 lamps"[5:]),
        (API_KEY, "a.key.that-looks-like-a-token"),
    ],
)
def test_what_a_person_chose_well_is_accepted(rule: Rule, value: str) -> None:
    """Length counts as the rule says, in bytes for what signs; a sentence may begin as a placeholder does."""
    assert rule.weakness(value) is None
    assert not is_placeholder(value)


def test_generated_secrets_are_accepted() -> None:
    """What the sentences advise people to use, and what the product makes itself."""
    for _ in range(200):
        for rule, value in (
            (SIGNING_KEY, secrets.token_hex(32)),
            (SIGNING_KEY, secrets.token_hex(16)),
            (SIGNING_KEY, secrets.token_urlsafe(24)),
            (ADMIN_PASSWORD, secrets.token_urlsafe(12)),
            (API_KEY, f"key-{secrets.token_hex(16)}"),
            (API_KEY, secrets.token_hex(32)),
        ):
            assert rule.weakness(value) is None


@pytest.mark.parametrize("rule", [SIGNING_KEY, ADMIN_PASSWORD, API_KEY])
def test_the_sentence_names_the_variable_and_the_command_and_not_the_value(rule: Rule) -> None:
    """Whoever reads it in a log knows what to do, and nothing more."""
    fault = rule.fault("kT9x!kT9x!kT9x!kT9x!kT9x!kT9x!kT9x!")

    assert fault is not None
    assert fault.startswith(f"{rule.name} repeats itself: ")
    assert "`openssl rand" in fault
    assert "kT9x!" not in fault


def test_a_long_value_is_judged_at_once() -> None:
    """However many ways there are to take it apart."""
    assert not is_placeholder("changeme" * 2000 + "!q")
