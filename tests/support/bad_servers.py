"""HTTP servers that are up and of no use: what a client meets when a server is broken, slow or somebody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler, threading.Event], None]
"""Answers one request; the event is set when the test ends."""


@contextmanager
def bad_server(answer: Answer) -> Iterator[str]:
    """Serve until the block ends; yields the address as HOST:PORT."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, is_over)

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on the terminal."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what is expected here."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def garbage(handler: BaseHTTPRequestHandler, is_over: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>" + b"It works! " * 1000)


def silence(handler: BaseHTTPRequestHandler, is_over: threading.Event) -> None:
    is_over.wait()


def trickle(handler: BaseHTTPRequestHandler, is_over: threading.Event) -> None:
    """Each byte comes before any timeout, and the answer never ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not is_over.wait(0.05):
        handler.wfile.write(b" ")


def come_back_tomorrow(handler: BaseHTTPRequestHandler, is_over: threading.Event) -> None:
    handler.send_response(503)
    handler.send_header("Retry-After", "86400")
    handler.end_headers()
