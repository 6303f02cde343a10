"""What `make images-check` refuses at once, and how it tells sizes. Nothing is built here."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from devstack.cli import COMMANDS, build_parser
from devstack.errors import DevstackError, ToolMissing
from devstack.images.check import SERVICES, check_images
from devstack.images.dockerfile import read_dockerfile
from devstack.images.layers import Layer, largest, layer_between, shown_size, size_rows
from devstack.settings import REPO
from devstack.terminal import Terminal

PAGE = (REPO / "docs" / "deploy" / "containers.md").read_text(encoding="utf-8")


def test_the_command_takes_the_names_of_images() -> None:
    assert build_parser().parse_args(["images-check"]).images == []
    arguments = build_parser().parse_args(["images-check", "tokens", "nonsense"])
    with pytest.raises(DevstackError, match="no image nonsense: localvoice, tokens, worker"):
        COMMANDS["images-check"](arguments, [], {}, Terminal({}, io.StringIO()))


def test_every_dockerfile_is_tried() -> None:
    assert {f"Dockerfile.{name}" for name in SERVICES} == {p.name for p in REPO.glob("Dockerfile*")}


def test_without_roots_rights_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ToolMissing, match=r"for lack of .*root's rights"):
        check_images({}, Terminal({}, io.StringIO()), ["tokens"])


def test_a_layer_is_what_is_new_or_changed() -> None:
    before = {"kept": (1, 1, 1), "changed": (2, 2, 2), "gone": (4, 4, 4)}
    after = {"kept": (1, 1, 1), "changed": (3, 3, 2), "new": (10, 3, 5)}
    layer = layer_between("RUN x", before, after)
    assert layer == Layer(instruction="RUN x", files=2, size_bytes=13)


def test_sizes_are_told_with_their_sum() -> None:
    layers = [
        Layer(instruction="COPY a a", files=1, size_bytes=1_500),
        Layer(instruction="WORKDIR /a", files=0, size_bytes=0),
        Layer(instruction="RUN x", files=20, size_bytes=2_000_000),
    ]
    assert [tuple(cell.strip() for cell in row) for row in size_rows("it", layers)] == [
        ("it", "1.5 kB", "1", "COPY a a"),
        ("it", "2.0 MB", "20", "RUN x"),
        ("it", "2.0 MB", "21", "all of them"),
    ]
    assert shown_size(99_999) == "100.0 kB"


def test_what_is_biggest(tmp_path: Path) -> None:
    for name, size_bytes in {"one/a": 3, "one/deep/b": 4, "two.py": 5, "three/c": 1}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size_bytes))
    assert largest(tmp_path, 2) == [("one", 7), ("two.py", 5)]


@pytest.mark.parametrize("name", SERVICES)
def test_the_page_tells_ports_and_volumes(name: str) -> None:
    image = read_dockerfile(REPO / f"Dockerfile.{name}").image
    exposed = image.last("EXPOSE")
    assert exposed
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| {name} | {exposed.rest} "))
    volumes = [path for one in image.all("VOLUME") for path in one.exec_form or ()]
    assert all(f"`{path}`" in row for path in volumes)
    assert "/readyz" in row
    assert ("| nothing |" in row) == (not volumes)
