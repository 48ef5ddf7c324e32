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

"""Random frames and random OpenFlow flows that they meet, for
compare-offload.  Values are few, so that they do meet."""

import ipaddress
import struct

TCP, UDP, SCTP, ICMP, IGMP, ICMP6, GRE = 6, 17, 132, 1, 2, 58, 47
VXLAN_PORT, GENEVE_PORT = 4789, 6081
TAG_LEN, TAG_NONE = 8, 0xffffffff
OFFLOAD_TCP, OFFLOAD_UDP, OFFLOAD_TSO, OFFLOAD_IPV6 = 1, 2, 4, 8
MAX_COPIES = 12                 # Of a frame, by one port.


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def set16(data, ofs, value):
    return data[:ofs] + struct.pack("!H", value) + data[ofs + 2:]


class Frame:
    """What virtnet-twins sends.  See its struct file_frame."""

    def __init__(self, port, data, order=0, tag_ofs=TAG_NONE, offload=0,
                 lens=(0, 0, 0), segsz=0, n_segs=1):
        self.port, self.data, self.order = port, data, order
        self.tag_ofs, self.offload = tag_ofs, offload
        self.lens, self.segsz, self.n_segs = lens, segsz, n_segs

    def pack(self):
        return struct.pack("<IIHHHHBBBB", len(self.data), self.tag_ofs,
                           self.order, self.lens[1], self.lens[2],
                           self.segsz, self.lens[0], self.offload,
                           self.port - 1, self.n_segs) + self.data

    def to_json(self):
        return {"port": self.port, "order": self.order,
                "tag": None if self.tag_ofs == TAG_NONE else self.tag_ofs,
                "offload": self.offload, "lens": list(self.lens),
                "segsz": self.segsz, "segs": self.n_segs,
                "hex": self.data.hex()}

    @staticmethod
    def from_json(j):
        return Frame(j["port"], bytes.fromhex(j["hex"]), j["order"],
                     TAG_NONE if j["tag"] is None else j["tag"],
                     j["offload"], tuple(j["lens"]), j["segsz"], j["segs"])


