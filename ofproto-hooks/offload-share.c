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

/* Counters of offloaded flows.  See offload-share.h. */

#include <config.h>

#include "offload-share.h"

#include <errno.h>

#include "dpif.h"
#include "hash.h"
#include "odp-util.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "ovs-thread.h"
#include "util.h"

/* A flow of the datapath. */
struct share {
    struct hmap_node name_node; /* In 'names', if flow.ufid is nonnull. */
    struct ovs_list list_node;  /* In shared->shares. */
    struct shared *shared;      /* Or NULL, when it has no share any more, */
    bool prepared;              /* but offload_share_finish() is to come. */
    struct offload_share_flow flow;
    uint64_t n_packets;         /* Reported on its behalf, or, without */
    uint64_t n_bytes;           /* 'shared', still to be reported. */
    long long int used;         /* The same. */
    uint16_t tcp_flags;
};

/* A flow of the backend. */
struct shared {
    struct hmap_node node;      /* In 'all', by 'ufid'. */
    ovs_u128 ufid;
    ovs_u128 wc_id;             /* Of the masks with which it came.  (Those
                                 * with which it is modified may be put in
                                 * other words.) */
    const struct virtnet_flow_class *class;
    struct virtnet_device *dev; /* Or NULL: it is not there any more. */
    struct virtnet_flow_stats ended; /* Of those of before. */
    uint64_t n_packets;         /* Reported on behalf of anybody, whether */
    uint64_t n_bytes;           /* still here or not. */
    struct ovs_list shares;     /* Of 'struct share'. */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap all OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&all);
static struct hmap names OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&names);

static const struct offload_share_class *share_class;

static uint32_t
hash_ufid(const ovs_u128 *ufid, unsigned int pmd_id)
{
    return hash_bytes(ufid, sizeof *ufid, pmd_id);
}

static ovs_u128
get_wc_id(const struct flow_wildcards *wc)
{
    ovs_u128 id;

    odp_flow_key_hash(wc, sizeof *wc, &id);
    return id;
}

static struct shared *
shared_find(const ovs_u128 *mega_ufid)
    OVS_REQUIRES(mutex)
{
    struct shared *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash_ufid(mega_ufid, 0), &all) {
        if (ovs_u128_equals(s->ufid, *mega_ufid)) {
            return s;
        }
    }
    return NULL;
}

static struct share *
share_find(const ovs_u128 *mega_ufid)
    OVS_REQUIRES(mutex)
{
    struct shared *s = shared_find(mega_ufid);

    if (s) {
        struct share *share;

        LIST_FOR_EACH (share, list_node, &s->shares) {
            if (share->flow.mega_ufid == mega_ufid) {
                return share;
            }
        }
    }
    return NULL;
}

static void
shared_destroy(struct shared *s)
    OVS_REQUIRES(mutex)
{
    hmap_remove(&all, &s->node);
    free(s);
}

static void
share_add(struct shared *s, const struct offload_share_flow *flow)
    OVS_REQUIRES(mutex)
{
    struct share *share = xzalloc(sizeof *share);

    share->shared = s;
    share->flow = *flow;
    ovs_list_push_back(&s->shares, &share->list_node);
    if (flow->ufid) {
        hmap_insert(&names, &share->name_node,
                    hash_ufid(flow->ufid, flow->pmd_id));
    }
}

/* Takes the share of 'share' away, with 'rest' to be reported still if it can
 * be.  The reference goes to the caller. */
static void
share_remove(struct share *share, const struct virtnet_flow_stats *rest)
    OVS_REQUIRES(mutex)
{
    ovs_list_remove(&share->list_node);
    if (share->flow.ufid) {
        hmap_remove(&names, &share->name_node);
    }
    if (!share->prepared) {
        free(share);
        return;
    }
    share->shared = NULL;
    share->n_packets = rest->n_packets;
    share->n_bytes = rest->n_bytes;
    share->used = rest->used;
    share->tcp_flags = rest->tcp_flags;
}

/* Adds 'flow' to the shares of 's', or has it take the place of that of the
 * same thread, whose flow is returned. */
static void *
shared_add(struct shared *s, const struct offload_share_flow *flow)
    OVS_REQUIRES(mutex)
{
    const struct virtnet_flow_stats none = { .n_packets = 0 };
    struct share *share;

    LIST_FOR_EACH (share, list_node, &s->shares) {
        if (share->flow.pmd_id == flow->pmd_id) {
            void *old = share->flow.flow;

            if (old != flow->flow) {
                share_remove(share, &none);
                share_add(s, flow);
            }
            return old;
        }
    }
    share_add(s, flow);
    return NULL;
}

