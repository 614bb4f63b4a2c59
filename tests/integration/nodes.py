# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of several real processes on this machine.

    with Nodes(3) as nodes:
        with nodes[1].connect() as session: ...
        nodes[2].kill()
        nodes[2].start()
"""
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile

import cluster
from cluster import DEADLINE_S, ISOPOD, Server, Session, Timeout, wait_until


def free_ports(count):
    """Ports nobody listens on now, and that the system gives to no client while their node is down."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        low, high = (int(field) for field in file.read().split())
    choice = list(range(10240, low)) if low > 12000 else list(range(high + 1, 65536)) or list(range(1024, 65536))
    random.SystemRandom().shuffle(choice)
    ports, sockets = [], []
    try:
        for port in choice:
            each = socket.socket()
            sockets.append(each)
            try:
                each.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
        raise AssertionError("no free ports")
    finally:
        for each in sockets:
            each.close()


class Node(Server):
    def __init__(self, nodes, index, port, extra=()):
        self.nodes = nodes
        self.index = index
        self.port = port
        self.extra = list(extra)
        self.shards = nodes.shards
        self.store = os.path.join(nodes.folder, "store-%d" % index)
        self.name = "node %d" % index
        self.starts = 0
        self.id = None
        self.host = "127.0.0.1"
        self.prefix = []  # Of its command: a network of its own.

    def launch(self):
        """Starts the process and does not wait."""
        assert self.process is None
        self.starts += 1
        self.url_file = os.path.join(self.nodes.folder, "url-%d-%d" % (self.index, self.starts))
        self.output_path = os.path.join(self.nodes.folder, "output-%d-%d" % (self.index, self.starts))
        command = self.prefix + [ISOPOD, "start", "--store", self.store, "--listen-addr", "%s:%d" % (self.host, self.port),
                   "--http-addr", "%s:0" % self.host, "--join", self.nodes.join, "--listening-url-file", self.url_file,
                   "--no-pin", "--shards", str(self.shards)]
        if "--locality-file" not in self.extra:
            command += ["--locality", "zone=z%d" % self.index]
        command += self.nodes.security + self.extra
        self.launch_process(command)

    def _check(self):
        if self.process.poll() is not None:
            raise AssertionError("node %d ended with %s:\n%s" % (self.index, self.process.returncode, self.output()))

    def waits(self):
        """Whether it waits for init or to join."""
        self._check()
        return "initial startup completed" in self.output()

    def serves(self):
        self._check()
        return os.path.exists(self.url_file) and os.path.getsize(self.url_file) > 0

    def await_serving(self, deadline_s=DEADLINE_S):
        try:
            wait_until(self.serves, "node %d to serve" % self.index, deadline_s)
        except Timeout as error:
            raise Timeout("%s\n%s" % (error, self.output()))

    def start(self):
        self.launch()
        self.await_serving()

    def dsn(self, database="defaultdb", options=None, user="root"):
        dsn = "host=%s port=%d user=%s dbname=%s" % (self.host, self.port, user, database)
        if options:
            dsn += " options='%s'" % options
        return dsn + (" sslmode=disable" if not self.nodes.certs else
                      " sslmode=require sslcert={0}/client.root.crt sslkey={0}/client.root.key".format(self.nodes.certs))

    def connect(self, database="defaultdb", options=None, user="root"):
        return Session(self.dsn(database, options, user))

    def ended(self):
        """Its exit code once it ends by itself."""
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Timeout("node %d goes on:\n%s" % (self.index, self.output()))
        self.process = None
        return code


