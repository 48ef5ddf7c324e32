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

/* Offload of flows for versions of Open vSwitch with "struct
 * dpif_offload_class", i.e. since 3.7.  See offload.h and
 * virtnet-flow-provider.h.
 *
 * Threads: whoever changes flows of the datapath puts and deletes here at
 * once: packet threads when they add a flow after an upcall, for which they
 * take locks anyway, and revalidators.  Ports belong to the main thread, and
 * others find them under RCU. */

#include <config.h>

#include "offload.h"
#include "virtnet-compat.h"

#if VIRTNET_OVS_VERSION >= 30700

#include <errno.h>

#include "dpif-offload-provider.h"
#include "netdev-provider.h"
#include "netdev-virtio-emu.h"
#include "offload-share.h"
#include "offload-uplink.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "uuid.h"
#include "virtnet-flow-provider.h"

VLOG_DEFINE_THIS_MODULE(virtnet_offload);

/* What "dpctl/dump-flows" says of an offloaded flow: "dp:virtnet". */
#define DP_LAYER "virtnet"

struct offload {
    struct dpif_offload up;
    bool enabled;               /* other_config:hw-offload.  Main thread. */
};

/* That of dpif-netdev, which is the same for all. */
static dpif_offload_flow_unreference_cb *unreference_cb;

static struct offload *
offload_cast(const struct dpif_offload *dpif_offload)
{
    return CONTAINER_OF(dpif_offload, struct offload, up);
}

/* Main thread: from now on flows of 'netdev' are offloaded by 'dpif_offload',
 * or, if that is NULL, not any more. */
static void
set_offload(struct netdev *netdev, struct dpif_offload *dpif_offload)
{
    if (virtio_emu_is(netdev)) {
        dpif_offload_set_netdev_offload(netdev, dpif_offload);
        virtio_emu_set_offload(netdev, dpif_offload != NULL);
    } else if (dpif_offload) {
        offload_uplink_add(netdev);
        dpif_offload_set_netdev_offload(netdev, dpif_offload);
    } else {
        dpif_offload_set_netdev_offload(netdev, NULL);
        offload_uplink_remove(netdev);
    }
}

/* Life. */

static int
offload_open(const struct dpif_offload_class *class, struct dpif *dpif,
             struct dpif_offload **dpif_offload)
{
    struct offload *offload = xzalloc(sizeof *offload);

    dpif_offload_init(&offload->up, class, dpif);
    *dpif_offload = &offload->up;
    return 0;
}

static int offload_port_del(struct dpif_offload *, odp_port_t);

static void
offload_close(struct dpif_offload *dpif_offload)
{
    struct offload *offload = offload_cast(dpif_offload);
    struct dpif_offload_port *port;

    DPIF_OFFLOAD_PORT_FOR_EACH (port, dpif_offload) {
        offload_port_del(dpif_offload, port->port_no);
    }
    dpif_offload_destroy(dpif_offload);
    ovsrcu_postpone(free, offload); /* See offload_is_ours(). */
}

static void
offload_set_config(struct dpif_offload *dpif_offload,
                   const struct smap *other_config)
{
    struct offload *offload = offload_cast(dpif_offload);
    struct dpif_offload_port *port;

    if (!offload->enabled
        && smap_get_bool(other_config, "hw-offload", false)) {
        offload->enabled = true;
        DPIF_OFFLOAD_PORT_FOR_EACH (port, dpif_offload) {
            set_offload(port->netdev, dpif_offload);
        }
    }
}

static void
offload_get_debug(const struct dpif_offload *dpif_offload OVS_UNUSED,
                  struct ds *ds, struct json *json OVS_UNUSED)
{
    if (ds) {
        ds_put_cstr(ds, "  See virtnet/offload-show.\n");
    }
}

/* Ports. */

static bool
offload_can_offload(struct dpif_offload *dpif_offload OVS_UNUSED,
                    struct netdev *netdev)
{
    return (virtio_emu_is(netdev) ? !virtio_emu_offload_by_dpdk(netdev)
            : offload_uplink_is_possible(netdev));
}

static int
offload_port_add(struct dpif_offload *dpif_offload, struct netdev *netdev,
                 odp_port_t port_no)
{
    struct offload *offload = offload_cast(dpif_offload);
    struct dpif_offload_port *port = xzalloc(sizeof *port);

    if (!dpif_offload_port_mgr_add(dpif_offload, port, netdev, port_no,
                                   false)) {
        free(port);
        return EEXIST;
    }
    if (offload->enabled || dpif_offload_enabled()) {
        offload->enabled = true;
        set_offload(netdev, dpif_offload);
    }
    return 0;
}

/* Once nobody uses 'port' any more.  It may have been used until now. */
static void
port_is_gone(struct dpif_offload_port *port)
{
    netdev_close(port->netdev);
    free(port);
}

