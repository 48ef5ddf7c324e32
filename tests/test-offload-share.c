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

/* Who gets the counters of offloaded flows.  There is one flow at a time, in
 * the backend below, which flows of the datapath share. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dpif.h"
#include "offload-share.h"
#include "openvswitch/match.h"
#include "util.h"
#include "virtnet-flow-provider.h"

/* The backend. */

static struct virtnet_device *const dev = (struct virtnet_device *) 1;
static bool exists;
static uint64_t counted;        /* Packets, of 100 bytes, since it was put. */

static void
get_counted(struct virtnet_flow_stats *stats)
{
    *stats = (struct virtnet_flow_stats) {
        .n_packets = counted,
        .n_bytes = counted * 100,
        .used = counted,
        .in_force = true,
    };
}

static int
fake_put(struct virtnet_device *in OVS_UNUSED, const ovs_u128 *ufid OVS_UNUSED,
         const struct match *match OVS_UNUSED,
         const struct virtnet_flow_actions *actions OVS_UNUSED,
         struct virtnet_flow_stats *stats, enum virtnet_flow_reason *reason)
{
    if (!exists) {
        exists = true;
        counted = 0;
    }
    get_counted(stats);
    *reason = VIRTNET_FLOW_NONE;
    return 0;
}

static int
fake_del(struct virtnet_device *in OVS_UNUSED, const ovs_u128 *ufid OVS_UNUSED,
         struct virtnet_flow_stats *stats)
{
    assert(exists);
    get_counted(stats);
    exists = false;
    return 0;
}

static int
fake_get(struct virtnet_device *in OVS_UNUSED, const ovs_u128 *ufid OVS_UNUSED,
         struct virtnet_flow_stats *stats)
{
    get_counted(stats);
    return exists ? 0 : ENOENT;
}

static const struct virtnet_flow_class class = {
    .put = fake_put,
    .del = fake_del,
    .get = fake_get,
};

/* The datapath. */

struct flow_of_datapath {
    ovs_u128 ufid, mega_ufid;
    unsigned int pmd_id;
    int n_refs;
    bool dead;
    uint64_t own;               /* Packets. */
};

static void
release(void *flow_, unsigned int pmd_id)
{
    struct flow_of_datapath *flow = flow_;

    assert(flow->pmd_id == pmd_id && flow->n_refs == 1);
    flow->n_refs--;
}

static bool
is_dead(const void *flow_)
{
    const struct flow_of_datapath *flow = flow_;

    return flow->dead;
}

static void
add_own(const void *flow_, struct dpif_flow_stats *stats)
{
    const struct flow_of_datapath *flow = flow_;

    stats->n_packets += flow->own;
    stats->n_bytes += flow->own * 100;
}

static void
keep(void *flow_, const struct virtnet_flow_stats *stats)
{
    struct flow_of_datapath *flow = flow_;

    assert(stats->n_bytes == stats->n_packets * 100);
    flow->own += stats->n_packets;
}

static const struct offload_share_class keeps = {
    .release = release,
    .is_dead = is_dead,
    .add_own = add_own,
    .keep = keep,
};
static const struct offload_share_class remembers = { .release = release };

static const char port[] = "port";

static struct flow_of_datapath flows[3];
static struct match match;

static void
setup(const struct offload_share_class *share_class)
{
    offload_share_init(share_class);
    match_init_catchall(&match);
    match_set_in_port(&match, 1);
    for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
        flows[i] = (struct flow_of_datapath) {
            .ufid = { .u32 = { 1, i } },
            .mega_ufid = { .u32 = { 2 } },
            .pmd_id = i,
        };
    }
}

static void
teardown(void)
{
    assert(!exists);
    for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
        assert(!flows[i].n_refs);
    }
}

static struct offload_share_flow
as_share(struct flow_of_datapath *flow)
{
    return (struct offload_share_flow) {
        .flow = flow,
        .pmd_id = flow->pmd_id,
        .mega_ufid = &flow->mega_ufid,
        .ufid = &flow->ufid,
        .port = port,
    };
}

