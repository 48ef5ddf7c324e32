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

/* What flows cost in the software eSwitch: to put, get and delete, in memory,
 * and to find, as their number grows, and while others are being put.
 *
 * usage: bench-flows [--quick] [--json FILE]
 *
 * Figures are medians of several rounds, which the numbers of flows take
 * turns in.  Flows are what a bridge that learns and filters makes: MAC
 * addresses, protocol, addresses and one port of UDP; one in eight is of a
 * second shape.  Packets come in bursts of 32, each of a flow chosen at
 * random. */

#include <config.h>
#undef NDEBUG

#include "soft-eswitch.h"

#include <assert.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"
#include "ovs-thread.h"
#include "packets.h"
#include "random.h"
#include "soft-backend.h"
#include "soft-eswitch-table.h"
#include "timeval.h"
#include "util.h"

#define BURST 32
#define HEADER_LEN (ETH_HEADER_LEN + IP_HEADER_LEN + UDP_HEADER_LEN)

static struct soft_device *in, *out;
static struct ofpbuf actions;
static FILE *json;

static struct virtnet_device *
port_to_dev(odp_port_t port OVS_UNUSED, void *aux OVS_UNUSED,
            enum virtnet_flow_reason *reason OVS_UNUSED)
{
    return &out->up;
}

/* Flow number 'i'. */

static ovs_be32
flow_dst(uint32_t i)
{
    return htonl(0x0a000000 + i);
}

static void
make_match(uint32_t i, struct match *match, ovs_u128 *ufid)
{
    struct flow *f = &match->flow, *m = &match->wc.masks;

    memset(match, 0, sizeof *match);
    f->in_port.odp_port = 1;
    m->in_port.odp_port = u32_to_odp(UINT32_MAX);
    m->recirc_id = UINT32_MAX;
    m->packet_type = OVS_BE32_MAX;
    f->dl_src.ea[5] = 1;
    f->dl_dst.ea[5] = 2;
    memset(&m->dl_src, 0xff, sizeof m->dl_src);
    memset(&m->dl_dst, 0xff, sizeof m->dl_dst);
    f->dl_type = htons(ETH_TYPE_IP);
    m->dl_type = OVS_BE16_MAX;
    m->vlans[0].tci = htons(VLAN_CFI);
    m->nw_frag = FLOW_NW_FRAG_MASK;
    f->nw_proto = IPPROTO_UDP;
    m->nw_proto = 0xff;
    f->nw_dst = flow_dst(i);
    m->nw_dst = OVS_BE32_MAX;
    if (i % 8) {
        f->tp_dst = htons(9);
        m->tp_dst = OVS_BE16_MAX;
    }
    *ufid = (ovs_u128) { .u32 = { i, hash_int(i, 1), hash_int(i, 2), 0 } };
}

static void
put_flow(const struct match *match, const ovs_u128 *ufid)
{
    struct virtnet_flow_actions compiled;
    enum virtnet_flow_reason reason;

    reason = virtnet_flow_compile(actions.data, actions.size, port_to_dev,
                                  NULL, &compiled);
    assert(!reason);
    assert(!soft_flow_class.put(&in->up, ufid, match, &compiled, NULL,
                                &reason));
}

static size_t
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long total, rss;

    assert(file && fscanf(file, "%lu %lu", &total, &rss) == 2);
    fclose(file);
    return rss * get_page_size();
}

/* Lookups. */

static uint8_t headers[BURST][HEADER_LEN];

static void
make_headers(void)
{
    for (size_t i = 0; i < BURST; i++) {
        struct eth_header *eth = (void *) headers[i];
        struct ip_header *ip = (void *) (eth + 1);
        struct udp_header *udp = (void *) (ip + 1);

        eth->eth_src.ea[5] = 1;
        eth->eth_dst.ea[5] = 2;
        eth->eth_type = htons(ETH_TYPE_IP);
        ip->ip_ihl_ver = IP_IHL_VER(5, 4);
        ip->ip_tot_len = htons(HEADER_LEN - ETH_HEADER_LEN);
        ip->ip_ttl = 64;
        ip->ip_proto = IPPROTO_UDP;
        udp->udp_dst = htons(9);
        udp->udp_len = htons(UDP_HEADER_LEN);
    }
}

