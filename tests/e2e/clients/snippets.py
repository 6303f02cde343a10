"""The documentation's examples with LiveKit's JavaScript SDKs, each as a page of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.install.web import WEB
from tests.support.markdown import Block, blocks
from tests.support.web import Scripts, build_page

#: Those that are a whole page, or all of it but two buttons.
SNIPPETS = [*blocks("README.md", "tsx"), *blocks("docs/frontends.md", "tsx", "js")]
ENDPOINT = "http://127.0.0.1:8080/api/token"

_HTML = """<!doctype html>
<html lang="en">
<title>An example</title>
{body}
</html>
"""
_BUTTONS = """<button id="talk">Talk</button> <button id="stop">Hang up</button>
<script type="module" src="./example.js"></script>"""
_ROOT = """<div id="root"></div>
<script type="module" src="./main.tsx"></script>"""
_MAIN = """import { createRoot } from "react-dom/client";
import { Talk } from "./example.tsx";
createRoot(document.querySelector("#root")!).render(<Talk />);
"""


@contextmanager
def built_snippet(
    scripts: Scripts, snippet: Block, endpoint: str, directory: Path
) -> Iterator[str]:
    """Build a page of an example into a folder of `directory`; yield the folder's name."""
    name = f"example-{Path(snippet.page).stem}-{snippet.line}"
    # In web/, where its imports are good.
    source = WEB / "test" / name
    source.mkdir()
    try:
        assert snippet.text.count(ENDPOINT) == 1
        code = snippet.text.replace(ENDPOINT, endpoint)
        (source / f"example.{snippet.language}").write_text(code)
        is_react = snippet.language == "tsx"
        (source / "index.html").write_text(_HTML.format(body=_ROOT if is_react else _BUTTONS))
        if is_react:
            (source / "main.tsx").write_text(_MAIN)
        build_page(scripts, f"test/{name}", directory / name)
        yield name
    finally:
        shutil.rmtree(source)
