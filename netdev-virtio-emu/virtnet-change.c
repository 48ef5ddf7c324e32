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

/* Changes of a device's configuration, which a backend may need time for, and
 * a record, too: in force as a whole, or not at all.  See virtnet-life.h. */

#include <config.h>

#include "virtnet-life.h"

#include <errno.h>

#include "coverage.h"
#include "openvswitch/list.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-check.h"
#include "virtnet-registry.h"

VLOG_DEFINE_THIS_MODULE(virtnet_change);

COVERAGE_DEFINE(virtnet_config_left);

uint64_t virtnet_n_configs_left;

static struct ovs_list changes = OVS_LIST_INITIALIZER(&changes);

uint32_t
virtnet_config_changes(const struct virtnet_device_config *a,
                       const struct virtnet_device_config *b)
{
    return ((eth_addr_equals(a->mac, b->mac) ? 0 : VIRTNET_CONFIG_MAC)
            | (a->mtu == b->mtu ? 0 : VIRTNET_CONFIG_MTU)
            | (a->features == b->features ? 0 : VIRTNET_CONFIG_FEATURES)
            | (a->max_queue_pairs == b->max_queue_pairs
               ? 0 : VIRTNET_CONFIG_QUEUE_PAIRS)
            | (a->max_queue_size == b->max_queue_size
               ? 0 : VIRTNET_CONFIG_QUEUE_SIZE)
            | (a->num_msix == b->num_msix ? 0 : VIRTNET_CONFIG_MSIX)
            | (a->speed == b->speed ? 0 : VIRTNET_CONFIG_SPEED)
            | (a->link_up == b->link_up ? 0 : VIRTNET_CONFIG_LINK)
            | (a->rx_mode_set == b->rx_mode_set && a->rx_mode == b->rx_mode
               ? 0 : VIRTNET_CONFIG_RX_MODE)
            | (a->hash_types == b->hash_types
               && a->rss_key_size == b->rss_key_size ? 0 : VIRTNET_CONFIG_RSS)
            | (a->rx_dma_q_num == b->rx_dma_q_num
               ? 0 : VIRTNET_CONFIG_RX_DMA_QS)
            | (a->aarfs == b->aarfs ? 0 : VIRTNET_CONFIG_AARFS)
            | (a->dim == b->dim && a->net_dim == b->net_dim
               && a->net_dim_set == b->net_dim_set ? 0 : VIRTNET_CONFIG_DIM)
            | (a->drop_counter == b->drop_counter
               ? 0 : VIRTNET_CONFIG_DROP_COUNTER)
            | (a->packet_counter == b->packet_counter
               ? 0 : VIRTNET_CONFIG_PACKET_COUNTER)
            | (a->cq_period_mode == b->cq_period_mode
               && a->cq_period == b->cq_period
               && a->cq_max_count == b->cq_max_count ? 0 : VIRTNET_CONFIG_CQ));
}

/* A configuration that is on its way into force. */
struct virtnet_change {
    struct ovs_list node;       /* In 'changes'. */
    struct virtnet_device *dev; /* With a reference. */
    struct virtnet_device_config old, new;
    uint32_t changed;
    struct virtnet_pool *pool;  /* Or NULL. */
    struct virtnet_device_config held; /* Of that, until it is known which it
                                        * is: the larger ones of both. */
    bool recording;             /* Applied: is its record being written? */
    int error;                  /* Why it is being undone, or 0. */
    virtnet_config_cb *cb;      /* May be NULL. */
    void *aux;
};

static struct virtnet_change *
change_create(struct virtnet_device *dev,
              const struct virtnet_device_config *new, uint32_t changed,
              virtnet_config_cb *cb, void *aux)
{
    struct virtnet_change *c = xmalloc(sizeof *c);

    *c = (struct virtnet_change) {
        .dev = virtnet_device_ref(dev),
        .old = dev->config,
        .new = *new,
        .changed = changed,
        .pool = dev->type == VIRTNET_VF && dev->pf ? dev->pf->pool : NULL,
        .cb = cb,
        .aux = aux,
    };
    if (c->pool) {
        c->held.num_msix = MAX(c->old.num_msix, c->new.num_msix);
        c->held.max_queue_pairs = MAX(c->old.max_queue_pairs,
                                      c->new.max_queue_pairs);
        virtnet_pool_move(c->pool, &c->old, &c->held);
    }
    ovs_list_push_back(&changes, &c->node);
    dev->change = c;
    return c;
}

/* 'changed' of the configuration of 'dev' could not be put in force.  That the
 * backend cannot do it at all, or not now, is no failure. */
static void
count_failed_change(struct virtnet_device *dev, uint32_t changed, int error)
{
    if (error == VIRTNET_E_NOT_SUPPORTED || error == -EBUSY) {
        return;
    } else if (changed & VIRTNET_CONFIG_DROP_COUNTER) {
        dev->n_drop_counters_failed++;
    } else {
        dev->n_changes_failed++;
    }
}

