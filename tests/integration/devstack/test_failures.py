"""A stack that cannot run says why, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from devstack.services.record import stack_file
from tests.integration.devstack.conftest import NewStack


def test_service_that_dies_at_start(new_stack: NewStack) -> None:
    stack = new_stack("healthy,dying")
    stack.start()

    assert stack.wait() == 1

    assert "error: dying ended with status 3" in stack.output
    assert "| dying: the model file is missing" in stack.output
    assert not stack_file(stack.run_dir).exists()
    stack.assert_no_process_is_left()


def test_service_that_never_gets_ready(new_stack: NewStack) -> None:
    stack = new_stack("parent,hopeless")
    stack.start()

    assert stack.wait() == 1

    assert "hopeless was not ready within 10 s: /readyz answered 503 still thinking" in stack.output
    stack.assert_no_process_is_left()


def test_service_that_dies_later(new_stack: NewStack) -> None:
    stack = new_stack("mortal,healthy")
    stack.start()
    stack.until_ready()

    with suppress(ConnectionError, HTTPException):
        mortal = HTTPConnection("127.0.0.1", int(stack.env["LOCALVOICE_PORT"]), timeout=20)
        mortal.request("GET", "/die")
        mortal.getresponse()

    assert stack.wait() == 1
    assert "error: mortal ended with status 4" in stack.output
    assert "| mortal: as you wish" in stack.output
    stack.assert_no_process_is_left()


def test_default_port_that_is_taken_is_replaced(new_stack: NewStack) -> None:
    stack = new_stack("healthy", {"REDIS_PORT": ""})
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else has it: as good
            squatter.bind(("127.0.0.1", 6379))
            squatter.listen()
        stack.start()
        stack.until_ready()

    assert "port 6379 is taken by " in stack.output
    assert re.search(r"redis uses [23]\d{4} \(REDIS_PORT\)", stack.output)


def test_named_port_that_is_taken_is_an_error(new_stack: NewStack) -> None:
    stack = new_stack("healthy")
    with socket.create_server(("127.0.0.1", int(stack.env["TOKENSERVER_PORT"]))):
        stack.start()
        assert stack.wait() == 1

    named = f"TOKENSERVER_PORT={stack.env['TOKENSERVER_PORT']}"
    assert f"{named} is taken by " in stack.output
    assert f"(pid {os.getpid()}): stop that program, or choose another port." in stack.output
    stack.assert_no_process_is_left()


def test_port_that_is_taken_meanwhile(new_stack: NewStack) -> None:
    """The port is free when it is chosen and taken when the service binds it."""
    stack = new_stack("healthy,rival")
    stack.start()

    assert stack.wait() == 1

    assert "error: rival ended with status 1: another program took its port" in stack.output
    stack.assert_no_process_is_left()


def test_server_program_of_another_version(new_stack: NewStack, tmp_path: Path) -> None:
    old = tmp_path / "livekit-server"
    old.write_text("#!/bin/sh\necho livekit-server version 1.9.0\n")
    old.chmod(0o755)
    stack = new_stack("healthy", {"LIVEKIT_SERVER_BIN": str(old)})
    stack.start()

    assert stack.wait() == 1

    assert f"LIVEKIT_SERVER_BIN={old} is 1.9.0; Voicefleet needs livekit-server" in stack.output