class FrameMaker:
    """Makes frames.  'features' are those of each port's driver."""

    def __init__(self, rng, features):
        self.r = rng
        self.features = features
        self.n_orders = 0

    def next_order(self):
        self.n_orders += 1
        return self.n_orders - 1

    def few(self):
        return self.r.randrange(3)

    def one_in(self, n):
        return not self.r.randrange(n)

    def random(self, n):
        return self.r.randbytes(n)

    def mac(self):
        return bytes([self.few() * 2, 0, 0, 0, 0, self.few()])

    def make_l4(self, proto):
        """Returns header and the offset of its checksum, or None."""
        r = self.r
        if proto == TCP:
            words = (r.randrange(16) if self.one_in(16)
                     else 5 + r.randrange(3) if self.one_in(4) else 5)
            return (struct.pack("!HH", self.few(), 80 + self.few())
                    + self.random(8)
                    + struct.pack("!HHHH", words << 12 | r.randrange(64),
                                  r.randrange(65536), 0, 0)
                    + self.random(max(words - 5, 0) * 4), 16)
        if proto == UDP:
            if self.one_in(6):
                return self.make_udp_tunnel(), 6
            return (struct.pack("!HHHH", self.few(), 53 + self.few(), 0, 0),
                    6)
        if proto == GRE:
            return self.make_gre(), None
        if proto == SCTP:
            return (struct.pack("!HH", self.few(), 99 + self.few())
                    + self.random(8), None)
        if proto in (ICMP, IGMP):
            return (bytes([8 * self.few(), self.few(), 0, 0])
                    + self.random(4), 2)
        if proto == ICMP6:
            kind = 128 if self.one_in(3) else 135 + r.randrange(2)
            h = bytes([kind, 1 if self.one_in(6) else 0, 0, 0,
                       32 * self.few(), 0, 0, 0])
            if kind != 128:
                h += b"\xfe\x80" + bytes(13) + bytes([self.few()])
                for _ in range(r.randrange(4)):
                    h += bytes([r.randrange(5) if self.one_in(4)
                                else 1 + r.randrange(2),
                                r.randrange(3) if self.one_in(6) else 1])
                    h += self.mac()
            return h, 2
        return b"", None

    def make_inner(self):
        """The headers of a frame in a tunnel, which nobody is to look at."""
        l3 = self.make_ipv4 if self.one_in(2) else self.make_ipv6
        l3, proto = l3(False)
        return (self.mac() + self.mac()
                + (b"\x81\0\0\1" if self.one_in(4) else b"")
                + (b"\x08\0" if l3[0] >> 4 == 4 else b"\x86\xdd")
                + l3 + self.make_l4(proto)[0])

    def make_udp_tunnel(self):
        r = self.r
        vni = struct.pack("!I", self.few() << 8)
        if self.one_in(2):
            h = struct.pack("!HHHH", r.randrange(65536), VXLAN_PORT, 0, 0)
            h += bytes([8 * r.randrange(2), 0, 0, 0]) + vni
        else:
            words = r.randrange(4)
            h = struct.pack("!HHHH", r.randrange(65536), GENEVE_PORT, 0, 0)
            h += struct.pack("!BBH", words, 0, 0x6558) + vni
            h += self.random(4 * words)
        return h + self.make_inner()

    def make_gre(self):
        flags = self.r.choice((0, 0x2000, 0xb000, 0x8000))
        n = sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        return (struct.pack("!HH", flags, 0x6558) + self.random(4 * n)
                + self.make_inner())

    def make_ipv4(self, tunnels=True):
        r = self.r
        words = (5 + r.randrange(6) if self.one_in(8)
                 else r.randrange(16) if self.one_in(24) else 5)
        frag = ((0x2000 if self.one_in(2) else r.randrange(65536))
                if self.one_in(10) else 0x4000 if self.one_in(3) else 0)
        proto = r.choice((TCP, UDP, TCP, UDP, TCP, UDP, SCTP, ICMP, IGMP)
                         + (GRE,) * tunnels)
        h = struct.pack("!BBHHHBBH", 4 << 4 | words, self.few(), 0,
                        r.randrange(65536), frag, 60 + self.few()
                        if not self.one_in(10) else self.few(), proto, 0)
        h += bytes([10, 0, 0, self.few(), 10, 0, 1, self.few()])
        h += self.random(max(words - 5, 0) * 4)
        return h, proto

    def make_ipv6(self, tunnels=True):
        r = self.r
        proto = r.choice((TCP, UDP, TCP, UDP, SCTP, ICMP6, ICMP6, 59)
                         + (GRE,) * tunnels)
        exts, kinds = b"", []
        if self.one_in(4):
            for _ in range(r.randrange(4)):
                kind = r.choice((0, 43, 60, 51, 44))
                n = r.randrange(8) if self.one_in(4) else r.randrange(3)
                if kind == 44:
                    body = struct.pack("!BH", 0, 1 if self.one_in(2) else
                                       0 if self.one_in(2)
                                       else r.randrange(65536))
                    body += self.random(4)
                elif kind == 51:
                    body = bytes([n]) + self.random((n + 2) * 4 - 2)
                else:
                    body = bytes([n, 0, r.randrange(2)])
                    body += self.random((n + 1) * 8 - 4)
                kinds.append((kind, body))
        nxt = proto
        for kind, body in reversed(kinds):
            exts = bytes([nxt]) + body + exts
            nxt = kind
        h = struct.pack("!IHBB", 6 << 28 | self.few() << 20 | self.few(), 0,
                        nxt, 60 + self.few() if not self.one_in(10)
                        else self.few())
        for _ in range(2):
            h += b"\xfe\x80" + bytes(13) + bytes([self.few()])
        return h + exts, proto

    def make_arp(self):
        r = self.r
        h = struct.pack("!HHBBH", 2 if self.one_in(16) else 1,
                        0 if self.one_in(16) else 0x800,
                        5 if self.one_in(16) else 6,
                        5 if self.one_in(16) else 4,
                        0x100 + self.few() if self.one_in(8)
                        else 1 + self.few())
        for i in range(2):
            h += self.mac() + bytes([10, 0, i, self.few()])
        return h

    def family(self, port):
        """Frames by 'port' that have their headers in common, and so their
        order, unless they are damaged."""
        r = self.r
        order = self.next_order()
        l2 = self.mac() + self.mac()
        n_tags = r.randrange(4) if self.one_in(3) else 0
        for _ in range(n_tags):
            l2 += struct.pack("!HH", r.choice((0x8100, 0x88a8)),
                              r.randrange(2) << 13 | self.few())
        which = r.randrange(16)
        make = {0: self.plain, 1: self.plain, 2: self.plain}
        make = make.get(which, self.ipv4 if which < 10 else self.ipv6)
        frames = make(port, order, l2, which)
        if self.one_in(6):
            frames = [self.damaged(f) for f in frames]
        for f in frames:
            if self.one_in(4):
                f.n_segs = 1 + r.randrange(4)
        return frames

    def plain(self, port, order, l2, which):
        r = self.r
        if which == 0:
            data = l2 + struct.pack("!H", 0x8035 if self.one_in(3)
                                    else 0x806) + self.make_arp()
        elif which == 1:
            data = l2 + struct.pack("!H", 0x8847 if self.one_in(3)
                                    else 0x88b4 + self.few())
            # Open vSwitch cannot read flows again that have more labels.
            data += self.random(2) + b"\1" + self.random(1 + r.randrange(20))
        else:
            inner, _ = self.make_ipv4()
            inner = set16(inner, 2, len(inner))
            snap = bytes([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]) + inner
            data = l2 + struct.pack("!H", len(snap)) + snap
            if self.one_in(3):
                data = l2 + struct.pack("!H", r.randrange(0x600))
                data += self.random(30)
        return [self.tagged(port, order, data + bytes(n))
                for n in (TAG_LEN + r.randrange(30), TAG_LEN + 200)]

    def tagged(self, port, order, data, tag_ofs=None, **kwargs):
        return Frame(port, data, order,
                     len(data) - TAG_LEN if tag_ofs is None else tag_ofs,
                     **kwargs)

    def damaged(self, f):
        r = self.r
        data = bytearray(f.data)
        if self.one_in(2) or len(data) > 2000:
            for _ in range(1 + r.randrange(3)):
                data[r.randrange(min(len(data) - TAG_LEN, 90))] = (
                    r.randrange(256))
            return Frame(f.port, bytes(data), self.next_order(), f.tag_ofs,
                         f.offload, f.lens, f.segsz)
        n = 1 + r.randrange(len(data))
        return Frame(f.port, bytes(data[:n]), self.next_order(), TAG_NONE,
                     f.offload, f.lens, f.segsz)

    def payload_sizes(self):
        r = self.r
        sizes = [TAG_LEN + r.randrange(20)]
        if self.one_in(2):
            sizes.append(TAG_LEN + r.randrange(150))
        if self.one_in(3):
            sizes.append(TAG_LEN + r.randrange(1450))
        if self.one_in(8):
            sizes.append(1400 + r.randrange(120))
        if self.one_in(16):
            sizes.append(1500 + r.randrange(2000))
        return sizes

    def ipv4(self, port, order, l2, _which):
        l3, proto = self.make_ipv4()
        return self.ip(port, order, l2 + b"\x08\x00", l3, proto, 4)

    def ipv6(self, port, order, l2, _which):
        l3, proto = self.make_ipv6()
        return self.ip(port, order, l2 + b"\x86\xdd", l3, proto, 6)

    def ip(self, port, order, l2, l3, proto, version):
        r = self.r
        l4, csum_ofs = self.make_l4(proto)
        delta = r.randrange(9) - 4 if self.one_in(20) else 0
        pad = r.randrange(30) if self.one_in(8) else 0
        bad_l3 = self.one_in(12)
        bad_l4 = r.choice((0, 0xffff, r.randrange(65536)))
        is_bad_l4 = self.one_in(6)
        features = self.features[port - 1]
        frames = []
        for n in self.payload_sizes():
            frames.append(self.ip_frame(
                port, order, l2, l3, l4, proto, version, csum_ofs, n, delta,
                pad, bad_l3, bad_l4 if is_bad_l4 else None, None))
        if version == 6 and len(l3) > 40:
            # Where Open vSwitch completes the checksum itself, it takes the
            # type of the first extension header for that of the transport
            # header.
            return frames
        if proto in (TCP, UDP) and features.get("tx_csum"):
            for n in self.payload_sizes()[:2]:
                frames.append(self.ip_frame(
                    port, order, l2, l3, l4, proto, version, csum_ofs, n,
                    delta, pad, bad_l3, None, "csum"))
        if proto == TCP and features.get("tx_tso") and self.one_in(2):
            n = r.choice((200, 3000, 3000, 5000, 16000, 60000,
                          65272 + r.randrange(200))) & ~7
            frames.append(self.ip_frame(
                port, order, l2, l3, l4, proto, version, csum_ofs, n, delta,
                pad, bad_l3, None, "tso"))
        return [f for f in frames if len(f.data) < 65550]

    def ip_frame(self, port, order, l2, l3, l4, proto, version, csum_ofs, n,
                 delta, pad, bad_l3, l4_csum, offload):
        r = self.r
        total = len(l3) + len(l4) + n + delta
        if version == 4:
            l3 = set16(l3, 2, total & 0xffff)
            l3 = set16(l3, 10, r.randrange(65536) if bad_l3
                       else csum(l3[:20] if len(l3) < 24 else l3))
            pseudo = l3[12:20] + struct.pack("!BBH", 0, proto,
                                             (len(l4) + n) & 0xffff)
        else:
            l3 = set16(l3, 4, (total - 40) & 0xffff)
            pseudo = l3[8:40] + struct.pack("!IHBB", len(l4) + n, 0, 0,
                                            proto)
        if proto == UDP:
            l4 = set16(l4, 4, (len(l4) + n) & 0xffff)
        payload = bytes(n)
        kwargs = {}
        if offload:
            lens = [len(l2), len(l3), 8 if proto == UDP else len(l4)]
            value = ~csum(pseudo) & 0xffff
            if self.one_in(16):
                value = r.randrange(65536)
            if self.one_in(16):
                lens[r.randrange(3)] = r.randrange(128)
            kwargs["lens"] = (min(lens[0], 127), min(lens[1], 511),
                              min(lens[2], 255))
            kwargs["offload"] = ((OFFLOAD_TCP if proto == TCP
                                  else OFFLOAD_UDP)
                                 | (OFFLOAD_IPV6 if version == 6 else 0)
                                 | (OFFLOAD_TSO if offload == "tso" else 0))
            if offload == "tso":
                kwargs["segsz"] = r.choice((1448, 1400, 536, 1000, 9000))
                if self.one_in(16):
                    kwargs["segsz"] = r.randrange(65536)
                kwargs["tag_ofs"] = len(l2) + len(l3) + len(l4)
            if self.one_in(32):
                kwargs["offload"] ^= r.choice((3, 8))
        elif csum_ofs is not None:
            value = l4_csum
            if value is None:
                cover = l4 + payload
                if proto in (TCP, UDP, ICMP6):
                    cover = pseudo + cover
                value = csum(cover) or 0xffff
        if csum_ofs is not None:
            l4 = set16(l4, csum_ofs, value)
        return self.tagged(port, order, l2 + l3 + l4 + payload + bytes(pad),
                           **kwargs)

    def frames(self, n_families):
        result = []
        for _ in range(n_families):
            result += self.family(1 + self.r.randrange(len(self.features)))
        return result


