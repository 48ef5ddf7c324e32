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

/* Tests of mlx5-devlink*.c.
 *
 * With arguments, prints a request as hexadecimal digits, to be compared with
 * what the devlink program sends.  Without, tests parsers with messages that
 * are not what they claim to be, and what rests on them with a kernel that
 * fails in every way at every call. */

#include <config.h>
#undef NDEBUG
#include "mlx5-devlink.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devlink-message.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "packets.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

#define HANDLE "pci/0000:03:00.0"
#define MAX_PORTS 16
#define MAX_QUEUE 64

/* The kernel. */

struct mlx5_dl_socket {
    enum mlx5_dl_purpose purpose;
    struct dl_message queue[MAX_QUEUE];
    int head, tail;
    bool overrun;
};

static struct {
    struct ovs_mutex mutex;
    struct mlx5_dl_port ports[MAX_PORTS];
    int n_ports;
    uint32_t next_index, next_ifindex;
    bool no_devlink, legacy, no_sfs, never_attached, silent;
    uint8_t says_port;          /* In lists, and of a port that it makes. */
    int slow_ms;                /* Of each request. */
    struct mlx5_dl_socket *sockets[3];

    /* Errors.  The call of number 'fail_at', from 1, fails: see fails(). */
    int calls, fail_at;
    enum { FAIL_CALL, FAIL_ANSWER, LOSE_ANSWER, GARBLE_ANSWER } how;
} k = { .mutex = OVS_MUTEX_INITIALIZER };

static void
enqueue(struct mlx5_dl_socket *s, struct dl_message *m)
{
    if (s) {
        dl_end(m);
        ovs_assert(s->tail - s->head < MAX_QUEUE);
        s->queue[s->tail++ % MAX_QUEUE] = *m;
    }
}

static void
tell_port(uint8_t cmd, const struct mlx5_dl_port *p)
{
    struct dl_message m;

    if (!k.silent) {
        dl_put_port(&m, cmd, 0, 0, p);
        enqueue(k.sockets[MLX5_DL_PORT_EVENTS], &m);
    }
}

static void
tell_link(uint16_t type, const struct mlx5_dl_port *p)
{
    struct ifinfomsg *ifi;
    struct dl_message m;
    struct nlmsghdr *nlh = dl_put(&m, type, 0, 0, 0);

    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
    ifi->ifi_index = p->ifindex;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, p->netdev);
    enqueue(k.sockets[MLX5_DL_LINK_EVENTS], &m);
}

static struct mlx5_dl_port *
k_find(uint32_t index)
{
    for (int i = 0; i < k.n_ports; i++) {
        if (k.ports[i].index == index) {
            return &k.ports[i];
        }
    }
    return NULL;
}

static struct mlx5_dl_port *
k_add(uint16_t flavour, uint32_t sf_num)
{
    struct mlx5_dl_port *p = &k.ports[k.n_ports++];

    ovs_assert(k.n_ports <= MAX_PORTS);
    memset(p, 0, sizeof *p);
    strcpy(p->handle, HANDLE);
    p->index = k.next_index++;
    p->flavour = flavour;
    p->ifindex = k.next_ifindex++;
    p->sf_num = sf_num;
    snprintf(p->netdev, sizeof p->netdev, "eth%"PRIu32, p->ifindex);
    tell_port(DEVLINK_CMD_PORT_NEW, p);
    return p;
}

static void
k_del(struct mlx5_dl_port *p)
{
    struct mlx5_dl_port gone = *p;

    *p = k.ports[--k.n_ports];
    tell_link(RTM_DELLINK, &gone);
    tell_port(DEVLINK_CMD_PORT_DEL, &gone);
}

static int
k_n_sfs(void)
{
    int n = 0;

    for (int i = 0; i < k.n_ports; i++) {
        n += k.ports[i].flavour == MLX5_DL_PCI_SF;
    }
    return n;
}

