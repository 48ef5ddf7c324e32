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

#ifndef AUTO_PORT_ROWS_H
#define AUTO_PORT_ROWS_H 1

/* Rows of ports of devices: what the database has, what it is to have, and how
 * it is changed.  What is to be done when is said in auto-port.c.
 *
 * Main thread. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/shash.h"
#include "uuid.h"

struct ovsrec_bridge;
struct ovsrec_interface;
struct ovsrec_open_vswitch;
struct ovsrec_port;
struct virtnet_device;

/* A port in the database that concerns a device, or did: an Interface and the
 * Port and Bridge that it is in. */
struct port_row {
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port;
    const struct ovsrec_interface *iface;
    const char *managed;        /* VUID if it was made here, else NULL. */
};

/* Reconciliation of rows and devices. */
struct reconciliation {
    const struct ovsrec_open_vswitch *ovs;
    struct ovsdb_idl *idl;      /* The session, and the transaction that */
    struct ovsdb_idl_txn **txn; /* takes all changes, made when needed. */
    struct port_row *rows;      /* That may concern a device. */
    size_t n_rows, allocated_rows;
    struct shash names;         /* Maps from the name of each Port and */
                                /* Interface to its "ovsrec_bridge". */
    struct shash hotplug;       /* Interfaces with options:hotplug=true. */
    int n_changes;              /* Ports added, deleted, changed. */
    bool held;                  /* Must new ports wait? */
};

/* Collects the ports that concern devices. */
void auto_port_collect_rows(struct reconciliation *r);

/* Is the Bridge row with 'uuid' still there? */
bool auto_port_bridge_exists(const struct ovsrec_open_vswitch *ovs,
                             const struct uuid *uuid);

/* Can the port of 'dev' be in 'br'? */
bool auto_port_bridge_is_usable(const struct ovsrec_bridge *br,
                                const struct virtnet_device *dev);

/* Returns the bridge that 'dev' is to be a port of, or NULL with the reason in
 * '*why', which the caller must free. */
const struct ovsrec_bridge *auto_port_choose_bridge(
    const struct reconciliation *r, const struct virtnet_device *dev,
    char **why);

/* Returns the device that 'iface', which an operator made, selects, or NULL.
 * The rules are those of netdev-virtio-config.c; and an Interface without a
 * type is meant for the device whose representor has its name. */
struct virtnet_device *auto_port_iface_device(
    const struct ovsrec_interface *iface);

/* Adds the port of 'dev' to 'br', or deletes one. */
void auto_port_insert_row(struct reconciliation *r,
                          const struct ovsrec_bridge *br,
                          const struct virtnet_device *dev);
void auto_port_delete_row(struct reconciliation *r,
                          const struct port_row *row);

/* Moves the port 'row' to 'br', with all that an operator may have set in it
 * meanwhile. */
void auto_port_move_row(struct reconciliation *r, const struct port_row *row,
                        const struct ovsrec_bridge *br);

/* Gives the marked port 'row' of 'dev' back what somebody took from it. */
void auto_port_repair_row(struct reconciliation *r,
                          const struct port_row *row,
                          const struct virtnet_device *dev);

/* Makes 'row', which an operator made without a type, a port of 'dev'. */
void auto_port_adopt_row(struct reconciliation *r, const struct port_row *row,
                         const struct virtnet_device *dev);

#endif /* auto-port-rows.h */
