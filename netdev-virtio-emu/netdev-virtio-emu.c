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
#include <inttypes.h>

#include "coverage.h"
#include "dp-packet.h"
#include "hash.h"
#include "if-notifier.h"
#include "netdev-provider.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtnet-controller.h"
#include "virtnet-life.h"
#include "virtnet-row.h"
#include "virtnet-sriov.h"
#include "virtnet-flow-provider.h"

VLOG_DEFINE_THIS_MODULE(netdev_virtio_emu);

COVERAGE_DEFINE(virtio_emu_bind);
COVERAGE_DEFINE(virtio_emu_unbind);
COVERAGE_DEFINE(virtio_emu_tx_unbound);

/* VIRTIO 1.2, section 5.1.3: what a driver may accept. */
#define VIRTIO_NET_F_GUEST_CSUM UINT64_C(1)
#define VIRTIO_NET_F_GUEST_TSO4 UINT64_C(7)
#define VIRTIO_NET_F_GUEST_TSO6 UINT64_C(8)
#define FEATURE(BIT) (UINT64_C(1) << (BIT))

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
    struct eth_addr hwaddr;     /* Set by the user, or zero. */
    enum netdev_flags flags;
    bool carrier;               /* When last looked at. */
    long long int carrier_resets;
    bool settling;              /* Told to ask again when it has settled? */
    struct ovs_list requeue_node; /* In 'requeues', or empty. */

    /* While the controller restarts.  A port that nobody uses is most often
     * what it was when its device is back, so upper layers are not told that
     * it was away, which would make them look at a thousand ports twice. */
    bool quiet;                 /* Do they believe that it has its device? */
    uint32_t known;             /* What they know, by virtio_emu_hash(). */
};

/* Maps from a selector, e.g. "vuid:X", to the "struct netdev_virtio_emu" that
 * has it.  Main thread only. */
static struct shash netdevs = SHASH_INITIALIZER(&netdevs);

/* When to look for Interfaces and devices that miss each other, or
 * LLONG_MAX. */
static long long int recheck_at = LLONG_MAX;

/* Contains "struct netdev_virtio_emu"s whose number of receive queues has
 * changed without the datapath having been asked to look, and when to ask it,
 * if there are any. */
static struct ovs_list requeues = OVS_LIST_INITIALIZER(&requeues);
static long long int requeue_at = LLONG_MIN;

static const struct netdev_class virtio_emu_class;

static int virtio_emu_get_status(const struct netdev *, struct smap *);

static struct netdev_virtio_emu *
netdev_virtio_emu_cast(const struct netdev *netdev)
{
    ovs_assert(netdev->netdev_class == &virtio_emu_class);
    return CONTAINER_OF(netdev, struct netdev_virtio_emu, up);
}

/* For the main thread, where the pointer cannot change underneath. */
static struct virtnet_device *
virtio_emu_dev(const struct netdev_virtio_emu *nd)
{
    return ovsrcu_get_protected(struct virtnet_device *, &nd->dev);
}

/* Binding and letting go. */

/* Tells the upper layers what has changed with the device of 'nd'. */
static void
virtio_emu_refresh(struct netdev_virtio_emu *nd)
{
    struct virtnet_device *dev = virtio_emu_dev(nd);
    uint64_t features = dev ? dev->driver.features : 0;
    bool carrier = dev && virtnet_device_carrier(dev);
    int n_rxq = dev ? virtnet_device_active_rxqs(dev) : 0;

    if (carrier != nd->carrier) {
        nd->carrier = carrier;
        nd->carrier_resets++;
    }
    if (dev && !nd->requested_mtu && nd->mtu != dev->config.mtu
        && !nd->class->rep_set_mtu(dev, dev->config.mtu)) {
        nd->mtu = dev->config.mtu;
    }
    nd->up.ol_flags = dev && nd->class->rep_complete ? 0 : virtnet_tx_offloads(
        features & FEATURE(VIRTIO_NET_F_GUEST_CSUM),
        (features & FEATURE(VIRTIO_NET_F_GUEST_TSO4)
         && features & FEATURE(VIRTIO_NET_F_GUEST_TSO6)));
    if (n_rxq != nd->up.n_rxq && ovs_list_is_empty(&nd->requeue_node)) {
        ovs_list_push_back(&requeues, &nd->requeue_node);
    }
    netdev_change_seq_changed(&nd->up);
}

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

/* Has 'nd', bound to 'dev', to tell something that upper layers do not
 * know? */