# Fields that can be set: kind of packet, bits, or text of a random value.
MAC, IP4, IP6 = "mac", "ip4", "ip6"
SETTABLE = {
    "eth": (("eth_src", MAC), ("eth_dst", MAC)),
    "ip": (("ip_src", IP4), ("ip_dst", IP4), ("ip_dscp", 6),
           ("nw_ecn", 2), ("nw_ttl", 8)),
    "ipv6": (("ipv6_src", IP6), ("ipv6_dst", IP6), ("ipv6_label", 20),
             ("ip_dscp", 6), ("nw_ecn", 2), ("nw_ttl", 8)),
    "tcp": (("tcp_src", 16), ("tcp_dst", 16)),
    "udp": (("udp_src", 16), ("udp_dst", 16)),
    "sctp": (("sctp_src", 16), ("sctp_dst", 16)),
    "arp": (("arp_op", 8), ("arp_spa", IP4), ("arp_tpa", IP4),
            ("arp_sha", MAC), ("arp_tha", MAC)),
    "ns": (("nd_target", IP6), ("nd_sll", MAC)),
    "na": (("nd_target", IP6), ("nd_tll", MAC)),
    "vlan": (("vlan_vid", "vid"), ("vlan_pcp", 3)),
}

# Of those that do not take a mask, a part.
PARTS = {
    "arp_op": "NXM_OF_ARP_OP[0..3]",
    "ip_dscp": None,
    "nw_ecn": "NXM_NX_IP_ECN[]",
    "nw_ttl": "NXM_NX_IP_TTL[0..3]",
    "vlan_pcp": None,
}

