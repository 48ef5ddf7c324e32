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

/* Ports that come and go with their devices.  See auto-port.h. */

#include <config.h>

#include "auto-port.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "uuid.h"
#include "virtnet-controller.h"
#include "virtnet-recovery.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(auto_port);

COVERAGE_DEFINE(auto_port_add);
COVERAGE_DEFINE(auto_port_del);
COVERAGE_DEFINE(auto_port_adopt);
COVERAGE_DEFINE(auto_port_txn);
COVERAGE_DEFINE(auto_port_txn_failed);

/* Marks rows that belong to this module. */
#define MANAGED_KEY "virtnet-managed"

/* A new Interface with options:hotplug=true is seen by the session of
 * bridge.c first, perhaps.  After this long (ms) it has to be seen here. */
#define OWNER_GRACE_MS 5000

/* Every transaction makes Open vSwitch configure all bridges again, so while
 * that takes long, what arrives is gathered: for HOLD_FACTOR times as long as
 * the main loop was last busy, but HOLD_MAX_MS at most. */
#define HOLD_FACTOR 2
#define HOLD_MAX_MS 200

/* What is known of the port of a device besides the rows. */
struct port_state {
    struct virtnet_device *dev; /* The key in 'port_states'. */
    bool had_port;              /* A marked port has been seen... */
    struct uuid bridge;         /* ...in the Bridge row with this UUID. */
    bool owner_seen;            /* The Interface that made it was seen. */
    long long int since;        /* time_msec() of birth. */

    /* Used within auto_port_reconcile() only. */
    bool has_operator_row;
    const struct port_row *row; /* The marked port, if it is to stay. */
};

/* A port in the database: three rows that belong together. */
struct port_row {
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port;
    const struct ovsrec_interface *iface;
    const char *managed;        /* VUID, or NULL for an operator's. */
    bool adopt;                 /* An operator's that has no type yet. */
};

static struct ovsdb_idl *idl;
static unsigned int idl_seqno;
static struct ovsdb_idl_txn *txn;   /* On its way, or NULL. */
static bool dirty;                  /* Something may be to be done. */
static long long int hold_until = LLONG_MIN;
static long long int turn_started;  /* time_msec() of auto_port_run(). */
static bool measure_turn;           /* Was a transaction just completed? */

/* Maps from VUID to "struct port_state". */
static struct shash port_states = SHASH_INITIALIZER(&port_states);

static void
observe(enum virtnet_event event, struct virtnet_device *dev,
        void *aux OVS_UNUSED)
{
    switch (event) {
    case VIRTNET_EVENT_ADDED: {
        struct port_state *ps = xzalloc(sizeof *ps);

        ps->dev = dev;
        ps->since = time_msec();
        free(shash_replace(&port_states, dev->vuid, ps));
        dirty = true;
        break;
    }

    case VIRTNET_EVENT_REMOVED:
        free(shash_find_and_delete(&port_states, dev->vuid));
        dirty = true;
        break;

    case VIRTNET_EVENT_STARTED:
        dirty = true;
        break;

    case VIRTNET_EVENT_CHANGED:
        /* Of no consequence for the rows. */
        break;
    }
}

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

static const struct ovsrec_bridge *
bridge_by_port(const struct ovsrec_open_vswitch *ovs, const char *name)
{
    for (size_t i = 0; i < ovs->n_bridges; i++) {
        const struct ovsrec_bridge *br = ovs->bridges[i];

        for (size_t j = 0; j < br->n_ports; j++) {
            if (!strcmp(br->ports[j]->name, name)) {
                return br;
            }
        }
    }
    return NULL;
}

/* Returns the bridge that 'dev' is to be a port of, or NULL with the reason in
 * '*why', which the caller must free. */
