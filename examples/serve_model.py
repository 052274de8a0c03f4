"""Serves a small model over HTTP on the loopback of a pod, and measures the latency of a hundred answers from here.

    assay run LEASE --detach --upload examples/serve_model.py -- python3 serve_model.py --serve 8000
    assay ssh LEASE -L 8000:localhost:8000 -- sleep 600 &
    python3 examples/serve_model.py --ask 8000

Without either it asks itself: `assay run LEASE --upload examples/serve_model.py -- python3 serve_model.py` shows what
of that is not the way.
"""

import argparse
import http.client
import json
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

SIZE, REQUESTS = 256, 100
LAYERS = [np.random.default_rng(n).normal(0, 1 / np.sqrt(SIZE), (SIZE, SIZE)) for n in range(4)]


class Model(BaseHTTPRequestHandler):
    """POST a JSON list of SIZE numbers; the model's answer comes back as one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two small writes

    def do_POST(self) -> None:
        """Runs the layers on the input."""
        values = np.array(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        for layer in LAYERS:
            values = np.tanh(values @ layer)
        body = json.dumps(values.tolist()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Latency is what is printed."""


def ask(host: str, port: int) -> dict[str, float]:
    """The latency of REQUESTS answers over one connection, as a client that stays would have it."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    times = []
    for number in range(REQUESTS):
        body = json.dumps(np.random.default_rng(number).normal(size=SIZE).tolist())
        started = time.perf_counter()
        connection.request("POST", "/", body)
        answer = json.loads(connection.getresponse().read())
        times.append(1000 * (time.perf_counter() - started))
        if len(answer) != SIZE:
            raise SystemExit(f"answered {len(answer)} values, {SIZE} expected")
    times.sort()
    return {"requests": REQUESTS, "medianMs": round(statistics.median(times), 2), "p99Ms": round(times[98], 2)}


def main() -> None:
    """Serves, asks, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", metavar="PORT", type=int, help="serve on this port until stopped")
    parser.add_argument("--ask", metavar="PORT", type=int, help="measure what is served on a port of this machine")
    given = parser.parse_args()
    if given.ask is not None:
        print(json.dumps(ask("127.0.0.1", given.ask)))
        return
    server = ThreadingHTTPServer(("127.0.0.1", given.serve or 0), Model)
    if given.serve is not None:
        print(f"serving on {given.serve}", flush=True)
        server.serve_forever()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(ask(*server.server_address)))
    server.shutdown()


if __name__ == "__main__":
    main()
