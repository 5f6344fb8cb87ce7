"""The cache that a model hub's own client leaves, downloaded from a hub in this process."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.trajectory.saving import Saved, matrices, network


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of a model hub as a download asks for: a model's revisions, and their files."""

    revisions: Mapping[str, Mapping[str, bytes]] = {}

    def do_HEAD(self) -> None:
        """Describe a file."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Send a file, or what a revision holds."""
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        words = self.path.partition("?")[0].strip("/").split("/")
        revision = next((name for name in self.revisions if name in words or commit(name) in words), None)
        if revision is None:
            self.send_error(404)
            return
        files = self.revisions[revision]
        content = files[words[-1]] if "resolve" in words else self._description(revision, words)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", commit(revision))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _description(self, revision: str, words: list[str]) -> bytes:
        files = self.revisions[revision]
        if "tree" in words:
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in files.items()
            ]
            return json.dumps(entries).encode()
        siblings = [{"rfilename": name} for name in files]
        return json.dumps({"id": "a/b", "sha": commit(revision), "siblings": siblings}).encode()


def commit(revision: str) -> str:
    """A revision's commit."""
    return hashlib.sha1(revision.encode()).hexdigest()


def hub_cache(folder: Path) -> Saved:
    """The hub's cache: blobs, refs, and snapshots of links; the steps are revisions of the model, as Pythia's."""
    hub = pytest.importorskip("huggingface_hub")
    from safetensors.torch import save

    states = {step: network(step).state_dict() for step in (1000, 2000)}
    Hub.revisions = {
        f"step{step}": {"model.safetensors": save(state), "config.json": b"{}"} for step, state in states.items()
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for revision in Hub.revisions:
            hub.HfApi(endpoint=f"http://127.0.0.1:{server.server_port}", token=False).snapshot_download(
                "a/b", revision=revision, cache_dir=folder
            )
    finally:
        server.shutdown()
        server.server_close()
    cache = folder / "models--a--b"
    assert any(file.is_symlink() for file in cache.rglob("model.safetensors"))
    return cache, {step: matrices(state) for step, state in states.items()}
