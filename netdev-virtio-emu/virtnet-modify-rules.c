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

/* Which attributes of a device may be modified when, and what their values may
 * be.  See virtnet-modify.h. */

#include <config.h>

#include "virtnet-modify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "packets.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-life.h"
#include "virtnet-pool.h"

/* VIRTIO 1.2, section 5.1.3. */
#define VIRTIO_NET_F_HASH_REPORT (UINT64_C(1) << 57)
#define VIRTIO_NET_F_RSS (UINT64_C(1) << 60)

/* VIRTIO 1.2, section 5.1.6.4.3. */
#define ALL_HASH_TYPES 0x1ff
#define RSS_KEY_SIZE 40

/* When an attribute may be modified. */
enum when {
    UNBOUND,                    /* No driver holds the device. */
    PROBED,                     /* A driver is ready. */
    LIVE,                       /* At any time. */
};

typedef int set_func(const struct virtnet_device *,
                     const struct virtnet_attr_value *,
                     struct virtnet_device_config *, char **errp);

static const struct virtnet_backend_caps *
get_caps(const struct virtnet_device *dev)
{
    return dev->backend->class->get_caps(dev->backend);
}

static int
set_mac(const struct virtnet_device *dev, const struct virtnet_attr_value *v,
        struct virtnet_device_config *config, char **errp)
{
    struct eth_addr mac;
    int error = virtnet_check_mac(v->text, dev, &mac, errp);

    if (!error) {
        config->mac = mac;
    }
    return error;
}

static int
set_mtu(const struct virtnet_device *dev, const struct virtnet_attr_value *v,
        struct virtnet_device_config *config, char **errp)
{
    int error = virtnet_check_mtu(v->number, dev->ib_device, errp);

    if (!error) {
        config->mtu = v->number;
    }
    return error;
}

static int
set_speed(const struct virtnet_device *dev OVS_UNUSED,
          const struct virtnet_attr_value *v,
          struct virtnet_device_config *config, char **errp)
{
    /* Those that Linux knows. */
    static const uint32_t speeds[] = {
        10, 100, 1000, 2500, 5000, 10000, 14000, 20000, 25000, 40000, 50000,
        56000, 100000, 200000, 400000, 800000,
    };

    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (v->number == speeds[i]) {
            config->speed = v->number;
            return 0;
        }
    }
    return virtnet_refuse(VIRTNET_E_SPEED_INVALID, errp,
                          "no link has %"PRIu64" Mb/s", v->number);
}

static int
set_link(const struct virtnet_device *dev OVS_UNUSED,
         const struct virtnet_attr_value *v,
         struct virtnet_device_config *config, char **errp)
{
    if (v->number > 1) {
        return virtnet_refuse(-EINVAL, errp, "link is 0 or 1");
    }
    config->link_up = v->number;
    return 0;
}

/* The status is the driver's.  A device can ask for a reset, which is what 0
 * does; request_succeeded() carries that out. */
static int
set_state(const struct virtnet_device *dev,
          const struct virtnet_attr_value *v,
          struct virtnet_device_config *config OVS_UNUSED, char **errp)
{
    return (!v->number || v->number == dev->driver.status ? 0
            : virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp,
                             "only the driver can set state 0x%"PRIx64,
                             v->number));
}

static int
set_features(const struct virtnet_device *dev,
             const struct virtnet_attr_value *v,
             struct virtnet_device_config *config, char **errp)
{
    const struct virtnet_backend_caps *caps = get_caps(dev);
    uint64_t features = virtnet_features_for(v->number, dev->type, caps);
    int error = virtnet_check_features(features, caps, errp);

    if (!error) {
        config->features = features;
    }
    return error;
}

static int
set_hash_types(const struct virtnet_device *dev OVS_UNUSED,
               const struct virtnet_attr_value *v,
               struct virtnet_device_config *config, char **errp)
{
    if (v->number & ~(uint64_t) ALL_HASH_TYPES) {
        return virtnet_refuse(VIRTNET_E_HASH_TYPE, errp,
                              "hash types are bits of 0x%x", ALL_HASH_TYPES);
    } else if (v->number && !(config->features & VIRTIO_NET_F_HASH_REPORT)) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp, "hash types need "
                              "feature VIRTIO_NET_F_HASH_REPORT");
    }
    config->hash_types = v->number;
    return 0;
}

