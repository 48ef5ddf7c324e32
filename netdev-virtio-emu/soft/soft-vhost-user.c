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

/* Attachment by vhost-user.  See soft-vhost-user.h.
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
 * 'mutex' is a leaf, but for the locks of rings, which are held for a burst at
 * most: nothing is called with it held that may take another lock or wait,
 * least of all librte_vhost, which calls us with locks of its own.
 * The main thread is quiescent (in the sense of RCU) while it unregisters a
 * socket: librte_vhost then waits for its own thread, which may be waiting
 * right now, in vhost_destroy_device(), for a grace period. */

#include <config.h>

#include "soft-vhost-user.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_version.h>
#include <rte_vhost.h>

#include "coverage.h"
#include "fatal-signal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "seq.h"
#include "soft-packed-ring.h"
#include "soft-packet.h"
#include "soft-rep.h"
#include "soft-socket.h"
#include "soft-vhost-log.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_vhost_user);

COVERAGE_DEFINE(virtnet_vhost_connected);
COVERAGE_DEFINE(virtnet_vhost_disconnected);
COVERAGE_DEFINE(virtnet_vhost_refused);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 40);

/* Bits of VIRTIO features, VIRTIO 1.3, sections 5.1.3 and 6. */
#define F(BIT) (UINT64_C(1) << (BIT))

/* Those that librte_vhost carries out and that do not depend on settings. */
#define RING_FEATURES (F(3)     /* MTU. */              \
                       | F(15)  /* MRG_RXBUF. */        \
                       | F(17)  /* CTRL_VQ. */          \
                       | F(18)  /* CTRL_RX. */          \
                       | F(21)  /* GUEST_ANNOUNCE. */   \
                       | F(22)  /* MQ. */               \
                       | F(27)  /* ANY_LAYOUT. */       \
                       | F(28)  /* INDIRECT_DESC. */    \
                       | F(29)  /* EVENT_IDX. */        \
                       | F(32)  /* VERSION_1. */        \
                       | F(34)  /* RING_PACKED. */      \
                       | F(35)) /* IN_ORDER. */

/* Those that front ends carry out, without telling us. */
#define FRONT_END_FEATURES (F(5)    /* MAC. */              \
                            | F(16) /* STATUS. */           \
                            | F(19) /* CTRL_VLAN. */        \
                            | F(23) /* CTRL_MAC_ADDR. */    \
                            | F(63)) /* SPEED_DUPLEX. */

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

/* Messages of vhost-user that we look at. */
#define MSG_GET_FEATURES 1
#define MSG_SET_FEATURES 2
#define MSG_RESET_OWNER 4
#define MSG_SET_MEM_TABLE 5
#define MSG_SET_LOG_BASE 6
#define MSG_SET_VRING_NUM 8
#define MSG_SET_VRING_ADDR 9
#define MSG_SET_VRING_BASE 10
#define MSG_GET_VRING_BASE 11
#define MSG_SET_VRING_KICK 12
#define MSG_SET_VRING_CALL 13
#define MSG_GET_QUEUE_NUM 17
#define MSG_SET_VRING_ENABLE 18
#define MSG_SEND_RARP 19
#define MSG_ADD_MEM_REG 37
#define MSG_REM_MEM_REG 38
#define MSG_SET_STATUS 39

/* See let_reconnection_begin().  A few microseconds would do, were it not for
 * threads that have to wait for a CPU. */
#define RECONNECTION_BEGINS_MS 50
#define STOPPING_MAX_MS 500

/* Beginning of a message, as librte_vhost passes it to handlers. */
OVS_PACKED(
struct soft_vhost_msg {
    uint32_t request;           /* MSG_*. */
    uint32_t flags;
    uint32_t size;              /* Bytes of payload. */
    uint64_t u64;               /* Payload of the messages above. */
});

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

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;

/* Open attachments, by path. */
static struct shash by_path OVS_GUARDED_BY(mutex)
    = SHASH_INITIALIZER(&by_path);

/* Attachments that are connected, by vid. */
static struct soft_vhost_user *by_vid[RTE_MAX_VHOST_DEVICE]
    OVS_GUARDED_BY(mutex);

/* Attachments that something has happened to. */
static struct ovs_list events OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&events);

/* What has happened since the main thread last looked.  Coverage counters
 * belong to a thread, and only those of Open vSwitch's are summed up. */
static unsigned int n_connected OVS_GUARDED_BY(mutex);
static unsigned int n_disconnected OVS_GUARDED_BY(mutex);
static unsigned int n_refused OVS_GUARDED_BY(mutex);

/* Changes with each addition to 'events'. */
static struct seq *event_seq;
static uint64_t event_seqno;    /* When last looked at, main thread. */

uint64_t
soft_vhost_user_features(void)
{
    return (RING_FEATURES | FRONT_END_FEATURES
            | (soft_packet_features() & (CAN_ANSWER ? UINT64_MAX
                                         : ~USO_FEATURES)));
}

