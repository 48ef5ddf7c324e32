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

/* The life of a function.  See mlx5-native-internal.h. */

#include <config.h>

#include "mlx5-native-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "hash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_fn);

COVERAGE_DEFINE(mlx5_native_step);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

/* How often control queues are looked at: while a driver uses its own, and
 * otherwise. */
#define CTRL_POLL_MS 10
#define CTRL_IDLE_POLL_MS 100
#define CTRL_BUSY_MS 1000

#define F_CTRL_VQ (UINT64_C(1) << 17)
#define F_MQ (UINT64_C(1) << 22)
#define F_RING_PACKED (UINT64_C(1) << 34)

/* Is that a PF that may have VFs?  Hotplug PFs have none. */
static bool
is_static_pf(const struct mlx5_native *native, uint16_t vhca_id)
{
    for (size_t i = 0; i < native->n_pfs; i++) {
        if (native->pfs[i].vhca_id == vhca_id) {
            return !native->pfs[i].hotplug;
        }
    }
    return false;
}

/* News. */

static struct mlx5_native_event *
new_event(const struct mlx5_fn *fn, enum mlx5_native_event_type type)
{
    struct mlx5_native_event *event = xzalloc(sizeof *event);

    event->type = type;
    event->vhca_id = fn->vhca_id;
    return event;
}

/* Tells of 'text', which it takes over. */
static void
tell_problem(struct mlx5_native *native, struct mlx5_fn *fn, char *text)
{
    struct mlx5_native_event *event = new_event(fn, MLX5_NATIVE_PROBLEM);

    mlx5_fn_publish(native, fn);
    VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, text);
    event->text = text;
    mlx5_native_tell(native, event);
}

void
mlx5_fn_tell_driver(struct mlx5_native *native, struct mlx5_fn *fn, bool flr)
{
    struct virtnet_driver_info info;
    struct mlx5_native_event *event;

    memset(&info, 0, sizeof info);
    info.status = fn->regs.status;
    if (fn->state != MLX5_NATIVE_RUNNING) {
        /* Packets cannot go yet. */
        info.status &= ~VIRTNET_STATUS_DRIVER_OK;
    } else {
        info.enabled_pairs = fn->ctrl.n_pairs;
        info.ring_pairs = fn->regs.max_pairs;
        info.ctrl_mac = fn->ctrl.filter.mac;
        if (eth_addr_equals(info.ctrl_mac, fn->regs.mac)) {
            info.ctrl_mac = eth_addr_zero;
        }
    }
    info.features = fn->regs.driver_features;
    info.msix_config_vector = fn->regs.msix_config;
    info.attached = fn->regs.enabled;
    info.numa_id = -1;
    if (fn->told_any && !flr && fn->regs.bdf == fn->told_bdf
        && !memcmp(&info, &fn->told, sizeof info)) {
        return;
    }
    mlx5_fn_publish(native, fn);
    memcpy(&fn->told, &info, sizeof info);
    fn->told_bdf = fn->regs.bdf;
    fn->told_any = true;
    event = new_event(fn, MLX5_NATIVE_DRIVER);
    event->info = info;
    event->sf_vhca_id = fn->sf_vhca_id;
    event->bdf = fn->regs.bdf;
    event->flr = flr;
    mlx5_native_tell(native, event);
}

void
mlx5_fn_tell_pool(struct mlx5_native *native, struct mlx5_fn *fn)
{
    struct mlx5_native_event *event;

    if (!native->caps.max_vf_msix || !is_static_pf(native, fn->vhca_id)
        || fn->regs.free_vf_msix == fn->told_free) {
        return;
    }
    fn->told_free = fn->regs.free_vf_msix;
    event = new_event(fn, MLX5_NATIVE_POOL);
    event->free_vf_msix = fn->regs.free_vf_msix;
    mlx5_native_tell(native, event);
}

/* Has 'fn' try again later what has failed for the reason 'err', which it
 * takes over. */
static void
retry(struct mlx5_fn *fn, char *err)
{
    VLOG_WARN_RL(&rl, "function %u: %s; trying again", fn->vhca_id, err);
    free(err);
    fn->stats.retries++;
    fn->retry_at = time_msec() + MLX5_NATIVE_RETRY_MS;
}

/* Management. */

