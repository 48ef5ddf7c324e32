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

/* Messages of the kernel about devlink ports.  See devlink-message.h. */

#include <config.h>

#undef NDEBUG
#include "devlink-message.h"

#include <assert.h>
#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>

struct nlmsghdr *
dl_put(struct dl_message *m, uint16_t type, uint16_t flags, uint32_t seq,
       uint8_t cmd)
{
    struct nlmsghdr *nlh;

    memset(m, 0, sizeof *m);
    nlh = mnl_nlmsg_put_header(m->data);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = flags;
    nlh->nlmsg_seq = seq;
    if (cmd) {
        struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh,
                                                             sizeof *genl);

        genl->cmd = cmd;
    }
    return nlh;
}

void
dl_put_port(struct dl_message *m, uint8_t cmd, uint16_t flags, uint32_t seq,
            const struct mlx5_dl_port *p)
{
    struct nlmsghdr *nlh = dl_put(m, DL_FAMILY, flags, seq, cmd);
    const char *device = strchr(p->handle, '/');
    struct nlattr *nest;

    assert(!strncmp(p->handle, "pci/", 4));
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_BUS_NAME, "pci");
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_DEV_NAME, device + 1);
    mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_INDEX, p->index);
    mnl_attr_put_u16(nlh, DEVLINK_ATTR_PORT_FLAVOUR, p->flavour);
    if (p->ifindex) {
        mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_NETDEV_IFINDEX, p->ifindex);
        mnl_attr_put_strz(nlh, DEVLINK_ATTR_PORT_NETDEV_NAME, p->netdev);
    }
    if (p->flavour == MLX5_DL_PCI_SF) {
        mnl_attr_put_u16(nlh, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, p->pf_num);
        mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, p->sf_num);
        mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_CONTROLLER_NUMBER, 0);
        nest = mnl_attr_nest_start(nlh, DEVLINK_ATTR_PORT_FUNCTION);
        mnl_attr_put(nlh, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, 6,
                     p->hw_addr.ea);
        mnl_attr_put_u8(nlh, DEVLINK_PORT_FN_ATTR_STATE, p->active);
        mnl_attr_put_u8(nlh, DEVLINK_PORT_FN_ATTR_OPSTATE, p->attached);
        mnl_attr_nest_end(nlh, nest);
    }
}

void
dl_put_family(struct dl_message *m, uint32_t seq)
{
    struct nlmsghdr *nlh = dl_put(m, GENL_ID_CTRL, 0, seq,
                                  CTRL_CMD_NEWFAMILY);
    struct nlattr *groups, *group;

    mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, DL_FAMILY);
    groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
    group = mnl_attr_nest_start(nlh, 1);
    mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, DL_GROUP);
    mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, "config");
    mnl_attr_nest_end(nlh, group);
    mnl_attr_nest_end(nlh, groups);
}

void
dl_put_eswitch(struct dl_message *m, uint32_t seq, bool switchdev)
{
    struct nlmsghdr *nlh = dl_put(m, DL_FAMILY, 0, seq,
                                  DEVLINK_CMD_ESWITCH_GET);

    mnl_attr_put_u16(nlh, DEVLINK_ATTR_ESWITCH_MODE, switchdev);
}

struct nlmsghdr *
dl_put_ack(struct dl_message *m, const struct nlmsghdr *request,
           uint16_t flags, int error)
{
    bool done = !error && request->nlmsg_flags & NLM_F_DUMP;
    struct nlmsghdr *nlh = dl_put(m, done ? NLMSG_DONE : NLMSG_ERROR, flags,
                                  request->nlmsg_seq, 0);
    struct nlmsgerr *ack = mnl_nlmsg_put_extra_header(nlh, sizeof *ack);

    ack->error = error;
    ack->msg = *request;
    return nlh;
}

void
dl_end(struct dl_message *m)
{
    m->size = ((const struct nlmsghdr *) m->data)->nlmsg_len;
}

int
dl_collect(const struct nlattr *a, void *attrs)
{
    if (mnl_attr_get_type(a) < DL_N_ATTRS) {
        ((const struct nlattr **) attrs)[mnl_attr_get_type(a)] = a;
    }
    return MNL_CB_OK;
}
