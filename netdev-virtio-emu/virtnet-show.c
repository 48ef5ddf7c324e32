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


/* Commands that show something.  See virtnet-show.h. */

#include <config.h>

#include "virtnet-show.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-controller.h"
#include "virtnet-field.h"
#include "virtnet-health.h"
#include "virtnet-json.h"
#include "virtnet-option.h"
#include "virtnet-registry.h"
#include "virtnet-reply.h"

/* How long (ms) to print devices in one turn of the main loop. */
#define QUERY_SLICE_MS 15

/* Finds the device and the queue (-1 for all) that a command which shows
 * something selects.  If there is no such thing, says so to 'conn' and returns
 * NULL. */
static struct virtnet_device *
select_shown(struct unixctl_conn *conn, const struct virtnet_args *args,
             int *queue)
{
    struct virtnet_device *dev;
    int error;

    *queue = -1;
    dev = virtnet_select_device(args, true, &error);
    if (!dev) {
        virtnet_reply_no_device(conn);
    } else if (virtnet_arg_given(args, "queue_id")) {
        uint64_t id = virtnet_arg_number(args, "queue_id");

        if (id >= virtnet_device_num_queues(dev)) {
            virtnet_reply_errno(conn, VIRTNET_E_QUEUE_INDEX, NULL);
            return NULL;
        }
        *queue = id;
    }
    return dev;
}

/* Do the filters of "list" let 'dev' through? */
static bool
is_listed(const struct virtnet_args *args, const struct virtnet_device *dev)
{
    const char *type = virtnet_arg_text(args, "type");
    const char *state = virtnet_arg_text(args, "state");
    const char *bridge = virtnet_arg_text(args, "bridge");

    if ((type && dev->type != (!strcmp(type, "static") ? VIRTNET_STATIC_PF
                               : !strcmp(type, "hotplug") ? VIRTNET_HOTPLUG_PF
                               : VIRTNET_VF))
        || (state && !virtnet_is_state(dev, state))) {
        return false;
    }
    return ((!virtnet_arg_given(args, "pf")
             || virtnet_arg_number(args, "pf") == dev->pf_id)
            && (!bridge || nullable_string_is_equal(bridge,
                                                    dev->port_bridge)));
}

void
virtnet_show_list(struct unixctl_conn *conn, const struct virtnet_args *args,
                  const struct virtnet_args *sub OVS_UNUSED)
{
    const char *format = virtnet_arg_text(args, "format");
    struct virtnet_device *dev;
    struct virtnet_json j;

    if (format && !strcmp(format, "table")) {
        struct ds s = DS_EMPTY_INITIALIZER;

        virtnet_table_header(&s);
        VIRTNET_FOR_EACH_DEVICE (dev) {
            if (is_listed(args, dev)) {
                virtnet_table_row(&s, dev);
            }
        }
        unixctl_command_reply(conn, ds_cstr(&s));
        ds_destroy(&s);
        return;
    }
    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    virtnet_json_controller(&j);
    virtnet_json_begin_array(&j, "devices");
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (is_listed(args, dev)) {
            virtnet_json_device(&j, dev, false, true, false, -1);
        }
    }
    virtnet_json_end_array(&j);
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

/* Clears the debug counters of 'dev', or of all devices if it is NULL. */
static void
clear_debug_stats(struct virtnet_device *dev)
{
    struct virtnet_device *d;

    VIRTNET_FOR_EACH_DEVICE (d) {
        if ((!dev || d == dev) && d->backend->class->clear_debug_stats) {
            d->backend->class->clear_debug_stats(d);
        }
    }
}

/* "query" of all devices, a part of them in each turn of the main loop: with
 * all their queues they are a lot to print. */
struct query_job {
    struct ovs_list list_node;  /* In 'query_jobs'. */
    struct unixctl_conn *conn;
    struct virtnet_json j;
    bool brief, debug;
    struct virtnet_device **devs; /* With a reference each. */
    size_t n_devs, next;
};
static struct ovs_list query_jobs = OVS_LIST_INITIALIZER(&query_jobs);

