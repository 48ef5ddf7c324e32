#! /usr/bin/env python3
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

"""What flows cost: in the software eSwitch by itself (bench-flows), and on
their way through Open vSwitch's offload thread.

For the latter, "dpctl/add-flows" puts datapath flows, which each packet thread
hands to the offload thread.  "insert" and "delete" are until the eSwitch has
them all, or none: the main thread, which reads the flows, may take longer for
them than the offload thread does.  "of the thread" is by the processor time
that the offload thread has taken: what it could do with a processor of its
own if all came at once."""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

from sandbox import Sandbox, Unixctl, make_parser

COUNTS = (1000, 10000, 100000, 200000)
TIMEOUT_S = 120
DP = "netdev@ovs-netdev"


def row(case, flows, value, unit, peer=None, ratio=None):
    """A figure, as JSON has it."""
    return {"case": case, "size": None, "flows": flows, "queues": None,
            "idle": None, "ring": None, "mrg": None, "ours": value,
            "peer": peer, "unit": unit, "ratio": ratio}


def eswitch_rows(program, quick=False):
    """What bench-flows measures."""
    with tempfile.NamedTemporaryFile("r", prefix="vb-") as f:
        subprocess.run([program, "--json", f.name]
                       + (["--quick"] if quick else []), check=True,
                       stdout=subprocess.DEVNULL)
        return [json.loads(line) for line in f]


class OffloadThread:
    """A switch with two ports, and what it makes of flows between them."""

    def __init__(self, sb):
        self.sb = sb
        sb.start_vswitchd()
        sb.add_bridge()
        sb.virtnet("hotplug", "-i", "mlx5_0", "-m", "0C:C4:7A:00:00:00", "-t",
                   "1500", "-qp", "1", "-s", "256", "--count", "2")
        sb.wait_ports(2)
        self.ctl = Unixctl(sb.ctl_path())
        # Nobody is to delete flows that no rule explains.
        self.ctl.call("revalidator/pause")
        self.ports = re.findall(r"en3f0pf0sf\d+ \d+/(\d+): \(virtio-emu",
                                self.ctl.call("dpif/show"))

    def write_flows(self, n):
        path = "%s/flows.%d" % (self.sb.dir, n)
        with open(path, "w") as f:
            for i in range(n):
                f.write("in_port(%s),eth(src=0c:c4:7a:00:00:00,"
                        "dst=0c:c4:7a:00:00:01),eth_type(0x0800),"
                        "ipv4(dst=10.%d.%d.%d,proto=17,frag=no),udp(dst=9) "
                        "%s\n" % (self.ports[0], i >> 16, i >> 8 & 255,
                                  i & 255, self.ports[1]))
        return path

    def thread_seconds(self):
        """Processor time of the offload thread so far."""
        tasks = "/proc/%d/task/" % self.sb.pids["ovs-vswitchd"]
        ns = 0
        for task in os.listdir(tasks):
            with open(tasks + task + "/comm") as f:
                if not f.read().startswith("hw_offload"):
                    continue
            with open(tasks + task + "/schedstat") as f:
                ns += int(f.read().split()[0])
        return ns / 1e9

    def show(self, what):
        return int(re.search(what + r": (\d+)",
                             self.ctl.call("virtnet/offload-show")).group(1))

    def wait(self, n):
        """Waits until the eSwitch has 'n' flows."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.show("flows") != n:
            if time.monotonic() > deadline:
                raise RuntimeError("the eSwitch has %d flows, not %d"
                                   % (self.show("flows"), n))
            time.sleep(0.002)

    def measure(self, n, *command):
        """Returns the flows a second that 'command' has until the eSwitch has
        'n', if the difference is 1, by the clock and by the thread."""
        cpu, start = self.thread_seconds(), time.monotonic()
        self.ctl.call(*command)
        self.wait(n)
        end = time.monotonic()
        return 1 / (end - start), 1 / (self.thread_seconds() - cpu)

    def run(self, n, path, results):
        results["offload thread, insert", n].append(
            self.measure(n, "dpctl/add-flows", DP, path))
        results["memory", n] = self.show("memory of flows") / n
        results["offload thread, delete", n].append(
            self.measure(0, "dpctl/del-flows", DP))


def thread_rows(ovs, vswitchd, virtnet, counts=COUNTS, rounds=5):
    """What flows cost on their way through the offload thread."""
    cases = "offload thread, insert", "offload thread, delete"
    results = {(case, n): [] for case in cases for n in counts}
    with Sandbox(ovs, vswitchd, virtnet, memory=512, lcore_mask="1",
                 other_config=["hw-offload=true", "virtnet-bridge=br0"]) as sb:
        thread = OffloadThread(sb)
        paths = [thread.write_flows(n) for n in counts]
        for _ in range(rounds):
            for n, path in zip(counts, paths):
                thread.run(n, path, results)
    rows = []
    for n in counts:
        for case in cases:
            for suffix, rates in zip(("", ", of the thread"),
                                     zip(*results[case, n])):
                rows.append(row(case + suffix, n,
                                n * statistics.median(rates), "flows/s"))
        rows.append(row("offload thread, memory of the eSwitch", n,
                        results["memory", n], "bytes"))
    return rows


def write_table(rows, out):
    """A line for each case, a column for each number of flows."""
    counts = sorted({r["flows"] for r in rows})
    values = {(r["case"], r["unit"], r["flows"]): r for r in rows}
    print("| flows | unit | " + " | ".join(map(str, counts)) + " |\n"
          "| --- | --- |" + " ---: |" * len(counts), file=out)
    for case, unit in dict.fromkeys((r["case"], r["unit"]) for r in rows):
        cells = []
        for n in counts:
            r = values.get((case, unit, n))
            cells.append("" if not r
                         else "%.1f (%.2f)" % (r["ours"], r["ratio"])
                         if r["ratio"] else "%.1f" % r["ours"])
        print("| %s | %s | %s |" % (case, unit, " | ".join(cells)), file=out)


def write_json(rows, f):
    for r in rows:
        f.write(json.dumps(r) + "\n")


def main():
    p = make_parser(__doc__)
    p.add_argument("--bench-flows", metavar="PROGRAM",
                   help="run that, too")
    p.add_argument("-n", "--counts", default=",".join(map(str, COUNTS)),
                   help="numbers of flows (%(default)s)")
    p.add_argument("-r", "--rounds", type=int, default=5)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--json", metavar="FILE")
    args = p.parse_args()

    rows = []
    if args.bench_flows:
        rows += eswitch_rows(args.bench_flows, args.quick)
    rows += thread_rows(args.ovs, args.vswitchd, args.virtnet,
                        [int(n) for n in args.counts.split(",")],
                        1 if args.quick else args.rounds)
    write_table(rows, sys.stdout)
    if args.json:
        with open(args.json, "w") as f:
            write_json(rows, f)


if __name__ == "__main__":
    main()