static int
put(struct flow_of_datapath *flow, void **old)
{
    struct offload_share_flow sf = as_share(flow);
    struct virtnet_flow_stats stats;
    enum virtnet_flow_reason reason;
    int error;

    error = offload_share_put(&class, dev, &match, NULL, &match.wc, &sf,
                              &stats, &reason, old);
    flow->n_refs += !error && *old != flow;
    return error;
}

static void
put_new(struct flow_of_datapath *flow)
{
    void *old;

    assert(!put(flow, &old) && !old);
}

static bool
join(struct flow_of_datapath *flow)
{
    struct offload_share_flow sf = as_share(flow);
    void *old;
    bool ok = offload_share_join(&match.wc, &sf, &old);

    assert(!old);
    flow->n_refs += ok;
    return ok;
}

/* What is reported for 'flow', or UINT64_MAX. */
static uint64_t
reported(const struct flow_of_datapath *flow)
{
    struct virtnet_flow_stats stats;

    if (offload_share_get(&flow->mega_ufid, &stats)) {
        return UINT64_MAX;
    }
    assert(stats.n_bytes == stats.n_packets * 100);
    return stats.n_packets;
}

/* What the datapath does to delete 'flow', once that was announced: stores its
 * counters. */
static void
delete_in_datapath(struct flow_of_datapath *flow,
                   struct dpif_flow_stats *stats)
{
    uint64_t n = reported(flow);

    n = (n == UINT64_MAX ? 0 : n) + flow->own;
    *stats = (struct dpif_flow_stats) { .n_packets = n, .n_bytes = n * 100 };
    flow->dead = true;
}

/* Returns what is pushed to rules in the end. */
static uint64_t
finish(struct share *share, struct dpif_flow_stats *stats)
{
    offload_share_finish(share, true, stats);
    assert(stats->n_bytes == stats->n_packets * 100);
    return stats->n_packets;
}

/* Deletes 'flow' of the datapath, while the backend counts 'meanwhile' more.
 * If 'by_other', what deletes offloaded flows is as fast as that.  Returns
 * what is pushed to rules. */
static uint64_t
delete(struct flow_of_datapath *flow, uint64_t meanwhile, bool by_other)
{
    struct share *share = offload_share_prepare(&flow->ufid, flow->pmd_id);
    struct dpif_flow_stats stats;
    uint64_t n;

    delete_in_datapath(flow, &stats);
    counted += meanwhile;
    if (by_other) {
        assert(!offload_share_delete(&flow->mega_ufid));
    }
    n = finish(share, &stats);
    flow->dead = false;
    return n;
}

static void
test_shares(void)
{
    setup(&keeps);
    assert(reported(&flows[0]) == UINT64_MAX && !join(&flows[0]));
    put_new(&flows[0]);
    counted = 10;
    assert(reported(&flows[0]) == 10);

    /* Another thread has one, too. */
    assert(reported(&flows[1]) == UINT64_MAX && join(&flows[1]));
    assert(reported(&flows[1]) == 0);
    counted = 15;
    assert(reported(&flows[1]) == 5 && reported(&flows[0]) == 10);

    /* The first ends, and what comes after that is the other's. */
    assert(delete(&flows[0], 3, false) == 10 && exists);
    assert(!flows[0].n_refs && reported(&flows[0]) == UINT64_MAX);
    assert(reported(&flows[1]) == 8);
    assert(delete(&flows[1], 4, false) == 12);
    teardown();
    assert(offload_share_delete(&flows[1].mega_ufid) == ENOENT);
}

