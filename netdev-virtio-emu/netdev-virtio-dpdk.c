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

/* Representors as ports of DPDK.  See netdev-virtio-dpdk.h. */

#include <config.h>

#include "netdev-virtio-dpdk.h"

#include <errno.h>
#include <limits.h>
#include <rte_eal.h>
#include <stdlib.h>

#include "connectivity.h"
#include "coverage.h"
#include "dp-packet.h"
#include "dpdk.h"
#include "netdev-provider.h"
#include "openvswitch/netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "smap.h"
#include "sset.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-backend-provider.h"

VLOG_DEFINE_THIS_MODULE(virtio_emu_dpdk);

COVERAGE_DEFINE(virtio_emu_dpdk_open);
COVERAGE_DEFINE(virtio_emu_dpdk_close);
COVERAGE_DEFINE(virtio_emu_dpdk_refused);

/* "struct virtio_emu_rep"s with a port of DPDK. */
static struct ovs_list reps = OVS_LIST_INITIALIZER(&reps);

/* PCI functions for which DPDK has made a port, and for which it has not
 * although none had been asked for before. */
static struct sset good_cards = SSET_INITIALIZER(&good_cards);
static struct sset bad_cards = SSET_INITIALIZER(&bad_cards);

/* Of connectivity_seq_get(), which changes when any netdev does. */
static uint64_t connectivity_seqno;

/* When to have flows offered anew, or LLONG_MAX.  The next port, such as one
 * of hundreds when the controller starts again, is waited for this long
 * (ms). */
static long long int reoffer_at = LLONG_MAX;
#define REOFFER_DELAY_MS 500

/* Ports of DPDK that are about to be closed by another thread. */
static atomic_count closing = ATOMIC_COUNT_INIT(0);

void
virtio_emu_rep_init(struct virtio_emu_rep *rep)
{
    memset(rep, 0, sizeof *rep);
    ovsrcu_init(&rep->dpdk, NULL);
    ovs_rwlock_init(&rep->rules.rwlock);
    ovs_mutex_init(&rep->rules.mutex);
    ovs_list_init(&rep->rules.list);
    ovs_list_init(&rep->list_node);
}

void
virtio_emu_rep_uninit(struct virtio_emu_rep *rep)
{
    virtio_emu_rep_close(rep, false);
    ovs_rwlock_destroy(&rep->rules.rwlock);
    ovs_mutex_destroy(&rep->rules.mutex);
    free(rep->refusal);
}

/* Opening. */

/* Options of the port that are those of a port of DPDK. */
static const char *const options[] = {
    "n_rxq", "n_rxq_desc", "n_txq_desc", "dpdk-lsc-interrupt",
};

bool
virtio_emu_dpdk_has_option(const char *option)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!strcmp(option, options[i])) {
            return true;
        }
    }
    return false;
}

static void
take_options(const struct smap *from, struct smap *to)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const char *value = smap_get(from, options[i]);

        if (value) {
            smap_add(to, options[i], value);
        }
    }
}

static int
set_config(struct netdev *netdev, const char *devargs,
           const struct smap *port_args, char **errp)
{
    struct smap args = SMAP_INITIALIZER(&args);
    int error;

    smap_add(&args, "dpdk-devargs", devargs);
    take_options(port_args, &args);
    error = netdev_set_config(netdev, &args, errp);
    smap_destroy(&args);
    return error;
}

/* Returns why there is no use in asking DPDK for a port on the PCI function
 * 'pci', which may be NULL, as a line that the caller must free, or NULL. */
static char *
find_obstacle(const char *pci)
{
    return (!dpdk_available() ? xstrdup("other_config:dpdk-init is not set")
            : !pci ? NULL
            : !rte_eal_has_pci() ? xstrdup("DPDK was started without PCI")
            : sset_contains(&bad_cards, pci)
            ? xasprintf("DPDK has refused %s before", pci) : NULL);
}

/* Asks DPDK for a port 'devargs'.  Returns NULL, with a reason that the caller
 * must free in '*why', if it has none. */