class Nodes:
    """nodes[1] .. nodes[count]. The first is initialized, unless init=False."""

    def __init__(self, count, shards=2, insecure=True, init=True, hosts=None):
        self.shards = shards
        self.folder = tempfile.mkdtemp(prefix="isopod-it-nodes-")
        self.keep = bool(os.environ.get("ISOPOD_TEST_KEEP"))
        self.certs = None
        self.security = ["--insecure"]
        if not insecure:
            self.certs = os.path.join(self.folder, "certs")
            for what in (["create-ca"], ["create-node", "localhost", "127.0.0.1"] + (hosts or []), ["create-client", "root"]):
                subprocess.run([ISOPOD, "cert"] + what + ["--certs-dir", self.certs, "--ca-key",
                                os.path.join(self.folder, "ca.key")], check=True, stdout=subprocess.DEVNULL)
            self.security = ["--certs-dir", self.certs]
        self.ports = free_ports(count + 2)
        self.all = {i: Node(self, i, self.ports[i - 1]) for i in range(1, count + 1)}
        for i, host in enumerate(hosts or [], 1):
            self.all[i].host = host
        self.join = ",".join("%s:%d" % (node.host, node.port) for node in self.all.values())
        self.init_wanted = init

    def __getitem__(self, index):
        return self.all[index]

    def add(self, index, extra=()):
        self.all[index] = Node(self, index, self.ports[index - 1], extra)
        return self.all[index]

    def __enter__(self):
        try:
            for node in self.all.values():
                node.launch()
            if self.init_wanted:
                self.init()
        except BaseException:
            self.destroy()
            raise
        return self

    def init(self):
        wait_until(self.all[1].waits, "the first node to wait for init")
        out = self.command("init", node=1)
        assert "Cluster successfully initialized" in out, out
        for node in self.all.values():
            node.await_serving()
        for row in self.status():
            for node in self.all.values():
                if row["address"].endswith(":%d" % node.port):
                    node.id = int(row["id"])

    def command(self, *args, node=1, check=True):
        command = [ISOPOD] + list(args) + ["--host", "%s:%d" % (self.all[node].host, self.all[node].port)] + self.security
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                              env=environment)
        out = done.stdout.decode()
        if check:
            assert done.returncode == 0, out + done.stderr.decode()
            return out
        return out + done.stderr.decode()

    def status(self, node=1):
        return [json.loads(line) for line in
                self.command("node", "status", "--all", "--format", "ndjson", node=node).splitlines()]

    def await_copies(self):
        """Two slices a node and shard, each with a voter on three nodes: until then a loss may be one too many."""
        slices = 2 * self.shards * len(self.all)

        def settled():
            with self.all[1].connect(options="-ccluster=system") as session:
                voters = [row[0] for row in session.rows("SELECT voting_replicas FROM crdb_internal.slices")]
            return len(voters) == slices and all(len(str(each).split(",")) == 3 for each in voters)

        wait_until(settled, "three voters of each of %d slices" % slices)

    def live(self, node=1):
        return sorted(int(row["id"]) for row in self.status(node) if row["is_live"] in ("true", True))

    def __exit__(self, *unused):
        self.destroy()

    def destroy(self):
        for node in self.all.values():
            node.kill()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


class Bank:
    """Transfers between accounts through one node: none may fail, and the sum stays."""

    def __init__(self, nodes, through):
        self.nodes = nodes
        self.node = nodes[through]
        self.environment = dict(os.environ)
        self.environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        subprocess.run([ISOPOD, "workload", "init", "bank", self.url("")], check=True, stdout=subprocess.DEVNULL,
                       env=self.environment)
        self.before = self.sum()

    def url(self, database):
        certs = self.nodes.certs
        return "postgresql://root@%s:%d/%s?" % (self.node.host, self.node.port, database) + (
            "sslmode=disable" if not certs else
            "sslmode=require&sslcert={0}/client.root.crt&sslkey={0}/client.root.key".format(certs))

    def sum(self):
        with self.node.connect("bank") as session:
            return session.value("SELECT sum(balance) FROM bank")

    def run(self, seconds):
        """In the background: hand it to check()."""
        return subprocess.Popen([ISOPOD, "workload", "run", "bank", "--duration", "%ds" % seconds, "--concurrency", "4",
                                 self.url("bank")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env=self.environment)

    def check(self, run):
        out = run.communicate(timeout=DEADLINE_S)[0].decode()
        assert run.returncode == 0, out
        errors = out.split("__total")[1].split()[1]
        assert errors == "0", out
        assert self.sum() == self.before, "the sum has changed"