static const struct ovsrec_bridge *
choose_bridge(const struct ovsrec_open_vswitch *ovs,
              const struct virtnet_device *dev, char **why)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct ovsrec_bridge *br;
    const char *for_parent = NULL;
    const char *uplink = NULL;
    const char *name;

    if (nullable_string_is_equal(dev->ib_device, s->ib_dev_p0)) {
        for_parent = s->bridge_p0;
        uplink = s->uplink_p0;
    } else if (nullable_string_is_equal(dev->ib_device, s->ib_dev_p1)) {
        for_parent = s->bridge_p1;
        uplink = s->uplink_p1;
    } else if (nullable_string_is_equal(dev->ib_device, s->ib_dev_lag)) {
        for_parent = s->bridge_lag;
        uplink = s->uplink_lag;
    }

    name = dev->bridge ? dev->bridge : for_parent ? for_parent : s->bridge;
    if (name) {
        br = bridge_by_name(ovs, name);
        if (!br) {
            *why = xasprintf("bridge %s does not exist", name);
            return NULL;
        }
    } else {
        br = uplink ? bridge_by_port(ovs, uplink) : NULL;
        if (!br) {
            *why = xasprintf("no bridge: other_config:virtnet-bridge is not "
                             "set, and no bridge has the uplink %s",
                             uplink ? uplink : "of its parent");
            return NULL;
        }
    }
    if (!br->datapath_type || strcmp(br->datapath_type, "netdev")) {
        *why = xasprintf("bridge %s does not have datapath_type=netdev",
                         br->name);
        return NULL;
    }
    return br;
}

/* Which device. */

/* Returns the device that an Interface of type virtio-emu selects, or NULL.
 * Same rules as in netdev-virtio-emu.c. */
