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

/* What the main thread has asked for.  See mlx5-native-internal.h. */

#include <config.h>

#include "mlx5-native-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-prm-emulation.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_job);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 30);

/* What is not undone. */

void
mlx5_native_count_objects(struct mlx5_native *native)
{
    ovs_mutex_lock(&native->view_mutex);
    native->left.objects = ovs_list_size(&native->devx->refused);
    ovs_mutex_unlock(&native->view_mutex);
}

/* Counts, in '*counter', and logs that something of the function stays as it
 * should not, for the reason 'err', which it takes over. */
static void
count_left(struct mlx5_native *native, uint64_t *counter, uint16_t vhca_id,
           const char *what, char *err)
{
    ovs_mutex_lock(&native->view_mutex);
    ++*counter;
    ovs_mutex_unlock(&native->view_mutex);
    VLOG_ERR_RL(&rl, "function %u is left %s: %s", vhca_id, what, err);
    free(err);
}

/* Takes away a function that has just been made: whole or gone. */
static void
undo_plug(struct mlx5_native *native, uint16_t vhca_id)
{
    char *err = NULL;

    for (int i = 0; i < 2; i++) {
        free(err);
        err = NULL;
        if (!mlx5_emu_unplug(native->devx, vhca_id, &err)) {
            return;
        }
    }
    count_left(native, &native->left.functions, vhca_id, "plugged", err);
}

/* Taking functions over, and plugging them. */

/* Makes a function. */
static int
plug(struct mlx5_native *native, const struct mlx5_emu_config *config,
     struct mlx5_emu_function *function, char **errp)
{
    uint16_t vhca_id;
    int error;

    error = mlx5_emu_plug(native->devx, config, &vhca_id, errp);
    if (error) {
        return error;
    }
    error = mlx5_emu_find(native->devx, &native->caps, vhca_id, function,
                          errp);
    if (error) {
        undo_plug(native, vhca_id);
    }
    return error;
}

/* Makes 'fn', which has just been taken over, be as '*config' says, as far as
 * its driver allows, and stores there how it is.  '*pool_changed' says whether
 * it has got other vectors from its PF, or given them back. */
static int
impose(struct mlx5_fn *fn, struct mlx5_emu_config *config, bool *pool_changed,
       char **errp)
{
    struct mlx5_emu_state *s = &fn->regs;
    bool common, dev_cfg;
    int error;

    *pool_changed = false;
    error = mlx5_emu_query(fn->emu, 0, s, errp);
    if (!error && mlx5_fn_waits_for_reset(fn, s)) {
        error = mlx5_emu_ack_reset(fn->emu, errp);
        if (error == -EINVAL) {
            free(*errp);        /* It does not. */
            *errp = NULL;
            error = 0;
        } else if (!error) {
            error = mlx5_emu_query(fn->emu, 0, s, errp);
        }
    }
    if (error) {
        return error;
    }
    mlx5_fn_take_note_of_driver(fn, s);
    common = (s->device_features != config->features
              || s->max_queue_size != config->max_queue_size);
    dev_cfg = (!eth_addr_equals(s->mac, config->mac) || s->mtu != config->mtu
               || s->max_pairs != config->max_pairs);
    error = mlx5_emu_configure(fn->emu, s->modifiable, config, common,
                               dev_cfg, errp);
    if (!error) {
        s->device_features = config->features;
        s->max_queue_size = config->max_queue_size;
        s->mac = config->mac;
        s->mtu = config->mtu;
        s->max_pairs = config->max_pairs;
    } else if (error == -EBUSY && (s->status || !s->enabled)) {
        /* It has a driver, or is being reset. */
        free(*errp);
        *errp = NULL;
        error = 0;
    }
    if (!error && s->link_up != config->link_up) {
        error = mlx5_emu_set_link(fn->emu, config->link_up, errp);
        s->link_up = config->link_up;
    }
    if (!error && config->num_msix && config->num_msix != s->num_msix
        && s->modifiable & MLX5_EMU_MODIFY_NUM_MSIX) {
        error = mlx5_emu_set_msix(fn->emu, config->num_msix, errp);
        s->num_msix = config->num_msix;
        *pool_changed = true;
    }
    config->features = s->device_features;
    config->max_queue_size = s->max_queue_size;
    config->mac = s->mac;
    config->mtu = s->mtu;
    config->max_pairs = s->max_pairs;
    config->num_msix = s->num_msix;

    /* Since events are on, what changes from now on is told. */
    fn->dirty = s->status != 0 || !s->enabled;
    return error;
}

static void
carry_out_take(struct mlx5_native *native, struct mlx5_native_wish *wish,
               struct mlx5_native_event *event)
{
    struct mlx5_fn *fn = xzalloc(sizeof *fn);
    bool plugged = false, pool_changed = false;
    struct mlx5_fn *pf;
    char *err = NULL;
    int error = 0;

    fn->told_free = -1;
    event->function.vhca_id = wish->vhca_id;
    if (wish->plug) {
        error = plug(native, &wish->config, &event->function, &err);
        plugged = !error;
    }
    fn->vhca_id = event->function.vhca_id;
    ovs_strlcpy(fn->sf_name, wish->sf_name, sizeof fn->sf_name);
    if (!error && mlx5_fn_find(native, fn->vhca_id)) {
        error = mlx5_devx_fail(-EEXIST, &err,
                               "function %u is managed already", fn->vhca_id);
    }
    if (!error) {
        error = mlx5_fn_manage(native, fn, &err);
    }
    if (!error && !wish->plug) {
        error = impose(fn, &wish->config, &pool_changed, &err);
    }
    if (!error && fn->regs.num_vfs && !wish->pf_vhca_id) {
        error = mlx5_emu_list(native->devx, &native->caps, fn->vhca_id,
                              fn->regs.num_vfs, &event->vfs, &event->n_vfs,
                              &err);
    }

