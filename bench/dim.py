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

"""Interrupt moderation: how often a driver is notified, and how many frames it
gets in a second, without moderation, with "dim", and with a period and a count
of an operator's.

The driver is tests/guest/count-notifications: what it counts would be
interrupts of a guest.  It takes frames only when it is notified."""

import os
import statistics
import sys

from sandbox import Sandbox, make_parser

COUNTER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "tests", "guest", "count-notifications")
CASES = (("none", ("device", "-dim", "disable")),
         ("dim", ("device", "-dim", "enable")),
         ("none again", ("device", "-dim", "disable")),
         ("50 us, 32", ("queue", "-e", "event", "-n", "50", "-c", "32")))


def main():
    p = make_parser(__doc__)
    p.add_argument("--frames", type=int, default=200000)
    p.add_argument("--rounds", type=int, default=5)
    args = p.parse_args()

    with Sandbox(args.ovs, args.vswitchd, args.virtnet, memory=512,
                 lcore_mask="1", other_config=("virtnet-bridge=br0",)) as sb:
        sb.start_vswitchd()
        sb.add_bridge()
        for i in range(2):
            sb.virtnet("hotplug", "-i", "mlx5_0", "-m",
                       "0C:C4:7A:00:00:0%d" % i, "-t", "1500", "-qp", "1",
                       "-s", "256")
        sb.wait_ports(2)
        sockets = [os.path.join(sb.dir, "virtnet", "en3f0pf0sf200%d.sock" % i)
                   for i in range(2)]
        print("%-12s %16s %12s %20s" % ("moderation", "notifications/s",
                                        "frames/s", "frames/notification"))
        for name, how in CASES:
            sb.virtnet("modify", "-p", "1", *how)
            results = []
            for _ in range(args.rounds):
                n, calls, seconds = sb.out(
                    sys.executable, COUNTER, *sockets, str(args.frames), "4",
                    "64").split()
                results.append((int(calls) / float(seconds),
                                int(n) / float(seconds)))
            calls, frames = [statistics.median(r) for r in zip(*results)]
            print("%-12s %16.0f %12.0f %20.1f" % (name, calls, frames,
                                                  frames / calls))


if __name__ == "__main__":
    main()