/* Does what 'nlh' asks for.  Returns 0 or a negative errno. */
static int
k_serve(const struct nlmsghdr *nlh, struct mlx5_dl_socket *s)
{
    const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *a[DL_N_ATTRS] = { NULL }, *f[DL_N_ATTRS] = { NULL };
    struct mlx5_dl_port *p;
    struct dl_message m;

    mnl_attr_parse(nlh, sizeof *genl, dl_collect, a);
    if (nlh->nlmsg_type == GENL_ID_CTRL) {
        if (k.no_devlink) {
            return -ENOENT;
        }
        dl_put_family(&m, nlh->nlmsg_seq);
        enqueue(s, &m);
        return 0;
    }
    ovs_assert(nlh->nlmsg_type == DL_FAMILY);
    if (nlh->nlmsg_flags & NLM_F_DUMP) {
        for (int i = 0; i < k.n_ports; i++) {
            dl_put_port(&m, k.says_port, NLM_F_MULTI, nlh->nlmsg_seq,
                        &k.ports[i]);
            enqueue(s, &m);
        }
        return 0;
    }
    if (strcmp(mnl_attr_get_str(a[DEVLINK_ATTR_DEV_NAME]), "0000:03:00.0")) {
        return -ENODEV;
    }
    switch (genl->cmd) {
    case DEVLINK_CMD_ESWITCH_GET:
        dl_put_eswitch(&m, nlh->nlmsg_seq, !k.legacy);
        enqueue(s, &m);
        return 0;

    case DEVLINK_CMD_PORT_NEW: {
        uint32_t sf = mnl_attr_get_u32(a[DEVLINK_ATTR_PORT_PCI_SF_NUMBER]);

        if (k.no_sfs) {
            return -EOPNOTSUPP;
        }
        for (int i = 0; i < k.n_ports; i++) {
            if (k.ports[i].sf_num == sf) {
                return -EEXIST;
            }
        }
        p = k_add(MLX5_DL_PCI_SF, sf);
        dl_put_port(&m, k.says_port, 0, nlh->nlmsg_seq, p);
        enqueue(s, &m);
        return 0;
    }

    case DEVLINK_CMD_PORT_GET:
    case DEVLINK_CMD_PORT_SET:
    case DEVLINK_CMD_PORT_DEL:
        p = k_find(mnl_attr_get_u32(a[DEVLINK_ATTR_PORT_INDEX]));
        if (!p) {
            return -ENODEV;
        } else if (genl->cmd == DEVLINK_CMD_PORT_DEL) {
            k_del(p);
        } else if (genl->cmd == DEVLINK_CMD_PORT_GET) {
            dl_put_port(&m, DEVLINK_CMD_PORT_NEW, 0, nlh->nlmsg_seq, p);
            enqueue(s, &m);
        } else {
            mnl_attr_parse_nested(a[DEVLINK_ATTR_PORT_FUNCTION], dl_collect,
                                  f);
            if (f[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR]) {
                ovs_assert(!p->active);
                memcpy(p->hw_addr.ea, mnl_attr_get_payload(
                           f[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR]), 6);
            }
            if (f[DEVLINK_PORT_FN_ATTR_STATE]) {
                p->active = mnl_attr_get_u8(f[DEVLINK_PORT_FN_ATTR_STATE]);
                p->attached = p->active && !k.never_attached;
            }
            tell_port(DEVLINK_CMD_PORT_NEW, p);
        }
        return 0;
    }
    OVS_NOT_REACHED();
}

/* Counts calls; is this the one that is to fail? */
static bool
fails(void)
{
    return ++k.calls == k.fail_at;
}

static int
fake_open(enum mlx5_dl_purpose purpose, uint32_t group,
          struct mlx5_dl_socket **sp)
{
    int error = 0;

    ovs_mutex_lock(&k.mutex);
    if (fails()) {
        error = -EMFILE;
    } else {
        ovs_assert(purpose != MLX5_DL_PORT_EVENTS || group == DL_GROUP);
        *sp = xzalloc(sizeof **sp);
        (*sp)->purpose = purpose;
        ovs_assert(!k.sockets[purpose]);
        k.sockets[purpose] = *sp;
    }
    ovs_mutex_unlock(&k.mutex);
    return error;
}

static void
fake_close(struct mlx5_dl_socket *s)
{
    ovs_mutex_lock(&k.mutex);
    k.sockets[s->purpose] = NULL;
    free(s);
    ovs_mutex_unlock(&k.mutex);
}

static int
fake_send(struct mlx5_dl_socket *s, const void *data, size_t size)
{
    const struct nlmsghdr *nlh = data;
    struct nlmsghdr *reply;
    struct dl_message m;
    bool fail;
    int first, error;

    ovs_assert(size == nlh->nlmsg_len);
    if (k.slow_ms) {
        usleep(k.slow_ms * 1000);
    }
    ovs_mutex_lock(&k.mutex);
    fail = fails();
    if (fail && k.how == FAIL_CALL) {
        ovs_mutex_unlock(&k.mutex);
        return -EPERM;
    }
    first = s->tail;
    error = fail && k.how == FAIL_ANSWER ? -EBUSY : k_serve(nlh, s);
    reply = dl_put_ack(&m, nlh, NLM_F_CAPPED | NLM_F_ACK_TLVS, error);
    if (error == -EBUSY) {
        mnl_attr_put_strz(reply, NLMSGERR_ATTR_MSG, "the test says no");
    }
    enqueue(s, &m);
    if (fail && k.how == LOSE_ANSWER) {
        s->tail = first;
    } else if (fail && k.how == GARBLE_ANSWER) {
        struct dl_message *r = &s->queue[first % MAX_QUEUE];

        memset((char *) r->data + sizeof *nlh, 0xff, r->size - sizeof *nlh);
    }
    ovs_mutex_unlock(&k.mutex);
    return 0;
}

