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

#include <stdlib.h>
#include <time.h>

#include "auto-port-rows.h"
#include "coverage.h"
#include "if-notifier.h"
#include "netdev.h"
#include "netdev-virtio-emu.h"
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
COVERAGE_DEFINE(auto_port_stale_error);
COVERAGE_DEFINE(auto_port_txn);
COVERAGE_DEFINE(auto_port_txn_failed);

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
        br = auto_port_choose_bridge(r, dev, &why);
        if (!br && auto_port_bridge_is_usable(ps->row->bridge, ps->dev)) {
            /* Do not cut the guest off for a bridge that is not there, or
             * because the uplink is being replaced. */
            char *reason = why;

            br = ps->row->bridge;
            why = xasprintf("stays in bridge %s: %s", br->name, reason);
            free(reason);
        }
    } else {
        if (ps->had_port && auto_port_bridge_exists(r->ovs, &ps->bridge)) {
            VLOG_INFO("port %s: deleted by an operator; %s stays without one",
                      dev->rep_name, dev->vuid);
            dev->port_detached = true;
        }
        ps->had_port = false;
        if (dev->port_detached) {
            why = xstrdup("an operator deleted the port; "
                          "\"virtnet/port-attach\" brings it back");
        } else {
            br = auto_port_choose_bridge(r, dev, &why);
        }
    }

    if (ps->row) {
        in = ps->row->bridge;
        if (br) {
            if (br != in && may_change(r)) {
                auto_port_move_row(r, ps->row, br);
                in = br;
            }
            auto_port_repair_row(r, ps->row, dev);
        } else if (may_change(r)) {
            auto_port_delete_row(r, ps->row);
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
            auto_port_insert_row(r, br, dev);
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
        .idl = idl,
        .txn = &txn,
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
    auto_port_collect_rows(&r);

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
                auto_port_delete_row(&r, row);
            }
        } else {
            dev = auto_port_iface_device(row->iface);
            ps = dev ? shash_find_data(&port_states, dev->vuid) : NULL;
            if (ps) {
                ps->operator_row = row;
                stale_error |= error_is_stale(row->iface, dev);
                if (!*row->iface->type) {
                    auto_port_adopt_row(&r, row, dev);
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
