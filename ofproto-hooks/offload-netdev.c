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

/* Offload of flows for versions of Open vSwitch with "struct netdev_flow_api",
 * i.e. up to 3.6.  See offload.h and virtnet-flow-provider.h.
 *
 * Threads: Open vSwitch's offload threads put, modify, delete and flush;
 * revalidators and the main thread get.  A port's netdev is held by whoever
 * calls, its device by RCU. */

#include <config.h>

#include "offload.h"
#include "virtnet-compat.h"

#if VIRTNET_OVS_VERSION < 30700

#include <errno.h>

#include "dpif.h"
#include "dpif-netdev-private-flow.h"
#include "netdev-offload-provider.h"
#include "netdev-provider.h"
#include "netdev-virtio-emu.h"
#include "offload-share.h"
#include "offload-uplink.h"
#include "openvswitch/match.h"
#include "openvswitch/vlog.h"
#include "sset.h"
#include "uuid.h"
#include "virtnet-flow-provider.h"

VLOG_DEFINE_THIS_MODULE(virtnet_offload);

/* What "dpctl/dump-flows" says of an offloaded flow: "dp:virtnet". */
#define DP_LAYER "virtnet"

static struct virtnet_device *
port_to_dev(odp_port_t port_no, void *in_, enum virtnet_flow_reason *reason)
{
    const struct netdev *in = in_;
    const struct virtnet_flow_class *class, *in_class;
    struct virtnet_device *dev;
    struct netdev *netdev;

    *reason = VIRTNET_FLOW_NONE;
    netdev = netdev_ports_get(port_no, netdev_get_dpif_type(in));
    if (!netdev) {
        /* Gone, or an internal port, which is not known there. */
        return NULL;
    }
    offload_get_device(in, &in_class);
    dev = offload_get_own_device(netdev, &class);
    if (dev && class != in_class) {
        dev = NULL;
    }
    if (!dev && virtio_emu_is(netdev)) {
        *reason = VIRTNET_FLOW_OUTPUT_NONE;
    }
    netdev_close(netdev);
    return dev;
}

/* Flows of the datapath.
 *
 * The interface tells of a flow's UFID only, but what it points to is a member
 * of the flow itself, because there is no other caller than dpif-netdev.c. */

static struct dp_netdev_flow *
dp_flow_from_ufid(const ovs_u128 *ufid)
{
    return CONTAINER_OF(ufid, struct dp_netdev_flow, mega_ufid);
}

static struct offload_share_flow
share_flow(struct dp_netdev_flow *flow, const struct netdev *port)
{
    return (struct offload_share_flow) {
        .flow = flow,
        .pmd_id = flow->pmd_id,
        .mega_ufid = &flow->mega_ufid,
        .ufid = &flow->ufid,
        .port = port,
    };
}

/* Returns the masks of 'flow', which is not dead. */
static struct flow_wildcards
get_wc(const struct dp_netdev_flow *flow)
{
    struct flow_wildcards wc;

    miniflow_expand(&flow->cr.mask->mf, &wc.masks);
    return wc;
}

static void
release_dp_flow(void *flow, unsigned int pmd_id OVS_UNUSED)
{
    dp_netdev_flow_unref(flow);
}

static void
release_old(void *old)
{
    if (old) {
        dp_netdev_flow_unref(old);
    }
}

static bool
is_dead(const void *flow_)
{
    const struct dp_netdev_flow *flow = flow_;

    return flow->dead;
}

static void
add_own_stats(const void *flow, struct dpif_flow_stats *stats)
{
    struct dp_netdev_flow_stats *own
        = &CONST_CAST(struct dp_netdev_flow *, flow)->stats;
    unsigned long long int n;
    long long int used;
    uint16_t tcp_flags;

    atomic_read_relaxed(&own->packet_count, &n);
    stats->n_packets += n;
    atomic_read_relaxed(&own->byte_count, &n);
    stats->n_bytes += n;
    atomic_read_relaxed(&own->used, &used);
    stats->used = MAX(stats->used, used);
    atomic_read_relaxed(&own->tcp_flags, &tcp_flags);
    stats->tcp_flags |= tcp_flags;
}

/* 'flow' belongs to a packet thread that adds to the same counters by loads
 * and stores, so that ours would be lost if it did now.  It does not:
 * do_del_port() first has packet threads reloaded without the port, for which
 * they come to an end with what they have in hand, and then has
 * offload_uninit_flow_api() called, from where we come.  A device that goes
 * without its port, so that a packet thread may be with its packets, does not
 * lead here. */
