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
  flows      no side of its own: what flows cost (flows.py), at the end
  before     as "offload", of another build (--before)

All sides are started, and all but one of them stopped (SIGSTOP).  In each turn
every one runs for some hundred milliseconds, so that what the machine does
otherwise befalls them alike.  A ratio is the median of the turns' ratios.

Drivers that share one core may not keep up with the packet thread.  So besides
rates there is what a packet costs that thread, in cycles in which it worked."""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import flows
from sandbox import Sandbox, Unixctl, remove_files

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST_CPU, SWITCH_CPU = 0, 1
TSO_SIZE = 65000                # Payload of what is called 64K.
FIRST_UDP_PORT = 1024           # Of virtnet-guest's flows.
WARMUP_S, MEASURE_S = 0.05, 0.2 # Of each side in a turn.


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
                  # Whoever was stopped would do it at once when continued.
                  "stats-update-interval=86400000",
                  "hw-offload=%s" % str(self.offload).lower()]
        if setup.tso:
            config.append("userspace-tso-enable=true")
        self.idle_guests = None
        self.setup = setup
        self.sb = Sandbox(opts.ovs, self.vswitchd(opts), opts.virtnet,
                          lcore_mask="1", other_config=config)
        try:
            self.sb.start_vswitchd()
            self.sb.add_bridge()
            sockets = self.add_ports(2 + setup.idle, setup)
            self.sb.wait_ports(2 + setup.idle)
            self.sockets = sockets[:2]
            if setup.idle:
                self.start_idle_guests(sockets[2:])
                self.settle()
        except BaseException:
            self.close()
            raise

    def vswitchd(self, opts):
        return opts.vswitchd

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

    def work(self):
        """Cycles in which the packet thread has worked, those in which it had
        nothing to do, and the packets that it has received."""
        ctl = Unixctl(self.sb.ctl_path())
        text = ctl.call("dpif-netdev/pmd-stats-show", "-pmd", str(SWITCH_CPU))
        ctl.close()
        return [int(re.search(what + r": (\d+)", text).group(1))
                for what in ("processing cycles", "idle cycles",
                             "packets received")]

    def signal(self, number):
        try:
            os.kill(self.sb.pids["ovs-vswitchd"], number)
        except ProcessLookupError:
            pass                # Its guest will say that it has gone.

    def close(self):
        if self.idle_guests:
            self.idle_guests.kill()
            self.idle_guests.wait()
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


class Before(Offload):
    name = "before"

    def vswitchd(self, opts):
        return opts.before + "/vswitchd/ovs-vswitchd"


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
        self.setup = setup
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

    def work(self):
        return None

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        self.process.kill()
        self.process.wait()
        remove_files(self.dir)


def frame_length(size):
    return TSO_SIZE + 54 if size == "64K" else size


class Guest:
    """Two drivers on the ports of a side, which move packets when told to."""

    def __init__(self, opts, side, size, flows):
        side.set_flows(flows)
        self.length = frame_length(size)
        args = [opts.guest, "--mode", "flood", "--no-verify", "--turns",
                "--warmup", str(WARMUP_S), "--lcore", str(GUEST_CPU),
                "--timeout", "60", "--flows", str(flows)]
        args += (["--tso", str(TSO_SIZE)] if size == "64K"
                 else ["--size", str(size)])
        for i, path in enumerate(side.sockets):
            args += ["--socket", path + "," + side.setup.guest_options() % i]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        try:
            # What is made only when it is needed, such as packet buffers, is
            # made now.  That takes the processor that the guest is on.
            deadline = time.monotonic() + 60
            while not self.rate(0.1):
                if time.monotonic() > deadline:
                    raise RuntimeError("no packet arrives")
                time.sleep(0.5)
            self.rate(0.5)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def rate(self, seconds=MEASURE_S):
        """Millions of packets a second that arrived."""
        try:
            self.process.stdin.write("%f\n" % seconds)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        words = line.split()
        if len(words) != 3:
            raise RuntimeError(self.process.stderr.read().strip() or line)
        # Pieces of frames would be more, and prove nothing.
        if float(words[0]) and abs(float(words[2]) / self.length - 1) > 0.01:
            raise RuntimeError("frames of %s bytes arrive" % words[2])
        return float(words[0])

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def memcpy_rate(opts, size):
    out = subprocess.run([opts.memcpy, str(frame_length(size)),
                          str(SWITCH_CPU)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return float(out)


def distance(opts):
    return int(subprocess.run([opts.core_distance, str(GUEST_CPU),
                               str(SWITCH_CPU)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout)


SIDES = {side.name: side for side in (Offload, Plain, Peer, Testpmd, Before)}


def plan(opts):
    """(setups that take turns, loads), a load being a size and a number of
    flows."""
    # There are 1000 SF numbers.
    idle = [([Setup("split", 0, idle=idle) for idle in (0, 100, 998)],
             [(64, 1)])]
    if opts.idle:
        plan = idle
    elif opts.quick:
        plan = [([Setup("split", 0)], [(64, 1), (1500, 1)]),
                ([Setup("packed", 1)], [(64, 1), (1500, 1)])]
    else:
        plan = []
        for ring in "split", "packed":
            for mrg in 0, 1:
                plan.append(([Setup(ring, mrg)],
                             [(size, 1) for size in (64, 128, 512, 1500)]
                             + [(64, 8), (64, 1000)]))
            plan.append(([Setup(ring, 1, mtu=9000)], [(9000, 1)]))
            plan.append(([Setup(ring, 1, tso=True)], [("64K", 1)]))
            plan.append(([Setup(ring, 0, queues=2)], [(64, 8)]))
        plan += idle
    return [(setups, loads) for setups, loads in plan
            if any(opts.only in str(setup) for setup in setups)]


@contextlib.contextmanager
def undisturbed():
    """Puts off signals: what is stopped must not be left behind by who
    interrupts twice."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def take_turns(opts, load, sides, turns):
    """One load on all of 'sides'.  Appends to 'turns' what each turn gave:
    the rates by the sides' keys, the distances before and after it, and what
    the packet threads did, also by key: see Switch.work()."""
    guests = {}
    try:
        for key, side in sides.items():
            side.signal(signal.SIGCONT)
            try:
                guests[key] = Guest(opts, side, *load)
            except (RuntimeError, subprocess.SubprocessError) as e:
                print("# %s: %s" % (", ".join(key), e), file=sys.stderr)
            side.signal(signal.SIGSTOP)
        order = list(guests)
        for turn in range(opts.turns):
            rates = {}
            work = {}
            before = distance(opts)
            # They take turns in who begins, too.
            first = turn % max(len(order), 1)
            for key in order[first:] + order[:first]:
                sides[key].signal(signal.SIGCONT)
                start = sides[key].work()
                rates[key] = guests[key].rate()
                if start:
                    work[key] = [b - a
                                 for a, b in zip(start, sides[key].work())]
                sides[key].signal(signal.SIGSTOP)
            if "memcpy" in opts.sides:
                rates["memcpy"] = memcpy_rate(opts, load[0])
            turns.append((rates, before, distance(opts), work))
    finally:
        with undisturbed():
            for key, guest in guests.items():
                sides[key].signal(signal.SIGCONT)
                guest.close()
                sides[key].signal(signal.SIGSTOP)


