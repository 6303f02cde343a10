"""`make release-check`: everything that has to be true of a release, in the order of its cost."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import DevstackError
from devstack.install.pages import ensure_pages
from devstack.release import contents
from devstack.release.advisories import audit
from devstack.release.build import Artifacts, build, pack_pages, rebuild, release_version
from devstack.release.licences import check_page
from devstack.release.sbom import write_bills
from devstack.release.trial import Trial
from devstack.services.network import NO_INTERFACE, has_usable_interface
from devstack.services.runner import ensure_tools
from devstack.settings import REPO, process_environment, run_dir
from devstack.tasks import audit_stages
from devstack.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Options:
    """`out` is where the files go; a quick check installs and runs nothing."""

    out: Path
    is_quick: bool = False
    has_audit: bool = True


def check_release(options: Options, env: Mapping[str, str], terminal: Terminal) -> int:
    """Check everything; return 0 when it may be released. The files are in `out` only then.

    Raises `DevstackError` at the first thing that makes the rest pointless.
    """
    version = release_version()
    terminal.title(f"── voicefleet {version}")
    if not contents.is_committed():
        terminal.warning("the checkout has changes that no commit has: a trial, not a release.")
    failures = _check_papers(version, terminal)
    with tempfile.TemporaryDirectory(prefix="voicefleet-release-") as scratch:
        drafts = Path(scratch) / "dist"
        artifacts = build(drafts, env, terminal)
        look_into(artifacts, version, env, terminal)
        write_bills(drafts / "sbom", version, terminal)
        if options.has_audit:
            terminal.title("── vulnerabilities")
            failures += audit(audit_stages(env), process_environment(), terminal)
        if not options.is_quick:
            pages = pack_pages(ensure_pages(env, terminal), drafts, version)
            trial = Trial(folder=Path(scratch) / "trial", env=env, terminal=terminal)
            _try(trial, artifacts.wheel, pages, version)
        if failures == 0:
            shutil.copytree(drafts, options.out, dirs_exist_ok=True)
    _tell_end(options, failures, terminal)
    return 1 if failures else 0


def look_into(
    artifacts: Artifacts, version: str, env: Mapping[str, str], terminal: Terminal
) -> None:
    """See that both packages hold what they should, and that one makes the other.

    Raises `BadRelease`.
    """
    needles = contents.needles_of(env)
    contents.check_wheel(artifacts.wheel, version, needles)
    terminal.step("wheel", "ok", note=artifacts.wheel.name)
    contents.check_sdist(artifacts.sdist, version, needles)
    terminal.step("sdist", "ok", note=artifacts.sdist.name)
    if rebuild(artifacts.sdist, env, terminal) != artifacts.wheel.read_bytes():
        raise contents.BadRelease("the sdist makes another wheel than the checkout does.")


def _check_papers(version: str, terminal: Terminal) -> int:
    """Check changelog and licences; return how many of them are not as they should be."""
    changelog = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    problems = contents.changelog_problems(version, changelog)
    terminal.step("changelog", "failed" if problems else "ok")
    for problem in problems:
        terminal.error(problem)
    return len(problems) + check_page(terminal)


def _try(trial: Trial, wheel: Path, pages: Path, version: str) -> None:
    """Install the wheel and speak with it; a failure's logs are kept, and named."""
    tools = ensure_tools(trial.env, trial.terminal)
    if not has_usable_interface():
        trial.terminal.warning(NO_INTERFACE)
    try:
        trial.terminal.title("── installed elsewhere")
        trial.install(wheel)
        trial.ask_modules(version)
        trial.terminal.title("── spoken with")
        trial.converse(pages, tools)
    except DevstackError:
        kept = run_dir(trial.env) / "release-logs"
        trial.keep_logs(kept)
        trial.terminal.note(f"its logs: {kept}")
        raise


def _tell_end(options: Options, failures: int, terminal: Terminal) -> None:
    if failures:
        terminal.error("not to be released: see what failed above.")
        return
    left_out = [
        *(["nothing was installed or run (--quick)"] if options.is_quick else []),
        *([] if options.has_audit else ["nobody was asked for vulnerabilities (--without-audit)"]),
    ]
    for one in left_out:
        terminal.warning(f"{one}: this is no release yet.")
    terminal.step("release", "ok", note=str(options.out))
