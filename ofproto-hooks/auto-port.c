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
#include <time.h>

#include "coverage.h"
#include "if-notifier.h"
#include "netdev.h"
#include "netdev-virtio-emu.h"
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
#include "virtnet-json.h"
#include "virtnet-settings.h"
#include "virtnet-sriov.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(auto_port);

COVERAGE_DEFINE(auto_port_look);
COVERAGE_DEFINE(auto_port_add);
COVERAGE_DEFINE(auto_port_del);
COVERAGE_DEFINE(auto_port_move);
COVERAGE_DEFINE(auto_port_repair);
COVERAGE_DEFINE(auto_port_adopt);
COVERAGE_DEFINE(auto_port_stale_error);
COVERAGE_DEFINE(auto_port_txn);
COVERAGE_DEFINE(auto_port_txn_failed);

/* Rows that belong to this module have the VUID of their device as this member
 * of external_ids. */
#define MANAGED_KEY "virtnet-managed"

/* The netdev type that ports of devices have. */
#define PORT_TYPE "virtio-emu"

/* other_config:virtnet-iface-id-VUID becomes external_ids:iface-id, by which
 * OVN knows the port. */
#define IFACE_ID_SETTING VIRTNET_IFACE_ID_HEAD"%s"

/* A new Interface with options:hotplug=true is seen by the session of
 * bridge.c first, perhaps.  After this long (ms) it has to be seen here. */
#define OWNER_GRACE_MS 5000

/* An error that bridge.c takes back in its next transaction, while the one
 * that has the error is on its way, stays in the database: what is written is
 * what bridge.c believes to be there already.  That happens when what was in
 * an Interface's way goes at once, as an automatic port does.  So this long
 * (ms) after an error of an Interface that has its device has been seen, have
 * bridge.c look again. */
#define STALE_ERROR_MS 100

/* A transaction that was refused is tried again when the database has changed,
 * or after this long (ms). */
#define RETRY_MS 1000

/* Every transaction makes Open vSwitch configure all bridges again, so while
 * that takes long, what arrives is gathered: for HOLD_FACTOR times as long as
 * the main loop was last busy, but HOLD_MAX_MS at most. */
#define HOLD_FACTOR 8
#define HOLD_MAX_MS 250

/* To add or delete a port, Open vSwitch looks at all ports of its bridge, in
 * the same turn of the main loop for all that are added or deleted by one
 * transaction.  So a transaction has no more changes than a portion, which is
 * what has turned out to take between TURN_MS / 2 and TURN_MS. */
#define TURN_MS 15
#define PORTION_MIN 8
#define PORTION_MAX 32

/* How long (ms) to have VFs wait for ports at most, at a time. */
#define PAUSE_MAX_MS 2000

/* To see what is to be done all devices are looked at.  If that was in vain,
 * as none that came or went needs a change, then as long as VFs come or go it
 * is not done again for this long (ms), unless the database changes: a VF must
 * not cost the more the more there are. */
#define VAIN_MS 250

/* What is known of the port of a device besides the rows. */
struct port_state {
    struct virtnet_device *dev; /* Its VUID is the key in 'port_states'. */
    bool had_port;              /* A marked port has been seen... */
    struct uuid bridge;         /* ...in the Bridge row with this UUID. */
    bool owner_seen;            /* The Interface that made it was seen, or */
                                /* would have been if it were there. */
    long long int born;         /* time_msec() of VIRTNET_EVENT_ADDED. */

    /* Used within auto_port_reconcile() only. */
    const struct port_row *row; /* The marked port, if there is one. */
    const struct port_row *operator_row; /* Another one that selects it. */
};

/* A port in the database that concerns a device, or did: an Interface and the
 * Port and Bridge that it is in. */
struct port_row {
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port;
    const struct ovsrec_interface *iface;
    const char *managed;        /* VUID if it was made here, else NULL. */
};

