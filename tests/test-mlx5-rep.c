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

/* Tests representors on a TAP interface: packets both ways, counters, and
 * every system call that fails once.
 *
 * This program's own system calls stand before those of the C library. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dp-packet.h"
#include "mlx5-rep.h"
#include "netdev.h"
#include "netdev-provider.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* Error injection: the call with number 'at' fails with 'error'.  Only the
 * main thread's count. */
static struct {
    pthread_t thread;
    bool on, failed;
    unsigned int n, at;
    int error;
} inject;

static bool
fails(void)
{
    if (!inject.on || !pthread_equal(inject.thread, pthread_self())
        || ++inject.n != inject.at) {
        return false;
    }
    inject.failed = true;
    errno = inject.error;
    return true;
}

int
socket(int domain, int type, int protocol)
{
    return fails() ? -1 : syscall(SYS_socket, domain, type, protocol);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return fails() ? -1 : syscall(SYS_setsockopt, fd, level, name, value, len);
}

int
getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return fails() ? -1 : syscall(SYS_getsockopt, fd, level, name, value, len);
}

int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return fails() ? -1 : syscall(SYS_bind, fd, addr, len);
}

int
ioctl(int fd, unsigned long int cmd, ...)
{
    va_list args;
    void *arg;

    va_start(args, cmd);
    arg = va_arg(args, void *);
    va_end(args);
    return fails() ? -1 : syscall(SYS_ioctl, fd, cmd, arg);
}

/* Netlink. */
ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return fails() ? -1 : syscall(SYS_sendmsg, fd, msg, flags);
}

int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags,
         struct timespec *timeout)
{
    return (fails() ? -1
            : syscall(SYS_recvmmsg, fd, msgs, n, flags, timeout));
}

int
sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
    return fails() ? -1 : syscall(SYS_sendmmsg, fd, msgs, n, flags);
}

/* The interface, and its other end. */
static int tap;
static uint32_t ifindex;

static void
make_tap(void)
{
    struct ifreq ifr = { .ifr_name = "rep0",
                         .ifr_flags = IFF_TAP | IFF_NO_PI };

    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr)) {
        exit(77);
    }
    ifindex = if_nametoindex("rep0");
}

/* Frames of a type that nobody else sends. */
#define TYPE 0x88b5
#define SIZE 100

static void
make_frame(uint8_t frame[SIZE], uint8_t number)
{
    memset(frame, 0, SIZE);
    memset(frame, 0xff, ETH_ADDR_LEN);
    frame[6] = 2;
    frame[12] = TYPE >> 8;
    frame[13] = TYPE & 0xff;
    frame[14] = number;
}

static bool
is_frame(const void *data, size_t size, uint8_t number)
{
    uint8_t frame[SIZE];

    make_frame(frame, number);
    return size == SIZE && !memcmp(data, frame, SIZE);
}

/* The switch sends a frame.  Returns whether it has come out. */
static bool
send_one(struct mlx5_rep *rep, uint8_t number)
{
    struct dp_packet_batch batch;
    uint8_t frame[SIZE], got[2048];
    ssize_t n;

    make_frame(frame, number);
    dp_packet_batch_init_packet(&batch, dp_packet_clone_data(frame, SIZE));
    mlx5_rep_send(rep, &batch);
    while ((n = read(tap, got, sizeof got)) >= 0) {
        if (is_frame(got, n, number)) {
            return true;
        }
    }
    return false;
}

/* The switch receives a frame.  Returns whether it has come in. */
static bool
receive_one(struct mlx5_rep *rep, uint8_t number)
{
    uint8_t frame[SIZE];
    bool found = false;

    make_frame(frame, number);
    if (write(tap, frame, SIZE) != SIZE) {
        return false;           /* The interface is down. */
    }
    for (;;) {
        struct dp_packet_batch batch;
        struct dp_packet *packet;

        if (mlx5_rep_recv(rep, &batch, NULL)) {
            return found;
        }
        DP_PACKET_BATCH_FOR_EACH (i, packet, &batch) {
            found |= is_frame(dp_packet_data(packet), dp_packet_size(packet),
                              number);
        }
        dp_packet_delete_batch(&batch, true);
    }
}

static unsigned int
n_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned int n = 0;

    assert(dir);
    while (readdir(dir)) {
        n++;
    }
    closedir(dir);
    return n;
}

static void
get_stats(struct mlx5_rep *rep, struct netdev_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    mlx5_rep_get_stats(rep, stats);
}

/* A life of a port, in which call 'at' fails, if that is not 0.  Afterwards it
 * works, and nothing is left.  Returns the number of calls. */
