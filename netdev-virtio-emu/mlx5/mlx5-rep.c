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

/* Representors in the userspace datapath.  See mlx5-rep.h. */

#include <config.h>

#include "mlx5-rep.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coverage.h"
#include "csum.h"
#include "dp-packet.h"
#include "dpif-netdev.h"
#include "netdev.h"
#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/list.h"
#include "openvswitch/ofpbuf.h"
#include "ovs-thread.h"
#include "packets.h"
#include "socket-util.h"
#include "unaligned.h"
#include "util.h"

COVERAGE_DEFINE(mlx5_rep_attach);
COVERAGE_DEFINE(mlx5_rep_link);

/* Of older headers. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* Longer than any frame of MTU, with two VLAN tags. */
#define L2_ROOM (ETH_HEADER_LEN + 2 * VLAN_HEADER_LEN)

/* Bytes that the kernel keeps for the switch. */
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* Packets are of the heap, as those of all kernel ports of Open vSwitch; the
 * system call costs many times as much. */
struct mlx5_rep_socket {
    struct ovs_list node;       /* In 'to_close'. */
    int fd;
    uint32_t ifindex;

    /* Of the receiving thread: buffers for the next burst. */
    struct dp_packet *spare[NETDEV_MAX_BURST];
    uint32_t spare_size;        /* Bytes of frame in each. */
};

static void
count(atomic_uint64_t *counter, uint64_t n)
{
    uint64_t orig;

    atomic_add_relaxed(counter, n, &orig);
}

/* Calls that need a name.  It may change between the two calls; then there is
 * another interface of that name only by a rare mishap, and nothing worse than
 * a changed MTU comes of it. */
static int
name_ioctl(uint32_t ifindex, unsigned long int cmd, struct ifreq *ifr)
{
    struct ifreq by_index = { .ifr_ifindex = ifindex };
    int error = af_inet_ioctl(SIOCGIFNAME, &by_index);

    if (!error) {
        ovs_strlcpy(ifr->ifr_name, by_index.ifr_name, sizeof ifr->ifr_name);
        error = af_inet_ioctl(cmd, ifr);
    }
    return -error;
}

/* The kernel waits for a grace period of its own when a packet socket is
 * closed, some ten milliseconds.  Whoever waits for one of ours waits for all
 * that is postponed, so a thread of its own closes sockets, as long as there
 * are any. */
static struct ovs_mutex closer_mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list to_close OVS_GUARDED_BY(closer_mutex)
    = OVS_LIST_INITIALIZER(&to_close);
static bool closer_runs OVS_GUARDED_BY(closer_mutex);

static void *
closer_main(void *aux OVS_UNUSED)
{
    ovsrcu_quiesce_start();
    ovs_mutex_lock(&closer_mutex);
    while (!ovs_list_is_empty(&to_close)) {
        struct mlx5_rep_socket *s = CONTAINER_OF(ovs_list_pop_front(&to_close),
                                                 struct mlx5_rep_socket, node);

        ovs_mutex_unlock(&closer_mutex);
        close(s->fd);
        free(s);
        ovs_mutex_lock(&closer_mutex);
    }
    closer_runs = false;
    ovs_mutex_unlock(&closer_mutex);
    return NULL;
}

static void
socket_destroy(struct mlx5_rep_socket *s)
{
    for (size_t i = 0; i < ARRAY_SIZE(s->spare); i++) {
        dp_packet_delete(s->spare[i]);
    }
    ovs_mutex_lock(&closer_mutex);
    ovs_list_push_back(&to_close, &s->node);
    if (!closer_runs) {
        closer_runs = true;
        pthread_detach(ovs_thread_create("mlx5_rep_close", closer_main,
                                         NULL));
    }
    ovs_mutex_unlock(&closer_mutex);
}

void
mlx5_rep_init(struct mlx5_rep *rep, int mtu)
{
    memset(rep, 0, sizeof *rep);
    ovsrcu_init(&rep->socket, NULL);
    atomic_init(&rep->up, false);
    atomic_init(&rep->mtu, mtu);
#define MLX5_REP_COUNTER(NAME) atomic_init(&rep->NAME, 0);
    MLX5_REP_COUNTERS
#undef MLX5_REP_COUNTER
}

