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

"""A front end of vhost-user, for what no driver does: one that misbehaves, or
a thousand that do nothing."""

import array
import mmap
import os
import socket
import struct
import time

GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER = 1, 2, 3, 4
SET_MEM_TABLE, SET_LOG_BASE = 5, 6
SET_VRING_NUM, SET_VRING_ADDR = 8, 9
SET_VRING_BASE, GET_VRING_BASE = 10, 11
SET_VRING_KICK, SET_VRING_CALL, GET_PROTOCOL_FEATURES = 12, 13, 15
SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = 16, 17, 18
SEND_RARP = 19
SET_STATUS = 39

# Seconds to wait for the switch.  Only there for a test that has failed
# already, also with a sanitizer, at the lowest priority, beside others.
PATIENCE = 120

NEED_REPLY = 8                  # Flag of messages.

F_CSUM, F_GUEST_CSUM, F_HOST_TSO4, F_MQ = 1 << 0, 1 << 1, 1 << 11, 1 << 22
F_GUEST_USO4, F_GUEST_USO6, F_HOST_USO = 1 << 54, 1 << 55, 1 << 56
F_LOG_ALL, F_INDIRECT_DESC, F_PROTOCOL_FEATURES = 1 << 26, 1 << 28, 1 << 30
F_VERSION_1, F_RING_PACKED = 1 << 32, 1 << 34
PROTOCOL_MQ, PROTOCOL_STATUS = 1 << 0, 1 << 16

NEXT, WRITE = 1, 2              # Descriptor flags.
SIZE = 256                      # Descriptors of each ring.
MEMORY = 4 << 20                # Bytes of guest memory, ...
GPA, VA = 0x100000, 0x7f0000000000  # ... and where they are said to be.
BUFFER = 0x100000               # Offset of the frame.
RING = 0x10000                  # Offset from one ring to the next.
AVAIL, USED = 0x4000, 0x6000    # Offsets within a ring.


class FrontEnd:
    """One that a switch has connected to.  Rings are split, an even one is
    the driver's to receive, an odd one to send; descriptors lie at the head of
    a ring, the other areas at AVAIL and USED."""

    memory_size = MEMORY

    @staticmethod
    def listen(path):
        """Returns a socket for the switch to connect to."""
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.settimeout(PATIENCE)
        listener.bind(path)
        listener.listen(1)
        return listener

    def __init__(self, listener):
        self.sock = listener.accept()[0]
        self.sock.settimeout(PATIENCE)
        listener.close()
        self.index = [0] * 4
        self.fds = []

    def send(self, request, payload=b"", fds=(), size=None, flags=0):
        header = struct.pack("<III", request, 1 | flags,
                             len(payload) if size is None else size)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", fds))] if fds else []
        self.sock.sendmsg([header + payload], ancillary)

    def send_u64(self, request, value, fds=()):
        self.send(request, struct.pack("<Q", value), fds)

    def receive_exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        size = struct.unpack("<III", self.receive_exactly(12))[2]
        return self.receive_exactly(size)

    def ask_u64(self, request):
        self.send(request)
        return struct.unpack("<Q", self.receive())[0]

    def wait_closed(self):
        """Waits for the switch to hang up on us."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass

    def negotiate(self, wanted=0, protocol=PROTOCOL_MQ):
        offered = self.ask_u64(GET_FEATURES)
        self.features = ((F_VERSION_1 | F_MQ | F_PROTOCOL_FEATURES | wanted)
                         & offered)
        self.send_u64(SET_FEATURES, self.features)
        self.protocol = protocol & self.ask_u64(GET_PROTOCOL_FEATURES)
        self.send_u64(SET_PROTOCOL_FEATURES, self.protocol)
        self.send(SET_OWNER)

    def share_memory(self):
        fd = os.memfd_create("guest")
        os.ftruncate(fd, self.memory_size)
        self.memory = mmap.mmap(fd, self.memory_size)
        self.words = memoryview(self.memory).cast("H")
        self.memory_fd = fd
        self.send_memory()

    def start_log(self):
        """Has the switch log what it writes to guest memory, as at the start
        of a migration."""
        size = (GPA + self.memory_size) // 4096 // 8
        fd = os.memfd_create("log")
        os.ftruncate(fd, size)
        self.send(SET_LOG_BASE, struct.pack("<QQ", size, 0), [fd])
        self.log = mmap.mmap(fd, size)
        os.close(fd)
        self.receive_exactly(12)
        self.send_u64(SET_FEATURES, self.features | F_LOG_ALL)

    def is_logged(self, address):
        """Has the switch logged that it has written there?"""
        page = address // 4096
        return bool(self.log[page // 8] & 1 << page % 8)

    def stop_log(self):
        self.send_u64(SET_FEATURES, self.features)

    def send_memory(self):
        self.send(SET_MEM_TABLE,
                  struct.pack("<IIQQQQ", 1, 0, GPA, self.memory_size, VA, 0),
                  [self.memory_fd])

    def place_ring(self, ring, avail=AVAIL, log=False):
        base = ring * RING
        self.send(SET_VRING_ADDR,
                  struct.pack("<IIQQQQ", ring, log, VA + base,
                              VA + base + USED, VA + base + avail,
                              GPA + base if log else 0))

    def start_ring(self, ring, enable=True, log=False, avail=AVAIL):
        event_fds = [os.eventfd(0), os.eventfd(0)]
        self.fds += event_fds
        self.send(SET_VRING_NUM, struct.pack("<II", ring, SIZE))
        self.send(SET_VRING_BASE, struct.pack("<II", ring, 0))
        self.place_ring(ring, avail, log)
        self.send_u64(SET_VRING_KICK, ring, event_fds[:1])
        self.send_u64(SET_VRING_CALL, ring, event_fds[1:])
        if enable:
            self.enable_ring(ring, 1)

    def enable_ring(self, ring, enable):
        self.send(SET_VRING_ENABLE, struct.pack("<II", ring, enable))

    def ask_queues(self):
        """The number of queue pairs that the device has."""
        return self.ask_u64(GET_QUEUE_NUM)

    def start(self, wanted=0, n_rings=4):
        self.negotiate(wanted)
        self.share_memory()
        for ring in range(n_rings):
            self.start_ring(ring)

    def put(self, offset, fmt, *values):
        struct.pack_into(fmt, self.memory, offset, *values)

    def describe(self, ring, i, address, length, flags=0, following=0):
        self.put(ring * RING + 16 * i, "<QIHH", address, length, flags,
                 following)

    def make_available(self, ring, n):
        for i in range(n):
            self.put(ring * RING + AVAIL + 4
                     + 2 * ((self.index[ring] + i) % SIZE), "<H", i)
        self.set_index(ring, self.index[ring] + n)

    def set_index(self, ring, index):
        # Both bytes at once: struct.pack_into() clears them first.
        self.index[ring] = index & 0xffff
        self.words[(ring * RING + AVAIL) // 2 + 1] = self.index[ring]

    def used(self, ring):
        return self.words[(ring * RING + USED) // 2 + 1]

    def wait_used(self, ring):
        deadline = time.time() + PATIENCE
        while self.used(ring) != self.index[ring]:
            if time.time() > deadline:
                raise TimeoutError("ring %d is not served" % ring)
            time.sleep(0.001)
