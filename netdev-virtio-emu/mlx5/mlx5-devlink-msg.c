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

/* Messages of devlink.  See mlx5-devlink-msg.h. */

#include <config.h>

#include "mlx5-devlink-msg.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "packets.h"
#include "util.h"

/* Attributes of devlink up to here are looked at; later ones are ignored. */
#define MAX_ATTR DEVLINK_ATTR_PORT_PCI_SF_NUMBER

/* Attributes as mnl_attr_parse() finds them, by type. */
struct attrs {
    const struct nlattr *a[MAX_ATTR + 1];
    const char *end;            /* None may go beyond. */
};

static int
collect_attr(const struct nlattr *attr, void *attrs_)
{
    struct attrs *attrs = attrs_;
    uint16_t type = mnl_attr_get_type(attr);

    if (attr->nla_len > attrs->end - (const char *) attr) {
        /* libmnl takes the length of all of them to be a multiple of 4. */
        return MNL_CB_ERROR;
    }
    if (type <= MAX_ATTR) {
        attrs->a[type] = attr;
    }
    return MNL_CB_OK;
}

/* Takes the attributes after a header of 'offset' bytes apart. */
static bool
parse_attrs(const struct nlmsghdr *nlh, size_t offset, struct attrs *attrs)
{
    size_t len = mnl_nlmsg_get_payload_len(nlh);
    size_t begin = MNL_ALIGN(offset);

    memset(attrs, 0, sizeof *attrs);
    attrs->end = (const char *) nlh + nlh->nlmsg_len;
    if (len < begin) {
        return len >= offset;   /* There are none. */
    }
    /* Unlike mnl_attr_parse() this does not look at what is between the end
     * and the next multiple of 4. */
    return mnl_attr_parse_payload(
        (const char *) mnl_nlmsg_get_payload(nlh) + begin, len - begin,
        collect_attr, attrs) == MNL_CB_OK;
}

static bool
parse_nested(const struct nlattr *nest, struct attrs *attrs)
{
    memset(attrs, 0, sizeof *attrs);
    attrs->end = (const char *) nest + nest->nla_len;
    return mnl_attr_parse_nested(nest, collect_attr, attrs) == MNL_CB_OK;
}

/* Each of these leaves '*x' alone and returns true if there is no such
 * attribute, and returns false if it is not as long as its type. */

static bool
get_u8(const struct attrs *attrs, int type, uint8_t *x)
{
    const struct nlattr *a = attrs->a[type];

    if (!a) {
        return true;
    } else if (mnl_attr_get_payload_len(a) != sizeof *x) {
        return false;
    }
    *x = mnl_attr_get_u8(a);
    return true;
}

static bool
get_u16(const struct attrs *attrs, int type, uint16_t *x)
{
    const struct nlattr *a = attrs->a[type];

    if (!a) {
        return true;
    } else if (mnl_attr_get_payload_len(a) != sizeof *x) {
        return false;
    }
    *x = mnl_attr_get_u16(a);
    return true;
}

static bool
get_u32(const struct attrs *attrs, int type, uint32_t *x)
{
    const struct nlattr *a = attrs->a[type];

    if (!a) {
        return true;
    } else if (mnl_attr_get_payload_len(a) != sizeof *x) {
        return false;
    }
    *x = mnl_attr_get_u32(a);
    return true;
}

/* Returns the text of the attribute, or NULL if it is not there or not
 * text. */
static const char *
get_text(const struct attrs *attrs, int type)
{
    const struct nlattr *a = attrs->a[type];

    return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0
           ? mnl_attr_get_str(a) : NULL;
}

/* Requests. */

static struct nlmsghdr *
put_header(void *buf, uint16_t family, uint8_t command, uint8_t version,
           uint16_t flags)
{
    struct genlmsghdr *genl;
    struct nlmsghdr *nlh;

    memset(buf, 0, MLX5_DL_REQUEST_SIZE);
    nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = family;
    nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    genl = mnl_nlmsg_put_extra_header(nlh, sizeof *genl);
    genl->cmd = command;
    genl->version = version;
    return nlh;
}

bool
mlx5_dl_handle_is_valid(const char *handle)
{
    const char *slash = strchr(handle, '/');

    return (slash && slash != handle && slash[1]
            && strlen(handle) < MLX5_DL_HANDLE_LEN);
}

