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

/* Which device a netdev of the class "virtio-emu" has, and what changes with
 * it.  See netdev-virtio-private.h. */

#include <config.h>

#include "netdev-virtio-private.h"

#include <limits.h>

#include "coverage.h"
#include "if-notifier.h"
#include "netdev-virtio-emu.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "virtnet-compat.h"
#include "virtnet-flow-provider.h"
#include "virtnet-sriov.h"

VLOG_DEFINE_THIS_MODULE(netdev_virtio_bind);

COVERAGE_DEFINE(virtio_emu_bind);
COVERAGE_DEFINE(virtio_emu_unbind);

/* An Interface whose device has gone leaves its bridge, and one that failed
 * for want of a device gets it, when the bridges are configured again.  The
 * rows of automatic ports come and go with their devices anyway, so give that
 * this long (ms) to happen before asking for it. */
#define RECHECK_DELAY_MS 300

/* When the number of receive queues of one port changes, a datapath assigns
 * those of all its ports anew.  Drivers that come at once, such as those that
 * find their switch restarted, are not to have that done for each of them:
 * after one such change the next ones wait for a time that grows with what it
 * costs, a millisecond for this many ports.  With a few ports nothing waits,
 * as a port that is being assigned loses packets that are already sent. */
#define REQUEUE_PORTS_PER_MS 25

struct shash virtio_emu_netdevs = SHASH_INITIALIZER(&virtio_emu_netdevs);

/* When to look for Interfaces and devices that miss each other, or
 * LLONG_MAX. */
static long long int recheck_at = LLONG_MAX;

/* Contains "struct netdev_virtio_emu"s whose number of receive queues has
 * changed without the datapath having been asked to look, and when to ask it,
 * if there are any. */
static struct ovs_list requeues = OVS_LIST_INITIALIZER(&requeues);
static long long int requeue_at = LLONG_MIN;

/* Contains "struct netdev_virtio_emu"s that did not know their status yet, and
 * when to have upper layers ask again: as many as SETTLE_PORTS every
 * SETTLE_MS, since after a start there may be a thousand, with much to
 * tell. */
static struct ovs_list unsettled = OVS_LIST_INITIALIZER(&unsettled);
static long long int settle_at = LLONG_MIN;
#define SETTLE_PORTS 32
#define SETTLE_MS 5

/* Until when ports may be without an answer, once one has been, and how long
 * (ms) that is.  A device that hangs while devices come back, or a disk that
 * does, is not to keep from the database what there is to be told of
 * others. */
static long long int settle_by = LLONG_MAX;
#define SETTLE_MAX_MS 10000

void
virtio_emu_refresh(struct netdev_virtio_emu *nd)
{
    struct virtnet_device *dev = virtio_emu_dev(nd);
    bool carrier;

    if (dev) {
        virtio_emu_path_choose(nd, dev);
    }
    carrier = virtio_emu_path_carrier(nd, dev);
    if (carrier != nd->carrier) {
        nd->carrier = carrier;
        nd->carrier_resets++;
    }
    if (dev && !nd->requested_mtu && nd->mtu != dev->config.mtu
        && !virtio_emu_path_set_mtu(nd, dev, dev->config.mtu)) {
        nd->mtu = dev->config.mtu;
    }
    nd->up.ol_flags = virtio_emu_path_ol_flags(nd, dev);
    if (virtio_emu_path_n_rxq(nd, dev) != nd->up.n_rxq
        && ovs_list_is_empty(&nd->requeue_node)) {
        ovs_list_push_back(&requeues, &nd->requeue_node);
    }
    netdev_change_seq_changed(&nd->up);
}

/* Has 'nd', bound to 'dev', to tell something that upper layers do not
 * know? */
static bool
virtio_emu_has_news(struct netdev_virtio_emu *nd,
                    const struct virtnet_device *dev)
{
    struct smap status = SMAP_INITIALIZER(&status);
    uint32_t known = nd->known;

    if (!nd->quiet || nd->carrier != virtio_emu_path_carrier(nd, dev)) {
        return true;
    }
    virtio_emu_get_status(&nd->up, &status);
    smap_destroy(&status);
    return nd->known != known;
}