/* What librte_vhost reports.  Except where stated, in its threads. */

/* Leaves word for the main thread.  The caller must call seq_change(event_seq)
 * once it has released the mutex. */
static void
post_event(struct soft_vhost_user *vu)
    OVS_REQUIRES(mutex)
{
    if (ovs_list_is_empty(&vu->event_node)) {
        ovs_list_push_back(&events, &vu->event_node);
    }
}

static struct soft_vhost_user *
lookup_vid(int vid)
    OVS_REQUIRES(mutex)
{
    return vid >= 0 && vid < RTE_MAX_VHOST_DEVICE ? by_vid[vid] : NULL;
}

static void
forget_driver(struct soft_vhost_user *vu)
    OVS_REQUIRES(mutex)
{
    vu->running = vu->started = false;
    vu->has_memory = vu->has_log = false;
    vu->status_seen = vu->features_seen = false;
    vu->status = 0;
    vu->features = vu->uso = 0;
    vu->numa_id = -1;
    vu->guest_mtu = 0;
    vu->ring_pairs = 0;
    atomic_store_relaxed(&vu->rep->announce, 0);
    soft_rep_disable_vrings(vu->rep);
    for (unsigned int i = 0; i < vu->n_vrings; i++) {
        struct soft_ring *ring = soft_rep_get_ring(vu->rep, i);

        vu->vrings[i].enabled = vu->vrings[i].known = false;
        vu->vrings[i].counted = false;
        if (ring) {
            soft_ring_withdraw(ring, NULL, NULL);
        }
    }
}

/* Rings. */

/* Looks whether virtqueue 'index' of 'vid', which has not been looked at in
 * this connection, can really go on where the front end says.  One that knew
 * another back end before may not know.  That takes milliseconds for a large
 * ring, so it is done once. */
static void
recover_ring(int vid, unsigned int index, struct soft_ring_spec *spec)
{
    uint16_t told = spec->config.used_base;
    uint16_t place;

    if (!spec->config.packed) {
        return;
    }
    spec->mended = soft_packed_ring_recover(&spec->config);
    if (spec->mended && spec->log) {
        /* Otherwise librte_vhost may take one for a log that is gone. */
        rte_vhost_log_used_vring(vid, index, 0,
                                 virtq_area_size(&spec->config, 0));
    }
    place = spec->config.used_base;
    if (place != told) {
        VLOG_INFO_RL(&rl, "vhost device %d: virtqueue %u goes on at %d (wrap "
                     "counter %d), not at %d (%d) as its front end believes",
                     vid, index, place & SOFT_PACKED_INDEX,
                     !!(place & SOFT_PACKED_WRAP), told & SOFT_PACKED_INDEX,
                     !!(told & SOFT_PACKED_WRAP));
    }
}

/* Sets up virtqueue 'index' of 'vid' if it is running and enabled. */
static void
publish_ring(int vid, unsigned int index)
{
    struct soft_ring_spec spec;
    struct soft_vhost_user *vu;
    bool wanted, has_log, known = false;
    uint64_t features, uso = 0;
    int error;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    wanted = (vu && vu->running && vu->has_memory && index < vu->n_vrings
              && vu->vrings[index].enabled);
    has_log = vu && vu->has_log;
    if (wanted) {
        known = vu->vrings[index].known;
        uso = vu->uso;
    }
    ovs_mutex_unlock(&mutex);
    if (!wanted || rte_vhost_get_negotiated_features(vid, &features)) {
        return;
    }
    features |= uso;
    error = soft_ring_load(&spec, vid, index,
                           has_log ? features : features & ~F_LOG_ALL);
    if (!error) {
        if (!known) {
            recover_ring(vid, index, &spec);
        }
        ovs_mutex_lock(&mutex);
        vu = lookup_vid(vid);
        if (vu && vu->running && index < vu->n_vrings
            && vu->vrings[index].enabled) {
            struct soft_ring *ring = soft_rep_get_ring(vu->rep, index);

            error = ring ? soft_ring_publish(ring, &spec) : ENXIO;
            vu->vrings[index].known = true; /* Also if it is of no use. */
        }
        ovs_mutex_unlock(&mutex);
        if (spec.config.mem) {
            soft_ring_unload(&spec);
        }
    }

    /* Not if librte_vhost does not know yet where the ring is. */
    if (error && error != ENODEV) {
        ovs_mutex_lock(&mutex);
        vu = lookup_vid(vid);
        if (vu) {
            vu->errors[SOFT_VHOST_RING]++;
        }
        ovs_mutex_unlock(&mutex);
        VLOG_WARN_RL(&rl, "vhost device %d: virtqueue %u cannot be used: %s",
                     vid, index, ovs_strerror(error));
    }
}

/* Takes virtqueue 'index' of 'vid' away from packet threads, and tells
 * librte_vhost how far it has come. */
