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

#ifndef SOFT_VHOST_USER_H
#define SOFT_VHOST_USER_H 1

/* Attachment of a device of the soft backend to a guest by vhost-user.
 *
 * DPDK's librte_vhost speaks the protocol.  In client mode (the default) the
 * switch connects to a socket on which the front end listens, and tries again
 * every second until it is there; so either side may be started, or started
 * again, first.  In server mode the switch listens.
 *
 * A device whose link is configured down has no attachment: the socket is
 * closed, and a front end shows the guest that the link is down.
 *
 * Threads
 * =======
 *
 * librte_vhost reports what front ends do from threads of its own.  They
 * leave word in "struct soft_vhost_user", under a mutex that is never held
 * while librte_vhost is called, and wake the main thread, which comes by with
 * soft_vhost_user_poll().
 *
 * The handle of a connection, 'vid', is published in the representor
 * (soft-rep.h) once the rings are ready, and withdrawn, with a grace period of
 * RCU, before librte_vhost frees what it stands for.
 *
 * Everything declared below is for the main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/list.h"
#include "virtnet-device.h"

struct soft_rep;
struct soft_vhost_vring;

/* What can go wrong before packets pass. */
enum soft_vhost_error {
    SOFT_VHOST_REFUSED,         /* A front end, what it wanted to agree, or a
                                 * message that makes no sense. */
    SOFT_VHOST_MEMORY,          /* Memory, or a dirty log, of no use. */
    SOFT_VHOST_RING,            /* A virtqueue of no use. */
    SOFT_VHOST_PAIRS,           /* Queue pairs that were not enabled. */
    SOFT_VHOST_N_ERRORS
};

struct soft_vhost_user {
    struct soft_rep *rep;       /* Representor.  Constant. */
    struct virtnet_device *dev; /* Owner.  Constant; not for other threads. */

    /* Main thread. */
    char *path;                 /* Of the socket; NULL unless open. */
    bool server;                /* Does the switch listen? */
    bool registered;            /* Does librte_vhost know the socket? */

    /* Under the mutex of soft-vhost-private.h. */
    bool accepting;             /* Is a connection welcome? */
    struct ovs_list event_node; /* In the list of events, or empty. */
    int conn_vid;               /* Connection, -1 if there is none. */
    bool lost;                  /* Has it broken? */
    bool stopping;              /* Is the front end, or the driver, going? */
    long long int disconnected_at; /* time_msec() when it went. */
    bool has_memory;            /* Is the guest's memory mapped? */
    bool has_log;               /* Is there a dirty log? */
    bool running;               /* Are the rings ready? */
    bool status_seen;           /* Does the front end tell the status? */
    bool features_seen;         /* Have features been negotiated? */
    uint8_t status;             /* As told, if 'status_seen'. */
    uint64_t features;          /* As negotiated, if 'features_seen'. */
    uint64_t uso_offered;       /* Features that librte_vhost knows nothing */
    uint64_t uso;               /* of: offered, and taken. */
    int numa_id;                /* Of the guest's memory, or -1. */
    uint16_t guest_mtu;         /* As told, or 0. */
    bool started;               /* Has 'running' become true? */
    unsigned int ring_pairs;    /* Queue pairs that have rings. */
    unsigned int max_pairs;     /* What a front end may use. */
    unsigned int n_vrings;      /* Elements of 'vrings'. */
    struct soft_vhost_vring *vrings;
    uint32_t request;           /* Message that is being carried out, or 0. */
    uint64_t errors[SOFT_VHOST_N_ERRORS];
};

/* VIRTIO features that librte_vhost, front ends and the switch's settings
 * together allow. */
uint64_t soft_vhost_user_features(void);

/* Life of the structure. */
void soft_vhost_user_init(struct soft_vhost_user *, struct soft_rep *,
                          struct virtnet_device *);
void soft_vhost_user_uninit(struct soft_vhost_user *);

/* Claims 'path' for the attachment, which no other one may use from now on.
 * Makes its directory if 'make_dir'.  Returns 0, or a negative errno value
 * with a line in '*errp'. */
int soft_vhost_user_open(struct soft_vhost_user *, const char *path,
                         bool server, bool make_dir, char **errp);

/* Undoes soft_vhost_user_open(), if need be, and soft_vhost_user_attach().
 * With 'unlink_socket', a socket that is still there is removed. */
void soft_vhost_user_close(struct soft_vhost_user *, bool unlink_socket);

/* Registers the socket, so that a front end can connect and find a device with
 * 'features' and up to 'max_pairs' queue pairs.  Returns 0, or a negative
 * errno value with a line in '*errp'. */
int soft_vhost_user_attach(struct soft_vhost_user *, uint64_t features,
                           unsigned int max_pairs, char **errp);

/* Undoes soft_vhost_user_attach(), if need be: the connection is closed, and
 * when this returns no packet thread uses it any more.  In server mode the
 * socket disappears. */
void soft_vhost_user_detach(struct soft_vhost_user *);

/* Takes an attachment that something has happened to off the list, does what
 * is to be done about it, and stores in '*info' what is known of its driver.
 * Returns NULL if there is none. */
struct soft_vhost_user *soft_vhost_user_poll(struct virtnet_driver_info *info);
void soft_vhost_user_wait(void);

/* Fills in what the driver has told of virtqueue 'index', and what it counted
 * since it was last enabled. */
void soft_vhost_user_get_queue_info(const struct soft_vhost_user *,
                                    unsigned int index,
                                    struct virtnet_queue_info *info);

/* Fills in what has gone wrong with front ends. */
void soft_vhost_user_get_health(const struct soft_vhost_user *,
                                struct virtnet_health *);

#endif /* soft-vhost-user.h */
