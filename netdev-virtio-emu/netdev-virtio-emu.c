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

/* The netdev class "virtio-emu".  See netdev-virtio-emu.h.
 *
 * Threads: packet threads run virtio_emu_rxq_recv(), virtio_emu_rxq_enabled()
 * and virtio_emu_send(), which find the device with RCU.  All else runs in the
 * main thread, which alone binds and lets go. */

#include <config.h>

#include "netdev-virtio-emu.h"

#include <errno.h>

#include "coverage.h"
#include "dp-packet.h"
#include "hash.h"
#include "netdev-virtio-private.h"
#include "openvswitch/netdev.h"
#include "openvswitch/vlog.h"
#include "virtnet-compat.h"
#include "virtnet-flow-provider.h"
#include "virtnet-row.h"

VLOG_DEFINE_THIS_MODULE(netdev_virtio_emu);

COVERAGE_DEFINE(virtio_emu_tx_unbound);

/* Offload. */

bool
virtio_emu_is(const struct netdev *netdev)
{
    return netdev->netdev_class == &virtio_emu_class;
}

struct virtnet_device *
virtio_emu_get_device(const struct netdev *netdev)
{
    return (virtio_emu_is(netdev)
            ? ovsrcu_get(struct virtnet_device *,
                         &netdev_virtio_emu_cast(netdev)->dev)
            : NULL);
}

void
virtio_emu_set_offload(struct netdev *netdev, bool offload)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    struct virtnet_device *dev = virtio_emu_dev(nd);

    if (nd->offload != offload) {
        nd->offload = offload;
        if (dev && nd->class->flow) {
            if (offload) {
                nd->class->flow->port_attach(dev);
            } else {
                nd->class->flow->port_detach(dev);
            }
        }
    }
}

/* Life cycle. */

static struct netdev *
virtio_emu_alloc(void)
{
    struct netdev_virtio_emu *nd = xzalloc(sizeof *nd);

    return &nd->up;
}

static int
virtio_emu_construct(struct netdev *netdev)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    ovsrcu_init(&nd->dev, NULL);
    virtio_emu_rep_init(&nd->rep);
    ovs_list_init(&nd->requeue_node);
    ovs_list_init(&nd->settle_node);
    /* Like every port whose device Open vSwitch itself makes. */
    nd->flags = NETDEV_UP;
    atomic_init(&nd->admin_up, true);
    atomic_init(&nd->tx_unbound, 0);
    smap_init(&nd->args);
    nd->mtu = VIRTNET_DEFAULT_MTU;
    nd->requested_n_txq = 1;
    netdev->n_rxq = 0;
    netdev->n_txq = 1;
    return 0;
}

static void
virtio_emu_destruct(struct netdev *netdev)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    struct virtnet_device *dev = virtnet_device_ref(virtio_emu_dev(nd));

    virtio_emu_unbind(nd, false); /* There are locks that others wait for. */
    virtio_emu_rep_uninit(&nd->rep);
    ovs_list_remove(&nd->requeue_node);
    virtio_emu_settle(nd);
    virtio_emu_forget_selector(nd);
    if (dev) {
        /* It has no port any more. */
        virtnet_controller_device_changed(dev);
        virtnet_device_unref(dev);
    }
    smap_destroy(&nd->args);
    free(nd->config_warning);
}

static void
virtio_emu_dealloc(struct netdev *netdev)
{
    free(netdev_virtio_emu_cast(netdev));
}

/* Configuration. */

static int
virtio_emu_set_tx_multiq(struct netdev *netdev, unsigned int n_txq)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    if (nd->requested_n_txq != n_txq) {
        nd->requested_n_txq = n_txq;
        netdev_request_reconfigure(netdev);
    }
    return 0;
}

static int
virtio_emu_reconfigure(struct netdev *netdev)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    ovs_list_remove(&nd->requeue_node);
    ovs_list_init(&nd->requeue_node);

    /* However long the others took: the loop is to have its share. */
    virtio_emu_postpone_requeues();
    virtio_emu_path_reconfigure(nd, MAX(nd->requested_n_txq, 1));
    return 0;
}

