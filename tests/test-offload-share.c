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
    uint64_t own;               /* Packets. */
};

static void
release(void *flow_, unsigned int pmd_id)
{
    struct flow_of_datapath *flow = flow_;

    assert(flow->pmd_id == pmd_id && flow->n_refs == 1);
    flow->n_refs--;
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
    .keep = keep,
};
static const struct offload_share_class remembers = { .release = release };

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

/* Deletes 'flow' of the datapath, while the backend counts 'meanwhile' more.
 * If 'by_other', what deletes offloaded flows is as fast as that.  Returns
 * what is pushed to rules. */
static uint64_t
delete(const struct flow_of_datapath *flow, uint64_t meanwhile, bool by_other)
{
    struct share *share = offload_share_prepare(&flow->ufid, flow->pmd_id);
    uint64_t n = reported(flow);
    struct dpif_flow_stats stats;

    assert(share);
    stats = (struct dpif_flow_stats) { .n_packets = n, .n_bytes = n * 100 };
    counted += meanwhile;
    if (by_other) {
        assert(!offload_share_delete(&flow->mega_ufid));
    }
    offload_share_finish(share, true, &stats);
    assert(stats.n_bytes == stats.n_packets * 100);
    return stats.n_packets;
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
        struct dpif_flow_stats stats = { .n_packets = 0 };

        assert(share && !offload_share_prepare(&flows[0].ufid, 0));
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

static void
end_by_backend(void)
{
    struct virtnet_flow_stats stats;

    get_counted(&stats);
    exists = false;
    virtnet_flow_has_ended(&flows[0].mega_ufid, dev, &stats);
}

/* The backend's flow ends before those of the datapath. */
static void
test_ended_by_backend(void)
{
    setup(&keeps);
    put_new(&flows[0]);
    assert(join(&flows[1]));
    counted = 10;
    assert(reported(&flows[1]) == 10);
    counted = 14;
    end_by_backend();
    assert(flows[0].own + flows[1].own == 14 && flows[1].own >= 10);
    assert(reported(&flows[0]) == UINT64_MAX);
    teardown();

    /* Where what has ended can still be asked for, and may come again. */
    setup(&remembers);
    put_new(&flows[0]);
    counted = 10;
    assert(reported(&flows[0]) == 10);
    counted = 14;
    end_by_backend();
    assert(reported(&flows[0]) == 14);
    {
        void *old;

        assert(!put(&flows[0], &old) && old == &flows[0]);
    }
    counted = 6;
    assert(reported(&flows[0]) == 20);

    /* It is told too late of the end. */
    {
        struct virtnet_flow_stats stats;

        get_counted(&stats);
        counted = 0;
        virtnet_flow_has_ended(&flows[0].mega_ufid, dev, &stats);
    }
    assert(reported(&flows[0]) == 20);
    counted = 1;
    assert(reported(&flows[0]) == 21);
    end_by_backend();
    assert(reported(&flows[0]) == 21 && !flows[0].own);
    assert(!offload_share_remove(&flows[0].mega_ufid));
    release(&flows[0], 0);
    teardown();
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    set_program_name(argv[0]);
    test_shares();
    test_ends();
    test_successor();
    test_other_masks();
    test_ended_by_backend();
    return 0;
}
