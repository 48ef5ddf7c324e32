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
#include "soft-mempool.h"
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

    smap_add(&config, "userspace-tso-enable", "true");
    userspace_tso_init(&config);
    smap_destroy(&config);
    assert(userspace_tso_enabled());
    test_csum();
    test_tso();
    return 0;
}
