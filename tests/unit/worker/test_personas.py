"""Persona files: what they say, what wins, and what is said of their mistakes."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.errors import Unusable
from worker.personas.cast import Cast
from worker.personas.files import read_personas
from worker.personas.settings import SHIPPED
from worker.settings import WorkerSettings

TOOLS = frozenset({"current_time", "end_call"})


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WorkerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(**changes: object) -> WorkerSettings:
    values: dict[str, object] = {
        "livekit_api_key": "key",
        "livekit_api_secret": SecretStr("s" * 40),
    }
    return WorkerSettings.model_validate(values | changes)


def problems_of(folder: Path) -> tuple[str, ...]:
    with pytest.raises(Unusable) as caught:
        read_personas(folder, TOOLS)
    return caught.value.problems


def test_those_that_come_with_the_worker_are_good() -> None:
    personas = read_personas(SHIPPED, TOOLS)
    assert {"assistant", "interviewer"} <= personas.keys()
    for persona in personas.values():
        assert persona.greeting
        assert persona.voice is None  # that of the provider that is set up


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('instructions = "Be kind."\ntools = ["end_call"]\n')
    (tmp_path / "two.yaml").write_text("instructions: Be kind.\ntools: [end_call]\n")
    (tmp_path / "notes.md").write_text("no persona")
    one, two = read_personas(tmp_path, TOOLS).values()
    assert one.model_copy(update={"name": "two"}) == two
    assert (one.tools, one.greeting, one.language) == (["end_call"], "", None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            'instruction = "x"\n',
            "instruction: there is no such key; there are apology, away,",
        ),
        ("greeting = 'x'\n", "instructions: Field required"),
        ('instructions = ""\n', "instructions: String should have at least 1"),
        ("instructions = 1\n", "instructions: Input should be a valid string"),
        ('instructions = "x"\ntools = ["weather"]\n', "tools: there is no tool 'weather'"),
        ('instructions = "x"\nname = "other"\n', "name: is 'other', but"),
        ('instructions = "x"\ntemperature = 3.0\n', "temperature: Input should be less"),
        ("instructions = \n", "Invalid value"),
        ("instructions = '" + "x" * 200_000 + "'", "is larger than"),
    ],
)
def test_a_mistake_is_said_with_file_and_key(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(content)
    problems = problems_of(tmp_path)
    assert any(words in problem for problem in problems)
    for problem in problems:
        assert problem.startswith(f"{path}: ")
        assert "\n" not in problem


@pytest.mark.parametrize("content", ["- a\n", "just words\n", "", "a: b: c\n", "a: \x00\n"])
def test_yaml_that_is_no_persona_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.yaml").write_text(content)
    assert problems_of(tmp_path)


def test_a_name_that_could_be_no_persona_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Big Boss.toml").write_text('instructions = "x"\n')
    assert ": name: " in problems_of(tmp_path)[0]


def test_two_files_for_one_persona_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('instructions = "x"\n')
    (tmp_path / "p.yaml").write_text("instructions: x\n")
    assert "another file" in problems_of(tmp_path)[0]


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1\nb = 2\n")
    (tmp_path / "c.toml").write_text("d = 1\n")
    assert len(problems_of(tmp_path)) == 5


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "none")[0].startswith("PERSONAS_DIR: ")


def test_personas_that_are_named_must_be_there() -> None:
    with pytest.raises(Unusable) as caught:
        Cast.of(settings(persona="nobody", personas=["interviewer", "ghost"]), TOOLS)
    assert [line.split()[0] for line in caught.value.problems] == ["PERSONA:", "PERSONAS:"]


def test_of_the_default_persona_a_variable_wins_and_of_others_the_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(
            f'instructions = "I am {name}."\ngreeting = "{name}!"\nvoice = "{name}"\n'
        )
    cast = Cast.of(
        settings(
            personas_dir=tmp_path,
            persona="a",
            agent_instructions="I am told.",
            tts_voice="told",
            stt_language="fr",
        ),
        TOOLS,
    )
    a, b = cast.role("a"), cast.role("b")
    assert (a.instructions, a.greeting, a.settings.tts_voice) == ("I am told.", "a!", "told")
    assert (b.instructions, b.greeting, b.settings.tts_voice) == ("I am b.", "b!", "b")
    assert {a.settings.stt_language, b.settings.stt_language} == {"fr"}


def test_a_default_is_no_variable_that_is_set(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('instructions = "x"\nvoice = "mine"\nlanguage = "de"\n')
    role = Cast.of(settings(personas_dir=tmp_path, persona="a"), TOOLS).default
    assert (role.settings.tts_voice, role.settings.stt_language) == ("mine", "de")


def test_only_the_default_persona_can_be_kept_from_speaking_first() -> None:
    cast = Cast.of(settings(agent_greets_first=False), TOOLS)
    assert cast.default.greeting == ""
    assert cast.role("interviewer").greeting


def test_an_unknown_persona_is_the_default_one_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cast = Cast.of(settings(), TOOLS)
    assert cast.role("ghost") is cast.default
    assert [record.message for record in caplog.records] == ["unknown persona"]
    assert cast.role(None) is cast.default
    assert len(caplog.records) == 1


def test_job_processes_get_the_same_cast() -> None:
    cast = Cast.of(settings(), TOOLS)
    assert pickle.loads(pickle.dumps(cast)) == cast  # noqa: S301 - our own bytes


def test_what_would_never_be_read_to_its_end_is_refused(tmp_path: Path) -> None:
    """A pipe that nobody writes to; a file without an end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    assert [problem.rpartition(": ")[2] for problem in problems_of(tmp_path)] == ["is no file"] * 2


def test_a_short_file_does_not_unfold_into_a_long_one(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 30)]
    (tmp_path / "p.yaml").write_text("\n".join(["a0: &a0 {x: 1}", *levels, "instructions: x"]))
    assert "line 2: << is not supported" in problems_of(tmp_path)[0]


def test_a_mistake_quotes_nothing_of_a_file(tmp_path: Path) -> None:
    """It may be a link to another one."""
    (tmp_path / "p.yaml").write_text("good: 1\npassword: [hunter2\n")
    (problem,) = problems_of(tmp_path)
    assert "line 3" in problem
    assert "hunter2" not in problem
