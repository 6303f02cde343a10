"""A browser as a user has it: a microphone that plays a file, and no way out of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import BrowserContext, Page, async_playwright, expect

from devstack.install.web import WEB
from devstack.settings import REPO

#: Generous: the machine that runs the tests may be busy with something else.
DEADLINE_S = 90.0

_NO_HOSTS = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
_ARGUMENTS = (
    "--no-sandbox",  # tests may run as root, and open no page but ours
    # A browser calls home by itself; this one finds nothing beyond the machine.
    f"--host-resolver-rules={_NO_HOSTS}",
    # There is a microphone, whether or not the user allows a page to have it.
    "--use-fake-device-for-media-stream",
    # On a machine with nothing but loopback there is no other way to the media server.
    "--allow-loopback-in-peer-connection",
)
#: Audio must play on a machine without a sound card, and without a click.
_PLAYS_UNASKED = "--autoplay-policy=no-user-gesture-required"
_ALLOWS_MICROPHONE = "--use-fake-ui-for-media-stream"

#: Remembers the connections of a page, and records what is heard over them: only they know it.
_REMEMBER_CONNECTIONS = """
    window.connections = [];
    window.recordings = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) {
            super(...given);
            window.connections.push(this);
            this.addEventListener("track", ({ track }) => {
                if (track.kind === "audio") record(track);
            });
        }
    };
    function record(track) {
        const kind = { mimeType: "audio/webm;codecs=opus" };
        const recorder = new MediaRecorder(new MediaStream([track]), kind);
        const pieces = [];
        window.recordings.push(pieces);
        recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
        recorder.start(500);
    }
"""

_RECEIVED_AUDIO_ENERGY = """async () => {
    let energy = 0;
    for (const connection of window.connections)
        for (const report of (await connection.getStats()).values())
            if (report.type === "inbound-rtp" && report.kind === "audio")
                energy += report.totalAudioEnergy ?? 0;
    return energy;
}"""

_PLAYS = """() => [...document.querySelectorAll("audio")].some(
    (one) => one.srcObject && !one.paused && !one.muted && one.volume > 0 && one.currentTime > 0,
)"""

#: What axe-core calls so: https://github.com/dequelabs/axe-core/blob/develop/doc/issue_impact.md
_SERIOUS = frozenset({"serious", "critical"})
_AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
_FINDINGS = """async () => {
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) =>
        ({ id, impact, where: nodes.map((node) => `${node.target}: ${node.failureSummary}`) }));
}"""
#: Where the last pictures of every view are, to look at.
PICTURES = REPO / ".run" / "pictures"

#: Some tracks are never used, and have nothing.
_LAST_RECORDING = """async () => {
    const last = window.recordings.filter((pieces) => new Blob(pieces).size > 0).at(-1);
    const bytes = await new Blob(last ?? []).arrayBuffer();
    return Array.from(new Uint8Array(bytes));
}"""


@asynccontextmanager
async def browsing(
    chromium: Path,
    *,
    microphone: Path | None = None,
    plays_unasked: bool = True,
    resolves: str | None = None,
    is_still: bool = False,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
) -> AsyncIterator[BrowserContext]:
    """Run a browser. What `microphone` has is what the user says, over and over; without one the
    user allows the page none. `resolves` is another name of this machine; with `is_still` the user
    wants no motion.
    """
    arguments: Sequence[str] = _ARGUMENTS
    if resolves is not None:
        # The last one counts.
        arguments = (*arguments, f"--host-resolver-rules=MAP {resolves} 127.0.0.1, {_NO_HOSTS}")
    if plays_unasked:
        arguments = (*arguments, _PLAYS_UNASKED)
    if microphone is not None:
        # Without the file the microphone would be silent, and nobody would say so.
        assert microphone.is_file()  # noqa: ASYNC240 - once for each browser
        capture = f"--use-file-for-fake-audio-capture={microphone}"
        arguments = (*arguments, _ALLOWS_MICROPHONE, capture)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=arguments, timeout=DEADLINE_S * 1000
        )
        try:
            context = await browser.new_context(
                viewport={"width": width, "height": 844},
                color_scheme=scheme,
                reduced_motion="reduce" if is_still else "no-preference",
            )
            context.set_default_timeout(DEADLINE_S * 1000)
            expect.set_options(timeout=DEADLINE_S * 1000)
            await context.add_init_script(_REMEMBER_CONNECTIONS)
            yield context
        finally:
            await browser.close()


async def received_energy(page: Page) -> float:
    """Return the energy of all sound that has arrived so far, in units of getStats()."""
    return float(await page.evaluate(_RECEIVED_AUDIO_ENERGY))


async def is_audible(page: Page) -> bool:
    """Whether an element of the page plays what arrives."""
    return bool(await page.evaluate(_PLAYS))


async def serious_findings(page: Page) -> list[dict[str, Any]]:
    """Return what axe-core finds serious or worse in a page as it is."""
    await page.evaluate(_AXE.read_text(encoding="utf-8"))
    findings: list[dict[str, Any]] = await page.evaluate(_FINDINGS)
    return [finding for finding in findings if finding["impact"] in _SERIOUS]


async def take_picture(page: Page, name: str) -> None:
    """Keep what a page looks like, for people to look at."""
    await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


async def everything_kept(page: Page) -> str:
    """Return all that the browser keeps for the page's site."""
    stores = "[{ ...localStorage }, { ...sessionStorage }, document.cookie]"
    return str(await page.evaluate(f"JSON.stringify({stores})"))


async def forget_recordings(page: Page) -> None:
    """Count only what is heard over tracks that come from now on."""
    await page.evaluate("window.recordings.length = 0")


async def recording(page: Page) -> bytes:
    """Return what was heard over the track that came last and was heard at all, as WebM."""
    return bytes(await page.evaluate(_LAST_RECORDING))
