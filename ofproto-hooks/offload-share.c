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
    struct hmap_node name_node; /* In 'names', if flow.ufid is nonnull and it
                                 * may have, or get, a share. */
    struct ovs_list list_node;  /* In shared->shares. */
    struct shared *shared;      /* Or NULL, if it has no share any more, or */
    bool prepared;              /* yet, but offload_share_finish() comes. */
    struct offload_share_flow flow; /* flow.flow is NULL before it had one. */
    uint64_t n_packets;         /* All on its behalf: what was reported, and */
    uint64_t n_bytes;           /* without 'shared' what was not. */
    long long int used;         /* Without 'shared'. */
    uint16_t tcp_flags;
};

/* A flow of the backend. */
struct shared {
    struct hmap_node node;      /* In 'all', by 'ufid'. */
    ovs_u128 ufid;
    ovs_u128 wc_id;             /* Of the masks with which it came.  (Those
                                 * with which it is modified may be put in
                                 * other words.) */
    const void *port;           /* See offload_share_keep(). */
    const struct virtnet_flow_class *class;
    struct virtnet_device *dev; /* Or NULL: it is not there any more. */
    struct ovs_list end_node;   /* In 'ends', if so. */
    struct virtnet_flow_stats ended; /* Of those of before. */
    uint64_t n_packets;         /* Reported on behalf of anybody, whether */
    uint64_t n_bytes;           /* still here or not. */
    struct ovs_list shares;     /* Of 'struct share'. */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap all OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&all);
static struct hmap names OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&names);
static struct ovs_list ends OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&ends);

static const struct offload_share_class *share_class;

/* See offload_share_read_lock().  Taken before 'mutex'. */
static struct ovs_rwlock read_lock = OVS_RWLOCK_INITIALIZER;

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

/* 's' has ended, and has no shares. */
static void
shared_destroy(struct shared *s)
    OVS_REQUIRES(mutex)
{
    ovs_list_remove(&s->end_node);
    hmap_remove(&all, &s->node);
    free(s);
}

/* Returns the one with this name that has a share, and whose deletion nobody
 * has announced, or, if 'expected', the one of which there is only that. */
static struct share *
name_find(const ovs_u128 *ufid, unsigned int pmd_id, bool expected)
    OVS_REQUIRES(mutex)
{
    struct share *share;

    HMAP_FOR_EACH_WITH_HASH (share, name_node, hash_ufid(ufid, pmd_id),
                             &names) {
        if (share->flow.pmd_id == pmd_id
            && ovs_u128_equals(*share->flow.ufid, *ufid)
            && (expected ? !share->flow.flow : !share->prepared)) {
            return share;
        }
    }
    return NULL;
}

static void
share_add(struct shared *s, const struct offload_share_flow *flow)
    OVS_REQUIRES(mutex)
{
    struct share *share = NULL;

    if (flow->ufid) {
        share = name_find(flow->ufid, flow->pmd_id, true);
    }
    if (!share) {
        share = xzalloc(sizeof *share);
        if (flow->ufid) {
            hmap_insert(&names, &share->name_node,
                        hash_ufid(flow->ufid, flow->pmd_id));
        }
    }
    share->shared = s;
    share->flow = *flow;
    ovs_list_push_back(&s->shares, &share->list_node);
}

/* Takes the share of 'share' away, with 'rest' to be reported still if it can
 * be.  The reference goes to the caller.  (If it was announced that the flow
 * is deleted, whoever did that does not quiesce, so that it stays.) */
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
    share->n_packets += rest->n_packets;
    share->n_bytes += rest->n_bytes;
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

