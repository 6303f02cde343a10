"""How Dockerfiles are read, and what of them is refused."""

from __future__ import annotations

import pytest

from devstack.images.dockerfile import (
    NotUnderstood,
    assignments,
    environment_of,
    expanded,
    healthcheck_of,
    labels_of,
    parse_dockerfile,
)

TEXT = """\
# A comment.
FROM base:1.2 as build
ARG VERSION=7
RUN --mount=type=cache,target=/c --network=none first \\
    # not a part of it
    && second

FROM other:3.4
ARG VERSION=8
ENV ONE=1 \\
    PATH=/opt/bin:$PATH \\
    TWO="two words, ${ONE}"
LABEL version="$VERSION" empty=""
EXPOSE 80
EXPOSE 81
HEALTHCHECK --interval=1s CMD ["check", "--now"]
ENTRYPOINT ["run", "it"]
"""


def test_stages_and_instructions() -> None:
    file = parse_dockerfile("Dockerfile.x", TEXT)
    assert [(stage.base, stage.name) for stage in file.stages] == [
        ("base:1.2", "build"),
        ("other:3.4", None),
    ]
    (run,) = file.stages[0].all("RUN")
    assert run.rest == "first && second"
    assert run.flags == (("mount", "type=cache,target=/c"), ("network", "none"))
    assert run.flag("network") == "none"
    assert (run.line, run.exec_form) == (4, None)
    assert file.image is file.stages[1]


def test_what_holds_in_the_end() -> None:
    image = parse_dockerfile("Dockerfile.x", TEXT).image
    exposed, entrypoint = image.last("EXPOSE"), image.last("ENTRYPOINT")
    assert exposed
    assert exposed.rest == "81"
    assert entrypoint
    assert entrypoint.exec_form == ("run", "it")
    assert image.last("USER") is None
    assert healthcheck_of(image) == ("check", "--now")
    assert labels_of(image) == {"version": "8", "empty": ""}
    assert environment_of(image, path="/bin") == {
        "PATH": "/opt/bin:/bin",
        "ONE": "1",
        # As Docker does it: a line does not see what it sets itself.
        "TWO": "two words, ",
    }


def test_values_are_put_in_their_place() -> None:
    assert expanded("$A-${B}-$C.", {"A": "1", "B": "2"}) == "1-2-."


def test_an_argument_without_a_default_sets_nothing() -> None:
    (stage,) = parse_dockerfile("x", "FROM a:1\nARG LATER\nARG NOW=1").stages
    assert [assignments(one, {}) for one in stage.all("ARG")] == [{}, {"NOW": "1"}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no FROM"),
        ("RUN x", "RUN before the first FROM"),
        ("FROM a:1 b", "a:1 b"),
        ("FROM a:1\nRUN x \\", "the last line goes on"),
        ("FROM a:1\nONBUILD RUN x", "ONBUILD is not read here"),
        ("FROM a:1\nRUN <<EOF\nx\nEOF", "heredocs are not read here"),
        ("# syntax=docker/dockerfile:1\nFROM a:1", "parser directives"),
        ("# escape=`\nFROM a:1", "parser directives"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(NotUnderstood, match=complaint):
        parse_dockerfile("Dockerfile.x", text)


def test_an_env_needs_a_value() -> None:
    (stage,) = parse_dockerfile("x", "FROM a:1\nENV ONE").stages
    with pytest.raises(NotUnderstood, match="ONE has no value"):
        environment_of(stage, path="")


@pytest.mark.parametrize("rest", ["run it", '["run", 1]', '["run"', "[run]"])
def test_what_is_no_list_of_words_is_for_the_shell(rest: str) -> None:
    entrypoint = parse_dockerfile("x", f"FROM a:1\nENTRYPOINT {rest}").image.last("ENTRYPOINT")
    assert entrypoint
    assert entrypoint.exec_form is None


@pytest.mark.parametrize("rest", ["NONE", "CMD curl x"])
def test_a_healthcheck_for_the_shell_is_none(rest: str) -> None:
    assert healthcheck_of(parse_dockerfile("x", f"FROM a:1\nHEALTHCHECK {rest}").image) is None
