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

/* What front ends send.  See soft-vhost-private.h. */

#include <config.h>

#include "soft-vhost-private.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <rte_vhost.h>

#include "packets.h"
#include "soft-rep.h"
#include "util.h"

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

/* Beginning of a message, as librte_vhost passes it to handlers. */
OVS_PACKED(
struct soft_vhost_msg {
    uint32_t request;           /* MSG_*. */
    uint32_t flags;
    uint32_t size;              /* Bytes of payload. */
    uint64_t u64;               /* Payload of the messages above. */
});

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

void
soft_vhost_count_failure(struct soft_vhost_user *vu)
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

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        if (request) {
            soft_vhost_count_failure(vu);
        }
        vu->request = request;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
}

/* Notes what 'request', which 'vid' has been asked for, makes of the guest's
 * memory and dirty log: nothing that can be relied on until it is 'done'. */
static void
note_memory(int vid, uint32_t request, bool done)
{
    struct soft_vhost_user *vu;

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
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
    ovs_mutex_unlock(&soft_vhost_mutex);
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

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        max_pairs = vu->max_pairs;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
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

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        uso = vu->uso_offered;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
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

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
    if (vu) {
        vu->uso = msg->u64 & vu->uso_offered;
        msg->u64 &= ~vu->uso;
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
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
        soft_vhost_for_each_ring(vid, soft_vhost_withdraw_ring);
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
        soft_vhost_for_each_ring(vid, soft_vhost_publish_ring);
    }
    if (msg->request != MSG_SET_FEATURES && msg->request != MSG_SET_STATUS
        && msg->request != MSG_SEND_RARP) {
        return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
    }

    ovs_mutex_lock(&soft_vhost_mutex);
    vu = soft_vhost_lookup(vid);
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
            soft_vhost_post_event(vu);
        }
    }
    ovs_mutex_unlock(&soft_vhost_mutex);
    if (news) {
        soft_vhost_wake();
    }
    return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

const struct rte_vhost_user_extern_ops soft_vhost_extern_ops = {
    .pre_msg_handle = vhost_pre_msg,
    .post_msg_handle = vhost_post_msg,
};
