/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* What becomes of offload requests between two drivers
 * (soft/soft-packet.h), as packets of Open vSwitch. */

#include <config.h>
#undef NDEBUG

#include "soft-packet.h"

#include <assert.h>
#include <netinet/in.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "smap.h"
#include "soft-eswitch-key.h"
#include "soft-mempool.h"
#include "soft-rep.h"
#include "soft-uso.h"
#include "userspace-tso.h"
#include "util.h"
#include "virtq.h"

#define MTU 1500

static struct rte_mempool *mp;

/* A frame, with the checksum of the transport header to be completed. */
struct frame {
    bool ipv4;
    uint8_t proto;
    size_t ext_len;             /* Of the extension header, or 0. */
    size_t size;
    size_t l4_ofs;
    size_t csum_ofs;            /* From the transport header. */
    uint8_t data[8192];
};

/* The sum of the pseudo header, as RFC 8200, section 8.1, and RFC 9293,
 * section 3.1, have it. */
static uint32_t
pseudo_sum(const struct frame *f, const uint8_t *data)
{
    const uint8_t *addrs = data + ETH_HEADER_LEN + (f->ipv4 ? 12 : 8);
    uint32_t sum = csum_continue(0, addrs, f->ipv4 ? 8 : 32);

    sum = csum_add16(sum, htons(f->proto));
    return csum_add16(sum, htons(f->size - f->l4_ofs));
}

static void
make_frame(struct frame *f, bool ipv4, uint8_t proto, size_t ext_len,
           size_t payload)
{
    uint8_t *l3 = &f->data[ETH_HEADER_LEN], *l4;
    ovs_be16 sum;

    f->ipv4 = ipv4;
    f->proto = proto;
    f->ext_len = ext_len;
    f->l4_ofs = (ETH_HEADER_LEN
                 + (ipv4 ? IP_HEADER_LEN : IPV6_HEADER_LEN + ext_len));
    f->csum_ofs = proto == IPPROTO_TCP ? 16 : 6;
    f->size = f->l4_ofs + payload + (proto == IPPROTO_TCP ? 20 : 8);
    assert(f->size <= sizeof f->data);
    for (size_t i = 0; i < f->size; i++) {
        f->data[i] = i * 7;
    }

    f->data[0] = f->data[6] = 2;
    f->data[12] = ipv4 ? 0x08 : 0x86;
    f->data[13] = ipv4 ? 0x00 : 0xdd;
    if (ipv4) {
        const uint8_t ip[] = { 0x45, 0, (f->size - ETH_HEADER_LEN) >> 8,
                               f->size - ETH_HEADER_LEN, 0, 0, 0, 0, 64,
                               proto, 0, 0 };

        memcpy(l3, ip, sizeof ip);
        sum = csum(l3, IP_HEADER_LEN);
        memcpy(&l3[10], &sum, sizeof sum);
    } else {
        size_t plen = f->size - ETH_HEADER_LEN - IPV6_HEADER_LEN;
        const uint8_t ip6[] = { 0x60, 0, 0, 0, plen >> 8, plen,
                                ext_len ? IPPROTO_DSTOPTS : proto, 64 };

        memcpy(l3, ip6, sizeof ip6);
        if (ext_len) {
            uint8_t *ext = l3 + IPV6_HEADER_LEN;

            memset(ext, 0, ext_len); /* Options of one byte, Pad1. */
            ext[0] = proto;
            ext[1] = ext_len / 8 - 1;
        }
    }

    l4 = f->data + f->l4_ofs;
    if (proto == IPPROTO_TCP) {
        l4[12] = 0x50;
        l4[13] = TCP_ACK;
    } else {
        l4[4] = (f->size - f->l4_ofs) >> 8;
        l4[5] = f->size - f->l4_ofs;
    }
    sum = ~csum_finish(pseudo_sum(f, f->data));
    memcpy(l4 + f->csum_ofs, &sum, sizeof sum);
}