static int
virtio_emu_get_numa_id(const struct netdev *netdev)
{
    const struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);
    struct virtio_emu_dpdk *dpdk = virtio_emu_dpdk(nd);

    if (dpdk) {
        return netdev_get_numa_id(dpdk->netdev);
    }
    return dev && dev->driver.numa_id >= 0 ? dev->driver.numa_id : 0;
}

static int
virtio_emu_get_mtu(const struct netdev *netdev, int *mtup)
{
    *mtup = netdev_virtio_emu_cast(netdev)->mtu;
    return 0;
}

static int
virtio_emu_set_mtu(struct netdev *netdev, int mtu)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    struct virtnet_device *dev = virtio_emu_dev(nd);

    if (mtu < VIRTNET_MTU_MIN || mtu > VIRTNET_MTU_MAX) {
        VLOG_WARN("%s: MTU %d is not from %d to %d", netdev_get_name(netdev),
                  mtu, VIRTNET_MTU_MIN, VIRTNET_MTU_MAX);
        return EINVAL;
    }
    if (dev && mtu != nd->mtu) {
        int error = virtio_emu_path_set_mtu(nd, dev, mtu);

        if (error) {
            return error;
        }
    }
    if (dev && mtu != nd->requested_mtu) {
        /* What the driver is told follows unless it has been told. */
        free(nd->config_warning);
        nd->config_warning = virtnet_row_mtu_changed(dev, mtu);
    }
    nd->requested_mtu = mtu;
    if (mtu != nd->mtu) {
        nd->mtu = mtu;
        netdev_change_seq_changed(netdev);
    }
    return 0;
}

static int
virtio_emu_set_etheraddr(struct netdev *netdev, const struct eth_addr mac)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    if (!eth_addr_equals(nd->hwaddr, mac)) {
        nd->hwaddr = mac;
        netdev_change_seq_changed(netdev);
    }
    return 0;
}

static int
virtio_emu_get_etheraddr(const struct netdev *netdev, struct eth_addr *mac)
{
    const struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    *mac = (!eth_addr_is_zero(nd->hwaddr) || !dev
            ? nd->hwaddr : dev->rep_mac);
    return 0;
}

static int
virtio_emu_get_ifindex(const struct netdev *netdev)
{
    const struct virtnet_device *dev
        = virtio_emu_dev(netdev_virtio_emu_cast(netdev));

    return dev && dev->rep_ifindex ? dev->rep_ifindex : -ENODEV;
}

static int
virtio_emu_get_carrier(const struct netdev *netdev, bool *carrier)
{
    const struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    *carrier = virtio_emu_path_carrier(nd, virtio_emu_dev(nd));
    return 0;
}

static long long int
virtio_emu_get_carrier_resets(const struct netdev *netdev)
{
    return netdev_virtio_emu_cast(netdev)->carrier_resets;
}

static int
virtio_emu_update_flags(struct netdev *netdev, enum netdev_flags off,
                        enum netdev_flags on, enum netdev_flags *old_flagsp)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    struct virtnet_device *dev = virtio_emu_dev(nd);
    enum netdev_flags new_flags;

    if ((off | on) & ~(NETDEV_UP | NETDEV_PROMISC)) {
        return EINVAL;
    }
    *old_flagsp = nd->flags;
    new_flags = (nd->flags & ~off) | on;
    if (new_flags != nd->flags) {
        bool up = new_flags & NETDEV_UP;

        nd->flags = new_flags;
        if (dev) {
            virtio_emu_path_set_flags(nd, dev, new_flags ^ *old_flagsp);
        }
        atomic_store_relaxed(&nd->admin_up, up);
        netdev_change_seq_changed(netdev);
    }
    return 0;
}

static int
virtio_emu_get_features(const struct netdev *netdev,
                        enum netdev_features *current,
                        enum netdev_features *advertised,
                        enum netdev_features *supported,
                        enum netdev_features *peer)
{
    static const struct {
        uint32_t speed;         /* Mb/s. */
        enum netdev_features features;
    } speeds[] = {
        { 10, NETDEV_F_10MB_FD },
        { 100, NETDEV_F_100MB_FD },
        { 1000, NETDEV_F_1GB_FD },
        { 10000, NETDEV_F_10GB_FD },
        { 40000, NETDEV_F_40GB_FD },
        { 100000, NETDEV_F_100GB_FD },
        { 1000000, NETDEV_F_1TB_FD },
    };
    const struct virtnet_device *dev
        = virtio_emu_dev(netdev_virtio_emu_cast(netdev));