static struct virtio_emu_dpdk *
dpdk_open(const char *name, const char *devargs, const struct smap *args,
          char **why)
{
    char *inner_name = xasprintf("%s.dpdk", name);
    struct virtio_emu_dpdk *dpdk;
    struct netdev *netdev;
    int error;

    /* It may be the same one that somebody is about to close. */
    if (atomic_count_get(&closing)) {
        ovsrcu_barrier();
    }
    error = netdev_open(inner_name, "dpdk", &netdev);
    if (error) {
        *why = xasprintf("%s: %s", inner_name, ovs_strerror(error));
    } else {
        error = set_config(netdev, devargs, args, why);
        if (error && !*why) {
            *why = xasprintf("%s: %s", devargs, ovs_strerror(error));
        }
    }
    free(inner_name);
    if (error) {
        netdev_close(netdev);
        return NULL;
    }

    dpdk = xzalloc(sizeof *dpdk);
    dpdk->netdev = netdev;
    dpdk->devargs = xstrdup(devargs);
    dpdk->change_seq = netdev_get_change_seq(netdev);
    atomic_init(&dpdk->ready, false);
    COVERAGE_INC(virtio_emu_dpdk_open);
    return dpdk;
}

/* Tries to have a port of DPDK for 'dev'.  Otherwise 'rep->refusal' says why
 * there is none, or is NULL if none is wanted. */
static void
rep_open(struct virtio_emu_rep *rep, struct virtnet_device *dev,
         const char *name, const struct smap *args)
{
    struct virtio_emu_dpdk *dpdk = NULL;
    const char *pci = NULL;
    char *devargs, *why;

    devargs = dev->backend->class->rep_get_devargs(dev, &pci);
    if (!devargs) {
        return;
    }
    why = find_obstacle(pci);
    if (why) {
        VLOG_INFO_ONCE("%s: the kernel's interface is used, not DPDK: %s",
                       name, why);
    } else {
        dpdk = dpdk_open(name, devargs, args, &why);
        if (!dpdk) {
            COVERAGE_INC(virtio_emu_dpdk_refused);
            VLOG_WARN("%s: the kernel's interface is used, not DPDK: %s",
                      name, why);
        }
        if (pci) {
            sset_add(dpdk || sset_contains(&good_cards, pci)
                     ? &good_cards : &bad_cards, pci);
        }
    }
    rep->refusal = why;
    if (dpdk) {
        VLOG_INFO("%s: the representor is %s of DPDK", name, devargs);
        ovsrcu_set(&rep->dpdk, dpdk);
        ovs_list_push_back(&reps, &rep->list_node);
    }
    free(devargs);
}

/* What is decided about: a representor, by its ifindex, or 0 if there is none;
 * -1 for backends that have nothing to do with DPDK. */
static int
subject(const struct virtnet_device *dev)
{
    return dev->backend->class->rep_get_devargs ? dev->rep_ifindex : -1;
}

bool
virtio_emu_rep_is_decided(const struct virtio_emu_rep *rep,
                          const struct virtnet_device *dev)
{
    return rep->ifindex == subject(dev);
}

void
virtio_emu_rep_decide(struct virtio_emu_rep *rep, struct virtnet_device *dev,
                      const char *name, const struct smap *args, bool up)
{
    const struct virtnet_backend_class *class = dev->backend->class;

    virtio_emu_rep_close(rep, true);
    rep->ifindex = subject(dev);
    if (rep->ifindex > 0) {
        class->rep_yield(dev);
        rep_open(rep, dev, name, args);
    }
    if (rep->ifindex && !virtio_emu_rep_dpdk(rep)) {
        class->rep_set_up(dev, up);
    }
}

void
virtio_emu_rep_forget(void)
{
    sset_clear(&bad_cards);
}

/* Closing. */

static void
close_rxqs(struct virtio_emu_dpdk *dpdk)
{
    for (int i = 0; i < dpdk->n_rxq; i++) {
        netdev_rxq_close(dpdk->rxqs[i]);
    }
    free(dpdk->rxqs);
    dpdk->rxqs = NULL;
    dpdk->n_rxq = 0;
}

