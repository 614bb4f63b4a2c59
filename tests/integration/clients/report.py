# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's script tells the test that runs it: one line for each feature, "ok NAME" or "not ok NAME: why".

    @feature("savepoints")
    def savepoints():
        ...
    run()

Features run in the order in which they are written; one that fails does not keep the others from running. With names on
the command line only these run, and tracebacks are printed.
"""
import sys
import traceback

features = []


def feature(name):
    def add(function):
        features.append((name, function))
        return function
    return add


def run():
    wanted = sys.argv[1:]
    failed = False
    for name, function in features:
        if wanted and name not in wanted:
            continue
        try:
            function()
            print("ok", name, flush=True)
        except Exception as error:
            failed = True
            if wanted:
                traceback.print_exc()
            print("not ok %s: %s: %s" % (name, type(error).__name__, " ".join(str(error).split())[:1500]), flush=True)
    sys.stdout.flush()
    sys.exit(1 if failed else 0)


def equal(got, wanted, what=""):
    assert got == wanted, "%s: got %r, wanted %r" % (what, got, wanted)
