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

/* The kernel's part of SFs.  See fw-devlink.h. */

#include <config.h>

#undef NDEBUG
#include "fw-devlink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devlink-message.h"
#include "fw-model.h"
#include "openvswitch/list.h"
#include "ovs-thread.h"
#include "packets.h"
#include "util.h"

#define MAX_PORTS 2048
#define PREFIX "pci/"

struct message {
    struct ovs_list node;
    struct dl_message m;
};

struct mlx5_dl_socket {
    enum mlx5_dl_purpose purpose;
    struct mlx5_dl_socket *real; /* MLX5_DL_LINK_EVENTS: the kernel's. */
    struct ovs_list queue;      /* Of struct message. */
    int fd;                     /* Readable while there are messages. */
};

struct fw_port {
    struct mlx5_dl_port p;
    int tap;                    /* -1 if there is no representor. */
};

/* To make and to close an interface takes long, so whoever waits for messages
 * has a mutex of its own, which nests inside 'mutex'. */
static struct {
    struct ovs_mutex mutex;
    struct ovs_mutex queue_mutex; /* For 'events' and all queues. */
    struct fw_port ports[MAX_PORTS]; /* The first ones are uplinks. */
    bool legacy;                /* Not in switchdev mode. */
    struct mlx5_dl_socket *events;
    unsigned int latency_us;
    bool slow_udev;
    unsigned int n_refuse;
    pthread_t owner;            /* Who has called fw_devlink_create(). */
    unsigned int n_own_requests;
} k = { .mutex = OVS_MUTEX_INITIALIZER,
        .queue_mutex = OVS_MUTEX_INITIALIZER };

/* By the index of their uplink. */
static const char *const devs[] = { FW_DEVLINK_DEV, FW_DEVLINK_SECOND };
#define N_DEVS ARRAY_SIZE(devs)

static bool
exists(const struct fw_port *port)
{
    return port->p.handle[0] != '\0';
}

/* Messages. */

static void
enqueue__(struct mlx5_dl_socket *s, const struct dl_message *m)
{
    struct message *copy = xmalloc(sizeof *copy);
    uint64_t one = 1;

    copy->m = *m;
    dl_end(&copy->m);
    ovs_list_push_back(&s->queue, &copy->node);
    assert(write(s->fd, &one, sizeof one) == sizeof one);
}

static void
enqueue(struct mlx5_dl_socket *s, const struct dl_message *m)
{
    ovs_mutex_lock(&k.queue_mutex);
    enqueue__(s, m);
    ovs_mutex_unlock(&k.queue_mutex);
}

static void
tell_port(uint8_t cmd, const struct mlx5_dl_port *p)
{
    struct dl_message m;

    dl_put_port(&m, cmd, 0, 0, p);
    ovs_mutex_lock(&k.queue_mutex);
    if (k.events) {
        enqueue__(k.events, &m);
    }
    ovs_mutex_unlock(&k.queue_mutex);
}

/* SFs. */

static char *
sysfs_path(const struct fw_port *port, const char *file)
{
    return xasprintf("%s/devices/%s/mlx5_core.sf.%d%s", fw_devlink.sysfs,
                     port->p.handle + strlen(PREFIX),
                     (int) (port - k.ports), file);
}

/* Where all auxiliary devices are, as links. */
#define AUX_DIR "/bus/auxiliary/devices"

static char *
aux_path(const struct fw_port *port)
{
    return xasprintf("%s" AUX_DIR "/mlx5_core.sf.%d", fw_devlink.sysfs,
                     (int) (port - k.ports));
}

static void
write_file(const char *path, uint32_t number)
{
    FILE *f = fopen(path, "w");

    assert(f);
    fprintf(f, "%"PRIu32"\n", number);
    fclose(f);
}

static char *
rdma_path(const struct fw_port *port)
{
    char *ib = sysfs_path(port, "/infiniband");
    char *rdma = xasprintf("%s/mlx5_%d", ib,
                           FW_FIRST_SF + (int) (port - k.ports - N_DEVS));

    free(ib);
    return rdma;
}

/* Takes all that there is of an SF out of sysfs.  Returns false if that was
 * not all of it.  "sfnum" comes last and goes first: without it there is no SF
 * for the next process, if this one is killed in the middle. */
