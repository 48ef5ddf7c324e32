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

"""Many devices: what the first and the last of them cost, a batch, a restart,
the deletion of their bridge, and memory; beside as many dpdkvhostuserclient
ports of the same ovs-vswitchd in the same run.

With --vfs: VFs instead, as many as given, and with 1008 also all kinds of
devices at once: 31 static PFs, 31 hotplug PFs and 1008 VFs.  A VF counts when
it is a port of the datapath."""

import json
import os
import statistics
import subprocess
import sys
import time

from sandbox import LoopProbe, Sandbox, Unixctl, make_parser

HERE = os.path.dirname(os.path.abspath(__file__))


def mac(i):
    return "0C:C4:7A:%02X:%02X:%02X" % (i >> 16 & 255, i >> 8 & 255, i & 255)


class Ours:
    name = "virtio-emu"
    config = ("virtnet-bridge=br0", "virtnet-switch-num-port=1000")

    @staticmethod
    def add_one(sb, i):
        sb.virtnet("hotplug", "-i", "mlx5_0", "-m", mac(i), "-t", "1500",
                   "-qp", "1", "-s", "256")

    @staticmethod
    def add_batch(sb, n):
        sb.virtnet("hotplug", "-i", "mlx5_0", "-m", mac(0), "-t", "1500",
                   "-qp", "1", "-s", "256", "--count", str(n))


    @staticmethod
    def sockets(sb, n):
        return ["%s/virtnet/en3f0pf0sf%d.sock" % (sb.dir, 2000 + i)
                for i in range(n)]


class Peer:
    name = "dpdkvhostuserclient"
    config = ()

    @staticmethod
    def _args(sb, i):
        return ["add-port", "br0", "p%d" % i, "--", "set", "Interface",
                "p%d" % i, "type=dpdkvhostuserclient",
                "options:vhost-server-path=%s/s%d" % (sb.dir, i)]

    @staticmethod
    def add_one(sb, i):
        sb.vsctl(*Peer._args(sb, i))

    @staticmethod
    def add_batch(sb, n):
        args = []
        for i in range(n):
            args += ["--"] + Peer._args(sb, i)
        sb.vsctl(*args[1:])

    @staticmethod
    def sockets(sb, n):
        return ["%s/s%d" % (sb.dir, i) for i in range(n)]


class Clock:
    def __init__(self):
        self.start = time.monotonic()

    def ms(self):
        return (time.monotonic() - self.start) * 1000


def start(opts, side):
    sb = Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                 other_config=side.config)
    sb.start_vswitchd()
    sb.add_bridge()
    return sb


