"""A Ray cluster of two machines, each of them processes here, that loses one of them once so many shards are written.

Arguments: shards; the output folder; then those of a command, to which the cluster's address is added. It prints the
command's exit status. Run it with an environment that has the extra [cluster].
"""

import os
import subprocess
import sys
import time
from pathlib import Path

# Nobody else may reach it. Both have to be set before Ray is imported.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

from ray.cluster_utils import Cluster  # noqa: E402

MACHINE = {"num_cpus": 1, "node_ip_address": "127.0.0.1"}
shards, output, command = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
cluster = Cluster(initialize_head=True, head_node_args=MACHINE)
lost = cluster.add_node(**MACHINE)
process = subprocess.Popen([*command, f"--address={cluster.address}"], stdout=sys.stderr)
while process.poll() is None and len(list(output.glob("*.parquet"))) < shards:
    time.sleep(0.1)
cluster.remove_node(lost, allow_graceful=False)
print(process.wait())
cluster.shutdown()