static int
set_rss_key_size(const struct virtnet_device *dev OVS_UNUSED,
                 const struct virtnet_attr_value *v,
                 struct virtnet_device_config *config, char **errp)
{
    if (v->number != RSS_KEY_SIZE) {
        return virtnet_refuse(VIRTNET_E_RSS_KEY_SIZE, errp,
                              "the key has %d bytes", RSS_KEY_SIZE);
    } else if (!(config->features
                 & (VIRTIO_NET_F_HASH_REPORT | VIRTIO_NET_F_RSS))) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp, "an RSS key "
                              "needs feature VIRTIO_NET_F_HASH_REPORT or "
                              "VIRTIO_NET_F_RSS");
    }
    config->rss_key_size = v->number;
    return 0;
}

static int
set_rx_mode(const struct virtnet_device *dev OVS_UNUSED,
            const struct virtnet_attr_value *v,
            struct virtnet_device_config *config, char **errp)
{
    if (v->number > VIRTNET_RX_ALL_BITS) {
        return virtnet_refuse(-EINVAL, errp, "receive modes are bits of 0x%x",
                              VIRTNET_RX_ALL_BITS);
    }
    config->rx_mode = v->number;
    config->rx_mode_set = true;
    return 0;
}

/* Returns the pool of the PF of 'vf', or NULL if there is none, as full as the
 * firmware says that it is. */
static const struct virtnet_pool *
get_pool(const struct virtnet_device *vf)
{
    const struct virtnet_backend_class *class = vf->backend->class;
    struct virtnet_pool *pool = vf->pf ? vf->pf->pool : NULL;

    if (pool && class->get_free_msix) {
        pool->told_msix = MAX(class->get_free_msix(vf->pf), 0);
    }
    return pool;
}

static int
set_msix(const struct virtnet_device *dev, const struct virtnet_attr_value *v,
         struct virtnet_device_config *config, char **errp)
{
    const struct virtnet_pool *pool = (dev->type == VIRTNET_VF
                                       ? get_pool(dev) : NULL);

    if (!pool) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp, "the vectors of "
                              "a PF are up to the firmware configuration");
    }
    return virtnet_pool_check_msix(pool, v->number, config, errp);
}

static int
set_queue_pairs(const struct virtnet_device *dev,
                const struct virtnet_attr_value *v,
                struct virtnet_device_config *config, char **errp)
{
    int error;

    if (dev->type == VIRTNET_VF) {
        const struct virtnet_pool *pool = get_pool(dev);

        return (pool ? virtnet_pool_check_queue_pairs(pool, v->number, config,
                                                      errp)
                : VIRTNET_E_VF_DEV_GET);
    }
    error = virtnet_check_queue_pairs(v->number, get_caps(dev), errp);
    if (!error && dev->type == VIRTNET_STATIC_PF) {
        unsigned int msix = virtnet_controller_settings()->num_msix;
        unsigned int max = virtnet_queue_pairs_for_msix(msix, true);

        if (v->number > max) {
            error = virtnet_refuse(VIRTNET_E_QUEUES_INVALID, errp, "%u MSI-X "
                                   "vectors of the firmware configuration are "
                                   "enough for %u queue pairs", msix, max);
        }
    }
    if (!error) {
        config->max_queue_pairs = v->number;
        config->num_msix = virtnet_msix_for_queue_pairs(v->number);
    }
    return error;
}

static int
set_queue_size(const struct virtnet_device *dev OVS_UNUSED,
               const struct virtnet_attr_value *v,
               struct virtnet_device_config *config, char **errp)
{
    int error = virtnet_check_queue_size(v->number, errp);

    if (!error) {
        config->max_queue_size = v->number;
    }
    return error;
}

/* No backend has such a rule, which is deprecated with cards, too: flows do
 * it.  To have none is what there is. */
static int
set_dst_port(const struct virtnet_device *dev OVS_UNUSED,
             const struct virtnet_attr_value *v,
             struct virtnet_device_config *config OVS_UNUSED, char **errp)
{
    return (!v->number ? 0
            : virtnet_refuse(VIRTNET_E_DST_PORT_RULE, errp, "use a flow of "
                             "the bridge instead"));
}