static void
withdraw_ring(int vid, unsigned int index)
{
    struct soft_vhost_user *vu;
    uint16_t avail, used;
    bool was_there = false;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu && index < vu->n_vrings) {
        struct soft_ring *ring = soft_rep_get_ring(vu->rep, index);

        was_there = ring && soft_ring_withdraw(ring, &avail, &used);
    }
    ovs_mutex_unlock(&mutex);
    if (was_there) {
        rte_vhost_set_vring_base(vid, index, avail, used);
    }
}

static void
for_each_ring(int vid, void (*action)(int vid, unsigned int index))
{
    unsigned int n = 0;
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        n = vu->n_vrings;
    }
    ovs_mutex_unlock(&mutex);
    for (unsigned int i = 0; i < n; i++) {
        action(vid, i);
    }
}

/* Could carrying out 'request' pull something from under packet threads: the
 * guest's memory, the dirty log, a ring or one of its file descriptors? */
static bool
disturbs_rings(uint32_t request)
{
    switch (request) {
    case MSG_SET_FEATURES:
    case MSG_RESET_OWNER:
    case MSG_SET_MEM_TABLE:
    case MSG_SET_LOG_BASE:
    case MSG_SET_VRING_NUM:
    case MSG_SET_VRING_ADDR:
    case MSG_SET_VRING_BASE:
    case MSG_GET_VRING_BASE:
    case MSG_SET_VRING_KICK:
    case MSG_SET_VRING_CALL:
    case MSG_SET_VRING_ENABLE:
    case MSG_ADD_MEM_REG:
    case MSG_REM_MEM_REG:
        return true;
    default:
        return false;
    }
}

/* If librte_vhost could not carry out the last message to 'vu', it has said so
 * to the front end, or has hung up. */
static void
count_failure(struct soft_vhost_user *vu)
    OVS_REQUIRES(mutex)
{
    switch (vu->request) {
    case 0:
        break;
    case MSG_SET_MEM_TABLE:
    case MSG_ADD_MEM_REG:
    case MSG_REM_MEM_REG:
    case MSG_SET_LOG_BASE:
        vu->errors[SOFT_VHOST_MEMORY]++;
        break;
    case MSG_SET_VRING_NUM:
    case MSG_SET_VRING_ADDR:
    case MSG_SET_VRING_BASE:
    case MSG_GET_VRING_BASE:
    case MSG_SET_VRING_KICK:
    case MSG_SET_VRING_CALL:
        vu->errors[SOFT_VHOST_RING]++;
        break;
    case MSG_GET_QUEUE_NUM:
    case MSG_SET_VRING_ENABLE:
        vu->errors[SOFT_VHOST_PAIRS]++;
        break;
    default:
        vu->errors[SOFT_VHOST_REFUSED]++;
    }
    vu->request = 0;
}

/* 'request' of 'vid' is about to be carried out; 0 if it has been. */
static void
note_request(int vid, uint32_t request)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        if (request) {
            count_failure(vu);
        }
        vu->request = request;
    }
    ovs_mutex_unlock(&mutex);
}

/* Notes what 'request', which 'vid' has been asked for, makes of the guest's
 * memory and dirty log: nothing that can be relied on until it is 'done'. */
static void
note_memory(int vid, uint32_t request, bool done)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        switch (request) {
        case MSG_RESET_OWNER:
            vu->has_memory = vu->has_log = false;
            break;
        case MSG_SET_MEM_TABLE:
        case MSG_ADD_MEM_REG:
        case MSG_REM_MEM_REG:
            vu->has_memory = done;
            break;
        case MSG_SET_LOG_BASE:
            vu->has_log = done;
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
}

#if CAN_ANSWER
/* Did descriptors come with 'msg'?  They are left for librte_vhost to
 * close. */
static bool
has_fds(const void *msg)
{
    /* Their number follows the largest payload (632 bytes) and room for 8. */
    enum { N_FDS_OFS = 12 + 632 + 8 * sizeof(int) };
    int n_fds;

    memcpy(&n_fds, (const char *) msg + N_FDS_OFS, sizeof n_fds);
    return n_fds != 0;
}

/* Answers the question how many queue pairs there are.  This version of
 * librte_vhost cannot be told, and would say 128. */
static enum rte_vhost_msg_result
answer_queue_num(int vid, void *msg_)
{
    struct soft_vhost_msg *msg = msg_;
    struct soft_vhost_user *vu;
    uint64_t max_pairs = 0;

    if (has_fds(msg_)) {
        return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        max_pairs = vu->max_pairs;
    }
    ovs_mutex_unlock(&mutex);
    if (!max_pairs) {
        return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }
    msg->u64 = max_pairs;
    msg->size = sizeof msg->u64;
    return RTE_VHOST_MSG_RESULT_REPLY;
}

/* Answers the question which features there are, if some of them are none of
 * librte_vhost's.  It would refuse to have them enabled by
 * rte_vhost_driver_enable_features(), and rte_vhost_driver_set_features()
 * would have a device wait for all of its rings before it starts. */