static void
keep_stats(void *flow_, const struct virtnet_flow_stats *stats)
{
    struct dp_netdev_flow *flow = flow_;
    struct dp_netdev_flow_stats *own = &flow->stats;
    unsigned long long int n;
    long long int used;
    uint16_t tcp_flags;

    /* It would take what we said last once more for what we say. */
    atomic_store_relaxed(&flow->netdev_flow_get_result, ENOENT);

    atomic_add_relaxed(&own->packet_count, stats->n_packets, &n);
    atomic_add_relaxed(&own->byte_count, stats->n_bytes, &n);
    atomic_or_relaxed(&own->tcp_flags, stats->tcp_flags, &tcp_flags);
    atomic_read_relaxed(&own->used, &used);
    if (stats->used > used) {
        atomic_store_relaxed(&own->used, stats->used);
    }
}

/* To be called for 'flow' once it has got a share: whoever deleted it may have
 * looked before.  Returns true if it is dead. */
static bool
remove_if_dead(struct dp_netdev_flow *flow)
{
    if (flow->dead && !offload_share_remove(&flow->mega_ufid)) {
        release_old(flow);
    }
    return flow->dead;
}

static int
offload_flow_put(struct netdev *netdev, struct match *match,
                 struct nlattr *actions, size_t actions_len,
                 const ovs_u128 *ufid, struct offload_info *info OVS_UNUSED,
                 struct dpif_flow_stats *stats)
{
    struct dp_netdev_flow *flow = dp_flow_from_ufid(ufid);
    struct offload_share_flow sf = share_flow(flow, netdev);
    const struct virtnet_flow_class *class;
    struct virtnet_flow_actions compiled;
    struct virtnet_flow_stats s;
    enum virtnet_flow_reason reason;
    struct virtnet_device *dev;
    struct flow_wildcards wc;
    void *old;
    int error;

    dev = offload_get_device(netdev, &class);
    if (!dev) {
        virtnet_flow_count_refusal(VIRTNET_FLOW_NOT_ATTACHED);
        return ENODEV;
    }
    if (flow->dead || !ovs_refcount_try_ref_rcu(&flow->ref_cnt)) {
        return ESRCH;
    }
    wc = get_wc(flow);
    reason = virtnet_flow_compile(actions, actions_len, port_to_dev, netdev,
                                  &compiled);
    if (!reason && !virtio_emu_is(netdev)
        && !virtnet_flow_has_device(&compiled)) {
        reason = VIRTNET_FLOW_INPUT_OTHER;
    }
    error = offload_share_put(class, dev, match, reason ? NULL : &compiled,
                              &wc, &sf, &s, &reason, &old);
    release_old(error ? flow : old);
    if (reason) {
        virtnet_flow_count_refusal(reason);
        VLOG_DBG("%s: flow "UUID_FMT" is not offloaded: it %s",
                 netdev_get_name(netdev), UUID_ARGS((struct uuid *) ufid),
                 virtnet_flow_reason_text(reason));
    }
    if (!error && remove_if_dead(flow)) {
        error = ESRCH;
    }
    if (!error && stats) {
        offload_share_to_dpif(&s, stats);
    }
    return error;
}

static int
offload_flow_del(struct netdev *netdev OVS_UNUSED, const ovs_u128 *ufid,
                 struct dpif_flow_stats *stats)
{
    offload_share_delete(ufid); /* May have been done. */
    if (stats) {
        memset(stats, 0, sizeof *stats);
    }
    return 0;
}

static int
offload_flow_get(struct netdev *netdev,
                 struct match *match OVS_UNUSED,
                 struct nlattr **actions OVS_UNUSED, const ovs_u128 *ufid,
                 struct dpif_flow_stats *stats, struct dpif_flow_attrs *attrs,
                 struct ofpbuf *wbuffer OVS_UNUSED)
{
    struct virtnet_flow_stats s;
    int error;

    error = offload_share_get(ufid, &s);
    if (error) {
        /* A packet thread has a flow that another had offloaded. */
        struct dp_netdev_flow *flow = dp_flow_from_ufid(ufid);
        struct offload_share_flow sf = share_flow(flow, netdev);

        if (!flow->dead && ovs_refcount_try_ref_rcu(&flow->ref_cnt)) {
            struct flow_wildcards wc = get_wc(flow);
            void *old;

            if (offload_share_join(&wc, &sf, &old)) {
                release_old(old);
                remove_if_dead(flow);
                error = offload_share_get(ufid, &s);
            } else {
                release_old(flow);
            }
        }
    }
    if (!error) {
        offload_share_to_dpif(&s, stats);
        attrs->offloaded = s.in_force;
        attrs->dp_layer = s.in_force ? DP_LAYER : "ovs";
    }
    return error;
}

/* Reading, and deletion, by revalidators.  See offload-share.h. */

int __real_dpif_flow_dump_next(struct dpif_flow_dump_thread *,
                               struct dpif_flow *, int max_flows);
int __wrap_dpif_flow_dump_next(struct dpif_flow_dump_thread *,
                               struct dpif_flow *, int max_flows);

int
__wrap_dpif_flow_dump_next(struct dpif_flow_dump_thread *thread,
                           struct dpif_flow *flows, int max_flows)
{
    int n;

