"""`make ask Q="What time is it?"`: talk to the running stack and hear what it answers.

    python -m devstack.talk.ask [--wav FILE] [--json] [--timeout S] [--out FILE] [QUESTION …]

Exits with 0 when every question was answered, else with 1 and the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from devstack.errors import DevstackError
from devstack.files import read_json
from devstack.services.record import read_stack
from devstack.settings import load_environment, run_dir
from devstack.talk.audio import Sound
from devstack.talk.caller import Answer
from devstack.talk.conversation import Question, Stack, Talk, TalkFailed
from devstack.talk.transcript import Line
from devstack.terminal import DIM, Terminal

DEFAULT_QUESTION = "What time is it?"
_PAUSE_S = 0.5
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and return the exit status."""
    options = _parse(arguments)
    env = load_environment()
    options.out = options.out or run_dir(env) / "answer.wav"
    terminal = Terminal(env, sys.stderr if options.json else None)
    try:
        talk = asyncio.run(_ask(options, run_dir(env), terminal))
    except DevstackError as error:
        if options.json:
            _print_json({"ok": False, "error": str(error)})
        else:
            terminal.error(str(error))
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        terminal.note("interrupted")
        return _INTERRUPTED
    if options.json:
        _print_json(_as_json(talk, options.out))
    else:
        _print_summary(talk, options.out, terminal)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="devstack.talk.ask", description="Ask the agent of a running stack something."
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="asked one by one")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="a recorded question, 16 bit")
    parser.add_argument("--stack", type=Path, metavar="FILE", help="another stack's stack.json")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the answer goes")
    parser.add_argument("--timeout", type=float, metavar="S", default=30.0, help="for one answer")
    parser.add_argument("--json", action="store_true", help="for scripts")
    return parser.parse_args(arguments)


async def _ask(options: argparse.Namespace, directory: Path, terminal: Terminal) -> Talk:
    _end_on_sigterm()
    stack = Stack(_description(options.stack, directory))
    questions = [Question(sound=Sound.read(options.wav))] if options.wav else []
    texts = options.questions or ([] if options.wav else [DEFAULT_QUESTION])
    questions += [await stack.speak(text) for text in texts]

    def show(line: Line, after_s: float) -> None:
        if line.is_final and line.text.strip() and not options.json:
            who = "you" if line.speaker == "user" else "agent"
            terminal.line(f"  {terminal.paint(f'{after_s:6.1f} s', DIM)}  {who:<6} {line.text}")

    try:
        talk = await stack.talk(questions, deadline_s=options.timeout, on_line=show)
    except BaseException as error:
        if stack.stop_problem and str(error) != stack.stop_problem:
            terminal.warning(stack.stop_problem)
        if stack.is_session_stopped and isinstance(error, asyncio.CancelledError):
            terminal.note("the session was stopped")
        raise
    _joined(talk.answers).write(options.out)
    return talk


def _end_on_sigterm() -> None:
    """Have SIGTERM stop the session as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _description(path: Path | None, directory: Path) -> Mapping[str, object]:
    found = read_stack(directory) if path is None else read_json(path)
    if found is None:
        where = "here" if path is None else f"at {path}"
        raise TalkFailed(f"no stack is running {where}: start one with `make run`")
    return found


def _joined(answers: Sequence[Answer]) -> Sound:
    """Return all answers as one sound, with pauses."""
    rate = answers[0].sound.rate
    pause = np.zeros(round(rate * _PAUSE_S), dtype=np.int16)
    parts = [part for answer in answers for part in (answer.sound.samples, pause)]
    return Sound(np.concatenate(parts[:-1]), rate)


def _print_summary(talk: Talk, out: Path, terminal: Terminal) -> None:
    warm = "warm" if talk.is_prewarmed else "cold"
    latencies = ", ".join(f"{answer.latency_s:.1f} s" for answer in talk.answers)
    terminal.note(
        f"session {talk.start_s * 1000:.0f} ms; agent joined ({warm}) {talk.agent_joined_s:.1f} s; "
        f"first word {talk.first_audio_s:.1f} s; answered after {latencies}"
    )
    terminal.note(f"answer: {out}")


def _as_json(talk: Talk, out: Path) -> dict[str, object]:
    return {
        "ok": True,
        "sessionId": talk.session_id,
        "prewarmed": talk.is_prewarmed,
        "sessionStartMs": _ms(talk.start_s),
        "agentJoinedMs": _ms(talk.agent_joined_s),
        "firstAudioMs": _ms(talk.first_audio_s),
        "greeting": talk.greeting.text,
        "heard": list(talk.heard),
        "answers": [
            {
                "text": answer.text,
                "latencyMs": _ms(answer.latency_s),
                "durationMs": _ms(answer.ended_at - answer.began_at),
            }
            for answer in talk.answers
        ],
        "wav": str(out),
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _print_json(content: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
