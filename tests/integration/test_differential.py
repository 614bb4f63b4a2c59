# SPDX-License-Identifier: GPL-3.0-or-later
"""Random statements mean what they mean to PostgreSQL 15: a sample of fixed seeds. tests/differential/run.py runs as long as one likes."""
import os
import subprocess
import sys
import unittest

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../differential/run.py")


class Differential(unittest.TestCase):
    def test_fixed_seeds(self):
        done = subprocess.run([sys.executable, RUN, "--seed", "1", "--seeds", "40"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout.strip().split("\n")[-1])
        self.assertEqual(done.returncode, 0, done.stdout[-8000:])


if __name__ == "__main__":
    unittest.main()