static int
set_rx_dma_qs(const struct virtnet_device *dev OVS_UNUSED,
              const struct virtnet_attr_value *v,
              struct virtnet_device_config *config, char **errp)
{
    if (v->number > VIRTNET_MAX_QUEUE_PAIRS) {
        return virtnet_refuse(-EINVAL, errp, "there are at most %d receive "
                              "DMA queues", VIRTNET_MAX_QUEUE_PAIRS);
    }
    config->rx_dma_q_num = v->number;
    return 0;
}

static int
parse_switch(const struct virtnet_attr_value *v, bool *on, char **errp)
{
    *on = !strcmp(v->text, "enable");
    return (*on || !strcmp(v->text, "disable") ? 0
            : virtnet_refuse(-EINVAL, errp, "\"%s\" is neither \"enable\" nor "
                             "\"disable\"", v->text));
}

static int
set_drop_counter(const struct virtnet_device *dev OVS_UNUSED,
                 const struct virtnet_attr_value *v,
                 struct virtnet_device_config *config, char **errp)
{
    return parse_switch(v, &config->drop_counter, errp);
}

static int
set_packet_counter(const struct virtnet_device *dev OVS_UNUSED,
                   const struct virtnet_attr_value *v,
                   struct virtnet_device_config *config, char **errp)
{
    return parse_switch(v, &config->packet_counter, errp);
}

static int
set_aarfs(const struct virtnet_device *dev,
          const struct virtnet_attr_value *v,
          struct virtnet_device_config *config, char **errp)
{
    return (dev->type == VIRTNET_VF
            ? virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp,
                             "a VF has no accelerated RFS")
            : parse_switch(v, &config->aarfs, errp));
}

static int
set_dim(const struct virtnet_device *dev OVS_UNUSED,
        const struct virtnet_attr_value *v,
        struct virtnet_device_config *config, char **errp)
{
    return parse_switch(v, &config->dim, errp);
}

static int
set_net_dim(const struct virtnet_device *dev OVS_UNUSED,
            const struct virtnet_attr_value *v,
            struct virtnet_device_config *config, char **errp)
{
    config->net_dim_set = true;
    return parse_switch(v, &config->net_dim, errp);
}

/* Interrupt moderation. */

static int
check_cq(const struct virtnet_device_config *config, uint64_t number,
         char **errp)
{
    if (!config->max_queue_pairs) {
        return virtnet_refuse(VIRTNET_E_VQ_PERIOD, errp,
                              "the device has no receive queues");
    }
    return (number <= VIRTNET_CQ_MAX ? 0
            : virtnet_refuse(VIRTNET_E_VQ_PERIOD, errp, "%"PRIu64" is above "
                             "%d", number, VIRTNET_CQ_MAX));
}

static int
set_period_mode(const struct virtnet_device *dev OVS_UNUSED,
                const struct virtnet_attr_value *v,
                struct virtnet_device_config *config, char **errp)
{
    int error = check_cq(config, 0, errp);

    if (!error) {
        config->cq_period_mode = !strcmp(v->text, "event") ? 1 : 2;
    }
    return error;
}

static int
set_period(const struct virtnet_device *dev OVS_UNUSED,
           const struct virtnet_attr_value *v,
           struct virtnet_device_config *config, char **errp)
{
    int error = check_cq(config, v->number, errp);

    if (!error) {
        config->cq_period = v->number;
    }
    return error;
}

static int
set_max_count(const struct virtnet_device *dev OVS_UNUSED,
              const struct virtnet_attr_value *v,
              struct virtnet_device_config *config, char **errp)
{
    int error = check_cq(config, v->number, errp);

    if (!error) {
        config->cq_max_count = v->number;
    }
    return error;
}

