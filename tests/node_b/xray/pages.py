"""What answers with its own address, whatever is said to it."""

import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests.node_b.world.network import Network


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if self.request.recv(1000):
            self.request.sendall(self.request.getsockname()[0].encode())


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def pages(network: Network, addresses: Sequence[str], port: int) -> Iterator[None]:
    with ExitStack() as stack:
        for address in addresses:
            with network.entered():
                server = stack.enter_context(_Server((address, port), _Handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield
