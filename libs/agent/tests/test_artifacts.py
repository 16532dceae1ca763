"""Artifacts: what the agent finds, uploads and says, against an HTTP server that plans, cuts and refuses."""

import hashlib
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from build_dashboard.builds import artifacts
from build_dashboard.builds.artifacts import Uploader, UploadLater, UploadRefused, digest, find
from build_testkit.web import serving

BUILD = {"buildId": "b", "project": "p"}


class Store(ThreadingHTTPServer):
    """Plans uploads of parts not yet there; `faults` are answered first, one a request: a status, or `cut`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.offers, self.parts, self.keys, self.faults = [], {}, [], []
        self.refusal = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_POST(self):
        offer = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.offers.append(offer)
        self.server.keys.append(self.headers["authorization"])
        if self.server.refusal:
            return self.answer(self.server.refusal, {"detail": "too large by far"})
        size = offer.get("partSizeBytes") or offer["sizeBytes"]
        digests = offer.get("partSha256") or [offer["sha256"]]
        puts = [
            {
                "offset": at * size,
                "sizeBytes": min(size, offer["sizeBytes"] - at * size),
                "url": f"/put/{at}/{digests[at]}",
                "headers": {"x-sha": digests[at]},
            }
            for at in range(len(digests))
            if at not in self.server.parts
        ]
        return self.answer(200, {"artifactId": "a" * 32, "state": "uploading", "puts": puts})

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["content-length"]))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "cut":
            self.close_connection = True
            return None
        if fault:
            return self.answer(fault, {})
        assert self.headers["authorization"] is None
        if hashlib.sha256(content).hexdigest() != self.headers["x-sha"]:
            return self.answer(400, {"detail": "other bytes"})
        self.server.parts[int(self.path.split("/")[2])] = content
        return self.answer(200, {})

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        """Nothing: the tests look at the store."""


@pytest.fixture
def store():
    server = Store()
    with serving(server):
        yield server


@pytest.fixture
def uploader(store):
    progress = []
    made = Uploader(
        store.url,
        lambda: "key",
        BUILD,
        progress=lambda *seen: progress.append(seen),
        is_hurried=lambda: False,
        pause=lambda seconds: None,
    )
    made.seen = progress  # type: ignore[attr-defined]  # the test's own
    yield made
    made.close()


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(artifacts, "SINGLE_BYTES", 100)
    monkeypatch.setattr(artifacts, "PART_BYTES", 40)


def file_of(directory, content, name="mlir-opt"):
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return artifacts.Found(path, name)


def test_files_are_found_by_pattern_and_named_below_the_directory(tmp_path):
    """Folders are no files; one matched twice is one; one elsewhere is left out, and reported as left out."""
    for name in ("bin/mlir-opt", "a.whl", "lib/deep/b.whl"):
        file_of(tmp_path / "build", b"x", name)
    outside = file_of(tmp_path, b"x", "outside.json").path

    found, left_out = find(["**/*.whl", "*.whl", "bin/*", "none*", str(outside)], tmp_path / "build")

    assert ["a.whl", "bin/mlir-opt", "lib/deep/b.whl"] == [file.name for file in found]
    assert left_out == [f"{outside}: outside of the working directory {tmp_path / 'build'}", "none*: matches no file"]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_took_a_files_place_since_it_was_found_is_not_read(tmp_path, store, uploader, kind):
    """A link that leads out, or a pipe that nobody writes to: refused at once, nothing is offered."""
    found = file_of(tmp_path / "build", b"x")
    found.path.unlink()
    if kind == "link":
        found.path.symlink_to(file_of(tmp_path, b"secret", "secret").path)
    else:
        os.mkfifo(found.path)

    with pytest.raises(UploadRefused, match="cannot be read"):
        uploader.upload(found)

    assert store.offers == []


@pytest.mark.parametrize("content", [b"", b"x" * 100, bytes(range(256)) * 3], ids=["empty", "single", "parts"])
def test_the_bytes_arrive_whole(tmp_path, store, uploader, small_parts, content):
    """Small files in one request, larger ones in parts; progress ends at the size; only the dashboard gets the key."""
    uploaded = uploader.upload(file_of(tmp_path, content))

    assert b"".join(store.parts[at] for at in sorted(store.parts)) == content
    assert (uploaded["sizeBytes"], uploaded["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert store.keys == ["Bearer key"]
    assert content == b"" or max(seen[1] for seen in uploader.seen) == len(content)


@pytest.mark.parametrize("fault", ["cut", 500, 403])
def test_what_failed_is_asked_for_again_and_nothing_else(tmp_path, store, uploader, small_parts, fault):
    """A cut connection, a broken store and an expired address: a new plan brings the missing part."""
    store.faults = [fault]
    content = bytes(range(200))

    uploader.upload(file_of(tmp_path, content))

    assert b"".join(store.parts[at] for at in sorted(store.parts)) == content
    assert len(store.offers) == 2
    assert len({offer["sha256"] for offer in store.offers}) == 1


def test_a_file_that_changes_meanwhile_is_offered_anew(tmp_path, store, uploader):
    """Its old promise is refused as it arrives; the next round hashes what is there now."""
    found = file_of(tmp_path, b"before")
    store.faults = [400]
    uploader._pause = lambda seconds: found.path.write_bytes(b"afterwards")

    assert uploader.upload(found)["sha256"] == hashlib.sha256(b"afterwards").hexdigest()
    assert store.parts == {0: b"afterwards"}


@pytest.mark.parametrize(("status", "error"), [(413, UploadRefused), (403, UploadRefused), (503, UploadLater)])
def test_refusals_are_final_and_outages_are_not(tmp_path, store, uploader, status, error):
    """The dashboard's own words are shown; after some rounds of an outage the file waits for the next run."""
    store.refusal = status

    with pytest.raises(error, match="too large by far"):
        uploader.upload(file_of(tmp_path, b"x"))

    assert len(store.offers) == (artifacts.ROUNDS if error is UploadLater else 1)


def test_a_dashboard_that_is_gone_and_a_hurry_end_it(tmp_path, store):
    """Neither blocks the person at the terminal; a file that is gone is refused."""
    gone = Uploader(
        "http://127.0.0.1:9", lambda: "k", BUILD, progress=print, is_hurried=lambda: False, pause=lambda seconds: None
    )
    hurried = Uploader(store.url, lambda: "k", BUILD, progress=print, is_hurried=lambda: True)
    found = file_of(tmp_path, b"x")

    for uploader in (gone, hurried):
        with pytest.raises(UploadLater):
            uploader.upload(found)
        uploader.close()
    assert store.offers == []


def test_parts_are_never_more_than_the_dashboard_takes(tmp_path, monkeypatch, small_parts):
    """A larger file has larger parts."""
    monkeypatch.setattr(artifacts, "PARTS_MAX", 3)
    found = file_of(tmp_path, bytes(1000))

    facts = digest(found.path)

    assert (facts.part_bytes, len(facts.part_sha256)) == (334, 3)