void
mlx5_rep_uninit(struct mlx5_rep *rep)
{
    struct mlx5_rep_socket *s = ovsrcu_get_protected(
        struct mlx5_rep_socket *, &rep->socket);

    if (s) {
        socket_destroy(s);
    }
}

/* The kernel's counters of an interface. */
static bool
read_totals(uint32_t ifindex, struct mlx5_rep_totals *t)
{
    static const struct nl_policy policy[] = {
        [IFLA_STATS64] = { .type = NL_A_UNSPEC,
                           .min_len = offsetof(struct rtnl_link_stats64,
                                               rx_compressed) },
    };
    struct nlattr *attrs[ARRAY_SIZE(policy)];
    struct rtnl_link_stats64 stats;
    struct ifinfomsg *ifi;
    struct ofpbuf request, *reply;
    bool ok;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof *ifi, RTM_GETLINK, NLM_F_REQUEST);
    ifi = ofpbuf_put_zeros(&request, sizeof *ifi);
    ifi->ifi_family = PF_UNSPEC;
    ifi->ifi_index = ifindex;
    ok = !nl_transact(NETLINK_ROUTE, &request, &reply);
    ofpbuf_uninit(&request);
    if (!ok) {
        return false;
    }
    ok = nl_policy_parse(reply, NLMSG_HDRLEN + sizeof *ifi, policy, attrs,
                         ARRAY_SIZE(policy)) && attrs[IFLA_STATS64];
    if (ok) {
        memset(&stats, 0, sizeof stats);
        memcpy(&stats, nl_attr_get(attrs[IFLA_STATS64]),
               MIN(nl_attr_get_size(attrs[IFLA_STATS64]), sizeof stats));
        *t = (struct mlx5_rep_totals) {
            .rx_packets = stats.rx_packets,
            .rx_bytes = stats.rx_bytes,
            .rx_errors = stats.rx_errors,
            .rx_dropped = stats.rx_dropped,
            .tx_packets = stats.tx_packets,
            .tx_bytes = stats.tx_bytes,
            .tx_errors = stats.tx_errors,
            .tx_dropped = stats.tx_dropped,
        };
    }
    ofpbuf_delete(reply);
    return ok;
}

/* Looks how far the kernel has counted.  What it had counted when it was first
 * asked is not ours. */
static void
update_totals(struct mlx5_rep *rep)
{
    if (read_totals(rep->ifindex, &rep->last) && !rep->has_base) {
        rep->base = rep->last;
        rep->has_base = true;
    }
}

/* Merged packets are of no use here. */
static void
switch_gro_off(uint32_t ifindex)
{
    struct ethtool_value off = { .cmd = ETHTOOL_SGRO };
    struct ifreq ifr = { .ifr_data = (void *) &off };

    name_ioctl(ifindex, SIOCETHTOOL, &ifr);
}

static int
open_socket(uint32_t ifindex, const char **what)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = ifindex,
    };
    struct packet_mreq mreq = {
        .mr_ifindex = ifindex,
        .mr_type = PACKET_MR_PROMISC,
    };
    int one = 1, size = RECEIVE_BUFFER;
    int fd, error;

    *what = "packet socket";
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    *what = "options of the packet socket";
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)
        || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one)
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
                      sizeof one)
        || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq,
                      sizeof mreq)) {
        goto error;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    *what = "binding to the representor";
    if (!bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        return fd;
    }

error:
    error = -errno;
    close(fd);
    return error;
}

/* Sets the state of the interface. */
static void
set_link(uint32_t ifindex, bool up)
{
    struct ifreq ifr;

    if (!name_ioctl(ifindex, SIOCGIFFLAGS, &ifr)
        && !(ifr.ifr_flags & IFF_UP) == up) {
        COVERAGE_INC(mlx5_rep_link);
        ifr.ifr_flags = (ifr.ifr_flags & ~IFF_UP) | (up ? IFF_UP : 0);
        name_ioctl(ifindex, SIOCSIFFLAGS, &ifr);
    }
}

