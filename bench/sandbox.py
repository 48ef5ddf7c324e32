# Copyright (c) 2026 The ovs-virtio-emu authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""A private ovsdb-server and ovs-vswitchd for a bench, and a probe that tells
how long the main loop of ovs-vswitchd was away."""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


# Whoever stops a bench expects that the switch goes with it.  With nohup a
# hangup stops nothing.
for number in signal.SIGTERM, signal.SIGHUP:
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, lambda number, frame: sys.exit(128 + number))


def make_parser(doc, vswitchd=None):
    """A parser with the arguments that Sandbox() begins with: "ovs",
    "vswitchd", of which 'vswitchd' is the help, and "virtnet"."""
    parser = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    parser.add_argument("--ovs", required=True,
                        help="built Open vSwitch tree")
    parser.add_argument("--vswitchd", required=True, help=vswitchd)
    parser.add_argument("--virtnet", required=True)
    return parser


def remove_files(directory):
    """Removes a directory, and what DPDK keeps by its name."""
    for path in directory, "/var/run/dpdk/" + os.path.basename(directory):
        shutil.rmtree(path, ignore_errors=True)


class Unixctl:
    """A connection to a unixctl socket that stays open: one request costs no
    process."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.id = 0
        self.decoder = json.JSONDecoder()

    def call(self, method, *args):
        self.id += 1
        self.sock.sendall(json.dumps({"id": self.id, "method": method,
                                      "params": list(args)}).encode())
        buf = b""
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                raise ConnectionError("ovs-vswitchd closed the connection")
            buf += data
            try:
                reply, _ = self.decoder.raw_decode(buf.decode())
            except (ValueError, UnicodeDecodeError):
                continue
            if reply["error"]:
                raise RuntimeError(reply["error"].strip())
            return reply["result"]

    def close(self):
        self.sock.close()


class LoopProbe(threading.Thread):
    """Asks ovs-vswitchd for something that costs nothing, again and again.
    The longest answer is the longest time that its main loop was away."""

    def __init__(self, path, interval=0.002):
        super().__init__(daemon=True)
        self.path = path
        self.interval = interval
        self.worst = 0.0
        self.stop_event = threading.Event()

    def run(self):
        try:
            ctl = Unixctl(self.path)
            while not self.stop_event.is_set():
                start = time.monotonic()
                ctl.call("version")
                self.worst = max(self.worst, time.monotonic() - start)
                time.sleep(self.interval)
            ctl.close()
        except OSError:
            pass

    def stop(self):
        self.stop_event.set()
        self.join()
        return self.worst