static bool
remove_sysfs(const struct fw_port *port)
{
    char *dir = sysfs_path(port, "");
    char *sfnum = sysfs_path(port, "/sfnum");
    char *ib = sysfs_path(port, "/infiniband");
    char *rdma = rdma_path(port);
    char *aux = aux_path(port);
    int n = !unlink(sfnum);

    n += !unlink(aux);
    n += !rmdir(rdma);
    n += !rmdir(ib);
    n += !rmdir(dir);
    free(dir);
    free(sfnum);
    free(ib);
    free(rdma);
    free(aux);
    return n == 5;
}

/* Has the auxiliary and the RDMA device of an SF come, or go. */
static void
set_active(struct fw_port *port, bool active)
{
    if (active && !port->p.active) {
        char *dir = sysfs_path(port, "");
        char *sfnum = sysfs_path(port, "/sfnum");
        char *ib = sysfs_path(port, "/infiniband");
        char *rdma = rdma_path(port);
        char *aux = aux_path(port);
        char *target = xasprintf("../../../devices/%s/mlx5_core.sf.%d",
                                 port->p.handle + strlen(PREFIX),
                                 (int) (port - k.ports));

        assert(!mkdir(dir, 0755) && !mkdir(ib, 0755) && !mkdir(rdma, 0755)
               && !symlink(target, aux));
        write_file(sfnum, port->p.sf_num);
        free(target);
        free(aux);
        free(dir);
        free(sfnum);
        free(ib);
        free(rdma);
    } else if (!active && port->p.active) {
        assert(remove_sysfs(port));
    }
    port->p.active = port->p.attached = active;
}

static void
rep_name(const struct fw_port *port, char name[IFNAMSIZ])
{
    snprintf(name, IFNAMSIZ, "en3%ssf%"PRIu32,
             port->p.pf_num ? "f1pf1" : "f0pf0", port->p.sf_num);
}

/* Makes the representor. */
static int
make_rep(struct fw_port *port)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

    port->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port->tap < 0) {
        return -errno;
    }
    if (k.slow_udev) {
        strcpy(ifr.ifr_name, "eth%d");
    } else {
        rep_name(port, ifr.ifr_name);
    }
    if (ioctl(port->tap, TUNSETIFF, &ifr)) {
        int error = -errno;

        close(port->tap);
        port->tap = -1;
        return error;
    }
    ovs_strlcpy(port->p.netdev, ifr.ifr_name, sizeof port->p.netdev);
    port->p.ifindex = if_nametoindex(ifr.ifr_name);
    return 0;
}

/* 'port' is to be an SF below devs[dev]. */
static void
init_sf(struct fw_port *port, size_t dev)
{
    snprintf(port->p.handle, sizeof port->p.handle, PREFIX "%s", devs[dev]);
    port->p.flavour = MLX5_DL_PCI_SF;
    port->p.index = 32768 + (port - k.ports);
    port->p.pf_num = dev;
}

static int
add_sf(size_t dev, uint16_t pf_num, uint32_t sf_num, struct fw_port **portp)
{
    struct fw_port *port = NULL;
    int error;

    if (k.legacy) {
        return -EOPNOTSUPP;
    } else if (pf_num != dev) {
        return -EINVAL;
    }
    for (size_t i = MAX_PORTS - 1; i >= N_DEVS; i--) {
        if (!exists(&k.ports[i])) {
            port = &k.ports[i];
        } else if (k.ports[i].p.sf_num == sf_num
                   && k.ports[i].p.pf_num == dev) {
            return -EEXIST;
        }
    }
    if (k.n_refuse) {
        k.n_refuse--;
        return -ENOSPC;
    }
    if (!port) {
        return -ENOSPC;
    }
    memset(port, 0, sizeof *port);
    init_sf(port, dev);
    port->p.sf_num = sf_num;
    error = make_rep(port);
    if (!error) {
        tell_port(DEVLINK_CMD_PORT_NEW, &port->p);
        *portp = port;
    } else {
        memset(port, 0, sizeof *port);
    }
    return error;
}

static void
del_sf(struct fw_port *port)
{
    struct mlx5_dl_port gone;

    set_active(port, false);
    gone = port->p;
    close(port->tap);
    memset(port, 0, sizeof *port);
    tell_port(DEVLINK_CMD_PORT_DEL, &gone);
}

/* Whoever deletes an SF has closed the port of DPDK that its representor was
 * (in dpdk.at: by DPDK's driver for packet sockets). */
static void
check_dpdk_has_left(const struct fw_port *port)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    uint16_t id;

    snprintf(name, sizeof name, "net_af_packet%"PRIu32, port->p.sf_num);
    assert(rte_eth_dev_get_port_by_name(name, &id));
}

