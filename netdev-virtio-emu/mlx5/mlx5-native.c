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

/* The emulation manager at work.  See mlx5-native.h. */

#include <config.h>

#include "mlx5-native.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mlx5-native-internal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_native);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

/* Age at which counters are fetched again, if anybody asks (ms). */
#define STATS_MS 500

struct mlx5_fn *
mlx5_fn_find(struct mlx5_native *native, uint16_t vhca_id)
{
    struct mlx5_fn *fn;

    HMAP_FOR_EACH_WITH_HASH (fn, node, hash_int(vhca_id, 0), &native->fns) {
        if (fn->vhca_id == vhca_id) {
            return fn;
        }
    }
    return NULL;
}

/* What the main thread looks at. */

static struct mlx5_fn *
find_view(struct mlx5_native *native, uint16_t vhca_id)
    OVS_REQUIRES(native->view_mutex)
{
    struct mlx5_fn *fn;

    HMAP_FOR_EACH_WITH_HASH (fn, view_node, hash_int(vhca_id, 0),
                             &native->views) {
        if (fn->vhca_id == vhca_id) {
            return fn;
        }
    }
    return NULL;
}

void
mlx5_fn_publish(struct mlx5_native *native, struct mlx5_fn *fn)
{
    unsigned int n = fn->infos ? fn->regs.n_queues : 0;

    ovs_mutex_lock(&native->view_mutex);
    if (n != fn->view.n_infos) {
        free(fn->view.infos);
        fn->view.infos = n ? xcalloc(n, sizeof *fn->view.infos) : NULL;
        fn->view.n_infos = n;
    }
    for (unsigned int i = 0; i < n; i++) {
        const struct mlx5_emu_queue *q = &fn->regs.queues[i];
        struct virtnet_queue_info *info = &fn->view.infos[i];

        *info = fn->infos[i];
        info->index = i;
        info->size = q->size;
        info->msix_vector = q->msix_vector;
        info->enabled = fn->state == MLX5_NATIVE_RUNNING && q->enabled;
        info->notify_offset = q->notify_off;
        info->desc_addr = q->desc;
        info->driver_addr = q->driver;
        info->device_addr = q->device;
    }
    fn->view.stats_at = fn->stats_at;
    fn->view.stats = fn->stats;
    ovs_mutex_unlock(&native->view_mutex);
}

void
mlx5_native_tell(struct mlx5_native *native, struct mlx5_native_event *event)
{
    ovs_mutex_lock(&native->news_mutex);
    ovs_list_push_back(&native->news, &event->node);
    ovs_mutex_unlock(&native->news_mutex);
    seq_change(native->news_seq);
}

static struct mlx5_native_job *
pop_job(struct mlx5_native *native)
{
    struct mlx5_native_job *job = NULL;

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->jobs)) {
        job = CONTAINER_OF(ovs_list_pop_front(&native->jobs),
                           struct mlx5_native_job, node);
    }
    ovs_mutex_unlock(&native->news_mutex);
    return job;
}

static void
push_job(struct mlx5_native *native, enum job_type type,
         const struct mlx5_native_wish *wish, unsigned int parts,
         void *cookie)
{
    struct mlx5_native_job *job = xzalloc(sizeof *job);

    job->type = type;
    job->wish = *wish;
    job->parts = parts;
    job->cookie = cookie;
    ovs_mutex_lock(&native->news_mutex);
    ovs_list_push_back(&native->jobs, &job->node);
    ovs_mutex_unlock(&native->news_mutex);
    seq_change(native->work);
}

/* Takes note of what 'events' has to say. */
static void
read_channel(struct mlx5_native *native, struct mlx5_devx_events *events)
{
    uint64_t cookie;
    int error;

    while ((error = native->devx->class->get_event(events, &cookie))
           != -EAGAIN) {
        struct mlx5_fn *fn;

        if (error) {
            /* Some have been lost. */
            HMAP_FOR_EACH (fn, node, &native->fns) {
                fn->dirty = fn->event = true;
            }
            if (error != -EOVERFLOW) {
                break;
            }
        } else {
            fn = mlx5_fn_find(native, cookie);
            if (fn) {
                fn->dirty = fn->event = true;
                fn->stats_wanted |= fn->state == MLX5_NATIVE_RUNNING;
            }
        }
    }
}

/* Takes note of whose counters the main thread wants. */
static void
take_wishes(struct mlx5_native *native)
{
    struct mlx5_fn *fn;

    ovs_mutex_lock(&native->view_mutex);
    HMAP_FOR_EACH (fn, view_node, &native->views) {
        if (fn->view.wanted && fn->next_info >= fn->regs.n_queues) {
            fn->stats_wanted = true;
        }
        fn->view.wanted = false;
    }
    ovs_mutex_unlock(&native->view_mutex);
}

static void
read_events(struct mlx5_native *native)
{
    struct mlx5_fn *fn;

    read_channel(native, native->events);
    HMAP_FOR_EACH (fn, node, &native->fns) {
        if (fn->queue_events) {
            read_channel(native, fn->queue_events);
        }
    }
}