    if (!error) {
        event->config = wish->config;
        mlx5_fn_insert(native, fn);
    } else {
        mlx5_devx_destroy(&fn->emu);
        mlx5_devx_reap(native->devx);
        if (plugged) {
            undo_plug(native, fn->vhca_id);
        }
        mlx5_emu_state_uninit(&fn->regs);
        free(fn);
        fn = NULL;
    }
    event->error = error;
    event->text = err;
    mlx5_native_tell(native, event);
    if (fn && !fn->dirty) {
        mlx5_fn_tell_driver(native, fn, false);
        mlx5_fn_tell_pool(native, fn);
    }
    pf = pool_changed ? mlx5_fn_find(native, wish->pf_vhca_id) : NULL;
    if (pf) {
        pf->dirty = true;       /* Firmware does not tell of that. */
    }
}

/* Tells firmware those 'parts' of 'config' that there are. */
static int
tell_config(struct mlx5_fn *fn, uint64_t modifiable,
            const struct mlx5_emu_config *config, unsigned int parts,
            unsigned int *done, char **errp)
{
    unsigned int space = parts & (MLX5_NATIVE_CONFIG_COMMON
                                  | MLX5_NATIVE_CONFIG_DEVICE);
    int error = 0;

    *done = 0;
    if (space) {
        error = mlx5_emu_configure(fn->emu, modifiable, config,
                                   parts & MLX5_NATIVE_CONFIG_COMMON,
                                   parts & MLX5_NATIVE_CONFIG_DEVICE, errp);
        *done |= error ? 0 : space;
    }
    if (!error && parts & MLX5_NATIVE_CONFIG_LINK) {
        error = mlx5_emu_set_link(fn->emu, config->link_up, errp);
        *done |= error ? 0 : MLX5_NATIVE_CONFIG_LINK;
    }
    if (!error && parts & MLX5_NATIVE_CONFIG_MSIX) {
        error = mlx5_emu_set_msix(fn->emu, config->num_msix, errp);
        *done |= error ? 0 : MLX5_NATIVE_CONFIG_MSIX;
    }
    return error;
}

/* Looks how many vectors are left for VFs of the PF 'vhca_id'. */
static void
look_at_pool(struct mlx5_native *native, uint16_t vhca_id)
{
    struct mlx5_fn *pf = mlx5_fn_find(native, vhca_id);
    struct mlx5_emu_state s;
    char *err = NULL;

    if (!pf || !pf->emu) {
        return;                 /* It is read when it is managed again. */
    }
    if (mlx5_emu_query(pf->emu, 0, &s, &err)) {
        pf->dirty = true;       /* Tried again, and logged then. */
        free(err);
    } else {
        pf->regs.free_vf_msix = s.free_vf_msix;
        mlx5_fn_tell_pool(native, pf);
    }
}

/* All or nothing. */
static int
configure(struct mlx5_native *native, const struct mlx5_native_wish *wish,
          unsigned int parts, char **errp)
{
    struct mlx5_fn *fn = mlx5_fn_find(native, wish->vhca_id);
    struct mlx5_emu_state s;
    unsigned int done, undone;
    int error;

    if (!fn || !fn->emu) {
        return mlx5_devx_fail(-EBUSY, errp, "function %u is being reset",
                              wish->vhca_id);
    }
    error = mlx5_emu_query(fn->emu, 0, &s, errp);
    if (error) {
        return error;
    }
    error = tell_config(fn, s.modifiable, &wish->config, parts, &done, errp);
    if (error && done) {
        struct mlx5_emu_config old = {
            .features = s.device_features, .mac = s.mac, .mtu = s.mtu,
            .max_pairs = s.max_pairs, .max_queue_size = s.max_queue_size,
            .num_msix = s.num_msix, .link_up = s.link_up,
        };
        char *err = NULL;

        if (tell_config(fn, s.modifiable, &old, done, &undone, &err)) {
            count_left(native, &native->left.configs, wish->vhca_id,
                       "with some of a configuration that is refused", err);
        }
    }
    fn->dirty = true;
    if (parts & MLX5_NATIVE_CONFIG_MSIX) {
        look_at_pool(native, wish->pf_vhca_id);
    }
    return error;
}

void
mlx5_native_carry_out(struct mlx5_native *native, struct mlx5_native_job *job)
{
    struct mlx5_native_event *event = xzalloc(sizeof *event);
    struct mlx5_fn *fn;

    event->vhca_id = job->wish.vhca_id;
    event->cookie = job->cookie;
    switch (job->type) {
    case JOB_TAKE:
        event->type = MLX5_NATIVE_TAKEN;
        carry_out_take(native, &job->wish, event);
        break;
    case JOB_UNPLUG:
        /* Gap: hotplug_state. */
        event->type = MLX5_NATIVE_UNPLUGGED;
        mlx5_devx_reap(native->devx);
        event->error = mlx5_emu_unplug(native->devx, job->wish.vhca_id,
                                       &event->text);
        mlx5_native_tell(native, event);
        break;
    case JOB_CONFIGURE:
        event->type = MLX5_NATIVE_CONFIGURED;
        event->error = configure(native, &job->wish, job->parts,
                                 &event->text);
        mlx5_native_tell(native, event);
        break;
    case JOB_RELEASE:
        fn = mlx5_fn_find(native, job->wish.vhca_id);
        if (fn) {
            fn->release = true;
        }
        mlx5_native_event_free(event);
        break;
    }
    free(job);
}