/* The session with the database. */
static struct ovsdb_idl *idl;
static unsigned int idl_seqno;      /* Last seen. */
static bool synced;                 /* Is what 'idl' holds up to date? */
static unsigned int stale_seqno;    /* While not 'synced': before it is. */

static struct ovsdb_idl_txn *txn;   /* On its way, or NULL. */
static bool dirty;                  /* Something may be to be done. */
static bool started;                /* Are recorded devices back? */
static long long int retry_at = LLONG_MIN;  /* After a failure; time_msec(). */
static long long int next_check = LLONG_MAX; /* For owners; time_msec(). */
static long long int nudge_at = LLONG_MAX;  /* STALE_ERROR_MS; time_msec(). */

/* Pacing; see HOLD_FACTOR. */
static long long int hold_until = LLONG_MIN; /* time_msec(). */
static long long int turn_started;  /* time_msec() of auto_port_run(). */
static bool measure_turn;           /* Was a transaction just completed? */
static long long int turn_started_cpu; /* main_thread_msec() at that time. */
static long long int busiest;       /* Longest turn since it was sent, in ms of
                                     * processor time. */
static int portion = 16;            /* Changes in a transaction. */
static bool more;                   /* Are there more to be made? */
static int n_waiting;               /* Devices that came or went since then. */
static bool wrote;                  /* Was there anything to be written? */
static long long int vain_until = LLONG_MIN; /* VAIN_MS; time_msec(). */
static long long int pause_end = LLONG_MAX; /* Of VFs; time_msec(). */

/* Maps from VUID to "struct port_state". */
static struct shash port_states = SHASH_INITIALIZER(&port_states);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(30, 30);

static void
observe(enum virtnet_event event, struct virtnet_device *dev,
        void *aux OVS_UNUSED)
{
    switch (event) {
    case VIRTNET_EVENT_ADDED: {
        struct port_state *ps = xzalloc(sizeof *ps);

        ps->dev = dev;
        ps->born = time_msec();
        /* The Interface that made a device which was brought back was in the
         * database before this process was. */
        ps->owner_seen = !started;
        free(shash_replace(&port_states, dev->vuid, ps));
        dirty = true;
        n_waiting++;
        break;
    }

    case VIRTNET_EVENT_REMOVED:
        free(shash_find_and_delete(&port_states, dev->vuid));
        dirty = true;
        n_waiting++;
        break;

    case VIRTNET_EVENT_STARTED:
        started = virtnet_controller_is_running(NULL);
        dirty = true;
        break;

    case VIRTNET_EVENT_CHANGED:
        /* Of no consequence for the rows. */
        break;
    }
}

/* Reconciliation. */

struct reconciliation {
    const struct ovsrec_open_vswitch *ovs;
    struct port_row *rows;      /* That may concern a device. */
    size_t n_rows, allocated_rows;
    struct shash names;         /* Maps from the name of each Port and */
                                /* Interface to its "ovsrec_bridge". */
    struct shash hotplug;       /* Interfaces with options:hotplug=true. */
    int n_changes;              /* Ports added, deleted, changed. */
    bool held;                  /* Must new ports wait? */
};

/* May 'r' add, delete or move another port?  If not, the next one can. */
static bool
may_change(struct reconciliation *r)
{
    if (r->n_changes < portion) {
        return true;
    }
    more = dirty = true;
    return false;
}

