# SPDX-License-Identifier: GPL-3.0-or-later
"""TPC-H's 22 questions over a small database have PostgreSQL's answers, whatever plans the statistics lead to."""
import os
import subprocess
import sys
import unittest

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/tpch")


class Tpch(unittest.TestCase):
    def test_answers(self):
        done = subprocess.run([sys.executable, BENCH, "--scale", "0.01", "--runs", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout.strip().split("\n")[-1])
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
