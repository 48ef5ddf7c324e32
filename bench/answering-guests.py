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

"""Guests that answer the first of them: whether all forward again.

usage: answering-guests.py SOCKET...

Listens on each SOCKET and starts the rings of whoever connects.  The first
guest sends a broadcast again and again until each of the others has answered
it, thus until each of them has received a frame and has had one of its own
forwarded.  Then prints "answered", waits until all connections have ended, and
begins anew.  Ends with its input."""

import os
import resource
import selectors
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../tests/guest"))
from vhost_front_end import (BUFFER, FrontEnd, GPA, RING,  # noqa: E402
                             SET_FEATURES, SET_OWNER,
                             SET_PROTOCOL_FEATURES, SIZE, USED, WRITE)

RX, TX = 0, 1
BUFFER_SIZE = 0x1000
SENT = BUFFER + SIZE * BUFFER_SIZE      # Offset of what a guest sends.
HEADER = 12                             # Bytes of struct virtio_net_hdr.
FRAME = 60
ASK_AGAIN_S = 0.01
ANSWER_AGAIN_S = 0.1
PAUSE_S = 0.005


def mac(i):
    return bytes([0x0c, 0xc4, 0x7a, 0x80, i >> 8, i & 0xff])


class Guest(FrontEnd):
    """Guest 'i', whose switch has just connected to 'listener'."""

    def __init__(self, listener, i):
        super().__init__(listener.dup())
        self.i = i
        self.negotiate()
        self.share_memory()
        to = mac(0) if i else b"\xff" * 6
        frame = bytes(HEADER) + to + mac(i) + b"\x88\xb5"
        frame += bytes(HEADER + FRAME - len(frame))
        self.memory[SENT:SENT + len(frame)] = frame
        for d in range(SIZE):
            # The others need not know what they are asked.
            own = d if i == 0 else 0
            self.describe(RX, d, GPA + BUFFER + own * BUFFER_SIZE,
                          BUFFER_SIZE, WRITE)
            self.describe(TX, d, GPA + SENT, len(frame))
        for ring in RX, TX:
            self.make_available(ring, SIZE)
        self.start_rings()

    def start_rings(self):
        self.seen = 0           # Frames received that were looked at.
        self.answered_at = 0.0
        self.set_index(RX, SIZE)
        self.set_index(TX, 0)
        for ring in RX, TX:
            self.put(ring * RING + USED, "<HH", 0, 0)
            self.start_ring(ring)

    def resume(self, listener):
        """Goes on with the switch that has just connected, without asking it
        for what the one before has answered."""
        self.sock = listener.accept()[0]
        self.send_u64(SET_FEATURES, self.features)
        self.send_u64(SET_PROTOCOL_FEATURES, self.protocol)
        self.send(SET_OWNER)
        self.send_memory()
        self.start_rings()

    def lose_switch(self):
        self.wait_closed()
        self.sock.close()
        while self.fds:
            os.close(self.fds.pop())

    def transmit(self):
        self.set_index(TX, self.index[TX] + 1)
        os.eventfd_write(self.fds[2 * TX], 1)

    def receive_frames(self):
        """The sources of the frames that have come."""
        sources = []
        while self.seen != self.used(RX):
            entry = RX * RING + USED + 4 + 8 * (self.seen % SIZE)
            d = struct.unpack_from("<I", self.memory, entry)[0]
            own = d if self.i == 0 else 0
            ofs = BUFFER + own * BUFFER_SIZE + HEADER + 6
            sources.append(self.memory[ofs:ofs + 6])
            self.seen = self.seen + 1 & 0xffff
            self.set_index(RX, self.index[RX] + 1)
        return sources


def accept_all(listeners, guests):
    """Has the guest of each of 'listeners' begin when the switch connects."""
    with selectors.DefaultSelector() as selector:
        for i, listener in enumerate(listeners):
            selector.register(listener, selectors.EVENT_READ, i)
        while selector.get_map():
            for key, _ in selector.select():
                selector.unregister(key.fileobj)
                if guests[key.data]:
                    guests[key.data].resume(key.fileobj)
                else:
                    guests[key.data] = Guest(key.fileobj, key.data)


def wait_answers(guests):
    silent = {mac(guest.i): guest for guest in guests[1:]}
    asked_at = 0.0
    while silent:
        now = time.monotonic()
        if now - asked_at >= ASK_AGAIN_S:
            guests[0].transmit()
            asked_at = now
        for guest in silent.values():
            if (guest.receive_frames()
                    and now - guest.answered_at >= ANSWER_AGAIN_S):
                guest.transmit()
                guest.answered_at = now
        for source in guests[0].receive_frames():
            silent.pop(source, None)
        # Whoever waits leaves the processors alone, which a switch needs.
        time.sleep(PAUSE_S)


def main():
    paths = sys.argv[1:]
    if len(paths) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = [FrontEnd.listen(path) for path in paths]
    with selectors.DefaultSelector() as selector:
        guests = [None] * len(listeners)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            accept_all(listeners, guests)
            wait_answers(guests)
            print("answered", flush=True)
            selector.register(guests[0].sock, selectors.EVENT_READ)
            if any(key.fileobj is sys.stdin for key, _ in selector.select()):
                return 0
            selector.unregister(guests[0].sock)
            for guest in guests:
                guest.lose_switch()


if __name__ == "__main__":
    sys.exit(main())
