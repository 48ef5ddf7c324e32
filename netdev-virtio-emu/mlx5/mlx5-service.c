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

/* NVIDIA's service.  See mlx5-service.h. */

#include <config.h>

#include "mlx5-service.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "seq.h"
#include "util.h"

/* The kernel keeps 15 characters of a process's name. */
#define SERVICE_COMM "virtio_net_cont"

const char *mlx5_service_proc = "/proc";

/* A look at some hundred processes takes some milliseconds of a processor, and
 * an operator who has started the wrong thing some seconds to wonder. */
int mlx5_service_look_ms = 5000;

/* Is the process 'pid' the service, and has not ended? */
static bool
is_service(const char *pid)
{
    char *path = xasprintf("%s/%s/stat", mlx5_service_proc, pid);
    FILE *f = fopen(path, "re");
    bool found = false;
    char comm[32];
    char state;

    free(path);
    if (f) {
        found = (fscanf(f, "%*d (%31[^)]) %c", comm, &state) == 2
                 && !strcmp(comm, SERVICE_COMM) && state != 'Z'
                 && state != 'X');
        fclose(f);
    }
    return found;
}

bool
mlx5_service_runs(void)
{
    DIR *dir = opendir(mlx5_service_proc);
    bool found = false;
    struct dirent *de;

    while (dir && !found && (de = readdir(dir)) != NULL) {
        found = (de->d_name[0] >= '1' && de->d_name[0] <= '9'
                 && is_service(de->d_name));
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

struct mlx5_service_watch {
    pthread_t thread;
    struct seq *wake;           /* Wakes the thread. */
    atomic_bool stop;
    struct seq *news;           /* Wakes the main thread. */
    atomic_bool seen;
};

static void *
watch_main(void *w_)
{
    struct mlx5_service_watch *w = w_;

    for (;;) {
        uint64_t seqno = seq_read(w->wake);
        bool stop, seen, sees;

        atomic_read_explicit(&w->stop, &stop, memory_order_acquire);
        if (stop) {
            break;
        }
        /* Nobody is to wait for this thread because of RCU. */
        ovsrcu_quiesce_start();
        sees = mlx5_service_runs();
        atomic_read_relaxed(&w->seen, &seen);
        if (sees != seen) {
            atomic_store_relaxed(&w->seen, sees);
            seq_change(w->news);
        }
        seq_wait(w->wake, seqno);
        poll_timer_wait(mlx5_service_look_ms);
        poll_block();
    }
    return NULL;
}

struct mlx5_service_watch *
mlx5_service_watch_create(void)
{
    struct mlx5_service_watch *w = xzalloc(sizeof *w);

    w->wake = seq_create();
    w->news = seq_create();
    atomic_init(&w->stop, false);
    atomic_init(&w->seen, false);
    w->thread = ovs_thread_create("mlx5_service", watch_main, w);
    return w;
}

void
mlx5_service_watch_destroy(struct mlx5_service_watch *w)
{
    if (w) {
        atomic_store_explicit(&w->stop, true, memory_order_release);
        seq_change(w->wake);
        xpthread_join(w->thread, NULL);
        seq_destroy(w->wake);
        seq_destroy(w->news);
        free(w);
    }
}

bool
mlx5_service_watch_sees_it(const struct mlx5_service_watch *w)
{
    bool seen;

    atomic_read_relaxed(&CONST_CAST(struct mlx5_service_watch *, w)->seen,
                        &seen);
    return seen;
}

void
mlx5_service_watch_wait(const struct mlx5_service_watch *w, bool known)
{
    uint64_t seqno = seq_read(w->news);

    if (mlx5_service_watch_sees_it(w) != known) {
        poll_immediate_wake();
    }
    seq_wait(w->news, seqno);
}