/* Opens the socket of the interface, which it has, if it is used. */
static int
begin_use(struct mlx5_rep *rep, char **errp)
{
    struct mlx5_rep_socket *s;
    const char *what;
    uint32_t mtu;
    bool up;
    int fd;

    if (!rep->used || !rep->ifindex) {
        return 0;
    }
    fd = open_socket(rep->ifindex, &what);
    if (fd < 0) {
        *errp = xasprintf("interface %"PRIu32": %s: %s", rep->ifindex, what,
                          ovs_strerror(-fd));
        return fd;
    }
    COVERAGE_INC(mlx5_rep_attach);
    switch_gro_off(rep->ifindex);
    atomic_read_relaxed(&rep->mtu, &mtu);
    mlx5_rep_set_mtu(rep, mtu);
    atomic_read_relaxed(&rep->up, &up);
    set_link(rep->ifindex, up);

    s = xzalloc(sizeof *s);
    s->fd = fd;
    s->ifindex = rep->ifindex;
    ovsrcu_set(&rep->socket, s);
    return 0;
}

static void
end_use(struct mlx5_rep *rep)
{
    struct mlx5_rep_socket *s = ovsrcu_get_protected(
        struct mlx5_rep_socket *, &rep->socket);

    if (s) {
        ovsrcu_set(&rep->socket, NULL);
        ovsrcu_postpone(socket_destroy, s);
    }
}

int
mlx5_rep_attach(struct mlx5_rep *rep, uint32_t ifindex, char **errp)
{
    int error;

    ovs_assert(!rep->ifindex);
    rep->ifindex = ifindex;
    rep->has_base = false;
    update_totals(rep);
    error = begin_use(rep, errp);
    if (error) {
        rep->ifindex = 0;
    } else if (!rep->used) {
        /* A port of the kernel datapath is as it comes.  Nobody else would
         * set it up. */
        set_link(ifindex, true);
    }
    return error;
}

int
mlx5_rep_set_used(struct mlx5_rep *rep, bool used, char **errp)
{
    rep->used = used;
    if (!used) {
        end_use(rep);
        return 0;
    }
    /* What failed to begin is tried again. */
    return (ovsrcu_get_protected(struct mlx5_rep_socket *, &rep->socket)
            ? 0 : begin_use(rep, errp));
}

#define FOR_EACH_TOTAL(X) \
    X(rx_packets) X(rx_bytes) X(rx_errors) X(rx_dropped) \
    X(tx_packets) X(tx_bytes) X(tx_errors) X(tx_dropped)

void
mlx5_rep_detach(struct mlx5_rep *rep)
{
    if (!rep->ifindex) {
        return;
    }
    /* What has been counted stays counted. */
    update_totals(rep);
#define X(M) rep->sum.M += rep->last.M - rep->base.M;
    FOR_EACH_TOTAL(X)
#undef X
    memset(&rep->base, 0, sizeof rep->base);
    memset(&rep->last, 0, sizeof rep->last);
    rep->ifindex = 0;
    end_use(rep);
}

int
mlx5_rep_set_mtu(struct mlx5_rep *rep, int mtu)
{
    struct ifreq ifr;
    int error = 0;

    /* To set it takes a lock that the kernel may keep while it makes SFs; to
     * look does not. */
    if (rep->ifindex && rep->used
        && (name_ioctl(rep->ifindex, SIOCGIFMTU, &ifr)
            || ifr.ifr_mtu != mtu)) {
        ifr.ifr_mtu = mtu;
        error = name_ioctl(rep->ifindex, SIOCSIFMTU, &ifr);
    }
    if (!error) {
        atomic_store_relaxed(&rep->mtu, mtu);
    }
    return error;
}

void
mlx5_rep_set_up(struct mlx5_rep *rep, bool up)
{
    atomic_store_relaxed(&rep->up, up);
    if (rep->ifindex && rep->used) {
        set_link(rep->ifindex, up);
    }
}

static uint64_t
get_counter(const atomic_uint64_t *counter)
{
    uint64_t x;

    atomic_read_relaxed(CONST_CAST(atomic_uint64_t *, counter), &x);
    return x;
}

/* Packets that the kernel had to drop since somebody last asked it. */
static void
count_overruns(struct mlx5_rep *rep)
{
    struct mlx5_rep_socket *s = ovsrcu_get_protected(
        struct mlx5_rep_socket *, &rep->socket);
    struct tpacket_stats stats;
    socklen_t len = sizeof stats;

    if (s && !getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &stats,
                         &len)) {
        count(&rep->rx_overrun, stats.tp_drops);
    }
}

