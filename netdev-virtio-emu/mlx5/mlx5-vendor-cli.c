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

/* Runs of the service's program.  See mlx5-vendor-cli.h. */

#include <config.h>

#include "mlx5-vendor-cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "mlx5-child.h"
#include "mlx5-vendor-json.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mlx5_vendor_cli);

COVERAGE_DEFINE(mlx5_vendor_run);
COVERAGE_DEFINE(mlx5_vendor_failed);

/* A thousand devices with all their queues. */
#define MAX_OUTPUT (64 * 1024 * 1024)

struct task {
    struct ovs_list node;
    bool urgent;
    struct svec argv;
    mlx5_vendor_answer_cb *cb;
    void *aux;
    long long int started;
};

struct mlx5_vendor_cli {
    char *program;
    int timeout_ms;
    struct ovs_list tasks;      /* Of struct task.  The first one is under
                                 * way if 'child' is nonnull. */
    struct mlx5_child *child;
};

struct mlx5_vendor_cli *
mlx5_vendor_cli_create(const char *program, int timeout_ms)
{
    struct mlx5_vendor_cli *cli = xzalloc(sizeof *cli);

    cli->program = xstrdup(program);
    cli->timeout_ms = timeout_ms;
    ovs_list_init(&cli->tasks);
    return cli;
}

/* Takes 'task' out of the list and tells whoever waits for it. */
static void
finish(struct task *task, struct mlx5_vendor_answer *answer)
{
    if (answer) {
        if (answer->error) {
            COVERAGE_INC(mlx5_vendor_failed);
        }
        answer->took_ms = task->started ? time_msec() - task->started : 0;
        task->cb(answer, task->aux);
    }
    svec_destroy(&task->argv);
    free(task);
}

void
mlx5_vendor_cli_destroy(struct mlx5_vendor_cli *cli, bool answer)
{
    struct mlx5_vendor_answer canceled = {
        .error = -ECANCELED,
        .reason = "the controller stops",
    };
    struct task *task;

    if (!cli) {
        return;
    }
    mlx5_child_destroy(cli->child);
    LIST_FOR_EACH_POP (task, node, &cli->tasks) {
        finish(task, answer ? &canceled : NULL);
    }
    free(cli->program);
    free(cli);
}

void
mlx5_vendor_cli_submit(struct mlx5_vendor_cli *cli, bool urgent, int argc,
                       const char *const argv[], mlx5_vendor_answer_cb *cb,
                       void *aux)
{
    struct task *task = xzalloc(sizeof *task);
    struct task *other;

    task->urgent = urgent;
    task->cb = cb;
    task->aux = aux;
    svec_init(&task->argv);
    svec_add(&task->argv, cli->program);
    for (int i = 0; i < argc; i++) {
        svec_add(&task->argv, argv[i]);
    }
    svec_terminate(&task->argv);

    LIST_FOR_EACH (other, node, &cli->tasks) {
        bool running = cli->child && &other->node == cli->tasks.next;

        if (urgent && !other->urgent && !running) {
            ovs_list_insert(&other->node, &task->node);
            return;
        }
    }
    ovs_list_push_back(&cli->tasks, &task->node);
}

/* The answer of a child that has ended. */
static void
take_answer(struct mlx5_vendor_cli *cli, struct task *task)
{
    struct mlx5_vendor_answer answer = {
        .error = mlx5_child_get_result(cli->child),
    };
    const char *errors = mlx5_child_get_errors(cli->child);
    struct json *json = NULL;
    char *reason = NULL;

    if (answer.error) {
        reason = xasprintf(
            "%s %s: %s%s%.*s", cli->program, task->argv.names[1],
            answer.error == -ETIMEDOUT ? "took too long"
            : answer.error == -EMSGSIZE ? "printed too much"
            : mlx5_child_get_end(cli->child),
            *errors ? ": " : "", (int) strcspn(errors, "\n"), errors);
    } else {
        char *problem = NULL;

        answer.text = mlx5_child_get_output(cli->child);
        json = mlx5_vendor_parse(answer.text, &problem);
        answer.json = json;
        if (!json) {
            answer.error = -EPROTO;
            reason = xasprintf("%s %s: %s%s%.*s", cli->program,
                               task->argv.names[1], problem,
                               *errors ? ": " : "",
                               (int) strcspn(errors, "\n"), errors);
            free(problem);
        }
    }
    answer.reason = reason;
    finish(task, &answer);
    json_destroy(json);
    free(reason);
}

void
mlx5_vendor_cli_run(struct mlx5_vendor_cli *cli)
{
    if (cli->child && mlx5_child_run(cli->child)) {
        struct task *task = CONTAINER_OF(ovs_list_pop_front(&cli->tasks),
                                         struct task, node);

        take_answer(cli, task);
        mlx5_child_destroy(cli->child);
        cli->child = NULL;
    }
    while (!cli->child && !ovs_list_is_empty(&cli->tasks)) {
        struct task *task = CONTAINER_OF(ovs_list_front(&cli->tasks),
                                         struct task, node);
        int error;

        COVERAGE_INC(mlx5_vendor_run);
        task->started = time_msec();
        cli->child = mlx5_child_start(
            (const char *const *) task->argv.names, cli->timeout_ms,
            MAX_OUTPUT, &error);
        if (!cli->child) {
            char *reason = xasprintf("%s: %s", cli->program,
                                     ovs_strerror(-error));
            struct mlx5_vendor_answer answer = {
                .error = error,
                .reason = reason,
            };

            ovs_list_remove(&task->node);
            finish(task, &answer);
            free(reason);
        }
    }
}

void
mlx5_vendor_cli_wait(struct mlx5_vendor_cli *cli)
{
    if (cli->child) {
        mlx5_child_wait(cli->child);
    } else if (!ovs_list_is_empty(&cli->tasks)) {
        poll_immediate_wake();
    }
}
