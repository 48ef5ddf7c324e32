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

/* Talking to the kernel.  See mlx5-devlink-io.h. */

#include <config.h>

#include "mlx5-devlink-io.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "random.h"
#include "timeval.h"
#include "util.h"

/* Dumps that the kernel says were disturbed are begun anew, so often. */
#define MAX_DUMPS 5

/* Room (bytes) for events that wait: a thousand VFs come at a time. */
#define EVENT_BUFFER (4 * 1024 * 1024)

int
mlx5_dl_fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    free(*errp);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

/* The real kernel. */

struct mlx5_dl_socket {
    int fd;
};

static int
linux_open(enum mlx5_dl_purpose purpose, uint32_t group,
           struct mlx5_dl_socket **socketp)
{
    bool route = purpose == MLX5_DL_LINK_EVENTS;
    struct sockaddr_nl addr = {
        .nl_family = AF_NETLINK,
        .nl_groups = route ? RTMGRP_LINK : 0,
    };
    int one = 1, size = EVENT_BUFFER;
    int fd, error;

    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                route ? NETLINK_ROUTE : NETLINK_GENERIC);
    if (fd < 0) {
        return -errno;
    }
    /* Without these there is no explanation, and no more than that. */
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    if (purpose != MLX5_DL_REQUESTS
        && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (bind(fd, (struct sockaddr *) &addr, sizeof addr)
        || (purpose == MLX5_DL_PORT_EVENTS
            && setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                          sizeof group))) {
        error = -errno;
        close(fd);
        return error;
    }
    *socketp = xmalloc(sizeof **socketp);
    (*socketp)->fd = fd;
    return 0;
}

static void
linux_close(struct mlx5_dl_socket *s)
{
    close(s->fd);
    free(s);
}

static int
linux_send(struct mlx5_dl_socket *s, const void *data, size_t size)
{
    struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
    ssize_t n;

    do {
        n = sendto(s->fd, data, size, 0, (struct sockaddr *) &addr,
                   sizeof addr);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n != size ? -EIO : 0;
}

static ssize_t
linux_recv(struct mlx5_dl_socket *s, void *data, size_t size, int timeout_ms)
{
    struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
    struct sockaddr_nl addr;
    struct iovec iov = { data, size };
    struct msghdr msg = {
        .msg_name = &addr,
        .msg_namelen = sizeof addr,
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    ssize_t n;

    if (timeout_ms) {
        n = poll(&pfd, 1, timeout_ms);
        if (n <= 0) {
            return n && errno != EINTR ? -errno : -ETIMEDOUT;
        }
    }
    n = recvmsg(s->fd, &msg, MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? -ETIMEDOUT : -errno;
    } else if (msg.msg_flags & MSG_TRUNC) {
        return -EMSGSIZE;
    } else if (msg.msg_namelen != sizeof addr || addr.nl_pid) {
        return -ETIMEDOUT;      /* Not from the kernel: ignored. */
    }
    return n;
}

static int
linux_get_fd(const struct mlx5_dl_socket *s)
{
    return s->fd;
}

static bool
linux_get_link_name(uint32_t ifindex, char name[IF_NAMESIZE])
{
    return if_indextoname(ifindex, name) != NULL;
}

const struct mlx5_dl_kernel mlx5_dl_linux = {
    .open = linux_open,
    .close = linux_close,
    .send = linux_send,
    .recv = linux_recv,
    .get_fd = linux_get_fd,
    .get_link_name = linux_get_link_name,
    .sysfs = "/sys",
};

/* Conversation. */

bool
mlx5_dl_is_stopped(const struct mlx5_dl_conn *conn)
{
    bool stop = false;

    if (conn->stop) {
        atomic_read_relaxed(conn->stop, &stop);
    }
    return stop;
}

void
mlx5_dl_pause(const struct mlx5_dl_conn *conn, int ms)
{
    while (ms > 0 && !mlx5_dl_is_stopped(conn)) {
        int step = MIN(ms, 10);
        struct timespec ts = { .tv_nsec = step * 1000 * 1000 };

        nanosleep(&ts, NULL);
        ms -= step;
    }
}

static int
get_family_cb(const struct nlmsghdr *nlh, void *conn_)
{
    struct mlx5_dl_conn *conn = conn_;

    return mlx5_dl_parse_family(nlh, &conn->family, &conn->group);
}

int
mlx5_dl_connect(struct mlx5_dl_conn *conn,
                const struct mlx5_dl_kernel *kernel, int timeout_ms,
                atomic_bool *stop, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];
    int error;

    memset(conn, 0, sizeof *conn);
    *errp = NULL;
    conn->kernel = kernel;
    conn->timeout_ms = timeout_ms;
    conn->stop = stop;
    conn->seq = random_uint32();
    error = kernel->open(MLX5_DL_REQUESTS, 0, &conn->socket);
    if (error) {
        conn->socket = NULL;
        return mlx5_dl_fail(error, errp, "no netlink socket: %s",
                            ovs_strerror(-error));
    }
    conn->buffer = xmalloc(MLX5_DL_BUFFER_SIZE);
    error = mlx5_dl_transact(conn, mlx5_dl_get_family(request),
                             get_family_cb, conn, "devlink", errp);
    if (error == -ENOENT) {
        mlx5_dl_fail(error, errp, "the kernel has no devlink");
    } else if (!error && !conn->family) {
        error = mlx5_dl_fail(-EBADMSG, errp, "devlink: no answer");
    }
    if (error) {
        mlx5_dl_disconnect(conn);
    }
    return error;
}

void
mlx5_dl_disconnect(struct mlx5_dl_conn *conn)
{
    if (conn->socket) {
        conn->kernel->close(conn->socket);
        conn->socket = NULL;
    }
    free(conn->buffer);
    conn->buffer = NULL;
}

/* Deals with the messages of one datagram.  Sets '*done' when the answer is
 * complete. */
static int
take_messages(struct mlx5_dl_conn *conn, size_t size, uint32_t seq,
              mlx5_dl_msg_cb *cb, void *aux, bool *done, bool *disturbed,
              const char **textp)
{
    const struct nlmsghdr *nlh = (const void *) conn->buffer;
    int left = size;
    int error = 0;

    for (; mlx5_dl_message_is_ok(nlh, left);
         nlh = mnl_nlmsg_next(nlh, &left)) {
        if (nlh->nlmsg_seq != seq) {
            continue;           /* An answer that nobody waits for. */
        }
        if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
            *disturbed = true;
        }
        if (nlh->nlmsg_type == NLMSG_ERROR) {
            *done = true;
            return mlx5_dl_parse_error(nlh, &error, textp) ?: error;
        } else if (nlh->nlmsg_type == NLMSG_DONE) {
            *done = true;
            return (mnl_nlmsg_get_payload_len(nlh) >= sizeof(int)
                    ? MIN(*(const int *) mnl_nlmsg_get_payload(nlh), 0) : 0);
        } else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && cb) {
            error = cb(nlh, aux);
            if (error) {
                return error;
            }
        }
    }
    return left > 0 && left >= (int) sizeof *nlh ? -EBADMSG : 0;
}