static enum rte_vhost_msg_result
answer_features(int vid, void *msg_)
{
    struct soft_vhost_msg *msg = msg_;
    uint64_t features, uso = 0;
    struct soft_vhost_user *vu;
    char path[PATH_MAX];

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        uso = vu->uso_offered;
    }
    ovs_mutex_unlock(&mutex);
    if (!uso || has_fds(msg_) || rte_vhost_get_ifname(vid, path, sizeof path)
        || rte_vhost_driver_get_features(path, &features)) {
        return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }
    msg->u64 = features | uso;
    msg->size = sizeof msg->u64;
    return RTE_VHOST_MSG_RESULT_REPLY;
}

/* Takes those of the features in 'msg' that were offered by answer_features()
 * out, so that librte_vhost sees only what it knows. */
static void
keep_features(int vid, struct soft_vhost_msg *msg)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        vu->uso = msg->u64 & vu->uso_offered;
        msg->u64 &= ~vu->uso;
    }
    ovs_mutex_unlock(&mutex);
}
#endif

/* Prepares for messages that librte_vhost is about to carry out.  Its threads
 * stop at the rings' locks until packet threads have done their bursts. */
static enum rte_vhost_msg_result
vhost_pre_msg(int vid, void *msg_)
{
    struct soft_vhost_msg *msg = msg_;

    note_request(vid, msg->request);
    if (disturbs_rings(msg->request)) {
        for_each_ring(vid, withdraw_ring);
        note_memory(vid, msg->request, false);
    }
#if CAN_ANSWER
    if (msg->request == MSG_GET_QUEUE_NUM) {
        return answer_queue_num(vid, msg_);
    } else if (msg->request == MSG_GET_FEATURES) {
        return answer_features(vid, msg_);
    } else if (msg->request == MSG_SET_FEATURES) {
        keep_features(vid, msg);
    }
#endif
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

/* Takes note of messages that librte_vhost has carried out. */
static enum rte_vhost_msg_result
vhost_post_msg(int vid, void *msg_)
{
    const struct soft_vhost_msg *msg = msg_;
    struct soft_vhost_user *vu;
    bool news = false;

    note_request(vid, 0);
    if (disturbs_rings(msg->request)) {
        note_memory(vid, msg->request, true);
        for_each_ring(vid, publish_ring);
    }
    if (msg->request != MSG_SET_FEATURES && msg->request != MSG_SET_STATUS
        && msg->request != MSG_SEND_RARP) {
        return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        if (msg->request == MSG_SEND_RARP) {
            struct eth_addr mac;

            /* librte_vhost would have its own receive function do that. */
            memcpy(&mac, &msg->u64, sizeof mac);
            soft_rep_announce(vu->rep, mac);
        } else if (msg->request == MSG_SET_FEATURES) {
            /* vhost_features_changed() may have seen them already. */
            news = true;
            vu->features_seen = true;
            vu->features = msg->u64 | vu->uso;
        } else {
            news = !vu->status_seen || vu->status != msg->u64;
            vu->status_seen = true;
            vu->status = msg->u64;
            if (!vu->status && !vu->running) {
                vu->features_seen = false;
            }
        }
        if (news) {
            post_event(vu);
        }
    }
    ovs_mutex_unlock(&mutex);
    if (news) {
        seq_change(event_seq);
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops vhost_extern_ops = {
    .pre_msg_handle = vhost_pre_msg,
    .post_msg_handle = vhost_post_msg,
};

/* May also be called in the main thread, from soft_vhost_user_attach(). */
static int
vhost_new_connection(int vid)
{
    char path[PATH_MAX];
    struct soft_vhost_user *vu;
    bool accepted = false;
    bool welcome;

    if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE
        || rte_vhost_get_ifname(vid, path, sizeof path)
        || rte_vhost_extern_callback_register(vid, &vhost_extern_ops, NULL)) {
        return -1;
    }

    ovs_mutex_lock(&mutex);
    vu = shash_find_data(&by_path, path);
    welcome = vu && vu->accepting;
    if (welcome && vu->conn_vid < 0) {
        accepted = true;
        forget_driver(vu);
        vu->request = 0;
        vu->lost = false;
        vu->conn_vid = vid;
        by_vid[vid] = vu;
        n_connected++;
        post_event(vu);
    } else {
        n_refused++;
        if (welcome) {
            vu->errors[SOFT_VHOST_REFUSED]++;
        }
    }
    ovs_mutex_unlock(&mutex);

    if (!accepted && !welcome) {
        return -1;              /* The device is going. */
    } else if (!accepted) {
        VLOG_WARN_RL(&rl, "%s: connection refused: another front end is "
                     "connected", path);
        return -1;
    }
    seq_change(event_seq);
    return 0;
}

static int
vhost_new_device(int vid)
{
    struct soft_vhost_user *vu;
    uint64_t features = 0;
    uint16_t n_vrings;
    bool has_memory;
    uint16_t mtu;
    int numa_id;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    has_memory = vu && vu->has_memory;
    ovs_mutex_unlock(&mutex);
    if (!has_memory) {
        return -1;              /* It will be tried again. */
    }

    n_vrings = rte_vhost_get_vring_num(vid);
    rte_vhost_get_negotiated_features(vid, &features);
    if (rte_vhost_get_mtu(vid, &mtu)) {
        mtu = 0;
    }
    numa_id = rte_vhost_get_numa_node(vid);

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        uint8_t offloads;

        features |= vu->uso;
        offloads = ((features & F_GUEST_CSUM ? SOFT_GUEST_CSUM : 0)
                    | (features & F_GUEST_TSO4 ? SOFT_GUEST_TSO4 : 0)
                    | (features & F_GUEST_TSO6 ? SOFT_GUEST_TSO6 : 0)
                    | (features & F_GUEST_USO4 ? SOFT_GUEST_USO4 : 0)
                    | (features & F_GUEST_USO6 ? SOFT_GUEST_USO6 : 0));
        atomic_store_relaxed(&vu->rep->guest_offloads, offloads);
        vu->running = vu->started = true;
        vu->features_seen = true;
        vu->features = features;
        vu->numa_id = numa_id;
        vu->guest_mtu = mtu;
        vu->ring_pairs = n_vrings / 2;
        ovsrcu_index_set(&vu->rep->vid, vid);
        post_event(vu);
    }
    ovs_mutex_unlock(&mutex);
    if (!vu) {
        return -1;
    }
    for_each_ring(vid, publish_ring);
    seq_change(event_seq);
    return 0;
}

/* A grace period that somebody waits for. */
struct grace_period {
    struct ovs_mutex mutex;
    pthread_cond_t cond;
    bool over;
};

static void
end_grace_period(struct grace_period *gp)
{
    ovs_mutex_lock(&gp->mutex);
    gp->over = true;
    xpthread_cond_signal(&gp->cond);
    ovs_mutex_unlock(&gp->mutex);
}

/* Does what ovsrcu_synchronize() does, in a thread that is not one of Open
 * vSwitch's.  In such a thread that function, which waits in poll_block(),
 * would complain of a long poll interval at each call.  The thread is, and
 * remains, quiescent, i.e. nobody waits for it. */
static void
wait_for_grace_period(void)
{
    struct grace_period gp = { .over = false };

    ovs_mutex_init(&gp.mutex);
    xpthread_cond_init(&gp.cond, NULL);
    ovsrcu_postpone(end_grace_period, &gp);
    ovsrcu_quiesce_start();

    ovs_mutex_lock(&gp.mutex);
    while (!gp.over) {
        ovs_mutex_cond_wait(&gp.cond, &gp.mutex);
    }
    ovs_mutex_unlock(&gp.mutex);

    xpthread_cond_destroy(&gp.cond);
    ovs_mutex_destroy(&gp.mutex);
}

/* May also be called in the main thread, from soft_vhost_user_detach(), which
 * has done everything already. */
static void
vhost_destroy_device(int vid)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        ovsrcu_index_set(&vu->rep->vid, -1);
        vu->running = false;
        vu->stopping = true;
        if (!vu->status_seen) {
            /* The front end does not tell, but stops the rings only when the
             * driver is gone. */
            vu->features_seen = false;
        }
        for (unsigned int i = 0; i < vu->n_vrings; i++) {
            vu->vrings[i].counted = false;
        }
        post_event(vu);
    }
    ovs_mutex_unlock(&mutex);
    if (!vu) {
        return;
    }
    seq_change(event_seq);

    for_each_ring(vid, withdraw_ring);

    /* Packet threads may rely on 'vid' until they quiesce. */
    wait_for_grace_period();

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        vu->stopping = false;
        vu->disconnected_at = time_msec(); /* Or the next moment. */
    }
    ovs_mutex_unlock(&mutex);
}

