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

"""How long it takes mode "native" of the mlx5 backend, on the model of a card
in tests/, to do what takes many commands of the firmware, and for how long that
keeps the main loop of ovs-vswitchd from everything else.

Each command of the firmware, and each request to devlink, takes --latency
microseconds; on a card an SF takes longer."""

import os

from sandbox import Sandbox, make_parser


def main():
    p = make_parser(__doc__, "tests/model/ovs-vswitchd")
    p.add_argument("-n", "--vfs", type=int, default=504)
    p.add_argument("--latency", type=int, default=1000)
    args = p.parse_args()

    config = ("virtnet-bridge=br0", "virtnet-backend=mlx5",
              "virtnet-num-vf-msix=6", "virtnet-max-functions=8192",
              "virtnet-max-hotplug-with-vfs=31")
    with Sandbox(args.ovs, args.vswitchd, args.virtnet, memory=512,
                 other_config=config) as sb:
        sysfs = sb.dir + "/sysfs"
        os.mkdir(sysfs)
        sb.env["FW_SYSFS"] = sysfs
        sb.env["FW_MODEL"] = ("n_static_pfs=1,max_hotplug=31,max_vfs=%d,"
                              "n_sfs=%d,latency_us=%d,devlink_us=%d"
                              % (args.vfs, args.vfs + 40, args.latency,
                                 args.latency))
        sb.start_vswitchd()
        # Routes of hundreds of interfaces are not what this is about.
        sb.run("nsenter", "-t", str(sb.pids["ovs-vswitchd"]), "-n", "sysctl",
               "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        sb.add_bridge()
        sb.wait_ports(1)

        print("%-46s %10s %22s" % ("%d VFs, %d us a command"
                                   % (args.vfs, args.latency), "ms",
                                   "main loop away, ms"))

        def measure(what, n_ports, *command):
            _, done, away = sb.measure(*command, n_ports=n_ports)
            print("%-46s %10.1f %22.1f" % (what, 1000 * done, 1000 * away),
                  flush=True)

        hotplug = ("virtnet/hotplug", "-i", "mlx5_0", "-m",
                   "0C:C4:7A:00:00:01", "-t", "1500", "-qp", "1", "-s", "256")
        measure("hotplug", 2, *hotplug)
        measure("unplug", 1, "virtnet/unplug", "-p", "1")
        measure("hotplug of 31", 32, *hotplug, "--count", "31")
        measure("host enables %d VFs" % args.vfs, 32 + args.vfs,
                "fw/vfs", "100", str(args.vfs))
        measure("list", None, "virtnet/list")
        measure("query -a", None, "virtnet/query", "-a")
        measure("health -a show", None, "virtnet/health", "-a", "show")
        measure("modify -a device -l 0", None, "virtnet/modify", "-a",
                "device", "-l", "0")
        measure("modify -a device -t 1400", None, "virtnet/modify", "-a",
                "device", "-t", "1400")
        measure("restart", 32 + args.vfs, "virtnet/restart")
        measure("host disables %d VFs" % args.vfs, 32, "fw/vfs", "100", "0")


if __name__ == "__main__":
    main()
