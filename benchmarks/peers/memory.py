"""What memory a process has. Linux only: it reads /proc.

The high-water mark is VmHWM: getrusage's peak would hold that of the process that started this one.
"""

import re
from pathlib import Path


def read_memory(field, process="self"):
    """Bytes of a field of the process's status."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", status)[1])