int
mlx5_fn_manage(struct mlx5_native *native, struct mlx5_fn *fn, char **errp)
{
    const struct mlx5_devx_class *class = native->devx->class;
    int error;

    error = mlx5_emu_manage(native->devx, &native->caps, fn->vhca_id,
                            is_static_pf(native, fn->vhca_id), &fn->emu, errp);
    if (!error) {
        error = class->subscribe(native->events, fn->emu,
                                 MLX5_EVENT_OBJECT_CHANGE, fn->vhca_id);
        if (error) {
            mlx5_devx_destroy(&fn->emu);
            mlx5_devx_fail(error, errp, "%s: no events of function %u: %s",
                           native->devx->name, fn->vhca_id,
                           ovs_strerror(-error));
        }
    }
    if (!error) {
        fn->dirty = fn->fresh = true;
    }
    return error;
}

bool
mlx5_fn_waits_for_reset(const struct mlx5_fn *fn,
                        const struct mlx5_emu_state *s)
{
    return (fn->fresh && s->enabled && s->driver_features
            && !(s->status & ~VIRTNET_STATUS_NEEDS_RESET));
}

static void
close_ctrlq(struct mlx5_fn *fn)
{
    mlx5_ctrlq_close(fn->ctrlq);
    fn->ctrlq = NULL;
    if (fn->ctrl_at_it) {
        fn->ctrl_at_it = false;
        mlx5_ctrl_state_uninit(&fn->ctrl_next);
    }
}

static void
forget_datapath(struct mlx5_fn *fn)
{
    close_ctrlq(fn);
    mlx5_datapath_destroy(fn->dp);
    fn->dp = NULL;
    if (fn->queue_events) {
        fn->sf->class->events_close(fn->queue_events);
        fn->queue_events = NULL;
    }
    mlx5_ctrl_state_uninit(&fn->ctrl);
    mlx5_devx_close(fn->sf);
    fn->sf = NULL;
    mlx5_emu_state_uninit(&fn->regs);
    free(fn->infos);
    fn->infos = NULL;
}

void
mlx5_fn_insert(struct mlx5_native *native, struct mlx5_fn *fn)
{
    hmap_insert(&native->fns, &fn->node, hash_int(fn->vhca_id, 0));
    ovs_mutex_lock(&native->view_mutex);
    hmap_insert(&native->views, &fn->view_node, hash_int(fn->vhca_id, 0));
    ovs_mutex_unlock(&native->view_mutex);
}

void
mlx5_fn_destroy(struct mlx5_native *native, struct mlx5_fn *fn)
{
    forget_datapath(fn);
    mlx5_devx_destroy(&fn->emu);
    hmap_remove(&native->fns, &fn->node);
    ovs_mutex_lock(&native->view_mutex);
    hmap_remove(&native->views, &fn->view_node);
    ovs_mutex_unlock(&native->view_mutex);
    free(fn->view.infos);
    free(fn);
}

static void
start_stopping(struct mlx5_fn *fn)
{
    if (fn->state != MLX5_NATIVE_STOPPING) {
        fn->state = MLX5_NATIVE_STOPPING;
        close_ctrlq(fn);
    }
}

void
mlx5_fn_take_note_of_driver(struct mlx5_fn *fn, const struct mlx5_emu_state *s)
{
    if (fn->fresh) {
        fn->fresh = false;
        fn->resume = s->status & VIRTNET_STATUS_DRIVER_OK;
    }
}

/* Reads the registers of 'fn' and decides what is to be done.  Its 'queues'
 * are kept. */
static void
update(struct mlx5_native *native, struct mlx5_fn *fn)
{
    struct mlx5_emu_state s;
    uint16_t old_vfs = fn->regs.num_vfs;
    bool event = fn->event;
    char *err = NULL;
    bool alive;

    if (mlx5_emu_query(fn->emu, 0, &s, &err)) {
        retry(fn, err);
        return;
    }

    /* Our request for a reset may have come after the reset. */
    alive = s.status & ~VIRTNET_STATUS_NEEDS_RESET;
    fn->dirty = fn->event = false;
    s.queues = fn->regs.queues;
    s.n_queues = fn->regs.n_queues;
    fn->regs = s;
    fn->rescan |= s.num_vfs != old_vfs;

    if (alive && fn->reset && !fn->was_alive && !fn->dp) {
        /* There was none: drivers begin by writing status 0. */
        fn->reset = false;
        fn->state = MLX5_NATIVE_STOPPED;
    }
    if (!s.enabled) {
        fn->flr = true;
        start_stopping(fn);
    } else if (!alive && (fn->was_alive || mlx5_fn_waits_for_reset(fn, &s)
                          || (event && s.num_vfs == old_vfs))) {
        /* A driver may be so quick that only its reset is seen. */
        fn->reset = true;
        start_stopping(fn);
    } else if (s.status & VIRTNET_STATUS_DRIVER_OK
               && !(s.status & (VIRTNET_STATUS_FAILED
                                | VIRTNET_STATUS_NEEDS_RESET))
               && fn->state == MLX5_NATIVE_STOPPED) {
        fn->state = MLX5_NATIVE_STARTING;
    }
    fn->was_alive |= alive;
    mlx5_fn_take_note_of_driver(fn, &s);
    mlx5_fn_tell_driver(native, fn, false);
    mlx5_fn_tell_pool(native, fn);
}

