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

#ifndef VIRTNET_MODIFY_H
#define VIRTNET_MODIFY_H 1

/* Modifications of devices: the rules of "virtnet modify", whoever asks for
 * it, a command or a row of the database.
 *
 * A modification is a set of attributes with values.  All of them are checked
 * before anything changes, so it is carried out as a whole or not at all.
 *
 * Some attributes are told to a driver only when it loads, so no driver may be
 * bound (VIRTNET_E_DRIVER_LOADED).  Others concern queues that a driver has
 * made, so one must be ready (VIRTNET_E_DEV_NOT_STARTED).  The rest take
 * effect at once.  Which is which is said in one table, in
 * virtnet-modify-rules.c.
 *
 * Main thread. */

#include <stdbool.h>
#include <stdint.h>

#include "virtnet-device.h"

/* What can be modified: symbol and name of the option.  Later ones may depend
 * on earlier ones. */
#define VIRTNET_ATTRS                                   \
    VIRTNET_ATTR(MAC, "mac")                            \
    VIRTNET_ATTR(MTU, "mtu")                            \
    VIRTNET_ATTR(SPEED, "speed")                        \
    VIRTNET_ATTR(LINK, "link")                          \
    VIRTNET_ATTR(STATE, "state")                        \
    VIRTNET_ATTR(FEATURES, "features")                  \
    VIRTNET_ATTR(HASH_TYPES, "supported_hash_types")    \
    VIRTNET_ATTR(RSS_KEY_SIZE, "rss_max_key_size")      \
    VIRTNET_ATTR(RX_MODE, "rx_mode")                    \
    VIRTNET_ATTR(MSIX, "msix_num")                      \
    VIRTNET_ATTR(QUEUE_SIZE, "max_queue_size")          \
    VIRTNET_ATTR(DST_PORT, "dst_port")                  \
    VIRTNET_ATTR(RX_DMA_QS, "rx_dma_q_num")             \
    VIRTNET_ATTR(DROP_COUNTER, "drop_counter")          \
    VIRTNET_ATTR(PACKET_COUNTER, "packet_counter")      \
    VIRTNET_ATTR(AARFS, "aarfs_config")                 \
    VIRTNET_ATTR(QUEUE_PAIRS, "max_queue_pairs")        \
    VIRTNET_ATTR(DIM, "dim_config")                     \
    VIRTNET_ATTR(NET_DIM, "net_dim_config")             \
    VIRTNET_ATTR(PERIOD_MODE, "period_mode")            \
    VIRTNET_ATTR(PERIOD, "period")                      \
    VIRTNET_ATTR(MAX_COUNT, "max_count")

enum virtnet_attr {
#define VIRTNET_ATTR(ID, NAME) VIRTNET_ATTR_##ID,
    VIRTNET_ATTRS
#undef VIRTNET_ATTR
    VIRTNET_N_ATTRS
};

struct virtnet_attr_value {
    bool given;
    const char *text;           /* Borrowed.  MAC and those that are enabled
                                 * or disabled. */
    uint64_t number;            /* The others. */
};

struct virtnet_modification {
    struct virtnet_attr_value attrs[VIRTNET_N_ATTRS];
};

/* Name of the option of "modify device", or of "modify queue". */
const char *virtnet_attr_name(enum virtnet_attr);

/* Works out in '*config' what 'dev' is to be after 'mod'.  Returns 0, or the
 * number that the operator shall see, with one line in '*errp' (owned by the
 * caller, possibly NULL).  Changes nothing. */
int virtnet_modify_check(const struct virtnet_device *dev,
                         const struct virtnet_modification *mod,
                         struct virtnet_device_config *config, char **errp);

/* How a modification that could not be carried out at once has come out:
 * 'error' is 0, or the number that the operator shall see, with one line in
 * 'detail' or NULL.  'dev' may have gone meanwhile, and is NULL if all were to
 * be modified. */
typedef void virtnet_modify_cb(struct virtnet_device *dev, int error,
                               const char *detail, void *aux);

/* Carries 'mod' out on 'dev', or changes nothing and returns an error as
 * virtnet_modify_check() does.  Returns -EINPROGRESS if the backend needs
 * time, and calls 'cb', unless it is NULL, from the main loop with what this
 * would have returned.  Modifications of a device come one after another, and
 * each is checked when those before it have come out. */
int virtnet_modify(struct virtnet_device *dev,
                   const struct virtnet_modification *mod,
                   virtnet_modify_cb *cb, void *aux, char **errp);

/* Carries 'mod' out on all devices, if none of them objects.  Returns an error
 * like the others, or 0 and calls 'cb' when it is done, with the first error
 * of a backend, after which no more devices are begun with, if there is one.
 * Texts of 'mod' must be valid until then.  Takes some turns of the main loop
 * if there are many devices: each is modified as a whole, and virtnet_modify()
 * of one that is to come comes after it. */
int virtnet_modify_all(const struct virtnet_modification *mod,
                       virtnet_modify_cb *cb, void *aux, char **errp);

/* Is any modification under way? */
bool virtnet_modify_is_busy(void);

void virtnet_modify_run(void);
void virtnet_modify_wait(void);

#endif /* virtnet-modify.h */
