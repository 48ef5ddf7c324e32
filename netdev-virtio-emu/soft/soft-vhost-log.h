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

#ifndef VIRTNET_SOFT_VHOST_LOG_H
#define VIRTNET_SOFT_VHOST_LOG_H 1

/* What librte_vhost says only in its log.
 *
 * A message of a front end that is no message (of a version, a length or a
 * number that there is not, with too many descriptors, about a ring beyond
 * those that there can be) is refused before any of our handlers is called,
 * or after all of them.  Nothing but DPDK's log tells of it, neither who hung
 * up.  So that log passes through here on its way to Open vSwitch's. */

#include <stddef.h>

enum soft_vhost_complaint {
    SOFT_VHOST_LOST,            /* The connection broke; not refused. */
    SOFT_VHOST_BAD_MESSAGE,     /* A message was refused. */
};

/* Told of a complaint about the socket whose path is said first in 'path',
 * from which ") " and more follow up to 'end', in any thread; whatever locks
 * librte_vhost has at that moment are held. */
typedef void soft_vhost_complaint_cb(const char *path, const char *end,
                                     enum soft_vhost_complaint);

/* Has 'cb' told of all complaints from now on.  Does nothing if called again.
 * DPDK must have been initialized. */
void soft_vhost_log_follow(soft_vhost_complaint_cb *cb);

#endif /* soft-vhost-log.h */
