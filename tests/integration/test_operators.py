# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators see of a cluster of several nodes, and what they do to it."""
import unittest

from cluster import wait_until
from nodes import Nodes


class Figures(unittest.TestCase):
    def test_every_node_tells_its_load(self):
        with Nodes(2) as nodes:
            def told():
                rows = nodes.status()
                return all(int(row["data_bytes"]) > 0 and int(row["disk_bytes"]) > int(row["disk_free_bytes"]) > 0
                           for row in rows) and sum(int(row["ranges"]) for row in rows) > 0
            wait_until(told, "figures of load from both nodes")
            with nodes[2].connect(options="-ccluster=system") as session:
                self.assertEqual(session.value("SELECT count(*) FROM crdb_internal.kv_node_status "
                                               "WHERE data_bytes > 0 AND disk_bytes > disk_free_bytes"), 2)
                self.assertGreater(session.value("SELECT sum(ranges) FROM crdb_internal.gossip_nodes"), 0)


if __name__ == "__main__":
    unittest.main()
