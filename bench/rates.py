#!/usr/bin/env python3
#
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

"""Guest to guest packet rates beside the peers, in one run on one machine.

Two virtio drivers in one process on one core, one packet thread on the other.
Rates are what the guests received, both directions together.  The sides:

  offload    ports of type virtio-emu, flows offloaded (hw-offload=true)
  plain      ports of type virtio-emu, flows not offloaded
  peer       dpdkvhostuserclient ports of the same ovs-vswitchd
  testpmd    DPDK's testpmd between two net_vhost devices: no switching at all
  memcpy     copies of as many bytes, as fast as one core can

In each round every side is started anew, in turn, and each figure is the
median of the rounds."""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from sandbox import Sandbox, Unixctl

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST_CPU, SWITCH_CPU = 0, 1
TSO_SIZE = 65000                # Payload of what is called 64K.
FIRST_UDP_PORT = 1024           # Of virtnet-guest's flows.


class Setup:
    """What the sides are started with."""

    def __init__(self, ring, mrg, queues=1, idle=0, mtu=1500, tso=False):
        self.ring, self.mrg, self.queues = ring, mrg, queues
        self.idle, self.mtu, self.tso = idle, mtu, tso

    def guest_options(self):
        options = ("mac=0c:c4:7a:00:00:%%02x,packed=%d,mrg=%d,queues=%d,mtu=%d"
                   % (self.ring == "packed", self.mrg, self.queues, self.mtu))
        return options + (",lro=1" if self.tso else "")

    def __str__(self):
        return "%s rings, %smergeable%s%s%s%s" % (
            self.ring, "" if self.mrg else "not ",
            ", %d queue pairs" % self.queues if self.queues > 1 else "",
            ", %d idle devices" % self.idle if self.idle else "",
            ", MTU %d" % self.mtu if self.mtu != 1500 else "",
            ", TSO" if self.tso else "")


