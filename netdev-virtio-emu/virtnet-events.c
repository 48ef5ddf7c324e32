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

/* What happens to devices.  See virtnet-events.h. */

#include <config.h>

#include "virtnet-events.h"

#include <inttypes.h>
#include <limits.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "virtnet-compat.h"
#include "virtnet-controller.h"
#include "virtnet-device.h"
#include "virtnet-life.h"
#include "virtnet-slice.h"

/* Text of event N is in ring[N % VIRTNET_MAX_EVENTS]. */
static char *ring[VIRTNET_MAX_EVENTS];
static uint64_t last;           /* Number of the last event, from 1. */

/* What was last told of a device, by VUID. */
struct known {
    enum virtnet_device_state state;
    struct virtnet_device_config config;
    unsigned int n_vfs;
    bool port;
};
static struct shash known = SHASH_INITIALIZER(&known);

/* Who waits. */
struct waiter {
    struct ovs_list list_node;  /* In 'waiters'. */
    struct unixctl_conn *conn;
    long long int deadline;     /* time_msec(). */
    virtnet_await_cb *cb;
    void *aux;
};
static struct ovs_list waiters = OVS_LIST_INITIALIZER(&waiters);

/* virtnet_controller_seqno(), and 'last', when the waiters were last asked. */
static uint64_t seen_seqno;
static uint64_t seen_last;

/* Events. */

/* Remembers an event, whose members are in 'members'. */
static void
add_event(const char *event, const char *members)
{
    char **slot = &ring[++last % VIRTNET_MAX_EVENTS];
    char *when = xastrftime_msec("%Y-%m-%dT%H:%M:%S.###Z", time_wall_msec(),
                                 true);

    free(*slot);
    *slot = xasprintf("{\"seq\": %"PRIu64", \"time\": \"%s\", "
                      "\"event\": \"%s\"%s}", last, when, event, members);
    free(when);
}

/* Remembers an event of 'dev'; 'more' are further members. */
static void OVS_PRINTF_FORMAT(3, 4)
device_event(const char *event, const struct virtnet_device *dev,
             const char *more, ...)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    va_list args;

    /* None of these texts needs escaping. */
    ds_put_format(&s, ", \"pf_id\": %u", dev->pf_id);
    if (dev->type == VIRTNET_VF) {
        ds_put_format(&s, ", \"vf_id\": %u", dev->vf_id);
    }
    ds_put_format(&s, ", \"function_type\": \"%s\", \"vuid\": \"%s\", "
                  "\"sf_rep_net_device\": \"%s\"",
                  virtnet_function_type_name(dev->type), dev->vuid,
                  dev->rep_name);
    va_start(args, more);
    ds_put_format_valist(&s, more, args);
    va_end(args);
    add_event(event, ds_cstr(&s));
    ds_destroy(&s);
}

static void
get_known(const struct virtnet_device *dev, struct known *k)
{
    k->state = dev->state;
    k->config = dev->config;
    k->n_vfs = dev->n_vfs;
    k->port = dev->netdev != NULL;
}

static void
device_changed(const struct virtnet_device *dev)
{
    struct known *k = shash_find_data(&known, dev->vuid);
    struct known new;

    if (!k) {
        return;
    }
    get_known(dev, &new);
    if (new.state != k->state) {
        device_event("driver", dev, ", \"from\": \"%s\", \"to\": \"%s\"",
                     virtnet_device_state_name(k->state),
                     virtnet_device_state_name(new.state));
    }
    if (virtnet_config_changes(&new.config, &k->config)) {
        device_event("modified", dev, "%s", "");
    }
    if (new.n_vfs != k->n_vfs) {
        device_event("vfs", dev, ", \"from\": %u, \"to\": %u", k->n_vfs,
                     new.n_vfs);
    }
    if (new.port != k->port) {
        device_event(new.port ? "port" : "no port", dev, "%s", "");
    }
    *k = new;
}

static void
observe(enum virtnet_event event, struct virtnet_device *dev,
        void *aux OVS_UNUSED)
{
    struct known *k;

    switch (event) {
    case VIRTNET_EVENT_ADDED:
        k = xmalloc(sizeof *k);
        get_known(dev, k);
        free(shash_replace(&known, dev->vuid, k));
        device_event(dev->type == VIRTNET_VF ? "vf added" : "added", dev,
                     "%s", "");
        break;

    case VIRTNET_EVENT_CHANGED:
        device_changed(dev);
        break;

    case VIRTNET_EVENT_REMOVED:
        k = shash_find_and_delete(&known, dev->vuid);
        if (k) {                /* Otherwise it never was there. */
            device_event(dev->type == VIRTNET_VF ? "vf removed" : "removed",
                         dev, "%s", "");
            free(k);
        }
        break;

    case VIRTNET_EVENT_STARTED:
        add_event(virtnet_controller_is_running(NULL) ? "controller started"
                  : "controller stopped", "");
        break;
    }
}

void
virtnet_events_step(const struct virtnet_device *dev, const char *step)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, ", \"pf_id\": %u, \"function_type\": \"%s\", "
                  "\"sf_num\": %"PRIu32", \"step\": \"%s\"", dev->pf_id,
                  virtnet_function_type_name(dev->type), dev->sf_num, step);
    add_event("step", ds_cstr(&s));
    ds_destroy(&s);
}