def run_round(opts, number, results):
    for setups, loads in plan(opts):
        group = tuple(map(str, setups))
        print("# round %d of %d: %s" % (number + 1, opts.rounds,
                                        "; ".join(group)), file=sys.stderr)
        sides = {}
        try:
            for setup in setups:
                for name in SIDES:
                    if name not in opts.sides or (name == "testpmd"
                                                  and len(setups) > 1):
                        continue
                    side = SIDES[name](opts, setup)
                    sides[name, str(setup)] = side
                    side.signal(signal.SIGSTOP)
            for load in loads:
                take_turns(opts, load, sides,
                           results.setdefault((group, load), []))
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            print("# %s: %s" % ("; ".join(group), e), file=sys.stderr)
        finally:
            with undisturbed():
                for side in sides.values():
                    side.close()


def measure_flows(opts):
    print("# flows", file=sys.stderr)
    try:
        return (flows.eswitch_rows(opts.build + "/bench/bench-flows",
                                   opts.quick)
                + flows.thread_rows(opts.ovs, opts.vswitchd, opts.virtnet,
                                    rounds=1 if opts.quick else 5))
    except (RuntimeError, OSError, subprocess.SubprocessError) as e:
        print("# flows: %s" % e, file=sys.stderr)
        return []


class Row:
    """What came of one load on one setup."""

    def __init__(self, setup, base, load, turns):
        self.setup, (self.size, self.flows) = setup, load
        self.trips = [t for turn in turns for t in turn[1:3]]
        self.rates = {}
        self.ratios = {}        # (a, b): ratios of all turns, sorted.
        self.cycles = {}        # Of work for a packet.
        self.busy = {}          # Share of a packet thread's time.
        self.spared = {}        # (a, b): ratios of b's cycles to a's, sorted.
        self.kept = {}          # Of a side's rate without idle devices...
        self.without = {}       # ...which is this.

        def rate(turn, name, setup=setup):
            return turn[0].get("memcpy" if name == "memcpy"
                               else (name, str(setup)))

        def pairs(a, b):
            return sorted(x / y for x, y in zip(a, b)
                          if x is not None and y)

        columns = {name: [rate(turn, name) for turn in turns]
                   for name in list(SIDES) + ["memcpy"]}
        for name, column in columns.items():
            known = [x for x in column if x is not None]
            if known:
                self.rates[name] = statistics.median(known)
        for a, b in PAIRS:
            ratios = pairs(columns[a], columns[b])
            if ratios:
                self.ratios[a, b] = ratios
        cycles = {}
        for name in SIDES:
            work = [turn[3].get((name, str(setup))) for turn in turns]
            cycles[name] = [w[0] / w[2] if w and w[2] else None for w in work]
            if any(cycles[name]):
                self.cycles[name] = statistics.median(
                    c for c in cycles[name] if c)
                self.busy[name] = statistics.median(
                    w[0] / (w[0] + w[1]) for w in work if w)
        for a, b in PAIRS:
            ratios = pairs(cycles.get(b, []), cycles.get(a, []))
            if ratios:
                self.spared[a, b] = ratios
        for name in SIDES if base else ():
            without = [rate(turn, name, base) for turn in turns]
            ratios = pairs(columns[name], without)
            if ratios:
                self.kept[name] = ratios
                self.without[name] = statistics.median(
                    x for x in without if x is not None)