static ssize_t
fake_recv(struct mlx5_dl_socket *s, void *data, size_t size, int timeout_ms)
{
    ssize_t n = -ETIMEDOUT;

    ovs_mutex_lock(&k.mutex);
    if (s->overrun) {
        s->overrun = false;
        n = -ENOBUFS;
    } else if (s->head < s->tail) {
        struct dl_message *m = &s->queue[s->head++ % MAX_QUEUE];

        if (s->purpose == MLX5_DL_REQUESTS && k.how == FAIL_CALL && fails()) {
            n = -ENOBUFS;
        } else {
            ovs_assert(m->size <= size);
            memcpy(data, m->data, m->size);
            n = m->size;
        }
    }
    ovs_mutex_unlock(&k.mutex);
    if (n == -ETIMEDOUT && timeout_ms) {
        usleep(MIN(timeout_ms, 2) * 1000);
    }
    return n;
}

static int
fake_get_fd(const struct mlx5_dl_socket *s OVS_UNUSED)
{
    return -1;
}

static char *sysfs;

static bool
fake_get_link_name(uint32_t ifindex, char name[IF_NAMESIZE])
{
    bool found = false;

    ovs_mutex_lock(&k.mutex);
    for (int i = 0; i < k.n_ports && !found; i++) {
        found = k.ports[i].ifindex == ifindex;
        if (found) {
            ovs_strlcpy(name, k.ports[i].netdev, IF_NAMESIZE);
        }
    }
    ovs_mutex_unlock(&k.mutex);
    return found;
}

static struct mlx5_dl_kernel fake = {
    .open = fake_open,
    .close = fake_close,
    .send = fake_send,
    .recv = fake_recv,
    .get_fd = fake_get_fd,
    .get_link_name = fake_get_link_name,
};

static void
k_reset(void)
{
    ovs_mutex_lock(&k.mutex);
    k.n_ports = 0;
    k.next_index = 32768;
    k.next_ifindex = 10;
    k.no_devlink = k.legacy = k.no_sfs = false;
    k.never_attached = k.silent = false;
    k.slow_ms = k.calls = k.fail_at = 0;
    k_add(MLX5_DL_PHYSICAL, UINT32_MAX);
    ovs_mutex_unlock(&k.mutex);
}

/* sysfs with one SF, 2000, and one of the same number below another card. */
static void
make_sysfs(void)
{
    static const char script[] =
        "d=$0/devices; b=$0/bus/auxiliary/devices; mkdir -p $b;"
        "for x in '0000:03:00.0 4 2000 mlx5_7' '0000:83:00.0 5 2000 mlx5_8' "
        "         '0000:03:00.0 6 2001 mlx5_9'; do set -- $x;"
        "    p=$d/$1/mlx5_core.sf.$2; mkdir -p $p/infiniband/$4;"
        "    echo $3 > $p/sfnum; ln -s $p $b; done;"
        "mkdir $b/mlx5_core.eth.0; rmdir $d/0000:03:00.0/*6/infiniband/*";
    char template[] = "/tmp/sysfs.XXXXXX";
    char *command;

    ovs_assert(mkdtemp(template));
    sysfs = xstrdup(template);
    command = xasprintf("sh -c '%s' %s", "eval \"$SCRIPT\"", sysfs);
    setenv("SCRIPT", script, 1);
    ovs_assert(!system(command));
    free(command);
    fake.sysfs = sysfs;
}

static void
remove_sysfs(void)
{
    char *command = xasprintf("rm -rf %s", sysfs);

    ovs_assert(!system(command));
    free(command);
    free(sysfs);
}

/* Parsers. */

static void
parse_everything(const void *data, size_t size)
{
    const struct nlmsghdr *nlh = data;
    struct mlx5_dl_port port;
    struct mlx5_dl_link link;
    enum mlx5_dl_what what;
    uint32_t group;
    uint16_t family;
    const char *text;
    bool switchdev;
    int error;

    if (!mlx5_dl_message_is_ok(nlh, size)) {
        return;
    }
    if (!mlx5_dl_parse_family(nlh, &family, &group)) {
        ovs_assert(family >= GENL_MIN_ID);
    }
    mlx5_dl_parse_eswitch(nlh, &switchdev);
    if (!mlx5_dl_parse_port(nlh, nlh->nlmsg_type, &what, &port)
        && what != MLX5_DL_OTHER) {
        ovs_assert(strnlen(port.netdev, IFNAMSIZ) < IFNAMSIZ
                   && strchr(port.handle, '/'));
    }
    if (!mlx5_dl_parse_link(nlh, &what, &link) && what != MLX5_DL_OTHER) {
        ovs_assert(link.ifindex && link.name[0]
                   && strnlen(link.name, IFNAMSIZ) < IFNAMSIZ);
    }
    if (!mlx5_dl_parse_error(nlh, &error, &text)) {
        ovs_assert(error <= 0);
    }
}

