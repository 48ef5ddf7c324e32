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

/* Work in slices.  See virtnet-slice.h. */

#include <config.h>

#include "virtnet-slice.h"

#include <string.h>

#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

/* How many devices there may be until all work stops; negative: no limit. */
static int left = -1;

void
virtnet_slice_begin(struct virtnet_slice *slice, bool changes)
{
    slice->end = time_msec() + VIRTNET_SLICE_MS;
    slice->begun = false;
    slice->changes = changes;
}

void
virtnet_slice_extend(struct virtnet_slice *slice)
{
    slice->end += VIRTNET_SLICE_START_MS - VIRTNET_SLICE_MS;
}

bool
virtnet_slice_is_over(struct virtnet_slice *slice)
{
    if ((slice->changes && !left)
        || (slice->begun && time_msec() >= slice->end)) {
        return true;
    }
    slice->begun = true;
    if (slice->changes && left > 0) {
        left--;
    }
    return false;
}

void
virtnet_slice_wait(void)
{
    if (left) {
        poll_immediate_wake();
    }
}

void
virtnet_slice_limit(int n)
{
    left = MAX(n, -1);
}

static void
cmd_slice(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
          void *aux OVS_UNUSED)
{
    int n = -1;

    if (strcmp(argv[1], "all") && (!str_to_int(argv[1], 10, &n) || n < 0)) {
        unixctl_command_reply_error(conn, "a number or \"all\" is needed");
        return;
    }
    virtnet_slice_limit(n);
    unixctl_command_reply(conn, NULL);
}

void
virtnet_slice_init(void)
{
    unixctl_command_register("virtnet/slice", "N | all", 1, 1, cmd_slice,
                             NULL);
}