static struct virtnet_device *
iface_device(const struct ovsrec_interface *iface)
{
    const char *vuid = smap_get(&iface->options, "vuid");
    const char *pf_s = smap_get(&iface->options, "pf");
    const char *vf_s = smap_get(&iface->options, "vf");
    unsigned int pf, vf;

    if (vuid) {
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

/* Reconciliation. */

struct reconciliation {
    const struct ovsrec_open_vswitch *ovs;
    struct port_row *rows;      /* That may concern a device. */
    size_t n_rows, allocated_rows;
    struct shash names;         /* All Ports and Interfaces, by name. */
    struct shash hotplug;       /* Interfaces with options:hotplug=true. */
    int n_add, n_del, n_adopt;
};

static struct ovsdb_idl_txn *
get_txn(void)
{
    if (!txn) {
        txn = ovsdb_idl_txn_create(idl);
        ovsdb_idl_txn_add_comment(txn, "ovs-vswitchd: virtnet ports");
    }
    return txn;
}

/* Collects the ports that concern devices. */
static void
collect_rows(struct reconciliation *r)
{
    for (size_t i = 0; i < r->ovs->n_bridges; i++) {
        const struct ovsrec_bridge *br = r->ovs->bridges[i];

        for (size_t j = 0; j < br->n_ports; j++) {
            const struct ovsrec_port *port = br->ports[j];

            shash_add_once(&r->names, port->name, port);
            for (size_t k = 0; k < port->n_interfaces; k++) {
                const struct ovsrec_interface *iface = port->interfaces[k];
                bool ours = !strcmp(iface->type, "virtio-emu");
                bool adopt = (!*iface->type
                              && virtnet_device_by_rep(iface->name));

                shash_add_once(&r->names, iface->name, port);
                if (!ours && !adopt) {
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
                    .managed = smap_get(&iface->external_ids, MANAGED_KEY),
                    .adopt = adopt,
                };
                if (ours && smap_get_bool(&iface->options, "hotplug",
                                          false)) {
                    shash_add_once(&r->hotplug, iface->name, iface);
                }
            }
        }
    }
}

static void
delete_row(struct reconciliation *r, const struct port_row *row)
{
    get_txn();
    COVERAGE_INC(auto_port_del);
    VLOG_DBG("%s: deleting from %s", row->port->name, row->bridge->name);
    ovsrec_bridge_update_ports_delvalue(row->bridge, row->port);
    r->n_del++;
}

static void
insert_row(struct reconciliation *r, const struct ovsrec_bridge *br,
           const struct virtnet_device *dev)
{
    const struct smap ids = SMAP_CONST1(&ids, MANAGED_KEY, dev->vuid);
    const struct smap options = SMAP_CONST1(&options, "vuid", dev->vuid);
    struct ovsrec_interface *iface;
    struct ovsrec_port *port;

    COVERAGE_INC(auto_port_add);
    VLOG_DBG("%s: adding to %s", dev->rep_name, br->name);
    iface = ovsrec_interface_insert(get_txn());
    ovsrec_interface_set_name(iface, dev->rep_name);
    ovsrec_interface_set_type(iface, "virtio-emu");
    ovsrec_interface_set_options(iface, &options);
    ovsrec_interface_set_external_ids(iface, &ids);

    port = ovsrec_port_insert(get_txn());
    ovsrec_port_set_name(port, dev->rep_name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_port_set_external_ids(port, &ids);
    ovsrec_bridge_update_ports_addvalue(br, port);
    r->n_add++;
}

static void
adopt_row(struct reconciliation *r, const struct port_row *row,
          const struct virtnet_device *dev)
{
    COVERAGE_INC(auto_port_adopt);
    VLOG_INFO("%s: added by an operator, who gave no type; is port of %s",
              row->iface->name, dev->vuid);
    get_txn();
    ovsrec_interface_set_type(row->iface, "virtio-emu");
    ovsrec_interface_update_options_setkey(row->iface, "vuid", dev->vuid);
    r->n_adopt++;
}

/* Is the Bridge row with 'uuid' still there? */
static bool
bridge_exists(const struct ovsrec_open_vswitch *ovs, const struct uuid *uuid)
{
    for (size_t i = 0; i < ovs->n_bridges; i++) {
        if (uuid_equals(&ovs->bridges[i]->header_.uuid, uuid)) {
            return true;
        }
    }
    return false;
}

/* Sees to it that 'ps->dev' has the port that it should have, if any. */
static void
reconcile_device(struct reconciliation *r, struct port_state *ps)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    struct virtnet_device *dev = ps->dev;
    const struct ovsrec_bridge *br = NULL;
    char *why = NULL;

    if (ps->has_operator_row || dev->owner_port) {
        ps->had_port = false;
    } else if (!s->auto_port) {
        why = xstrdup("other_config:virtnet-auto-port is false");
    } else {
        br = choose_bridge(r->ovs, dev, &why);
        if (br && !ps->row && ps->had_port
            && bridge_exists(r->ovs, &ps->bridge) && !dev->port_detached) {
            VLOG_INFO("%s: port deleted by an operator; %s stays without one",
                      dev->rep_name, dev->vuid);
            dev->port_detached = true;
        }
        if (br && dev->port_detached) {
            why = xstrdup("an operator deleted the port; "
                          "\"virtnet/port-attach\" brings it back");
            br = NULL;
        }
    }

    if (ps->row && ps->row->bridge != br) {
        /* Never judged to be the operator's doing, since it is ours. */
        delete_row(r, ps->row);
        shash_find_and_delete(&r->names, dev->rep_name);
        ps->row = NULL;
        ps->had_port = false;
    }
    if (ps->row) {
        ps->had_port = true;
        ps->bridge = br->header_.uuid;
    } else if (br) {
        ps->had_port = false;
        if (shash_find(&r->names, dev->rep_name)) {
            why = xasprintf("another port has the name %s", dev->rep_name);
        } else {
            insert_row(r, br, dev);
        }
    } else if (!dev->port_detached) {
        ps->had_port = false;
    }
    virtnet_device_set_port_status(dev, why);
    free(why);
}

/* Has the Interface that made 'dev' gone for good? */
static bool
owner_is_gone(const struct reconciliation *r, struct port_state *ps)
{
    if (!ps->dev->owner_port) {
        return false;
    } else if (shash_find(&r->hotplug, ps->dev->owner_port)) {
        ps->owner_seen = true;
        return false;
    }
    return ps->owner_seen || time_msec() - ps->since >= OWNER_GRACE_MS;
}

static void
auto_port_reconcile(const struct ovsrec_open_vswitch *ovs)
{
    struct reconciliation r = {
        .ovs = ovs,
        .names = SHASH_INITIALIZER(&r.names),
        .hotplug = SHASH_INITIALIZER(&r.hotplug),
    };
    struct virtnet_device *dev;
    struct shash_node *node;

    collect_rows(&r);

    SHASH_FOR_EACH (node, &port_states) {
        struct port_state *ps = node->data;

        ps->has_operator_row = false;
        ps->row = NULL;
    }
    /* Operators' rows first, since they decide what becomes of the others. */
    for (size_t i = 0; i < r.n_rows; i++) {
        const struct port_row *row = &r.rows[i];
        struct port_state *ps;

        if (row->managed) {
            continue;
        }
        dev = (row->adopt ? virtnet_device_by_rep(row->iface->name)
               : iface_device(row->iface));
        ps = dev ? shash_find_data(&port_states, dev->vuid) : NULL;
        if (ps) {
            ps->has_operator_row = true;
            if (row->adopt) {
                adopt_row(&r, row, dev);
            }
        }
    }
    for (size_t i = 0; i < r.n_rows; i++) {
        const struct port_row *row = &r.rows[i];
        struct port_state *ps;

        if (!row->managed) {
            continue;
        }
        ps = shash_find_data(&port_states, row->managed);
        if (ps && !ps->row && !strcmp(row->iface->name, ps->dev->rep_name)) {
            ps->row = row;
        } else {
            /* Its device is gone, or it is a second port of it. */
            delete_row(&r, row);
        }
    }

    VIRTNET_FOR_EACH_DEVICE (dev) {
        struct port_state *ps = shash_find_data(&port_states, dev->vuid);

        if (!ps) {
            continue;
        }
        if (owner_is_gone(&r, ps)) {
            char *detail;
            int error;

            VLOG_INFO("%s: Interface %s is gone", dev->vuid, dev->owner_port);
            error = virtnet_controller_unplug(dev, true, &detail);
            if (error) {
                VLOG_WARN("%s: not unplugged: %s (%d)", dev->vuid,
                          virtnet_strerror(error), error);
            }
            free(detail);
        } else {
            reconcile_device(&r, ps);
        }
    }

    if (r.n_add || r.n_del || r.n_adopt) {
        COVERAGE_INC(auto_port_txn);
        VLOG_INFO("ports: %d to add, %d to delete, %d to adopt", r.n_add,
                  r.n_del, r.n_adopt);
    }
    free(r.rows);
    shash_destroy(&r.names);
    shash_destroy(&r.hotplug);
}

/* Moves the transaction on.  Returns true if none is on its way. */
static bool
run_txn(void)
{
    enum ovsdb_idl_txn_status status;

    if (!txn) {
        return true;
    }
    status = ovsdb_idl_txn_commit(txn);
    if (status == TXN_INCOMPLETE) {
        return false;
    }
    if (status != TXN_SUCCESS && status != TXN_UNCHANGED) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

        /* Try again means that somebody else was faster. */
        COVERAGE_INC(auto_port_txn_failed);
        if (status != TXN_TRY_AGAIN) {
            VLOG_WARN_RL(&rl, "ports not written: %s: %s",
                         ovsdb_idl_txn_status_to_string(status),
                         ovsdb_idl_txn_get_error(txn));
            hold_until = time_msec() + 1000;
        }
        dirty = true;
    }
    measure_turn = true;
    ovsdb_idl_txn_destroy(txn);
    txn = NULL;
    return true;
}

/* Commands. */

static void
port_attach(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[], void *aux OVS_UNUSED)
{
    const char *option = argv[1];
    const char *value = argv[2];
    struct virtnet_device *dev = NULL;
    unsigned int pf;
    int error;
    char *reply;

    if (!strcmp(option, "-p") || !strcmp(option, "--pf")) {
        if (str_to_uint(value, 0, &pf)) {
            dev = virtnet_device_by_pf(pf);
        }
        error = dev ? 0 : VIRTNET_E_DEV_NOT_FOUND;
    } else if (!strcmp(option, "-u") || !strcmp(option, "--vuid")) {
        dev = virtnet_device_by_vuid(value);
        error = dev ? 0 : VIRTNET_E_VUID_INVALID;
    } else {
        unixctl_command_reply_error(conn, "either -p PF or -u VUID is needed");
        return;
    }
    if (dev && dev->port_detached) {
        struct port_state *ps = shash_find_data(&port_states, dev->vuid);

        dev->port_detached = false;
        if (ps) {
            ps->had_port = false;
        }
        dirty = true;
    }
    reply = xasprintf("{\n  \"errno\": %d,\n  \"errstr\": \"%s\"\n}", error,
                      virtnet_strerror(error));
    unixctl_command_reply(conn, reply);
    free(reply);
}

/* Main loop. */

void
auto_port_init(const char *remote)
{
    static const struct ovsdb_idl_column *columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_open_vswitch_col_other_config,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_datapath_type,
        &ovsrec_port_col_name,
        &ovsrec_port_col_interfaces,
        &ovsrec_port_col_external_ids,
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_type,
        &ovsrec_interface_col_options,
        &ovsrec_interface_col_external_ids,
    };

    idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, true);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
    idl_seqno = ovsdb_idl_get_seqno(idl);
    virtnet_controller_add_observer(observe, NULL);
    unixctl_command_register("virtnet/port-attach", "-p PF | -u VUID", 2, 2,
                             port_attach, NULL);
}

