# SPDX-License-Identifier: GPL-3.0-or-later
"""What psql shows of statements that fail, and of notices: SQLSTATE, message, detail, hint and the names of what it is about.

Every tests/sql/messages/NAME.sql is run by psql in a database of its own; NAME.out is what PostgreSQL 15 made of it. Places in
the source of either server are left out, and so are positions in the statement, but for files whose names begin with places.

Run by hand:  python3 tests/integration/test_messages.py [--rewrite CONNINFO] [file...]
--rewrite takes what is expected from another server (PostgreSQL 15), whose database w it makes anew for each file.
"""
import difflib
import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
FILES = sorted(glob.glob(os.path.join(HERE, "../sql/messages/*.sql")))


def run_psql(conninfo, path):
    """What psql shows of the file, statements included."""
    script = "\\set VERBOSITY verbose\n" + open(path).read()
    done = subprocess.run(["psql", conninfo, "-X", "-a", "-f", "-"], input=script, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    text = re.sub(r"(?m)^psql:<stdin>:\d+: ", "", done.stdout)
    text = re.sub(r"(?m)^LOCATION: .*\n", "", text)
    if os.path.basename(path).startswith("places"):
        return text
    return re.sub(r"(?m)^LINE \d+: .*\n *\^\n", "", text)


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from cluster import Cluster
        cls.server = Cluster(name="messages", profile="virtual+app")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()


def make_test(path):
    def test(self):
        name = "messages_" + os.path.basename(path)[:-4]
        with self.server.wait_connect("main") as session:
            session.run("CREATE DATABASE " + name)
        got = run_psql(self.server.url("main", database=name), path).split("\n")
        wanted = open(path[:-4] + ".out").read().split("\n")
        if got != wanted:
            self.fail("\n".join(difflib.unified_diff(wanted, got, "PostgreSQL", "here", lineterm="", n=3)))
    return test


for file in FILES:
    setattr(Messages, "test_" + os.path.basename(file)[:-4], make_test(file))


def main():
    if "--rewrite" not in sys.argv:
        return unittest.main()
    at = sys.argv.index("--rewrite")
    conninfo = sys.argv[at + 1]
    for path in sys.argv[at + 2:] or FILES:
        for statement in ("DROP DATABASE IF EXISTS w", "CREATE DATABASE w"):
            subprocess.run(["psql", conninfo + " dbname=postgres", "-qXc", statement], check=True)
        open(path[:-4] + ".out", "w").write(run_psql(conninfo + " dbname=w", path))


if __name__ == "__main__":
    main()
