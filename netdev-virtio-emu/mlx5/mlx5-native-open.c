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

/* Opening and closing beside the main loop.  See mlx5-native-open.h. */

#include <config.h>

#include "mlx5-native-open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-devlink.h"
#include "mlx5-native.h"
#include "mlx5-service.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "util.h"
#include "virtnet-settings.h"

/* The thread, which does one thing at a time and ends.  While it runs all but
 * 'done' is its own. */
static struct {
    pthread_t thread;
    bool running;               /* Main thread only: to be joined? */
    atomic_bool done;
    bool closing;               /* What it does. */

    struct mlx5_native *fw;
    struct mlx5_devlink *devlink; /* 'closing'; NULL if there is none. */

    const struct mlx5_devx_class *class;
    char *names[MLX5_MAX_PARENTS];
    size_t n_names;
    struct mlx5_devx_info *infos;
    size_t n_infos;
    int error;
    char *err;
} w;

static void *
work(void *aux OVS_UNUSED)
{
    ovsrcu_quiesce_start();
    if (w.closing) {
        mlx5_native_close(w.fw, false);
        if (w.devlink) {
            mlx5_devlink_close(w.devlink);
        }
    } else if (mlx5_service_runs()) {
        w.error = mlx5_devx_fail(-EBUSY, &w.err, "NVIDIA's "
                                 "virtio-net-controller service owns the "
                                 "firmware: " MLX5_SERVICE_REMEDY);
    } else {
        w.error = mlx5_native_open(w.class, (const char *const *) w.names,
                                   w.n_names, &w.fw, &w.err);
        if (!w.error && !mlx5_native_get_caps(w.fw)->query_vuid) {
            w.error = mlx5_devx_fail(-ENODEV, &w.err, "%s: firmware does not "
                                     "tell VUIDs (query_vuid)",
                                     mlx5_native_get_name(w.fw));
        }
        if (!w.error) {
            w.error = w.class->list(&w.infos, &w.n_infos);
            if (w.error) {
                mlx5_devx_fail(w.error, &w.err, "RDMA devices cannot be "
                               "listed: %s", ovs_strerror(-w.error));
            }
        } else if (w.class->list(&w.infos, &w.n_infos)) {
            w.n_infos = 0;      /* That is said already. */
        }
        if (w.error) {
            mlx5_native_close(w.fw, false);
            w.fw = NULL;
        }
    }
    atomic_store_explicit(&w.done, true, memory_order_release);
    return NULL;
}

static void
start(bool closing)
{
    ovs_assert(!w.running);
    w.closing = closing;
    w.running = true;
    atomic_store_relaxed(&w.done, false);
    w.thread = ovs_thread_create("mlx5_open", work, NULL);
}

static void
forget_results(void)
{
    for (size_t i = 0; i < w.n_names; i++) {
        free(w.names[i]);
    }
    w.n_names = 0;
    free(w.infos);
    w.infos = NULL;
    w.n_infos = 0;
    w.fw = NULL;
    w.err = NULL;
    w.error = 0;
}

/* Has the thread opened what 's' names? */
static bool
is_wanted(const struct virtnet_settings *s)
{
    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS];
    size_t n = mlx5_wanted_parents(s, wanted);

    for (size_t i = 0; i < n && n == w.n_names; i++) {
        if (strcmp(wanted[i].name, w.names[i])) {
            return false;
        }
    }
    return n == w.n_names;
}

/* The thread could not open what 's' names. */
static void
explain_failure(const struct virtnet_settings *s)
{
    const char **names = xmalloc((w.n_infos + 1) * sizeof *names);

    for (size_t i = 0; i < w.n_infos; i++) {
        names[i] = w.infos[i].name;
    }
    mlx5_complain_of_lag(s, names, w.n_infos);
    free(names);
}

static void
take_results(const struct virtnet_settings *s,
             struct mlx5_open_result *result)
{
    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS];
    size_t n = mlx5_wanted_parents(s, wanted);

    memset(result, 0, sizeof *result);
    result->fw = w.fw;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < w.n_infos; j++) {
            if (!strcmp(w.infos[j].name, wanted[i].name)) {
                mlx5_parents_add(&result->parents, &wanted[i],
                                 w.infos[j].pci_addr);
                break;
            }
        }
    }
}

int
mlx5_native_open_run(const struct virtnet_settings *s,
                     const struct mlx5_devx_class *class,
                     struct mlx5_open_result *result, char **errp)
{
    struct virtnet_ib_device wanted[MLX5_MAX_PARENTS];
    bool done;
    int error;

    if (w.running) {
        atomic_read_explicit(&w.done, &done, memory_order_acquire);
        if (!done) {
            *errp = xstrdup(w.closing ? "the card is still being let go of"
                            : "the card is being looked at");
            return -EINPROGRESS;
        }
        xpthread_join(w.thread, NULL);
        w.running = false;
        if (!w.closing && is_wanted(s)) {
            error = w.error;
            if (!error) {
                take_results(s, result);
            } else {
                /* Whatever is in the way, this is a way round it. */
                *errp = xasprintf("other_config:virtnet-mlx5-mode=native: %s "
                                  "(other_config:virtnet-backend=soft needs "
                                  "no card)", w.err);
                explain_failure(s);
                free(w.err);
            }
            forget_results();
            return error == -EAGAIN ? -EBUSY : error;
        } else if (!w.closing && w.fw) {
            struct mlx5_native *fw = w.fw;

            forget_results();
            mlx5_native_open_close(fw, NULL);
            *errp = xstrdup("the card is being let go of");
            return -EINPROGRESS;
        }
        free(w.err);
        forget_results();
    }

    w.class = class;
    w.n_names = mlx5_wanted_parents(s, wanted);
    for (size_t i = 0; i < w.n_names; i++) {
        w.names[i] = xstrdup(wanted[i].name);
    }
    start(false);
    *errp = xstrdup("the card is being looked at");
    return -EINPROGRESS;
}

void
mlx5_native_open_close(struct mlx5_native *fw, struct mlx5_devlink *devlink)
{
    w.fw = fw;
    w.devlink = devlink;
    start(true);
}