static int
offload_port_del(struct dpif_offload *dpif_offload, odp_port_t port_no)
{
    struct dpif_offload_port *port;

    port = dpif_offload_port_mgr_remove(dpif_offload, port_no);
    if (port) {
        set_offload(port->netdev, NULL);
        ovsrcu_postpone(port_is_gone, port);
    }
    return 0;
}

static struct netdev *
offload_get_netdev(const struct dpif_offload *dpif_offload,
                   odp_port_t port_no)
{
    struct dpif_offload_port *port;

    port = dpif_offload_port_mgr_find_by_odp_port(dpif_offload, port_no);
    return port ? port->netdev : NULL;
}

/* Flows. */

struct port_to_dev_aux {
    const struct dpif_offload *dpif_offload;
    const struct virtnet_flow_class *class;
};

static struct virtnet_device *
port_to_dev(odp_port_t port_no, void *aux_, enum virtnet_flow_reason *reason)
{
    const struct port_to_dev_aux *aux = aux_;
    const struct virtnet_flow_class *class = NULL;
    struct virtnet_device *dev;
    struct netdev *netdev;

    *reason = VIRTNET_FLOW_NONE;
    netdev = offload_get_netdev(aux->dpif_offload, port_no);
    if (!netdev || !virtio_emu_is(netdev)) {
        return NULL;            /* Gone, or of another type. */
    }
    dev = offload_get_own_device(netdev, &class);
    if (!dev || class != aux->class) {
        *reason = VIRTNET_FLOW_OUTPUT_NONE;
        return NULL;
    }
    return dev;
}

static int
offload_flow_put(const struct dpif_offload *dpif_offload,
                 struct netdev *netdev, struct dpif_offload_flow_put *put,
                 void **previous_flow_reference)
{
    struct port_to_dev_aux aux = { .dpif_offload = dpif_offload };
    const struct offload_share_flow flow = {
        .flow = put->flow_reference,
        .pmd_id = put->pmd_id,
        .mega_ufid = put->ufid,
    };
    struct virtnet_flow_actions compiled;
    struct virtnet_flow_stats s;
    enum virtnet_flow_reason reason;
    struct virtnet_device *dev;
    int error;

    *previous_flow_reference = NULL;
    dev = offload_get_device(netdev, &aux.class);
    if (!dev) {
        virtnet_flow_count_refusal(VIRTNET_FLOW_NOT_ATTACHED);
        return ENODEV;
    }
    reason = virtnet_flow_compile(put->actions, put->actions_len, port_to_dev,
                                  &aux, &compiled);
    if (!reason && !virtio_emu_is(netdev)
        && !virtnet_flow_has_device(&compiled)) {
        reason = VIRTNET_FLOW_INPUT_OTHER;
    }
    error = offload_share_put(aux.class, dev, put->match,
                              reason ? NULL : &compiled, &put->match->wc,
                              &flow, &s, &reason, previous_flow_reference);
    if (reason) {
        virtnet_flow_count_refusal(reason);
        VLOG_DBG("%s: flow "UUID_FMT" is not offloaded: it %s",
                 netdev_get_name(netdev),
                 UUID_ARGS((const struct uuid *) put->ufid),
                 virtnet_flow_reason_text(reason));
    }
    if (!error && put->stats) {
        offload_share_to_dpif(&s, put->stats);
    }
    return error;
}

static int
offload_flow_del(const struct dpif_offload *dpif_offload OVS_UNUSED,
                 struct netdev *netdev OVS_UNUSED,
                 struct dpif_offload_flow_del *del)
{
    if (del->stats) {
        memset(del->stats, 0, sizeof *del->stats);
    }
    return offload_share_remove(del->ufid);
}

static bool
offload_flow_stats(const struct dpif_offload *dpif_offload OVS_UNUSED,
                   struct netdev *netdev OVS_UNUSED, const ovs_u128 *ufid,
                   struct dpif_flow_stats *stats,
                   struct dpif_flow_attrs *attrs)
{
    struct virtnet_flow_stats s;

    if (offload_share_get(ufid, &s)) {
        return false;
    }
    offload_share_to_dpif(&s, stats);
    attrs->offloaded = s.in_force;
    attrs->dp_layer = s.in_force ? DP_LAYER : "ovs";
    attrs->dp_extra_info = NULL;
    return true;
}

/* Flows whose port has gone, for which Open vSwitch does not ask who offloads
 * them.  See offload-share.h. */

int __real_dpif_offload_datapath_flow_put(const char *dpif_name,
                                          struct dpif_offload_flow_put *,
                                          void **previous_flow_reference);
int __wrap_dpif_offload_datapath_flow_put(const char *dpif_name,
                                          struct dpif_offload_flow_put *,
                                          void **previous_flow_reference);