MOVES = {
    "eth": ("NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
            "NXM_OF_ETH_DST[0..15]->NXM_OF_ETH_SRC[16..31]"),
    "ip": ("NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
           "NXM_OF_IP_DST[0..7]->NXM_OF_IP_SRC[8..15]"),
    "ipv6": ("NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]",),
    "tcp": ("NXM_OF_TCP_SRC[]->NXM_OF_TCP_DST[]",),
    "udp": ("NXM_OF_UDP_DST[]->NXM_OF_UDP_SRC[]",),
    "arp": ("NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
            "NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]"),
}

# Kinds of packets: what to match, and which fields they have.
KINDS = (
    ("", ()), ("", ()),
    ("ip", ("ip",)), ("ipv6", ("ipv6",)),
    ("tcp", ("ip", "tcp")), ("udp", ("ip", "udp")),
    ("tcp", ("ip", "tcp")), ("udp", ("ip", "udp")),
    ("sctp", ("ip", "sctp")), ("icmp", ("ip", "icmp")),
    ("ip,nw_proto=2", ("ip",)), ("ip,nw_proto=47", ("ip",)),
    ("tcp6", ("ipv6", "tcp")), ("udp6", ("ipv6", "udp")),
    ("sctp6", ("ipv6", "sctp")), ("icmp6", ("ipv6", "icmp6")),
    ("icmp6,icmp_type=135,icmp_code=0", ("ipv6", "ns")),
    ("icmp6,icmp_type=136,icmp_code=0", ("ipv6", "na")),
    ("arp", ("arp",)), ("rarp", ("arp",)),
    ("dl_type=0x88b5", ()), ("dl_type=0x05ff", ()),
)