static struct nlmsghdr *
put_request(void *buf, uint16_t family, uint8_t command, const char *handle)
{
    struct nlmsghdr *nlh = put_header(buf, family, command,
                                      DEVLINK_GENL_VERSION, 0);
    char bus[MLX5_DL_HANDLE_LEN];
    char *slash;

    ovs_strlcpy(bus, handle, sizeof bus);
    slash = strchr(bus, '/');
    ovs_assert(slash);
    *slash = '\0';
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_BUS_NAME, bus);
    mnl_attr_put_strz(nlh, DEVLINK_ATTR_DEV_NAME, slash + 1);
    return nlh;
}

static struct nlmsghdr *
put_port_request(void *buf, uint16_t family, uint8_t command,
                 const char *handle, uint32_t index)
{
    struct nlmsghdr *nlh = put_request(buf, family, command, handle);

    mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_INDEX, index);
    return nlh;
}

struct nlmsghdr *
mlx5_dl_get_family(void *buf)
{
    struct nlmsghdr *nlh = put_header(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                                      1, 0);

    mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME);
    return nlh;
}

struct nlmsghdr *
mlx5_dl_get_eswitch(void *buf, uint16_t family, const char *handle)
{
    return put_request(buf, family, DEVLINK_CMD_ESWITCH_GET, handle);
}

struct nlmsghdr *
mlx5_dl_dump_ports(void *buf, uint16_t family)
{
    return put_header(buf, family, DEVLINK_CMD_PORT_GET,
                      DEVLINK_GENL_VERSION, NLM_F_DUMP);
}

struct nlmsghdr *
mlx5_dl_get_port(void *buf, uint16_t family, const char *handle,
                 uint32_t index)
{
    return put_port_request(buf, family, DEVLINK_CMD_PORT_GET, handle, index);
}

struct nlmsghdr *
mlx5_dl_new_sf(void *buf, uint16_t family, const char *handle,
               uint16_t pf_num, uint32_t sf_num)
{
    struct nlmsghdr *nlh = put_request(buf, family, DEVLINK_CMD_PORT_NEW,
                                       handle);

    mnl_attr_put_u16(nlh, DEVLINK_ATTR_PORT_FLAVOUR, MLX5_DL_PCI_SF);
    mnl_attr_put_u16(nlh, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, pf_num);
    mnl_attr_put_u32(nlh, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, sf_num);
    return nlh;
}

struct nlmsghdr *
mlx5_dl_set_hw_addr(void *buf, uint16_t family, const char *handle,
                    uint32_t index, struct eth_addr mac)
{
    struct nlmsghdr *nlh = put_port_request(buf, family, DEVLINK_CMD_PORT_SET,
                                            handle, index);
    struct nlattr *nest;

    nest = mnl_attr_nest_start(nlh, DEVLINK_ATTR_PORT_FUNCTION);
    mnl_attr_put(nlh, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, sizeof mac.ea,
                 mac.ea);
    mnl_attr_nest_end(nlh, nest);
    return nlh;
}

struct nlmsghdr *
mlx5_dl_set_state(void *buf, uint16_t family, const char *handle,
                  uint32_t index, bool active)
{
    struct nlmsghdr *nlh = put_port_request(buf, family, DEVLINK_CMD_PORT_SET,
                                            handle, index);
    struct nlattr *nest;

    nest = mnl_attr_nest_start(nlh, DEVLINK_ATTR_PORT_FUNCTION);
    mnl_attr_put_u8(nlh, DEVLINK_PORT_FN_ATTR_STATE,
                    active ? DEVLINK_PORT_FN_STATE_ACTIVE
                    : DEVLINK_PORT_FN_STATE_INACTIVE);
    mnl_attr_nest_end(nlh, nest);
    return nlh;
}

struct nlmsghdr *
mlx5_dl_del_port(void *buf, uint16_t family, const char *handle,
                 uint32_t index)
{
    return put_port_request(buf, family, DEVLINK_CMD_PORT_DEL, handle, index);
}

/* Answers. */

bool
mlx5_dl_message_is_ok(const struct nlmsghdr *nlh, int left)
{
    return mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t) left;
}