void
virtio_emu_bind(struct netdev_virtio_emu *nd, struct virtnet_device *dev)
{
    int mtu;

    COVERAGE_INC(virtio_emu_bind);
    mtu = nd->requested_mtu ? nd->requested_mtu : dev->config.mtu;
    if (dev->backend->class->rep_set_mtu(dev, mtu)) {
        /* The device came with buffers for its own MTU. */
        VLOG_WARN("%s: no memory for packets of %d bytes; MTU stays %d",
                  netdev_get_name(&nd->up), mtu, dev->config.mtu);
        mtu = dev->config.mtu;
    }
    nd->mtu = mtu;
    nd->class = dev->backend->class;
    memset(&nd->stats_base, 0, sizeof nd->stats_base);
    virtio_emu_path_choose(nd, dev);

    dev->netdev = &nd->up;
    nd->lost = false;
    if (nd->offload && nd->class->flow) {
        nd->class->flow->port_attach(dev);
    }
    ovsrcu_set(&nd->dev, virtnet_device_ref(dev));
    if (virtio_emu_has_news(nd, dev)) {
        virtio_emu_refresh(nd);
    }
    nd->quiet = false;
}

void
virtio_emu_unbind(struct netdev_virtio_emu *nd, bool wait)
{
    struct virtnet_device *dev = virtio_emu_dev(nd);

    if (dev) {
        COVERAGE_INC(virtio_emu_unbind);
        nd->quiet = (virtnet_controller_restarting()
                     && !nd->carrier && !nd->up.n_rxq);
        dev->netdev = NULL;
        ovsrcu_set(&nd->dev, NULL);
        if (nd->offload && nd->class->flow) {
            nd->class->flow->port_detach(dev);
        }
        virtio_emu_rep_close(&nd->rep, wait);
        dev->backend->class->rep_set_up(dev, false);
        virtnet_device_unref(dev);
        if (!nd->quiet) {
            virtio_emu_refresh(nd);
        }
    }
}

/* The controller has started: devices that were to come back are there, or are
 * gone. */
static void
virtio_emu_break_silence(void)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &virtio_emu_netdevs) {
        struct netdev_virtio_emu *nd = node->data;

        if (nd->quiet) {
            nd->quiet = false;
            virtio_emu_refresh(nd);
        }
    }
}

bool
virtio_emu_is_settling(void)
{
    return virtnet_controller_settling() && time_msec() < settle_by;
}

void
virtio_emu_settle_later(struct netdev_virtio_emu *nd)
{
    if (settle_by == LLONG_MAX) {
        settle_by = time_msec() + SETTLE_MAX_MS;
    }
    if (ovs_list_is_empty(&nd->settle_node)) {
        ovs_list_push_back(&unsettled, &nd->settle_node);
    }
}

void
virtio_emu_settle(struct netdev_virtio_emu *nd)
{
    ovs_list_remove(&nd->settle_node);
    ovs_list_init(&nd->settle_node);
}

/* Has upper layers ask again, once there is an answer. */
static void
virtio_emu_run_settling(void)
{
    if (!virtio_emu_is_settling() && time_msec() >= settle_at
        && !ovs_list_is_empty(&unsettled)) {
        settle_at = time_msec() + SETTLE_MS;
        for (int i = 0; i < SETTLE_PORTS && !ovs_list_is_empty(&unsettled);
             i++) {
            struct netdev_virtio_emu *nd
                = CONTAINER_OF(ovs_list_front(&unsettled),
                               struct netdev_virtio_emu, settle_node);

            virtio_emu_settle(nd);
            netdev_change_seq_changed(&nd->up);
        }
    }
}

static void
virtio_emu_bind_by_key(const char *key, struct virtnet_device *dev)
{
    struct netdev_virtio_emu *nd = shash_find_data(&virtio_emu_netdevs, key);

    if (nd && !virtio_emu_dev(nd) && !dev->netdev
        && !virtio_emu_is_removed(nd)) {
        virtio_emu_bind(nd, dev);
    }
}

static void
virtio_emu_schedule_recheck(void)
{
    recheck_at = MIN(recheck_at, time_msec() + RECHECK_DELAY_MS);
}

bool
virtio_emu_recheck_is_due(void)
{
    return recheck_at != LLONG_MAX;
}

void
virtio_emu_postpone_recheck(void)
{
    if (recheck_at != LLONG_MAX) {
        recheck_at = time_msec() + RECHECK_DELAY_MS;
    }
}

