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

"""How long commands take with many devices, and for how long each keeps the
main loop of ovs-vswitchd from everything else.

The answer time is that of the command's own connection, without a process of
its own.  Meanwhile another connection asks for the version: the longest answer
is the longest time that the main loop was away."""

import statistics

from sandbox import Sandbox, make_parser

CASES = (("list",), ("query", "-a"), ("query", "-a", "-b"),
         ("query", "-p", "0", "-b"), ("stats", "-p", "0"),
         ("health", "-a", "show"), ("log", "-l", "info"),
         ("modify", "-a", "device", "-e", "25000"),
         ("modify", "-a", "device", "-e", "100000"),
         ("restart",))


def main():
    p = make_parser(__doc__)
    p.add_argument("-n", "--vfs", type=int, default=1000)
    p.add_argument("-r", "--rounds", type=int, default=3)
    args = p.parse_args()

    config = ("virtnet-bridge=br0", "virtnet-num-pf=1",
              "virtnet-num-vf=%d" % args.vfs, "virtnet-num-msix=4",
              "virtnet-max-functions=8192")
    with Sandbox(args.ovs, args.vswitchd, args.virtnet,
                 other_config=config) as sb:
        sb.start_vswitchd()
        sb.add_bridge()
        sb.wait_ports(1)

        def measure(*command):
            n_ports = (1 + int(command[2]) if command[0] == "sriov"
                       else 1 + args.vfs if command[0] == "restart"
                       else None)
            answered, _, away = sb.measure("virtnet/" + command[0],
                                           *command[1:], n_ports=n_ports)
            return answered, away

        def report(command, results):
            print("%-30s %10.2f %22.2f" % (
                " ".join(command),
                1000 * statistics.median(r[0] for r in results),
                1000 * max(r[1] for r in results)), flush=True)

        print("%-30s %10s %22s" % ("%d VFs" % args.vfs, "ms, median",
                                   "main loop away, ms"))
        command = ("sriov", "0", str(args.vfs))
        report(command, [measure(*command)])
        for command in CASES:
            report(command, [measure(*command) for _ in range(args.rounds)])
        command = ("sriov", "0", "0")
        report(command, [measure(*command)])
        print("complaints of ovs-vswitchd: %s" % (sb.long_polls() or "none"))


if __name__ == "__main__":
    main()