/* The rules. */
static const struct {
    enum when when;
    set_func *set;
} rules[VIRTNET_N_ATTRS] = {
    [VIRTNET_ATTR_MAC] = { UNBOUND, set_mac },
    [VIRTNET_ATTR_MTU] = { UNBOUND, set_mtu },
    [VIRTNET_ATTR_SPEED] = { LIVE, set_speed },
    [VIRTNET_ATTR_LINK] = { LIVE, set_link },
    [VIRTNET_ATTR_STATE] = { LIVE, set_state },
    [VIRTNET_ATTR_FEATURES] = { UNBOUND, set_features },
    [VIRTNET_ATTR_HASH_TYPES] = { LIVE, set_hash_types },
    [VIRTNET_ATTR_RSS_KEY_SIZE] = { LIVE, set_rss_key_size },
    [VIRTNET_ATTR_RX_MODE] = { LIVE, set_rx_mode },
    [VIRTNET_ATTR_MSIX] = { UNBOUND, set_msix },
    [VIRTNET_ATTR_QUEUE_SIZE] = { UNBOUND, set_queue_size },
    [VIRTNET_ATTR_DST_PORT] = { LIVE, set_dst_port },
    [VIRTNET_ATTR_RX_DMA_QS] = { LIVE, set_rx_dma_qs },
    [VIRTNET_ATTR_DROP_COUNTER] = { PROBED, set_drop_counter },
    [VIRTNET_ATTR_PACKET_COUNTER] = { PROBED, set_packet_counter },
    [VIRTNET_ATTR_AARFS] = { LIVE, set_aarfs },
    [VIRTNET_ATTR_QUEUE_PAIRS] = { UNBOUND, set_queue_pairs },
    [VIRTNET_ATTR_DIM] = { LIVE, set_dim },
    [VIRTNET_ATTR_NET_DIM] = { UNBOUND, set_net_dim },
    [VIRTNET_ATTR_PERIOD_MODE] = { LIVE, set_period_mode },
    [VIRTNET_ATTR_PERIOD] = { LIVE, set_period },
    [VIRTNET_ATTR_MAX_COUNT] = { LIVE, set_max_count },
};

const char *
virtnet_attr_name(enum virtnet_attr attr)
{
    static const char *const names[VIRTNET_N_ATTRS] = {
#define VIRTNET_ATTR(ID, NAME) [VIRTNET_ATTR_##ID] = NAME,
        VIRTNET_ATTRS
#undef VIRTNET_ATTR
    };

    return names[attr];
}

int
virtnet_modify_check(const struct virtnet_device *dev,
                     const struct virtnet_modification *mod,
                     struct virtnet_device_config *config, char **errp)
{
    bool any = false;
    int error;

    *config = dev->config;
    *errp = NULL;
    error = virtnet_check_migrating(dev, false, errp);
    if (error) {
        return error;
    }
    if (mod->attrs[VIRTNET_ATTR_MSIX].given
        && mod->attrs[VIRTNET_ATTR_QUEUE_PAIRS].given) {
        return virtnet_refuse(VIRTNET_E_NOT_SUPPORTED, errp, "msix_num and "
                              "max_queue_pairs exclude each other");
    }
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        if (mod->attrs[i].given) {
            error = rules[i].set(dev, &mod->attrs[i], config, errp);
            if (error) {
                return error;
            }
            any = true;
        }
    }
    if (!any) {
        return virtnet_refuse(-EINVAL, errp, "nothing to be modified");
    }
    error = virtnet_check_together(config, get_caps(dev), errp);
    if (error) {
        return error;
    }
    /* A value that makes no sense is refused as such, with a driver or
     * without. */
    for (int i = 0; i < VIRTNET_N_ATTRS; i++) {
        if (!mod->attrs[i].given) {
            continue;
        } else if (rules[i].when == UNBOUND
                   && virtnet_device_has_driver(dev)) {
            return virtnet_refuse(VIRTNET_E_DRIVER_LOADED, errp,
                                  "a driver is bound to %s, so %s cannot be "
                                  "modified", dev->vuid,
                                  virtnet_attr_name(i));
        } else if (rules[i].when == PROBED
                   && dev->state != VIRTNET_STATE_DRIVER_OK) {
            return virtnet_refuse(VIRTNET_E_DEV_NOT_STARTED, errp,
                                  "no driver is ready on %s, so %s cannot be "
                                  "modified", dev->vuid,
                                  virtnet_attr_name(i));
        }
    }
    return 0;
}
