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

/* eSwitches.  See mlx5-devlink-eswitch.h. */

#include <config.h>

#include "mlx5-devlink-eswitch.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_eswitch);

/* How often (ms) to ask at most. */
#define ASK_MS 1000

/* When to ask again after there was no answer. */
#define FAILED_MS 10000

struct mlx5_eswitch *
mlx5_eswitch_find(const struct ovs_list *eswitches, const char *handle)
{
    struct mlx5_eswitch *es;

    LIST_FOR_EACH (es, node, eswitches) {
        if (!strcmp(es->handle, handle)) {
            return es;
        }
    }
    return NULL;
}

void
mlx5_eswitch_add(struct ovs_list *eswitches, const char *handle)
{
    struct mlx5_eswitch *es;

    if (!mlx5_eswitch_find(eswitches, handle)) {
        es = xzalloc(sizeof *es);
        ovs_strlcpy(es->handle, handle, sizeof es->handle);
        es->stale = true;
        ovs_list_push_back(eswitches, &es->node);
    }
}

void
mlx5_eswitch_destroy_all(struct ovs_list *eswitches)
{
    struct mlx5_eswitch *es;

    LIST_FOR_EACH_POP (es, node, eswitches) {
        free(es->problem);
        free(es);
    }
}

void
mlx5_eswitch_touch_all(struct ovs_list *eswitches)
{
    struct mlx5_eswitch *es;

    LIST_FOR_EACH (es, node, eswitches) {
        es->stale = true;
    }
}

bool
mlx5_eswitch_ask(struct mlx5_eswitch *es)
{
    if (!es->stale || es->asking || time_msec() < es->ask_at) {
        return false;
    }
    es->stale = false;
    es->asking = true;
    es->ask_at = time_msec() + ASK_MS;
    return true;
}

void
mlx5_eswitch_answered(struct mlx5_eswitch *es, int error, const char *reason,
                      bool switchdev, bool has_uplink)
{
    char *problem;

    es->asking = false;
    if (error) {
        es->stale = true;
        es->ask_at = time_msec() + FAILED_MS;
    }
    problem = (error ? xasprintf("the mode of the eSwitch of %s is not known: "
                                 "%s", es->handle,
                                 reason ? reason : ovs_strerror(-error))
               : !switchdev
               ? xasprintf("the eSwitch of %s is not in switchdev mode: "
                           "devlink dev eswitch set %s mode switchdev",
                           es->handle, es->handle)
               : !has_uplink
               ? xasprintf("the eSwitch of %s has no uplink", es->handle)
               : NULL);
    if (!nullable_string_is_equal(problem, es->problem)) {
        if (problem) {
            VLOG_WARN("%s", problem);
        } else {
            VLOG_INFO("the eSwitch of %s is in switchdev mode and has an "
                      "uplink", es->handle);
        }
    }
    free(es->problem);
    es->problem = problem;
}

void
mlx5_eswitch_wait(const struct ovs_list *eswitches)
{
    const struct mlx5_eswitch *es;

    LIST_FOR_EACH (es, node, eswitches) {
        if (es->stale && !es->asking) {
            poll_timer_wait_until(es->ask_at);
        }
    }
}