/* Finds the id of the group "config" in an array of groups. */
static int
parse_groups(const struct nlattr *groups, uint32_t *groupp)
{
    const struct nlattr *group;
    struct attrs attrs;

    if (mnl_attr_validate(groups, MNL_TYPE_NESTED) < 0) {
        return -EBADMSG;
    }
    mnl_attr_for_each_nested (group, groups) {
        const char *name;

        if (!parse_nested(group, &attrs)) {
            return -EBADMSG;
        }
        name = get_text(&attrs, CTRL_ATTR_MCAST_GRP_NAME);
        if (name && !strcmp(name, DEVLINK_GENL_MCGRP_CONFIG_NAME)
            && !get_u32(&attrs, CTRL_ATTR_MCAST_GRP_ID, groupp)) {
            return -EBADMSG;
        }
    }
    return 0;
}

int
mlx5_dl_parse_family(const struct nlmsghdr *nlh, uint16_t *familyp,
                     uint32_t *groupp)
{
    struct attrs attrs;

    *familyp = 0;
    *groupp = 0;
    if (nlh->nlmsg_type != GENL_ID_CTRL
        || !parse_attrs(nlh, sizeof(struct genlmsghdr), &attrs)
        || !get_u16(&attrs, CTRL_ATTR_FAMILY_ID, familyp)
        || (attrs.a[CTRL_ATTR_MCAST_GROUPS]
            && parse_groups(attrs.a[CTRL_ATTR_MCAST_GROUPS], groupp))) {
        return -EBADMSG;
    }
    /* Below are netlink's own types. */
    return *familyp >= GENL_MIN_ID && *groupp ? 0 : -EBADMSG;
}

int
mlx5_dl_parse_eswitch(const struct nlmsghdr *nlh, bool *switchdev)
{
    uint16_t mode = UINT16_MAX;
    struct attrs attrs;

    if (!parse_attrs(nlh, sizeof(struct genlmsghdr), &attrs)
        || !get_u16(&attrs, DEVLINK_ATTR_ESWITCH_MODE, &mode)
        || mode == UINT16_MAX) {
        return -EBADMSG;
    }
    *switchdev = mode == DEVLINK_ESWITCH_MODE_SWITCHDEV;
    return 0;
}

static bool
parse_function(const struct nlattr *nest, struct mlx5_dl_port *port)
{
    uint8_t state = 0, opstate = 0;
    const struct nlattr *addr;
    struct attrs attrs;

    if (!parse_nested(nest, &attrs)
        || !get_u8(&attrs, DEVLINK_PORT_FN_ATTR_STATE, &state)
        || !get_u8(&attrs, DEVLINK_PORT_FN_ATTR_OPSTATE, &opstate)) {
        return false;
    }
    addr = attrs.a[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR];
    /* InfiniBand's are longer. */
    if (addr && mnl_attr_get_payload_len(addr) == ETH_ADDR_LEN) {
        memcpy(port->hw_addr.ea, mnl_attr_get_payload(addr), ETH_ADDR_LEN);
    }
    port->has_function = true;
    port->active = state == DEVLINK_PORT_FN_STATE_ACTIVE;
    port->attached = opstate == DEVLINK_PORT_FN_OPSTATE_ATTACHED;
    return true;
}

int
mlx5_dl_parse_port(const struct nlmsghdr *nlh, uint16_t family,
                   enum mlx5_dl_what *what, struct mlx5_dl_port *port)
{
    const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
    const char *bus, *name, *netdev;
    struct attrs attrs;
    uint8_t external = 0;

    *what = MLX5_DL_OTHER;
    if (nlh->nlmsg_type != family) {
        return 0;
    } else if (mnl_nlmsg_get_payload_len(nlh) < sizeof *genl) {
        return -EBADMSG;
    } else if (genl->cmd != DEVLINK_CMD_PORT_NEW
               && genl->cmd != DEVLINK_CMD_PORT_DEL
               && genl->cmd != DEVLINK_CMD_PORT_GET
               && genl->cmd != DEVLINK_CMD_PORT_SET
               && genl->cmd != DEVLINK_CMD_NEW) {
        return 0;
    } else if (!parse_attrs(nlh, sizeof *genl, &attrs)) {
        return -EBADMSG;
    } else if (genl->cmd == DEVLINK_CMD_NEW
               && !attrs.a[DEVLINK_ATTR_PORT_INDEX]) {
        /* A device.  Many kernels (before 6.8) give this command to ports,
         * too: in lists, and in the answer of who has made one. */
        return 0;
    }

