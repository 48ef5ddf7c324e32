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

#ifndef NETDEV_VIRTIO_PRIVATE_H
#define NETDEV_VIRTIO_PRIVATE_H 1

/* What the files of the netdev class "virtio-emu" share: the class itself
 * (netdev-virtio-emu.c), which device it has (netdev-virtio-bind.c), what its
 * packets go through (netdev-virtio-path.c), its options
 * (netdev-virtio-config.c) and its end (netdev-virtio-hold.c).
 *
 * Except where stated, for the main thread. */

#include "netdev-provider.h"
#include "netdev-virtio-dpdk.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "smap.h"
#include "util.h"
#include "virtnet-controller.h"

struct netdev_virtio_emu {
    struct netdev up;

    /* The device, or NULL.  Written by the main thread. */
    OVSRCU_TYPE(struct virtnet_device *) dev;

    /* Class of the device's backend.  Set before 'dev' is ever nonnull. */
    const struct virtnet_backend_class *class;

    /* Is the port administratively up?  Read by packet threads. */
    atomic_bool admin_up;

    /* Packets sent while there is no device. */
    atomic_uint64_t tx_unbound;

    /* What packets go through: a port of DPDK, or the device's backend. */
    struct virtio_emu_rep rep;

    /* The rest belongs to the main thread. */

    /* In 'netdevs', by selector_key(), while the netdev has one. */
    struct shash_node *selector_node;
    struct smap args;           /* Options, as last given. */
    bool lost;                  /* Has the device gone? */
    char *config_warning;       /* A change that was not carried out. */
    int requested_mtu;          /* By mtu_request, or 0. */
    int mtu;                    /* In force. */
    int requested_n_txq;        /* By the datapath. */
    bool offload;               /* May flows be offloaded? */

    /* Does Open vSwitch's own provider for DPDK offload flows?  Once that has
     * been asked the answer stays: it has data of its own on our netdev. */
    enum { OFFLOAD_UNKNOWN, OFFLOAD_BY_DPDK, OFFLOAD_BY_BACKEND } offload_by;

    /* Counters are those of what packets go through and this, so that they
     * never go back. */
    struct netdev_stats stats_base;

    struct eth_addr hwaddr;     /* Set by the user, or zero. */
    enum netdev_flags flags;
    bool carrier;               /* When last looked at. */
    long long int carrier_resets;
    struct ovs_list settle_node; /* In 'unsettled', or empty. */
    struct ovs_list requeue_node; /* In 'requeues', or empty. */
    bool held;                  /* See virtio_emu_hold(). */

    /* While the controller restarts.  A port that nobody uses is most often
     * what it was when its device is back, so upper layers are not told that
     * it was away, which would make them look at a thousand ports twice. */
    bool quiet;                 /* Do they believe that it has its device? */
    uint32_t known;             /* What they know, by virtio_emu_hash(). */
};

extern const struct netdev_class virtio_emu_class;

/* Maps from a selector, e.g. "vuid:X", to the "struct netdev_virtio_emu" that
 * has it. */
extern struct shash virtio_emu_netdevs;

/* Any thread. */
static inline struct netdev_virtio_emu *
netdev_virtio_emu_cast(const struct netdev *netdev)
{
    ovs_assert(netdev->netdev_class == &virtio_emu_class);
    return CONTAINER_OF(netdev, struct netdev_virtio_emu, up);
}

/* For the main thread, where the pointer cannot change underneath. */
static inline struct virtnet_device *
virtio_emu_dev(const struct netdev_virtio_emu *nd)
{
    return ovsrcu_get_protected(struct virtnet_device *, &nd->dev);
}

/* The port of DPDK that packets go through, or NULL. */
static inline struct virtio_emu_dpdk *
virtio_emu_dpdk(const struct netdev_virtio_emu *nd)
{
    return virtio_emu_rep_dpdk(&nd->rep);
}

/* netdev-virtio-bind.c. */

/* Gives 'nd', which has no device, 'dev'.  Takes its device, if any, away;
 * unless 'wait', the port of DPDK that packets went through is closed
 * later. */
void virtio_emu_bind(struct netdev_virtio_emu *nd, struct virtnet_device *dev);
void virtio_emu_unbind(struct netdev_virtio_emu *nd, bool wait);

/* Tells the upper layers what has changed with the device of 'nd'. */
void virtio_emu_refresh(struct netdev_virtio_emu *nd);

/* Nobody finds 'nd' by its selector any more. */
void virtio_emu_forget_selector(struct netdev_virtio_emu *nd);

/* Will Interfaces and devices that miss each other be looked for? */
bool virtio_emu_recheck_is_due(void);

/* May devices be about to come back, so that it is too early to tell what
 * there is?  Who asks for the status of 'nd' will be told to ask again, or
 * need not be told any more. */
bool virtio_emu_is_settling(void);
void virtio_emu_settle_later(struct netdev_virtio_emu *nd);
void virtio_emu_settle(struct netdev_virtio_emu *nd);

/* The next change of a number of receive queues waits. */
void virtio_emu_postpone_requeues(void);

void virtio_emu_observe(enum virtnet_event, struct virtnet_device *,
                        void *aux);
void virtio_emu_run(const struct netdev_class *);
void virtio_emu_wait(const struct netdev_class *);

/* netdev-virtio-path.c.  'dev' is the device, and may be NULL where it is
 * constant. */

/* Sees to it that packets go through what is best for the representor that
 * 'dev' has. */
void virtio_emu_path_choose(struct netdev_virtio_emu *,
                            struct virtnet_device *dev);

/* What the port has of it.  There are receive queues if there is a driver. */
bool virtio_emu_path_carrier(const struct netdev_virtio_emu *,
                             const struct virtnet_device *dev);
int virtio_emu_path_n_rxq(const struct netdev_virtio_emu *,
                          const struct virtnet_device *dev);
uint64_t virtio_emu_path_ol_flags(const struct netdev_virtio_emu *,
                                  const struct virtnet_device *dev);
void virtio_emu_path_get_stats(const struct netdev_virtio_emu *,
                               const struct virtnet_device *dev,
                               struct netdev_stats *);

/* Returns 0 or a positive errno value. */
int virtio_emu_path_set_mtu(struct netdev_virtio_emu *,
                            struct virtnet_device *dev, int mtu);

/* The flags of the netdev, of which 'changed' have, hold for it, too. */
void virtio_emu_path_set_flags(struct netdev_virtio_emu *,
                               struct virtnet_device *dev,
                               enum netdev_flags changed);

/* For "reconfigure": sets the numbers of queues, 'n_txq' if there can be so
 * many. */
void virtio_emu_path_reconfigure(struct netdev_virtio_emu *, int n_txq);
void virtio_emu_path_run(void);

/* netdev-virtio-hold.c.  See virtio_emu_close_unused(). */

/* Keeps 'nd' until then. */
void virtio_emu_hold(struct netdev_virtio_emu *);
void virtio_emu_close_unused_wait(void);

/* Has the port of 'nd' been deleted, and is 'nd' only there because it is
 * held, by us or by another thread?  Then its device is free for another
 * port. */
bool virtio_emu_is_removed(const struct netdev_virtio_emu *);

/* netdev-virtio-config.c. */
int virtio_emu_set_config(struct netdev *, const struct smap *args,
                          char **errp);
int virtio_emu_get_config(const struct netdev *, struct smap *args);

/* netdev-virtio-emu.c. */
int virtio_emu_get_status(const struct netdev *, struct smap *status);

#endif /* netdev-virtio-private.h */