static void
test_parsers(void)
{
    struct mlx5_dl_port p = {
        .handle = HANDLE, .index = 5, .flavour = MLX5_DL_PCI_SF,
        .sf_num = 2000, .ifindex = 9,
        .netdev = "en3f0pf0sf2000", .active = true,
        .hw_addr = ETH_ADDR_C(0c,c4,7a,ff,22,93),
    };
    struct mlx5_dl_port q;
    struct dl_message seeds[4];
    enum mlx5_dl_what what;
    struct ifinfomsg *ifi;
    struct nlmsgerr *err;
    struct nlmsghdr *nlh;
    const char *text;
    int error;

    dl_put_port(&seeds[0], DEVLINK_CMD_PORT_NEW, 0, 1, &p);
    nlh = (struct nlmsghdr *) seeds[0].data;
    ovs_assert(!mlx5_dl_parse_port(nlh, DL_FAMILY, &what, &q)
               && what == MLX5_DL_PORT && !strcmp(q.handle, HANDLE)
               && q.index == 5 && q.sf_num == 2000 && q.ifindex == 9
               && !strcmp(q.netdev, p.netdev) && q.active && !q.attached
               && eth_addr_equals(q.hw_addr, p.hw_addr));
    dl_put_port(&seeds[1], DEVLINK_CMD_NEW, 0, 1, &p);
    ovs_assert(!mlx5_dl_parse_port((void *) seeds[1].data, DL_FAMILY, &what,
                                   &q)
               && what == MLX5_DL_PORT && q.index == 5);
    nlh = dl_put(&seeds[1], DL_FAMILY, 0, 1, DEVLINK_CMD_NEW);
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_BUS_NAME, "pci");
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_DEV_NAME, "0000:03:00.0");
    ovs_assert(!mlx5_dl_parse_port(nlh, DL_FAMILY, &what, &q)
               && what == MLX5_DL_OTHER);
    dl_put_port(&seeds[1], DEVLINK_CMD_PORT_DEL, 0, 1, &p);
    ovs_assert(!mlx5_dl_parse_port((void *) seeds[1].data, DL_FAMILY, &what,
                                   &q)
               && what == MLX5_DL_PORT_GONE);
    ovs_assert(!mlx5_dl_parse_port(nlh, DL_FAMILY + 1, &what, &q)
               && what == MLX5_DL_OTHER);

    nlh = dl_put(&seeds[2], RTM_NEWLINK, 0, 0, 0);
    ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
    ifi->ifi_index = 9;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, "p0");
    mnl_attr_put(nlh, IFLA_PHYS_SWITCH_ID, 8, "\1\2\3\4\5\6\7");

    nlh = dl_put(&seeds[3], NLMSG_ERROR, NLM_F_ACK_TLVS, 0, 0);
    err = mnl_nlmsg_put_extra_header(nlh, sizeof *err + 8);
    err->error = -EBUSY;
    err->msg.nlmsg_len = sizeof err->msg + 8;
    mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "why");
    ovs_assert(!mlx5_dl_parse_error(nlh, &error, &text) && error == -EBUSY
               && !strcmp(text, "why"));

    for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
        size_t size = ((struct nlmsghdr *) seeds[i].data)->nlmsg_len;

        /* Cut off.  In memory of just that size, for the sanitizers. */
        for (size_t n = sizeof *nlh; n <= size; n++) {
            struct nlmsghdr *copy = xmemdup(seeds[i].data, n);

            copy->nlmsg_len = n;
            parse_everything(copy, n);
            free(copy);
        }
        for (int round = 0; round < 20000; round++) {
            unsigned char *copy = xmemdup(seeds[i].data, size);

            for (int j = random_range(4); j >= 0; j--) {
                copy[random_range(size)] = random_uint32();
            }
            parse_everything(copy, size);
            free(copy);
        }
    }
}

/* Sequences. */

static const struct mlx5_sf_spec spec = {
    .handle = HANDLE, .sf_num = 2000, .rdma = true, .timeout_ms = 60,
    .mac = ETH_ADDR_C(0c,c4,7a,ff,22,93),
};

/* Makes an SF; returns the error. */
static int
create(const struct mlx5_sf_spec *s, struct mlx5_sf *sf, bool *left,
       char **errp)
{
    struct mlx5_dl_conn conn;
    int error;

    *left = false;
    error = mlx5_dl_connect(&conn, &fake, 20, NULL, errp);
    if (!error) {
        error = mlx5_sf_create(&conn, s, sf, left, errp);
        mlx5_dl_disconnect(&conn);
    }
    ovs_assert(!error == !*errp);
    return error;
}