static int
transact(struct mlx5_dl_conn *conn, struct nlmsghdr *request,
         mlx5_dl_msg_cb *cb, void *aux, bool *disturbed, const char **textp)
{
    long long int deadline = time_msec() + conn->timeout_ms;
    bool done = false;
    int error;

    *disturbed = false;
    *textp = NULL;
    request->nlmsg_seq = ++conn->seq;
    error = conn->kernel->send(conn->socket, request, request->nlmsg_len);
    while (!error && !done) {
        long long int left = deadline - time_msec();
        ssize_t n;

        if (left <= 0 || mlx5_dl_is_stopped(conn)) {
            return -ETIMEDOUT;
        }
        n = conn->kernel->recv(conn->socket, conn->buffer,
                               MLX5_DL_BUFFER_SIZE, MIN(left, 100));
        if (n == -ETIMEDOUT) {
            continue;
        }
        error = n < 0 ? n : take_messages(conn, n, request->nlmsg_seq, cb,
                                          aux, &done, disturbed, textp);
    }
    return error;
}

int
mlx5_dl_transact(struct mlx5_dl_conn *conn, struct nlmsghdr *request,
                 mlx5_dl_msg_cb *cb, void *aux, const char *what,
                 char **errp)
{
    const char *text;
    bool disturbed;
    int error;

    error = transact(conn, request, cb, aux, &disturbed, &text);
    if (!error && disturbed) {
        error = -EINTR;
    }
    return error ? mlx5_dl_fail(error, errp, "%s: %s", what,
                                text ? text : ovs_strerror(-error)) : 0;
}

struct port_list {
    struct mlx5_dl_port *ports;
    size_t n, allocated;
    uint16_t family;
};

static int
list_ports_cb(const struct nlmsghdr *nlh, void *list_)
{
    struct port_list *list = list_;
    struct mlx5_dl_port port;
    enum mlx5_dl_what what;
    int error;

    error = mlx5_dl_parse_port(nlh, list->family, &what, &port);
    if (!error && what == MLX5_DL_PORT) {
        if (list->n >= list->allocated) {
            list->ports = x2nrealloc(list->ports, &list->allocated,
                                     sizeof *list->ports);
        }
        list->ports[list->n++] = port;
    }
    return error;
}

int
mlx5_dl_list_ports(struct mlx5_dl_conn *conn, struct mlx5_dl_port **portsp,
                   size_t *np, char **errp)
{
    uint64_t request[MLX5_DL_REQUEST_SIZE / 8];
    int error = -EINTR;

    for (int i = 0; error == -EINTR && i < MAX_DUMPS; i++) {
        struct port_list list = { .family = conn->family };

        error = mlx5_dl_transact(conn, mlx5_dl_dump_ports(request,
                                                          conn->family),
                                 list_ports_cb, &list, "list of ports", errp);
        if (!error) {
            *portsp = list.ports;
            *np = list.n;
        } else {
            free(list.ports);
        }
    }
    return error;
}
