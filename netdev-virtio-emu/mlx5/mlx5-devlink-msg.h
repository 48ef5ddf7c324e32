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

#ifndef MLX5_DEVLINK_MSG_H
#define MLX5_DEVLINK_MSG_H 1

/* Messages of devlink, and of rtnetlink as far as representors go: requests
 * made, answers taken apart.  Pure functions, any thread.
 *
 * Sources: Linux's include/uapi/linux/devlink.h, genetlink.h, netlink.h and
 * rtnetlink.h.  Attributes that headers of the build host may lack are
 * numbered in mlx5-devlink-msg.c.  Requests are, byte for byte, those of the
 * devlink program of iproute2, so what works by hand works here.
 *
 * What is taken apart comes from the kernel, but is checked as if it did not:
 * no length is believed, and text is never longer than its place. */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/types.h"

struct nlmsghdr;

/* Enough for any request. */
#define MLX5_DL_REQUEST_SIZE 512

/* Enough for any datagram of the kernel. */
#define MLX5_DL_BUFFER_SIZE 32768

#define MLX5_DL_HANDLE_LEN 80   /* With the null byte. */

enum mlx5_dl_flavour {
    MLX5_DL_PHYSICAL = 0,
    MLX5_DL_PCI_PF = 3,
    MLX5_DL_PCI_VF = 4,
    MLX5_DL_PCI_SF = 7,
    MLX5_DL_NO_FLAVOUR = UINT16_MAX,
};

/* A port of an eSwitch.  It is identified by 'handle' and 'index' alone. */
struct mlx5_dl_port {
    char handle[MLX5_DL_HANDLE_LEN]; /* "pci/0000:03:00.0". */
    uint32_t index;
    uint16_t flavour;           /* enum mlx5_dl_flavour. */
    uint32_t controller;        /* 0: the DPU itself. */
    bool external;              /* Of another host's controller? */
    uint16_t pf_num;
    uint32_t sf_num;            /* MLX5_DL_PCI_SF only. */
    uint32_t number;            /* MLX5_DL_PHYSICAL only. */

    /* The representor, as far as there is one yet. */
    uint32_t ifindex;           /* 0 if there is none. */
    char netdev[IFNAMSIZ];      /* Its name now, "" if there is none. */

    /* The function. */
    bool has_function;
    struct eth_addr hw_addr;
    bool active;                /* Configured state. */
    bool attached;              /* Has a driver taken it? */
};

/* What a message says. */
enum mlx5_dl_what {
    MLX5_DL_OTHER,              /* Nothing that matters here. */
    MLX5_DL_PORT,               /* A port is there, or has changed. */
    MLX5_DL_PORT_GONE,
    MLX5_DL_LINK,               /* So is a network interface. */
    MLX5_DL_LINK_GONE,
};

struct mlx5_dl_link {
    uint32_t ifindex;
    char name[IFNAMSIZ];
    uint8_t switch_id[32];      /* Of the eSwitch whose port it is. */
    size_t switch_id_len;       /* 0 if it is none's. */
};

/* Requests.  'buf' has MLX5_DL_REQUEST_SIZE bytes and is aligned as malloc()
 * does.  'family' is that of mlx5_dl_parse_family().  'handle' must be good
 * for mlx5_dl_handle_is_valid().  The sender fills in nlmsg_seq. */
struct nlmsghdr *mlx5_dl_get_family(void *buf);
struct nlmsghdr *mlx5_dl_get_eswitch(void *buf, uint16_t family,
                                     const char *handle);
struct nlmsghdr *mlx5_dl_dump_ports(void *buf, uint16_t family);
struct nlmsghdr *mlx5_dl_get_port(void *buf, uint16_t family,
                                  const char *handle, uint32_t index);
struct nlmsghdr *mlx5_dl_new_sf(void *buf, uint16_t family,
                                const char *handle, uint16_t pf_num,
                                uint32_t sf_num);
struct nlmsghdr *mlx5_dl_set_hw_addr(void *buf, uint16_t family,
                                     const char *handle, uint32_t index,
                                     struct eth_addr);
struct nlmsghdr *mlx5_dl_set_state(void *buf, uint16_t family,
                                   const char *handle, uint32_t index,
                                   bool active);
struct nlmsghdr *mlx5_dl_del_port(void *buf, uint16_t family,
                                  const char *handle, uint32_t index);

/* Is 'handle' BUS/DEVICE, and not too long? */
bool mlx5_dl_handle_is_valid(const char *handle);

/* Is there a whole message at '*nlh', with 'left' bytes to the end of the
 * datagram?  That of libmnl (1.0.4) takes lengths from 2 GB for negative ones.
 */
bool mlx5_dl_message_is_ok(const struct nlmsghdr *, int left);

/* Answers.  All return 0, or -EBADMSG for a message that cannot be what it
 * claims to be, in which case the output is unspecified. */

/* '*groupp' is the multicast group that tells of ports. */
int mlx5_dl_parse_family(const struct nlmsghdr *, uint16_t *familyp,
                         uint32_t *groupp);
int mlx5_dl_parse_eswitch(const struct nlmsghdr *, bool *switchdev);

/* Finds out what a message of the devlink family 'family' is about. */
int mlx5_dl_parse_port(const struct nlmsghdr *, uint16_t family,
                       enum mlx5_dl_what *, struct mlx5_dl_port *);

/* ...or one of rtnetlink. */
int mlx5_dl_parse_link(const struct nlmsghdr *, enum mlx5_dl_what *,
                       struct mlx5_dl_link *);

/* Takes an NLMSG_ERROR apart.  '*errorp' is 0 for an acknowledgment, or a
 * negative errno; '*textp' is the kernel's explanation, which lies in the
 * message, or NULL. */
int mlx5_dl_parse_error(const struct nlmsghdr *, int *errorp,
                        const char **textp);

#endif /* mlx5-devlink-msg.h */