void
mlx5_rep_get_stats(struct mlx5_rep *rep, struct netdev_stats *stats)
{
    if (rep->ifindex) {
        update_totals(rep);
        count_overruns(rep);
    }
#define X(M) stats->M = rep->sum.M + rep->last.M - rep->base.M;
    FOR_EACH_TOTAL(X)
#undef X
    stats->rx_dropped += (get_counter(&rep->rx_overrun)
                          + get_counter(&rep->rx_too_long)
                          + get_counter(&rep->rx_invalid));
    stats->tx_dropped += (get_counter(&rep->tx_no_room)
                          + get_counter(&rep->tx_too_long)
                          + get_counter(&rep->tx_no_rep));
    stats->tx_errors += get_counter(&rep->tx_failed);
}

size_t
mlx5_rep_get_custom_stats(const struct mlx5_rep *rep,
                          struct netdev_custom_counter **countersp)
{
    static const struct {
        const char *name;
        size_t offset;
    } names[] = {
#define MLX5_REP_COUNTER(NAME) \
        { "rep_" #NAME, offsetof(struct mlx5_rep, NAME) },
        MLX5_REP_COUNTERS
#undef MLX5_REP_COUNTER
    };
    struct netdev_custom_counter *c = xcalloc(ARRAY_SIZE(names), sizeof *c);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ovs_strlcpy(c[i].name, names[i].name, sizeof c[i].name);
        c[i].value = get_counter((const void *) ((const char *) rep
                                                 + names[i].offset));
    }
    *countersp = c;
    return ARRAY_SIZE(names);
}

/* Packets. */

/* Completes the checksum that the kernel has left to the hardware.  Returns
 * false if that makes no sense. */
static bool
complete_checksum(struct dp_packet *p, const struct virtio_net_hdr *hdr)
{
    uint32_t start = hdr->csum_start, offset = hdr->csum_offset;
    uint32_t size = dp_packet_size(p);
    char *data = dp_packet_data(p);
    ovs_be16 sum;

    if (start >= size || start + offset + 2 > size) {
        return false;
    }
    /* The field has the sum of the pseudo header, so all is summed up. */
    sum = csum(data + start, size - start);
    put_unaligned_be16((ovs_be16 *) (data + start + offset),
                       sum ? sum : OVS_BE16_MAX);
    return true;
}

/* Puts back the VLAN tag, which the kernel hands over beside the packet. */
static void
restore_vlan(struct dp_packet *p, struct msghdr *msg)
{
    struct cmsghdr *cmsg;

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        struct tpacket_auxdata aux;

        if (cmsg->cmsg_level != SOL_PACKET
            || cmsg->cmsg_type != PACKET_AUXDATA
            || cmsg->cmsg_len < CMSG_LEN(sizeof aux)) {
            continue;
        }
        memcpy(&aux, CMSG_DATA(cmsg), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            ovs_be16 tpid = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID
                                  ? aux.tp_vlan_tpid : ETH_TYPE_VLAN);

            eth_push_vlan(p, tpid, htons(aux.tp_vlan_tci));
        }
    }
}

/* Sees to it that there are buffers for a burst of frames of 'size' bytes. */
static void
fill_spare(struct mlx5_rep_socket *s, uint32_t size)
{
    bool resize = size != s->spare_size;

    for (size_t i = 0; i < ARRAY_SIZE(s->spare); i++) {
        if (resize) {
            dp_packet_delete(s->spare[i]);
            s->spare[i] = NULL;
        }
        if (!s->spare[i]) {
            s->spare[i] = dp_packet_new_with_headroom(
                size, DP_NETDEV_HEADROOM);
        }
    }
    s->spare_size = size;
}

