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

/* Rows of ports: what they say, and what can be done to them.  See
 * auto-port-rows.h. */

#include <config.h>

#include "auto-port-rows.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-settings.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(auto_port_rows);

COVERAGE_DEFINE(auto_port_add);
COVERAGE_DEFINE(auto_port_del);
COVERAGE_DEFINE(auto_port_move);
COVERAGE_DEFINE(auto_port_repair);
COVERAGE_DEFINE(auto_port_adopt);

/* Rows that belong to this module have the VUID of their device as this member
 * of external_ids. */
#define MANAGED_KEY "virtnet-managed"

/* The netdev type that ports of devices have. */
#define PORT_TYPE "virtio-emu"

/* other_config:virtnet-iface-id-VUID becomes external_ids:iface-id, by which
 * OVN knows the port. */
#define IFACE_ID_SETTING VIRTNET_IFACE_ID_HEAD"%s"

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(30, 30);

/* Which bridge. */

static const struct ovsrec_bridge *
bridge_by_name(const struct ovsrec_open_vswitch *ovs, const char *name)
{
    for (size_t i = 0; i < ovs->n_bridges; i++) {
        if (!strcmp(ovs->bridges[i]->name, name)) {
            return ovs->bridges[i];
        }
    }
    return NULL;
}

bool
auto_port_bridge_exists(const struct ovsrec_open_vswitch *ovs,
                        const struct uuid *uuid)
{
    for (size_t i = 0; i < ovs->n_bridges; i++) {
        if (uuid_equals(&ovs->bridges[i]->header_.uuid, uuid)) {
            return true;
        }
    }
    return false;
}

/* Has 'br' the kernel datapath?  See kernel-port.c. */
static bool
bridge_is_kernel(const struct ovsrec_bridge *br)
{
    return (!*br->datapath_type || !strcmp(br->datapath_type, "system"));
}

bool
auto_port_bridge_is_usable(const struct ovsrec_bridge *br,
                           const struct virtnet_device *dev)
{
    return (!strcmp(br->datapath_type, "netdev")
            || (bridge_is_kernel(br) && dev->backend->class->rep_is_netdev));
}

const struct ovsrec_bridge *
auto_port_choose_bridge(const struct reconciliation *r,
                        const struct virtnet_device *dev, char **why)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    struct virtnet_parent_settings parent
        = virtnet_settings_of_parent(s, dev->ib_device);
    const struct ovsrec_bridge *br;
    const char *name;

    name = (dev->bridge ? dev->bridge
            : parent.bridge ? parent.bridge : s->bridge);
    if (name) {
        br = bridge_by_name(r->ovs, name);
        if (!br) {
            *why = xasprintf("bridge %s does not exist", name);
            return NULL;
        }
    } else {
        br = (parent.uplink ? shash_find_data(&r->names, parent.uplink)
              : NULL);
        if (!br) {
            *why = xasprintf("no bridge: other_config:virtnet-bridge is not "
                             "set, and no bridge has the uplink %s",
                             parent.uplink ? parent.uplink
                             : "of its parent");
            return NULL;
        }
    }
    if (!auto_port_bridge_is_usable(br, dev)) {
        *why = xasprintf("bridge %s does not have datapath_type=netdev",
                         br->name);
        return NULL;
    }
    return br;
}

/* Which device. */

struct virtnet_device *
auto_port_iface_device(const struct ovsrec_interface *iface)
{
    const char *vuid = smap_get(&iface->options, "vuid");
    const char *pf_s = smap_get(&iface->options, "pf");
    const char *vf_s = smap_get(&iface->options, "vf");
    unsigned int pf, vf;

    if (!*iface->type) {
        return virtnet_device_by_rep(iface->name);
    } else if (vuid) {
        return virtnet_device_by_vuid(vuid);
    } else if (pf_s) {
        return (!str_to_uint(pf_s, 10, &pf) ? NULL
                : !vf_s ? virtnet_device_by_pf(pf)
                : !str_to_uint(vf_s, 10, &vf) ? NULL
                : virtnet_device_by_vf(pf, vf));
    } else if (smap_get_bool(&iface->options, "hotplug", false)) {
        return virtnet_device_by_owner(iface->name);
    } else {
        return virtnet_device_by_rep(iface->name);
    }
}