/* Finds flows of 'n_bursts' bursts among the first 'n_flows' flows.  Returns
 * the time of a lookup, with counting, in ns. */
static double
time_lookups(size_t n_bursts, uint32_t n_flows)
{
    const struct soft_actions *found[BURST];
    struct soft_flow *flows[BURST];
    struct soft_frame frames[BURST];
    uint32_t sizes[BURST];
    uint64_t total = 0;

    for (size_t i = 0; i < n_bursts; i++) {
        uint64_t start;

        for (size_t j = 0; j < BURST; j++) {
            struct ip_header *ip = (void *) (headers[j] + ETH_HEADER_LEN);

            put_16aligned_be32(&ip->ip_dst,
                               flow_dst(random_range(n_flows)));
            frames[j] = (struct soft_frame) {
                .data = headers[j],
                .linear = HEADER_LEN,
                .size = HEADER_LEN,
            };
            sizes[j] = HEADER_LEN;
        }
        start = now_ns();
        assert(soft_eswitch_find(in->rep.eswitch_port, frames, BURST, 0,
                                 flows, found) == BURST);
        soft_eswitch_count(in->rep.eswitch_port, flows, sizes, BURST);
        total += now_ns() - start;
        ovsrcu_quiesce();
    }
    return (double) total / n_bursts / BURST;
}

/* Results. */

static void
report(const char *name, uint32_t n_flows, double value, const char *unit,
       double ratio)
{
    printf("%-28s %9"PRIu32" flows %12.1f %-9s", name, n_flows, value, unit);
    if (ratio) {
        printf(" %6.2f", ratio);
    }
    printf("\n");
    fflush(stdout);
    if (json) {
        fprintf(json, "{\"case\": \"%s\", \"size\": null, \"flows\": %"PRIu32
                ", \"queues\": null, \"idle\": null, \"ring\": null, "
                "\"mrg\": null, \"ours\": %.3f, \"peer\": null, "
                "\"unit\": \"%s\", \"ratio\": ",
                name, n_flows, value, unit);
        if (ratio) {
            fprintf(json, "%.3f}\n", ratio);
        } else {
            fprintf(json, "null}\n");
        }
    }
}

/* Another thread puts and deletes flows of its own without rest, as fast as it
 * can. */
struct churn {
    atomic_bool stop;
    uint64_t n_puts;
    uint64_t ns;
};