class Switch:
    """ovs-vswitchd with two ports, and perhaps many idle ones."""

    def __init__(self, opts, setup):
        config = ["virtnet-bridge=br0", "virtnet-packed-vq=true",
                  "virtnet-mrg-rxbuf=true", "virtnet-switch-num-port=1000",
                  "hw-offload=%s" % str(self.offload).lower()]
        if setup.tso:
            config.append("userspace-tso-enable=true")
        self.idle_guests = None
        self.setup = setup
        self.sb = Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                          lcore_mask="1", other_config=config)
        try:
            self.sb.start_vswitchd()
            self.sb.add_bridge()
            sockets = self.add_ports(2 + setup.idle, setup)
            self.sb.wait_ports(2 + setup.idle)
            self.sockets = sockets[:2]
            self.ctl = Unixctl(self.sb.ctl_path())
            if setup.idle:
                self.start_idle_guests(sockets[2:])
                self.settle()
        except BaseException:
            self.close()
            raise

    def start_idle_guests(self, sockets):
        self.idle_guests = subprocess.Popen(
            [sys.executable, HERE + "/idle-guests.py"] + sockets,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.idle_guests.stdout.readline() != b"ready\n":
            raise RuntimeError("the idle guests do not start")

    def settle(self):
        """Waits for Open vSwitch to have written the new state of all ports,
        for which it needs processors that are wanted here."""
        try:
            self.sb.settle(timeout=20)
        except TimeoutError as e:
            print("# %s: %s" % (self.name, e), file=sys.stderr)

    def set_flows(self, n):
        """A datapath flow for each of a guest's flows, if they are many."""
        rules = ["actions=NORMAL"]
        if n > 1:
            ports = [self.sb.vsctl("get", "Interface", name, "ofport")
                     for name in self.port_names()]
            for a, b in (ports, ports[::-1]):
                rules += ["priority=1,in_port=%s,udp,tp_src=%d,"
                          "actions=output:%s" % (a, FIRST_UDP_PORT + i, b)
                          for i in range(n)]
        self.sb.run("ovs-ofctl", "--bundle", "replace-flows", "br0", "-",
                    input="\n".join(rules))

    def close(self):
        if self.idle_guests:
            self.idle_guests.kill()
        self.sb.close()


class Plain(Switch):
    name = "plain"
    offload = False

    def add_ports(self, n, setup):
        deadline = time.monotonic() + 20
        while True:
            r = self.sb.run(self.sb.virtnet_program, "hotplug", "-i",
                            "mlx5_0", "-m", "0C:C4:7A:00:00:00", "-t",
                            str(setup.mtu), "-qp", str(setup.queues), "-s",
                            "256", "--count", str(n), check=False)
            if r.returncode == 0:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(r.stdout)
            time.sleep(0.05)
        return ["%s/virtnet/en3f0pf0sf%d.sock" % (self.sb.dir, 2000 + i)
                for i in range(n)]

    def port_names(self):
        return ["en3f0pf0sf2000", "en3f0pf0sf2001"]


class Offload(Plain):
    name = "offload"
    offload = True


class Peer(Switch):
    name = "peer"
    offload = False

    def add_ports(self, n, setup):
        args, sockets = [], []
        for i in range(n):
            sockets.append("%s/s%d" % (self.sb.dir, i))
            args += ["--", "add-port", "br0", "p%d" % i, "--", "set",
                     "Interface", "p%d" % i, "type=dpdkvhostuserclient",
                     "options:vhost-server-path=" + sockets[-1]]
            if setup.mtu != 1500:
                args += ["mtu_request=%d" % setup.mtu]
        self.sb.vsctl(*args[1:])
        return sockets

    def port_names(self):
        return ["p0", "p1"]


class Testpmd:
    name = "testpmd"

    def __init__(self, opts, setup):
        self.dir = tempfile.mkdtemp(prefix="vb-")
        self.sockets = ["%s/s%d" % (self.dir, i) for i in range(2)]
        args = ["dpdk-testpmd", "-l", "%d,%d" % (GUEST_CPU, SWITCH_CPU),
                "--no-huge", "-m", "1024", "--no-pci", "--no-telemetry",
                "--file-prefix=%s" % os.path.basename(self.dir)]
        for i, path in enumerate(self.sockets):
            args += ["--vdev", "net_vhost%d,iface=%s,client=1,queues=%d,tso=%d"
                     % (i, path, setup.queues, setup.tso)]
        args += ["--", "--forward-mode=io", "--auto-start", "--nb-cores=1",
                 "--rxq=%d" % setup.queues, "--txq=%d" % setup.queues,
                 "--total-num-mbufs=65536",
                 "--mbuf-size=%d" % (setup.mtu + 676 if setup.mtu > 1500
                                     else 2176)]
        # It ends with its input.
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def set_flows(self, n):
        pass

    def close(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["rm", "-rf", self.dir, "/var/run/dpdk/"
                        + os.path.basename(self.dir)])


def guest_args(opts, side, setup, size, flows):
    args = [opts.guest, "--mode", "flood", "--no-verify",
            "--duration", str(opts.seconds), "--warmup", "1",
            "--lcore", str(GUEST_CPU), "--timeout", "60",
            "--flows", str(flows)]
    args += (["--tso", str(TSO_SIZE)] if size == "64K"
             else ["--size", str(size)])
    for i, s in enumerate(side.sockets):
        args += ["--socket", s + "," + setup.guest_options() % i]
    return args


def measure(opts, side, setup, size, flows):
    side.set_flows(flows)
    r = subprocess.run(guest_args(opts, side, setup, size, flows),
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=120)
    if r.returncode:
        raise RuntimeError(r.stderr.strip() or r.stdout)
    return json.loads(r.stdout.strip().splitlines()[-1])["rx_mpps_median"]


def memcpy_rate(opts, size):
    n = TSO_SIZE + 54 if size == "64K" else int(size)
    out = subprocess.run([opts.memcpy, str(n), str(SWITCH_CPU)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return float(out)


def distance(opts):
    return int(subprocess.run([opts.core_distance, str(GUEST_CPU),
                               str(SWITCH_CPU)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout)


SIDES = {side.name: side for side in (Offload, Plain, Peer, Testpmd)}


def plan(opts):
    """The setups, each with its sizes and numbers of flows."""
    if opts.quick:
        return [(Setup("split", 0), [(64, 1), (1500, 1)]),
                (Setup("packed", 1), [(64, 1), (1500, 1)])]
    cases = []
    for ring in "split", "packed":
        for mrg in 0, 1:
            cases.append((Setup(ring, mrg),
                          [(size, 1) for size in (64, 128, 512, 1500)]
                          + [(64, 8), (64, 1000)]))
        cases.append((Setup(ring, 1, mtu=9000), [(9000, 1)]))
        cases.append((Setup(ring, 1, tso=True), [("64K", 1)]))
        cases.append((Setup(ring, 0, queues=2), [(64, 8)]))
    # There are 1000 SF numbers.
    idle = [(Setup("split", 0, idle=idle), [(64, 1)]) for idle in (100, 998)]
    if opts.idle:
        return [(Setup("split", 0), [(64, 1)])] + idle
    return cases + idle


def run_round(opts, number, results):
    names = [n for n in SIDES if n in opts.sides]
    for setup, loads in plan(opts):
        if opts.only not in str(setup):
            continue
        # The sides take turns in who begins.
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            if name == "testpmd" and setup.idle:
                continue
            print("# round %d of %d: %s, %s" % (number + 1, opts.rounds,
                                                setup, name),
                  file=sys.stderr)
            side = SIDES[name](opts, setup)
            try:
                # A first guest brings what is made only when it is needed,
                # such as packet buffers, into being.
                measure(opts, side, setup, *loads[0])
                for size, flows in loads:
                    key = (str(setup), size, flows)
                    for attempt in range(3):
                        before = distance(opts)
                        rate = measure(opts, side, setup, size, flows)
                        after = distance(opts)
                        if max(before, after) < 2 * min(before, after):
                            break
                    results.setdefault(key, {}).setdefault(name, []).append(
                        (rate, before, after))
            except (RuntimeError, subprocess.TimeoutExpired) as e:
                print("# %s, %s: %s" % (setup, name, e), file=sys.stderr)
            finally:
                side.close()
        if "memcpy" in opts.sides:
            for size, flows in loads:
                results.setdefault((str(setup), size, flows), {}).setdefault(
                    "memcpy", []).append((memcpy_rate(opts, size), 0, 0))


def borders(results):
    """Ranges of distances, each of which has rows of its own."""
    all = sorted(x for sides in results.values() for samples in sides.values()
                 for sample in samples for x in sample[1:] if x)
    if not all or all[-1] < 2 * all[0]:
        return [(0, sys.maxsize)]
    middle = int((all[0] * all[-1]) ** .5)
    return [(0, middle), (middle, sys.maxsize)]


def collect(opts, results):
    """Rows with medians, in the order of the plan."""
    rows = []
    for setup, loads in plan(opts):
        for size, flows in loads:
            sides = results.get((str(setup), size, flows), {})
            for low, high in borders(results):
                here = {name: [s for s in x if name == "memcpy"
                               or low <= min(s[1:]) and max(s[1:]) < high]
                        for name, x in sides.items()}
                rates = {name: statistics.median(s[0] for s in x)
                         for name, x in here.items() if x}
                trips = [t for name, x in here.items() for s in x
                         for t in s[1:] if name != "memcpy"]
                if trips:
                    rows.append((setup, size, flows, rates,
                                 int(statistics.median(trips)),
                                 {name: len(x) for name, x in here.items()}))
    return rows


def ratios(rates):
    """(what, ratio) of all pairs that say something."""
    pairs = [("offload", "peer"), ("offload", "testpmd"),
             ("offload", "memcpy"), ("plain", "peer")]
    return [(a, b, rates[a] / rates[b]) for a, b in pairs
            if a in rates and rates.get(b)]


def write_idle(rows, out):
    """What is left of each side's rate with idle devices, of those rows for
    which there is one without them at the same distance."""
    def other(row):
        setup, size, flows, _, trip, _ = row
        for b in rows:
            if (not b[0].idle and b[1:3] == (size, flows)
                    and str(setup).startswith(str(b[0]) + ", ")
                    and trip / 2 < b[4] < trip * 2):
                return b
        return None

    pairs = [(row, other(row)) for row in rows if row[0].idle]
    pairs = [(row, base) for row, base in pairs if base]
    if not pairs:
        return
    names = list(SIDES)
    print("\n| rate as a multiple of that without idle devices | bytes "
          "| round trip ns | " + " | ".join(names) + " |\n| --- |"
          + " ---: |" * (2 + len(names)), file=out)
    for (setup, size, _, rates, trip, _), base in pairs:
        print("| %s | %s | %d | " % (setup, size, trip)
              + " | ".join("%.2f" % (rates[n] / base[3][n])
                           if n in rates and base[3].get(n) else ""
                           for n in names) + " |", file=out)


def write_table(rows, out):
    names = list(SIDES) + ["memcpy"]
    print("| case | bytes | flows | round trip ns | " + " | ".join(n + " Mpps" for n in names)
          + " | offload/peer | offload/testpmd | offload/memcpy "
          "| plain/peer | samples |", file=out)
    print("| --- |" + " ---: |" * (len(names) + 8), file=out)
    for setup, size, flows, rates, trip, samples in rows:
        ratio = {(a, b): r for a, b, r in ratios(rates)}
        print("| %s | %s | %d | %d | " % (setup, size, flows, trip)
              + " | ".join("%.3f" % rates[n] if n in rates else ""
                           for n in names) + " | "
              + " | ".join("%.2f" % ratio[p] if p in ratio else "" for p in
                           (("offload", "peer"), ("offload", "testpmd"),
                            ("offload", "memcpy"), ("plain", "peer")))
              + " | " + " ".join(str(samples[n]) for n in names
                                 if n in samples) + " |", file=out)
    write_idle(rows, out)


def write_json(rows, path):
    with open(path, "w") as f:
        for setup, size, flows, rates, trip, samples in rows:
            for a, b, ratio in ratios(rates):
                f.write(json.dumps({
                    "case": "%s/%s" % (a, b), "size": size, "flows": flows,
                    "queues": setup.queues, "idle": setup.idle,
                    "ring": setup.ring, "mrg": setup.mrg, "ours": rates[a],
                    "peer": rates[b], "unit": "Mpps", "ratio": ratio,
                    "round_trip_ns": trip,
                    "samples": min(samples[a], samples[b])}) + "\n")


def write_svg(rows, path):
    """Bars: how many times the peer's rate, with and without offload."""
    bars = []
    for setup, size, flows, rates, trip, _ in rows:
        label = "%s, %s bytes, %d flow%s, %d ns" % (
            setup, size, flows, "s" if flows > 1 else "", trip)
        for name, colour in ("offload", "#1f77b4"), ("plain", "#aec7e8"):
            if name in rates and rates.get("peer"):
                bars.append((label, name, colour,
                             rates[name] / rates["peer"]))
                label = ""
    if not bars:
        return
    top = max([x[3] for x in bars] + [1])
    left, width, step = 430, 500, 16
    height = step * len(bars) + 60
    with open(path, "w") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" '
                'height="%d" font-family="sans-serif" font-size="12">\n'
                '<text x="10" y="20">Packet rate as a multiple of '
                "dpdkvhostuserclient's (line: 1.0)</text>\n"
                % (left + width + 80, height))
        for i, (label, name, colour, ratio) in enumerate(bars):
            y = 35 + i * step
            f.write('<text x="%d" y="%d" text-anchor="end">%s</text>\n'
                    '<rect x="%d" y="%d" width="%.1f" height="%d" '
                    'fill="%s"/>\n'
                    '<text x="%.1f" y="%d">%.2f %s</text>\n'
                    % (left - 8, y + 11, label, left, y,
                       ratio / top * width, step - 3, colour,
                       left + ratio / top * width + 4, y + 11, ratio, name))
        x = left + width / top
        f.write('<line x1="%.1f" y1="30" x2="%.1f" y2="%d" stroke="black" '
                'stroke-dasharray="3"/>\n</svg>\n' % (x, x, height - 20))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE + "/../_build",
                        help="build directory (_build)")
    parser.add_argument("-r", "--rounds", type=int,
                        help="5, or 1 with --quick")
    parser.add_argument("-s", "--seconds", type=int, default=2,
                        help="how long to measure each rate")
    parser.add_argument("--sides", default="offload,plain,peer,testpmd,memcpy",
                        type=lambda s: s.split(","))
    parser.add_argument("--quick", action="store_true",
                        help="the main rows, one round: under 3 minutes")
    parser.add_argument("--idle", action="store_true",
                        help="rows with idle devices, and the same without")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="rows in whose case this occurs")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--json", metavar="FILE")
    opts = parser.parse_args()
    if opts.rounds is None:
        opts.rounds = 1 if opts.quick else 5
    if not any(opts.only in str(setup) for setup, _ in plan(opts)):
        parser.error("--only %s: there is no such case" % opts.only)
    if "testpmd" in opts.sides and not shutil.which("dpdk-testpmd"):
        parser.error("there is no dpdk-testpmd: build-aux/install-deps bench "
                     "installs it, or leave it out with --sides")
    trees = sorted(x for x in os.listdir(opts.build)
                   if os.path.isdir(os.path.join(opts.build, x, "vswitchd"))
                   and x.startswith("openvswitch-"))
    if not trees:
        parser.error("%s: nothing is built there" % opts.build)
    opts.ovs = os.path.join(opts.build, trees[0])
    opts.vswitchd = opts.build + "/vswitchd/ovs-vswitchd"
    opts.virtnet = opts.build + "/utilities/virtnet"
    opts.guest = opts.build + "/tests/guest/virtnet-guest"
    opts.memcpy = opts.build + "/bench/memcpy-rate"
    opts.core_distance = opts.build + "/bench/core-distance"

    results = {}
    try:
        for number in range(opts.rounds):
            run_round(opts, number, results)
    except KeyboardInterrupt:
        print("# interrupted: what there is so far", file=sys.stderr)
    rows = collect(opts, results)
    write_table(rows, sys.stdout)
    if opts.markdown:
        with open(opts.markdown, "w") as f:
            write_table(rows, f)
    if opts.svg:
        write_svg(rows, opts.svg)
    if opts.json:
        write_json(rows, opts.json)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