/* Returns the transaction that takes all changes. */
static struct ovsdb_idl_txn *
get_txn(void)
{
    if (!txn) {
        txn = ovsdb_idl_txn_create(idl);
        ovsdb_idl_txn_add_comment(txn, "ovs-vswitchd: virtnet ports");
    }
    return txn;
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

/* Has 'br' the kernel datapath?  See kernel-port.c. */
static bool
bridge_is_kernel(const struct ovsrec_bridge *br)
{
    return (!*br->datapath_type || !strcmp(br->datapath_type, "system"));
}

/* Can the port of 'dev' be in 'br'? */
static bool
bridge_is_usable(const struct ovsrec_bridge *br,
                 const struct virtnet_device *dev)
{
    return (!strcmp(br->datapath_type, "netdev")
            || (bridge_is_kernel(br) && dev->backend->class->rep_is_netdev));
}

/* Returns the bridge that 'dev' is to be a port of, or NULL with the reason in
 * '*why', which the caller must free. */
static const struct ovsrec_bridge *
choose_bridge(const struct reconciliation *r, const struct virtnet_device *dev,
              char **why)
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
    if (!bridge_is_usable(br, dev)) {
        *why = xasprintf("bridge %s does not have datapath_type=netdev",
                         br->name);
        return NULL;
    }
    return br;
}

/* Which device. */

/* Returns the device that 'iface', which an operator made, selects, or NULL.
 * The rules are those of netdev-virtio-emu.c; and an Interface without a type
 * is meant for the device whose representor has its name. */
static struct virtnet_device *
iface_device(const struct ovsrec_interface *iface)
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

/* Collects the ports that concern devices. */
static void
collect_rows(struct reconciliation *r)
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

static void
delete_row(struct reconciliation *r, const struct port_row *row)
{
    COVERAGE_INC(auto_port_del);
    VLOG_INFO_RL(&rl, "bridge %s: deleting port %s of %s", row->bridge->name,
                 row->port->name, row->managed);
    get_txn();
    ovsrec_bridge_update_ports_delvalue(row->bridge, row->port);
    shash_find_and_delete(&r->names, row->port->name);
    shash_find_and_delete(&r->names, row->iface->name);
    r->n_changes++;
}

/* Moves the port 'row' to 'br', with all that an operator may have set in it
 * meanwhile. */
static void
move_row(struct reconciliation *r, const struct port_row *row,
         const struct ovsrec_bridge *br)
{
    COVERAGE_INC(auto_port_move);
    VLOG_INFO_RL(&rl, "bridge %s: port %s of %s moves to bridge %s",
                 row->bridge->name, row->port->name, row->managed, br->name);
    get_txn();
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

static void
insert_row(struct reconciliation *r, const struct ovsrec_bridge *br,
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

    port = ovsrec_port_insert(get_txn());
    ovsrec_port_set_name(port, dev->rep_name);
    ovsrec_port_set_external_ids(port, &ids);

    if (iface_id) {
        smap_add(&ids, "iface-id", iface_id);
    }
    iface = ovsrec_interface_insert(get_txn());
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
    get_txn();
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

/* Gives the marked port 'row' of 'dev' back what somebody took from it. */
static void
repair_row(struct reconciliation *r, const struct port_row *row,
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
        get_txn();
        ovsrec_interface_update_external_ids_setkey(row->iface, "iface-id",
                                                    iface_id);
        r->n_changes++;
    }
}

static void
adopt_row(struct reconciliation *r, const struct port_row *row,
          const struct virtnet_device *dev)
{
    COVERAGE_INC(auto_port_adopt);
    VLOG_INFO_RL(&rl, "port %s: made by an operator, without a type; becomes "
                 "a port of %s", row->iface->name, dev->vuid);
    bind_iface(r, row->bridge, row->iface, dev);
}

/* What is to be done to them. */

/* Sees to it that 'ps->dev' has the port that it should have, if any. */
static void
reconcile_device(struct reconciliation *r, struct port_state *ps)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    struct virtnet_device *dev = ps->dev;
    const struct ovsrec_bridge *in = NULL;
    const struct ovsrec_bridge *br = NULL;
    char *why = NULL;

    if (ps->operator_row || dev->owner_port) {
        in = ps->operator_row ? ps->operator_row->bridge : NULL;
        ps->had_port = false;
    } else if (!s->auto_port) {
        ps->had_port = false;
        why = xstrdup("other_config:virtnet-auto-port is false");
    } else if (ps->row) {
        dev->port_detached = false;
        br = choose_bridge(r, dev, &why);
        if (!br && bridge_is_usable(ps->row->bridge, ps->dev)) {
            /* Do not cut the guest off for a bridge that is not there, or
             * because the uplink is being replaced. */
            char *reason = why;

            br = ps->row->bridge;
            why = xasprintf("stays in bridge %s: %s", br->name, reason);
            free(reason);
        }
    } else {
        if (ps->had_port && bridge_exists(r->ovs, &ps->bridge)) {
            VLOG_INFO("port %s: deleted by an operator; %s stays without one",
                      dev->rep_name, dev->vuid);
            dev->port_detached = true;
        }
        ps->had_port = false;
        if (dev->port_detached) {
            why = xstrdup("an operator deleted the port; "
                          "\"virtnet/port-attach\" brings it back");
        } else {
            br = choose_bridge(r, dev, &why);
        }
    }

    if (ps->row) {
        in = ps->row->bridge;
        if (br) {
            if (br != in && may_change(r)) {
                move_row(r, ps->row, br);
                in = br;
            }
            repair_row(r, ps->row, dev);
        } else if (may_change(r)) {
            delete_row(r, ps->row);
            in = NULL;
        }
        ps->had_port = in != NULL;
        if (in) {
            ps->bridge = in->header_.uuid;
        }
    } else if (br) {
        const struct ovsrec_bridge *other = shash_find_data(&r->names,
                                                            dev->rep_name);
        if (other) {
            why = xasprintf("another port of bridge %s has the name %s",
                            other->name, dev->rep_name);
        } else if (r->held) {
            dirty = true;       /* What others did had to be seen now. */
        } else if (may_change(r)) {
            insert_row(r, br, dev);
            in = br;
        }
    }
    if (!nullable_string_is_equal(dev->port_bridge, in ? in->name : NULL)) {
        free(dev->port_bridge);
        dev->port_bridge = in ? xstrdup(in->name) : NULL;
    }
    virtnet_device_set_port_status(dev, why);
    free(why);
}

