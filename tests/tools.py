"""Programs that a test needs and a machine may lack."""

import os
import shutil
from typing import NoReturn

import pytest


def find(name: str, *others: str) -> str:
    """The path of a program; without it the test is skipped, or fails where all are insisted on."""
    path = next(filter(None, map(shutil.which, (name, *others))), None)
    return path or missing(name)


def missing(name: str) -> NoReturn:
    if os.environ.get("TEST_WITH_ALL_TOOLS"):
        pytest.fail(f"{name} is not on this machine, and TEST_WITH_ALL_TOOLS insists on it")
    pytest.skip(f"{name} is not on this machine: install it to run this test")