static void
dpdk_close(struct virtio_emu_dpdk *dpdk)
{
    close_rxqs(dpdk);
    netdev_set_qos(dpdk->netdev, "", NULL); /* Closing does not free it. */
    netdev_close(dpdk->netdev);
    free(dpdk->devargs);
    free(dpdk);
}

static void
dpdk_close_later(struct virtio_emu_dpdk *dpdk)
{
    dpdk_close(dpdk);
    atomic_count_dec(&closing);
}

void
virtio_emu_rep_close(struct virtio_emu_rep *rep, bool wait)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(rep);

    rep->ifindex = 0;
    free(rep->refusal);
    rep->refusal = NULL;
    if (!dpdk) {
        return;
    }
    COVERAGE_INC(virtio_emu_dpdk_close);
    ovs_list_remove(&rep->list_node);
    ovs_list_init(&rep->list_node);
    ovsrcu_set(&rep->dpdk, NULL);
    virtio_emu_rules_end(&rep->rules);
    if (wait) {
        /* The SF may be about to go, and DPDK is to be off it by then. */
        ovsrcu_synchronize();
        dpdk_close(dpdk);
    } else {
        atomic_count_inc(&closing);
        ovsrcu_postpone(dpdk_close_later, dpdk);
    }
}

void
virtio_emu_rep_give_up(struct virtio_emu_rep *rep, struct virtnet_device *dev,
                       bool up)
{
    int ifindex = rep->ifindex;

    virtio_emu_rep_close(rep, true);
    rep->ifindex = ifindex;
    rep->refusal = xstrdup("DPDK cannot configure it");
    dev->backend->class->rep_set_up(dev, up);
}

/* Living. */

void
virtio_emu_rep_run(void (*cb)(struct virtio_emu_rep *,
                              struct virtio_emu_dpdk *))
{
    struct virtio_emu_rep *rep;

    if (ovs_list_is_empty(&reps)) {
        return;
    }
    connectivity_seqno = seq_read(connectivity_seq_get());
    LIST_FOR_EACH_SAFE (rep, list_node, &reps) {
        struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(rep);
        uint64_t change_seq = netdev_get_change_seq(dpdk->netdev);

        if (change_seq != dpdk->change_seq || dpdk->failed
            || netdev_is_reconf_required(dpdk->netdev)) {
            dpdk->change_seq = change_seq;
            cb(rep, dpdk);
        }
    }
}

void
virtio_emu_rep_wait(void)
{
    struct virtio_emu_rep *rep;

    if (ovs_list_is_empty(&reps)) {
        return;
    }
    seq_wait(connectivity_seq_get(), connectivity_seqno);
    LIST_FOR_EACH (rep, list_node, &reps) {
        struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(rep);

        if (dpdk->failed) {
            poll_immediate_wake();
        } else if (!netdev_is_reconf_required(dpdk->netdev)) {
            netdev_wait_reconf_required(dpdk->netdev);
        }
    }
}

void
virtio_emu_rep_get_status(const struct virtio_emu_rep *rep,
                          struct smap *status)
{
    const struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(rep);
    struct smap inner = SMAP_INITIALIZER(&inner);

    if (!dpdk) {
        if (rep->ifindex > 0) {
            smap_add(status, "representor_datapath", "kernel");
        }
        if (rep->refusal) {
            smap_add(status, "no_dpdk", rep->refusal);
        }
        return;
    }
    smap_add(status, "representor_datapath", "dpdk");
    smap_add(status, "dpdk_netdev", netdev_get_name(dpdk->netdev));
    smap_add(status, "dpdk_devargs", dpdk->devargs);
    netdev_get_status(dpdk->netdev, &inner);
    smap_add(status, "dpdk_driver", smap_get_def(&inner, "driver_name", "?"));
    smap_add(status, "dpdk_port_no", smap_get_def(&inner, "port_no", "?"));
    smap_destroy(&inner);
}

void
virtio_emu_dpdk_set_config(struct virtio_emu_dpdk *dpdk,
                           const struct smap *args)
{
    char *err = NULL;

    if (set_config(dpdk->netdev, dpdk->devargs, args, &err)) {
        VLOG_WARN("%s", err ? err : netdev_get_name(dpdk->netdev));
    }
    free(err);
}