/* Has one driver send 'f', cut into segments of 'gso_size' unless 0, to
 * another, which can complete checksums if 'guest_csum'.  Stores what that
 * gets in '*hdr' and f->data.  Returns false if it gets nothing. */
static bool
pass(struct frame *f, uint16_t gso_size, bool guest_csum,
     struct virtq_hdr *hdr)
{
    const struct soft_packet_limits limits = {
        .mtu = MTU,
        .guest_csum = guest_csum,
        .guest_tso4 = guest_csum,
        .guest_tso6 = guest_csum,
    };
    struct virtq_frame in = {
        .hdr = {
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
            .gso_type = (!gso_size ? VIRTIO_NET_HDR_GSO_NONE
                         : f->ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4
                         : VIRTIO_NET_HDR_GSO_TCPV6),
            .gso_size = rte_cpu_to_le_16(gso_size),
            .csum_start = rte_cpu_to_le_16(f->l4_ofs),
            .csum_offset = rte_cpu_to_le_16(f->csum_ofs),
        },
        .len = f->size,
        .n_segs = 1,
        .segs = { { f->data, f->size } },
    };
    struct soft_packet_drops drops = { .too_big = 0 };
    struct {
        struct miniflow mf;
        uint64_t buf[FLOW_U64S];
    } m;
    struct dp_packet_batch batch;
    struct dp_packet *packet;
    struct rte_mbuf *mbuf;
    uint64_t bytes;

    mbuf = rte_pktmbuf_alloc(mp);
    assert(mbuf);
    assert(soft_packet_load(mbuf, &in, NULL, true));
    packet = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
    dp_packet_batch_init_packet(&batch, packet);
    assert(soft_packet_receive(&batch, 1) == f->size);
    assert(dp_packet_batch_size(&batch) == 1);
    pkt_metadata_init(&packet->md, 1);
    miniflow_extract(packet, &m.mf);

    if (!soft_packet_prepare(&batch, mp, &limits, &drops, &bytes)) {
        assert(drops.invalid == 1);
        return false;
    }
    mbuf = &batch.packets[0]->mbuf;
    memset(hdr, 0, sizeof *hdr);
    soft_packet_store_header(mbuf, hdr);
    assert(rte_pktmbuf_data_len(mbuf) == f->size);
    memcpy(f->data, rte_pktmbuf_mtod(mbuf, void *), f->size);
    rte_pktmbuf_free(mbuf);
    return true;
}

/* Does what 'hdr' asks for, and checks that the checksum is right. */
static void
check_csum(struct frame *f, const struct virtq_hdr *hdr)
{
    uint8_t *l4 = f->data + f->l4_ofs;
    size_t l4_size = f->size - f->l4_ofs;

    if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        size_t start = rte_le_to_cpu_16(hdr->csum_start);
        size_t ofs = rte_le_to_cpu_16(hdr->csum_offset);
        ovs_be16 sum;

        assert(start == f->l4_ofs && ofs == f->csum_ofs);
        sum = csum(f->data + start, f->size - start);
        memcpy(f->data + start + ofs, &sum, sizeof sum);
    }
    assert(!csum_finish(csum_continue(pseudo_sum(f, f->data), l4, l4_size)));
    assert(!f->ipv4
           || !csum(f->data + ETH_HEADER_LEN, IP_HEADER_LEN));
}

/* Checksums of all kinds of packets, for both kinds of receivers. */
static void
test_csum(void)
{
    static const size_t ext_lens[] = { 0, 8, 64, 464, 560 };
    static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

    for (int guest_csum = 0; guest_csum < 2; guest_csum++) {
        for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
            for (size_t j = 0; j <= ARRAY_SIZE(ext_lens); j++) {
                bool ipv4 = j == ARRAY_SIZE(ext_lens);
                size_t ext_len = ipv4 ? 0 : ext_lens[j];
                struct virtq_hdr hdr;
                struct frame f;

                make_frame(&f, ipv4, protos[i], ext_len, 101);
                assert(pass(&f, 0, guest_csum, &hdr));

                /* Headers of more than 511 bytes have no place in an mbuf. */
                assert(hdr.flags
                       == (guest_csum && IPV6_HEADER_LEN + ext_len < 512
                           ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0));
                assert(!hdr.gso_type);
                check_csum(&f, &hdr);
            }
        }
    }
}