void
auto_port_run(void)
{
    const struct ovsrec_open_vswitch *ovs;

    turn_started = time_msec();
    ovsdb_idl_run(idl);
    if (!ovsdb_idl_has_ever_connected(idl)) {
        return;
    }
    if (ovsdb_idl_get_seqno(idl) != idl_seqno) {
        idl_seqno = ovsdb_idl_get_seqno(idl);
        dirty = true;
    }
    ovs = ovsrec_open_vswitch_first(idl);
    if (!ovs) {
        return;
    }
    if (dirty) {
        uint64_t seqno = virtnet_controller_seqno();

        virtnet_controller_configure(&ovs->other_config);
        dirty |= seqno != virtnet_controller_seqno();
    }
    if (!run_txn() || !dirty || time_msec() < hold_until
        || !virtnet_controller_is_running(NULL)) {
        return;
    }
    dirty = false;
    auto_port_reconcile(ovs);
    run_txn();
}

void
auto_port_wait(void)
{
    long long int busy = time_msec() - turn_started;

    ovsdb_idl_wait(idl);
    if (txn) {
        ovsdb_idl_txn_wait(txn);
    }
    if (measure_turn && busy > 1) {
        /* The bridges have just been configured with what was written. */
        hold_until = MAX(hold_until, time_msec() + MIN(busy * HOLD_FACTOR,
                                                       HOLD_MAX_MS));
        measure_turn = false;
    }
    if (dirty && !txn && virtnet_controller_is_running(NULL)) {
        poll_timer_wait_until(MAX(hold_until, 0));
    }
}

void
auto_port_exit(void)
{
    if (txn) {
        ovsdb_idl_txn_destroy(txn);
        txn = NULL;
    }
    ovsdb_idl_destroy(idl);
    idl = NULL;
    shash_destroy_free_data(&port_states);
}
