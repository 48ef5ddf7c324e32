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

#ifndef SOFT_VHOST_PRIVATE_H
#define SOFT_VHOST_PRIVATE_H 1

/* What the files of the attachment by vhost-user share:
 *
 *   - soft-vhost-user.c: what the main thread has done.
 *
 *   - soft-vhost-event.c: connections and devices, as librte_vhost reports
 *     them, and what of that the main thread is told.
 *
 *   - soft-vhost-message.c: what front ends send.
 *
 *   - soft-vhost-ring.c: when packet threads have a ring, and when not.
 *
 *   - soft-vhost-log.c: what librte_vhost says only in its log.
 *
 * Security model
 * ==============
 *
 * The front end (a guest's QEMU, or a guest that speaks the protocol itself)
 * is hostile: it may send any message in any order, with any descriptors, and
 * vanish at any time.  librte_vhost parses the messages, checks their sizes
 * and the number of their descriptors, bounds ring indices, and maps guest
 * memory.  Before it changes anything that a ring is made of, packet threads
 * lose that ring: see soft-ring.h.  What we see of messages is a copy that the
 * front end cannot change; of their contents we use
 *
 *   - the features that librte_vhost has accepted, i.e. a subset of those
 *     offered;
 *
 *   - the device status, of which only the known bits are used, and never to
 *     decide whether rings may be touched: librte_vhost says that;
 *
 *   - ring numbers, bounded here by what the device has; queues beyond that
 *     are never polled;
 *
 *   - the MTU and ring addresses, only to show them.
 *
 * librte_vhost (22.11) keeps a connection if a message fails that asks for an
 * answer.  If that was one about the guest's memory, there is none from then
 * on, and its functions that tell of memory crash, while rings are where they
 * were as far as it knows.  Nor does it forget where a dirty log was when it
 * unmaps that.  So what is there is noted here, by what messages it has
 * carried out, and nothing is asked for that is not.
 *
 * One front end at a time: a second one that connects to a listening socket is
 * refused, so nobody can take over a device that is in use.
 *
 * Locks
 * =====
 *
 * 'soft_vhost_mutex' is a leaf, but for the locks of rings, which are held for
 * a burst at most: nothing is called with it held that may take another lock
 * or wait, least of all librte_vhost, which calls us with locks of its own.
 * The main thread is quiescent (in the sense of RCU) while it unregisters a
 * socket: librte_vhost then waits for its own thread, which may be waiting
 * right now, in vhost_destroy_device(), for a grace period. */

#include <stdbool.h>
#include <stdint.h>
#include <rte_version.h>

#include "openvswitch/shash.h"
#include "openvswitch/thread.h"
#include "soft-vhost-log.h"
#include "soft-vhost-user.h"
#include "virtnet-device.h"

struct rte_vhost_device_ops;
struct rte_vhost_user_extern_ops;

/* Bits of VIRTIO features, VIRTIO 1.3, sections 5.1.3 and 6. */
#define F(BIT) (UINT64_C(1) << (BIT))

/* Not for the driver: matters between front end and back end. */
#define TRANSPORT_FEATURES (F(26)   /* VHOST_F_LOG_ALL. */  \
                            | F(30)) /* VHOST_USER_F_PROTOCOL_FEATURES. */

#define F_GUEST_CSUM F(1)
#define F_GUEST_TSO4 F(7)
#define F_GUEST_TSO6 F(8)
#define F_GUEST_USO4 F(54)
#define F_GUEST_USO6 F(55)
#define F_HOST_USO F(56)

/* What librte_vhost (22.11, for one) does not know, and so neither offers nor
 * accepts.  It is nothing to it, since the rings are ours: see
 * answer_features(). */
#define USO_FEATURES (F_GUEST_USO4 | F_GUEST_USO6 | F_HOST_USO)

/* Can messages be answered in librte_vhost's place?  Descriptors that come
 * with one would leak, so we must see that there are none: see has_fds(). */
#define CAN_ANSWER (RTE_VERSION < RTE_VERSION_NUM(23, 7, 0, 0))

#define F_MQ F(22)
#define F_LOG_ALL F(26)

/* What the driver has told of one virtqueue. */
struct soft_vhost_vring {
    bool enabled;
    bool known;                 /* Looked at before in this connection? */
    bool counted;               /* Is 'base' this driver's? */
    uint16_t size;              /* Descriptors. */
    uint64_t desc_addr;         /* Guest physical addresses, or 0. */
    uint64_t driver_addr;
    uint64_t device_addr;
    struct virtnet_queue_info base; /* Counters when its driver enabled it. */
};

extern struct ovs_mutex soft_vhost_mutex;

/* Open attachments, by path. */
extern struct shash soft_vhost_by_path OVS_GUARDED_BY(soft_vhost_mutex);

/* soft-vhost-event.c. */

/* To be called before all else. */
void soft_vhost_event_init(void);

/* Wakes the main thread. */
void soft_vhost_wake(void);

/* Leaves word for the main thread.  The caller must call soft_vhost_wake()
 * once it has released the soft_vhost_mutex. */
void soft_vhost_post_event(struct soft_vhost_user *vu)
    OVS_REQUIRES(soft_vhost_mutex);

struct soft_vhost_user *soft_vhost_lookup(int vid)
    OVS_REQUIRES(soft_vhost_mutex);

void soft_vhost_forget_driver(struct soft_vhost_user *vu)
    OVS_REQUIRES(soft_vhost_mutex);

/* The connection of 'vu', which has one, is none any more. */
void soft_vhost_forget_connection(struct soft_vhost_user *vu)
    OVS_REQUIRES(soft_vhost_mutex);

extern const struct rte_vhost_device_ops soft_vhost_ops;

/* librte_vhost has complained of the front end of the socket whose path is at
 * the beginning of 'path', before ") ". */
void soft_vhost_complained(const char *path, const char *end,
                           enum soft_vhost_complaint complaint);

/* soft-vhost-message.c. */

/* If librte_vhost could not carry out the last message to 'vu', it has said so
 * to the front end, or has hung up. */
void soft_vhost_count_failure(struct soft_vhost_user *vu)
    OVS_REQUIRES(soft_vhost_mutex);

extern const struct rte_vhost_user_extern_ops soft_vhost_extern_ops;

/* soft-vhost-ring.c. */

/* Sets up virtqueue 'index' of 'vid' if it is running and enabled. */
void soft_vhost_publish_ring(int vid, unsigned int index);

/* Takes virtqueue 'index' of 'vid' away from packet threads, and tells
 * librte_vhost how far it has come. */
void soft_vhost_withdraw_ring(int vid, unsigned int index);

/* Calls 'action' for each virtqueue of 'vid'. */
void soft_vhost_for_each_ring(int vid,
                              void (*action)(int vid, unsigned int index));

#endif /* soft-vhost-private.h */