/* Starting. */

/* Does the first step: registers with queues, the SF. */
static int
begin_start(struct mlx5_native *native, struct mlx5_fn *fn, char **errp)
{
    unsigned int max = MIN(fn->regs.num_queues, MLX5_EMU_MAX_QUEUES);
    unsigned int n_data, n_lag_ports = 0;
    struct mlx5_emu_state s;
    int error;

    error = mlx5_emu_query(fn->emu, max, &s, errp);
    if (error) {
        return error;
    }
    mlx5_emu_state_uninit(&fn->regs);
    fn->regs = s;
    free(fn->infos);
    fn->infos = xcalloc(MAX(s.n_queues, 1), sizeof *fn->infos);
    fn->next_info = s.n_queues;
    fn->stats_at = 0;

    error = mlx5_devx_open(native->devx->class, fn->sf_name, &fn->sf, errp);
    if (!error) {
        error = mlx5_emu_identify(fn->sf, &fn->sf_vhca_id, &n_lag_ports,
                                  errp);
    }
    if (error) {
        return error;
    }

    /* Where the control queue is: VIRTIO 1.2, section 5.1.2. */
    n_data = s.driver_features & F_MQ ? 2 * s.max_pairs : 2;
    fn->ctrl_index = n_data;
    mlx5_ctrl_state_init(&fn->ctrl, s.driver_features, s.mac);
    if (fn->resume) {
        /* What it has asked for is not known, so it gets more. */
        fn->ctrl.filter.vlan_filter = false;
    }
    fn->dp = mlx5_datapath_create(native->devx, fn->sf, fn->sf_vhca_id,
                                  &native->caps, fn->vhca_id, fn->emu, &s,
                                  n_data, &fn->ctrl.filter);
    mlx5_datapath_set_lag_ports(fn->dp, n_lag_ports);
    if (fn->resume) {
        mlx5_datapath_resume(fn->dp);
    }
    return 0;
}

/* Has queues that the hardware gives up tell so.  A channel is for objects of
 * one device. */
static int
watch_queues(struct mlx5_native *native, struct mlx5_fn *fn, char **errp)
{
    const struct mlx5_devx_class *class = native->devx->class;
    struct mlx5_devx_events *events = native->events;
    int error = 0;

    if (mlx5_datapath_devx(fn->dp) == fn->sf) {
        error = class->events_open(fn->sf, &fn->queue_events);
        events = fn->queue_events;
    }
    for (unsigned int i = 0; i < fn->ctrl_index && !error; i++) {
        struct mlx5_devx_obj *q = mlx5_datapath_queue(fn->dp, i);

        if (q) {
            error = class->subscribe(events, q, MLX5_EVENT_OBJECT_CHANGE,
                                     fn->vhca_id);
        }
    }
    return (error ? mlx5_devx_fail(error, errp, "no events of queues: %s",
                                   ovs_strerror(-error))
            : 0);
}

/* Does the last step. */
static int
finish_start(struct mlx5_native *native, struct mlx5_fn *fn, char **errp)
{
    int error = watch_queues(native, fn, errp);

    if (error) {
        return error;
    }
    if (fn->regs.driver_features & F_CTRL_VQ
        && fn->ctrl_index < fn->regs.n_queues
        && fn->regs.queues[fn->ctrl_index].enabled) {
        /* Gap: ctrl_packed.  It is not we who have offered that, but a
         * function may have had a driver before us. */
        error = (fn->regs.driver_features & F_RING_PACKED
                 ? mlx5_devx_fail(-EOPNOTSUPP, errp, "control queue: packed "
                                  "ones are not known")
                 : mlx5_ctrlq_open(fn->dp, &fn->regs.queues[fn->ctrl_index],
                                   &fn->ctrlq, errp));
        if (error) {
            return error;
        }
        fn->ctrl_at = time_msec();
        fn->ctrl_busy_until = fn->ctrl_at + CTRL_BUSY_MS;
    }
    fn->state = MLX5_NATIVE_RUNNING;
    mlx5_fn_tell_driver(native, fn, false);
    return 0;
}