/* Binds 'dev', which is new, to the netdev that has been waiting for it. */
static void
virtio_emu_device_added(struct virtnet_device *dev)
{
    struct ds key = DS_EMPTY_INITIALIZER;

    if (shash_is_empty(&virtio_emu_netdevs)) {
        return;
    }
    ds_put_format(&key, "vuid:%s", dev->vuid);
    virtio_emu_bind_by_key(ds_cstr(&key), dev);

    ds_clear(&key);
    if (dev->type == VIRTNET_VF) {
        ds_put_format(&key, "vf:%u:%u", dev->pf_id, dev->vf_id);
    } else {
        ds_put_format(&key, "pf:%u", dev->pf_id);
    }
    virtio_emu_bind_by_key(ds_cstr(&key), dev);

    if (dev->owner_port) {
        ds_clear(&key);
        ds_put_format(&key, "hotplug:%s", dev->owner_port);
        virtio_emu_bind_by_key(ds_cstr(&key), dev);
    }

    ds_clear(&key);
    ds_put_format(&key, "name:%s", dev->rep_name);
    virtio_emu_bind_by_key(ds_cstr(&key), dev);
    ds_destroy(&key);

    if (!dev->netdev) {
        virtio_emu_schedule_recheck();
    }
}

/* Is there an Interface without device, or a device that should be a port and
 * is not? */
static bool
virtio_emu_any_unbound(void)
{
    struct virtnet_device *dev;
    struct shash_node *node;

    SHASH_FOR_EACH (node, &virtio_emu_netdevs) {
        if (!virtio_emu_dev(node->data)) {
            return true;
        }
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (!dev->netdev && !dev->port_status) {
            return true;
        }
    }
    return false;
}

void
virtio_emu_observe(enum virtnet_event event, struct virtnet_device *dev,
                   void *aux OVS_UNUSED)
{
    switch (event) {
    case VIRTNET_EVENT_ADDED:
        virtio_emu_device_added(dev);
        break;

    case VIRTNET_EVENT_CHANGED:
        if (dev->netdev) {
            virtio_emu_refresh(netdev_virtio_emu_cast(dev->netdev));
        }
        break;

    case VIRTNET_EVENT_REMOVED:
        if (virtnet_controller_restarting()) {
            virtio_emu_rep_forget();
        }
        if (dev->netdev) {
            struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(dev->netdev);

            virtio_emu_unbind(nd, true);
            if (!virtnet_controller_restarting()) {
                nd->lost = true;
                virtio_emu_schedule_recheck();
            }
        }
        break;

    case VIRTNET_EVENT_STARTED:
        virtio_emu_break_silence();
        virtio_emu_run_settling();
        /* Interfaces that were let wait get their device or an error now. */
        if (virtio_emu_any_unbound()) {
            if_notifier_manual_report();
        }
        break;
    }
}

void
virtio_emu_postpone_requeues(void)
{
    requeue_at = (time_msec()
                  + shash_count(&virtio_emu_netdevs) / REQUEUE_PORTS_PER_MS);
}

static void
virtio_emu_run_requeues(void)
{
    struct netdev_virtio_emu *nd;

    if (!ovs_list_is_empty(&requeues) && time_msec() >= requeue_at) {
        LIST_FOR_EACH_POP (nd, requeue_node, &requeues) {
            ovs_list_init(&nd->requeue_node);
            netdev_request_reconfigure(&nd->up);
        }
        virtio_emu_postpone_requeues();
    }
}

void
virtio_emu_run(const struct netdev_class *class OVS_UNUSED)
{
    /* First, so that nobody looks after a port that has just been deleted. */
    virtio_emu_close_unused();
    virtio_emu_path_run();
    virtio_emu_run_requeues();
    virtio_emu_run_settling();
    if (virtnet_sriov_is_busy()) {
        /* The ports of VFs that are being made or removed will come right. */
        virtio_emu_postpone_recheck();
    } else if (time_msec() >= recheck_at) {
        recheck_at = LLONG_MAX;
        if (virtio_emu_any_unbound()) {
            if_notifier_manual_report();
        }
    }
}

void
virtio_emu_wait(const struct netdev_class *class OVS_UNUSED)
{
    virtio_emu_close_unused_wait();
    virtio_emu_rep_wait();
    if (!ovs_list_is_empty(&requeues)) {
        poll_timer_wait_until(requeue_at);
    }
    if (!ovs_list_is_empty(&unsettled)) {
        poll_timer_wait_until(virtio_emu_is_settling() ? settle_by
                              : settle_at);
    }
    if (recheck_at != LLONG_MAX) {
        poll_timer_wait_until(recheck_at);
    }
}

void
virtio_emu_forget_selector(struct netdev_virtio_emu *nd)
{
    if (nd->selector_node) {
        shash_delete(&virtio_emu_netdevs, nd->selector_node);
        nd->selector_node = NULL;
    }
}
