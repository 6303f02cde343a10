"""`.env` is read as python-dotenv reads it, which not every Python has."""

from __future__ import annotations

import io

import pytest
from dotenv import dotenv_values

from devstack.dotenv import parse_dotenv


@pytest.mark.parametrize(
    "text",
    [
        "A=one",
        "# A=no\n\n  export A = two words  # said\nB=",
        'A=\'it # stays\'  # said\nB="a \\"b\\" \\n c"',
        "A='it\\'s'\nB=\"two\nlines\"\nC=3",
        "A=/srv\nB=${A}/cache\nC=${NOBODY:-nothing} ${NOBODY}\nD=$A",
        "A=https://host/#part\nB=x#y\nC=z\n",
        "BARE\nA=1",
    ],
)
def test_as_python_dotenv_does(text: str) -> None:
    theirs = dotenv_values(stream=io.StringIO(text))
    assert parse_dotenv(text, {}) == {name: one for name, one in theirs.items() if one is not None}


def test_the_environment_can_be_referred_to() -> None:
    assert parse_dotenv("A=${HOME}/a", {"HOME": "/home/ada"}) == {"A": "/home/ada/a"}
