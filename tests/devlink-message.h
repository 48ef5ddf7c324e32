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

#ifndef DEVLINK_MESSAGE_H
#define DEVLINK_MESSAGE_H 1

/* What the kernel says by netlink about devlink ports, for tests that stand
 * for it.  What it does is theirs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlx5-devlink-msg.h"

struct nlattr;
struct nlmsghdr;

/* Numbers of the generic netlink family, and of its multicast group. */
#define DL_FAMILY 0x25
#define DL_GROUP 11

struct dl_message {
    size_t size;                /* When it is complete: dl_end(). */
    uint64_t data[128];
};

/* Each begins '*m' anew.  Begins a message; with a generic netlink header
 * unless 'cmd' is 0. */
struct nlmsghdr *dl_put(struct dl_message *m, uint16_t type, uint16_t flags,
                        uint32_t seq, uint8_t cmd);

/* All that there is to say of a port.  'cmd' is what kernels say:
 * DEVLINK_CMD_PORT_NEW, _DEL, or, if they are not of the newest, in lists and
 * when they have made a port, DEVLINK_CMD_NEW. */
void dl_put_port(struct dl_message *m, uint8_t cmd, uint16_t flags,
                 uint32_t seq, const struct mlx5_dl_port *);

/* Answers to "getfamily" and to "eswitch show". */
void dl_put_family(struct dl_message *m, uint32_t seq);
void dl_put_eswitch(struct dl_message *m, uint32_t seq, bool switchdev);

/* The end of what is said to 'request': 'error' is 0 or a negative errno. */
struct nlmsghdr *dl_put_ack(struct dl_message *m,
                            const struct nlmsghdr *request, uint16_t flags,
                            int error);

/* '*m' is complete. */
void dl_end(struct dl_message *m);

/* For mnl_attr_parse(): stores attributes by type in an array of
 * DL_N_ATTRS. */
#define DL_N_ATTRS 200
int dl_collect(const struct nlattr *, void *attrs);

#endif /* devlink-message.h */