    offload_share_read_lock();
    n = __real_dpif_flow_dump_next(thread, flows, max_flows);
    offload_share_read_unlock();
    return n;
}

void __real_dpif_operate(struct dpif *, struct dpif_op **ops, size_t n_ops,
                         enum dpif_offload_type);
void __wrap_dpif_operate(struct dpif *, struct dpif_op **ops, size_t n_ops,
                         enum dpif_offload_type);

void
__wrap_dpif_operate(struct dpif *dpif, struct dpif_op **ops, size_t n_ops,
                    enum dpif_offload_type type)
{
    enum { MAX_OPS = 64 };
    bool enabled = netdev_is_flow_api_enabled();

    while (n_ops) {
        size_t n = MIN(n_ops, MAX_OPS);
        struct share *shares[MAX_OPS];

        for (size_t i = 0; i < n; i++) {
            const struct dpif_flow_del *del = &ops[i]->flow_del;

            shares[i] = (ops[i]->type == DPIF_OP_FLOW_DEL && del->stats
                         && del->ufid && enabled
                         ? offload_share_prepare(del->ufid, del->pmd_id)
                         : NULL);
        }
        __real_dpif_operate(dpif, ops, n, type);
        for (size_t i = 0; i < n; i++) {
            if (shares[i]) {
                offload_share_finish(shares[i], !ops[i]->error,
                                     ops[i]->flow_del.stats);
            }
        }
        ops += n;
        n_ops -= n;
    }
}

static int
offload_flow_flush(struct netdev *netdev)
{
    const struct virtnet_flow_class *class;
    struct virtnet_device *dev = offload_get_device(netdev, &class);

    return dev ? class->flush(dev) : 0;
}

static int
offload_flow_get_n_flows(struct netdev *netdev, uint64_t *n_flows)
{
    const struct virtnet_flow_class *class;
    struct virtnet_device *dev = offload_get_device(netdev, &class);

    /* Not known by thread: all are those of the first. */
    n_flows[0] = dev ? class->count(dev) : 0;
    return 0;
}

/* Is 'netdev' in the userspace datapath? */
static bool
is_userspace(const struct netdev *netdev)
{
    const char *type = netdev_get_dpif_type(netdev);

    return type && !strcmp(type, "netdev");
}

static int
offload_init_flow_api(struct netdev *netdev)
{
    if (virtio_emu_is(netdev)) {
        if (virtio_emu_offload_by_dpdk(netdev)) {
            return EOPNOTSUPP;
        }
        virtio_emu_set_offload(netdev, true);
        return 0;
    } else if (is_userspace(netdev) && offload_uplink_is_possible(netdev)) {
        offload_uplink_add(netdev);
        return 0;
    }
    return EOPNOTSUPP;
}

static void
offload_uninit_flow_api(struct netdev *netdev)
{
    if (virtio_emu_is(netdev)) {
        virtio_emu_set_offload(netdev, false);
    } else {
        offload_uplink_remove(netdev);
    }
    /* The port's lock, which the caller has and those who ask us take, sees to
     * it that none of them is within offload_flow_get(). */
    offload_share_keep(netdev);
}

static const struct netdev_flow_api offload_flow_api = {
    .type = "virtnet",
    .flow_flush = offload_flow_flush,
    .flow_put = offload_flow_put,
    .flow_get = offload_flow_get,
    .flow_del = offload_flow_del,
    .flow_get_n_flows = offload_flow_get_n_flows,
    .init_flow_api = offload_init_flow_api,
    .uninit_flow_api = offload_uninit_flow_api,
};

bool
offload_is_ours(const struct netdev *netdev)
{
    return (ovsrcu_get(const struct netdev_flow_api *, &netdev->flow_api)
            == &offload_flow_api);
}

/* The "tc" provider, kept to the kernel's datapath: see offload-uplink.h.
 * Without that it would be chance which of the two is asked first. */

static struct netdev_flow_api tc_flow_api;

static int
tc_init_flow_api(struct netdev *netdev)
{
    return (is_userspace(netdev) ? EOPNOTSUPP
            : netdev_offload_tc.init_flow_api(netdev));
}

static void
replace_tc(void)
{
    struct sset types = SSET_INITIALIZER(&types);

    netdev_enumerate_types(&types); /* Has providers registered. */
    sset_destroy(&types);
    if (!netdev_unregister_flow_api_provider(netdev_offload_tc.type)) {
        tc_flow_api = netdev_offload_tc;
        tc_flow_api.init_flow_api = tc_init_flow_api;
        netdev_register_flow_api_provider(&tc_flow_api);
    }
}

static const struct offload_share_class netdev_share_class = {
    .release = release_dp_flow,
    .is_dead = is_dead,
    .add_own = add_own_stats,
    .keep = keep_stats,
};

void
offload_init(void)
{
    offload_share_init(&netdev_share_class);
    replace_tc();
    netdev_register_flow_api_provider(&offload_flow_api);
}

#endif /* VIRTNET_OVS_VERSION < 30700 */