def one_by_one(opts, side):
    n = opts.devices
    result = {}
    with start(opts, side) as sb:
        side.add_one(sb, 0)     # Brings packet threads and buffers to life.
        sb.wait_ports(1)
        rss = sb.rss_kb()
        probe = LoopProbe(sb.ctl_path())
        probe.start()
        times = []
        clock = Clock()
        for i in range(1, n):
            c = Clock()
            side.add_one(sb, i)
            times.append(c.ms())
        result["commands_ms"] = clock.ms()
        sb.wait_ports(n)
        result["all_ports_ms"] = clock.ms()
        result["loop_away_ms"] = probe.stop() * 1000
        w = max(len(times) // 25, 1)
        result["tenth_ms"] = statistics.median(times[10 - w // 2:10 + w // 2]
                                               if n > 40 else times[:w])
        result["last_ms"] = statistics.median(times[-w:])
        result["rss_per_device_kb"] = (sb.rss_kb() - rss) / (n - 1)

        sb.kill("ovs-vswitchd")
        clock = Clock()
        sb.start_vswitchd()
        probe = LoopProbe(sb.ctl_path())
        probe.start()
        sb.wait_ports(n)
        result["restart_ms"] = clock.ms()
        result["restart_loop_away_ms"] = probe.stop() * 1000

        probe = LoopProbe(sb.ctl_path())
        probe.start()
        clock = Clock()
        sb.vsctl("del-br", "br0")
        sb.wait_ports(0)
        result["del_br_ms"] = clock.ms()
        result["del_br_loop_away_ms"] = probe.stop() * 1000
        result["long_polls"] = sb.long_polls()
    return result


def batch(opts, side):
    with start(opts, side) as sb:
        probe = LoopProbe(sb.ctl_path())
        probe.start()
        clock = Clock()
        side.add_batch(sb, opts.devices)
        sb.wait_ports(opts.devices)
        return {"batch_ms": clock.ms(),
                "batch_loop_away_ms": probe.stop() * 1000,
                "batch_long_polls": sb.long_polls()}


class AnsweringGuests:
    """See answering-guests.py."""

    def __init__(self, sockets):
        self.process = subprocess.Popen(
            [sys.executable, HERE + "/answering-guests.py"] + sockets,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_answered(self):
        if self.process.stdout.readline() != b"answered\n":
            raise RuntimeError("the guests do not answer")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()


def restart_with_guests(opts, side):
    """A restart under guests that have drivers."""
    n = opts.devices
    with start(opts, side) as sb:
        side.add_batch(sb, n)
        sb.wait_ports(n)
        with AnsweringGuests(side.sockets(sb, n)) as guests:
            guests.wait_answered()
            sb.settle()
            sb.kill("ovs-vswitchd")
            clock = Clock()
            sb.start_vswitchd()
            guests.wait_answered()
            return {"forward_ms": clock.ms(),
                    "forward_loop_away_ms": sb.settle() * 1000,
                    "forward_long_polls": sb.long_polls()}


ROWS = [
    ("commands_ms", "N-1 commands, one after another, ms"),
    ("all_ports_ms", "... until all are ports of the datapath, ms"),
    ("tenth_ms", "one command, around the 10th, ms"),
    ("last_ms", "one command, the last ones, ms"),
    ("loop_away_ms", "longest absence of the main loop meanwhile, ms"),
    ("batch_ms", "N in one command, until all are ports, ms"),
    ("batch_loop_away_ms", "longest absence of the main loop meanwhile, ms"),
    ("restart_ms", "kill -9, start, until all are ports again, ms"),
    ("restart_loop_away_ms", "longest absence of the main loop meanwhile, ms"),
    ("forward_ms",
     "the same with guests, until all have received and sent again, ms"),
    ("forward_loop_away_ms", "longest absence of the main loop from then "
     "until it rests, ms"),
    ("del_br_ms", "deletion of the bridge, ms"),
    ("del_br_loop_away_ms", "longest absence of the main loop meanwhile, ms"),
    ("rss_per_device_kb", "resident memory of an idle device, kB"),
]


def usage(sb):
    """File descriptors, threads, resident memory."""
    proc = "/proc/%d/" % sb.pids["ovs-vswitchd"]
    return (len(os.listdir(proc + "fd")), len(os.listdir(proc + "task")),
            sb.rss_kb())


def wait_devices(sb, n):
    """Waits until the controller has 'n' devices."""
    while True:
        try:
            ctl = Unixctl(sb.ctl_path())
            if len(json.loads(ctl.call("virtnet/list"))["devices"]) == n:
                return
        except OSError:
            pass
        time.sleep(0.005)


class VfTimer:
    """Makes or removes VFs, and sees how long that and what follows takes."""

    def __init__(self, sb, pfs, per_pf, others):
        self.sb = sb
        self.ctl = Unixctl(sb.ctl_path())
        self.pfs = pfs
        self.per_pf = per_pf
        self.others = others    # Ports that are not of VFs.

    def set_all(self, n):
        """Has each PF have 'n' VFs.  Returns the time for each PF."""
        times = []
        for pf in range(self.pfs):
            clock = Clock()
            reply = json.loads(self.ctl.call("virtnet/sriov", str(pf),
                                             str(n)))
            if reply["errno"]:
                raise RuntimeError(reply)
            times.append(clock.ms())
        return times

    def set(self, n, result, key):
        probe = LoopProbe(self.sb.ctl_path())
        probe.start()
        clock = Clock()
        self.set_all(n)
        result[key + "_ms"] = clock.ms()
        self.sb.wait_ports(self.others + self.pfs * n)
        result[key + "_ports_ms"] = clock.ms()
        result[key + "_loop_away_ms"] = probe.stop() * 1000


def vfs(opts, pfs, per_pf, hotplug=0):
    """'pfs' static PFs with 'per_pf' VFs each, and 'hotplug' PFs."""
    config = ("virtnet-bridge=br0", "virtnet-num-pf=%d" % pfs,
              "virtnet-num-vf=%d" % per_pf, "virtnet-max-functions=8192",
              "virtnet-max-vfs=4096", "virtnet-max-hotplug-with-vfs=31")
    result = {"devices": pfs * per_pf}
    n = pfs * per_pf

    # What the controller and the backend take by themselves.
    with Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                 other_config=config + ("virtnet-auto-port=false",)) as sb:
        sb.start_vswitchd()
        wait_devices(sb, pfs)
        times = VfTimer(sb, pfs, per_pf, pfs).set_all(per_pf)
        result["first_us"] = times[0] / per_pf * 1000
        result["last_us"] = times[-1] / per_pf * 1000

    with Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                 other_config=config) as sb:
        sb.start_vswitchd()
        sb.add_bridge()
        sb.wait_ports(pfs)
        if hotplug:
            sb.virtnet("hotplug", "-i", "mlx5_0", "-m", mac(0), "-t", "1500",
                       "-qp", "1", "-s", "256", "--count", str(hotplug))
            sb.wait_ports(pfs + hotplug)
        before = usage(sb)
        timer = VfTimer(sb, pfs, per_pf, pfs + hotplug)
        timer.set(per_pf, result, "make")
        after = usage(sb)
        result["fds_per_vf"] = (after[0] - before[0]) / n
        result["threads"] = after[1] - before[1]
        result["rss_per_vf_kb"] = (after[2] - before[2]) / n

        clock = Clock()
        devices = json.loads(timer.ctl.call("virtnet/list"))["devices"]
        result["list_ms"] = clock.ms()
        if len(devices) != pfs + hotplug + n:
            raise RuntimeError("%d devices" % len(devices))
        clock = Clock()
        timer.ctl.call("virtnet/query", "-p", str(pfs - 1), "-v",
                       str(per_pf - 1))
        result["query_ms"] = clock.ms()

        sb.kill("ovs-vswitchd")
        clock = Clock()
        sb.start_vswitchd()
        sb.wait_ports(pfs + hotplug + n)
        result["restart_ms"] = clock.ms()
        result["settle_loop_away_ms"] = sb.settle() * 1000

        timer = VfTimer(sb, pfs, per_pf, pfs + hotplug)
        timer.set(0, result, "remove")
        result["long_polls"] = sb.long_polls()
    return result


VF_ROWS = [
    ("make_ms", "all VFs made, ms"),
    ("make_ports_ms", "... and ports of the datapath, ms"),
    ("make_loop_away_ms", "longest absence of the main loop meanwhile, ms"),
    ("first_us", "without ports, one VF of the first PF, us"),
    ("last_us", "without ports, one VF of the last PF, us"),
    ("rss_per_vf_kb", "resident memory of an idle VF, kB"),
    ("fds_per_vf", "file descriptors of an idle VF"),
    ("threads", "threads that came with them"),
    ("list_ms", "`list`, ms"),
    ("query_ms", "`query` of one, ms"),
    ("restart_ms", "kill -9, start, until all are ports again, ms"),
    ("settle_loop_away_ms",
     "longest absence of the main loop until it rests, ms"),
    ("remove_ms", "all VFs removed, ms"),
    ("remove_ports_ms", "... and their ports, ms"),
    ("remove_loop_away_ms", "longest absence of the main loop meanwhile, ms"),
]


def main_vfs(opts):
    cases = []
    for n in opts.vfs:
        cases.append(("%d VFs of 4 PFs" % n, 4, n // 4, 0))
        if n == 1008:
            # 31 PFs cannot have the same number of VFs each and 1008 in all.
            cases.append(("31 static PFs, 31 hotplug PFs, 1023 VFs", 31, 33,
                          31))
    results = {c[0]: [] for c in cases}
    for r in range(opts.rounds):
        for title, pfs, per_pf, hotplug in cases:
            print("# round %d of %d: %s" % (r + 1, opts.rounds, title),
                  file=sys.stderr)
            results[title].append(vfs(opts, pfs, per_pf, hotplug))

    print("medians of %d rounds" % opts.rounds)
    print()
    print("| | " + " | ".join(c[0] for c in cases) + " |")
    print("| --- |" + " ---: |" * len(cases))
    for key, title in VF_ROWS:
        print("| %s | %s |" % (title, " | ".join(
            "%.1f" % statistics.median(row[key] for row in results[c[0]])
            for c in cases)))
    polls = [p for c in cases for row in results[c[0]]
             for p in row["long_polls"]]
    print("\n\"Unreasonably long poll interval\" lines: %s"
          % (polls or "none"))
    if opts.json:
        with open(opts.json, "w") as f:
            for title, rows in results.items():
                for row in rows:
                    f.write(json.dumps(dict(row, case=title)) + "\n")


def main():
    parser = make_parser(__doc__)
    parser.add_argument("-n", "--devices", type=int, default=500)
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["ours", "peer"])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--vfs", metavar="N", type=int, nargs="*",
                        help="VFs instead of hotplug PFs: 504 and 1008, or "
                        "as many as given")
    opts = parser.parse_args()

    if opts.vfs is not None:
        opts.vfs = opts.vfs or [504, 1008]
        main_vfs(opts)
        return

    sides = [s for s in (Ours, Peer)
             if opts.only is None or (opts.only == "ours") == (s is Ours)]
    results = {s.name: [] for s in sides}
    for r in range(opts.rounds):
        for side in sides:
            print("# round %d of %d: %s" % (r + 1, opts.rounds, side.name),
                  file=sys.stderr)
            row = one_by_one(opts, side)
            row.update(batch(opts, side))
            row.update(restart_with_guests(opts, side))
            results[side.name].append(row)

    def median(side, key):
        return statistics.median(row[key] for row in results[side.name])

    print("N = %d, medians of %d rounds" % (opts.devices, opts.rounds))
    print()
    print("| | " + " | ".join(s.name for s in sides) + " | ratio |")
    print("| --- |" + " ---: |" * (len(sides) + 1))
    for key, title in ROWS:
        values = [median(s, key) for s in sides]
        ratio = ("%.3f" % (values[0] / values[1])
                 if len(values) == 2 and values[1] else "")
        print("| %s | %s | %s |" % (title, " | ".join("%.1f" % v
                                                      for v in values),
                                    ratio))
    for side in sides:
        polls = [p for row in results[side.name]
                 for p in row["long_polls"] + row["batch_long_polls"]
                 + row["forward_long_polls"]]
        print("\n%s: \"Unreasonably long poll interval\" lines: %s"
              % (side.name, polls or "none"))
    if opts.json:
        with open(opts.json, "w") as f:
            for side in sides:
                for row in results[side.name]:
                    f.write(json.dumps(dict(row, case="scale",
                                            side=side.name,
                                            devices=opts.devices)) + "\n")


if __name__ == "__main__":
    main()