class Sandbox:
    """'ovs' is the directory of a built Open vSwitch, 'vswitchd' and 'virtnet'
    are programs.  With 'lcore_mask' the threads that handle no packets keep to
    those CPUs, as an operator has it who leaves others to packets alone;
    without, they may be anywhere, as Open vSwitch has it."""

    def __init__(self, ovs, vswitchd, virtnet, memory=2048, pmd_mask="2",
                 lcore_mask=None, other_config=()):
        self.ovs = os.path.abspath(ovs)
        self.vswitchd_program = os.path.abspath(vswitchd)
        self.virtnet_program = os.path.abspath(virtnet)
        self.dir = tempfile.mkdtemp(prefix="vb-")
        self.pids = {}
        self.env = dict(os.environ,
                        OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_DBDIR=self.dir, OVS_SYSCONFDIR=self.dir,
                        OVS_PKGDATADIR=self.ovs + "/vswitchd",
                        PATH=":".join([self.ovs + "/utilities",
                                       self.ovs + "/ovsdb",
                                       os.environ["PATH"]]))
        try:
            self.prepare(memory, pmd_mask, lcore_mask, other_config)
        except BaseException:
            self.close()
            raise

    def prepare(self, memory, pmd_mask, lcore_mask, other_config):
        """Makes the database, with what ovs-vswitchd is to find there."""
        self.run("ovsdb-tool", "create", self.dir + "/conf.db",
                 self.ovs + "/vswitchd/vswitch.ovsschema")
        self.start_ovsdb()
        self.run("ovs-vsctl", "--no-wait", "init")
        self.run("ovs-vsctl", "--no-wait", "set", "Open_vSwitch", ".",
                 "other_config:dpdk-init=true",
                 "other_config:pmd-cpu-mask=" + pmd_mask,
                 *(["other_config:dpdk-lcore-mask=" + lcore_mask]
                   if lcore_mask else []),
                 'other_config:dpdk-extra="--no-huge --legacy-mem -m %d '
                 '--no-pci --no-telemetry --file-prefix=%s"'
                 % (memory, os.path.basename(self.dir)),
                 *["other_config:" + x for x in other_config])

    def run(self, *args, check=True, **kwargs):
        return subprocess.run(args, env=self.env, check=check,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **kwargs)

    def out(self, *args):
        return self.run(*args).stdout.strip()

    def vsctl(self, *args):
        return self.out("ovs-vsctl", *args)

    def virtnet(self, *args):
        return self.out(self.virtnet_program, *args)

    def _daemon(self, name, *args):
        self.run(*args, "--detach", "--no-chdir", "--pidfile", "--log-file")
        with open("%s/%s.pid" % (self.dir, name)) as f:
            self.pids[name] = int(f.read())

    def start_ovsdb(self):
        self._daemon("ovsdb-server", "ovsdb-server", self.dir + "/conf.db",
                     "--remote=punix:" + self.dir + "/db.sock")

    def start_vswitchd(self):
        # Its tap interfaces would meet those of another switch otherwise.
        self._daemon("ovs-vswitchd", "unshare", "--net",
                     self.vswitchd_program, "unix:" + self.dir + "/db.sock")

    def kill(self, name):
        pid = self.pids.pop(name, None)
        try:
            while pid:
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)
        except ProcessLookupError:
            pass

    def add_bridge(self):
        self.vsctl("add-br", "br0", "--", "set", "Bridge", "br0",
                   "datapath_type=netdev")

    def ctl_path(self):
        return "%s/ovs-vswitchd.%d.ctl" % (self.dir, self.pids["ovs-vswitchd"])

    def rss_kb(self):
        with open("/proc/%d/status" % self.pids["ovs-vswitchd"]) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])

    def n_ports(self):
        """Number of ports of type virtio-emu or dpdkvhostuserclient that the
        datapath has."""
        ctl = Unixctl(self.ctl_path())
        try:
            return sum("virtio-emu" in x or "dpdkvhostuser" in x
                       for x in ctl.call("dpif/show").splitlines())
        finally:
            ctl.close()

    def wait_ports(self, n, timeout=120):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            start = time.monotonic()
            try:
                if self.n_ports() == n:
                    return
            except (OSError, RuntimeError):
                pass
            # The answer takes the main loop the longer the more there are,
            # which is not to count for what is measured.
            time.sleep(max(0.005, 3 * (time.monotonic() - start)))
        raise TimeoutError("the datapath has not %d ports" % n)

    def settle(self, away=0.02, timeout=60):
        """Waits until the main loop has not been away for longer than 'away'
        seconds for a whole second: after a start, Open vSwitch has the state
        of all ports to write to the database.  Returns how long it was away
        at most."""
        deadline = time.monotonic() + timeout
        worst = 0.0
        while time.monotonic() < deadline:
            probe = LoopProbe(self.ctl_path())
            probe.start()
            time.sleep(1)
            last = probe.stop()
            worst = max(worst, last)
            if last <= away:
                return worst
        raise TimeoutError("the main loop does not come to rest")

    def measure(self, *command, n_ports=None):
        """Carries out a command of ovs-appctl and, unless it is None, waits
        for 'n_ports'.  Returns the seconds until the answer, until all is
        done, and for which the main loop was away at most."""
        probe = LoopProbe(self.ctl_path(), interval=0.001)
        probe.start()
        ctl = Unixctl(self.ctl_path())
        start = time.monotonic()
        reply = ctl.call(*command)
        answered = time.monotonic() - start
        ctl.close()
        if '"errno": -' in reply:
            raise RuntimeError(reply)
        if n_ports is not None:
            self.wait_ports(n_ports)
        return answered, time.monotonic() - start, probe.stop()

    def long_polls(self):
        """Poll intervals that ovs-vswitchd itself complained about, ms, but
        for those of threads that offload flows: see tests/complaints.awk."""
        result = []
        with open(self.dir + "/ovs-vswitchd.log") as f:
            for line in f:
                if "Unreasonably long" in line and "hw_offload" not in line:
                    result.append(line.split("Unreasonably long ")[1].split(
                        "ms")[0])
        return [int(x) for x in result]

    def close(self):
        for name in list(self.pids):
            self.kill(name)
        remove_files(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
