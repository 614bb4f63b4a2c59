# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of sqllogictest's original dialect: our small corpus passes, and what differs is told."""
import os
import shutil
import tempfile
import unittest

import sqllogictest
from cluster import Cluster

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../sql/logic")


class Dialect(unittest.TestCase):
    def test_corpus(self):
        with Cluster(name="logic", profile="virtual+app", shards=1) as server:
            server.wait_connect("main").close()
            dsn = server.url("main")
            self.assertEqual(sqllogictest.run(dsn, [CORPUS]), [])
            folder = tempfile.mkdtemp(prefix="isopod-logic-")
            try:
                self.wrong(dsn, folder)
            finally:
                shutil.rmtree(folder)

    def wrong(self, dsn, folder):
        """Each kind of difference is one; --rewrite makes the file right."""
        path = os.path.join(folder, "wrong.test")
        with open(path, "w") as file:
            file.write("statement ok\nSELECT nosuch\n\nstatement error\nSELECT 1\n\nstatement error 23505\nSELECT 1/0\n\nquery I nosort\nSELECT 7\n----\n8\n\n"
                       "query I nosort l\nSELECT 1\n----\n1\n\nquery I nosort l\nSELECT 2\n----\n2\n\nquery II nosort\nSELECT 1\n----\n1\n\nquery I nosort\nSELECT 3\n----\n3 values hashing to 0\n")
        self.assertEqual(len(sqllogictest.run(dsn, [folder])), 7)
        sqllogictest.run(dsn, [folder], rewrite=True)
        with open(path) as file:
            self.assertIn("SELECT 7\n----\n7\n", file.read())


if __name__ == "__main__":
    unittest.main()
