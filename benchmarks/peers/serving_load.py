"""Clients of a server: the same request over and over, over gRPC where the address is HOST:PORT, over REST where a URL.

It sends bytes as they are in a file and parses no answer, so that what is timed is the server's.
"""

import base64
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import requests as http
from serve import serve

address, file, clients = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
sent = file.read_bytes()
own = threading.local()
pool = ThreadPoolExecutor(clients)


def over_grpc():
    """Ask over this thread's own connection: channels of the same target share one by default."""
    if not hasattr(own, "call"):
        channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        own.call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    return own.call(sent)


def over_rest():
    """Ask over this thread's own connection."""
    if not hasattr(own, "session"):
        own.session = http.Session()
    response = own.session.post(address, data=sent)
    response.raise_for_status()
    return response.content


ask = over_rest if "://" in address else over_grpc


def timed(_):
    """Give the seconds that one request took, and its answer."""
    start = time.perf_counter()
    answer = ask()
    return time.perf_counter() - start, answer


def work(requests):
    """Ask so many times, all clients together, each for its next as soon as it has its last."""
    answered = list(pool.map(timed, range(requests)))
    return {"latencies": [seconds for seconds, _ in answered], "answer": base64.b64encode(answered[-1][1]).decode()}


serve(work)