static void
change_end(struct virtnet_change *c, int error)
{
    if (c->pool) {
        /* 'dev' may have gone with the new one. */
        virtnet_pool_move(c->pool, &c->held,
                          error && !c->recording ? &c->old : &c->new);
    }
    c->dev->change = NULL;
    if (!error) {
        virtnet_controller_device_changed(c->dev);
    } else {
        count_failed_change(c->dev, c->changed, error);
    }
    ovs_list_remove(&c->node);
    virtnet_device_unref(c->dev);
    free(c);
}

static void
put_in_force(struct virtnet_device *dev,
             const struct virtnet_device_config *config)
{
    virtnet_registry_set_mac(dev, config->mac);
    dev->config = *config;
}

/* The old configuration could not be put in force again. */
static void
change_left(const struct virtnet_change *c, int error, const char *reason)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

    virtnet_n_configs_left++;
    COVERAGE_INC(virtnet_config_left);
    VLOG_ERR_RL(&rl, "%s: the new configuration is refused, but stays in "
                "force: %s (%d)%s%s", c->dev->vuid, virtnet_strerror(error),
                error, reason ? ": " : "", reason ? reason : "");
}

/* The record of 'c' is written, or cannot be for 'error'.  Returns
 * -EINPROGRESS if it takes time to undo 'c'. */
static int
change_recorded(struct virtnet_change *c, int error)
{
    struct virtnet_device *dev = c->dev;
    char *detail = NULL;

    c->recording = false;
    if (!error) {
        return 0;
    }

    /* All or nothing. */
    c->error = error;
    error = dev->backend->class->apply_config(dev, &c->old, c->changed,
                                              &detail);
    if (error && error != -EINPROGRESS) {
        change_left(c, error, detail);
    }
    free(detail);
    put_in_force(dev, &c->old);
    /* Something else may have been recorded since, with the new one. */
    virtnet_save(dev, NULL, NULL);
    return error == -EINPROGRESS ? error : c->error;
}

/* 'c' has come out as 'error'. */
static void
change_finish(struct virtnet_change *c, int error, const char *reason)
{
    virtnet_config_cb *cb = c->cb;
    void *aux = c->aux;

    if (error != -EINPROGRESS) {
        change_end(c, error);
        if (cb) {
            cb(error, error ? reason : NULL, aux);
        }
    }
}

static void
change_recorded_cb(int error, void *dev_)
{
    struct virtnet_device *dev = dev_;
    struct virtnet_change *c = dev->change;

    /* Unless 'dev' has gone. */
    if (c && c->recording) {
        change_finish(c, change_recorded(c, error), NULL);
    }
    virtnet_device_unref(dev);
}

/* The backend has carried 'c' out.  Returns -EINPROGRESS if that is being
 * recorded, or undone. */
static int
change_applied(struct virtnet_change *c)
{
    int error;

    put_in_force(c->dev, &c->new);
    error = virtnet_save(c->dev, change_recorded_cb, c->dev);
    if (error == -EINPROGRESS) {
        virtnet_device_ref(c->dev);
        c->recording = true;
        return error;
    }
    return change_recorded(c, error);
}

void
virtnet_device_config_done(struct virtnet_device *dev, int error,
                           const char *reason)
{
    struct virtnet_change *c = dev->change;

    if (c->error) {
        if (error) {
            change_left(c, error, reason);
        }
        error = c->error;
        reason = NULL;
    } else if (!error) {
        error = change_applied(c);
    }
    change_finish(c, error, reason);
}

unsigned int
virtnet_n_changing(void)
{
    return ovs_list_size(&changes);
}

const struct virtnet_device *
virtnet_changing_to_mac(const struct eth_addr mac)
{
    const struct virtnet_change *c;

    LIST_FOR_EACH (c, node, &changes) {
        if (eth_addr_equals(c->new.mac, mac)
            || eth_addr_equals(c->old.mac, mac)) {
            return c->dev;
        }
    }
    return NULL;
}

int
virtnet_controller_apply_config(struct virtnet_device *dev,
                                const struct virtnet_device_config *new,
                                virtnet_config_cb *cb, void *aux, char **errp)
{
    const struct virtnet_backend_class *class = dev->backend->class;
    uint32_t changed = virtnet_config_changes(&dev->config, new);
    struct virtnet_change *c;
    int error;

    *errp = NULL;
    if (!changed) {
        return 0;
    } else if (!class->apply_config) {
        return VIRTNET_E_NOT_SUPPORTED;
    } else if (dev->change) {
        return virtnet_refuse(-EBUSY, errp, "%s is being modified",
                              dev->vuid);
    }
    error = virtnet_check_together(new, class->get_caps(dev->backend), errp);
    if (error) {
        return error;           /* Nobody has tried. */
    }
    error = (virtnet_fault_strikes(VIRTNET_FAULT_MODIFY, errp)
             ? VIRTNET_E_BACKEND_MODIFY
             : class->apply_config(dev, new, changed, errp));
    if (error && error != -EINPROGRESS) {
        count_failed_change(dev, changed, error);
        return error;
    }
    c = change_create(dev, new, changed, cb, aux);
    if (!error) {
        error = change_applied(c);
    }
    if (error != -EINPROGRESS) {
        change_end(c, error);
    }
    return error;
}
