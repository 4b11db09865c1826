"""GitHub's API on loopback: every request and every response is held against GitHub's own description."""

import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.github_api import document
from tests.github_api.document import Operation
from tests.github_api.faults import Fault
from tests.github_api.hub import Hub, Reply

TOKEN = "ghs_loopbackSecret"
Json = Any


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    headers: Mapping[str, str]


@dataclass
class GitHubServer:
    """A server and the state behind it; ``violations`` must be empty at the end of a test."""

    hub: Hub
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, method: str, part: str) -> int:
        """How many requests of this method had this in their path."""
        return sum(each.method == method and part in each.path for each in self.requests)

    def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """The reply, and the fault that distorts it on its way, if any."""
        with self.lock:
            self.requests.append(request)
            fault = next((each for each in self.faults if each.fits(request.method, request.path)), None)
            if fault is not None:
                fault.times -= 1
                if fault.kind == "answer":
                    return Reply(fault.status, fault.body, fault.headers), fault
            reply = self._reply(request)
            if fault is not None and fault.kind == "done-but":
                reply = Reply(fault.status, fault.body, fault.headers)
            return reply, fault

    def _reply(self, request: Request) -> Reply:
        if request.path.startswith("/_blob/"):
            return self.hub.blob(request.path)
        described = document.load()
        operation = described.find(request.method, request.path)
        if operation is None:
            self.violations.append(f"{request.method} {request.path}: no such operation")
            return Reply(404, {"message": "Not Found"})
        problems = described.request_errors(operation, request.query, request.body)
        if problems:
            self.violations += [f"{operation.name}, request: {problem}" for problem in problems]
            return Reply(422, {"message": "Validation Failed", "errors": problems, "documentation_url": "x"})
        if not request.headers.get("Authorization", "").endswith(TOKEN):
            return Reply(401, {"message": "Bad credentials"})
        return self._checked(operation, self.hub.handle(operation, request.query, request.body))

    def _checked(self, operation: Operation, reply: Reply) -> Reply:
        if reply.status < 300 and reply.body is not None:
            problems = document.load().response_errors(operation, reply.status, reply.body)
            self.violations += [f"{operation.name}, response {reply.status}: {each}" for each in problems]
        return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    github: GitHubServer
    is_blob_host = False

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        if self.is_blob_host and "Authorization" in headers:
            self.github.violations.append("the token was sent to the blob host")
        query = dict(parse_qsl(parts.query))
        request = Request(self.command, unquote(parts.path), query, json.loads(raw) if raw else None, headers)
        reply, fault = self.github.answer(request)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        self._send(reply, cut=fault is not None and fault.kind == "cut")

    def _send(self, reply: Reply, *, cut: bool) -> None:
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        data = b"" if reply.body is None else data
        self.send_response(reply.status)
        kind = "application/zip" if isinstance(reply.body, bytes) else "application/json; charset=utf-8"
        limits = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "999"}
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **limits,
            **reply.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a client that hangs up is part of the tests."""


class RunningServer:
    """Two listeners on loopback: the API, and the host that stores artifacts."""

    def __init__(self) -> None:
        self._api = _Listener(("127.0.0.1", 0), _Handler)
        self._blobs = _Listener(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._api.server_address[1]}"
        blob_url = f"http://localhost:{self._blobs.server_address[1]}"
        self.github = GitHubServer(Hub(self.url, blob_url))
        for server, is_blob_host in ((self._api, False), (self._blobs, True)):
            handler = type("Handler", (_Handler,), {"github": self.github, "is_blob_host": is_blob_host})
            server.RequestHandlerClass = handler
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        for server in (self._api, self._blobs):
            server.shutdown()
            server.server_close()