/* Returns the guest physical address of 'p' in guest memory 'mem', or 0. */
static uint64_t
guest_address(const struct rte_vhost_memory *mem, const void *p)
{
    uint64_t va = (uintptr_t) p;

    for (uint32_t i = 0; mem && i < mem->nregions; i++) {
        const struct rte_vhost_mem_region *r = &mem->regions[i];

        if (va >= r->host_user_addr && va - r->host_user_addr < r->size) {
            return va - r->host_user_addr + r->guest_phys_addr;
        }
    }
    return 0;
}

static int
vhost_vring_state_changed(int vid, uint16_t index, int enable)
{
    struct rte_vhost_memory *mem = NULL;
    struct rte_vhost_vring vring;
    struct soft_vhost_user *vu;
    bool has_memory;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    has_memory = vu && vu->has_memory;
    ovs_mutex_unlock(&mutex);

    memset(&vring, 0, sizeof vring);
    if (enable && has_memory) {
        if (rte_vhost_get_vhost_vring(vid, index, &vring)
            || rte_vhost_get_mem_table(vid, &mem)) {
            mem = NULL;
        }
    }

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu && index < vu->n_vrings) {
        struct soft_vhost_vring *vr = &vu->vrings[index];

        if (enable) {
            vr->size = vring.size;
            vr->desc_addr = guest_address(mem, vring.desc);
            vr->driver_addr = guest_address(mem, vring.avail);
            vr->device_addr = guest_address(mem, vring.used);
            /* librte_vhost also tells when the driver only wants to be
             * notified in another way. */
            if (!vr->counted) {
                soft_rep_get_vring_counters(vu->rep, index, &vr->base);
                vr->counted = true;
            }
        }
        vr->enabled = enable;
        soft_rep_enable_vring(vu->rep, index, enable);
        post_event(vu);
    }
    ovs_mutex_unlock(&mutex);
    free(mem);
    if (enable) {
        publish_ring(vid, index);
    } else {
        withdraw_ring(vid, index);
    }
    if (vu) {
        seq_change(event_seq);
    }
    return 0;
}

