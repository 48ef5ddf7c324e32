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

import re
import statistics
import sys

from sandbox import Sandbox, make_parser

# Each command that "virtnet" knows, "N" for the number of VFs and "FILE" for a
# file with settings.
CASES = ("sriov 0 N", "list", "list --format table", "query -a", "query -a -b",
         "query -p 0 -b", "query -p 0 -v 0", "stats -p 0", "health -a show",
         "health -p 0 show", "log -l info", "version", "validate -f FILE",
         "wait -p 0 -v 0 -s port", "events --since 0",
         "modify -p 0 device -l 1", "modify -a device -e 25000",
         "modify -a device -e 100000", "modify -a queue -e event -n 10 -c 30",
         "hotplug -i mlx5_0 -m 0C:C4:7A:00:00:01 -t 1500 -qp 1 -s 256",
         "unplug -p 1", "debug -p 0 vq", "debug pool",
         "debug fault --next none", "flr -p 0 -v 0", "update -t", "restart",
         "update -s", "host unload 0", "sriov 0 N", "host reboot",
         "sriov 0 N", "host power-cycle", "sriov 0 N", "sriov 0 0")

# Those that can be repeated, and leave things as they are.
REPEATED = ("list", "query", "stats", "health", "log", "version", "validate",
            "wait", "events", "modify", "debug", "restart")


def known_commands(sb):
    """The commands that the program has, those with subcommands by these."""
    def listed(*command):
        usage = re.sub(r" \[[^]]*\]", "", sb.virtnet(*command).split("\n")[0])
        found = re.search(r"\{([^}]*)\} \.\.\.$", usage)
        return found.group(1).split(",") if found else []
    for name in listed("-h"):
        for sub in listed(name, "-h") or [""]:
            yield name, sub


def check_cases(sb):
    words = [case.split() for case in CASES]
    missing = [" ".join(c) for c in known_commands(sb)
               if not [w for w in words
                       if w[0] == c[0] and (not c[1] or c[1] in w)]]
    if missing:
        sys.exit("commands that are not measured: " + ", ".join(missing))


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
        check_cases(sb)
        sb.start_vswitchd()
        sb.add_bridge()
        sb.wait_ports(1)
        conf = sb.dir + "/virtnet.conf"
        with open(conf, "w") as f:
            f.write('{ "recovery": 1 }\n')
        n_ports = 1

        def measure(command):
            answered, _, away = sb.measure("virtnet/" + command[0],
                                           *command[1:], n_ports=n_ports)
            return answered, away

        print("%-44s %10s %22s" % ("%d VFs" % args.vfs, "ms, median",
                                   "main loop away, ms"))
        for case in CASES:
            command = [{"N": str(args.vfs), "FILE": conf}.get(w, w)
                       for w in case.split()]
            if command[0] == "sriov":
                n_ports = 1 + int(command[2])
            elif command[0] == "host":
                n_ports = 1
            elif command[0] in ("hotplug", "unplug"):
                n_ports += 1 if command[0] == "hotplug" else -1
            results = [measure(command) for _ in range(
                args.rounds if command[0] in REPEATED else 1)]
            print("%-44s %10.2f %22.2f" % (
                re.sub("(hotplug) .*", "\\1", case),
                1000 * statistics.median(r[0] for r in results),
                1000 * max(r[1] for r in results)), flush=True)
            if command[0] in ("restart", "update"):
                sb.settle()     # What comes after it is not the command's.
        print("complaints of ovs-vswitchd: %s" % (sb.long_polls() or "none"))


if __name__ == "__main__":
    main()