    *current = *advertised = *supported = *peer = 0;
    if (dev) {
        *current = NETDEV_F_OTHER;
        for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
            if (speeds[i].speed == dev->config.speed) {
                *current = speeds[i].features;
            }
        }
    }
    return 0;
}

#if VIRTNET_HAVE_GET_SPEED
static int
virtio_emu_get_speed(const struct netdev *netdev, uint32_t *current,
                     uint32_t *max)
{
    const struct virtnet_device *dev
        = virtio_emu_dev(netdev_virtio_emu_cast(netdev));

    *current = *max = dev ? dev->config.speed : 0;
    return 0;
}
#endif

#if VIRTNET_HAVE_GET_DUPLEX
static int
virtio_emu_get_duplex(const struct netdev *netdev OVS_UNUSED,
                      bool *full_duplex)
{
    *full_duplex = true;
    return 0;
}
#endif

/* Hashes what 'nd' tells of 'dev', of which 'status' is a part. */
static uint32_t
virtio_emu_hash(const struct netdev_virtio_emu *nd,
                const struct virtnet_device *dev, const struct smap *status)
{
    struct smap_node *node;
    uint32_t hash;

    hash = hash_bytes(&dev->rep_mac, sizeof dev->rep_mac, dev->config.speed);
    hash = hash_int(nd->mtu, hash_int(dev->rep_ifindex, hash));
    SMAP_FOR_EACH (node, status) {
        hash += hash_string(node->value, hash_string(node->key, 0));
    }
    return hash;
}

/* What is known of the device, for Interface.status.  EAGAIN while it may
 * still come back as it was: then what the database says remains. */
int
virtio_emu_get_status(const struct netdev *netdev, struct smap *status)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    if (virtio_emu_is_settling()) {
        virtio_emu_settle_later(nd);
        return EAGAIN;
    }
    virtio_emu_settle(nd);
    smap_add(status, "driver_name", "virtio-emu");
    if (nd->config_warning) {
        smap_add(status, "config_warning", nd->config_warning);
    }
    if (!dev) {
        smap_add(status, "device_state", "waiting for the device");
        nd->known = 0;
        return 0;
    }

    virtnet_row_get_status(dev, status);
    virtio_emu_rep_get_status(&nd->rep, status);
    nd->known = virtio_emu_hash(nd, dev, status);
    return 0;
}

/* Statistics. */

static int
virtio_emu_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);
    uint64_t unbound;

    virtio_emu_path_get_stats(nd, dev, stats);
    atomic_read_relaxed(&CONST_CAST(struct netdev_virtio_emu *,
                                    nd)->tx_unbound, &unbound);
    stats->tx_dropped += unbound;
    return 0;
}

static int
virtio_emu_get_custom_stats(const struct netdev *netdev,
                            struct netdev_custom_stats *custom_stats)
{
    const struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    custom_stats->size = 0;
    custom_stats->counters = NULL;
    if (dev && nd->class->rep_get_custom_stats) {
        custom_stats->size = nd->class->rep_get_custom_stats(
            dev, &custom_stats->counters);
    }
    if (virtio_emu_dpdk(nd)) {
        virtio_emu_dpdk_add_custom_stats(virtio_emu_dpdk(nd), custom_stats);
    }
    return 0;
}

/* Packets. */

static struct netdev_rxq *
virtio_emu_rxq_alloc(void)
{
    return xzalloc(sizeof(struct netdev_rxq));
}

static int
virtio_emu_rxq_construct(struct netdev_rxq *rxq OVS_UNUSED)
{
    return 0;
}

static void
virtio_emu_rxq_destruct(struct netdev_rxq *rxq OVS_UNUSED)
{
}

static void
virtio_emu_rxq_dealloc(struct netdev_rxq *rxq)
{
    free(rxq);
}