static int
vhost_features_changed(int vid, uint64_t features)
{
    struct soft_vhost_user *vu;

    /* Only VHOST_F_LOG_ALL can change while the rings run. */
    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        vu->features = features | vu->uso;
    }
    ovs_mutex_unlock(&mutex);
    return 0;
}

static void
vhost_destroy_connection(int vid)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&mutex);
    vu = lookup_vid(vid);
    if (vu) {
        by_vid[vid] = NULL;
        vu->conn_vid = -1;
        count_failure(vu);
        forget_driver(vu);
        vu->disconnected_at = time_msec();
        n_disconnected++;
        post_event(vu);
    }
    ovs_mutex_unlock(&mutex);
    if (vu) {
        seq_change(event_seq);
    }
}

/* librte_vhost has complained of the front end of the socket whose path is at
 * the beginning of 'path', before ") ". */
static void
vhost_complained(const char *path, const char *end,
                 enum soft_vhost_complaint complaint)
{
    ovs_mutex_lock(&mutex);
    for (const char *p = path; p + 1 < end; p++) {
        struct shash_node *node;

        if (p[0] != ')' || p[1] != ' ') {
            continue;
        }
        node = shash_find_len(&by_path, path, p - path);
        if (node) {
            struct soft_vhost_user *vu = node->data;

            if (complaint == SOFT_VHOST_LOST) {
                vu->lost = true;
            } else if (vu->conn_vid >= 0 && !vu->lost) {
                vu->errors[SOFT_VHOST_REFUSED]++;
            }
            break;
        }
    }
    ovs_mutex_unlock(&mutex);
}

static const struct rte_vhost_device_ops vhost_ops = {
    .new_connection = vhost_new_connection,
    .new_device = vhost_new_device,
    .vring_state_changed = vhost_vring_state_changed,
    .features_changed = vhost_features_changed,
    .destroy_device = vhost_destroy_device,
    .destroy_connection = vhost_destroy_connection,
};

/* Main thread. */

void
soft_vhost_user_init(struct soft_vhost_user *vu, struct soft_rep *rep,
                     struct virtnet_device *dev)
{
    if (!event_seq) {
        event_seq = seq_create();
        event_seqno = seq_read(event_seq);
    }
    memset(vu, 0, sizeof *vu);
    vu->rep = rep;
    vu->dev = dev;
    vu->conn_vid = -1;
    vu->numa_id = -1;
    ovs_list_init(&vu->event_node);
}

void
soft_vhost_user_uninit(struct soft_vhost_user *vu)
{
    ovs_assert(!vu->path);
    ovs_mutex_lock(&mutex);
    ovs_list_remove(&vu->event_node);
    ovs_list_init(&vu->event_node);
    ovs_mutex_unlock(&mutex);
    free(vu->vrings);
    vu->vrings = NULL;
    vu->n_vrings = 0;
}

static int OVS_PRINTF_FORMAT(3, 4)
fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return -error;
}

int
soft_vhost_user_open(struct soft_vhost_user *vu, const char *path,
                     bool server, bool make_dir, char **errp)
{
    bool taken;
    int error;

    error = soft_socket_check_path(path, errp);
    if (!error && make_dir) {
        error = soft_socket_make_parents(path, errp);
    }
    if (error) {
        return error;
    }

    ovs_mutex_lock(&mutex);
    taken = !shash_add_once(&by_path, path, vu);
    ovs_mutex_unlock(&mutex);

    /* A port of Open vSwitch's own may have it, too. */
    if (!taken && !rte_vhost_driver_disable_features(path, 0)) {
        ovs_mutex_lock(&mutex);
        shash_find_and_delete(&by_path, path);
        ovs_mutex_unlock(&mutex);
        taken = true;
    }
    if (taken) {
        return fail(EADDRINUSE, errp, "socket %s is taken by another port",
                    path);
    }
    vu->path = xstrdup(path);
    vu->server = server;
    return 0;
}

void
soft_vhost_user_close(struct soft_vhost_user *vu, bool unlink_socket)
{
    if (vu->path) {
        soft_vhost_user_detach(vu);
        ovs_mutex_lock(&mutex);
        shash_find_and_delete(&by_path, vu->path);
        ovs_mutex_unlock(&mutex);

        if (unlink_socket) {
            soft_socket_unlink(vu->path);
        }
        free(vu->path);
        vu->path = NULL;
    }
}

