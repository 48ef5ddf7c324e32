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

/* What the functions of a card share.  See virtnet-pool.h. */

#include <config.h>

#include "virtnet-pool.h"

#include <limits.h>
#include <stdlib.h>

#include "util.h"
#include "virtnet-error.h"

#define VIRTIO_NET_F_CTRL_VQ 17         /* VIRTIO 1.2, section 5.1.3. */

/* Vectors that a driver needs to load: one for changes of the configuration
 * and one for queues, and as many again with a control queue. */
#define MIN_MSIX_CTRL_VQ 4
#define MIN_MSIX 2

static int OVS_PRINTF_FORMAT(3, 4)
refuse(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

static bool
has_ctrl_vq(const struct virtnet_device_config *config)
{
    return config->features & (UINT64_C(1) << VIRTIO_NET_F_CTRL_VQ);
}

uint16_t
virtnet_msix_for_queue_pairs(unsigned int queue_pairs)
{
    return queue_pairs ? 2 * queue_pairs + 2 : 0;
}

uint16_t
virtnet_queue_pairs_for_msix(unsigned int msix, bool ctrl_vq)
{
    /* Without a control queue a driver gets by with one vector for all
     * queues. */
    return (msix >= MIN_MSIX_CTRL_VQ ? (msix - 2) / 2
            : msix >= MIN_MSIX && !ctrl_vq ? 1
            : 0);
}

bool
virtnet_config_is_functional(const struct virtnet_device_config *config)
{
    return (config->max_queue_pairs > 0
            && config->num_msix >= (has_ctrl_vq(config) ? MIN_MSIX_CTRL_VQ
                                    : MIN_MSIX));
}

void
virtnet_pool_init(struct virtnet_pool *pool, unsigned int def_msix,
                  unsigned int def_queue_pairs, unsigned int max_queue_pairs)
{
    unsigned int max_msix = virtnet_msix_for_queue_pairs(max_queue_pairs);
    unsigned int msix = MIN(def_msix, max_msix) & ~1u;

    if (def_queue_pairs) {
        msix = MIN(msix, virtnet_msix_for_queue_pairs(
                       MIN(def_queue_pairs, max_queue_pairs)));
    }
    *pool = (struct virtnet_pool) {
        .max_msix = max_msix,
        .max_queue_pairs = max_queue_pairs,
        .def_msix = msix,
        .def_queue_pairs = virtnet_queue_pairs_for_msix(msix, true),
    };
}

void
virtnet_pool_limit_msix(struct virtnet_pool *pool, unsigned int min,
                        unsigned int max)
{
    pool->max_msix = MIN(pool->max_msix, max & ~1u);
    pool->min_msix = MIN(ROUND_UP(min, 2), pool->max_msix);
    pool->max_queue_pairs = MIN(pool->max_queue_pairs,
                                virtnet_queue_pairs_for_msix(pool->max_msix,
                                                             true));
    pool->def_msix = MAX(MIN(pool->def_msix, pool->max_msix), pool->min_msix);
    pool->def_queue_pairs = virtnet_queue_pairs_for_msix(pool->def_msix, true);
}

/* Can 'pool' give what it takes to have 'new' instead of 'old'?  The answer is
 * 'error' if not. */
static int
check_rest(const struct virtnet_pool *pool, int error,
           const struct virtnet_device_config *old,
           const struct virtnet_device_config *new, char **errp)
{
    int msix = new->num_msix - old->num_msix;
    int queue_pairs = new->max_queue_pairs - old->max_queue_pairs;
    long long int free_msix = MAX(pool->msix, pool->told_msix);
    long long int free_pairs = MAX(pool->queue_pairs, pool->told_msix / 2);

    if (msix > 0 && msix > free_msix) {
        return refuse(error, errp, "%d more MSI-X vectors are needed, and the "
                      "pool of the PF has %lld", msix, free_msix);
    } else if (queue_pairs > 0 && queue_pairs > free_pairs) {
        return refuse(error, errp, "%d more queue pairs are needed, and the "
                      "pool of the PF has %lld", queue_pairs, free_pairs);
    }
    return 0;
}

int
virtnet_pool_check_msix(const struct virtnet_pool *pool,
                        unsigned long long int n,
                        struct virtnet_device_config *config, char **errp)
{
    struct virtnet_device_config new = *config;
    int error;

    if (n % 2) {
        return refuse(VIRTNET_E_MSIX_INVALID, errp, "the number of MSI-X "
                      "vectors must be even");
    } else if (n < pool->min_msix || n > pool->max_msix) {
        return refuse(VIRTNET_E_MSIX_INVALID, errp, "the number of MSI-X "
                      "vectors must be from %u to %u", pool->min_msix,
                      pool->max_msix);
    }
    new.num_msix = n;
    new.max_queue_pairs = virtnet_queue_pairs_for_msix(n, has_ctrl_vq(config));
    error = check_rest(pool, VIRTNET_E_MSIX_INVALID, config, &new, errp);
    if (!error) {
        *config = new;
    }
    return error;
}

int
virtnet_pool_check_queue_pairs(const struct virtnet_pool *pool,
                               unsigned long long int n,
                               struct virtnet_device_config *config,
                               char **errp)
{
    struct virtnet_device_config new = *config;
    int error;

    if (n < pool->min_queue_pairs || n > pool->max_queue_pairs) {
        return refuse(VIRTNET_E_QUEUES_INVALID, errp, "the number of queue "
                      "pairs must be from %u to %u", pool->min_queue_pairs,
                      pool->max_queue_pairs);
    }
    new.max_queue_pairs = n;
    new.num_msix = MAX(virtnet_msix_for_queue_pairs(n), pool->min_msix);
    error = check_rest(pool, VIRTNET_E_QUEUES_INVALID, config, &new, errp);
    if (!error) {
        *config = new;
    }
    return error;
}

void
virtnet_pool_move(struct virtnet_pool *pool,
                  const struct virtnet_device_config *old,
                  const struct virtnet_device_config *new)
{
    pool->msix += old->num_msix - new->num_msix;
    pool->queue_pairs += old->max_queue_pairs - new->max_queue_pairs;
}

void
virtnet_pool_vf_added(struct virtnet_pool *pool,
                      const struct virtnet_device_config *config)
{
    pool->msix += pool->def_msix - config->num_msix;
    pool->queue_pairs += pool->def_queue_pairs - config->max_queue_pairs;
}

void
virtnet_pool_vf_removed(struct virtnet_pool *pool,
                        const struct virtnet_device_config *config)
{
    pool->msix -= pool->def_msix - config->num_msix;
    pool->queue_pairs -= pool->def_queue_pairs - config->max_queue_pairs;
}

/* SFs. */

void
virtnet_sf_pool_init(struct virtnet_sf_pool *sp, unsigned int total,
                     unsigned int percent, bool destroy)
{
    sp->total = total;
    if (destroy) {
        sp->n_free = 0;
    }
    sp->target = (unsigned long long int) total * percent / 100;
    sp->made = MIN(sp->n_free, sp->target);
}

bool
virtnet_sf_pool_is_creating(const struct virtnet_sf_pool *sp)
{
    return sp->made < sp->target;
}

int
virtnet_sf_pool_made_one(struct virtnet_sf_pool *sp)
{
    if (sp->n_used + sp->n_free >= sp->total) {
        virtnet_sf_pool_stop(sp);
        return VIRTNET_E_SF_CREATE;
    }
    sp->made++;
    sp->n_free++;
    return 0;
}

void
virtnet_sf_pool_stop(struct virtnet_sf_pool *sp)
{
    sp->target = sp->made;
}

unsigned int
virtnet_sf_pool_room(const struct virtnet_sf_pool *sp)
{
    return (!sp->total ? UINT_MAX
            : sp->n_used < sp->total ? sp->total - sp->n_used
            : 0);
}

int
virtnet_sf_pool_take(struct virtnet_sf_pool *sp, bool back)
{
    if (!back && virtnet_sf_pool_is_creating(sp)) {
        return VIRTNET_E_SF_POOL_BUSY;
    } else if (!virtnet_sf_pool_room(sp)) {
        return VIRTNET_E_SF_CREATE;
    }
    sp->n_used++;
    if (sp->n_free) {
        sp->n_free--;
    }
    return 0;
}

void
virtnet_sf_pool_give(struct virtnet_sf_pool *sp, bool keep)
{
    ovs_assert(sp->n_used);
    sp->n_used--;
    sp->n_free += keep;
}