static void
wait_events(struct mlx5_native *native)
{
    const struct mlx5_devx_class *class = native->devx->class;
    struct mlx5_fn *fn;

    poll_fd_wait(class->events_fd(native->events), POLLIN);
    HMAP_FOR_EACH (fn, node, &native->fns) {
        if (fn->queue_events) {
            poll_fd_wait(class->events_fd(fn->queue_events), POLLIN);
        }
    }
}

static bool
is_stopped(struct mlx5_native *native)
{
    bool stop;

    atomic_read_explicit(&native->stop, &stop, memory_order_acquire);
    return stop;
}

static void *
native_main(void *native_)
{
    struct mlx5_native *native = native_;

    for (;;) {
        /* What is asked for after this ends the wait below. */
        uint64_t work = seq_read(native->work);
        bool stop = is_stopped(native);
        struct mlx5_native_job *job = stop ? NULL : pop_job(native);
        bool worked = job != NULL;
        long long int at = LLONG_MAX;
        uint16_t *due = NULL;
        size_t n = 0, allocated = 0;
        struct mlx5_fn *fn;

        if (stop) {
            break;
        }
        /* Nobody is to wait for this thread because of RCU. */
        ovsrcu_quiesce_start();
        read_events(native);
        if (job) {
            mlx5_native_carry_out(native, job);
        }
        if (time_msec() >= native->reap_at) {
            native->reap_at = (mlx5_devx_reap(native->devx)
                               ? time_msec() + MLX5_NATIVE_RETRY_MS
                               : LLONG_MAX);
        }
        if (!ovs_list_is_empty(&native->devx->refused)) {
            native->reap_at = MIN(native->reap_at,
                                  time_msec() + MLX5_NATIVE_RETRY_MS);
        }
        mlx5_native_count_objects(native);
        take_wishes(native);
        at = native->reap_at;
        HMAP_FOR_EACH (fn, node, &native->fns) {
            if (fn->release || mlx5_fn_is_due(fn, time_msec(), &at)) {
                if (n >= allocated) {
                    due = x2nrealloc(due, &allocated, sizeof *due);
                }
                due[n++] = fn->vhca_id;
            }
        }

        /* One step for each. */
        for (size_t i = 0; i < n && !is_stopped(native); i++) {
            fn = mlx5_fn_find(native, due[i]);
            if (fn) {
                mlx5_fn_step(native, fn);
                /* It may be gone. */
                fn = mlx5_fn_find(native, due[i]);
            }
            if (fn) {
                mlx5_fn_publish(native, fn);
            }
        }
        free(due);
        if (n || worked) {
            /* poll_block() measures from one call to the next, and complains
             * of a second: then it is firmware that has not answered a command
             * for so long.  The line has the name of this thread, for which
             * nobody waits, and is what there is to be said. */
            poll_immediate_wake();
        } else {
            wait_events(native);
            seq_wait(native->work, work);
            if (at != LLONG_MAX) {
                poll_timer_wait_until(at);
            }
        }
        poll_block();
    }
    return NULL;
}

/* For the main thread. */

int
mlx5_native_open(const struct mlx5_devx_class *class,
                 const char *const names[], size_t n_names,
                 struct mlx5_native **nativep, char **errp)
{
    struct mlx5_native *native = xzalloc(sizeof *native);
    int error;

    *nativep = NULL;
    error = mlx5_emu_discover(class, names, n_names, &native->devx,
                              &native->caps, errp);
    if (!error) {
        error = mlx5_emu_list(native->devx, &native->caps, 0,
                              native->caps.max_devices
                              + native->caps.max_hotplug,
                              &native->pfs, &native->n_pfs, errp);
    }
    if (!error) {
        error = class->events_open(native->devx, &native->events);
        if (error) {
            mlx5_devx_fail(error, errp, "%s: no events: %s",
                           native->devx->name, ovs_strerror(-error));
        }
    }
    if (error) {
        mlx5_devx_close(native->devx);
        free(native->pfs);
        free(native);
        return error;
    }
    hmap_init(&native->fns);
    ovs_mutex_init(&native->view_mutex);
    hmap_init(&native->views);
    native->reap_at = LLONG_MAX;
    native->work = seq_create();
    atomic_init(&native->stop, false);
    ovs_mutex_init(&native->news_mutex);
    ovs_list_init(&native->news);
    ovs_list_init(&native->jobs);
    native->news_seq = seq_create();
#define MLX5_NATIVE_GAP(NAME, TEXT) VLOG_DBG("gap " #NAME ": " TEXT);
    MLX5_NATIVE_GAPS
#undef MLX5_NATIVE_GAP
    native->thread = ovs_thread_create("mlx5_native", native_main, native);
    *nativep = native;
    return 0;
}

