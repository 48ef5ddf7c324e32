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

/* Addresses of this host, without all that the C library asks for besides.
 *
 * Open vSwitch wants to know the addresses of an interface of its own, e.g.
 * that of a bridge, and asks with getifaddrs() for everything that there is,
 * whenever a link has changed.  That function lists interfaces, too, with
 * their counters, which Open vSwitch does not look at, and which takes the
 * kernel long where there are hundreds of representors, each time that a few
 * more come.  So the linker has calls of it come here (--wrap, in
 * automake.mk).  Addresses alone are listed; 'ifa_flags', destinations,
 * broadcast addresses and whatever is not of IPv4 or IPv6 are left out. */

#include <config.h>

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

int __wrap_getifaddrs(struct ifaddrs **);
void __wrap_freeifaddrs(struct ifaddrs *);

struct address {
    struct ifaddrs up;
    char name[IFNAMSIZ];
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } addr, mask;
};

/* Fills in the address and the mask of 'a' from 'attr'. */
static void
set_address(struct address *a, const struct ifaddrmsg *ifa,
            const struct nlattr *attr)
{
    if (ifa->ifa_family == AF_INET) {
        a->addr.in.sin_addr.s_addr = nl_attr_get_be32(attr);
        a->mask.in.sin_addr.s_addr = be32_prefix_mask(ifa->ifa_prefixlen);
    } else {
        a->addr.in6.sin6_addr = nl_attr_get_in6_addr(attr);
        if (IN6_IS_ADDR_LINKLOCAL(&a->addr.in6.sin6_addr)) {
            a->addr.in6.sin6_scope_id = ifa->ifa_index;
        }
        a->mask.in6.sin6_addr = ipv6_create_mask(ifa->ifa_prefixlen);
    }
    a->addr.sa.sa_family = a->mask.sa.sa_family = ifa->ifa_family;
}

/* Returns the address that 'reply' tells of, or NULL.  'before' is the one
 * that came before it: addresses come by interface. */
static struct address *
parse_address(const struct ofpbuf *reply, uint32_t *ifindex,
              const struct address *before)
{
    static const struct nl_policy v4[] = {
        [IFA_ADDRESS] = { .type = NL_A_U32, .optional = true },
        [IFA_LOCAL] = { .type = NL_A_U32, .optional = true },
        [IFA_LABEL] = { .type = NL_A_STRING, .optional = true },
    };
    static const struct nl_policy v6[] = {
        [IFA_ADDRESS] = { .type = NL_A_IPV6, .optional = true },
        [IFA_LOCAL] = { .type = NL_A_IPV6, .optional = true },
    };
    struct nlattr *attrs[ARRAY_SIZE(v4)] = { NULL };
    const struct ifaddrmsg *ifa = ofpbuf_at(reply, NLMSG_HDRLEN, sizeof *ifa);
    const struct nlattr *attr;
    struct address *a;
    bool ok;

    if (!ifa || nl_msg_nlmsghdr(reply)->nlmsg_type != RTM_NEWADDR) {
        return NULL;
    }
    ok = (ifa->ifa_family == AF_INET
          ? nl_policy_parse(reply, NLMSG_HDRLEN + sizeof *ifa, v4, attrs,
                            ARRAY_SIZE(v4))
          : ifa->ifa_family == AF_INET6
          && nl_policy_parse(reply, NLMSG_HDRLEN + sizeof *ifa, v6, attrs,
                             ARRAY_SIZE(v6)));
    /* Where there are two, the first is that of a peer. */
    attr = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
    if (!ok || !attr) {
        return NULL;
    }

    a = xzalloc(sizeof *a);
    if (attrs[IFA_LABEL]) {
        ovs_strlcpy(a->name, nl_attr_get_string(attrs[IFA_LABEL]),
                    sizeof a->name);
    } else if (before && *ifindex == ifa->ifa_index
               && before->addr.sa.sa_family == AF_INET6) {
        ovs_strlcpy(a->name, before->name, sizeof a->name);
    } else if (!if_indextoname(ifa->ifa_index, a->name)) {
        free(a);                /* It has just gone. */
        return NULL;
    }
    *ifindex = ifa->ifa_index;
    set_address(a, ifa, attr);
    a->up.ifa_name = a->name;
    a->up.ifa_addr = &a->addr.sa;
    a->up.ifa_netmask = &a->mask.sa;
    return a;
}

int
__wrap_getifaddrs(struct ifaddrs **list)
{
    uint64_t stub[NL_DUMP_BUFSIZE / 8];
    struct ofpbuf request, reply, buf;
    struct address *last = NULL;
    struct ifaddrs **tail = list;
    uint32_t ifindex = 0;
    struct nl_dump dump;
    int error;

    *list = NULL;
    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof(struct ifaddrmsg), RTM_GETADDR,
                        NLM_F_REQUEST);
    ofpbuf_put_zeros(&request, sizeof(struct ifaddrmsg));
    nl_dump_start(&dump, NETLINK_ROUTE, &request);
    ofpbuf_uninit(&request);

    ofpbuf_use_stub(&buf, stub, sizeof stub);
    while (nl_dump_next(&dump, &reply, &buf)) {
        struct address *a = parse_address(&reply, &ifindex, last);

        if (a) {
            *tail = &a->up;
            tail = &a->up.ifa_next;
            last = a;
        }
    }
    ofpbuf_uninit(&buf);
    error = nl_dump_done(&dump);
    if (error) {
        __wrap_freeifaddrs(*list);
        *list = NULL;
        errno = error;
        return -1;
    }
    return 0;
}

void
__wrap_freeifaddrs(struct ifaddrs *list)
{
    while (list) {
        struct ifaddrs *next = list->ifa_next;

        free(CONTAINER_OF(list, struct address, up));
        list = next;
    }
}