static unsigned int
live(unsigned int at, int error)
{
    struct netdev_stats stats, before;
    struct mlx5_rep rep;
    unsigned int n_calls;
    char *err = NULL;
    bool sent, received;
    int retval;

    mlx5_rep_init(&rep, 1500);
    inject.n = 0;
    inject.at = at;
    inject.error = error;
    inject.failed = false;
    inject.on = true;

    /* It is attached, and used, or there is a reason. */
    mlx5_rep_set_up(&rep, true);
    retval = mlx5_rep_attach(&rep, ifindex, &err);
    assert(!retval && !err && rep.ifindex == ifindex);
    retval = mlx5_rep_set_used(&rep, true, &err);
    if (retval) {
        assert(retval < 0 && inject.failed && err && !strchr(err, '\n'));
        free(err);
        err = NULL;
        assert(!send_one(&rep, 1) && !receive_one(&rep, 2));
        /* The next try is good. */
        assert(!mlx5_rep_set_used(&rep, true, &err));
    }
    assert(!err);

    /* The same, at once. */
    mlx5_rep_detach(&rep);
    assert(!rep.ifindex);
    retval = mlx5_rep_attach(&rep, ifindex, &err);
    if (retval) {
        assert(retval < 0 && inject.failed && err && !rep.ifindex);
        free(err);
        err = NULL;
        assert(!send_one(&rep, 3));
        assert(!mlx5_rep_attach(&rep, ifindex, &err));
    }
    assert(!err && rep.ifindex == ifindex);

    retval = mlx5_rep_set_mtu(&rep, 1400);
    if (retval) {
        assert(retval < 0 && inject.failed);
        assert(!mlx5_rep_set_mtu(&rep, 1400));
    }
    mlx5_rep_set_up(&rep, false);
    assert(!send_one(&rep, 4));
    mlx5_rep_set_up(&rep, true);
    get_stats(&rep, &before);

    sent = send_one(&rep, 5);
    received = receive_one(&rep, 6);
    assert((sent && received) || inject.failed);
    get_stats(&rep, &stats);
    n_calls = inject.n;
    inject.on = false;

    /* No packet is lost without being counted, and no counter goes back. */
    assert(stats.tx_packets >= before.tx_packets
           && stats.rx_packets >= before.rx_packets
           && stats.tx_bytes >= before.tx_bytes
           && stats.rx_bytes >= before.rx_bytes);
    get_stats(&rep, &stats);
    assert(stats.tx_packets + stats.tx_dropped + stats.tx_errors >= 2);
    assert(stats.tx_packets < 100 && stats.rx_packets < 100);

    /* All works, whatever the link is: that is set when it is next changed. */
    mlx5_rep_set_up(&rep, false);
    mlx5_rep_set_up(&rep, true);
    assert(send_one(&rep, 7) && receive_one(&rep, 8));
    before = stats;
    get_stats(&rep, &stats);
    assert(stats.tx_packets > before.tx_packets
           && stats.rx_packets > before.rx_packets
           && stats.tx_bytes >= before.tx_bytes + SIZE
           && stats.rx_bytes >= before.rx_bytes + SIZE);

    mlx5_rep_detach(&rep);
    before = stats;
    get_stats(&rep, &stats);
    assert(stats.tx_packets >= before.tx_packets
           && stats.rx_packets >= before.rx_packets);
    mlx5_rep_uninit(&rep);
    return n_calls;
}

/* Is there a packet socket? */
static bool
any_packet_socket(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        socklen_t len = sizeof(int);
        int domain;

        if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len)
            && domain == AF_PACKET) {
            return true;
        }
    }
    return false;
}

/* Waits until sockets, which are closed later, are.  Returns how many file
 * descriptors there are then. */
static unsigned int
settle(void)
{
    long long int deadline = time_msec() + 30000;

    while (any_packet_socket()) {
        assert(time_msec() < deadline);
        ovsrcu_quiesce();
        poll(NULL, 0, 1);
    }
    return n_fds();
}

/* Has the kernel send nothing by itself, as far as that can be had. */
static void
switch_ipv6_off(void)
{
    int fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY);

    if (fd >= 0) {
        ssize_t n OVS_UNUSED = write(fd, "1", 1);

        close(fd);
    }
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    static const int errors[] = { ENOMEM, EPERM, ENOBUFS, EINTR };
    unsigned int n_calls, n;

    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    if (unshare(CLONE_NEWNET)) {
        return 77;
    }
    switch_ipv6_off();
    make_tap();
    inject.thread = pthread_self();
    ovsthread_id_init();
    live(0, 0);                 /* What stays open from now on. */
    n_calls = live(0, 0);
    assert(n_calls > 30);
    n = settle();
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        for (unsigned int at = 1; at <= n_calls + 5; at++) {
            live(at, errors[i]);
        }
    }
    assert(settle() == n);
    printf("%u calls, each with %"PRIuSIZE" errors\n", n_calls,
           ARRAY_SIZE(errors));
    return 0;
}
