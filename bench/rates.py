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

"""Guest to guest packet rates beside dpdkvhostuserclient ports of the same
ovs-vswitchd: two virtio drivers in one process on one core, one packet thread
on the other.  Rates are what the guests received, both directions together;
cycles are what the packet thread says that it spent on a packet.  The sides
take turns, and each figure is the median of the rounds."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time

from sandbox import Sandbox, Unixctl


class Ours:
    name = "virtio-emu"
    config = ("virtnet-bridge=br0", "virtnet-packed-vq=true",
              "virtnet-mrg-rxbuf=true")

    @staticmethod
    def add(sb, i):
        deadline = time.monotonic() + 20
        while True:
            r = sb.run(sb.virtnet_program, "hotplug", "-i", "mlx5_0", "-m",
                       "0C:C4:7A:00:00:%02X" % i, "-t", "1500", "-qp", "1",
                       "-s", "256", check=False)
            if r.returncode == 0:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(r.stdout)
            time.sleep(0.05)
        return "%s/virtnet/en3f0pf0sf%d.sock" % (sb.dir, 2000 + i)


class Peer:
    name = "dpdkvhostuserclient"
    config = ()

    @staticmethod
    def add(sb, i):
        path = "%s/s%d" % (sb.dir, i)
        sb.vsctl("add-port", "br0", "p%d" % i, "--", "set", "Interface",
                 "p%d" % i, "type=dpdkvhostuserclient",
                 "options:vhost-server-path=" + path)
        return path


def wait_traffic(ctl, timeout=60):
    """Returns when a packet thread has had a million packets."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        stats = ctl.call("dpif-netdev/pmd-stats-show")
        if sum(map(int, re.findall(r"packets received: (\d+)",
                                   stats))) > 100000:
            return
        time.sleep(0.1)
    raise TimeoutError("no traffic")


def measure(opts, side, ring, mrg, size):
    with Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                 other_config=side.config) as sb:
        sb.start_vswitchd()
        sb.vsctl("add-br", "br0", "--", "set", "Bridge", "br0",
                 "datapath_type=netdev")
        sockets = [side.add(sb, i) for i in range(2)]
        sb.wait_ports(2)
        ctl = Unixctl(sb.ctl_path())
        args = [opts.guest, "--mode", "flood", "--no-verify",
                "--duration", str(opts.seconds), "--warmup", "1",
                "--lcore", "0", "--size", str(size), "--timeout", "60"]
        for i, s in enumerate(sockets):
            args += ["--socket", "%s,mac=0c:c4:7a:00:00:%02x,packed=%d,mrg=%d"
                     % (s, i, ring == "packed", mrg)]
        # A first guest brings what is made only when it is needed, such as
        # packet buffers, into being.
        subprocess.run(args, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120)
        ctl.call("dpif-netdev/pmd-stats-clear")
        guest = subprocess.Popen(args, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        try:
            wait_traffic(ctl)
            time.sleep(1 + opts.seconds / 2)
            ctl.call("dpif-netdev/pmd-stats-clear")
            time.sleep(opts.seconds / 4)
            stats = ctl.call("dpif-netdev/pmd-stats-show")
            out, _ = guest.communicate(timeout=60)
        finally:
            guest.kill()
        result = json.loads(out.strip().splitlines()[-1])
        m = re.search(r"avg processing cycles per packet: ([\d.]+)", stats)
        return result["rx_mpps_median"], float(m.group(1)) if m else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ovs", required=True,
                        help="directory of the built Open vSwitch")
    parser.add_argument("--vswitchd", required=True)
    parser.add_argument("--virtnet", required=True)
    parser.add_argument("--guest", required=True,
                        help="the program virtnet-guest")
    parser.add_argument("-r", "--rounds", type=int, default=3)
    parser.add_argument("-s", "--seconds", type=int, default=4)
    parser.add_argument("--sizes", default="64,1500")
    parser.add_argument("--json", metavar="FILE")
    opts = parser.parse_args()

    cases = [(ring, mrg, int(size)) for ring in ("split", "packed")
             for mrg in (0, 1) for size in opts.sizes.split(",")]
    results = {}
    for r in range(opts.rounds):
        for case in cases:
            for side in (Ours, Peer) if r % 2 == 0 else (Peer, Ours):
                print("# round %d of %d: %s, %s" % (r + 1, opts.rounds, case,
                                                    side.name),
                      file=sys.stderr)
                results.setdefault((case, side.name), []).append(
                    measure(opts, side, *case))

    print("| ring | mergeable | bytes | %s Mpps | %s Mpps | ratio "
          "| cycles | cycles | ratio |" % (Ours.name, Peer.name))
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    lines = []
    for case in cases:
        ours, peer = (results[case, s.name] for s in (Ours, Peer))
        mpps = [statistics.median(x[0] for x in side) for side in (ours, peer)]
        cycles = [statistics.median([x[1] for x in side if x[1]] or [0])
                  for side in (ours, peer)]
        print("| %s | %s | %d | %.2f | %.2f | %.2f | %.0f | %.0f | %.2f |"
              % (case[0], "yes" if case[1] else "no", case[2], *mpps,
                 mpps[0] / mpps[1], *cycles,
                 cycles[0] / cycles[1] if cycles[1] else 0))
        lines.append({"case": "rate", "size": case[2], "flows": 1,
                      "queues": 1, "idle": 0, "ring": case[0],
                      "mrg": case[1], "ours": mpps[0], "peer": mpps[1],
                      "unit": "Mpps", "ratio": mpps[0] / mpps[1]})
    if opts.json:
        with open(opts.json, "w") as f:
            for line in lines:
                f.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
