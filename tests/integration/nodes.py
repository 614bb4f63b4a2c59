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
import threading
import time

import psycopg2

from cluster import DEADLINE_S, ISOPOD, CommandFailed, Server, Session, Timeout, wait_until


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
        self.advertised = None  # Its port as others know it, when somebody stands between.

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
                if row["address"].endswith(":%d" % (node.advertised or node.port)):
                    node.id = int(row["id"])

    def command(self, *args, node=1, check=True):
        command = [ISOPOD] + list(args) + ["--host", "%s:%d" % (self.all[node].host, self.all[node].port)] + self.security
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                                  env=environment)
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(str(error))
        out = done.stdout.decode()
        if check:
            if done.returncode != 0:
                raise CommandFailed("%s: %s" % (" ".join(args), out + done.stderr.decode()))
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


class Register:
    """One writer counts a row up through one node, readers look at it through all. Once stopped, check() says whether what they saw is
    what one row at one place would have shown: who reads after an acknowledgement sees it, who reads after a read sees no less."""

    def __init__(self, nodes, writes_through):
        self.nodes = nodes
        with nodes[writes_through].connect() as session:
            session.run("CREATE TABLE register (id int PRIMARY KEY, value int NOT NULL)")
            session.run("INSERT INTO register VALUES (1, 0)")
        self.stopping = threading.Event()
        self.writes, self.reads, self.errors = [(0, time.monotonic(), time.monotonic())], [], 0
        self.threads = [threading.Thread(target=self.run, args=(writes_through, self.write), daemon=True)]
        self.threads += [threading.Thread(target=self.run, args=(i, self.read), daemon=True) for i in nodes.all]
        for thread in self.threads:
            thread.start()

    def run(self, index, step):
        session = None
        while not self.stopping.is_set():
            try:
                if session is None:
                    session = Session(self.nodes[index].dsn(options="-cstatement_timeout=5s") + " connect_timeout=10")
                step(session, index)
            except psycopg2.Error:
                self.errors += 1
                session = None
                self.stopping.wait(0.02)

    def write(self, session, _index):
        number, begun = len(self.writes), time.monotonic()
        self.writes.append((number, begun, None))  # It may come about whatever is answered.
        session.run("UPDATE register SET value = %s WHERE id = 1 AND value < %s", (number, number))
        self.writes[number] = (number, begun, time.monotonic())
        self.stopping.wait(0.002)

    def read(self, session, index):
        begun = time.monotonic()
        value = session.value("SELECT value FROM register WHERE id = 1")
        self.reads.append((begun, time.monotonic(), value, index))
        self.stopping.wait(0.002)

    def through(self, index):
        return sum(read[3] == index for read in list(self.reads))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)

    def check(self, least=50):
        self.stop()
        events = sorted([(ended, number) for number, _, ended in self.writes if ended is not None] +
                        [(ended, value) for _, ended, value, _ in self.reads])
        reads, seen, at = sorted(self.reads), 0, 0
        for begun, ended, value, index in reads:
            while at < len(events) and events[at][0] < begun:
                seen = max(seen, events[at][1])
                at += 1
            assert value >= seen, "node %d showed %d when %d had been seen before" % (index, value, seen)
            assert self.writes[value][1] <= ended, "node %d showed %d before it was written" % (index, value)
        assert len(reads) > least and len(self.writes) > least, (len(reads), len(self.writes))


class LossyProxy:
    """Stands between a node and the others where the kernel loses no packets: what a connection carries stalls now and then, as after
    a loss, some connections break, and some take nothing more without an end."""

    def __init__(self, target, seed):
        self.target = target
        self.random = random.Random(seed)
        self.spoiling = False
        self.broken = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one, other):
        try:
            while True:
                data = one.recv(65536)
                if not data:
                    break
                draw = self.random.random() if self.spoiling else 1
                if draw < 0.05:
                    time.sleep(0.2 + 0.4 * self.random.random())  # Sent again after a time-out.
                elif draw < 0.053:
                    self.broken += 1
                    break
                elif draw < 0.054:
                    self.broken += 1
                    time.sleep(4)  # Lost again and again.
                other.sendall(data)
        except OSError:
            pass
        for each in (one, other):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        one.close()  # The other pump has the other one.

    def close(self):
        self.listener.close()
