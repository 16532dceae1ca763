"""Tests whose output looks like a build's."""

import pytest


@pytest.mark.parametrize("number", range(6))
def test_prints_steps(number):
    print(f"[{number + 1}/10] Building CXX object fake.o", flush=True)


def test_fails():
    print("[10/10] Linking CXX executable fake")
    raise TimeoutError("no Timeout of a test")


@pytest.mark.skip(reason="not here")
def test_is_skipped():
    pass


@pytest.mark.xfail(reason="known")
def test_is_expected_to_fail():
    raise AssertionError
