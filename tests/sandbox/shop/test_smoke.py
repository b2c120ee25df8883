"""What `make smoke` calls a purchase that went well."""

import base64
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sandbox.customer import Delivery
from sandbox.smoke import problem_with

NODES = ("de1", "nl1")
KEYS = [f"{scheme}://secret@{code}.sandbox.invalid:1" for code in NODES for scheme in ("vless", "ss")]

Serve = Callable[[list[str]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A subscription link that holds these keys."""
    held: list[str] = []

    class Link(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(base64.b64encode("\n".join(held).encode()))

    with HTTPServer(("127.0.0.1", 0), Link) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()

        def serving(keys: list[str]) -> str:
            held[:] = keys
            return f"http://127.0.0.1:{server.server_port}/sub/token"

        yield serving
        server.shutdown()
        thread.join()


def problem(chat: list[str], link: str) -> str | None:
    return problem_with(Delivery(1, chat, link), NODES, patience=0)


def test_the_link_holds_every_nodes_keys_and_the_chat_some_of_them(serve: Serve) -> None:
    link = serve(KEYS)

    assert problem(KEYS, link) is None
    assert problem(KEYS[:1], link) is None, "a slow node's come later, into the link"


@pytest.mark.parametrize(
    ("linked", "chat", "word"),
    [
        (KEYS[:3], KEYS[:3], "nl1"),
        ([], [], "de1"),
        ([*KEYS, KEYS[0] + "0"], KEYS, "1 keys too many"),
        (KEYS, [KEYS[0] + "0"], "other keys"),
    ],
    ids=["a key is missing", "no keys", "a key twice", "another key in the chat"],
)
def test_anything_else_is_a_problem(serve: Serve, linked: list[str], chat: list[str], word: str) -> None:
    assert word in (problem(chat, serve(linked)) or "")
