"""The command line: one flag per setting, except secrets, which a process list would show."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pydantic import ValidationError

from localvoice.settings import Settings

#: Only read from the environment.
SECRETS = frozenset({"api_key", "llm_api_key"})


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m localvoice``."""
    parser = argparse.ArgumentParser(
        prog="localvoice",
        description="Speech and scripted chat on the CPU, behind OpenAI's API. "
        "Each flag is also a variable: --stt-concurrency is LOCALVOICE_STT_CONCURRENCY.",
        epilog="Keys are read from LOCALVOICE_API_KEY and LOCALVOICE_LLM_API_KEY only.",
    )
    for name, field in Settings.model_fields.items():
        if name not in SECRETS:
            default = "" if field.default is None else f" (default: {field.default})"
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                dest=name,
                metavar="VALUE",
                default=argparse.SUPPRESS,
                help=f"{field.description}{default}",
            )
    return parser


def parse_settings(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from flags, then the environment, then defaults.

    Ends the process with status 2 and one line per problem when a value is unusable.
    """
    parser = build_parser()
    flags = vars(parser.parse_args(arguments))
    try:
        return Settings(**flags)
    except ValidationError as error:
        parser.error(describe(error))


def describe(error: ValidationError) -> str:
    """Which settings are unusable and why; never their values, which may be secret."""
    problems = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(item["loc"][0]) if item["loc"] else "settings"
        problems.append(f"LOCALVOICE_{name.upper()}: {item['msg']}")
    return "unusable settings:\n  " + "\n  ".join(problems)