static void
stats_add(struct virtnet_flow_stats *to, const struct virtnet_flow_stats *from)
{
    to->n_packets += from->n_packets;
    to->n_bytes += from->n_bytes;
    to->used = MAX(to->used, from->used);
    to->tcp_flags |= from->tcp_flags;
}

/* Makes of '*stats', the counters of the backend's flow since it was put, what
 * was not reported yet. */
static void
shared_rest(const struct shared *s, struct virtnet_flow_stats *stats)
{
    stats_add(stats, &s->ended);
    /* Those who read at the same time may have got more. */
    stats->n_packets -= MIN(stats->n_packets, s->n_packets);
    stats->n_bytes -= MIN(stats->n_bytes, s->n_bytes);
}

/* Takes all shares of 's' away, and destroys it.  The first, preferably one
 * that is to be told, has 'rest' besides what was reported.  With 'keep' each
 * flow keeps that. */
static void
shared_remove_all(struct shared *s, struct virtnet_flow_stats *rest, bool keep)
    OVS_REQUIRES(mutex)
{
    const struct virtnet_flow_stats none = { .n_packets = 0 };
    struct share *share, *next, *first = NULL;

    LIST_FOR_EACH (share, list_node, &s->shares) {
        if (!first || (share->prepared && !first->prepared)) {
            first = share;
        }
    }
    LIST_FOR_EACH_SAFE (share, next, list_node, &s->shares) {
        const struct virtnet_flow_stats *more = share == first ? rest : &none;
        void *flow = share->flow.flow;
        unsigned int pmd_id = share->flow.pmd_id;

        if (keep) {
            struct virtnet_flow_stats stats = {
                .n_packets = share->n_packets,
                .n_bytes = share->n_bytes,
            };

            stats_add(&stats, more);
            share_class->keep(flow, &stats);
        }
        share_remove(share, keep ? &none : more);
        share_class->release(flow, pmd_id);
    }
    shared_destroy(s);
}

/* Called by a backend. */
static void
flow_has_ended(const ovs_u128 *mega_ufid, struct virtnet_device *dev,
               const struct virtnet_flow_stats *stats)
    OVS_EXCLUDED(mutex)
{
    struct virtnet_flow_stats now;
    struct shared *s;

    ovs_mutex_lock(&mutex);
    s = shared_find(mega_ufid);
    if (s && s->dev == dev) {
        if (!s->class->get(dev, mega_ufid, &now)) {
            /* It has been put again meanwhile. */
            stats_add(&s->ended, stats);
        } else if (share_class->keep) {
            struct virtnet_flow_stats rest = *stats;

            shared_rest(s, &rest);
            shared_remove_all(s, &rest, true);
        } else {
            s->dev = NULL;
            stats_add(&s->ended, stats);
        }
    }
    ovs_mutex_unlock(&mutex);
}

void
offload_share_init(const struct offload_share_class *class)
{
    share_class = class;
    virtnet_flow_set_end_cb(flow_has_ended);
}

int
offload_share_put(const struct virtnet_flow_class *class,
                  struct virtnet_device *dev, const struct match *match,
                  const struct virtnet_flow_actions *actions,
                  const struct flow_wildcards *wc,
                  const struct offload_share_flow *flow,
                  struct virtnet_flow_stats *stats,
                  enum virtnet_flow_reason *reason, void **oldp)
{
    ovs_u128 wc_id = get_wc_id(wc);
    struct shared *s;
    int error;

    *oldp = NULL;
    ovs_mutex_lock(&mutex);
    s = shared_find(flow->mega_ufid);
    if (OVS_UNLIKELY(s && !ovs_u128_equals(s->wc_id, wc_id)
                     && !share_find(flow->mega_ufid))) {
        *reason = VIRTNET_FLOW_MATCH_SAME_ID;
        error = EEXIST;
    } else {
        error = class->put(dev, flow->mega_ufid, match, actions, stats,
                           reason);
    }
    if (!error) {
        if (!s) {
            s = xzalloc(sizeof *s);
            s->ufid = *flow->mega_ufid;
            s->wc_id = wc_id;
            ovs_list_init(&s->shares);
            hmap_insert(&all, &s->node, hash_ufid(&s->ufid, 0));
        }
        s->class = class;
        s->dev = dev;
        *oldp = shared_add(s, flow);
    }
    ovs_mutex_unlock(&mutex);
    return error;
}