int
mlx5_rep_recv(struct mlx5_rep *rep, struct dp_packet_batch *batch,
              int *qfill)
{
    struct mlx5_rep_socket *s = ovsrcu_get(struct mlx5_rep_socket *,
                                           &rep->socket);
    union {
        struct cmsghdr cmsg;
        char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control[NETDEV_MAX_BURST];
    struct virtio_net_hdr hdrs[NETDEV_MAX_BURST];
    struct iovec iovs[NETDEV_MAX_BURST][2];
    struct mmsghdr msgs[NETDEV_MAX_BURST];
    uint64_t too_long = 0, invalid = 0;
    uint32_t mtu;
    bool up;
    int n;

    atomic_read_relaxed(&rep->up, &up);
    if (!s || !up) {
        return EAGAIN;
    }
    atomic_read_relaxed(&rep->mtu, &mtu);
    fill_spare(s, mtu + L2_ROOM);

    memset(msgs, 0, sizeof msgs);
    for (int i = 0; i < NETDEV_MAX_BURST; i++) {
        iovs[i][0] = (struct iovec) { &hdrs[i], sizeof hdrs[i] };
        iovs[i][1] = (struct iovec) { dp_packet_data(s->spare[i]),
                                      s->spare_size };
        msgs[i].msg_hdr.msg_iov = iovs[i];
        msgs[i].msg_hdr.msg_iovlen = 2;
        msgs[i].msg_hdr.msg_control = &control[i];
        msgs[i].msg_hdr.msg_controllen = sizeof control[i];
    }
    do {
        n = recvmmsg(s->fd, msgs, NETDEV_MAX_BURST, MSG_DONTWAIT, NULL);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return EAGAIN;
    }
    if (qfill) {
        *qfill = -ENOTSUP;
    }

    dp_packet_batch_init(batch);
    for (int i = 0; i < n; i++) {
        struct dp_packet *p = s->spare[i];
        const struct virtio_net_hdr *hdr = &hdrs[i];
        unsigned int len = msgs[i].msg_len;

        if (msgs[i].msg_hdr.msg_flags & MSG_TRUNC
            || (len > sizeof *hdr
                && hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)) {
            too_long++;
            continue;           /* The buffer is used again. */
        } else if (len < sizeof *hdr + ETH_HEADER_LEN) {
            invalid++;
            continue;
        }
        dp_packet_set_size(p, len - sizeof *hdr);
        if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM
            && !complete_checksum(p, hdr)) {
            dp_packet_set_size(p, 0);
            invalid++;
            continue;
        }
        restore_vlan(p, &msgs[i].msg_hdr);
        s->spare[i] = NULL;
        dp_packet_batch_add(batch, p);
    }
    if (OVS_UNLIKELY(too_long)) {
        count(&rep->rx_too_long, too_long);
    }
    if (OVS_UNLIKELY(invalid)) {
        count(&rep->rx_invalid, invalid);
    }
    return dp_packet_batch_size(batch) ? 0 : EAGAIN;
}

void
mlx5_rep_send(struct mlx5_rep *rep, struct dp_packet_batch *batch)
{
    static const struct virtio_net_hdr hdr; /* All is done already. */
    struct mlx5_rep_socket *s = ovsrcu_get(struct mlx5_rep_socket *,
                                           &rep->socket);
    struct iovec iovs[NETDEV_MAX_BURST][2];
    struct mmsghdr msgs[NETDEV_MAX_BURST];
    struct dp_packet *packet;
    unsigned int n = 0, sent = 0;
    bool was_down = false;
    uint32_t mtu;
    bool up;

    atomic_read_relaxed(&rep->up, &up);
    if (!s || !up) {
        count(&rep->tx_no_rep, dp_packet_batch_size(batch));
        dp_packet_delete_batch(batch, true);
        return;
    }
    atomic_read_relaxed(&rep->mtu, &mtu);
    memset(msgs, 0, sizeof msgs);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        if (dp_packet_size(packet) > mtu + L2_ROOM) {
            count(&rep->tx_too_long, 1);
            continue;
        }
        iovs[n][0] = (struct iovec) {
            CONST_CAST(struct virtio_net_hdr *, &hdr), sizeof hdr
        };
        iovs[n][1] = (struct iovec) { dp_packet_data(packet),
                                      dp_packet_size(packet) };
        msgs[n].msg_hdr.msg_iov = iovs[n];
        msgs[n].msg_hdr.msg_iovlen = 2;
        n++;
    }
    while (sent < n) {
        int retval = sendmmsg(s->fd, msgs + sent, n - sent, MSG_DONTWAIT);

        if (retval > 0) {
            sent += retval;
        } else if (retval < 0 && errno == EINTR) {
            continue;
        } else if (retval < 0 && errno == ENETDOWN && !was_down) {
            /* The kernel may only be telling that the interface has been down
             * since the socket was last used. */
            was_down = true;
        } else if (retval < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            count(&rep->tx_no_room, n - sent);
            break;
        } else {
            /* The first of them is at fault. */
            count(&rep->tx_failed, 1);
            sent++;
        }
    }
    dp_packet_delete_batch(batch, true);
}
