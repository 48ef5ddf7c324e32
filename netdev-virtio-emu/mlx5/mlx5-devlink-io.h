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

#ifndef MLX5_DEVLINK_IO_H
#define MLX5_DEVLINK_IO_H 1

/* Talking to the kernel: a request, its answers, and the end of them.
 *
 * Everything here blocks, the kernel's part of it without a bound: devlink
 * does its work within the system call that sends the request.  So requests
 * are made by the thread of mlx5-devlink-job.h and never by the main thread.
 *
 * "struct mlx5_dl_kernel" is the thin layer behind which tests put a kernel of
 * their own. */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mlx5-devlink-msg.h"
#include "ovs-atomic.h"

enum mlx5_dl_purpose {
    MLX5_DL_REQUESTS,           /* Generic netlink. */
    MLX5_DL_PORT_EVENTS,        /* Generic netlink, multicast group. */
    MLX5_DL_LINK_EVENTS,        /* Routing netlink, group of links. */
};

struct mlx5_dl_socket;

struct mlx5_dl_kernel {
    /* Opens a socket, joined to 'group' if that matters for 'purpose'.
     * Returns 0 or a negative errno. */
    int (*open)(enum mlx5_dl_purpose, uint32_t group,
                struct mlx5_dl_socket **);
    void (*close)(struct mlx5_dl_socket *);

    /* Returns 0 or a negative errno. */
    int (*send)(struct mlx5_dl_socket *, const void *, size_t);

    /* Waits up to 'timeout_ms' for a datagram.  Returns its length, or
     * -ETIMEDOUT, -ENOBUFS if the kernel had to drop some, -EMSGSIZE if it did
     * not fit, or another negative errno. */
    ssize_t (*recv)(struct mlx5_dl_socket *, void *, size_t, int timeout_ms);

    /* For poll(), or -1. */
    int (*get_fd)(const struct mlx5_dl_socket *);

    /* Stores the name that the network interface 'ifindex' has now in 'name'.
     * Returns false if there is none.  Does not wait.  Any thread. */
    bool (*get_link_name)(uint32_t ifindex, char name[IF_NAMESIZE]);

    const char *sysfs;          /* "/sys". */
};

extern const struct mlx5_dl_kernel mlx5_dl_linux;

/* A conversation.  One thread. */
struct mlx5_dl_conn {
    const struct mlx5_dl_kernel *kernel;
    struct mlx5_dl_socket *socket;
    uint32_t seq;
    uint16_t family;            /* Id of devlink's. */
    uint32_t group;             /* Multicast group that tells of ports. */
    int timeout_ms;             /* Of one request. */
    int last_aux;               /* Number of the auxiliary device of an SF that
                                 * was last found. */
    atomic_bool *stop;          /* Give up waiting?  May be NULL. */
    uint64_t *buffer;           /* MLX5_DL_BUFFER_SIZE bytes. */
};

/* Opens 'conn' and finds devlink.  Returns 0, or a negative errno and one line
 * in '*errp', owned by the caller. */
int mlx5_dl_connect(struct mlx5_dl_conn *, const struct mlx5_dl_kernel *,
                    int timeout_ms, atomic_bool *stop, char **errp);
void mlx5_dl_disconnect(struct mlx5_dl_conn *);

/* Sends 'request' and hands each message of the answer to 'cb', which may be
 * NULL and returns 0, or a negative errno that becomes that of the whole.
 * Returns 0, -ETIMEDOUT, or what the kernel answered, with one line in
 * '*errp', which begins with 'what', in the latter cases.  After -ETIMEDOUT it
 * is not known whether the kernel has done it; answers that come late are
 * told from others by their number. */
typedef int mlx5_dl_msg_cb(const struct nlmsghdr *, void *aux);
int mlx5_dl_transact(struct mlx5_dl_conn *, struct nlmsghdr *request,
                     mlx5_dl_msg_cb *, void *aux, const char *what,
                     char **errp);

/* Stores all ports of all eSwitches in '*portsp', an array that the caller
 * frees, and their number in '*np'. */
int mlx5_dl_list_ports(struct mlx5_dl_conn *, struct mlx5_dl_port **portsp,
                       size_t *np, char **errp);

/* Has somebody asked to give up? */
bool mlx5_dl_is_stopped(const struct mlx5_dl_conn *);

/* Sleeps for 'ms', or less if somebody asks to give up. */
void mlx5_dl_pause(const struct mlx5_dl_conn *, int ms);

/* Stores one line in '*errp' and returns 'error'. */
int mlx5_dl_fail(int error, char **errp, const char *format, ...)
    OVS_PRINTF_FORMAT(3, 4);

#endif /* mlx5-devlink-io.h */