/* Carries on with 'job' for a while.  If that is all, answers and destroys
 * it. */
static void
query_job_run(struct query_job *job)
{
    long long int deadline = time_msec() + QUERY_SLICE_MS;

    while (job->next < job->n_devs) {
        struct virtnet_device *dev = job->devs[job->next++];

        /* It may have gone meanwhile. */
        if (virtnet_registry_contains(dev)) {
            virtnet_json_device(&job->j, dev, true, job->brief, job->debug,
                                -1);
        }
        virtnet_device_unref(dev);
        if (time_msec() >= deadline) {
            return;
        }
    }
    virtnet_json_end_array(&job->j);
    virtnet_json_end_object(&job->j);
    virtnet_reply(job->conn, &job->j);
    ovs_list_remove(&job->list_node);
    free(job->devs);
    free(job);
}

static void
query_all(struct unixctl_conn *conn, bool brief, bool debug)
{
    struct query_job *job = xzalloc(sizeof *job);
    struct virtnet_device *dev;

    job->conn = conn;
    job->brief = brief;
    job->debug = debug;
    job->devs = xmalloc(virtnet_controller_n_devices() * sizeof *job->devs);
    VIRTNET_FOR_EACH_DEVICE (dev) {
        job->devs[job->n_devs++] = virtnet_device_ref(dev);
    }
    virtnet_json_init(&job->j);
    virtnet_json_begin_object(&job->j, NULL);
    virtnet_json_begin_array(&job->j, "devices");
    ovs_list_push_back(&query_jobs, &job->list_node);
    query_job_run(job);
}

void
virtnet_show_query(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    bool brief = virtnet_arg_given(args, "brief");
    bool debug = virtnet_arg_given(args, "dbg_stats");
    struct virtnet_device *dev = NULL;
    struct virtnet_json j;
    int queue = -1;

    if (!virtnet_arg_given(args, "all")) {
        dev = select_shown(conn, args, &queue);
        if (!dev) {
            return;
        }
    }
    if (virtnet_arg_given(args, "stats_clear")) {
        clear_debug_stats(dev);
    }
    if (!dev) {
        query_all(conn, brief, debug);
        return;
    }
    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    virtnet_json_begin_array(&j, "devices");
    virtnet_json_device(&j, dev, true, brief, debug, queue);
    virtnet_json_end_array(&j);
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

void
virtnet_show_stats(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_device *dev;
    struct virtnet_json j;
    int queue;

    dev = select_shown(conn, args, &queue);
    if (!dev) {
        return;
    }
    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    virtnet_json_stats(&j, dev, queue);
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

void
virtnet_show_health(struct unixctl_conn *conn, const struct virtnet_args *args,
                    const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_device *dev = NULL;
    struct virtnet_json j;
    int error;

    if (!virtnet_arg_given(args, "all")) {
        dev = virtnet_select_device(args, true, &error);
        if (!dev) {
            virtnet_reply_no_device(conn);
            return;
        }
    }
    virtnet_json_init(&j);
    if (dev) {
        virtnet_json_health(&j, dev);
    } else {
        virtnet_json_begin_array(&j, NULL);
        VIRTNET_FOR_EACH_DEVICE (dev) {
            virtnet_json_health(&j, dev);
        }
        virtnet_json_controller_health(&j);
        virtnet_json_end_array(&j);
    }
    virtnet_reply(conn, &j);
}

void
virtnet_show_run(void)
{
    if (!ovs_list_is_empty(&query_jobs)) {
        query_job_run(CONTAINER_OF(ovs_list_front(&query_jobs),
                                   struct query_job, list_node));
    }
}

void
virtnet_show_wait(void)
{
    if (!ovs_list_is_empty(&query_jobs)) {
        poll_immediate_wake();
    }
}
