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


#ifndef VIRTNET_REPLY_H
#define VIRTNET_REPLY_H 1

/* What commands have in common: how they answer, and how they find the device
 * that they are about.
 *
 * Main thread. */

#include <stdbool.h>

struct unixctl_conn;
struct virtnet_args;
struct virtnet_device;
struct virtnet_json;

/* Sends what 'j' holds, and destroys it. */
void virtnet_reply(struct unixctl_conn *, struct virtnet_json *j);

/* Answers an action with 'error', and with 'detail' if it is nonnull. */
void virtnet_reply_errno(struct unixctl_conn *, int error,
                         const char *detail);

/* The same, but not before all that has been asked for is in the records: what
 * an operator is told of stays as it is told, though the process crash. */
void virtnet_reply_recorded(struct unixctl_conn *, struct virtnet_json *j);
void virtnet_reply_errno_recorded(struct unixctl_conn *, int error,
                                  const char *detail);

/* Gives answers whose time has come.  When records have been flushed that are
 * all that there are. */
void virtnet_reply_run(void);
void virtnet_reply_wait(void);

/* Answers a command that should show a device that is not there. */
void virtnet_reply_no_device(struct unixctl_conn *);

/* Finds the device that --pf, --vf and --vuid select.  Returns NULL and the
 * number that an action answers with in '*error' if there is none. */
struct virtnet_device *virtnet_select_device(const struct virtnet_args *,
                                             bool may_be_vf, int *error);

/* Is 'dev' in 'state', e.g. "driver-ok" for "driver ok"? */
bool virtnet_is_state(const struct virtnet_device *, const char *state);

#endif /* virtnet-reply.h */