void
mlx5_native_close(struct mlx5_native *native, bool keep)
{
    struct mlx5_native_event *event;
    struct mlx5_native_job *job;
    struct mlx5_fn *fn;

    if (!native) {
        return;
    }
    atomic_store_explicit(&native->stop, true, memory_order_release);
    seq_change(native->work);
    xpthread_join(native->thread, NULL);

    HMAP_FOR_EACH_SAFE (fn, node, &native->fns) {
        if (!keep && fn->emu && fn->state == MLX5_NATIVE_RUNNING) {
            char *err = NULL;

            if (mlx5_emu_needs_reset(fn->emu, fn->regs.status, &err)) {
                VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
                free(err);
            }
        }
        mlx5_fn_destroy(native, fn);
    }
    native->devx->class->events_close(native->events);
    mlx5_devx_close(native->devx);
    while ((event = mlx5_native_poll(native)) != NULL) {
        mlx5_native_event_free(event);
    }
    while ((job = pop_job(native)) != NULL) {
        free(job);
    }
    hmap_destroy(&native->fns);
    hmap_destroy(&native->views);
    seq_destroy(native->work);
    seq_destroy(native->news_seq);
    ovs_mutex_destroy(&native->view_mutex);
    ovs_mutex_destroy(&native->news_mutex);
    free(native->pfs);
    free(native);
}

const struct mlx5_emu_caps *
mlx5_native_get_caps(const struct mlx5_native *native)
{
    return &native->caps;
}

const char *
mlx5_native_get_name(const struct mlx5_native *native)
{
    return native->devx->name;
}

const struct mlx5_emu_function *
mlx5_native_get_pfs(const struct mlx5_native *native, size_t *n)
{
    *n = native->n_pfs;
    return native->pfs;
}

void
mlx5_native_take(struct mlx5_native *native,
                 const struct mlx5_native_wish *wish, void *cookie)
{
    push_job(native, JOB_TAKE, wish, 0, cookie);
}

void
mlx5_native_start_unplug(struct mlx5_native *native, uint16_t vhca_id,
                         void *cookie)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id };

    push_job(native, JOB_UNPLUG, &wish, 0, cookie);
}

void
mlx5_native_release(struct mlx5_native *native, uint16_t vhca_id)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id };

    push_job(native, JOB_RELEASE, &wish, 0, NULL);
}

void
mlx5_native_start_configure(struct mlx5_native *native, uint16_t vhca_id,
                            uint16_t pf_vhca_id,
                            const struct mlx5_emu_config *config,
                            unsigned int parts, void *cookie)
{
    struct mlx5_native_wish wish = { .vhca_id = vhca_id,
                                     .pf_vhca_id = pf_vhca_id,
                                     .config = *config };

    push_job(native, JOB_CONFIGURE, &wish, parts, cookie);
}

bool
mlx5_native_get_queue(struct mlx5_native *native, uint16_t vhca_id,
                      unsigned int index, struct virtnet_queue_info *info)
{
    bool wake = false;
    struct mlx5_fn *fn;

    memset(info, 0, sizeof *info);
    info->index = index;
    info->notify_offset = index;
    info->msix_vector = VIRTNET_NO_MSIX_VECTOR;

    ovs_mutex_lock(&native->view_mutex);
    fn = find_view(native, vhca_id);
    if (fn && index < fn->view.n_infos) {
        *info = fn->view.infos[index];
        wake = (!fn->view.wanted
                && time_msec() >= fn->view.stats_at + STATS_MS);
        fn->view.wanted |= wake;
    }
    ovs_mutex_unlock(&native->view_mutex);
    if (wake) {
        seq_change(native->work);
    }
    return fn != NULL;
}

void
mlx5_native_get_stats(struct mlx5_native *native, uint16_t vhca_id,
                      struct mlx5_native_stats *stats)
{
    const struct mlx5_fn *fn;

    ovs_mutex_lock(&native->view_mutex);
    fn = find_view(native, vhca_id);
    if (fn) {
        *stats = fn->view.stats;
    } else {
        memset(stats, 0, sizeof *stats);
    }
    ovs_mutex_unlock(&native->view_mutex);
}

void
mlx5_native_get_leftovers(struct mlx5_native *native,
                          struct virtnet_leftovers *left)
{
    ovs_mutex_lock(&native->view_mutex);
    left->objects += native->left.objects;
    left->functions += native->left.functions;
    left->sfs += native->left.sfs;
    left->configs += native->left.configs;
    ovs_mutex_unlock(&native->view_mutex);
}

struct mlx5_native_event *
mlx5_native_poll(struct mlx5_native *native)
{
    struct mlx5_native_event *event = NULL;

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->news)) {
        event = CONTAINER_OF(ovs_list_pop_front(&native->news),
                             struct mlx5_native_event, node);
    }
    ovs_mutex_unlock(&native->news_mutex);
    return event;
}

void
mlx5_native_event_free(struct mlx5_native_event *event)
{
    if (event) {
        free(event->vfs);
        free(event->text);
        free(event);
    }
}

void
mlx5_native_wait(struct mlx5_native *native)
{
    uint64_t seq = seq_read(native->news_seq);

    ovs_mutex_lock(&native->news_mutex);
    if (!ovs_list_is_empty(&native->news)) {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&native->news_mutex);
    seq_wait(native->news_seq, seq);
}