class FlowMaker:
    """Makes flows for a bridge with ports 1 to 'n_ports'."""

    def __init__(self, rng, n_ports):
        self.r = rng
        self.n_ports = n_ports
        self.groups = []
        self.n_outputs = 0

    def few(self):
        return self.r.randrange(3)

    def one_in(self, n):
        return not self.r.randrange(n)

    def bits(self, n):
        """A mask of 'n' bits of any shape."""
        r = self.r
        return r.choice(((1 << n) - 1, (1 << n) - 1,
                         r.randrange(1, 1 << n),
                         (1 << r.randrange(1, n + 1)) - 1,
                         (1 << n) - (1 << r.randrange(n))))

    def mac(self, x=None):
        if x is None:
            x = self.few() * 2 << 40 | self.few()
        return ":".join("%02x" % b for b in x.to_bytes(6, "big"))

    def value(self, kind):
        """Returns a random value and its width."""
        r = self.r
        if kind == MAC:
            return self.few() * 2 << 40 | self.few(), 48
        if kind == IP4:
            return 10 << 24 | r.randrange(2) << 8 | self.few(), 32
        if kind == IP6:
            return 0xfe80 << 112 | self.few(), 128
        if kind == "vid":
            return 0x1000 | r.choice((self.few(), 100, 4095)), 13
        return (r.choice((self.few(), r.randrange(1 << kind)))
                & ((1 << kind) - 1), kind)

    def text(self, kind, x):
        if kind == MAC:
            return self.mac(x)
        if kind == IP4:
            return str(ipaddress.IPv4Address(x))
        if kind == IP6:
            return str(ipaddress.IPv6Address(x))
        return "0x%x" % x

    def masked(self, kind, value=None):
        x, width = self.value(kind)
        if value is not None:
            x = value
        mask = self.bits(width)
        if kind == IP6 and self.text(kind, mask)[0] not in ":abcdef":
            mask |= 0xf << 124          # Else taken for a prefix length.
        if mask == (1 << width) - 1:
            return self.text(kind, x)
        return "%s/%s" % (self.text(kind, x & mask), self.text(kind, mask))

    def match(self, kind):
        """Returns fields to match for a kind."""
        r = self.r
        text, has = kind
        fields = [text] if text else []

        def some(n, name, value):
            if self.one_in(n):
                fields.append("%s=%s" % (name, value))

        some(4, "dl_src", self.masked(MAC))
        some(4, "dl_dst", self.masked(MAC))
        if "ip" in has:
            some(3, "nw_src", self.masked(IP4, 10 << 24 | self.few()))
            some(3, "nw_dst", self.masked(IP4, 10 << 24 | 256 | self.few()))
        if "ipv6" in has:
            some(3, "ipv6_src", self.masked(IP6))
            some(3, "ipv6_dst", self.masked(IP6))
            some(6, "ipv6_label", self.masked(20))
        if "ip" in has or "ipv6" in has:
            some(8, "ip_dscp", 0)
            some(8, "nw_ecn", self.few())
            some(6, "nw_ttl", 60 + self.few())
            some(5, "ip_frag", r.choice(("no", "yes", "first", "not_later")
                                        + ("later",) * (len(has) == 1)))
        if "tcp" in has or "udp" in has or "sctp" in has:
            base = (80 if "tcp" in has else 99 if "sctp" in has
                    else 53 if not self.one_in(4)
                    else r.choice((VXLAN_PORT, GENEVE_PORT)))
            some(3, "tp_src", self.masked(16, self.few()))
            some(3, "tp_dst", self.masked(16, base + self.few()))
        if "tcp" in has and self.one_in(4):
            mask = r.randrange(1, 4096)
            fields.append("tcp_flags=0x%x/0x%x"
                          % (r.randrange(64) & mask, mask))
        if "icmp" in has:
            some(3, "icmp_type", 8 * self.few())
            some(3, "icmp_code", self.few())
        if "icmp6" in has:
            some(2, "icmp_type", r.choice((128, 135, 136)))
        if "ns" in has or "na" in has:
            some(2, "nd_target", self.masked(IP6))
            if self.one_in(3):
                fields.append("nd_%s=%s" % ("sll" if "ns" in has else "tll",
                                            self.masked(MAC)))
        if "arp" in has:
            some(3, "arp_op", 1 + self.few())
            some(3, "arp_spa", self.masked(IP4))
            some(3, "arp_tpa", self.masked(IP4))
            some(4, "arp_sha", self.masked(MAC))
            some(4, "arp_tha", self.masked(MAC))
        return fields

    def match_vlan(self):
        """Returns a match of tags, and whether there must be one."""
        r = self.r
        which = r.randrange(8)
        if which == 0:
            return ["vlan_tci=0x1000/0x1000"], True
        if which == 1:
            return ["dl_vlan=%d" % self.few()], True
        if which == 2:
            mask = 0x1000 | r.randrange(0x1000)
            return ["vlan_tci=0x%x/0x%x" % (0x1000 | self.few() & mask,
                                            mask)], True
        if which == 3:
            return ["vlan_tci=0x0000/0x1fff"], False
        return [], False

    def output(self):
        self.n_outputs += 1
        if self.one_in(16):
            return "local"
        return "output:%d" % (1 + self.r.randrange(self.n_ports))

    def set_field(self, has, tags):
        r = self.r
        kinds = ["eth"] + [k for k in has if k in SETTABLE] * 2
        if tags:
            kinds.append("vlan")
        kind = r.choice(kinds)
        if kind in MOVES and self.one_in(6):
            return "move:" + r.choice(MOVES[kind])
        name, width = r.choice(SETTABLE[kind])
        if width == "vid":
            return "set_field:%d->vlan_vid" % self.value("vid")[0]
        if name in PARTS:
            if PARTS[name] and self.one_in(3):
                return "load:%d->%s" % (self.few(), PARTS[name])
            return "set_field:%d->%s" % (self.value(width)[0], name)
        return "set_field:%s->%s" % (self.masked(width), name)

    def bucket(self):
        actions = []
        if self.one_in(2):
            actions.append(self.set_field((), 0))
        actions.append(self.output())
        return ",".join(actions)

    def group(self):
        r = self.r
        kind = r.choice(("all", "all", "all", "all", "indirect", "select",
                         "ff"))
        n = 1 if kind == "indirect" else 1 + r.randrange(3)
        text = "group_id=%d,type=%s" % (len(self.groups) + 1, kind)
        for i in range(n):
            watch = ("watch_port:%d," % (1 + r.randrange(self.n_ports))
                     if kind == "ff" else "")
            text += ",bucket=%sactions=%s" % (watch, self.bucket())
        self.groups.append(text)

    def actions(self, has, tagged, table):
        """Returns actions, of which each kind of the flow's packets is
        capable."""
        r = self.r
        if self.one_in(12):
            return ["drop"]
        actions = []
        tags = int(tagged)
        self.n_outputs = 0
        if self.one_in(40):
            actions.append("meter:1")
        for _ in range(1 + r.randrange(5)):
            which = r.randrange(24)
            if which < 9:
                if self.n_outputs < 3:
                    actions.append(self.output())
            elif which < 15:
                actions.append(self.set_field(has, tags))
            elif which < 17:
                if tags < 2:
                    actions.append("push_vlan:0x%x"
                                   % r.choice((0x8100, 0x8100, 0x88a8)))
                    actions.append("set_field:%d->vlan_vid"
                                   % self.value("vid")[0])
                    tags += 1
            elif which < 19:
                if tags:
                    actions.append("pop_vlan")
                    tags -= 1
            elif which == 19:
                if "ip" in has or "ipv6" in has:
                    actions.append("dec_ttl")
            elif which == 20:
                actions.append("in_port")
                self.n_outputs += 1
            elif which == 21:
                if self.groups and self.n_outputs < 3:
                    actions.append("group:%d"
                                   % (1 + r.randrange(len(self.groups))))
                    self.n_outputs += 1
            elif which == 22:
                actions.append(self.rare(has))
            elif table == 0:
                actions.append("resubmit(,1)")
                break
        if not self.n_outputs and not self.one_in(8):
            actions.append(self.output())
        return [a for a in actions if a] or ["drop"]

    def rare(self, has):
        """What cannot be offloaded, for the most part."""
        r = self.r
        which = r.randrange(9)
        if which == 0 and ("ip" in has or "ipv6" in has):
            return "ct(commit,zone=%d)" % self.few()
        if which == 1 and ("ip" in has or "ipv6" in has):
            return "ct(table=1,zone=%d)" % self.few()
        if which == 2:
            return "output(port=%d,max_len=%d)" % (
                1 + r.randrange(self.n_ports), 14 + r.randrange(100))
        if which == 3:
            return "controller(max_len=60)"
        if which == 4:
            return "set_field:0x%x->pkt_mark" % self.few()
        if which == 5:
            return "clone(%s,%s)" % (self.set_field(has, 0), self.output())
        if which == 6:
            return "local"
        if which == 7:
            return "set_queue:%d" % self.few()
        return "set_field:%d->reg0" % self.few()

    def flow(self, table, priority):
        kind = self.r.choice(KINDS)
        fields = ["table=%d" % table, "priority=%d" % priority]
        if not self.one_in(3):
            fields.append("in_port=%d" % (1 + self.r.randrange(
                self.n_ports)))
        vlan, tagged = self.match_vlan()
        fields += self.match(kind) + vlan
        return "%s,actions=%s" % (",".join(fields),
                                  ",".join(self.actions(kind[1], tagged,
                                                        table)))

    def flows(self):
        r = self.r
        for _ in range(r.randrange(4)):
            self.group()
        result = []
        for table in (0, 1):
            n = r.randrange(4, 20) if table == 0 else r.randrange(5)
            result += [self.flow(table, 1000 - i) for i in range(n)]
            if not self.one_in(4):
                result.append("table=%d,priority=0,actions=%s"
                              % (table, self.output()))
        return result


def random_case(rng, features, n_families=48):
    """Returns flows, groups and frames for drivers with 'features'."""
    flows = FlowMaker(rng, len(features))
    texts = flows.flows()
    frames = FrameMaker(rng, features).frames(n_families)
    return {"flows": texts, "groups": flows.groups, "frames": frames}
