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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dirs.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-check.h"
#include "virtnet-controller.h"
#include "virtnet-debug.h"
#include "virtnet-field.h"
#include "virtnet-health.h"
#include "virtnet-json.h"
#include "virtnet-option.h"
#include "virtnet-registry.h"
#include "virtnet-reply.h"
#include "virtnet-slice.h"

struct virtnet_device *
virtnet_show_select(struct unixctl_conn *conn,
                    const struct virtnet_args *args, int *queue)
{
    struct virtnet_device *dev;
    char *detail;
    int error;

    dev = virtnet_select_device(args, true, &error);
    if (!dev) {
        virtnet_reply_no_device(conn);
        return NULL;
    }
    error = virtnet_check_migrating(dev, false, &detail);
    if (error) {
        virtnet_reply_errno(conn, error, detail);
        free(detail);
        return NULL;
    }
    if (!queue) {
        return dev;
    }
    *queue = -1;
    if (virtnet_arg_given(args, "queue_id")) {
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

/* Many devices are a lot to print, so that is done in slices (see
 * virtnet-slice.h), and the answer comes when all have been printed.  A device
 * that goes meanwhile is left out. */
struct show_job {
    struct ovs_list list_node;  /* In 'show_jobs'. */
    struct unixctl_conn *conn;
    struct virtnet_json j;      /* The answer so far. */
    bool brief, debug, clear;   /* Of "query". */
    int queue;                  /* Likewise; -1 for all. */
    struct virtnet_device **devs; /* With a reference each. */
    size_t n_devs, next;

    /* Prints a device. */
    void (*device)(struct show_job *, struct virtnet_device *);

    /* Prints the rest, and answers. */
    void (*finish)(struct show_job *);
};

/* The first is carried on. */
static struct ovs_list show_jobs = OVS_LIST_INITIALIZER(&show_jobs);

/* Carries on with 'job' for a while.  If that is all, answers and destroys
 * it. */
static void
show_job_run(struct show_job *job)
{
    struct virtnet_slice slice;

    virtnet_slice_begin(&slice, false);
    while (job->next < job->n_devs) {
        struct virtnet_device *dev;

        if (virtnet_slice_is_over(&slice)) {
            return;
        }
        dev = job->devs[job->next++];
        if (virtnet_registry_contains(dev)) {
            job->device(job, dev);
        }
        virtnet_device_unref(dev);
    }
    job->finish(job);
    ovs_list_remove(&job->list_node);
    free(job->devs);
    free(job);
}

/* Returns a job that shows no devices so far. */
static struct show_job *
show_job_create(struct unixctl_conn *conn,
                void (*device)(struct show_job *, struct virtnet_device *),
                void (*finish)(struct show_job *))
{
    struct show_job *job = xzalloc(sizeof *job);

    job->conn = conn;
    job->device = device;
    job->finish = finish;
    job->devs = xmalloc(virtnet_controller_n_devices() * sizeof *job->devs);
    virtnet_json_init(&job->j);
    return job;
}

static void
show_job_add(struct show_job *job, struct virtnet_device *dev)
{
    job->devs[job->n_devs++] = virtnet_device_ref(dev);
}

/* Begins 'job', which is finished at once if there is little to print. */
static void
show_job_start(struct show_job *job)
{
    ovs_list_push_back(&show_jobs, &job->list_node);
    if (ovs_list_is_singleton(&show_jobs)) {
        show_job_run(job);
    }
}

/* "list". */

static void
list_table_device(struct show_job *job, struct virtnet_device *dev)
{
    virtnet_table_row(&job->j.text, dev);
}

static void
list_table_finish(struct show_job *job)
{
    unixctl_command_reply(job->conn, ds_cstr(&job->j.text));
    ds_destroy(&job->j.text);
}

static void
list_device(struct show_job *job, struct virtnet_device *dev)
{
    virtnet_json_device(&job->j, dev, false, true, false, -1);
}

/* Also of "query". */
static void
list_finish(struct show_job *job)
{
    virtnet_json_end_array(&job->j);
    virtnet_json_end_object(&job->j);
    virtnet_reply(job->conn, &job->j);
}

void
virtnet_show_list(struct unixctl_conn *conn, const struct virtnet_args *args,
                  const struct virtnet_args *sub OVS_UNUSED)
{
    const char *format = virtnet_arg_text(args, "format");
    struct virtnet_device *dev;
    struct show_job *job;

    if (format && !strcmp(format, "table")) {
        job = show_job_create(conn, list_table_device, list_table_finish);
        virtnet_table_header(&job->j.text);
    } else {
        job = show_job_create(conn, list_device, list_finish);
        virtnet_json_begin_object(&job->j, NULL);
        virtnet_json_controller(&job->j);
        virtnet_json_begin_array(&job->j, "devices");
    }
    VIRTNET_FOR_EACH_DEVICE (dev) {
        if (is_listed(args, dev)) {
            show_job_add(job, dev);
        }
    }
    show_job_start(job);
}

/* "query". */

static void
query_device(struct show_job *job, struct virtnet_device *dev)
{
    if (job->clear) {
        virtnet_debug_clear(dev);
    }
    virtnet_json_device(&job->j, dev, true, job->brief, job->debug,
                        job->queue);
}

static void
query_all(struct unixctl_conn *conn, bool brief, bool debug, bool clear,
          int queue)
{
    struct show_job *job = show_job_create(conn, query_device, list_finish);
    struct virtnet_device *dev;

    job->brief = brief;
    job->debug = debug;
    job->clear = clear;
    job->queue = queue;
    VIRTNET_FOR_EACH_DEVICE (dev) {
        show_job_add(job, dev);
    }
    virtnet_json_begin_object(&job->j, NULL);
    virtnet_json_begin_array(&job->j, "devices");
    show_job_start(job);
}

void
virtnet_show_query(struct unixctl_conn *conn, const struct virtnet_args *args,
                   const struct virtnet_args *sub OVS_UNUSED)
{
    bool brief = virtnet_arg_given(args, "brief");
    bool debug = virtnet_arg_given(args, "dbg_stats");
    bool clear = virtnet_arg_given(args, "stats_clear");
    struct virtnet_device *dev;
    struct virtnet_json j;
    int queue = -1;

    if (virtnet_arg_given(args, "all")) {
        /* Some may have this queue, and others not. */
        if (virtnet_arg_given(args, "queue_id")) {
            queue = MIN(virtnet_arg_number(args, "queue_id"), UINT16_MAX);
        }
        query_all(conn, brief, debug, clear, queue);
        return;
    }
    dev = virtnet_show_select(conn, args, &queue);
    if (!dev) {
        return;
    }
    if (clear) {
        virtnet_debug_clear(dev);
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

    dev = virtnet_show_select(conn, args, &queue);
    if (!dev) {
        return;
    }
    virtnet_json_init(&j);
    virtnet_json_begin_object(&j, NULL);
    virtnet_json_stats(&j, dev, queue);
    virtnet_json_end_object(&j);
    virtnet_reply(conn, &j);
}

static void
health_device(struct show_job *job, struct virtnet_device *dev)
{
    virtnet_json_health(&job->j, dev);
}

static void
health_finish(struct show_job *job)
{
    virtnet_json_controller_health(&job->j, NULL);
    virtnet_json_end_array(&job->j);
    virtnet_reply(job->conn, &job->j);
}

void
virtnet_show_health(struct unixctl_conn *conn, const struct virtnet_args *args,
                    const struct virtnet_args *sub OVS_UNUSED)
{
    struct virtnet_device *dev;
    struct show_job *job;
    struct virtnet_json j;

    if (virtnet_arg_given(args, "all")) {
        job = show_job_create(conn, health_device, health_finish);
        VIRTNET_FOR_EACH_DEVICE (dev) {
            show_job_add(job, dev);
        }
        virtnet_json_begin_array(&job->j, NULL);
        show_job_start(job);
        return;
    }
    dev = virtnet_show_select(conn, args, NULL);
    if (!dev) {
        return;
    }
    virtnet_json_init(&j);
    virtnet_json_health(&j, dev);
    virtnet_reply(conn, &j);
}

bool
virtnet_show_is_busy(void)
{
    return !ovs_list_is_empty(&show_jobs);
}

void
virtnet_show_run(void)
{
    if (!ovs_list_is_empty(&show_jobs)) {
        show_job_run(CONTAINER_OF(ovs_list_front(&show_jobs),
                                  struct show_job, list_node));
    }
}

void
virtnet_show_wait(void)
{
    if (!ovs_list_is_empty(&show_jobs)) {
        poll_immediate_wake();
    }
}

/* Stores in 'version', which has 'size' bytes, the version that is installed:
 * after an upgrade another one than this process is of, until it is started
 * anew.  If nothing says which, it is this one. */
static void
get_installed_version(char *version, size_t size)
{
    char *path = xasprintf("%s/virtnet-version", ovs_pkgdatadir());
    FILE *stream = fopen(path, "r");

    version[0] = '\0';
    if (stream) {
        if (fgets(version, size, stream)) {
            version[strcspn(version, "\n")] = '\0';
        }
        fclose(stream);
    }
    if (!version[0]
        || version[strspn(version, "0123456789.abcdefghijklmnopqrstuvwxyz"
                          "+~-")]) {
        ovs_strlcpy(version, VIRTNET_VERSION, size);
    }
    free(path);
}

void
virtnet_show_version(struct unixctl_conn *conn,
                     const struct virtnet_args *args OVS_UNUSED,
                     const struct virtnet_args *sub OVS_UNUSED)
{
    char installed[64];
    const struct {
        const char *key, *version;
    } versions[] = {
        { "Original Controller", VIRTNET_VERSION },
        { "Destination Controller", installed },
    };
    struct virtnet_json j;

    get_installed_version(installed, sizeof installed);
    virtnet_json_init(&j);
    virtnet_json_begin_array(&j, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        char *version = xasprintf("v%s", versions[i].version);

        virtnet_json_begin_object(&j, NULL);
        virtnet_json_string(&j, versions[i].key, version);
        virtnet_json_end_object(&j);
        free(version);
    }
    virtnet_json_end_array(&j);
    virtnet_reply(conn, &j);
}
