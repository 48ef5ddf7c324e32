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

"""How long the first packet after a pause takes.

A front end sends a packet, waits until the switch has given its buffer back,
and pauses: for so long that the queue sleeps, or, to compare, not at all.
What the front end itself needs, in Python, is in both figures."""

import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../tests/guest")]
from sandbox import Sandbox, make_parser  # noqa: E402
from vhost_front_end import BUFFER, FrontEnd, GPA, RING, USED  # noqa: E402

TX = 1
FRAME = (b"\0" * 12 + bytes.fromhex("0cc47a0000ff 0cc47a0000fe 0800")
         + b"\0" * 46)


def one(guest):
    """Microseconds from the moment that a packet is available."""
    guest.make_available(TX, 1)
    want = guest.index[TX].to_bytes(2, "little")
    ofs = TX * RING + USED + 2
    begin = time.perf_counter_ns()
    os.eventfd_write(guest.fds[2 * TX], 1)
    while guest.memory[ofs:ofs + 2] != want:
        pass
    return (time.perf_counter_ns() - begin) / 1000


def measure(guest, n, pause):
    times = []
    for _ in range(n):
        time.sleep(pause)
        times.append(one(guest))
    times.sort()
    return times


def main():
    p = make_parser(__doc__)
    p.add_argument("-n", type=int, default=500, help="packets each")
    opts = p.parse_args()
    os.sched_setaffinity(0, {0})
    with Sandbox(opts.ovs, opts.vswitchd, opts.virtnet,
                 lcore_mask="1", other_config=["virtnet-bridge=br0"]) as sb:
        sb.start_vswitchd()
        sb.add_bridge()
        sb.virtnet("hotplug", "-i", "mlx5_0", "-m", "0C:C4:7A:00:00:01",
                   "-t", "1500", "-qp", "1", "-s", "256")
        sb.wait_ports(1)
        guest = FrontEnd(FrontEnd.listen(
            sb.dir + "/virtnet/en3f0pf0sf2000.sock"))
        guest.start(n_rings=2)
        guest.memory[BUFFER:BUFFER + len(FRAME)] = FRAME
        guest.describe(TX, 0, GPA + BUFFER, len(FRAME))
        measure(guest, 50, 0)
        print("| pause | median us | 99 % | max |")
        print("| ---: | ---: | ---: | ---: |")
        for pause in 0, 0.02:
            times = measure(guest, opts.n, pause)
            print("| %g ms | %.1f | %.1f | %.1f |" % (
                pause * 1000, statistics.median(times),
                times[len(times) * 99 // 100], times[-1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