/* Has the Interface that made 'ps->dev' gone for good? */
static bool
owner_is_gone(const struct reconciliation *r, struct port_state *ps)
{
    if (!ps->dev->owner_port) {
        return false;
    } else if (shash_find(&r->hotplug, ps->dev->owner_port)) {
        ps->owner_seen = true;
        return false;
    } else if (!ps->owner_seen && time_msec() < ps->born + OWNER_GRACE_MS) {
        next_check = MIN(next_check, ps->born + OWNER_GRACE_MS);
        return false;
    }
    return true;
}

/* Unplugs 'dev', whose Interface is gone. */
static void
unplug_owned(struct virtnet_device *dev)
{
    char *vuid = xstrdup(dev->vuid);
    char *detail = NULL;
    int error;

    VLOG_INFO("%s: unplugging, since Interface %s is gone", vuid,
              dev->owner_port);
    error = virtnet_controller_unplug(dev, true, &detail);
    if (error) {
        VLOG_WARN_RL(&rl, "%s: not unplugged: %s (%d)%s%s", vuid,
                     virtnet_strerror(error), error, detail ? ": " : "",
                     detail ? detail : "");
        next_check = MIN(next_check, time_msec() + RETRY_MS);
    }
    free(detail);
    free(vuid);
}

/* Is 'iface' in error although it has 'dev'? */
static bool
error_is_stale(const struct ovsrec_interface *iface,
               const struct virtnet_device *dev)
{
    return (iface->error && dev->netdev
            && !strcmp(netdev_get_name(dev->netdev), iface->name));
}

/* Until when (time_msec()) must new ports wait?  VFs wait for theirs, and a
 * portion is followed by the next. */
static long long int
held_until(void)
{
    return (virtnet_sriov_is_busy() ? vain_until
            : more ? LLONG_MIN : hold_until);
}