static struct fw_port *
find_port(size_t dev, uint32_t index)
{
    for (int i = 0; i < MAX_PORTS; i++) {
        if (exists(&k.ports[i]) && k.ports[i].p.index == index
            && !strcmp(k.ports[i].p.handle + strlen(PREFIX), devs[dev])) {
            return &k.ports[i];
        }
    }
    return NULL;
}

/* Requests. */

/* An SF whose function has no address would come up with a random one. */
static int
set_port(struct fw_port *port, const struct nlattr *function)
{
    const struct nlattr *f[DL_N_ATTRS] = { NULL };

    mnl_attr_parse_nested(function, dl_collect, f);
    if (f[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR]) {
        memcpy(port->p.hw_addr.ea, mnl_attr_get_payload(
                   f[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR]), 6);
    }
    if (f[DEVLINK_PORT_FN_ATTR_STATE]) {
        bool active = mnl_attr_get_u8(f[DEVLINK_PORT_FN_ATTR_STATE]);

        if (active && eth_addr_is_zero(port->p.hw_addr)) {
            return -EINVAL;
        }
        set_active(port, active);
    }
    tell_port(DEVLINK_CMD_PORT_NEW, &port->p);
    return 0;
}

/* Does what 'nlh' asks for.  Returns 0 or a negative errno. */
static int
serve(const struct nlmsghdr *nlh, struct mlx5_dl_socket *s)
{
    const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *a[DL_N_ATTRS] = { NULL };
    struct fw_port *port = NULL;
    struct dl_message m;
    size_t dev = 0;
    int error;

    mnl_attr_parse(nlh, sizeof *genl, dl_collect, a);
    if (nlh->nlmsg_type == GENL_ID_CTRL) {
        dl_put_family(&m, nlh->nlmsg_seq);
        enqueue(s, &m);
        return 0;
    }
    assert(nlh->nlmsg_type == DL_FAMILY);
    if (nlh->nlmsg_flags & NLM_F_DUMP) {
        for (int i = 0; i < MAX_PORTS; i++) {
            if (exists(&k.ports[i])) {
                dl_put_port(&m, DEVLINK_CMD_NEW, NLM_F_MULTI, nlh->nlmsg_seq,
                            &k.ports[i].p);
                enqueue(s, &m);
            }
        }
        return 0;
    }
    while (strcmp(mnl_attr_get_str(a[DEVLINK_ATTR_DEV_NAME]), devs[dev])) {
        if (++dev >= N_DEVS) {
            return -ENODEV;
        }
    }
    switch (genl->cmd) {
    case DEVLINK_CMD_ESWITCH_GET:
        dl_put_eswitch(&m, nlh->nlmsg_seq, !k.legacy);
        enqueue(s, &m);
        return 0;

    case DEVLINK_CMD_PORT_NEW:
        error = add_sf(
            dev, mnl_attr_get_u16(a[DEVLINK_ATTR_PORT_PCI_PF_NUMBER]),
            mnl_attr_get_u32(a[DEVLINK_ATTR_PORT_PCI_SF_NUMBER]), &port);
        if (error) {
            return error;
        }
        break;

    case DEVLINK_CMD_PORT_GET:
    case DEVLINK_CMD_PORT_SET:
    case DEVLINK_CMD_PORT_DEL:
        port = find_port(dev,
                         mnl_attr_get_u32(a[DEVLINK_ATTR_PORT_INDEX]));
        if (!port) {
            return -ENODEV;
        } else if (genl->cmd == DEVLINK_CMD_PORT_DEL) {
            check_dpdk_has_left(port);
            del_sf(port);
            return 0;
        } else if (genl->cmd == DEVLINK_CMD_PORT_SET) {
            return set_port(port, a[DEVLINK_ATTR_PORT_FUNCTION]);
        }
        break;

    default:
        return -EOPNOTSUPP;
    }
    dl_put_port(&m, genl->cmd == DEVLINK_CMD_PORT_NEW ? DEVLINK_CMD_NEW
                : DEVLINK_CMD_PORT_NEW, 0, nlh->nlmsg_seq, &port->p);
    enqueue(s, &m);
    return 0;
}

/* Sockets. */

static int
fw_open(enum mlx5_dl_purpose purpose, uint32_t group,
        struct mlx5_dl_socket **sp)
{
    struct mlx5_dl_socket *s = xzalloc(sizeof *s);
    int error = 0;

