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

/* Shares of the datapath's flows in the counters of an offloaded flow.  See
 * offload-share.h. */

#include <config.h>

#include "offload-share.h"

#include "hash.h"
#include "openvswitch/hmap.h"
#include "ovs-thread.h"
#include "util.h"
#include "virtnet-flow-provider.h"

/* A flow of the datapath. */
struct share {
    const ovs_u128 *ufid;       /* Its member. */
    void *flow;
    unsigned int pmd_id;
    uint64_t n_packets;         /* Reported on its behalf. */
    uint64_t n_bytes;
};

/* A flow of the backend. */
struct shared {
    struct hmap_node node;      /* In 'all', by 'ufid'. */
    ovs_u128 ufid;
    const struct netdev *in;
    uint64_t n_packets;         /* Reported on behalf of anybody, whether */
    uint64_t n_bytes;           /* still here or not. */
    size_t n;
    struct share *shares;
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap all OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&all);

static uint32_t
hash_ufid(const ovs_u128 *ufid)
{
    return hash_bytes(ufid, sizeof *ufid, 0);
}

static struct shared *
shared_find(const ovs_u128 *ufid)
    OVS_REQUIRES(mutex)
{
    struct shared *s;

    HMAP_FOR_EACH_WITH_HASH (s, node, hash_ufid(ufid), &all) {
        if (ovs_u128_equals(s->ufid, *ufid)) {
            return s;
        }
    }
    return NULL;
}

/* Removes the share with index 'i', and 's' if it was the last. */
static bool
shared_remove(struct shared *s, size_t i)
    OVS_REQUIRES(mutex)
{
    s->shares[i] = s->shares[--s->n];
    if (!s->n) {
        hmap_remove(&all, &s->node);
        free(s->shares);
        free(s);
        return true;
    }
    return false;
}

void *
offload_share_add(const struct netdev *in, const ovs_u128 *ufid,
                  unsigned int pmd_id, void *flow)
{
    void *old = NULL;
    struct shared *s;
    size_t i;

    ovs_mutex_lock(&mutex);
    s = shared_find(ufid);
    if (!s) {
        s = xzalloc(sizeof *s);
        s->ufid = *ufid;
        s->in = in;
        hmap_insert(&all, &s->node, hash_ufid(ufid));
    }
    for (i = 0; i < s->n && s->shares[i].pmd_id != pmd_id; i++) {
        continue;
    }
    if (i < s->n) {
        old = s->shares[i].flow;
    } else {
        s->shares = xrealloc(s->shares, (s->n + 1) * sizeof *s->shares);
        s->n++;
    }
    if (old != flow) {
        s->shares[i] = (struct share) {
            .ufid = ufid,
            .flow = flow,
            .pmd_id = pmd_id,
        };
    }
    ovs_mutex_unlock(&mutex);
    return old;
}

bool
offload_share_remove(const ovs_u128 *ufid, bool *lastp)
{
    bool found = false;
    struct shared *s;

    *lastp = false;
    ovs_mutex_lock(&mutex);
    s = shared_find(ufid);
    for (size_t i = 0; s && i < s->n; i++) {
        if (s->shares[i].ufid == ufid) {
            *lastp = shared_remove(s, i);
            found = true;
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
    return found;
}

bool
offload_share_stats(const ovs_u128 *ufid, struct virtnet_flow_stats *stats)
{
    bool found = false;
    struct shared *s;

    ovs_mutex_lock(&mutex);
    s = shared_find(ufid);
    for (size_t i = 0; s && i < s->n; i++) {
        struct share *share = &s->shares[i];

        if (share->ufid == ufid) {
            /* Two who ask at a time may get here in another order than they
             * read the counters. */
            if (stats->n_packets > s->n_packets) {
                share->n_packets += stats->n_packets - s->n_packets;
                s->n_packets = stats->n_packets;
            }
            if (stats->n_bytes > s->n_bytes) {
                share->n_bytes += stats->n_bytes - s->n_bytes;
                s->n_bytes = stats->n_bytes;
            }
            stats->n_packets = share->n_packets;
            stats->n_bytes = share->n_bytes;
            found = true;
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
    return found;
}

/* Removes all shares of 's', and 's'. */
static void
shared_remove_all(struct shared *s, offload_share_release_func *release,
                  void *aux)
    OVS_REQUIRES(mutex)
{
    do {
        struct share *share = &s->shares[s->n - 1];

        release(share->flow, share->pmd_id, aux);
    } while (!shared_remove(s, s->n - 1));
}

void
offload_share_remove_all(const ovs_u128 *ufid,
                         offload_share_release_func *release, void *aux)
{
    struct shared *s;

    ovs_mutex_lock(&mutex);
    s = shared_find(ufid);
    if (s) {
        shared_remove_all(s, release, aux);
    }
    ovs_mutex_unlock(&mutex);
}

void
offload_share_flush(const struct netdev *in,
                    offload_share_release_func *release, void *aux)
{
    struct shared *s, *next;

    ovs_mutex_lock(&mutex);
    HMAP_FOR_EACH_SAFE (s, next, node, &all) {
        if (s->in == in) {
            shared_remove_all(s, release, aux);
        }
    }
    ovs_mutex_unlock(&mutex);
}
