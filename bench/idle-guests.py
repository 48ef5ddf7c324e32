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

"""Guests that have drivers and nothing to say.

usage: idle-guests.py SOCKET...

Listens on each SOCKET, starts the rings of whoever connects, prints "ready"
when all have been started, and keeps them until its input ends."""

import os
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../tests/guest"))
from vhost_front_end import FrontEnd  # noqa: E402


def main():
    paths = sys.argv[1:]
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = [FrontEnd.listen(path) for path in paths]
    guests = []
    for listener in listeners:
        guest = FrontEnd(listener)
        guest.start(n_rings=2)
        guests.append(guest)
    # The answer to a last question means that the rest has been dealt with.
    for guest in guests:
        guest.ask_queues()
    print("ready", flush=True)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