/* Returns the VUID that 'port' and its only Interface 'iface' are marked with,
 * or NULL.  What an operator made out of a marked row, a bond for instance, is
 * the operator's. */
static const char *
managed_vuid(const struct ovsrec_port *port,
             const struct ovsrec_interface *iface)
{
    const char *vuid = smap_get(&iface->external_ids, MANAGED_KEY);

    return (vuid && port->n_interfaces == 1
            && nullable_string_is_equal(
                vuid, smap_get(&port->external_ids, MANAGED_KEY))
            ? vuid : NULL);
}

void
auto_port_collect_rows(struct reconciliation *r)
{
    for (size_t i = 0; i < r->ovs->n_bridges; i++) {
        const struct ovsrec_bridge *br = r->ovs->bridges[i];

        for (size_t j = 0; j < br->n_ports; j++) {
            const struct ovsrec_port *port = br->ports[j];

            shash_add_once(&r->names, port->name, br);
            for (size_t k = 0; k < port->n_interfaces; k++) {
                const struct ovsrec_interface *iface = port->interfaces[k];
                const char *managed = managed_vuid(port, iface);
                bool typed = !strcmp(iface->type, PORT_TYPE);

                if (strcmp(iface->name, port->name)) {
                    shash_add_once(&r->names, iface->name, br);
                }
                if (!managed && !typed && *iface->type) {
                    continue;
                }
                if (r->n_rows >= r->allocated_rows) {
                    r->rows = x2nrealloc(r->rows, &r->allocated_rows,
                                         sizeof *r->rows);
                }
                r->rows[r->n_rows++] = (struct port_row) {
                    .bridge = br,
                    .port = port,
                    .iface = iface,
                    .managed = managed,
                };
                if (typed && smap_get_bool(&iface->options, "hotplug",
                                           false)) {
                    shash_add_once(&r->hotplug, iface->name, iface);
                }
            }
        }
    }
}

/* What can be done to rows. */

/* Returns the transaction that takes all changes. */
static struct ovsdb_idl_txn *
get_txn(struct reconciliation *r)
{
    if (!*r->txn) {
        *r->txn = ovsdb_idl_txn_create(r->idl);
        ovsdb_idl_txn_add_comment(*r->txn, "ovs-vswitchd: virtnet ports");
    }
    return *r->txn;
}

void
auto_port_delete_row(struct reconciliation *r, const struct port_row *row)
{
    COVERAGE_INC(auto_port_del);
    VLOG_INFO_RL(&rl, "bridge %s: deleting port %s of %s", row->bridge->name,
                 row->port->name, row->managed);
    get_txn(r);
    ovsrec_bridge_update_ports_delvalue(row->bridge, row->port);
    shash_find_and_delete(&r->names, row->port->name);
    shash_find_and_delete(&r->names, row->iface->name);
    r->n_changes++;
}

void
auto_port_move_row(struct reconciliation *r, const struct port_row *row,
                   const struct ovsrec_bridge *br)
{
    COVERAGE_INC(auto_port_move);
    VLOG_INFO_RL(&rl, "bridge %s: port %s of %s moves to bridge %s",
                 row->bridge->name, row->port->name, row->managed, br->name);
    get_txn(r);
    ovsrec_bridge_update_ports_delvalue(row->bridge, row->port);
    ovsrec_bridge_update_ports_addvalue(br, row->port);
    r->n_changes++;
}

