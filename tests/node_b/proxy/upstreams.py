"""What stands behind the proxy in the tests: it writes down what reaches it."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.node_b.proxy.certificates import Certificate


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    length: int
    digest: str


@dataclass
class Upstream:
    """`behave`: what it does once it has the whole call, instead of answering 200."""

    address: str
    calls: list[Call] = field(default_factory=list)
    behave: "Callable[[BaseHTTPRequestHandler], None] | None" = None

    def seen(self) -> list[str]:
        return [f"{call.method} {call.path}" for call in self.calls]


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)  # with a Server header, as the panel and Telegram have one
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def upstream(certificate: Certificate | None = None) -> Iterator[Upstream]:
    """On a free loopback port; over TLS if there is a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # whatever the method is
                return self._take
            raise AttributeError(name)

        def _take(self) -> None:
            digest, length = hashlib.sha256(), 0
            for piece in self._pieces():
                digest.update(piece)
                length += len(piece)
            known.calls.append(Call(self.command, self.path, dict(self.headers), length, digest.hexdigest()))
            if known.behave:
                known.behave(self)
            else:
                answer(self, 200, b'{"ok": true}')

        def _pieces(self) -> Iterator[bytes]:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            left = int(self.headers.get("Content-Length") or 0)
            while left and (piece := self.rfile.read(min(left, 1 << 20))):
                left -= len(piece)
                yield piece

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a proxy that hangs up on us, as some tests want it

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    known = Upstream(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