static void
test_ends(void)
{
    /* It does not matter who deletes it. */
    setup(&keeps);
    for (int by_other = 0; by_other < 2; by_other++) {
        put_new(&flows[0]);
        counted = 10;
        assert(reported(&flows[0]) == 10);
        assert(delete(&flows[0], 7, by_other) == 17);
        teardown();
    }

    /* It was not deleted after all. */
    put_new(&flows[0]);
    counted = 10;
    {
        struct share *share = offload_share_prepare(&flows[0].ufid, 0);
        struct share *again = offload_share_prepare(&flows[0].ufid, 0);
        struct dpif_flow_stats stats = { .n_packets = 0 };

        offload_share_finish(again, false, &stats);
        offload_share_finish(share, false, &stats);
        assert(!stats.n_packets && reported(&flows[0]) == 10);
    }

    /* Nobody asks. */
    assert(!offload_share_remove(&flows[0].mega_ufid));
    assert(offload_share_remove(&flows[0].mega_ufid) == ENOENT);
    release(&flows[0], 0);
    teardown();
}

/* The same thread has a new flow before the old one is gone. */
static void
test_successor(void)
{
    void *old;

    setup(&keeps);
    flows[1].pmd_id = flows[0].pmd_id;
    put_new(&flows[0]);
    counted = 10;
    assert(reported(&flows[0]) == 10);
    assert(!put(&flows[0], &old) && old == &flows[0]);
    assert(!put(&flows[1], &old) && old == &flows[0]);
    release(old, 0);
    counted = 12;
    assert(reported(&flows[1]) == 2);
    assert(delete(&flows[1], 1, false) == 3);
    teardown();
}

/* Flows with the same UFID need not be the same. */
static void
test_other_masks(void)
{
    void *old;

    setup(&keeps);
    flows[1].pmd_id = flows[0].pmd_id;
    put_new(&flows[0]);
    counted = 10;
    match_set_nw_ttl_masked(&match, 0, 1);
    assert(!join(&flows[1]) && put(&flows[1], &old) == EEXIST && !old);
    assert(reported(&flows[1]) == UINT64_MAX && reported(&flows[0]) == 10);
    assert(!put(&flows[0], &old) && old == &flows[0]);
    assert(delete(&flows[0], 1, false) == 11);

    /* Then the other can have it. */
    put_new(&flows[1]);
    counted = 5;
    assert(delete(&flows[1], 0, false) == 5);
    teardown();
}

/* A flow that gets its share while it is being deleted, with 'by_other' as
 * above. */
static void
test_first_read_is_last(bool by_other, bool read_by_other)
{
    struct dpif_flow_stats stats[2];
    struct share *shares[2];
    uint64_t sum = 0;

    setup(&keeps);
    put_new(&flows[0]);
    counted = 10;
    for (size_t i = 0; i < 2; i++) {
        shares[i] = offload_share_prepare(&flows[i].ufid, flows[i].pmd_id);
    }
    delete_in_datapath(&flows[0], &stats[0]);
    counted = 13;
    assert(join(&flows[1]));
    delete_in_datapath(&flows[1], &stats[1]);
    assert(stats[0].n_packets == 10 && stats[1].n_packets == 3);
    counted = 17;
    if (read_by_other) {
        /* On behalf of a flow that is gone, and not told to any rule. */
        assert(reported(&flows[1]) == 7);
        counted = 19;
    }
    if (by_other) {
        assert(!offload_share_delete(&flows[0].mega_ufid));
    }
    for (size_t i = 0; i < 2; i++) {
        sum += finish(shares[i], &stats[i]);
    }
    assert(sum == counted);
    teardown();
}

/* One that is deleted, and whose successor gets its share before that is
 * said. */
static void
test_late_successor(void)
{
    struct dpif_flow_stats stats;
    struct share *share;

    setup(&keeps);
    flows[1].pmd_id = flows[0].pmd_id;
    flows[1].ufid = flows[0].ufid;
    share = offload_share_prepare(&flows[0].ufid, 0);
    flows[0].own = 3;
    delete_in_datapath(&flows[0], &stats);
    put_new(&flows[1]);
    counted = 5;
    assert(reported(&flows[1]) == 5);
    assert(finish(share, &stats) == 3);
    assert(exists && reported(&flows[1]) == 5);
    assert(delete(&flows[1], 1, false) == 6);

    /* Or after it had one itself. */
    flows[0].dead = false;
    put_new(&flows[0]);
    counted = 10;
    share = offload_share_prepare(&flows[0].ufid, 0);
    delete_in_datapath(&flows[0], &stats);
    counted = 12;
    {
        void *old;

        assert(!put(&flows[1], &old) && old == &flows[0]);
        release(old, 0);
    }
    assert(reported(&flows[1]) == 2);
    assert(finish(share, &stats) == 13);
    assert(delete(&flows[1], 1, false) == 3);
    teardown();
}

