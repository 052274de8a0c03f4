"""Serves a small model over HTTP inside the job, asks it a hundred times, and prints the latency it measured.

On a lease: `assay run LEASE --upload examples/serve_model.py -- python3 serve_model.py`
"""

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


def main() -> None:
    """One connection, as a client that stays would have it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection(*server.server_address)
    times = []
    for number in range(REQUESTS):
        body = json.dumps(np.random.default_rng(number).normal(size=SIZE).tolist())
        started = time.perf_counter()
        connection.request("POST", "/", body)
        connection.getresponse().read()
        times.append(1000 * (time.perf_counter() - started))
    times.sort()
    print(
        json.dumps({"requests": REQUESTS, "medianMs": round(statistics.median(times), 2), "p99Ms": round(times[98], 2)})
    )
    server.shutdown()


if __name__ == "__main__":
    main()
