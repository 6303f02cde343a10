"""Which files of a folder become paths, and which folders are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.routing import Route

from sessions.settings import explain
from tests.support.builds import FONT_NAME, SCRIPT_NAME, make_build
from tokenserver.app import OPERATIONS, create_app
from tokenserver.pages import folder as folder_module
from tokenserver.pages.folder import served_files
from tokenserver.settings import TokenserverSettings


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return make_build(tmp_path / "dist")


def test_every_file_has_one_path(build: Path) -> None:
    """Neither dotfiles nor source maps are among them."""
    assert {
        path: file.relative_to(build).as_posix() for path, file in served_files(build).items()
    } == {
        "/": "index.html",
        "/console": "console.html",
        "/favicon.svg": "favicon.svg",
        "/robots.txt": "robots.txt",
        f"/assets/{SCRIPT_NAME}": f"assets/{SCRIPT_NAME}",
        f"/assets/{FONT_NAME}": f"assets/{FONT_NAME}",
        "/embed/voicefleet-call.js": "embed/voicefleet-call.js",
    }


def test_a_folder_without_a_page_is_no_build(build: Path) -> None:
    (build / "index.html").unlink()
    for folder in (build, build / "nowhere", build / "robots.txt"):
        with pytest.raises(ValueError, match=r"no index\.html: .*make run.*npm run build"):
            served_files(folder)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: File name too long"):
        served_files(tmp_path / ("x" * 300))


@pytest.mark.parametrize("target", ["/etc/hostname", "index.html", "/etc"])
def test_a_link_is_refused_wherever_it_leads(build: Path, target: str) -> None:
    (build / "assets" / "link.txt").symlink_to(target)
    with pytest.raises(ValueError, match=r"link\.txt, which is a link"):
        served_files(build)


def test_what_is_no_file_is_refused(build: Path) -> None:
    """To read from a pipe would wait for ever."""
    os.mkfifo(build / "pipe")
    with pytest.raises(ValueError, match="pipe, which is a link or no file"):
        served_files(build)


@pytest.mark.parametrize("name", ["a b.js", "ä.js", "a%2fb.js", "{name}.js", "a\\b.js", "a\nb.js"])
def test_a_name_that_no_address_has_is_refused(build: Path, name: str) -> None:
    """`{name}` would match any path, the others could never be asked for."""
    (build / "assets" / name).write_text("x")
    with pytest.raises(ValueError, match="a name that an address cannot have"):
        served_files(build)


def test_too_many_bytes_are_refused(build: Path) -> None:
    """The file has no content on the disk: it is not read to find out."""
    with (build / "assets" / "large.bin").open("wb") as file:
        file.truncate(folder_module.MAX_BYTES)
    with pytest.raises(ValueError, match="no build of web/"):
        served_files(build)


def test_too_many_files_are_refused(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = len(served_files(build))
    monkeypatch.setattr(folder_module, "MAX_FILES", served)
    served_files(build)
    monkeypatch.setattr(folder_module, "MAX_FILES", served - 1)
    with pytest.raises(ValueError, match=f"more than {served - 1} files"):
        served_files(build)


def settings(**values: object) -> TokenserverSettings:
    return TokenserverSettings.model_validate(
        {"livekit_api_key": "key", "livekit_api_secret": "s" * 32, **values}
    )


def test_no_file_takes_the_place_of_an_operation(build: Path) -> None:
    """Operations are looked for first, whatever lies in the folder."""
    for name in ("healthz", "api/fleet", "api/session/start"):
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_text("x")
    routes = [
        route.path
        for route in create_app(settings(web_dir=build)).routes
        if isinstance(route, Route)
    ]
    assert routes[: len(OPERATIONS)] == [operation.path for operation in OPERATIONS]
    assert set(routes[len(OPERATIONS) :]) == set(served_files(build))


def test_the_setting_says_what_to_do(build: Path) -> None:
    assert settings(web_dir=build).web_dir == build
    (build / "index.html").unlink()
    with pytest.raises(ValidationError) as caught:
        settings(web_dir=build)
    told = explain("The token server", caught.value)
    assert "WEB_DIR: Value error, has no index.html: build the pages with `make run`" in told
    assert str(build) not in told


@pytest.mark.parametrize("url", ["ws://", "ws://a;script-src *", "wss://ä.example", "ws://a b"])
def test_an_address_that_fits_in_no_policy_is_refused(build: Path, url: str) -> None:
    """Only with pages: without them nothing is made of it."""
    assert settings(livekit_public_url=url).web_dir is None
    with pytest.raises(ValidationError, match="no plain host name"):
        settings(livekit_public_url=url, web_dir=build)