# In names of ratios: of cycles for a packet, the other's to one's own.
CYCLES = ", packets a cycle"

# In names of ratios: to the side's own rate.
WITHOUT_IDLE = "/without idle devices"

PAIRS = [("offload", "peer"), ("offload", "testpmd"), ("offload", "memcpy"),
         ("plain", "peer"), ("offload", "before")]


def collect(opts, results):
    """Rows, in the order of the plan."""
    rows = []
    for setups, loads in plan(opts):
        for load in loads:
            turns = results.get((tuple(map(str, setups)), load))
            for setup in setups if turns else ():
                rows.append(Row(setup, setups[0] if setup.idle else None,
                                load, turns))
    return rows


def show(ratios):
    """The median, and what at least half of the turns were within."""
    if not ratios:
        return ""
    n = len(ratios)
    return "%.2f (%.2f to %.2f)" % (statistics.median(ratios),
                                    ratios[n // 4], ratios[n - 1 - n // 4])


def table(header, cells, out):
    print("| " + " | ".join(header) + " |\n| --- |"
          + " ---: |" * (len(header) - 1), file=out)
    for row in cells:
        print("| " + " | ".join(row) + " |", file=out)


def write_tables(rows, flow_rows, out):
    if rows:
        write_table(rows, out)
    if flow_rows:
        print(file=out)
        flows.write_table(flow_rows, out)


def write_table(rows, out):
    names = [n for n in list(SIDES) + ["memcpy"]
             if any(n in row.rates for row in rows)]
    pairs = [p for p in PAIRS if any(p in row.ratios for row in rows)]
    table(["Mpps", "bytes", "flows", "round trip ns"] + names,
          [[str(row.setup), str(row.size), str(row.flows),
            "%d to %d" % (min(row.trips), max(row.trips))]
           + ["%.3f" % row.rates[n] if n in row.rates else "" for n in names]
           for row in rows], out)
    if pairs:
        print(file=out)
        table(["ratio", "bytes", "flows", "turns"]
              + ["/".join(pair) for pair in pairs],
              [[str(row.setup), str(row.size), str(row.flows),
                str(len(row.trips) // 2)]
               + [show(row.ratios.get(pair)) for pair in pairs]
               for row in rows], out)
    pairs = [p for p in PAIRS if any(p in row.spared for row in rows)]
    worked = [n for n in names if any(n in row.cycles for row in rows)]
    if worked:
        print(file=out)
        table(["cycles of work for a packet (share of the time)", "bytes",
               "flows"] + worked + ["/".join(pair) + CYCLES for pair in pairs],
              [[str(row.setup), str(row.size), str(row.flows)]
               + ["%.0f (%.2f)" % (row.cycles[n], row.busy[n])
                  if n in row.cycles else "" for n in worked]
               + [show(row.spared.get(pair)) for pair in pairs]
               for row in rows], out)
    if any(row.kept for row in rows):
        names = [n for n in names if any(n in row.kept for row in rows)]
        print(file=out)
        table(["rate as a multiple of that without idle devices", "bytes",
               "turns"] + names,
              [[str(row.setup), str(row.size), str(len(row.trips) // 2)]
               + [show(row.kept.get(n)) for n in names]
               for row in rows if row.kept], out)


def write_json(rows, flow_rows, path):
    with open(path, "w") as f:
        for row in rows:
            cases = [("%s/%s" % (a, b), row.rates[a], row.rates[b], "Mpps",
                      ratios)
                     for (a, b), ratios in row.ratios.items()]
            cases += [("%s/%s%s" % (a, b, CYCLES), row.cycles[a],
                       row.cycles[b], "cycles", ratios)
                      for (a, b), ratios in row.spared.items()]
            cases += [(name + WITHOUT_IDLE, row.rates[name],
                       row.without[name], "Mpps", ratios)
                      for name, ratios in row.kept.items()]
            for case, ours, peer, unit, ratios in cases:
                f.write(json.dumps({
                    "case": case, "size": row.size,
                    "flows": row.flows, "queues": row.setup.queues,
                    "idle": row.setup.idle, "ring": row.setup.ring,
                    "mrg": row.setup.mrg, "ours": ours,
                    "peer": peer, "unit": unit,
                    "ratio": statistics.median(ratios),
                    "turns": len(ratios)}) + "\n")
        flows.write_json(flow_rows, f)


def write_svg(rows, path):
    """Bars: how many times the peer's rate, with and without offload, and what
    idle devices leave of each side's own."""
    bars = []
    for row in rows:
        label = "%s, %s bytes, %d flow%s" % (
            row.setup, row.size, row.flows, "s" if row.flows > 1 else "")
        for name, colour in ("offload", "#1f77b4"), ("plain", "#aec7e8"):
            ratios = row.ratios.get((name, "peer"))
            if ratios:
                bars.append((label, name, colour, statistics.median(ratios)))
                label = ""
    for row in rows:
        label = "%s, %s bytes" % (row.setup, row.size)
        for name, ratios in row.kept.items():
            bars.append((label, name + WITHOUT_IDLE, "#9467bd",
                         statistics.median(ratios)))
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
                "dpdkvhostuserclient's, or what the bar says "
                "(line: 1.0)</text>\n"
                % (left + width + 250, height))
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
                        help="in which all is started anew (3, or 1 with "
                        "--quick)")
    parser.add_argument("-t", "--turns", type=int, default=10,
                        help="in each round, of each load (10)")
    parser.add_argument("--sides",
                        default="offload,plain,peer,testpmd,memcpy,flows",
                        type=lambda s: s.split(","))
    parser.add_argument("--before", metavar="BUILD",
                        help="another build directory, for a side of its own")
    parser.add_argument("--quick", action="store_true",
                        help="the main rows, one round: under 3 minutes")
    parser.add_argument("--idle", action="store_true",
                        help="only the rows with idle devices")
    parser.add_argument("--only", metavar="TEXT", default="",
                        help="rows in whose case this occurs")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--json", metavar="FILE")
    opts = parser.parse_args()
    if opts.rounds is None:
        opts.rounds = 1 if opts.quick else 3
    if opts.before:
        opts.sides.append("before")
    if opts.idle or opts.only not in "flows":
        opts.sides = [x for x in opts.sides if x != "flows"]
    if not plan(opts) and "flows" not in opts.sides:
        parser.error("--only %s: there is no such case" % opts.only)
    if (plan(opts) and "testpmd" in opts.sides
            and not shutil.which("dpdk-testpmd")):
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

    results, flow_rows = {}, []
    try:
        for number in range(opts.rounds):
            run_round(opts, number, results)
        if "flows" in opts.sides:
            flow_rows = measure_flows(opts)
    except KeyboardInterrupt:
        print("# interrupted: what there is so far", file=sys.stderr)
    rows = collect(opts, results)
    write_tables(rows, flow_rows, sys.stdout)
    if opts.markdown:
        with open(opts.markdown, "w") as f:
            write_tables(rows, flow_rows, f)
    if opts.svg:
        write_svg(rows, opts.svg)
    if opts.json:
        write_json(rows, flow_rows, opts.json)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