/* Has the host reset 'fn' meanwhile? */
static bool
has_been_reset(const struct mlx5_fn *fn)
{
    struct mlx5_emu_state s;
    char *err = NULL;

    if (mlx5_emu_query(fn->emu, 0, &s, &err)) {
        free(err);
        return false;
    }
    return !s.enabled || !(s.status & VIRTNET_STATUS_DRIVER_OK);
}

/* 'fn' cannot go on, for the reason 'err', which it takes over.  Counts that
 * in '*counter', unless the reason is just that the host has reset it. */
static void
fail(struct mlx5_native *native, struct mlx5_fn *fn, char *err,
     uint64_t *counter)
{
    char *reason = NULL;

    close_ctrlq(fn);
    fn->state = MLX5_NATIVE_FAILED;
    fn->dirty = true;
    if (has_been_reset(fn)) {
        VLOG_DBG("function %u: reset, hence %s", fn->vhca_id, err);
        free(err);
        fn->event = true;
        return;
    }
    ++*counter;
    tell_problem(native, fn, err);
    if (mlx5_emu_needs_reset(fn->emu, fn->regs.status, &reason)) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, reason);
        free(reason);
    }
}

static void
step_start(struct mlx5_native *native, struct mlx5_fn *fn)
{
    char *err = NULL;
    int error;

    if (!fn->dp) {
        error = begin_start(native, fn, &err);
        error = error ? error : 1;
    } else {
        error = mlx5_datapath_start(fn->dp, &err);
    }
    if (!error) {
        error = finish_start(native, fn, &err);
    }
    if (error < 0) {
        fail(native, fn, err, &fn->stats.start_errors);
    }
}

/* Stopping. */

/* All queues are gone: tells whoever waits for that. */
static void
finish_stop(struct mlx5_native *native, struct mlx5_fn *fn)
{
    char *err = NULL;
    int error;

    forget_datapath(fn);
    if (fn->release) {
        struct mlx5_native_event *event = new_event(fn, MLX5_NATIVE_RELEASED);

        mlx5_fn_destroy(native, fn);
        mlx5_native_tell(native, event);
        return;
    }

    /* Gap: flr_handshake. */
    if (fn->flr) {
        mlx5_devx_destroy(&fn->emu);
        mlx5_devx_reap(native->devx);
        if (mlx5_fn_manage(native, fn, &err)) {
            retry(fn, err);
            return;
        }
        fn->stats.flrs++;
        fn->flr = fn->reset = fn->was_alive = fn->resume = false;
        fn->regs.status = 0;
        fn->state = MLX5_NATIVE_STOPPED;
        mlx5_fn_tell_driver(native, fn, true);
        return;
    }

    /* Gap: reset_handshake. */
    mlx5_devx_reap(native->devx);
    error = mlx5_emu_ack_reset(fn->emu, &err);
    if (error == -EINVAL && !fn->was_alive) {
        /* There was none: the event was about something else. */
        free(err);
        fn->reset = false;
        fn->state = MLX5_NATIVE_STOPPED;
        return;
    } else if (error) {
        /* An FLR may have come meanwhile. */
        retry(fn, err);
        fn->dirty = true;
        return;
    }
    fn->stats.resets++;
    fn->reset = fn->was_alive = fn->resume = false;
    fn->state = MLX5_NATIVE_STOPPED;
    fn->dirty = true;
}

static void
step_stop(struct mlx5_native *native, struct mlx5_fn *fn)
{
    if (!fn->dp || !mlx5_datapath_stop(fn->dp)) {
        finish_stop(native, fn);
    }
}

/* Running. */

static int
serve_command(const uint8_t *command, size_t len, void *fn_)
{
    struct mlx5_fn *fn = fn_;
    struct mlx5_ctrl_state *next = &fn->ctrl_next;
    char *err = NULL;
    int error = 0;

    if (!fn->ctrl_at_it) {
        fn->ctrl_at_it = true;
        mlx5_ctrl_state_clone(next, &fn->ctrl);
        error = mlx5_ctrl_execute(next, fn->regs.driver_features,
                                  fn->regs.max_pairs, command, len,
                                  &fn->ctrl_change);
    }
    if (!error && fn->ctrl_change == MLX5_CTRL_FILTER) {
        error = mlx5_datapath_set_filter(fn->dp, &next->filter, &err);
        if (error > 0) {
            return -EINPROGRESS;
        }
    } else if (!error && fn->ctrl_change == MLX5_CTRL_PAIRS) {
        error = mlx5_datapath_set_pairs(fn->dp, next->n_pairs, &err);
    } else if (!error && fn->ctrl_change == MLX5_CTRL_PERIOD) {
        error = mlx5_datapath_set_period(fn->dp, next->period_index,
                                         &next->period, &err);
    }
    if (err) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
        free(err);
    }
    fn->ctrl_at_it = false;
    mlx5_ctrl_state_uninit(error ? next : &fn->ctrl);
    if (!error) {
        fn->ctrl = *next;
    }
    fn->stats.ctrl_commands++;
    fn->stats.ctrl_errors += error != 0;
    return error != 0;
}

