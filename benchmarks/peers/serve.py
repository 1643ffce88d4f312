"""The loop of every peer: a request a line on standard input, an answer a line on standard output.

It runs in environments as old as Python 3.7, and imports nothing but the standard library.
"""

import json
import sys
import time


def serve(work):
    """Answer each request, a JSON dict of arguments, with the seconds that `work` took and what it returned.

    The first line out is {}: imports and whatever came before this call are done. Nothing else may reach standard
    output, so what libraries print there goes to standard error.
    """
    answers, sys.stdout = sys.stdout, sys.stderr
    answers.write("{}\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        start, busy = time.perf_counter(), time.process_time()
        value = work(**request)
        answer = {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - busy,
            "value": value,
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