/* Deletes the backend's flow, if it is there. */
static void
shared_end(struct shared *s)
    OVS_REQUIRES(mutex)
{
    struct virtnet_flow_stats stats = { .n_packets = 0 };

    if (s->dev) {
        s->class->del(s->dev, &s->ufid, &stats);
        stats_add(&s->ended, &stats);
        s->dev = NULL;
        ovs_list_push_back(&ends, &s->end_node);
    }
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

/* Makes the counters of all who have a share in 's', which has ended, their
 * own, and destroys it. */
static void
shared_keep(struct shared *s)
    OVS_REQUIRES(mutex)
{
    const struct virtnet_flow_stats none = { .n_packets = 0 };
    struct virtnet_flow_stats rest = none;
    struct share *share;

    shared_rest(s, &rest);
    LIST_FOR_EACH_POP (share, list_node, &s->shares) {
        void *flow = share->flow.flow;
        unsigned int pmd_id = share->flow.pmd_id;

        rest.n_packets += share->n_packets;
        rest.n_bytes += share->n_bytes;
        share_class->keep(flow, &rest);
        rest = none;
        share->n_packets = share->n_bytes = 0;
        ovs_list_init(&share->list_node);
        share_remove(share, &none);
        share_class->release(flow, pmd_id);
    }
    shared_destroy(s);
}

/* Called by a backend. */
static void
flow_end(const ovs_u128 *mega_ufid, struct virtnet_device *dev)
    OVS_EXCLUDED(mutex)
{
    struct shared *s;

    ovs_mutex_lock(&mutex);
    s = shared_find(mega_ufid);
    if (s && s->dev == dev) {
        shared_end(s);
    }
    ovs_mutex_unlock(&mutex);
}

void
offload_share_init(const struct offload_share_class *class)
{
    share_class = class;
    virtnet_flow_set_end_cb(flow_end);
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
        } else if (!s->dev) {
            ovs_list_remove(&s->end_node);
        }
        s->port = flow->port;
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
        shared_end(s);
        shared_rest(s, &rest);
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
    bool found;

    ovs_mutex_lock(&mutex);
    s = shared_find(mega_ufid);
    found = s != NULL;
    if (found) {
        struct share *share, *next;

        shared_end(s);
        LIST_FOR_EACH_SAFE (share, next, list_node, &s->shares) {
            void *flow = share->flow.flow;
            unsigned int pmd_id = share->flow.pmd_id;

            if (!share->prepared && share_class->is_dead(flow)) {
                bool last = ovs_list_is_singleton(&s->shares);

                share_end(share);
                share_class->release(flow, pmd_id);
                if (last) {
                    break;      /* 's' is gone, too. */
                }
            }
        }
    }
    ovs_mutex_unlock(&mutex);
    return found ? 0 : ENOENT;
}

/* Have flows of 'port' ended that still have shares? */
static bool
has_ends(const void *port)
    OVS_EXCLUDED(mutex)
{
    const struct shared *s;
    bool any = false;

    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH (s, end_node, &ends) {
        if (s->port == port) {
            any = true;
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
    return any;
}

void
offload_share_keep(const void *port)
{
    struct shared *s, *next;

    if (!has_ends(port)) {
        return;                 /* Whatever locks the caller may have. */
    }
    ovs_rwlock_wrlock(&read_lock);
    ovs_mutex_lock(&mutex);
    LIST_FOR_EACH_SAFE (s, next, end_node, &ends) {
        if (s->port == port) {
            shared_keep(s);
        }
    }
    ovs_mutex_unlock(&mutex);
    ovs_rwlock_unlock(&read_lock);
}

void
offload_share_to_dpif(const struct virtnet_flow_stats *from,
                      struct dpif_flow_stats *to)
{
    memset(to, 0, sizeof *to);
    to->n_packets = from->n_packets;
    to->n_bytes = from->n_bytes;
    to->used = from->used;
    to->tcp_flags = from->tcp_flags;
}

void
offload_share_read_lock(void)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    ovs_rwlock_rdlock(&read_lock);
}

void
offload_share_read_unlock(void)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    ovs_rwlock_unlock(&read_lock);
}

struct share *
offload_share_prepare(const ovs_u128 *ufid, unsigned int pmd_id)
{
    struct share *share;

    ovs_mutex_lock(&mutex);
    share = name_find(ufid, pmd_id, false);
    if (!share || share_class->is_dead(share->flow.flow)) {
        /* It has none, or another that is gone had. */
        share = xzalloc(sizeof *share);
        share->flow.ufid = ufid;
        share->flow.pmd_id = pmd_id;
        hmap_insert(&names, &share->name_node, hash_ufid(ufid, pmd_id));
    }
    share->prepared = true;
    ovs_mutex_unlock(&mutex);
    return share;
}

void
offload_share_finish(struct share *share, bool deleted,
                     struct dpif_flow_stats *stats)
{
    void *flow;

    ovs_mutex_lock(&mutex);
    flow = share->flow.flow;
    if (!flow) {
        hmap_remove(&names, &share->name_node);
    } else if (share_class->is_dead(flow)) {
        if (share->shared) {
            share_end(share);
            share_class->release(flow, share->flow.pmd_id);
        }
        if (deleted) {
            stats->n_packets = share->n_packets;
            stats->n_bytes = share->n_bytes;
            stats->used = MAX(stats->used, share->used);
            stats->tcp_flags |= share->tcp_flags;
            share_class->add_own(flow, stats);
        }
    }
    /* Else it was not deleted, or the share is that of a new one, put since
     * then. */
    share->prepared = false;
    if (!share->shared) {
        free(share);
    }
    ovs_mutex_unlock(&mutex);
}