    s->purpose = purpose;
    ovs_list_init(&s->queue);
    s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert(s->fd >= 0);
    if (purpose == MLX5_DL_LINK_EVENTS) {
        error = mlx5_dl_linux.open(purpose, group, &s->real);
    } else if (purpose == MLX5_DL_PORT_EVENTS) {
        ovs_mutex_lock(&k.queue_mutex);
        k.events = s;
        ovs_mutex_unlock(&k.queue_mutex);
    }
    if (error) {
        close(s->fd);
        free(s);
    } else {
        *sp = s;
    }
    return error;
}

static void
fw_close(struct mlx5_dl_socket *s)
{
    struct message *m;

    ovs_mutex_lock(&k.queue_mutex);
    if (k.events == s) {
        k.events = NULL;
    }
    ovs_mutex_unlock(&k.queue_mutex);
    if (s->real) {
        mlx5_dl_linux.close(s->real);
    }
    LIST_FOR_EACH_POP (m, node, &s->queue) {
        free(m);
    }
    close(s->fd);
    free(s);
}

/* Is 'nlh' about more than what the kernel knows by itself? */
static bool
changes(const struct nlmsghdr *nlh)
{
    const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

    return (nlh->nlmsg_type == DL_FAMILY
            && (genl->cmd == DEVLINK_CMD_PORT_NEW
                || genl->cmd == DEVLINK_CMD_PORT_SET
                || genl->cmd == DEVLINK_CMD_PORT_DEL));
}

static int
fw_send(struct mlx5_dl_socket *s, const void *data, size_t size)
{
    const struct nlmsghdr *nlh = data;
    struct dl_message m;
    int error;

    assert(size == nlh->nlmsg_len);
    if (k.latency_us && changes(nlh)) {
        xnanosleep_no_quiesce(k.latency_us * UINT64_C(1000));
    }
    ovs_mutex_lock(&k.mutex);
    k.n_own_requests += pthread_equal(pthread_self(), k.owner) != 0;
    error = serve(nlh, s);
    dl_put_ack(&m, nlh, NLM_F_CAPPED, error);
    enqueue(s, &m);
    ovs_mutex_unlock(&k.mutex);
    return 0;
}

static ssize_t
fw_recv(struct mlx5_dl_socket *s, void *data, size_t size, int timeout_ms)
{
    ssize_t n = -ETIMEDOUT;

    if (s->real) {
        return mlx5_dl_linux.recv(s->real, data, size, timeout_ms);
    }
    ovs_mutex_lock(&k.queue_mutex);
    if (!ovs_list_is_empty(&s->queue)) {
        struct message *m = CONTAINER_OF(ovs_list_pop_front(&s->queue),
                                         struct message, node);
        uint64_t count;

        assert(m->m.size <= size);
        memcpy(data, m->m.data, m->m.size);
        n = m->m.size;
        free(m);
        if (ovs_list_is_empty(&s->queue)) {
            assert(read(s->fd, &count, sizeof count) == sizeof count);
        }
    }
    ovs_mutex_unlock(&k.queue_mutex);
    if (n == -ETIMEDOUT && timeout_ms) {
        xnanosleep_no_quiesce(1000 * 1000);
    }
    return n;
}

static int
fw_get_fd(const struct mlx5_dl_socket *s)
{
    return s->real ? mlx5_dl_linux.get_fd(s->real) : s->fd;
}

static bool
fw_get_link_name(uint32_t ifindex, char name[IF_NAMESIZE])
{
    return mlx5_dl_linux.get_link_name(ifindex, name);
}

struct mlx5_dl_kernel fw_devlink = {
    .open = fw_open,
    .close = fw_close,
    .send = fw_send,
    .recv = fw_recv,
    .get_fd = fw_get_fd,
    .get_link_name = fw_get_link_name,
};

/* For tests. */

/* Finds the SFs that the last process has left. */
static void
find_sfs(void)
{
    for (size_t i = N_DEVS; i < MAX_PORTS; i++) {
        struct fw_port *port = &k.ports[i];
        bool whole = false;

        for (size_t dev = 0; dev < N_DEVS && !whole; dev++) {
            char *path;
            FILE *f;

            init_sf(port, dev);
            path = sysfs_path(port, "/sfnum");
            f = fopen(path, "r");
            whole = f && fscanf(f, "%"SCNu32, &port->p.sf_num) == 1;
            if (f) {
                fclose(f);
            }
            free(path);
        }
        if (whole) {
            port->p.active = port->p.attached = true;
            assert(!make_rep(port));
        } else {
            for (size_t dev = 0; dev < N_DEVS; dev++) {
                init_sf(port, dev);
                remove_sysfs(port);
            }
            memset(port, 0, sizeof *port);
        }
    }
}