static void
expect_failure(const struct mlx5_sf_spec *s, int expected, const char *text)
{
    struct mlx5_sf sf;
    char *err = NULL;
    int n = k_n_sfs();
    bool left;
    int error = create(s, &sf, &left, &err);

    if (error != expected || !strstr(err, text)) {
        ovs_fatal(0, "%d \"%s\" instead of %d \"%s\"", error, err, expected,
                  text);
    }
    ovs_assert(!left && k_n_sfs() == n);
    free(err);
}

static void
test_sf(void)
{
    struct mlx5_sf_spec s = spec;
    struct mlx5_dl_conn conn;
    struct mlx5_sf sf;
    char *err = NULL;
    bool left;

    k_reset();
    if (create(&s, &sf, &left, &err)) {
        ovs_fatal(0, "%s", err);
    }
    ovs_assert(!strcmp(sf.aux_dev, "mlx5_core.sf.4")
               && !strcmp(sf.rdma_dev, "mlx5_7")
               && !strcmp(sf.port.netdev, "eth11") && sf.port.ifindex == 11
               && eth_addr_equals(k_find(32769)->hw_addr, s.mac)
               && k_find(32769)->active);
    expect_failure(&s, -EEXIST, "already");

    /* The one that is there. */
    s.reuse = true;
    s.index = 32769;
    k_find(32769)->active = k_find(32769)->attached = false;
    ovs_assert(!create(&s, &sf, &left, &err) && k_n_sfs() == 1);
    ovs_assert(!strcmp(sf.rdma_dev, "mlx5_7") && k_find(32769)->active);
    s.index = 32768;
    expect_failure(&s, -ENODEV, "is not SF 2000");
    s.index = 5;
    expect_failure(&s, -ENODEV, "No such device");
    s.reuse = false;

    s.sf_num = 2001;
    expect_failure(&s, -ETIMEDOUT, "RDMA device");
    s.sf_num = 2002;
    expect_failure(&s, -ETIMEDOUT, "auxiliary device");
    k.never_attached = true;
    expect_failure(&s, -ETIMEDOUT, "driver");
    k.no_sfs = true;
    expect_failure(&s, -EOPNOTSUPP, "PF_TOTAL_SF");
    k.legacy = true;
    expect_failure(&s, -EOPNOTSUPP, "switchdev");
    strcpy(s.handle, "pci/0000:04:00.0");
    expect_failure(&s, -ENODEV, "No such device");
    strcpy(s.handle, "nonsense");
    expect_failure(&s, -EINVAL, "nonsense");
    k.no_devlink = true;
    expect_failure(&s, -ENOENT, "no devlink");
    k.no_devlink = false;

    ovs_assert(!mlx5_dl_connect(&conn, &fake, 20, NULL, &err));
    ovs_assert(mlx5_sf_destroy(&conn, HANDLE, 32768, 50, &err) == -EINVAL);
    ovs_assert(!mlx5_sf_destroy(&conn, HANDLE, 32769, 50, &err) && !err);
    ovs_assert(!k_n_sfs());
    ovs_assert(!mlx5_sf_destroy(&conn, HANDLE, 32769, 50, &err) && !err);
    mlx5_dl_disconnect(&conn);
}

/* Every call fails once, in every way. */
static void
test_every_error(void)
{
    int n_failed = 0;

    for (int how = FAIL_CALL; how <= GARBLE_ANSWER; how++) {
        for (int at = 1;; at++) {
            struct mlx5_sf sf;
            char *err = NULL;
            bool left;
            int error;

            k_reset();
            k.how = how;
            k.fail_at = at;
            error = create(&spec, &sf, &left, &err);
            free(err);
            for (int i = 0; i < 3; i++) {
                ovs_assert(!k.sockets[i]);
            }
            if (k.calls < at) {
                ovs_assert(!error && k_n_sfs() == 1);
                break;
            }
            ovs_assert(!left && k_n_sfs() == !error);
            n_failed += error != 0;
        }
    }
    ovs_assert(n_failed >= 40);
    k.how = FAIL_CALL;

    /* And a deletion that fails when an SF has to be undone. */
    k_reset();
    k.never_attached = true;
    k.how = FAIL_ANSWER;
    {
        struct mlx5_sf sf;
        char *err = NULL;
        bool left = false;

        for (int at = 1; !left; at++) {
            free(err);
            err = NULL;
            k_reset();
            k.never_attached = true;
            k.fail_at = at;
            ovs_assert(create(&spec, &sf, &left, &err));
            ovs_assert(k.calls >= at && left == (k_n_sfs() > 0));
        }
        ovs_assert(strstr(err, "may be left"));
        free(err);
    }
    k.how = FAIL_CALL;
}

/* The whole. */

static struct {
    int n[MLX5_DEVLINK_LOST + 1];
    int created, destroyed, error;
    uint32_t index;
} seen;

