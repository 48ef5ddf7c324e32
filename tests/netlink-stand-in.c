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

/* Stands between a program and netlink, as a library to be preloaded: answers
 * what the program asks of generic netlink and appends each request for
 * devlink to the file that $DEVLINK_REQUESTS names, one line of hexadecimal
 * digits each, the sequence number, the version (which the kernel does not
 * look at, and iproute2 sets or not) and padding zeroed.  So the requests of
 * the devlink program can be had where the kernel has no devlink.
 *
 * Only what a program sends is of interest: all requests are acknowledged, and
 * lists are empty. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FAMILY 0x1f
#define GROUP 7

/* The answer to the last request. */
static char answer[1024];
static size_t answer_size;

static struct nlattr *
put_attr(struct nlmsghdr *nlh, int type, const void *data, size_t size)
{
    struct nlattr *a = (void *) ((char *) nlh + NLMSG_ALIGN(nlh->nlmsg_len));

    a->nla_type = type;
    a->nla_len = NLA_HDRLEN + size;
    if (size) {
        memcpy((char *) a + NLA_HDRLEN, data, size);
    }
    nlh->nlmsg_len = NLMSG_ALIGN(nlh->nlmsg_len) + NLA_ALIGN(a->nla_len);
    return a;
}

static struct nlmsghdr *
put_msg(int type, int flags, uint32_t seq, const void *payload, size_t size)
{
    struct nlmsghdr *nlh = (void *) (answer + answer_size);

    memset(nlh, 0, sizeof *nlh);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = flags;
    nlh->nlmsg_seq = seq;
    nlh->nlmsg_len = NLMSG_LENGTH(size);
    memcpy(NLMSG_DATA(nlh), payload, size);
    return nlh;
}

static void
answer_family(uint32_t seq)
{
    struct genlmsghdr genl = { .cmd = CTRL_CMD_NEWFAMILY, .version = 2 };
    struct nlmsghdr *nlh = put_msg(GENL_ID_CTRL, 0, seq, &genl, sizeof genl);
    uint16_t family = FAMILY;
    uint32_t group = GROUP, version = 1, zero = 0, max = 200;
    struct nlattr *groups, *one;

    put_attr(nlh, CTRL_ATTR_FAMILY_NAME, "devlink", 8);
    put_attr(nlh, CTRL_ATTR_FAMILY_ID, &family, sizeof family);
    put_attr(nlh, CTRL_ATTR_VERSION, &version, sizeof version);
    put_attr(nlh, CTRL_ATTR_HDRSIZE, &zero, sizeof zero);
    put_attr(nlh, CTRL_ATTR_MAXATTR, &max, sizeof max);
    groups = put_attr(nlh, CTRL_ATTR_MCAST_GROUPS | NLA_F_NESTED, NULL, 0);
    one = put_attr(nlh, 1 | NLA_F_NESTED, NULL, 0);
    put_attr(nlh, CTRL_ATTR_MCAST_GRP_NAME, "config", 7);
    put_attr(nlh, CTRL_ATTR_MCAST_GRP_ID, &group, sizeof group);
    one->nla_len = (char *) nlh + nlh->nlmsg_len - (char *) one;
    groups->nla_len = (char *) nlh + nlh->nlmsg_len - (char *) groups;
    answer_size += NLMSG_ALIGN(nlh->nlmsg_len);
}

/* Zeroes what is between attributes: the program leaves there whatever was
 * there before. */
static void
clear_padding(unsigned char *p, size_t size)
{
    while (size >= NLA_HDRLEN) {
        const struct nlattr *a = (const void *) p;
        size_t len = a->nla_len;
        size_t step = NLA_ALIGN(len);

        if (len < NLA_HDRLEN || step > size) {
            break;
        }
        memset(p + len, 0, step - len);
        if (a->nla_type & NLA_F_NESTED) {
            clear_padding(p + NLA_HDRLEN, len - NLA_HDRLEN);
        }
        p += step;
        size -= step;
    }
}

static void
record(const struct nlmsghdr *nlh)
{
    const char *name = getenv("DEVLINK_REQUESTS");
    FILE *f = name ? fopen(name, "a") : NULL;

    if (f) {
        unsigned char *copy = malloc(nlh->nlmsg_len);
        size_t offset = NLMSG_LENGTH(sizeof(struct genlmsghdr));

        memcpy(copy, nlh, nlh->nlmsg_len);
        ((struct nlmsghdr *) copy)->nlmsg_seq = 0;
        ((struct genlmsghdr *) NLMSG_DATA(copy))->version = 0;
        clear_padding(copy + offset, nlh->nlmsg_len - offset);
        for (size_t i = 0; i < nlh->nlmsg_len; i++) {
            fprintf(f, "%02x", copy[i]);
        }
        free(copy);
        fprintf(f, "\n");
        fclose(f);
    }
}

ssize_t
sendto(int fd, const void *data, size_t size, int flags,
       const struct sockaddr *addr, socklen_t addr_len)
{
    const struct nlmsghdr *nlh = data;
    struct nlmsgerr ack = { .error = 0 };
    struct nlmsghdr *reply;

    if (!addr || addr->sa_family != AF_NETLINK || size < sizeof *nlh
        || (nlh->nlmsg_type != GENL_ID_CTRL && nlh->nlmsg_type != FAMILY)) {
        ssize_t (*next)(int, const void *, size_t, int,
                        const struct sockaddr *, socklen_t);

        *(void **) &next = dlsym(RTLD_NEXT, "sendto");
        return next(fd, data, size, flags, addr, addr_len);
    }

    answer_size = 0;
    if (nlh->nlmsg_type == GENL_ID_CTRL) {
        answer_family(nlh->nlmsg_seq);
    } else {
        record(nlh);
    }
    ack.msg = *nlh;
    reply = put_msg((nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP
                    ? NLMSG_DONE : NLMSG_ERROR,
                    NLM_F_MULTI, nlh->nlmsg_seq, &ack, sizeof ack);
    answer_size += NLMSG_ALIGN(reply->nlmsg_len);
    return size;
}

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct sockaddr_nl *addr = msg->msg_name;
    size_t size = answer_size;

    if (!size) {
        ssize_t (*next)(int, struct msghdr *, int);

        *(void **) &next = dlsym(RTLD_NEXT, "recvmsg");
        return next(fd, msg, flags);
    }
    if (msg->msg_iov[0].iov_len < size) {
        errno = EMSGSIZE;
        return -1;
    }
    memcpy(msg->msg_iov[0].iov_base, answer, size);
    if (addr) {
        memset(addr, 0, sizeof *addr);
        addr->nl_family = AF_NETLINK;
        msg->msg_namelen = sizeof *addr;
    }
    msg->msg_flags = 0;
    if (!(flags & MSG_PEEK)) {
        answer_size = 0;
    }
    return size;
}