/* The same for packets that are to be cut into segments. */
static void
test_tso(void)
{
    static const size_t ext_lens[] = { 0, 8, 464, 560 };

    for (size_t j = 0; j <= ARRAY_SIZE(ext_lens); j++) {
        bool ipv4 = j == ARRAY_SIZE(ext_lens);
        size_t ext_len = ipv4 ? 0 : ext_lens[j];
        struct virtq_hdr hdr;
        struct frame f;

        make_frame(&f, ipv4, IPPROTO_TCP, ext_len, 5000);
        if (ext_len > 512) {
            assert(!pass(&f, 1000, true, &hdr));
            continue;
        }
        assert(pass(&f, 1000, true, &hdr));
        assert(hdr.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert(hdr.gso_type == (ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4
                                : VIRTIO_NET_HDR_GSO_TCPV6));
        assert(rte_le_to_cpu_16(hdr.hdr_len) == f.l4_ofs + TCP_HEADER_LEN);
        assert(rte_le_to_cpu_16(hdr.gso_size)
               == MIN(1000, MTU - (f.l4_ofs + TCP_HEADER_LEN
                                   - ETH_HEADER_LEN)));
        check_csum(&f, &hdr);

        /* For those who cannot take it. */
        make_frame(&f, ipv4, IPPROTO_TCP, ext_len, 5000);
        assert(!pass(&f, 1000, false, &hdr));
    }
}

/* What a driver says of a UDP frame that is to be cut. */
static struct virtq_hdr
uso_hdr(const struct frame *f, uint16_t gso_size)
{
    return (struct virtq_hdr) {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
        .gso_size = rte_cpu_to_le_16(gso_size),
        .csum_start = rte_cpu_to_le_16(f->l4_ofs),
        .csum_offset = rte_cpu_to_le_16(f->csum_ofs),
    };
}

/* Has Open vSwitch receive 'f' with 'hdr'.  Returns the packet, or NULL if it
 * is refused. */
static struct dp_packet *
receive_frame(const struct frame *f, const struct virtq_hdr *hdr)
{
    const struct virtq_frame in = {
        .hdr = *hdr,
        .len = f->size,
        .n_segs = 1,
        .segs = { { CONST_CAST(uint8_t *, f->data), f->size } },
    };
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(mp);
    struct dp_packet_batch batch;
    struct dp_packet *packet;

    assert(mbuf);
    if (!soft_packet_load(mbuf, &in, NULL, true)) {
        rte_pktmbuf_free(mbuf);
        return NULL;
    }
    packet = CONTAINER_OF(mbuf, struct dp_packet, mbuf);
    dp_packet_batch_init_packet(&batch, packet);
    soft_packet_receive(&batch, 1);
    return dp_packet_batch_size(&batch) ? packet : NULL;
}

/* Only if Open vSwitch is told to allow segmentation of any kind. */
static void
test_uso_refused(void)
{
    struct virtq_hdr hdr;
    struct frame f;

    make_frame(&f, true, IPPROTO_UDP, 0, 1000);
    hdr = uso_hdr(&f, 100);
    assert(!receive_frame(&f, &hdr));
}

/* Checks the datagram 'packet', the 'i'th that 'f' has become, and has it sent
 * to a driver that can complete checksums if 'guest_csum'. */
static void
check_datagram(struct dp_packet *packet, const struct frame *f,
               unsigned int i, size_t gso_size, bool guest_csum)
{
    const struct soft_packet_limits limits = {
        .mtu = MTU,
        .guest_csum = guest_csum,
    };
    size_t hdr_len = f->l4_ofs + UDP_HEADER_LEN;
    size_t n = MIN(gso_size, f->size - hdr_len - i * gso_size);
    struct soft_packet_drops drops = { .too_big = 0 };
    struct {
        struct miniflow mf;
        uint64_t buf[FLOW_U64S];
    } m;
    struct dp_packet_batch batch;
    struct frame d = *f, expected = *f;
    struct virtq_hdr hdr;
    uint64_t bytes;

    pkt_metadata_init(&packet->md, 1);
    miniflow_extract(packet, &m.mf);
    dp_packet_batch_init_packet(&batch, packet);
    assert(soft_packet_prepare(&batch, mp, &limits, &drops, &bytes) == 1);
    memset(&hdr, 0, sizeof hdr);
    soft_packet_store_header(&packet->mbuf, &hdr);
    d.size = dp_packet_size(packet);
    assert(d.size == hdr_len + n);
    memcpy(d.data, dp_packet_data(packet), d.size);
    dp_packet_delete(packet);

    /* The same as if it had been sent by itself, but for what numbers it. */
    assert(hdr.flags == (guest_csum && !f->ext_len
                         ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0));
    assert(!hdr.gso_type);
    check_csum(&d, &hdr);
    make_frame(&expected, f->ipv4, IPPROTO_UDP, f->ext_len, n);
    memcpy(&expected.data[hdr_len], &f->data[hdr_len + i * gso_size], n);
    if (f->ipv4) {
        expected.data[ETH_HEADER_LEN + 5] = i;
        memcpy(&expected.data[ETH_HEADER_LEN + 10],
               &d.data[ETH_HEADER_LEN + 10], 2);
    }
    memcpy(&expected.data[f->l4_ofs + 6], &d.data[f->l4_ofs + 6], 2);
    assert(!memcmp(d.data, expected.data, d.size));
}

/* UDP segmentation for Open vSwitch: more datagrams than a batch has room for,
 * between other packets. */
static void
test_uso_cut(void)
{
    static const struct {
        size_t payload, gso_size;
    } sizes[] = {
        { 7000, 1000 }, { 7000, 1001 }, { 999, 1000 }, { 1000, 1000 },
        { 1001, 1000 }, { 7000, 100 }, { 128 * 50, 50 }, { 128, 1 },
    };

    for (size_t j = 0; j < 3 * ARRAY_SIZE(sizes); j++) {
        bool ipv4 = j % 3 == 0;
        size_t ext_len = j % 3 == 1 ? 8 : 0;
        size_t payload = sizes[j / 3].payload;
        size_t gso_size = sizes[j / 3].gso_size;
        unsigned int n = DIV_ROUND_UP(payload, gso_size);
        unsigned int n_all = 2 + 2 * n, n_done = 0, n_cut = 0;
        struct virtq_hdr plain = { .flags = 0 }, hdr;
        struct soft_uso_result result;
        struct dp_packet_batch batch;
        struct soft_uso uso;
        uint64_t bytes, cut_bytes = 0;
        struct frame f;

        make_frame(&f, ipv4, IPPROTO_UDP, ext_len, payload);
        hdr = uso_hdr(&f, gso_size);
        soft_uso_init(&uso);
        dp_packet_batch_init(&batch);
        dp_packet_batch_add(&batch, receive_frame(&f, &plain));
        bytes = f.size;
        assert(!soft_uso_find(&batch, &bytes) && bytes == f.size);
        dp_packet_batch_add(&batch, receive_frame(&f, &hdr));
        dp_packet_batch_add(&batch, receive_frame(&f, &hdr));
        dp_packet_batch_add(&batch, receive_frame(&f, &plain));
        bytes = 4 * f.size;
        assert(soft_uso_find(&batch, &bytes) == 2 && bytes == 2 * f.size);
        soft_uso_take(&uso, &batch);
        while (!soft_uso_is_empty(&uso)) {
            struct dp_packet *packet;

            dp_packet_batch_init(&batch);
            soft_uso_fill(&uso, mp, &batch, &result);
            assert(!result.no_memory);
            assert(dp_packet_batch_size(&batch)
                   == MIN(NETDEV_MAX_BURST, n_all - n_done));
            n_cut += result.n_datagrams;
            cut_bytes += result.bytes;
            DP_PACKET_BATCH_FOR_EACH (i, packet, &batch) {
                if (!n_done || n_done == n_all - 1) {
                    assert(dp_packet_size(packet) == f.size);
                    dp_packet_delete(packet);
                } else {
                    check_datagram(packet, &f, (n_done - 1) % n, gso_size,
                                   n_done & 1);
                }
                n_done++;
            }
        }
        assert(n_done == n_all && n_cut == 2 * n);
        assert(cut_bytes == 2 * (payload + n * (f.size - payload)));

        /* Freed without having been seen. */
        dp_packet_batch_init_packet(&batch, receive_frame(&f, &hdr));
        dp_packet_batch_add(&batch, receive_frame(&f, &plain));
        soft_uso_take(&uso, &batch);
        soft_uso_clear(&uso);
        assert(soft_uso_is_empty(&uso));
        assert(rte_mempool_full(mp));
    }
}

/* Without memory a frame is lost as a whole, and what comes behind is not. */
static void
test_uso_no_memory(void)
{
    unsigned int n_free = rte_mempool_avail_count(mp);
    struct rte_mbuf **mbufs = xmalloc(n_free * sizeof *mbufs);
    struct virtq_hdr plain = { .flags = 0 }, hdr;
    struct soft_uso_result result;
    struct dp_packet_batch batch;
    struct soft_uso uso;
    struct frame f;

    make_frame(&f, true, IPPROTO_UDP, 0, 1000);
    hdr = uso_hdr(&f, 100);
    dp_packet_batch_init_packet(&batch, receive_frame(&f, &hdr));
    dp_packet_batch_add(&batch, receive_frame(&f, &plain));
    soft_uso_init(&uso);
    soft_uso_take(&uso, &batch);
    n_free -= 2 + 3;
    for (unsigned int i = 0; i < n_free; i++) {
        mbufs[i] = rte_pktmbuf_alloc(mp);
        assert(mbufs[i]);
    }
    soft_uso_fill(&uso, mp, &batch, &result);
    assert(result.n_datagrams == 3 && result.no_memory == 1);
    assert(dp_packet_batch_size(&batch) == 4);
    assert(dp_packet_size(batch.packets[3]) == f.size);
    dp_packet_delete_batch(&batch, true);
    rte_pktmbuf_free_bulk(mbufs, n_free);
    free(mbufs);
    assert(soft_uso_is_empty(&uso) && rte_mempool_full(mp));
}

/* Can 'f' with 'hdr' be passed on as it is?  Stores the virtio-net header that
 * its receiver gets, if it is within the MTU. */
static bool
can_pass(struct frame *f, const struct virtq_hdr *hdr, uint8_t *need,
         bool *fits, struct virtq_hdr *out)
{
    struct soft_frame frame = {
        .data = f->data,
        .size = f->size,
        .linear = MIN(f->size, 128),
    };
    struct soft_key key;

    assert(soft_key_extract(&frame, &key));
    memset(out, 0, sizeof *out);
    if (!soft_packet_can_pass(hdr, &frame, need)) {
        return false;
    }
    *fits = soft_packet_pass_header(hdr, &frame, MTU, out);
    return true;
}

/* UDP segmentation that is left to the receiver. */
static void
test_uso_pass(void)
{
    for (int ipv4 = 0; ipv4 < 2; ipv4++) {
        size_t max = MTU - (ipv4 ? IP_HEADER_LEN : IPV6_HEADER_LEN)
                     - UDP_HEADER_LEN;
        struct virtq_hdr hdr, out;
        struct frame f;
        uint8_t need;
        bool fits;

        make_frame(&f, ipv4, IPPROTO_UDP, 0, 5000);
        hdr = uso_hdr(&f, max);
        assert(can_pass(&f, &hdr, &need, &fits, &out) && fits);
        assert(need == (SOFT_GUEST_CSUM
                        | (ipv4 ? SOFT_GUEST_USO4 : SOFT_GUEST_USO6)));
        assert(out.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert(out.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4);
        assert(rte_le_to_cpu_16(out.gso_size) == max);
        assert(rte_le_to_cpu_16(out.hdr_len) == f.l4_ofs + UDP_HEADER_LEN);
        check_csum(&f, &out);

        /* Datagrams are not made smaller for a receiver's sake. */
        make_frame(&f, ipv4, IPPROTO_UDP, 0, 5000);
        hdr = uso_hdr(&f, max + 1);
        assert(can_pass(&f, &hdr, &need, &fits, &out) && !fits);
    }
}

/* Frames that contradict what is asked for them. */
static void
test_uso_hostile(void)
{
    for (int what = 0; what < 14; what++) {
        struct virtq_hdr hdr, out;
        size_t l4_ofs = ETH_HEADER_LEN + IP_HEADER_LEN;
        struct dp_packet *packet;
        struct frame f;
        uint8_t need;
        bool fits;
        bool good = false;

        make_frame(&f, true, what == 1 ? IPPROTO_TCP : IPPROTO_UDP, 0,
                   what == 2 ? 0 : 5000);
        hdr = uso_hdr(&f, 1000);
        switch (what) {
        case 0: hdr.gso_size = 0; break;
        case 1: break;          /* TCP. */
        case 2: break;          /* Nothing to be cut. */
        case 3: hdr.flags = 0; break;
        case 4: hdr.csum_start = rte_cpu_to_le_16(l4_ofs + 2); break;
        case 5: hdr.csum_start = rte_cpu_to_le_16(60000); break;
        case 6: hdr.csum_offset = rte_cpu_to_le_16(16); break;
        case 7: f.data[l4_ofs + 5]++; break;  /* UDP length. */
        case 8: f.data[l4_ofs + 4] = f.data[l4_ofs + 5] = 0; break;
        case 9: f.data[ETH_HEADER_LEN + 6] = 0x20; break; /* A fragment. */
        case 10: hdr.gso_size = rte_cpu_to_le_16(39); break; /* 129. */
        case 11: hdr.gso_size = rte_cpu_to_le_16(40); good = true; break;
        case 12: hdr.hdr_len = rte_cpu_to_le_16(65535); good = true; break;
        case 13: hdr.gso_size = rte_cpu_to_le_16(65535); good = true; break;
        }
        packet = receive_frame(&f, &hdr);
        assert(!packet == !good);
        dp_packet_delete(packet);
        assert(can_pass(&f, &hdr, &need, &fits, &out) == good);
        if (good) {
            assert(out.hdr_len == 0
                   || rte_le_to_cpu_16(out.hdr_len) == l4_ofs + 8);
        }
    }
    assert(rte_mempool_full(mp));
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    char *eal_argv[] = {
        argv[0], "--no-huge", "--no-shconf", "-m", "64", "--no-pci",
        "--no-telemetry", "--log-level=4", NULL
    };
    struct smap config = SMAP_INITIALIZER(&config);
    struct soft_mempool *pool;
    char *err = NULL;

    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    assert(rte_eal_init(ARRAY_SIZE(eal_argv) - 1, eal_argv) >= 0);
    assert(!soft_mempool_get(-1, MTU, 0, &pool, &err));
    mp = soft_mempool_mp(pool);
    test_csum();
    test_uso_refused();

    smap_add(&config, "userspace-tso-enable", "true");
    userspace_tso_init(&config);
    smap_destroy(&config);
    assert(userspace_tso_enabled());
    test_csum();
    test_tso();
    test_uso_cut();
    test_uso_no_memory();
    test_uso_pass();
    test_uso_hostile();
    return 0;
}