static bool
virtio_emu_has_news(struct netdev_virtio_emu *nd,
                    const struct virtnet_device *dev)
{
    struct smap status = SMAP_INITIALIZER(&status);
    uint32_t known = nd->known;

    if (!nd->quiet || nd->carrier != virtnet_device_carrier(dev)) {
        return true;
    }
    virtio_emu_get_status(&nd->up, &status);
    smap_destroy(&status);
    return nd->known != known;
}

static void
virtio_emu_bind(struct netdev_virtio_emu *nd, struct virtnet_device *dev)
{
    bool up;
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
    atomic_read_relaxed(&nd->admin_up, &up);
    dev->backend->class->rep_set_up(dev, up);

    dev->netdev = &nd->up;
    nd->lost = false;
    nd->class = dev->backend->class;
    if (nd->offload && nd->class->flow) {
        nd->class->flow->port_attach(dev);
    }
    ovsrcu_set(&nd->dev, virtnet_device_ref(dev));
    if (virtio_emu_has_news(nd, dev)) {
        virtio_emu_refresh(nd);
    }
    nd->quiet = false;
}

static void
virtio_emu_unbind(struct netdev_virtio_emu *nd)
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

    SHASH_FOR_EACH (node, &netdevs) {
        struct netdev_virtio_emu *nd = node->data;

        if (nd->settling) {
            nd->settling = false;
            netdev_change_seq_changed(&nd->up);
        }
        if (nd->quiet) {
            nd->quiet = false;
            virtio_emu_refresh(nd);
        }
    }
}

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

/* Selectors. */

enum selector {
    SELECT_NAME,                /* The Interface's name. */
    SELECT_VUID,                /* options:vuid. */
    SELECT_PF,                  /* options:pf. */
    SELECT_VF,                  /* options:pf and options:vf. */
    SELECT_HOTPLUG,             /* options:hotplug=true. */
};

