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

/* What librte_vhost says only in its log.  See soft-vhost-log.h.
 *
 * It is known by its words, which have been the same since DPDK 22.11.  Words
 * that are not known count as nothing; that these are is for a test to show
 * ("health - messages that make no sense"). */

#include <config.h>

#include "soft-vhost-log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <rte_log.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(virtnet_vhost_log);

static const struct {
    const char *words;
    enum soft_vhost_complaint complaint;
} complaints[] = {
    { "recvmsg failed on fd", SOFT_VHOST_LOST },
    { "vhost read message", SOFT_VHOST_BAD_MESSAGE },
    { "failed to alloc queue", SOFT_VHOST_BAD_MESSAGE },
    { "was not handled", SOFT_VHOST_BAD_MESSAGE },
};

static soft_vhost_complaint_cb *follower;
static FILE *next;              /* Where the log goes on to. */

static void
look_at(const char *line, size_t size)
{
    static const char head[] = "VHOST_CONFIG: (";
    const char *path = memmem(line, size, head, strlen(head));
    const char *end = line + size;

    if (!path) {
        return;
    }
    path += strlen(head);
    for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
        if (memmem(path, end - path, complaints[i].words,
                   strlen(complaints[i].words))) {
            follower(path, end, complaints[i].complaint);
            break;
        }
    }
}

static ssize_t
write_log(void *cookie OVS_UNUSED, const char *line, size_t size)
{
    size_t written;

    if (rte_log_cur_msg_loglevel() <= (int) RTE_LOG_ERR) {
        look_at(line, size);
    }
    /* Each line has a level, which is that of the last one. */
    written = fwrite(line, 1, size, next);
    fflush(next);
    return written;
}

void
soft_vhost_log_follow(soft_vhost_complaint_cb *cb)
{
    const cookie_io_functions_t functions = { .write = write_log };
    FILE *stream;

    if (follower) {
        return;
    }
    stream = fopencookie(NULL, "w", functions);
    if (!stream) {
        VLOG_WARN("messages that librte_vhost refuses will not be counted: %s",
                  ovs_strerror(errno));
        return;
    }
    /* A line at a time, under the stream's lock.  Unbuffered it would not be:
     * from version 2.37 on glibc writes 128 bytes of it at a time then. */
    setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    follower = cb;
    next = rte_log_get_stream();
    rte_openlog_stream(stream);
}