int __real_dpif_offload_datapath_flow_del(const char *dpif_name,
                                          struct dpif_offload_flow_del *);
int __wrap_dpif_offload_datapath_flow_del(const char *dpif_name,
                                          struct dpif_offload_flow_del *);
bool __real_dpif_offload_datapath_flow_stats(const char *dpif_name,
                                             odp_port_t in_port,
                                             const ovs_u128 *ufid,
                                             struct dpif_flow_stats *,
                                             struct dpif_flow_attrs *);
bool __wrap_dpif_offload_datapath_flow_stats(const char *dpif_name,
                                             odp_port_t in_port,
                                             const ovs_u128 *ufid,
                                             struct dpif_flow_stats *,
                                             struct dpif_flow_attrs *);

/* A flow that cannot be put any more still has its share, which would never be
 * removed if Open vSwitch took it for one that is not offloaded. */
int
__wrap_dpif_offload_datapath_flow_put(const char *dpif_name,
                                      struct dpif_offload_flow_put *put,
                                      void **previous_flow_reference)
{
    struct virtnet_flow_stats stats;
    int error;

    error = __real_dpif_offload_datapath_flow_put(dpif_name, put,
                                                  previous_flow_reference);
    if (error && error != EINPROGRESS
        && !offload_share_get(put->ufid, &stats)) {
        *previous_flow_reference = put->flow_reference;
        error = 0;
    }
    return error;
}

int
__wrap_dpif_offload_datapath_flow_del(const char *dpif_name,
                                      struct dpif_offload_flow_del *del)
{
    return (offload_flow_del(NULL, NULL, del)
            ? __real_dpif_offload_datapath_flow_del(dpif_name, del) : 0);
}

bool
__wrap_dpif_offload_datapath_flow_stats(const char *dpif_name,
                                        odp_port_t in_port,
                                        const ovs_u128 *ufid,
                                        struct dpif_flow_stats *stats,
                                        struct dpif_flow_attrs *attrs)
{
    return (__real_dpif_offload_datapath_flow_stats(dpif_name, in_port, ufid,
                                                    stats, attrs)
            || offload_flow_stats(NULL, NULL, ufid, stats, attrs));
}

static void
release_flow(void *flow, unsigned int pmd_id)
{
    if (unreference_cb) {
        unreference_cb(pmd_id, flow);
    }
}

static const struct offload_share_class dpif_share_class = {
    .release = release_flow,
};

static int
offload_flow_flush(const struct dpif_offload *dpif_offload)
{
    struct dpif_offload_port *port;

    DPIF_OFFLOAD_PORT_FOR_EACH (port, dpif_offload) {
        const struct virtnet_flow_class *class;
        struct virtnet_device *dev = offload_get_device(port->netdev, &class);

        if (dev) {
            class->flush(dev);
        }
    }
    return 0;
}

static uint64_t
offload_flow_count(const struct dpif_offload *dpif_offload)
{
    struct dpif_offload_port *port;
    uint64_t n = 0;

    DPIF_OFFLOAD_PORT_FOR_EACH (port, dpif_offload) {
        const struct virtnet_flow_class *class;
        struct virtnet_device *dev = offload_get_device(port->netdev, &class);

        n += dev ? class->count(dev) : 0;
    }
    return n;
}

static void
offload_register_flow_unreference_cb(
    const struct dpif_offload *dpif_offload OVS_UNUSED,
    dpif_offload_flow_unreference_cb *cb)
{
    unreference_cb = cb;
}

static const struct dpif_offload_class offload_class = {
    .type = "virtnet",
    .impl_type = DPIF_OFFLOAD_IMPL_FLOWS_DPIF_SYNCED,
    .supported_dpif_types = (const char *const[]) { "netdev", NULL },
    .open = offload_open,
    .close = offload_close,
    .set_config = offload_set_config,
    .get_debug = offload_get_debug,
    .can_offload = offload_can_offload,
    .port_add = offload_port_add,
    .port_del = offload_port_del,
    .flow_flush = offload_flow_flush,
    .flow_count = offload_flow_count,
    .get_netdev = offload_get_netdev,
    .netdev_flow_put = offload_flow_put,
    .netdev_flow_del = offload_flow_del,
    .netdev_flow_stats = offload_flow_stats,
    .register_flow_unreference_cb = offload_register_flow_unreference_cb,
};

bool
offload_is_ours(const struct netdev *netdev)
{
    const struct dpif_offload *dpif_offload
        = ovsrcu_get(const struct dpif_offload *, &netdev->dpif_offload);

    return dpif_offload && dpif_offload->class == &offload_class;
}

void
offload_init(void)
{
    offload_share_init(&dpif_share_class);
    dpif_offload_register_provider(&offload_class);
}

#endif /* VIRTNET_OVS_VERSION >= 30700 */