bool
offload_share_join(const struct flow_wildcards *wc,
                   const struct offload_share_flow *flow, void **oldp)
{
    struct shared *s;
    bool ok;

    *oldp = NULL;
    ovs_mutex_lock(&mutex);
    s = shared_find(flow->mega_ufid);
    ok = s && ovs_u128_equals(s->wc_id, get_wc_id(wc));
    if (ok) {
        *oldp = shared_add(s, flow);
    }
    ovs_mutex_unlock(&mutex);
    return ok;
}

int
offload_share_get(const ovs_u128 *mega_ufid, struct virtnet_flow_stats *stats)
{
    struct share *share;

    memset(stats, 0, sizeof *stats);
    ovs_mutex_lock(&mutex);
    share = share_find(mega_ufid);
    if (share) {
        struct shared *s = share->shared;

        if (s->dev) {
            s->class->get(s->dev, mega_ufid, stats);
        }
        shared_rest(s, stats);
        s->n_packets += stats->n_packets;
        s->n_bytes += stats->n_bytes;
        stats->n_packets = share->n_packets += stats->n_packets;
        stats->n_bytes = share->n_bytes += stats->n_bytes;
    }
    ovs_mutex_unlock(&mutex);
    return share ? 0 : ENOENT;
}

/* Deletes the backend's flow and stores what was not reported yet. */
static void
shared_delete_flow(struct shared *s, struct virtnet_flow_stats *rest)
    OVS_REQUIRES(mutex)
{
    memset(rest, 0, sizeof *rest);
    if (s->dev) {
        s->class->del(s->dev, &s->ufid, rest);
    }
    shared_rest(s, rest);
}

/* Takes the share of 'share' away, and deletes the backend's flow if nobody
 * else has one.  The reference goes to the caller. */
static void
share_end(struct share *share)
    OVS_REQUIRES(mutex)
{
    struct virtnet_flow_stats rest = { .n_packets = 0 };
    struct shared *s = share->shared;
    bool last = ovs_list_is_singleton(&s->shares);

    if (last) {
        shared_delete_flow(s, &rest);
    }
    share_remove(share, &rest);
    if (last) {
        shared_destroy(s);
    }
}

int
offload_share_remove(const ovs_u128 *mega_ufid)
{
    struct share *share;

    ovs_mutex_lock(&mutex);
    share = share_find(mega_ufid);
    if (share) {
        share_end(share);
    }
    ovs_mutex_unlock(&mutex);
    return share ? 0 : ENOENT;
}

int
offload_share_delete(const ovs_u128 *mega_ufid)
{
    struct shared *s;

    ovs_mutex_lock(&mutex);
    s = shared_find(mega_ufid);
    if (s) {
        struct virtnet_flow_stats rest;

        shared_delete_flow(s, &rest);
        shared_remove_all(s, &rest, false);
    }
    ovs_mutex_unlock(&mutex);
    return s ? 0 : ENOENT;
}

struct share *
offload_share_prepare(const ovs_u128 *ufid, unsigned int pmd_id)
{
    struct share *share, *found = NULL;

    ovs_mutex_lock(&mutex);
    HMAP_FOR_EACH_WITH_HASH (share, name_node, hash_ufid(ufid, pmd_id),
                             &names) {
        if (share->flow.pmd_id == pmd_id && !share->prepared
            && ovs_u128_equals(*share->flow.ufid, *ufid)) {
            found = share;
            found->prepared = true;
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
    return found;
}

void
offload_share_finish(struct share *share, bool deleted,
                     struct dpif_flow_stats *stats)
{
    ovs_mutex_lock(&mutex);
    if (share->shared && deleted) {
        share_class->release(share->flow.flow, share->flow.pmd_id);
        share_end(share);
    }
    if (!share->shared) {
        if (deleted) {
            stats->n_packets += share->n_packets;
            stats->n_bytes += share->n_bytes;
            stats->used = MAX(stats->used, share->used);
            stats->tcp_flags |= share->tcp_flags;
        }
        free(share);
    } else {
        share->prepared = false;
    }
    ovs_mutex_unlock(&mutex);
}
