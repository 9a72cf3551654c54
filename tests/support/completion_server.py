"""A fake model server that speaks OpenAI's chat completions, so that the official SDK can be tested without a model.

It answers tasks deterministically: model `p-70` gives the reference solution for 70% of (prompt, seed) pairs, drawn by
hash, and a wrong one for the rest. Models `garbage`, `html`, `empty`, `no-usage`, `hang`, `flaky` and `down` misbehave
as they are called. Every call is appended to a log file before it is answered, as a bill would. Run it as a process:

    python -m tests.support.completion_server PORT_FILE LOG_FILE TASKS_FOLDER [DELAY_SECONDS]
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import yaml

WRONG = "def nothing():\n    return None\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_file: Path
    solutions: dict[str, str]
    delay_seconds: float
    seen: ClassVar[set[tuple[str, str, int]]] = set()

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def do_GET(self) -> None:
        self._send(200, json.dumps({"object": "list", "data": []}))

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model, prompt, seed = request["model"], request["messages"][-1]["content"], request.get("seed", 0)
        with self.log_file.open("a") as log:
            log.write(json.dumps([model, hashlib.sha256(prompt.encode()).hexdigest()[:16], seed]) + "\n")
        time.sleep(3600 if model == "hang" else self.delay_seconds)
        is_first = (model, prompt, seed) not in self.seen
        self.seen.add((model, prompt, seed))
        match model:
            case "flaky" if is_first:
                self._send(429, json.dumps({"error": {"message": "slow down"}}))
            case "garbage":
                self._send(200, '{"choices": [')
            case "html":
                self._send(200, "<html>It works!</html>", "text/html")
            case "down":
                self._send(500, json.dumps({"error": {"message": "out of order"}}))
            case _:
                self._send(200, json.dumps(self._completion(model, prompt, seed)))

    def _completion(self, model: str, prompt: str, seed: int) -> dict[str, object]:
        text = "" if model == "empty" else f"Here it is:\n\n```python\n{self._solution(model, prompt, seed)}\n```\n"
        completion: dict[str, object] = {
            "id": f"fake-{seed}",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        }
        if model != "no-usage":
            words = len(text.split())
            completion["usage"] = {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words}
        return completion

    def _solution(self, model: str, prompt: str, seed: int) -> str:
        share = int(model.removeprefix("p-")) if model.startswith("p-") else 100
        draw = hashlib.sha256(f"{model} {prompt} {seed}".encode()).digest()[0] / 256 * 100
        right = next((code for asked, code in self.solutions.items() if asked in prompt), WRONG)
        return right if draw < share else WRONG

    def _send(self, status: int, body: str, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a caller that was killed waits for nothing
            self.wfile.write(body.encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers are killed in tests; a broken connection is nothing to report."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def load_solutions(folder: Path) -> dict[str, str]:
    """Prompt to reference solution."""
    return {
        yaml.safe_load((task / "task.yaml").read_text())["prompt"].rstrip(): (task / "reference.py").read_text()
        for task in folder.iterdir()
        if (task / "task.yaml").exists()
    }


def main() -> None:
    port_file, log_file, tasks = map(Path, sys.argv[1:4])
    Handler.log_file, Handler.solutions = log_file, load_solutions(tasks)
    Handler.delay_seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    server = Server(("127.0.0.1", 0), Handler)
    draft = port_file.with_suffix(".draft")
    draft.write_text(str(server.server_address[1]))
    draft.replace(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