static char * OVS_WARN_UNUSED_RESULT
selector_error(char **errp, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

static char *
selector_error(char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return NULL;
}

/* Returns the selector that 'args' and 'name' make, as a key of 'netdevs' that
 * the caller must free, and its kind in '*kind'.  Returns NULL, with a line in
 * '*errp', if they make none. */
static char *
selector_key(const char *name, const struct smap *args, enum selector *kind,
             unsigned int *pf, unsigned int *vf, char **errp)
{
    const char *hotplug_s = smap_get(args, "hotplug");
    const char *vuid = smap_get(args, "vuid");
    const char *pf_s = smap_get(args, "pf");
    const char *vf_s = smap_get(args, "vf");
    bool hotplug = hotplug_s && !strcmp(hotplug_s, "true");

    if (hotplug_s && !hotplug && strcmp(hotplug_s, "false")) {
        return selector_error(errp, "options:hotplug: \"%s\" is neither "
                              "\"true\" nor \"false\"", hotplug_s);
    } else if (!!vuid + !!pf_s + hotplug > 1) {
        return selector_error(errp, "only one of options:vuid, options:pf "
                              "and options:hotplug may be given");
    } else if (vf_s && !pf_s) {
        return selector_error(errp, "options:vf needs options:pf");
    } else if (pf_s && !str_to_uint(pf_s, 10, pf)) {
        return selector_error(errp, "options:pf: \"%s\" is not a number",
                              pf_s);
    } else if (vf_s && !str_to_uint(vf_s, 10, vf)) {
        return selector_error(errp, "options:vf: \"%s\" is not a number",
                              vf_s);
    } else if (vuid) {
        *kind = SELECT_VUID;
        return xasprintf("vuid:%s", vuid);
    } else if (vf_s) {
        *kind = SELECT_VF;
        return xasprintf("vf:%u:%u", *pf, *vf);
    } else if (pf_s) {
        *kind = SELECT_PF;
        return xasprintf("pf:%u", *pf);
    } else if (hotplug) {
        *kind = SELECT_HOTPLUG;
        return xasprintf("hotplug:%s", name);
    } else {
        *kind = SELECT_NAME;
        return xasprintf("name:%s", name);
    }
}

static struct virtnet_device *
selector_find(enum selector kind, const char *name, const struct smap *args,
              unsigned int pf, unsigned int vf)
{
    switch (kind) {
    case SELECT_NAME:
        return virtnet_device_by_rep(name);
    case SELECT_VUID:
        return virtnet_device_by_vuid(smap_get(args, "vuid"));
    case SELECT_PF:
        return virtnet_device_by_pf(pf);
    case SELECT_VF:
        return virtnet_device_by_vf(pf, vf);
    case SELECT_HOTPLUG:
        return virtnet_device_by_owner(name);
    }
    OVS_NOT_REACHED();
}

static void
virtio_emu_bind_by_key(const char *key, struct virtnet_device *dev)
{
    struct netdev_virtio_emu *nd = shash_find_data(&netdevs, key);

    if (nd && !virtio_emu_dev(nd) && !dev->netdev) {
        virtio_emu_bind(nd, dev);
    }
}

static void
virtio_emu_schedule_recheck(void)
{
    recheck_at = MIN(recheck_at, time_msec() + RECHECK_DELAY_MS);
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

    if (shash_is_empty(&netdevs)) {
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

    SHASH_FOR_EACH (node, &netdevs) {
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

static void
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
        if (dev->netdev) {
            struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(dev->netdev);

            virtio_emu_unbind(nd);
            if (!virtnet_controller_restarting()) {
                nd->lost = true;
                virtio_emu_schedule_recheck();
            }
        }
        break;

    case VIRTNET_EVENT_STARTED:
        virtio_emu_break_silence();
        /* Interfaces that were let wait get their device or an error now. */
        if (virtio_emu_any_unbound()) {
            if_notifier_manual_report();
        }
        break;
    }
}

static void
virtio_emu_postpone_requeues(void)
{
    requeue_at = time_msec() + shash_count(&netdevs) / REQUEUE_PORTS_PER_MS;
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

static void
virtio_emu_run(const struct netdev_class *class OVS_UNUSED)
{
    virtio_emu_run_requeues();
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

static void
virtio_emu_wait(const struct netdev_class *class OVS_UNUSED)
{
    if (!ovs_list_is_empty(&requeues)) {
        poll_timer_wait_until(requeue_at);
    }
    if (recheck_at != LLONG_MAX) {
        poll_timer_wait_until(recheck_at);
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
    ovs_list_init(&nd->requeue_node);
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
virtio_emu_forget_selector(struct netdev_virtio_emu *nd)
{
    if (nd->selector_node) {
        shash_delete(&netdevs, nd->selector_node);
        nd->selector_node = NULL;
    }
}

/* Has the port of 'nd' been deleted, and is it only there because somebody
 * still holds a reference?  Then its device is free for another port. */
static bool
virtio_emu_is_removed(const struct netdev_virtio_emu *nd)
{
    return !nd->up.node;        /* See netdev_remove(). */
}

static void
virtio_emu_destruct(struct netdev *netdev)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    struct virtnet_device *dev = virtnet_device_ref(virtio_emu_dev(nd));

    virtio_emu_unbind(nd);
    ovs_list_remove(&nd->requeue_node);
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

/* Parses option 'key' as a number into '*value'.  Leaves it alone if there is
 * no such option. */
static int
option_number(const struct smap *args, const char *key, int base,
              unsigned long long *value, bool *has, char **errp)
{
    const char *s = smap_get(args, key);

    if (s) {
        if (!str_to_ullong(s, base, value)) {
            *errp = xasprintf("options:%s: \"%s\" is not a number", key, s);
            return EINVAL;
        }
        if (has) {
            *has = true;
        }
    }
    return 0;
}

void
virtio_emu_set_warning(struct netdev *netdev, const char *warning)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);

    free(nd->config_warning);
    nd->config_warning = nullable_xstrdup(warning);
    netdev_change_seq_changed(netdev);
}

/* A device that took its time, for Interface 'name_', is there, or not. */
static void
virtio_emu_hotplugged(struct virtnet_device *dev OVS_UNUSED, int error,
                      const char *reason, void *name_)
{
    char *name = name_;
    char *key = xasprintf("hotplug:%s", name);
    struct netdev_virtio_emu *nd = shash_find_data(&netdevs, key);
    char *text = NULL;

    if (error) {
        text = xasprintf("%s (%d)%s%s", virtnet_strerror(error), error,
                         reason ? ": " : "", reason ? reason : "");
        VLOG_WARN("%s: no device: %s", name, text);
    }
    if (nd) {
        virtio_emu_set_warning(&nd->up, text);
    }
    free(text);
    free(key);
    free(name);
}

/* Creates the device that 'args', the options of Interface 'name', describe.
 * The keys are those of "virtnet hotplug", with the same rules. */
static int
virtio_emu_hotplug(const char *name, const struct smap *args,
                   struct virtnet_device **devp, char **errp)
{
    struct virtnet_hotplug_request req = {
        .ib_device = smap_get(args, "ib-dev"),
        .mac = smap_get(args, "mac"),
        .mtu = VIRTNET_DEFAULT_MTU,
        .queue_size = VIRTNET_DEFAULT_QUEUE_SIZE,
        .has_queue_pairs = true,
        .queue_pairs = VIRTNET_DEFAULT_QUEUE_PAIRS,
        .transitional = smap_get_bool(args, "transitional", false),
        .owner_port = name,
        .vhost_path = smap_get(args, "vhost-path"),
        .vhost_mode = smap_get(args, "vhost-mode"),
    };
    unsigned long long features = 0;
    char *detail = NULL;
    char *owned_name;
    int error;

    if (!req.ib_device) {
        req.ib_device = virtnet_controller_settings()->ib_dev_p0;
    }
    if (!req.mac) {
        *errp = xstrdup("options:hotplug needs options:mac");
        return EINVAL;
    }
    error = option_number(args, "mtu", 10, &req.mtu, NULL, errp);
    if (!error) {
        error = option_number(args, "queue-pairs", 10, &req.queue_pairs, NULL,
                              errp);
    }
    if (!error) {
        error = option_number(args, "queue-size", 10, &req.queue_size, NULL,
                              errp);
    }
    if (!error) {
        error = option_number(args, "sf-num", 10, &req.sf_num,
                              &req.has_sf_num, errp);
    }
    if (!error) {
        error = option_number(args, "features", 16, &features, NULL, errp);
    }
    if (error) {
        return error;
    }
    req.features = features;

    owned_name = xstrdup(name);
    error = virtnet_controller_start_hotplug(&req, virtio_emu_hotplugged,
                                             owned_name, devp, &detail);
    if (error != -EINPROGRESS) {
        free(owned_name);
    }
    if (error) {
        *errp = xasprintf("%s (%d)%s%s", virtnet_strerror(error), error,
                          detail ? ": " : "", detail ? detail : "");
        free(detail);
        return error > -VIRTNET_ERROR_BASE ? -error : EINVAL;
    }
    return 0;
}

static int
virtio_emu_set_config(struct netdev *netdev, const struct smap *args,
                      char **errp)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const char *name = netdev_get_name(netdev);
    struct netdev_virtio_emu *other;
    struct virtnet_device *dev;
    unsigned int pf = 0, vf = 0;
    enum selector kind = SELECT_NAME;
    const char *reason;
    char *local_err = NULL;
    char *key;
    int error;

    if ((virtio_emu_dev(nd) || (nd->lost && recheck_at != LLONG_MAX))
        && smap_equal(&nd->args, args)) {
        /* A port whose device has just gone will go soon, too. */
        return 0;
    }

    key = selector_key(name, args, &kind, &pf, &vf, &local_err);
    if (!key) {
        error = EINVAL;
        goto error;
    }

    if (nd->selector_node && !strcmp(nd->selector_node->name, key)) {
        if (virtio_emu_dev(nd)) {
            /* The same device, other attributes.  To fail would take the port
             * away from its guest, so the status says what is refused. */
            char *warning = virtnet_row_changed(virtio_emu_dev(nd), &nd->args,
                                                args);

            virtio_emu_set_warning(netdev, warning);
            free(warning);
            smap_destroy(&nd->args);
            smap_clone(&nd->args, args);
            free(key);
            return 0;
        }
    } else {
        other = shash_find_data(&netdevs, key);
        if (other && virtio_emu_is_removed(other)) {
            virtio_emu_unbind(other);
            virtio_emu_forget_selector(other);
            other = NULL;
        }
        if (other) {
            local_err = xasprintf("port %s has the same device",
                                  netdev_get_name(&other->up));
            error = EBUSY;
            goto error;
        }
        virtio_emu_unbind(nd);
        virtio_emu_forget_selector(nd);
        nd->selector_node = shash_add(&netdevs, key, nd);
    }
    smap_destroy(&nd->args);
    smap_clone(&nd->args, args);

    if (!virtnet_controller_is_running(&reason)) {
        if (!reason) {
            free(key);
            return 0;           /* Starting: wait for it. */
        }
        local_err = xstrdup(reason);
        error = ENODEV;
        goto error;
    }

    dev = selector_find(kind, name, args, pf, vf);
    if (!dev && kind == SELECT_HOTPLUG) {
        error = (virtnet_making_by_owner(name) ? EINPROGRESS
                 : virtio_emu_hotplug(name, args, &dev, &local_err));
        if (error == EINPROGRESS) {
            free(local_err);
            free(key);
            return 0;           /* Wait for it. */
        } else if (error) {
            goto error;
        }
    }
    if (!dev) {
        local_err = (kind == SELECT_NAME
                     ? xasprintf("one of options:vuid, options:pf and "
                                 "options:hotplug is needed, since %s is not "
                                 "the name of a representor", name)
                     : xasprintf("no device with %s", key));
        error = ENODEV;
        goto error;
    }
    if (dev->netdev != &nd->up) {
        if (dev->netdev
            && virtio_emu_is_removed(netdev_virtio_emu_cast(dev->netdev))) {
            virtio_emu_unbind(netdev_virtio_emu_cast(dev->netdev));
        }
        if (dev->netdev) {
            local_err = xasprintf("device %s is port %s already", dev->vuid,
                                  netdev_get_name(dev->netdev));
            error = EBUSY;
            goto error;
        }
        virtio_emu_bind(nd, dev);
        /* Somebody may wait for its port. */
        virtnet_controller_device_changed(dev);
    }
    free(key);
    return 0;

error:
    free(key);
    if (errp) {
        *errp = xasprintf("%s: %s", name, local_err);
    }
    free(local_err);
    return error;
}

static int
virtio_emu_get_config(const struct netdev *netdev, struct smap *args)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    smap_destroy(args);
    smap_clone(args, &nd->args);
    if (dev) {
        smap_replace(args, "vuid", dev->vuid);
        smap_add_format(args, "rx_queues", "%d", netdev->n_rxq);
        smap_add_format(args, "tx_queues", "%d", netdev->n_txq);
        smap_add_format(args, "max_queue_pairs", "%"PRIu16,
                        dev->config.max_queue_pairs);
        smap_add_format(args, "mtu", "%d", nd->mtu);
    }
    return 0;
}

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
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    ovs_list_remove(&nd->requeue_node);
    ovs_list_init(&nd->requeue_node);

    /* However long the others took: the loop is to have its share. */
    virtio_emu_postpone_requeues();
    netdev->n_txq = MAX(nd->requested_n_txq, 1);
    netdev->n_rxq = dev ? virtnet_device_active_rxqs(dev) : 0;
    return 0;
}

static int
virtio_emu_get_numa_id(const struct netdev *netdev)
{
    const struct virtnet_device *dev
        = virtio_emu_dev(netdev_virtio_emu_cast(netdev));

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
        int error = nd->class->rep_set_mtu(dev, mtu);
        if (error) {
            return error > -VIRTNET_ERROR_BASE ? -error : ENOMEM;
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
    const struct virtnet_device *dev
        = virtio_emu_dev(netdev_virtio_emu_cast(netdev));

    *carrier = dev && virtnet_device_carrier(dev);
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

        if (dev && (new_flags ^ nd->flags) & NETDEV_UP) {
            nd->class->rep_set_up(dev, up);
        }
        nd->flags = new_flags;
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

/* What is known of the device, for Interface.status.  EAGAIN while it may still
 * come back as it was: then what the database says remains. */
static int
virtio_emu_get_status(const struct netdev *netdev, struct smap *status)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(netdev);
    const struct virtnet_device *dev = virtio_emu_dev(nd);

    if (virtnet_controller_settling()) {
        nd->settling = true;
        return EAGAIN;
    }
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

    /* UINT64_MAX means that a counter is not supported. */
    memset(stats, 0xff, sizeof *stats);
    stats->rx_packets = stats->tx_packets = 0;
    stats->rx_bytes = stats->tx_bytes = 0;
    stats->rx_errors = stats->tx_errors = 0;
    stats->rx_dropped = stats->tx_dropped = 0;
    if (dev) {
        nd->class->rep_get_stats(dev, stats);
    }
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

    return (OVS_LIKELY(dev)
            ? nd->class->rep_recv(dev, rxq->queue_id, batch, qfill)
            : EAGAIN);
}

static bool
virtio_emu_rxq_enabled(struct netdev_rxq *rxq)
{
    struct netdev_virtio_emu *nd = netdev_virtio_emu_cast(rxq->netdev);
    struct virtnet_device *dev = ovsrcu_get(struct virtnet_device *, &nd->dev);

    return dev && nd->class->rep_rxq_enabled(dev, rxq->queue_id);
}

static int
virtio_emu_send(struct netdev *netdev, int qid, struct dp_packet_batch *batch,
                bool concurrent_txq)
{
    struct netdev_virtio_emu *nd = CONTAINER_OF(netdev,
                                                struct netdev_virtio_emu, up);
    struct virtnet_device *dev = ovsrcu_get(struct virtnet_device *, &nd->dev);

    if (OVS_UNLIKELY(!dev)) {
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

static const struct netdev_class virtio_emu_class = {
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