    memset(port, 0, sizeof *port);
    port->flavour = MLX5_DL_NO_FLAVOUR;
    bus = get_text(&attrs, DEVLINK_ATTR_BUS_NAME);
    name = get_text(&attrs, DEVLINK_ATTR_DEV_NAME);
    if (!bus || !name || !attrs.a[DEVLINK_ATTR_PORT_INDEX]
        || strlen(bus) + strlen(name) + 2 > sizeof port->handle
        || !get_u32(&attrs, DEVLINK_ATTR_PORT_INDEX, &port->index)
        || !get_u16(&attrs, DEVLINK_ATTR_PORT_FLAVOUR, &port->flavour)
        || !get_u32(&attrs, DEVLINK_ATTR_PORT_CONTROLLER_NUMBER,
                    &port->controller)
        || !get_u8(&attrs, DEVLINK_ATTR_PORT_EXTERNAL, &external)
        || !get_u16(&attrs, DEVLINK_ATTR_PORT_PCI_PF_NUMBER, &port->pf_num)
        || !get_u32(&attrs, DEVLINK_ATTR_PORT_PCI_SF_NUMBER, &port->sf_num)
        || !get_u32(&attrs, DEVLINK_ATTR_PORT_NUMBER, &port->number)
        || !get_u32(&attrs, DEVLINK_ATTR_PORT_NETDEV_IFINDEX,
                    &port->ifindex)
        || (attrs.a[DEVLINK_ATTR_PORT_FUNCTION]
            && !parse_function(attrs.a[DEVLINK_ATTR_PORT_FUNCTION], port))) {
        return -EBADMSG;
    }
    snprintf(port->handle, sizeof port->handle, "%s/%s", bus, name);
    port->external = external;
    netdev = get_text(&attrs, DEVLINK_ATTR_PORT_NETDEV_NAME);
    if (netdev && strlen(netdev) < sizeof port->netdev) {
        strcpy(port->netdev, netdev);
    }
    *what = (genl->cmd == DEVLINK_CMD_PORT_DEL ? MLX5_DL_PORT_GONE
             : MLX5_DL_PORT);
    return 0;
}

int
mlx5_dl_parse_link(const struct nlmsghdr *nlh, enum mlx5_dl_what *what,
                   struct mlx5_dl_link *link)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *id;
    struct attrs attrs;
    const char *name;

    *what = MLX5_DL_OTHER;
    if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK) {
        return 0;
    } else if (!parse_attrs(nlh, sizeof *ifi, &attrs) || ifi->ifi_index <= 0) {
        return -EBADMSG;
    } else if (ifi->ifi_family != AF_UNSPEC) {
        return 0;               /* A bridge's view of its port. */
    }

    memset(link, 0, sizeof *link);
    link->ifindex = ifi->ifi_index;
    name = get_text(&attrs, IFLA_IFNAME);
    if (!name || !*name || strlen(name) >= sizeof link->name) {
        return -EBADMSG;
    }
    strcpy(link->name, name);
    id = attrs.a[IFLA_PHYS_SWITCH_ID];
    if (id) {
        link->switch_id_len = MIN(mnl_attr_get_payload_len(id),
                                  sizeof link->switch_id);
        memcpy(link->switch_id, mnl_attr_get_payload(id),
               link->switch_id_len);
    }
    *what = (nlh->nlmsg_type == RTM_DELLINK ? MLX5_DL_LINK_GONE
             : MLX5_DL_LINK);
    return 0;
}

int
mlx5_dl_parse_error(const struct nlmsghdr *nlh, int *errorp,
                    const char **textp)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
    size_t size = mnl_nlmsg_get_payload_len(nlh);
    size_t offset = sizeof *err;
    struct attrs attrs;

    *textp = NULL;
    if (size < sizeof *err || err->error > 0 || err->error < -4095) {
        return -EBADMSG;
    }
    *errorp = err->error;

    /* The kernel's explanation follows the request, of which all is repeated
     * but for NLM_F_CAPPED. */
    if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
        if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
            if (err->msg.nlmsg_len < sizeof err->msg
                || err->msg.nlmsg_len > size) {
                return -EBADMSG;
            }
            offset += MNL_ALIGN(err->msg.nlmsg_len - sizeof err->msg);
        }
        if (offset < size) {
            if (!parse_attrs(nlh, offset, &attrs)) {
                return -EBADMSG;
            }
            *textp = get_text(&attrs, NLMSGERR_ATTR_MSG);
        }
    }
    return 0;
}