/* Has the uplinks come, or go. */
static void
set_uplinks(bool there)
{
    for (size_t i = 0; i < N_DEVS; i++) {
        struct fw_port *uplink = &k.ports[i];

        if (!there && exists(uplink)) {
            struct mlx5_dl_port gone = uplink->p;

            memset(uplink, 0, sizeof *uplink);
            tell_port(DEVLINK_CMD_PORT_DEL, &gone);
        } else if (there) {
            memset(uplink, 0, sizeof *uplink);
            init_sf(uplink, i);
            uplink->p.flavour = MLX5_DL_PHYSICAL;
            uplink->p.index = 1 + i;
            uplink->p.sf_num = UINT32_MAX;
            uplink->tap = -1;
            tell_port(DEVLINK_CMD_PORT_NEW, &uplink->p);
        }
    }
}

void
fw_devlink_create(const char *sysfs, unsigned int latency_us, bool slow_udev)
{
    char *command = xasprintf("mkdir -p %s/devices/%s %s/devices/%s %s%s",
                              sysfs, devs[0], sysfs, devs[1], sysfs, AUX_DIR);

    assert(!system(command));
    free(command);
    fw_devlink.sysfs = xstrdup(sysfs);
    find_sfs();
    k.latency_us = latency_us;
    k.slow_udev = slow_udev;
    k.owner = pthread_self();
    set_uplinks(true);
}

bool
fw_devlink_lose(uint32_t sf_num)
{
    bool found = false;

    ovs_mutex_lock(&k.mutex);
    for (size_t i = N_DEVS; i < MAX_PORTS; i++) {
        if (exists(&k.ports[i]) && k.ports[i].p.sf_num == sf_num) {
            del_sf(&k.ports[i]);
            found = true;
        }
    }
    ovs_mutex_unlock(&k.mutex);
    return found;
}

bool
fw_devlink_set_rep(uint32_t sf_num, bool there)
{
    bool found = false;

    ovs_mutex_lock(&k.mutex);
    for (size_t i = N_DEVS; i < MAX_PORTS; i++) {
        struct fw_port *port = &k.ports[i];

        if (exists(port) && port->p.sf_num == sf_num) {
            found = true;
            if (port->tap >= 0) {
                close(port->tap);
                port->tap = -1;
                port->p.ifindex = 0;
                memset(port->p.netdev, 0, sizeof port->p.netdev);
            }
            if (there) {
                assert(!make_rep(port));
            }
            tell_port(DEVLINK_CMD_PORT_NEW, &port->p);
        }
    }
    ovs_mutex_unlock(&k.mutex);
    return found;
}

void
fw_devlink_rename(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert(fd >= 0);
    ovs_mutex_lock(&k.mutex);
    for (size_t i = N_DEVS; i < MAX_PORTS; i++) {
        struct fw_port *port = &k.ports[i];

        if (exists(port) && port->tap >= 0) {
            struct ifreq ifr;

            /* devlink tells of the interface, not of its names. */
            ovs_strlcpy(ifr.ifr_name, port->p.netdev, sizeof ifr.ifr_name);
            rep_name(port, ifr.ifr_newname);
            if (strcmp(ifr.ifr_name, ifr.ifr_newname)) {
                assert(!ioctl(fd, SIOCSIFNAME, &ifr));
                ovs_strlcpy(port->p.netdev, ifr.ifr_newname,
                            sizeof port->p.netdev);
            }
        }
    }
    ovs_mutex_unlock(&k.mutex);
    close(fd);
}

unsigned int
fw_devlink_n_sfs(void)
{
    unsigned int n = 0;

    ovs_mutex_lock(&k.mutex);
    for (size_t i = N_DEVS; i < MAX_PORTS; i++) {
        n += exists(&k.ports[i]);
    }
    ovs_mutex_unlock(&k.mutex);
    return n;
}

unsigned int
fw_devlink_n_own_requests(void)
{
    unsigned int n;

    ovs_mutex_lock(&k.mutex);
    n = k.n_own_requests;
    ovs_mutex_unlock(&k.mutex);
    return n;
}

void
fw_devlink_set_switchdev(bool switchdev)
{
    ovs_mutex_lock(&k.mutex);
    k.legacy = !switchdev;
    set_uplinks(false);
    set_uplinks(true);
    ovs_mutex_unlock(&k.mutex);
}

void
fw_devlink_refuse(unsigned int n)
{
    ovs_mutex_lock(&k.mutex);
    k.n_refuse = n;
    ovs_mutex_unlock(&k.mutex);
}