uint64_t
virtnet_events_last(void)
{
    return last;
}

/* Waiting. */

void
virtnet_await(struct unixctl_conn *conn, unsigned int timeout,
              virtnet_await_cb *cb, void *aux)
{
    struct waiter *w;

    if (cb(conn, !timeout, aux)) {
        return;
    }
    w = xmalloc(sizeof *w);
    *w = (struct waiter) {
        .conn = conn,
        .deadline = time_msec() + 1000LL * timeout,
        .cb = cb,
        .aux = aux,
    };
    ovs_list_push_back(&waiters, &w->list_node);
}

/* What somebody waits for. */
struct request {
    uint64_t since;             /* Events behind this one, ... */
    uint64_t count;             /* ...but that many at most. */
};

/* Thousands of events are a lot to print, so that is done in slices (see
 * virtnet-slice.h). */
struct print_job {
    struct ovs_list list_node;  /* In 'print_jobs'. */
    struct unixctl_conn *conn;
    struct ds s;                /* The answer so far. */
    uint64_t next, end;         /* Events that are left. */
};

/* The first is carried on. */
static struct ovs_list print_jobs = OVS_LIST_INITIALIZER(&print_jobs);

/* Leaves out those events of 'job' that are forgotten, and says so. */
static void
skip_lost(struct print_job *job)
{
    if (job->next < job->end && last - job->next >= VIRTNET_MAX_EVENTS) {
        uint64_t oldest = MIN(last - VIRTNET_MAX_EVENTS + 1, job->end);

        ds_put_format(&job->s, "{\"seq\": %"PRIu64", \"event\": \"lost\", "
                      "\"number\": %"PRIu64"}\n", oldest - 1,
                      oldest - job->next);
        job->next = oldest;
    }
}

/* Carries on with 'job' for a while.  If that is all, answers and destroys
 * it. */
static void
print_job_run(struct print_job *job)
{
    struct virtnet_slice slice;

    skip_lost(job);
    virtnet_slice_begin(&slice, false);
    for (; job->next < job->end; job->next++) {
        if (virtnet_slice_is_over(&slice)) {
            return;
        }
        ds_put_format(&job->s, "%s\n", ring[job->next % VIRTNET_MAX_EVENTS]);
    }
    unixctl_command_reply(job->conn, ds_cstr(&job->s));
    ds_destroy(&job->s);
    ovs_list_remove(&job->list_node);
    free(job);
}

static bool
events_ready(struct unixctl_conn *conn, bool timed_out, void *request)
{
    struct request *r = request;
    struct print_job *job;

    if (r->since >= last && !timed_out) {
        return false;
    }
    job = xmalloc(sizeof *job);
    *job = (struct print_job) {
        .conn = conn,
        .s = DS_EMPTY_INITIALIZER,
        .next = MIN(r->since, last) + 1,
    };
    job->end = last + 1;
    skip_lost(job);
    job->end = MIN(job->end - job->next, r->count) + job->next;
    if (job->next == job->end && !job->s.length) {
        ds_put_format(&job->s, "{\"seq\": %"PRIu64", \"event\": \"none\"}\n",
                      job->next - 1);
    }
    ovs_list_push_back(&print_jobs, &job->list_node);
    if (ovs_list_is_singleton(&print_jobs)) {
        print_job_run(job);
    }
    free(r);
    return true;
}

void
virtnet_events_reply(struct unixctl_conn *conn, uint64_t since,
                     uint64_t count, unsigned int timeout)
{
    struct request *r = xmalloc(sizeof *r);

    *r = (struct request) { since, count };
    virtnet_await(conn, timeout, events_ready, r);
}

void
virtnet_events_run(void)
{
    bool news = (seen_seqno != virtnet_controller_seqno()
                 || seen_last != last);
    struct waiter *w;

    if (virtnet_controller_exiting()) {
        return;
    } else if (!ovs_list_is_empty(&print_jobs)) {
        print_job_run(CONTAINER_OF(ovs_list_front(&print_jobs),
                                   struct print_job, list_node));
    }
    if (ovs_list_is_empty(&waiters)) {
        return;
    }
    seen_seqno = virtnet_controller_seqno();
    seen_last = last;
    LIST_FOR_EACH_SAFE (w, list_node, &waiters) {
        bool timed_out = time_msec() >= w->deadline;

        if ((news || timed_out) && w->cb(w->conn, timed_out, w->aux)) {
            ovs_list_remove(&w->list_node);
            free(w);
        }
    }
}

void
virtnet_events_wait(void)
{
    struct waiter *w;

    if (virtnet_controller_exiting()) {
        return;
    }
    if (!ovs_list_is_empty(&print_jobs)) {
        poll_immediate_wake();
    }
    if (!ovs_list_is_empty(&waiters)
        && (seen_seqno != virtnet_controller_seqno() || seen_last != last)) {
        poll_immediate_wake();
    }
    LIST_FOR_EACH (w, list_node, &waiters) {
        poll_timer_wait_until(w->deadline);
    }
}

void
virtnet_events_init(void)
{
    virtnet_controller_add_observer(observe, NULL);
}