int
soft_vhost_user_attach(struct soft_vhost_user *vu, uint64_t features,
                       unsigned int max_pairs, char **errp)
{
    uint64_t flags = soft_packet_vhost_flags();
    int error;

    ovs_assert(vu->path && !vu->registered);
    soft_vhost_log_follow(vhost_complained);
    error = soft_socket_clear(vu->path, vu->server, errp);
    if (!error && vu->server) {
        error = soft_socket_try_bind(vu->path, errp);
    }
    if (error) {
        return error;
    }

    if (!vu->server) {
        flags |= RTE_VHOST_USER_CLIENT;
    }
    if (rte_vhost_driver_register(vu->path, flags)) {
        return fail(ENOSPC, errp, "socket %s: librte_vhost has no room for "
                    "another one", vu->path);
    }
    vu->registered = true;

    /* Not rte_vhost_driver_set_features(), which would turn off the packet
     * functions of librte_vhost. */
    features |= TRANSPORT_FEATURES;
    if (max_pairs == 1) {
        features &= ~F_MQ;
    }
    rte_vhost_driver_disable_features(vu->path, ~features);
    rte_vhost_driver_callback_register(vu->path, &vhost_ops);
#if RTE_VERSION >= RTE_VERSION_NUM(23, 7, 0, 0)
    rte_vhost_driver_set_max_queue_num(vu->path, max_pairs);
#endif

    ovs_mutex_lock(&mutex);
    if (vu->n_vrings < 2 * max_pairs) {
        free(vu->vrings);
        vu->n_vrings = 2 * max_pairs;
        vu->vrings = xcalloc(vu->n_vrings, sizeof *vu->vrings);
    }
    vu->max_pairs = max_pairs;
    vu->uso_offered = features & USO_FEATURES;
    vu->accepting = true;
    vu->stopping = false;
    forget_driver(vu);
    ovs_mutex_unlock(&mutex);

    if (vu->server) {
        fatal_signal_add_file_to_unlink(vu->path);
    }
    if (rte_vhost_driver_start(vu->path)) {
        soft_vhost_user_detach(vu);
        return fail(EIO, errp, "socket %s: librte_vhost cannot use it; its "
                    "log says why", vu->path);
    }
    return 0;
}

/* After librte_vhost (22.11, for one) has told that a connection in client
 * mode is gone, its thread goes on to queue the socket for another attempt to
 * connect.  If the socket is unregistered at that very moment, what is in the
 * queue refers to freed memory, and the next attempt crashes.  So does not
 * return while the front end of 'vu' is going, nor until that moment must have
 * passed.  The caller must be quiescent: librte_vhost's thread may be waiting
 * for a grace period. */
static void
let_reconnection_begin(struct soft_vhost_user *vu)
{
    for (int i = 0; i < STOPPING_MAX_MS && !vu->server; i++) {
        long long int disconnected_at;
        bool stopping;

        ovs_mutex_lock(&mutex);
        stopping = vu->stopping;
        disconnected_at = vu->disconnected_at;
        ovs_mutex_unlock(&mutex);

        if (!stopping
            && time_msec() >= disconnected_at + RECONNECTION_BEGINS_MS) {
            break;
        }
        xnanosleep(1000 * 1000);
    }
}

void
soft_vhost_user_detach(struct soft_vhost_user *vu)
{
    bool used;

    if (!vu->registered) {
        return;
    }

    ovsrcu_quiesce_start();
    let_reconnection_begin(vu);
    ovsrcu_quiesce_end();

    ovs_mutex_lock(&mutex);
    used = ovsrcu_index_get(&vu->rep->vid) >= 0;
    ovsrcu_index_set(&vu->rep->vid, -1);
    vu->accepting = false;
    if (vu->conn_vid >= 0) {
        by_vid[vu->conn_vid] = NULL;
        vu->conn_vid = -1;
        post_event(vu);
    }
    forget_driver(vu);
    ovs_mutex_unlock(&mutex);

    if (used) {
        ovsrcu_synchronize();
    }
    ovsrcu_quiesce_start();
    rte_vhost_driver_unregister(vu->path);
    ovsrcu_quiesce_end();
    vu->registered = false;
    if (vu->server) {
        fatal_signal_remove_file_to_unlink(vu->path);
    }
    seq_change(event_seq);
}