static void *
churn_main(void *churn_)
{
    struct churn *churn = churn_;
    uint64_t start = now_ns();
    uint32_t first = 8000000;
    struct match match;
    ovs_u128 ufid;
    bool stop;

    do {
        for (uint32_t i = first; i < first + 1000; i++) {
            make_match(i, &match, &ufid);
            put_flow(&match, &ufid);
            churn->n_puts++;
        }
        for (uint32_t i = first; i < first + 1000; i++) {
            make_match(i, &match, &ufid);
            soft_flow_class.del(&in->up, &ufid, NULL);
        }
        ovsrcu_quiesce();
        atomic_read(&churn->stop, &stop);
    } while (!stop);
    churn->ns = now_ns() - start;
    return NULL;
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "json", required_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    static const uint32_t counts[] = { 1000, 10000, 100000, 1000000 };
    uint32_t n_counts = ARRAY_SIZE(counts), n_flows = 0, max;
    double lookups[ARRAY_SIZE(counts)][9];
    size_t rounds = 5, n_bursts = 20000;
    struct churn churn = { .n_puts = 0 };
    uint64_t start, ns = 0, get_ns, del_ns;
    size_t rss;
    pthread_t thread;
    int c;

    set_program_name(argv[0]);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'q') {
            n_counts--;
            n_bursts /= 4;
        } else if (c == 'j') {
            json = fopen(optarg, "w");
            if (!json) {
                ovs_fatal(errno, "%s", optarg);
            }
        } else {
            ovs_fatal(0, "usage: %s [--quick] [--json FILE]", argv[0]);
        }
    }
    max = counts[n_counts - 1];

    random_set_seed(1);
    in = xzalloc_cacheline(sizeof *in);
    out = xzalloc_cacheline(sizeof *out);
    in->rep.eswitch_port = soft_port_create(&in->up);
    out->rep.eswitch_port = soft_port_create(&out->up);
    soft_flow_class.port_attach(&in->up);
    soft_flow_class.port_attach(&out->up);
    ofpbuf_init(&actions, 0);
    nl_msg_put_odp_port(&actions, OVS_ACTION_ATTR_OUTPUT, 2);
    make_headers();
    time_lookups(0, 1);

    /* Put, and look up on the way. */
    rss = resident();
    for (size_t i = 0; i < n_counts; i++) {
        uint32_t n_before = n_flows;

        ns = 0;
        while (n_flows < counts[i]) {
            enum { CHUNK = 200 };
            static struct match matches[CHUNK];
            static ovs_u128 ufids[CHUNK];

            for (size_t j = 0; j < CHUNK; j++) {
                make_match(n_flows + j, &matches[j], &ufids[j]);
            }
            start = now_ns();
            for (size_t j = 0; j < CHUNK; j++) {
                put_flow(&matches[j], &ufids[j]);
            }
            ns += now_ns() - start;
            n_flows += CHUNK;
            ovsrcu_quiesce();
        }
        report("put", n_flows, (n_flows - n_before) * 1e9 / ns, "flows/s", 0);
        if (n_flows >= 100000) {
            report("memory", n_flows,
                   (double) (resident() - rss) / n_flows, "bytes", 0);
        }
        for (size_t j = 0; j < rounds; j++) {
            lookups[i][j] = time_lookups(n_bursts, n_flows);
        }
    }

    /* All of them again, the numbers taking turns. */
    for (size_t j = 0; j < rounds; j++) {
        for (size_t i = 0; i < n_counts; i++) {
            /* Packets of the first flows only leave the others cold, but the
             * tables are as large as they are. */
            lookups[i][j] = MIN(lookups[i][j],
                                time_lookups(n_bursts, counts[i]));
        }
    }
    for (size_t i = 0; i < n_counts; i++) {
        double value = median(lookups[i], rounds);

        report("lookup", counts[i], value, "ns",
               value / median(lookups[0], rounds));
    }

    /* While flows are put. */
    atomic_init(&churn.stop, false);
    thread = ovs_thread_create("churn", churn_main, &churn);
    for (size_t j = 0; j < rounds; j++) {
        lookups[0][j] = time_lookups(n_bursts, 1000);
    }
    atomic_store(&churn.stop, true);
    xpthread_join(thread, NULL);
    report("lookup while flows are put", 1000, median(lookups[0], rounds),
           "ns", 0);
    report("put and delete meanwhile", 1000, churn.n_puts * 1e9 / churn.ns,
           "flows/s", 0);

    /* Get, delete. */
    get_ns = del_ns = 0;
    for (uint32_t i = 0; i < max; i++) {
        struct virtnet_flow_stats stats;
        struct match match;
        ovs_u128 ufid;

        make_match(i, &match, &ufid);
        start = now_ns();
        assert(!soft_flow_class.get(&in->up, &ufid, &stats));
        get_ns += now_ns() - start;
        start = now_ns();
        assert(!soft_flow_class.del(&in->up, &ufid, &stats));
        del_ns += now_ns() - start;
        if (!(i % 200)) {
            ovsrcu_quiesce();
        }
    }
    report("get", max, max * 1e9 / get_ns, "flows/s", 0);
    report("delete", max, max * 1e9 / del_ns, "flows/s", 0);
    if (json) {
        fclose(json);
    }
    return 0;
}