static void
port_cb(enum mlx5_devlink_event event, const struct mlx5_dl_port *port,
        void *aux)
{
    ovs_assert(aux == &seen && !strcmp(port->handle, HANDLE));
    seen.n[event]++;
}

static void
create_cb(int error, const char *reason, const struct mlx5_sf *sf, void *aux)
{
    ovs_assert(aux == &seen && !error == !reason && !error == !!sf);
    seen.created++;
    seen.error = error;
    if (sf) {
        seen.index = sf->port.index;
    }
}

static void
destroy_cb(int error, const char *reason OVS_UNUSED, void *aux OVS_UNUSED)
{
    seen.destroyed++;
    seen.error = error;
}

/* Runs the main loop until EXPR is true, and sees to it that it is never away
 * for long. */
#define RUN_UNTIL(EXPR)                                                     \
    do {                                                                    \
        long long int end_ = time_msec() + 20000;                           \
        while (!(EXPR)) {                                                   \
            long long int start_ = time_msec();                             \
            mlx5_devlink_run(dl);                                           \
            longest = MAX(longest, time_msec() - start_);                   \
            if (time_msec() > end_) {                                       \
                ovs_fatal(0, "%s: timeout", #EXPR);                         \
            }                                                               \
            if (!(EXPR)) {                                                  \
                mlx5_devlink_wait(dl);                                      \
                poll_timer_wait(1);                                         \
                poll_block();                                               \
            }                                                               \
        }                                                                   \
    } while (0)

#define KERNEL(STATEMENT)                                                   \
    do {                                                                    \
        ovs_mutex_lock(&k.mutex);                                           \
        STATEMENT;                                                          \
        ovs_mutex_unlock(&k.mutex);                                         \
    } while (0)

static void
rename_port(uint32_t index, const char *name, bool by_devlink)
{
    struct mlx5_dl_port *p;

    ovs_mutex_lock(&k.mutex);
    p = k_find(index);
    strcpy(p->netdev, name);
    if (by_devlink) {
        tell_port(DEVLINK_CMD_PORT_NEW, p);
    } else {
        tell_link(RTM_NEWLINK, p);
    }
    ovs_mutex_unlock(&k.mutex);
}

static void
test_thread(void)
{
    long long int longest = 0;
    struct mlx5_devlink *dl;
    const struct mlx5_devlink_stats *stats;
    const struct mlx5_dl_port *p;
    struct mlx5_dl_port old;
    const char *reason;
    uint32_t other;

    memset(&seen, 0, sizeof seen);
    k_reset();
    k.no_devlink = true;
    dl = mlx5_devlink_open(&fake, 500, port_cb, &seen);
    stats = mlx5_devlink_get_stats(dl);
    RUN_UNTIL(!mlx5_devlink_is_ready(dl, &reason) && reason);
    ovs_assert(strstr(reason, "no devlink"));
    KERNEL(k.no_devlink = false);
    RUN_UNTIL(mlx5_devlink_is_ready(dl, &reason));
    ovs_assert(seen.n[MLX5_DEVLINK_ADDED] == 1);
    ovs_assert(mlx5_devlink_find_uplink(dl, HANDLE)->ifindex == 10);

    /* Slow firmware. */
    k.slow_ms = 100;
    mlx5_devlink_create_sf(dl, &spec, create_cb, &seen);
    RUN_UNTIL(seen.created == 1);
    k.slow_ms = 0;
    ovs_assert(!seen.error && longest < 50);
    p = mlx5_devlink_find_sf(dl, HANDLE, 2000);
    ovs_assert(p && p->index == seen.index && !strcmp(p->netdev, "eth11")
               && seen.n[MLX5_DEVLINK_ADDED] == 2 && stats->created == 1);

    /* Renamed by udev, which rtnetlink tells, or devlink. */
    rename_port(seen.index, "en3f0pf0sf2000", false);
    RUN_UNTIL(seen.n[MLX5_DEVLINK_RENAMED] == 1);
    ovs_assert(!strcmp(mlx5_devlink_find_ifindex(dl, 11)->netdev,
                       "en3f0pf0sf2000"));
    rename_port(seen.index, "other", true);
    RUN_UNTIL(seen.n[MLX5_DEVLINK_RENAMED] == 2);

    /* What devlink says last is older than that... */
    KERNEL(old = *k_find(seen.index); strcpy(old.netdev, "eth11");
           tell_port(DEVLINK_CMD_PORT_NEW, &old));
    /* ...and what it says first than a change of which nobody is told who
     * has not heard of the port. */
    KERNEL(k.silent = true; other = k_add(MLX5_DL_PHYSICAL, 8)->index;
           old = *k_find(other); strcpy(k_find(other)->netdev, "late");
           k.silent = false; tell_port(DEVLINK_CMD_PORT_NEW, &old));
    RUN_UNTIL(mlx5_devlink_find(dl, HANDLE, other));
    ovs_assert(!strcmp(mlx5_devlink_find(dl, HANDLE, other)->netdev, "late")
               && !strcmp(mlx5_devlink_find(dl, HANDLE, seen.index)->netdev,
                          "other")
               && seen.n[MLX5_DEVLINK_RENAMED] == 2);
    KERNEL(k_del(k_find(other)));
    RUN_UNTIL(!mlx5_devlink_find(dl, HANDLE, other));
    memset(seen.n, 0, sizeof seen.n);

    /* A second one of the same number is refused. */
    mlx5_devlink_create_sf(dl, &spec, create_cb, &seen);
    RUN_UNTIL(seen.created == 2);
    ovs_assert(seen.error == -EEXIST && stats->failed == 1);

    /* Deleted as asked for. */
    mlx5_devlink_destroy_sf(dl, HANDLE, seen.index, 100, destroy_cb, &seen);
    RUN_UNTIL(seen.destroyed == 1);
    ovs_assert(!seen.error && seen.n[MLX5_DEVLINK_REMOVED] == 1
               && !stats->lost && !stats->reps_lost && !k_n_sfs()
               && !mlx5_devlink_find_sf(dl, HANDLE, 2000));

    /* Made and deleted by somebody else. */
    KERNEL(other = k_add(MLX5_DL_PCI_SF, 7)->index);
    RUN_UNTIL(mlx5_devlink_find(dl, HANDLE, other));
    KERNEL(tell_link(RTM_DELLINK, k_find(other));
           k_find(other)->ifindex = 0; k_find(other)->netdev[0] = '\0');
    RUN_UNTIL(stats->reps_lost == 1);
    ovs_assert(!mlx5_devlink_find(dl, HANDLE, other)->ifindex);
    KERNEL(k_del(k_find(other)));
    RUN_UNTIL(seen.n[MLX5_DEVLINK_LOST] == 1);
    ovs_assert(stats->lost == 1 && !mlx5_devlink_find(dl, HANDLE, other));

    /* What was not told. */
    KERNEL(other = k_add(MLX5_DL_PCI_SF, 8)->index);
    RUN_UNTIL(mlx5_devlink_find(dl, HANDLE, other));
    KERNEL(k.silent = true; k_del(k_find(other)); k_add(MLX5_DL_PCI_SF, 9);
           k.silent = false;
           k.sockets[MLX5_DL_PORT_EVENTS]->overrun = true);
    RUN_UNTIL(mlx5_devlink_find_sf(dl, NULL, 9));
    ovs_assert(stats->lost == 2 && stats->resyncs == 1
               && !mlx5_devlink_find_sf(dl, HANDLE, 8));

    /* What was told before the loss is older than the list: SF 9 is there
     * again. */
    KERNEL(other = mlx5_devlink_find_sf(dl, NULL, 9)->index;
           k_del(k_find(other)); k.silent = true; k.next_index = other;
           k_add(MLX5_DL_PCI_SF, 9); k.silent = false;
           k.sockets[MLX5_DL_PORT_EVENTS]->overrun = true);
    RUN_UNTIL(stats->resyncs == 2 && mlx5_devlink_find_sf(dl, NULL, 9));
    KERNEL(other = k_add(MLX5_DL_PHYSICAL, 8)->index);
    RUN_UNTIL(mlx5_devlink_find(dl, HANDLE, other));
    ovs_assert(mlx5_devlink_find_sf(dl, NULL, 9) && stats->lost == 3
               && stats->resyncs == 2);

    /* Nobody wants it any more. */
    seen.created = 0;
    k.slow_ms = 20;
    mlx5_devlink_create_sf(dl, &spec, create_cb, &seen);
    mlx5_devlink_forget(dl, &seen);
    RUN_UNTIL(stats->created == 2 && stats->destroyed == 2);
    k.slow_ms = 0;
    ovs_assert(!seen.created && k_n_sfs() == 1 && stats->lost == 3);
    mlx5_devlink_close(dl);

    /* The end comes while something is under way. */
    k_reset();
    k.never_attached = true;
    dl = mlx5_devlink_open(&fake, 500, NULL, NULL);
    RUN_UNTIL(mlx5_devlink_is_ready(dl, &reason));
    mlx5_devlink_create_sf(dl, &spec, create_cb, &seen);
    RUN_UNTIL(k_n_sfs());
    mlx5_devlink_close(dl);
    ovs_assert(!k_n_sfs() && !seen.created);
}

/* Modes of eSwitches, and their uplinks, are followed. */
static void
test_eswitch(void)
{
    static const char other[] = "pci/0000:83:00.0";
    const char *problem = NULL, *reason;
    long long int longest = 0;
    struct mlx5_devlink *dl;
    int calls;

    k_reset();
    dl = mlx5_devlink_open(&fake, 500, NULL, NULL);
    mlx5_devlink_watch_eswitch(dl, HANDLE);
    mlx5_devlink_watch_eswitch(dl, other);
    mlx5_devlink_watch_eswitch(dl, HANDLE);
    mlx5_devlink_watch_eswitch(dl, "nonsense");
    RUN_UNTIL(mlx5_devlink_is_ready(dl, &reason));

    /* Another one is not there; this one is as it should be. */
    RUN_UNTIL((problem = mlx5_devlink_get_eswitch_problem(dl, other)) != NULL);
    ovs_assert(strstr(problem, "is not known: pci/0000:83:00.0"));
    ovs_assert(!mlx5_devlink_get_eswitch_problem(dl, HANDLE)
               && !mlx5_devlink_get_eswitch_problem(dl, "nonsense"));

    /* A change of which the kernel does not tell, and then it tells of
     * something. */
    KERNEL(k.legacy = true; tell_port(DEVLINK_CMD_PORT_NEW, &k.ports[0]));
    RUN_UNTIL((problem = mlx5_devlink_get_eswitch_problem(dl, HANDLE))
              != NULL);
    ovs_assert(strstr(problem, "not in switchdev mode"));
    KERNEL(k.legacy = false; tell_port(DEVLINK_CMD_PORT_NEW, &k.ports[0]));
    RUN_UNTIL(!mlx5_devlink_get_eswitch_problem(dl, HANDLE));

    /* The uplink goes, and comes. */
    KERNEL(k_del(&k.ports[0]));
    RUN_UNTIL((problem = mlx5_devlink_get_eswitch_problem(dl, HANDLE))
              != NULL);
    ovs_assert(strstr(problem, "has no uplink"));
    KERNEL(k_add(MLX5_DL_PHYSICAL, UINT32_MAX));
    RUN_UNTIL(!mlx5_devlink_get_eswitch_problem(dl, HANDLE));

    /* Much news does not cost many questions. */
    KERNEL(calls = k.calls);
    for (int i = 0; i < 200; i++) {
        uint32_t index;

        KERNEL(index = k_add(MLX5_DL_PCI_SF, i)->index);
        RUN_UNTIL(mlx5_devlink_find(dl, HANDLE, index));
        KERNEL(k_del(k_find(index)));
        RUN_UNTIL(!mlx5_devlink_find(dl, HANDLE, index));
    }
    KERNEL(calls = k.calls - calls);
    ovs_assert(calls < 100);
    mlx5_devlink_close(dl);
    ovs_assert(longest < 1000);
}

static void
print_request(char *argv[])
{
    uint64_t buf[MLX5_DL_REQUEST_SIZE / 8];
    const char *what = argv[0], *handle = argv[1];
    unsigned int x = argv[1] && argv[2] ? atoi(argv[2]) : 0;
    const char *arg = argv[1] && argv[2] ? argv[3] : NULL;
    struct nlmsghdr *nlh = NULL;
    struct eth_addr mac;

    if (!strcmp(what, "list")) {
        nlh = mlx5_dl_dump_ports(buf, 0x1f);
    } else if (!strcmp(what, "get")) {
        nlh = mlx5_dl_get_port(buf, 0x1f, handle, x);
    } else if (!strcmp(what, "new")) {
        nlh = mlx5_dl_new_sf(buf, 0x1f, handle, x, atoi(arg));
    } else if (!strcmp(what, "hw_addr")) {
        ovs_assert(eth_addr_from_string(arg, &mac));
        nlh = mlx5_dl_set_hw_addr(buf, 0x1f, handle, x, mac);
    } else if (!strcmp(what, "state")) {
        nlh = mlx5_dl_set_state(buf, 0x1f, handle, x,
                                !strcmp(arg, "active"));
    } else if (!strcmp(what, "del")) {
        nlh = mlx5_dl_del_port(buf, 0x1f, handle, x);
    } else if (!strcmp(what, "eswitch")) {
        nlh = mlx5_dl_get_eswitch(buf, 0x1f, handle);
    } else {
        ovs_fatal(0, "%s: unknown request", what);
    }
    ((struct genlmsghdr *) mnl_nlmsg_get_payload(nlh))->version = 0;
    for (size_t i = 0; i < nlh->nlmsg_len; i++) {
        printf("%02x", ((const unsigned char *) buf)[i]);
    }
    putchar('\n');
}

int
main(int argc, char *argv[])
{
    static const uint8_t kernels[] = { DEVLINK_CMD_NEW, DEVLINK_CMD_PORT_NEW };

    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    random_set_seed(1);
    if (argc > 1) {
        print_request(argv + 1);
        return 0;
    }
    make_sysfs();
    test_parsers();
    for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
        k.says_port = kernels[i];
        test_sf();
        test_every_error();
        test_thread();
        test_eswitch();
    }
    remove_sysfs();
    return 0;
}