void
virtio_emu_dpdk_add_custom_stats(const struct virtio_emu_dpdk *dpdk,
                                 struct netdev_custom_stats *stats)
{
    struct netdev_custom_stats own;

    if (!netdev_get_custom_stats(dpdk->netdev, &own)) {
        stats->counters = xrealloc(stats->counters,
                                   (stats->size + own.size)
                                   * sizeof *stats->counters);
        memcpy(stats->counters + stats->size, own.counters,
               own.size * sizeof *own.counters);
        stats->size += own.size;
        free(own.counters);
    }
}

bool
virtio_emu_rep_reconfigure(struct virtio_emu_rep *rep, int n_txq)
{
    struct virtio_emu_dpdk *dpdk = virtio_emu_rep_dpdk(rep);
    int error = 0;

    if (dpdk->failed) {
        return false;
    }
    netdev_set_tx_multiq(dpdk->netdev, n_txq);
    if (!netdev_is_reconf_required(dpdk->netdev)) {
        return false;
    }
    atomic_store_relaxed(&dpdk->ready, false);

    /* Drivers drop their rules when they stop.  Rules of Open vSwitch that are
     * forgotten would be destroyed a second time. */
    virtio_emu_rules_end(&rep->rules);
    close_rxqs(dpdk);
    error = netdev_reconfigure(dpdk->netdev);
    if (!error) {
        int n = netdev_n_rxq(dpdk->netdev);

        dpdk->rxqs = xcalloc(n, sizeof *dpdk->rxqs);
        while (!error && dpdk->n_rxq < n) {
            error = netdev_rxq_open(dpdk->netdev, &dpdk->rxqs[dpdk->n_rxq],
                                    dpdk->n_rxq);
            dpdk->n_rxq += !error;
        }
    }
    if (error) {
        VLOG_WARN("%s: %s: the kernel's interface is used, not DPDK",
                  netdev_get_name(dpdk->netdev), ovs_strerror(error));
        dpdk->failed = true;    /* Others wait for locks that we have. */
    } else {
        if (virtio_emu_rules_begin(&rep->rules, dpdk->netdev)) {
            reoffer_at = time_msec() + REOFFER_DELAY_MS;
        }
        atomic_store_relaxed(&dpdk->ready, true);
    }
    return true;
}

bool
virtio_emu_reoffer_is_due(void)
{
    bool due = time_msec() >= reoffer_at;

    if (due) {
        reoffer_at = LLONG_MAX;
    }
    return due;
}

void
virtio_emu_reoffer_wait(void)
{
    if (reoffer_at != LLONG_MAX) {
        poll_timer_wait_until(reoffer_at);
    }
}

/* Packets. */

bool
virtio_emu_dpdk_is_ready(const struct virtio_emu_dpdk *dpdk)
{
    bool ready;

    atomic_read_relaxed(&CONST_CAST(struct virtio_emu_dpdk *, dpdk)->ready,
                        &ready);
    return ready;
}

int
virtio_emu_dpdk_recv(struct virtio_emu_dpdk *dpdk, int qid,
                     struct dp_packet_batch *batch, int *qfill)
{
    int error;

    if (!virtio_emu_dpdk_is_ready(dpdk) || qid >= dpdk->n_rxq) {
        return EAGAIN;
    }
    error = dpdk->netdev->netdev_class->rxq_recv(dpdk->rxqs[qid], batch,
                                                 qfill);
    /* A policer may have dropped all of them, and Open vSwitch makes arrays of
     * as many elements as there are packets. */
    return error || !dp_packet_batch_is_empty(batch) ? error : EAGAIN;
}

bool
virtio_emu_dpdk_send(struct virtio_emu_dpdk *dpdk, int qid,
                     struct dp_packet_batch *batch, bool concurrent_txq)
{
    if (!virtio_emu_dpdk_is_ready(dpdk)) {
        return false;
    }
    dpdk->netdev->netdev_class->send(dpdk->netdev, qid, batch, concurrent_txq);
    return true;
}
