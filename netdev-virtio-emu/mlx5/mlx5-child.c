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

/* A program that is run beside the main loop.  See mlx5-child.h. */

#include <config.h>

#include "mlx5-child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "process.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

/* How long (ms) until a child that has closed its output is looked after. */
#define REAP_MS 10

/* Most that is read at a time, so that the main loop stays responsive. */
#define MAX_READS 64

/* What a program says on stderr is for the log. */
#define MAX_ERRORS 1024

extern char **environ;

struct stream {
    int fd;                     /* -1 at its end. */
    struct ds text;
    size_t max;
};

struct mlx5_child {
    pid_t pid;                  /* 0 when it has been waited for. */
    long long int deadline;
    struct stream out, err;
    int result;
    char *end;
};

static void
close_stream(struct stream *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}

static int
spawn(const char *const argv[], const int out[2], const int err[2],
      pid_t *pidp)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP
                             | POSIX_SPAWN_SETSIGMASK
                             | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    error = posix_spawnp(pidp, argv[0], &actions, &attr,
                         (char *const *) argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

struct mlx5_child *
mlx5_child_start(const char *const argv[], int timeout_ms, size_t max_output,
                 int *errorp)
{
    int out[2], err[2] = { -1, -1 };
    struct mlx5_child *child;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC)) {
        *errorp = -errno;
        return NULL;
    }
    *errorp = pipe2(err, O_CLOEXEC) ? -errno : spawn(argv, out, err, &pid);
    close(out[1]);
    if (err[1] >= 0) {
        close(err[1]);
    }
    if (*errorp) {
        close(out[0]);
        if (err[0] >= 0) {
            close(err[0]);
        }
        return NULL;
    }

    child = xzalloc(sizeof *child);
    child->pid = pid;
    child->deadline = time_msec() + timeout_ms;
    child->out = (struct stream) { .fd = out[0], .max = max_output };
    child->err = (struct stream) { .fd = err[0], .max = MAX_ERRORS };
    set_nonblocking(out[0]);
    set_nonblocking(err[0]);
    return child;
}

/* Kills the whole group. */
static void
give_up(struct mlx5_child *child, int result)
{
    child->result = result;
    kill(-child->pid, SIGKILL);
    close_stream(&child->out);
    close_stream(&child->err);
}

/* Reads what there is.  Returns false if it is more than there may be. */
static bool
read_stream(struct stream *s)
{
    char buf[4096];

    for (int i = 0; s->fd >= 0 && i < MAX_READS; i++) {
        ssize_t n = read(s->fd, buf, sizeof buf);

        if (n > 0) {
            if (s->text.length + n > s->max) {
                return false;
            }
            ds_put_buffer(&s->text, buf, n);
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        } else {
            close_stream(s);
        }
    }
    return true;
}

bool
mlx5_child_run(struct mlx5_child *child)
{
    int status;

    if (!child->pid) {
        return true;
    }
    if (!read_stream(&child->err)) {
        close_stream(&child->err); /* Its further complaints are lost. */
    }
    if (!read_stream(&child->out)) {
        give_up(child, -EMSGSIZE);
    } else if (time_msec() >= child->deadline && !child->result) {
        give_up(child, -ETIMEDOUT);
    }
    if (child->out.fd >= 0
        || waitpid(child->pid, &status, WNOHANG) != child->pid) {
        return false;
    }

    /* Somebody that it has left behind might still have its stderr. */
    read_stream(&child->err);
    close_stream(&child->err);
    kill(-child->pid, SIGKILL);
    child->pid = 0;
    child->end = process_status_msg(status);
    if (!child->result
        && (!WIFEXITED(status) || WEXITSTATUS(status) > 1)) {
        child->result = -ECHILD;
    }
    return true;
}

void
mlx5_child_wait(struct mlx5_child *child)
{
    if (!child->pid) {
        poll_immediate_wake();
        return;
    }
    if (child->out.fd >= 0) {
        poll_fd_wait(child->out.fd, POLLIN);
        poll_timer_wait_until(child->deadline);
    } else {
        poll_timer_wait(REAP_MS);
    }
    if (child->err.fd >= 0) {
        poll_fd_wait(child->err.fd, POLLIN);
    }
}

void
mlx5_child_destroy(struct mlx5_child *child)
{
    if (!child) {
        return;
    }
    if (child->pid) {
        give_up(child, -ECANCELED);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
            continue;
        }
    }
    ds_destroy(&child->out.text);
    ds_destroy(&child->err.text);
    free(child->end);
    free(child);
}

int
mlx5_child_get_result(const struct mlx5_child *child)
{
    return child->result;
}

const char *
mlx5_child_get_output(const struct mlx5_child *child)
{
    return child->out.text.string ? child->out.text.string : "";
}

const char *
mlx5_child_get_errors(const struct mlx5_child *child)
{
    return child->err.text.string ? child->err.text.string : "";
}

const char *
mlx5_child_get_end(const struct mlx5_child *child)
{
    return child->end ? child->end : "";
}