static void
auto_port_reconcile(const struct ovsrec_open_vswitch *ovs)
{
    struct reconciliation r = {
        .ovs = ovs,
        .names = SHASH_INITIALIZER(&r.names),
        .hotplug = SHASH_INITIALIZER(&r.hotplug),
        .held = time_msec() < held_until(),
    };
    bool news = n_waiting > 0;
    struct virtnet_device *dev;
    struct shash_node *node;
    bool stale_error = false;

    COVERAGE_INC(auto_port_look);
    next_check = LLONG_MAX;
    more = false;
    n_waiting = 0;
    collect_rows(&r);

    SHASH_FOR_EACH (node, &port_states) {
        struct port_state *ps = node->data;

        ps->operator_row = ps->row = NULL;
    }
    for (size_t i = 0; i < r.n_rows; i++) {
        const struct port_row *row = &r.rows[i];
        struct port_state *ps;

        if (row->managed) {
            ps = shash_find_data(&port_states, row->managed);
            if (ps && !ps->row
                && !strcmp(row->iface->name, ps->dev->rep_name)) {
                ps->row = row;
                stale_error |= error_is_stale(row->iface, ps->dev);
            } else if (may_change(&r)) {
                /* Its device is gone, or it is a second port of it. */
                delete_row(&r, row);
            }
        } else {
            dev = iface_device(row->iface);
            ps = dev ? shash_find_data(&port_states, dev->vuid) : NULL;
            if (ps) {
                ps->operator_row = row;
                stale_error |= error_is_stale(row->iface, dev);
                if (!*row->iface->type) {
                    adopt_row(&r, row, dev);
                }
            }
        }
    }

    VIRTNET_FOR_EACH_DEVICE (dev) {
        struct port_state *ps = shash_find_data(&port_states, dev->vuid);

        if (ps && owner_is_gone(&r, ps)) {
            unplug_owned(dev);
        } else if (ps) {
            reconcile_device(&r, ps);
        }
    }

    if (stale_error) {
        nudge_at = MIN(nudge_at, time_msec() + STALE_ERROR_MS);
    }
    if (more) {
        virtio_emu_postpone_recheck();
    }
    wrote = r.n_changes > 0;
    if (wrote) {
        COVERAGE_INC(auto_port_txn);
        VLOG_DBG("%d changes to ports", r.n_changes);
    } else if (news && !r.held) {
        vain_until = time_msec() + VAIN_MS;
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
        COVERAGE_INC(auto_port_txn_failed);
        /* To be told to try again is no news: somebody else was faster, or
         * the database went away. */
        if (status != TXN_TRY_AGAIN) {
            VLOG_WARN_RL(&rl, "ports not written: %s: %s",
                         ovsdb_idl_txn_status_to_string(status),
                         ovsdb_idl_txn_get_error(txn));
        }
        retry_at = time_msec() + RETRY_MS;
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
    struct virtnet_json json;
    unsigned int pf;
    char *reply;
    int error;

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
    virtnet_json_init(&json);
    virtnet_json_begin_object(&json, NULL);
    virtnet_json_errno(&json, error);
    virtnet_json_end_object(&json);
    reply = virtnet_json_steal(&json);
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
        &ovsrec_interface_col_error,
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

/* Finds out whether what 'idl' holds is what the database holds. */
static void
follow_session(void)
{
    unsigned int seqno = ovsdb_idl_get_seqno(idl);

    if (!ovsdb_idl_is_connected(idl)) {
        synced = false;
        stale_seqno = seqno;
    } else if (!synced && seqno != stale_seqno) {
        struct shash_node *node;

        /* Whatever is gone was not seen to go.  It may be that the database
         * was brought back from a copy: no operator's wish. */
        synced = true;
        SHASH_FOR_EACH (node, &port_states) {
            struct port_state *ps = node->data;

            ps->had_port = false;
        }
    }
    if (seqno != idl_seqno) {
        idl_seqno = seqno;
        retry_at = LLONG_MIN;
        vain_until = LLONG_MIN;
        dirty = true;
    }
}

/* May rows be looked at and written now, as far as the session goes? */
static bool
may_reconcile(void)
{
    return synced && !txn && virtnet_controller_is_running(NULL);
}

/* When to look at rows next; time_msec(). */
static long long int
reconcile_at(void)
{
    return dirty ? MAX(held_until(), retry_at) : next_check;
}

/* VFs come and go by the hundred.  While a portion becomes ports, or its ports
 * go, the next may gather, but no more than that.  But a database that does
 * not answer must not keep the host waiting. */
static void
pace_sriov(void)
{
    bool wanted = (synced && virtnet_controller_is_running(NULL)
                   && virtnet_sriov_is_busy()
                   && (txn || (dirty && retry_at == LLONG_MIN))
                   && (more || (wrote && n_waiting >= portion)));

    if (!wanted) {
        pause_end = LLONG_MAX;
    } else if (pause_end == LLONG_MAX) {
        pause_end = time_msec() + PAUSE_MAX_MS;
    }
    virtnet_sriov_pause(wanted && time_msec() < pause_end);
}

/* Returns the processor time (ms) that the main thread has had. */
static long long int
main_thread_msec(void)
{
    struct timespec ts;

    return (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) ? 0
            : timespec_to_msec(&ts));
}

static void
auto_port_run__(void)
{
    const struct ovsrec_open_vswitch *ovs;
    unsigned int old_seqno = idl_seqno;

    turn_started = time_msec();
    turn_started_cpu = main_thread_msec();
    if (turn_started >= nudge_at) {
        COVERAGE_INC(auto_port_stale_error);
        nudge_at = LLONG_MAX;
        if_notifier_manual_report();
    }
    ovsdb_idl_run(idl);
    follow_session();
    ovs = ovsrec_open_vswitch_first(idl);
    if (!ovs || !synced) {
        run_txn();
        return;
    }
    if (idl_seqno != old_seqno) {
        virtnet_controller_configure(&ovs->other_config);
    }
    /* New ports may have to wait, but what others do to the rows is looked at
     * at once: an operator's port that comes and goes meanwhile would not be
     * noticed, and what it replaced would be taken for deleted. */
    if (run_txn() && may_reconcile()
        && (time_msec() >= reconcile_at()
            || (idl_seqno != old_seqno && time_msec() >= retry_at))) {
        dirty = false;
        auto_port_reconcile(ovs);
        run_txn();
    }
}

void
auto_port_run(void)
{
    auto_port_run__();
    pace_sriov();
}

/* A turn of the main loop ends. */
static void
measure(void)
{
    long long int busy = time_msec() - turn_started;

    if (!txn && !measure_turn) {
        return;
    }
    /* That others have the processor is no reason for small portions, of which
     * there are more. */
    busiest = MAX(busiest, main_thread_msec() - turn_started_cpu);
    if (busiest > TURN_MS) {
        portion = MAX(portion / 2, PORTION_MIN);
    }
    if (measure_turn && busy > 1) {
        /* The bridges have just been configured with what was written. */
        hold_until = time_msec() + MIN(busy * HOLD_FACTOR, HOLD_MAX_MS);
        if (more && busiest < TURN_MS / 2) {
            portion = MIN(portion * 2, PORTION_MAX);
        }
        measure_turn = false;
        busiest = 0;
    }
}

void
auto_port_wait(void)
{
    ovsdb_idl_wait(idl);
    if (txn) {
        ovsdb_idl_txn_wait(txn);
    }
    if (nudge_at != LLONG_MAX) {
        poll_timer_wait_until(nudge_at);
    }
    if (pause_end != LLONG_MAX) {
        poll_timer_wait_until(pause_end);
    }
    measure();
    if (may_reconcile() && ovsrec_open_vswitch_first(idl)
        && reconcile_at() != LLONG_MAX) {
        poll_timer_wait_until(MAX(reconcile_at(), 0));
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
