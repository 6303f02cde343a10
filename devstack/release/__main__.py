"""`make release-check`, `make sbom`, `make licences`: `python -m devstack.release --help`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack.cli import guarded
from devstack.release.build import release_version
from devstack.release.check import Options, check_release
from devstack.release.licences import check_page, write_page
from devstack.release.sbom import write_bills
from devstack.settings import REPO, load_environment
from devstack.terminal import Terminal

DIST = REPO / "dist"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three; return its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    arguments = build_parser().parse_args(argv)
    env = load_environment()
    terminal = Terminal(env)

    def work() -> int:
        if arguments.command == "licences":
            return check_page(terminal) if arguments.check else write_page(terminal)
        if arguments.command == "sbom":
            return write_bills(arguments.out / "sbom", release_version(), terminal)
        options = Options(
            out=arguments.out, is_quick=arguments.quick, has_audit=not arguments.without_audit
        )
        return check_release(options, env, terminal)

    return guarded(work, terminal)


def build_parser() -> argparse.ArgumentParser:
    """Describe the three."""
    parser = argparse.ArgumentParser(prog="python -m devstack.release")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "release-check",
        help="build what is released, look into it, install it elsewhere, and speak with it",
        description="Exit status 0: everything is as a release has to be, and in dist/.",
    )
    check.add_argument("--quick", action="store_true", help="install and run nothing")
    check.add_argument("--without-audit", action="store_true", help="ask for no vulnerabilities")
    sbom = commands.add_parser("sbom", help="write what is in each image, and in the pages")
    for one in (check, sbom):
        one.add_argument("--out", type=Path, default=DIST, metavar="DIR", help="in place of dist/")
    licences = commands.add_parser("licences", help="write docs/licences.md anew")
    licences.add_argument("--check", action="store_true", help="only compare")
    return parser


if __name__ == "__main__":
    sys.exit(main())