static void
step_ctrl(struct mlx5_native *native, struct mlx5_fn *fn)
{
    long long int now = time_msec();
    char *err = NULL;
    int n = mlx5_ctrlq_poll(fn->ctrlq, serve_command, fn, &err);

    if (n < 0) {
        /* Memory that cannot be reached may be what a reset looks like. */
        fail(native, fn, err, &fn->stats.ctrl_errors);
    } else if (n) {
        fn->stats.missing_interrupts
            = mlx5_ctrlq_get_stats(fn->ctrlq)->missing_interrupts;
        fn->ctrl_busy_until = now + CTRL_BUSY_MS;
        fn->ctrl_at = now;
        mlx5_fn_tell_driver(native, fn, false);
    } else {
        fn->ctrl_at = now + (now < fn->ctrl_busy_until ? CTRL_POLL_MS
                             : CTRL_IDLE_POLL_MS);
    }
}

/* Fetches the counters of one queue. */
static void
step_stats(struct mlx5_native *native, struct mlx5_fn *fn)
{
    unsigned int i = fn->next_info;
    uint8_t queue_error = 0;
    char *err = NULL;

    if (i >= fn->regs.n_queues) {
        fn->next_info = 0;
        fn->stats_wanted = false;
        return;
    }
    if (mlx5_datapath_query(fn->dp, i, &fn->infos[i], &queue_error, &err)) {
        VLOG_WARN_RL(&rl, "function %u: %s", fn->vhca_id, err);
        free(err);
    }
    fn->next_info++;
    if (fn->next_info >= fn->regs.n_queues) {
        fn->stats_at = time_msec();
    }
    if (queue_error) {
        fail(native, fn, xasprintf("queue %u: hardware has given it up (error "
                                   "%u)", i, queue_error),
             &fn->stats.queue_errors);
    }
}

static void
step_rescan(struct mlx5_native *native, struct mlx5_fn *fn)
{
    struct mlx5_native_event *event;
    struct mlx5_emu_function *vfs = NULL;
    char *err = NULL;
    size_t n = 0;

    if (fn->regs.num_vfs
        && mlx5_emu_list(native->devx, &native->caps, fn->vhca_id,
                         fn->regs.num_vfs, &vfs, &n, &err)) {
        retry(fn, err);
        return;
    }
    fn->rescan = false;
    event = new_event(fn, MLX5_NATIVE_VFS);
    event->vfs = vfs;
    event->n_vfs = n;
    mlx5_native_tell(native, event);
}

bool
mlx5_fn_is_due(const struct mlx5_fn *fn, long long int now, long long int *at)
{
    bool stats = fn->stats_wanted || fn->next_info < fn->regs.n_queues;

    if (fn->dirty || fn->rescan || !fn->emu
        || fn->state == MLX5_NATIVE_STARTING
        || fn->state == MLX5_NATIVE_STOPPING
        || (fn->state == MLX5_NATIVE_RUNNING && stats)) {
        if (now >= fn->retry_at) {
            return true;
        }
        *at = MIN(*at, fn->retry_at);
    }
    if (fn->ctrlq) {
        if (now >= fn->ctrl_at) {
            return true;
        }
        *at = MIN(*at, fn->ctrl_at);
    }
    return false;
}

void
mlx5_fn_step(struct mlx5_native *native, struct mlx5_fn *fn)
{
    long long int now = time_msec();

    COVERAGE_INC(mlx5_native_step);
    if (fn->release) {
        start_stopping(fn);
        step_stop(native, fn);
    } else if (now < fn->retry_at) {
        if (fn->ctrlq) {
            step_ctrl(native, fn);
        }
    } else if (fn->dirty && fn->emu) {
        update(native, fn);
    } else if (fn->state == MLX5_NATIVE_STOPPING) {
        step_stop(native, fn);
    } else if (fn->rescan) {
        step_rescan(native, fn);
    } else if (fn->state == MLX5_NATIVE_STARTING) {
        step_start(native, fn);
    } else if (fn->ctrlq && now >= fn->ctrl_at) {
        step_ctrl(native, fn);
    } else if (fn->state == MLX5_NATIVE_RUNNING) {
        step_stats(native, fn);
    } else {
        fn->next_info = fn->regs.n_queues;
        fn->stats_wanted = false;
    }
}