/* Stores in '*info' what is known of the driver of 'vu'. */
static void
get_driver_info(const struct soft_vhost_user *vu,
                struct virtnet_driver_info *info)
    OVS_REQUIRES(mutex)
{
    const uint8_t negotiated = (VIRTNET_STATUS_ACKNOWLEDGE
                                | VIRTNET_STATUS_DRIVER
                                | VIRTNET_STATUS_FEATURES_OK);

    memset(info, 0, sizeof *info);
    info->msix_config_vector = VIRTNET_NO_MSIX_VECTOR;
    info->attached = vu->conn_vid >= 0;
    info->numa_id = vu->running ? vu->numa_id : -1;

    /* DRIVER_OK is what librte_vhost says it is: with the best will of the
     * driver, nothing moves before the rings are ready. */
    if (vu->running) {
        info->status = vu->status | negotiated | VIRTNET_STATUS_DRIVER_OK;
        info->enabled_pairs = soft_rep_enabled_pairs(vu->rep);
        info->ring_pairs = MIN(vu->ring_pairs, vu->max_pairs);
    } else if (vu->status_seen) {
        info->status = vu->status & ~VIRTNET_STATUS_DRIVER_OK;
        if (!vu->features_seen) {
            info->status &= ~VIRTNET_STATUS_FEATURES_OK;
        }
    } else if (vu->features_seen) {
        info->status = negotiated;
    }
    if (vu->features_seen) {
        info->features = vu->features & ~TRANSPORT_FEATURES;
        /* A front end has writes logged while it copies the memory. */
        info->migrating = vu->has_log && vu->features & F_LOG_ALL;
    }
}

struct soft_vhost_user *
soft_vhost_user_poll(struct virtnet_driver_info *info)
{
    bool started = false;
    struct soft_vhost_user *vu = NULL;
    uint16_t guest_mtu = 0;

    if (!event_seq) {
        return NULL;
    }
    event_seqno = seq_read(event_seq);

    ovs_mutex_lock(&mutex);
    COVERAGE_ADD(virtnet_vhost_connected, n_connected);
    COVERAGE_ADD(virtnet_vhost_disconnected, n_disconnected);
    COVERAGE_ADD(virtnet_vhost_refused, n_refused);
    n_connected = n_disconnected = n_refused = 0;
    if (!ovs_list_is_empty(&events)) {
        vu = CONTAINER_OF(ovs_list_pop_front(&events), struct soft_vhost_user,
                          event_node);
        ovs_list_init(&vu->event_node);
        get_driver_info(vu, info);
        started = vu->started;
        guest_mtu = vu->guest_mtu;
        vu->started = false;
    }
    ovs_mutex_unlock(&mutex);

    if (!vu) {
        return NULL;
    }
    if (started) {
        if (info->numa_id >= 0) {
            soft_rep_set_socket_id(vu->rep, info->numa_id, vu->dev->rep_name);
        }
        if (guest_mtu && guest_mtu != vu->dev->config.mtu) {
            VLOG_WARN_RL(&rl, "%s: the front end shows the guest an MTU of "
                         "%"PRIu16", not the device's %"PRIu16,
                         vu->dev->rep_name, guest_mtu, vu->dev->config.mtu);
        }
    }
    return vu;
}

void
soft_vhost_user_wait(void)
{
    bool more;

    if (event_seq) {
        ovs_mutex_lock(&mutex);
        more = !ovs_list_is_empty(&events);
        ovs_mutex_unlock(&mutex);
        if (more) {
            poll_immediate_wake();
        }
        seq_wait(event_seq, event_seqno);
    }
}

void
soft_vhost_user_get_queue_info(const struct soft_vhost_user *vu,
                               unsigned int index,
                               struct virtnet_queue_info *info)
{
    /* What 'base' is may change meanwhile, and must not be more than what it
     * is taken from. */
    ovs_mutex_lock(&mutex);
    if (index < 2 * vu->rep->n_pairs) {
        soft_rep_get_vring_counters(vu->rep, index, info);
    }
    if (index < vu->n_vrings) {
        const struct soft_vhost_vring *vr = &vu->vrings[index];

        info->enabled = vr->enabled;
        info->size = vr->size;
        info->desc_addr = vr->desc_addr;
        info->driver_addr = vr->driver_addr;
        info->device_addr = vr->device_addr;
        info->packets -= vr->base.packets;
        info->total_bytes -= vr->base.total_bytes;
        info->drops -= vr->base.drops;
        info->received_desc -= vr->base.received_desc;
        info->completed_desc -= vr->base.completed_desc;
        info->bad_desc_errors -= vr->base.bad_desc_errors;
        info->error_cqes -= vr->base.error_cqes;
        info->exceed_max_chain -= vr->base.exceed_max_chain;
        info->invalid_buffer -= vr->base.invalid_buffer;
    }
    ovs_mutex_unlock(&mutex);
}

void
soft_vhost_user_get_health(const struct soft_vhost_user *vu,
                           struct virtnet_health *health)
{
    ovs_mutex_lock(&mutex);
    health->steer_rx_domain_err += vu->errors[SOFT_VHOST_REFUSED];
    health->steer_rx_table_err += vu->errors[SOFT_VHOST_MEMORY];
    health->sf_tir_create_err += vu->errors[SOFT_VHOST_RING];
    health->sf_rqt_update_err += vu->errors[SOFT_VHOST_PAIRS];
    ovs_mutex_unlock(&mutex);
}