static int
virtio_emu_rxq_recv(struct netdev_rxq *rxq, struct dp_packet_batch *batch,
                    int *qfill)
{
    struct netdev_virtio_emu *nd = CONTAINER_OF(rxq->netdev,
                                                struct netdev_virtio_emu, up);
    struct virtnet_device *dev = ovsrcu_get(struct virtnet_device *, &nd->dev);
    struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(&nd->rep);

    if (dpdk) {
        return virtio_emu_dpdk_recv(dpdk, rxq->queue_id, batch, qfill);
    }
    return (OVS_LIKELY(dev)
            ? nd->class->rep_recv(dev, rxq->queue_id, batch, qfill)
            : EAGAIN);
}

static bool
virtio_emu_rxq_enabled(struct netdev_rxq *rxq)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(rxq->netdev);
    struct virtnet_device *dev = ovsrcu_get(struct virtnet_device *, &nd->dev);

    if (virtio_emu_rep_dpdk(&nd->rep)) {
        return true;
    }
    return dev && nd->class->rep_rxq_enabled(dev, rxq->queue_id);
}

static int
virtio_emu_send(struct netdev *netdev, int qid, struct dp_packet_batch *batch,
                bool concurrent_txq)
{
    struct netdev_virtio_emu *nd = CONTAINER_OF(netdev,
                                                struct netdev_virtio_emu, up);
    struct virtnet_device *dev = ovsrcu_get(struct virtnet_device *, &nd->dev);
    struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(&nd->rep);

    if (dpdk && virtio_emu_dpdk_send(dpdk, qid, batch, concurrent_txq)) {
        return 0;
    }
    if (OVS_UNLIKELY(!dev || dpdk)) {
        uint64_t orig;

        COVERAGE_INC(virtio_emu_tx_unbound);
        atomic_add_relaxed(&nd->tx_unbound, dp_packet_batch_size(batch),
                           &orig);
        dp_packet_delete_batch(batch, true);
        return 0;
    }
    nd->class->rep_send(dev, qid, concurrent_txq, batch);
    return 0;
}

const struct netdev_class virtio_emu_class = {
    .type = "virtio-emu",
    .is_pmd = true,
    .run = virtio_emu_run,
    .wait = virtio_emu_wait,
    .alloc = virtio_emu_alloc,
    .construct = virtio_emu_construct,
    .destruct = virtio_emu_destruct,
    .dealloc = virtio_emu_dealloc,
    .get_config = virtio_emu_get_config,
    .set_config = virtio_emu_set_config,
    .get_numa_id = virtio_emu_get_numa_id,
    .set_tx_multiq = virtio_emu_set_tx_multiq,
    .send = virtio_emu_send,
    .set_etheraddr = virtio_emu_set_etheraddr,
    .get_etheraddr = virtio_emu_get_etheraddr,
    .get_mtu = virtio_emu_get_mtu,
    .set_mtu = virtio_emu_set_mtu,
    .get_ifindex = virtio_emu_get_ifindex,
    .get_carrier = virtio_emu_get_carrier,
    .get_carrier_resets = virtio_emu_get_carrier_resets,
    .get_stats = virtio_emu_get_stats,
    .get_custom_stats = virtio_emu_get_custom_stats,
    .get_features = virtio_emu_get_features,
    .set_policing = virtio_emu_set_policing,
    .get_qos_types = virtio_emu_get_qos_types,
    .get_qos = virtio_emu_get_qos,
    .set_qos = virtio_emu_set_qos,
#if VIRTNET_HAVE_GET_SPEED
    .get_speed = virtio_emu_get_speed,
#endif
#if VIRTNET_HAVE_GET_DUPLEX
    .get_duplex = virtio_emu_get_duplex,
#endif
    .get_status = virtio_emu_get_status,
    .update_flags = virtio_emu_update_flags,
    .reconfigure = virtio_emu_reconfigure,
    .rxq_alloc = virtio_emu_rxq_alloc,
    .rxq_construct = virtio_emu_rxq_construct,
    .rxq_destruct = virtio_emu_rxq_destruct,
    .rxq_dealloc = virtio_emu_rxq_dealloc,
    .rxq_enabled = virtio_emu_rxq_enabled,
    .rxq_recv = virtio_emu_rxq_recv,
};

void
virtio_emu_register(void)
{
    netdev_register_provider(&virtio_emu_class);
    virtnet_controller_add_observer(virtio_emu_observe, NULL);
}