/* The backend's flow is deleted because one of the datapath is, while another
 * has got a share. */
static void
test_other_remains(void)
{
    void *old;

    setup(&keeps);
    put_new(&flows[0]);
    counted = 10;
    assert(reported(&flows[0]) == 10 && join(&flows[1]));
    counted = 15;
    assert(reported(&flows[1]) == 5);
    counted = 16;
    flows[0].dead = true;
    assert(!offload_share_delete(&flows[0].mega_ufid));
    assert(!exists && !flows[0].n_refs);
    assert(reported(&flows[1]) == 6);

    /* Its turn comes. */
    assert(!put(&flows[1], &old) && old == &flows[1] && exists);
    counted = 3;
    assert(reported(&flows[1]) == 9);
    assert(delete(&flows[1], 1, false) == 10);
    teardown();
}

static void
end_by_backend(void)
{
    virtnet_flow_end(&flows[0].mega_ufid, dev);
}

/* The backend's flow ends before those of the datapath. */
static void
test_ended_by_backend(const struct offload_share_class *share_class)
{
    void *old;

    /* It may come again. */
    setup(share_class);
    put_new(&flows[0]);
    counted = 10;
    assert(reported(&flows[0]) == 10);
    counted = 14;
    end_by_backend();
    assert(!exists && reported(&flows[0]) == 14);
    assert(!put(&flows[0], &old) && old == &flows[0]);
    counted = 6;
    assert(reported(&flows[0]) == 20);
    counted = 7;
    end_by_backend();
    end_by_backend();           /* Does not matter. */
    assert(reported(&flows[0]) == 21 && !flows[0].own);
    assert(!offload_share_remove(&flows[0].mega_ufid));
    release(&flows[0], 0);
    teardown();
}

/* The port goes as well. */
static void
test_port_gone(void)
{
    static const char other_port[] = "other port";
    struct dpif_flow_stats stats;
    struct share *share;

    setup(&keeps);
    put_new(&flows[0]);
    assert(join(&flows[1]));
    counted = 10;
    assert(reported(&flows[1]) == 10);
    counted = 14;
    flows[0].own = 100;
    end_by_backend();
    offload_share_keep(other_port);
    assert(reported(&flows[1]) != UINT64_MAX);
    offload_share_keep(port);
    assert(flows[0].own + flows[1].own == 114 && flows[1].own >= 10);
    assert(reported(&flows[0]) == UINT64_MAX);
    teardown();

    /* While one is being deleted, before and after it is read. */
    for (int after = 0; after < 2; after++) {
        setup(&keeps);
        put_new(&flows[0]);
        counted = 10;
        assert(reported(&flows[0]) == 10);
        counted = 14;
        share = offload_share_prepare(&flows[0].ufid, 0);
        if (after) {
            delete_in_datapath(&flows[0], &stats);
            counted = 15;
        }
        end_by_backend();
        offload_share_keep(port);
        if (!after) {
            delete_in_datapath(&flows[0], &stats);
        }
        flows[0].own++;
        assert(finish(share, &stats) == counted + 1);
        teardown();
    }
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    test_shares();
    test_ends();
    test_successor();
    test_first_read_is_last(false, false);
    test_first_read_is_last(false, true);
    test_first_read_is_last(true, false);
    test_first_read_is_last(true, true);
    test_late_successor();
    test_other_remains();
    test_other_masks();
    test_ended_by_backend(&keeps);
    test_ended_by_backend(&remembers);
    test_port_gone();
    return 0;
}
