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

/* Looking at NVIDIA's service: "list", then "query".  See
 * mlx5-vendor-internal.h. */

#include <config.h>

#include "mlx5-vendor-internal.h"

#include <stdlib.h>

#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "virtnet-controller.h"

VLOG_DEFINE_THIS_MODULE(mlx5_vendor_look);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(20, 50);

/* How long (ms) after one look at the service the next begins: at least this,
 * and three times as long as the look took, so that the service has most of
 * its time for others; doubled for each failure up to the maximum. */
#define CYCLE_MIN_MS 1000
#define CYCLE_MAX_MS 30000
#define CYCLE_FACTOR 3

/* Takes note of 'problem', which may be NULL, and logs what is new. */
static void
set_problem(struct vendor *v, const char *problem)
{
    if (!nullable_string_is_equal(v->problem, problem)) {
        if (problem) {
            VLOG_WARN("%s", problem);
        } else {
            VLOG_INFO("the service answers again");
        }
        free(v->problem);
        v->problem = nullable_xstrdup(problem);
    }
}

long long int
vendor_pause_after(long long int started, unsigned int n_failures)
{
    long long int took = time_msec() - started;
    long long int pause = MAX(CYCLE_MIN_MS, CYCLE_FACTOR * took);

    if (n_failures) {
        pause <<= MIN(n_failures - 1, 5);
    }
    return MIN(pause, CYCLE_MAX_MS);
}

void
vendor_look_done(struct vendor *v, const char *problem)
{
    v->looking = false;
    v->n_looks++;
    mlx5_vendor_list_destroy(v->list);
    v->list = NULL;
    if (problem) {
        v->n_failures++;
        v->has_failed = true;
    } else {
        v->n_failures = 0;
    }
    set_problem(v, problem);
    v->next_look = (time_msec()
                    + vendor_pause_after(v->look_started, v->n_failures));
    if (v->look_again) {
        v->next_look = 0;
    } else {
        vendor_answer_waiting(v);
    }
}

/* A look is over, be it one of those until the service first answers.  Takes
 * 'problem', which may be NULL. */
static void
look_over(struct vendor *v, char *problem)
{
    if (v->is_open) {
        vendor_look_done(v, problem);
        free(problem);
    } else {
        free(v->opening);
        v->opening = problem;
        v->looking = false;
    }
}

/* Adds what only "query" tells to the list. */
static void
merge(struct mlx5_vendor_list *list, const struct mlx5_vendor_list *query)
{
    struct shash infos = SHASH_INITIALIZER(&infos);

    for (size_t i = 0; i < query->n_devices; i++) {
        shash_add(&infos, query->devices[i].vuid, &query->devices[i]);
    }
    for (size_t i = 0; i < list->n_devices; i++) {
        struct mlx5_vendor_device *dev = &list->devices[i];
        const struct mlx5_vendor_device *q = shash_find_data(&infos,
                                                             dev->vuid);

        if (q && q->has_features) {
            dev->has_features = true;
            dev->config.features = q->config.features;
        }
        if (q && q->has_status) {
            dev->has_status = true;
            dev->driver = q->driver;
        }
    }
    shash_destroy(&infos);
}

static void
query_done(const struct mlx5_vendor_answer *answer, void *v_)
{
    struct vendor *v = v_;
    char *problem = NULL;

    if (answer->error) {
        problem = xstrdup(answer->reason);
    } else {
        struct mlx5_vendor_list *query = mlx5_vendor_parse_list(answer->json,
                                                                &problem);
        if (query) {
            merge(v->list, query);
            mlx5_vendor_list_destroy(query);
        }
    }
    /* What the list says is good all the same, but devices that a restart has
     * taken are not to come back before it is over. */
    if (v->is_open && !virtnet_controller_restarting()) {
        vendor_apply(v, v->list);
    }
    look_over(v, problem);
}

static void
list_done(const struct mlx5_vendor_answer *answer, void *v_)
{
    static const char *const argv[] = { "query", "-a", "-b" };
    struct vendor *v = v_;
    char *problem = NULL;

    if (answer->error) {
        problem = xstrdup(answer->reason);
    } else {
        v->list = mlx5_vendor_parse_list(answer->json, &problem);
    }
    if (v->list && v->list->problem) {
        v->n_bad += v->list->n_bad;
        VLOG_WARN_RL(&rl, "%s", v->list->problem);
    }
    if (v->list) {
        mlx5_vendor_cli_submit(v->cli, false, ARRAY_SIZE(argv), argv,
                               query_done, v);
    } else {
        look_over(v, problem);
    }
}

void
vendor_look(struct vendor *v)
{
    static const char *const argv[] = { "list" };

    v->looking = true;
    v->look_again = false;
    v->look_started = time_msec();
    mlx5_vendor_list_destroy(v->list);
    v->list = NULL;
    mlx5_vendor_cli_submit(v->cli, false, ARRAY_SIZE(argv), argv, list_done,
                           v);
}