/* Returns the external_ids:iface-id that 'dev' is to have, or NULL. */
static const char *
wanted_iface_id(const struct reconciliation *r,
                const struct virtnet_device *dev)
{
    char *key = xasprintf(IFACE_ID_SETTING, dev->vuid);
    const char *id = smap_get(&r->ovs->other_config, key);

    free(key);
    return id;
}

void
auto_port_insert_row(struct reconciliation *r, const struct ovsrec_bridge *br,
                     const struct virtnet_device *dev)
{
    const char *iface_id = wanted_iface_id(r, dev);
    struct smap ids = SMAP_INITIALIZER(&ids);
    struct ovsrec_interface *iface;
    struct ovsrec_port *port;

    COVERAGE_INC(auto_port_add);
    VLOG_INFO_RL(&rl, "bridge %s: adding port %s of %s", br->name,
                 dev->rep_name, dev->vuid);
    smap_add(&ids, MANAGED_KEY, dev->vuid);

    port = ovsrec_port_insert(get_txn(r));
    ovsrec_port_set_name(port, dev->rep_name);
    ovsrec_port_set_external_ids(port, &ids);

    if (iface_id) {
        smap_add(&ids, "iface-id", iface_id);
    }
    iface = ovsrec_interface_insert(get_txn(r));
    ovsrec_interface_set_name(iface, dev->rep_name);
    ovsrec_interface_set_type(iface, PORT_TYPE);
    if (!bridge_is_kernel(br)) {
        const struct smap options = SMAP_CONST1(&options, "vuid", dev->vuid);

        ovsrec_interface_set_options(iface, &options);
    }
    ovsrec_interface_set_external_ids(iface, &ids);

    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_bridge_update_ports_addvalue(br, port);
    smap_destroy(&ids);
    r->n_changes++;
}

/* Sets in 'iface' of 'br' what makes it a port of 'dev', as far as it is not
 * set: in the kernel datapath its name does, and an interface of the kernel
 * takes no options.  Returns true if that was a change. */
static bool
bind_iface(struct reconciliation *r, const struct ovsrec_bridge *br,
           const struct ovsrec_interface *iface,
           const struct virtnet_device *dev)
{
    const char *vuid = smap_get(&iface->options, "vuid");
    const char *wanted = bridge_is_kernel(br) ? NULL : dev->vuid;
    bool typed = !strcmp(iface->type, PORT_TYPE);

    if (typed && nullable_string_is_equal(vuid, wanted)) {
        return false;
    }
    get_txn(r);
    if (!typed) {
        ovsrec_interface_set_type(iface, PORT_TYPE);
    }
    if (wanted) {
        ovsrec_interface_update_options_setkey(iface, "vuid", wanted);
    } else {
        ovsrec_interface_update_options_delkey(iface, "vuid");
    }
    r->n_changes++;
    return true;
}

void
auto_port_repair_row(struct reconciliation *r, const struct port_row *row,
                     const struct virtnet_device *dev)
{
    const char *iface_id = wanted_iface_id(r, dev);
    const char *now = smap_get(&row->iface->external_ids, "iface-id");

    if (bind_iface(r, row->bridge, row->iface, dev)) {
        COVERAGE_INC(auto_port_repair);
        VLOG_INFO_RL(&rl, "port %s: is a port of %s again", row->iface->name,
                     dev->vuid);
    }
    if (iface_id && !nullable_string_is_equal(iface_id, now)) {
        get_txn(r);
        ovsrec_interface_update_external_ids_setkey(row->iface, "iface-id",
                                                    iface_id);
        r->n_changes++;
    }
}

void
auto_port_adopt_row(struct reconciliation *r, const struct port_row *row,
                    const struct virtnet_device *dev)
{
    COVERAGE_INC(auto_port_adopt);
    VLOG_INFO_RL(&rl, "port %s: made by an operator, without a type; becomes "
                 "a port of %s", row->iface->name, dev->vuid);
    bind_iface(r, row->bridge, row->iface, dev);
}
