// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Copyright (c) 2026 The ovs-virtio-emu authors.
 *
 * A card that has scalable functions (SFs), for the devlink of a real kernel:
 * netdevsim has none.  It is the PCI device that "pci" names, which has no
 * driver.  What mlx5_core does for an SF is done here as far as it is seen
 * outside the kernel: a port with a representor, a function with address and
 * state, and, some time after it has been activated, an auxiliary device with
 * an RDMA device.  Packets go nowhere.
 *
 * A module of the kernel has to be under a license that fits the kernel's,
 * which is why this file, and only this, may be used under that, too.
 *
 * For the devlink of Linux 6.1.
 */

#include <linux/auxiliary_bus.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/devlink.h>

static char *pci = "0000:03:00.0";
module_param(pci, charp, 0444);
MODULE_PARM_DESC(pci, "The PCI device");

static unsigned int max_sfs = 4;
module_param(max_sfs, uint, 0644);

/* How long a driver takes to find its SF. */
static unsigned int attach_ms = 30;
module_param(attach_ms, uint, 0644);

#define FIRST_SF_INDEX 32768

struct port {
    struct list_head node;      /* In card.ports. */
    struct devlink_port dl_port;
    struct net_device *netdev;  /* The representor. */
    unsigned int index;

    /* SFs. */
    u32 sfnum;
    u8 mac[ETH_ALEN];
    bool active, attached;
    struct delayed_work attach;
    struct sf_device *device;
};

/* What there is of an SF that is attached.  It goes when its last user
 * does. */
struct sf_device {
    struct auxiliary_device aux;
    u32 sfnum;
    struct kobject *infiniband, *rdma;
};

/* Under the lock of 'devlink', but for the parts of an SF that 'attach' sets:
 * who reads them otherwise does not wait for it. */
static struct card {
    struct pci_dev *pdev;
    struct devlink *devlink;
    u16 mode;
    unsigned int next_index, next_aux, n_sfs;
    struct list_head ports;
} card = { .ports = LIST_HEAD_INIT(card.ports) };

/* Representors. */

struct rep {
    struct devlink_port *dl_port;
};

static netdev_tx_t
rep_xmit(struct sk_buff *skb, struct net_device *netdev)
{
    netdev->stats.tx_packets++;
    netdev->stats.tx_bytes += skb->len;
    dev_kfree_skb(skb);
    return NETDEV_TX_OK;
}

static struct devlink_port *
rep_get_devlink_port(struct net_device *netdev)
{
    return ((struct rep *) netdev_priv(netdev))->dl_port;
}

static const struct net_device_ops rep_ops = {
    .ndo_start_xmit = rep_xmit,
    .ndo_get_devlink_port = rep_get_devlink_port,
};

static int
rep_add(struct port *port)
{
    struct net_device *netdev;
    int err;

    netdev = alloc_etherdev(sizeof(struct rep));
    if (!netdev) {
        return -ENOMEM;
    }
    ((struct rep *) netdev_priv(netdev))->dl_port = &port->dl_port;
    netdev->netdev_ops = &rep_ops;
    netdev->features |= NETIF_F_NETNS_LOCAL;
    eth_hw_addr_random(netdev);
    SET_NETDEV_DEV(netdev, &card.pdev->dev);
    err = register_netdev(netdev);
    if (err) {
        free_netdev(netdev);
        return err;
    }
    port->netdev = netdev;
    devlink_port_type_eth_set(&port->dl_port, netdev);
    return 0;
}

/* Functions. */

static ssize_t
sfnum_show(struct device *dev, struct device_attribute *attr, char *buf)
{
    struct sf_device *sd = container_of(to_auxiliary_dev(dev),
                                        struct sf_device, aux);

    return sysfs_emit(buf, "%u\n", sd->sfnum);
}
static DEVICE_ATTR_RO(sfnum);

static struct attribute *sf_attrs[] = { &dev_attr_sfnum.attr, NULL };
ATTRIBUTE_GROUPS(sf);

static void
sf_release(struct device *dev)
{
    kfree(container_of(to_auxiliary_dev(dev), struct sf_device, aux));
}

static void
sf_attach(struct work_struct *work)
{
    struct port *port = container_of(to_delayed_work(work), struct port,
                                     attach);
    struct sf_device *sd = kzalloc(sizeof *sd, GFP_KERNEL);
    char name[16];

    if (!sd) {
        return;
    }
    sd->sfnum = port->sfnum;
    sd->aux.name = "sf";
    sd->aux.id = card.next_aux++;
    sd->aux.dev.parent = &card.pdev->dev;
    sd->aux.dev.groups = sf_groups;
    sd->aux.dev.release = sf_release;
    if (auxiliary_device_init(&sd->aux)) {
        kfree(sd);
        return;
    }
    if (__auxiliary_device_add(&sd->aux, "mlx5_core")) {
        auxiliary_device_uninit(&sd->aux);
        return;
    }
    snprintf(name, sizeof name, "mlx5_%u", sd->aux.id);
    sd->infiniband = kobject_create_and_add("infiniband", &sd->aux.dev.kobj);
    sd->rdma = kobject_create_and_add(name, sd->infiniband);
    port->device = sd;
    port->attached = true;
}

static void
sf_detach(struct port *port)
{
    cancel_delayed_work_sync(&port->attach);
    if (port->device) {
        kobject_put(port->device->rdma);
        kobject_put(port->device->infiniband);
        auxiliary_device_delete(&port->device->aux);
        auxiliary_device_uninit(&port->device->aux);
        port->device = NULL;
    }
    port->attached = false;
}

/* Ports. */

static struct port *
port_find(unsigned int index)
{
    struct port *port;

    list_for_each_entry(port, &card.ports, node) {
        if (port->index == index) {
            return port;
        }
    }
    return NULL;
}

static bool
is_sf(const struct port *port)
{
    return port->index >= FIRST_SF_INDEX;
}

/* Adds the uplink, or an SF. */
static int
port_add(unsigned int index, u32 sfnum)
{
    struct port *port = kzalloc(sizeof *port, GFP_KERNEL);
    struct devlink_port_attrs attrs = {
        .flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL,
        .switch_id = { .id = "sfcard", .id_len = 6 },
    };
    int err;

    if (!port) {
        return -ENOMEM;
    }
    port->index = index;
    port->sfnum = sfnum;
    INIT_DELAYED_WORK(&port->attach, sf_attach);
    if (is_sf(port)) {
        port->dl_port.attrs.switch_id = attrs.switch_id;
        devlink_port_attrs_pci_sf_set(&port->dl_port, 0, 0, sfnum, false);
    } else {
        devlink_port_attrs_set(&port->dl_port, &attrs);
    }
    err = devl_port_register(card.devlink, &port->dl_port, index);
    if (err) {
        kfree(port);
        return err;
    }
    err = rep_add(port);
    if (err) {
        devl_port_unregister(&port->dl_port);
        kfree(port);
        return err;
    }
    list_add_tail(&port->node, &card.ports);
    card.n_sfs += is_sf(port);
    return 0;
}

static void
port_remove(struct port *port)
{
    sf_detach(port);
    devlink_port_type_clear(&port->dl_port);
    unregister_netdev(port->netdev);
    devl_port_unregister(&port->dl_port);
    free_netdev(port->netdev);
    list_del(&port->node);
    card.n_sfs -= is_sf(port);
    kfree(port);
}

static void
remove_ports(bool uplink)
{
    struct port *port, *next;

    list_for_each_entry_safe(port, next, &card.ports, node) {
        if (uplink || is_sf(port)) {
            port_remove(port);
        }
    }
}

/* What devlink asks for. */

static int
get_mode(struct devlink *devlink, u16 *mode)
{
    *mode = card.mode;
    return 0;
}

static int
set_mode(struct devlink *devlink, u16 mode, struct netlink_ext_ack *extack)
{
    remove_ports(false);
    card.mode = mode;
    return 0;
}

static int
port_new(struct devlink *devlink, const struct devlink_port_new_attrs *attrs,
         struct netlink_ext_ack *extack, unsigned int *new_port_index)
{
    struct port *port;

    if (card.mode != DEVLINK_ESWITCH_MODE_SWITCHDEV) {
        NL_SET_ERR_MSG(extack, "SFs need switchdev mode");
        return -EOPNOTSUPP;
    } else if (attrs->flavour != DEVLINK_PORT_FLAVOUR_PCI_SF
               || !attrs->sfnum_valid) {
        NL_SET_ERR_MSG(extack, "Only SFs with numbers can be added");
        return -EOPNOTSUPP;
    } else if (attrs->pfnum) {
        NL_SET_ERR_MSG(extack, "There is no such PF");
        return -EINVAL;
    }
    list_for_each_entry(port, &card.ports, node) {
        if (is_sf(port) && port->sfnum == attrs->sfnum) {
            NL_SET_ERR_MSG(extack, "SF exists already");
            return -EEXIST;
        }
    }
    if (card.n_sfs >= max_sfs) {
        NL_SET_ERR_MSG(extack, "All SFs are in use");
        return -ENOSPC;
    }
    *new_port_index = card.next_index++;
    return port_add(*new_port_index, attrs->sfnum);
}

static int
port_del(struct devlink *devlink, unsigned int index,
         struct netlink_ext_ack *extack)
{
    struct port *port = port_find(index);

    if (!port || !is_sf(port)) {
        NL_SET_ERR_MSG(extack, "There is no such SF");
        return -ENODEV;
    }
    port_remove(port);
    return 0;
}

static int
get_hw_addr(struct devlink_port *dl_port, u8 *addr, int *len,
            struct netlink_ext_ack *extack)
{
    struct port *port = container_of(dl_port, struct port, dl_port);

    if (!is_sf(port)) {
        return -EOPNOTSUPP;
    }
    memcpy(addr, port->mac, ETH_ALEN);
    *len = ETH_ALEN;
    return 0;
}

static int
set_hw_addr(struct devlink_port *dl_port, const u8 *addr, int len,
            struct netlink_ext_ack *extack)
{
    struct port *port = container_of(dl_port, struct port, dl_port);

    if (!is_sf(port) || port->active) {
        NL_SET_ERR_MSG(extack, "Only of an inactive SF");
        return -EBUSY;
    }
    memcpy(port->mac, addr, ETH_ALEN);
    return 0;
}

static int
get_state(struct devlink_port *dl_port, enum devlink_port_fn_state *state,
          enum devlink_port_fn_opstate *opstate,
          struct netlink_ext_ack *extack)
{
    struct port *port = container_of(dl_port, struct port, dl_port);

    if (!is_sf(port)) {
        return -EOPNOTSUPP;
    }
    *state = (port->active ? DEVLINK_PORT_FN_STATE_ACTIVE
              : DEVLINK_PORT_FN_STATE_INACTIVE);
    *opstate = (READ_ONCE(port->attached)
                ? DEVLINK_PORT_FN_OPSTATE_ATTACHED
                : DEVLINK_PORT_FN_OPSTATE_DETACHED);
    return 0;
}

static int
set_state(struct devlink_port *dl_port, enum devlink_port_fn_state state,
          struct netlink_ext_ack *extack)
{
    struct port *port = container_of(dl_port, struct port, dl_port);
    bool active = state == DEVLINK_PORT_FN_STATE_ACTIVE;

    if (!is_sf(port)) {
        return -EOPNOTSUPP;
    }
    if (active && !port->active) {
        schedule_delayed_work(&port->attach, msecs_to_jiffies(attach_ms));
    } else if (!active) {
        sf_detach(port);
    }
    port->active = active;
    return 0;
}

static const struct devlink_ops ops = {
    .eswitch_mode_get = get_mode,
    .eswitch_mode_set = set_mode,
    .port_new = port_new,
    .port_del = port_del,
    .port_function_hw_addr_get = get_hw_addr,
    .port_function_hw_addr_set = set_hw_addr,
    .port_fn_state_get = get_state,
    .port_fn_state_set = set_state,
};

static int __init
card_init(void)
{
    unsigned int domain, bus, slot, function;
    int err;

    if (sscanf(pci, "%x:%x:%x.%u", &domain, &bus, &slot, &function) != 4) {
        return -EINVAL;
    }
    card.pdev = pci_get_domain_bus_and_slot(domain, bus,
                                            PCI_DEVFN(slot, function));
    if (!card.pdev) {
        return -ENODEV;
    }
    card.devlink = devlink_alloc(&ops, 0, &card.pdev->dev);
    if (!card.devlink) {
        pci_dev_put(card.pdev);
        return -ENOMEM;
    }
    card.mode = DEVLINK_ESWITCH_MODE_LEGACY;
    card.next_index = FIRST_SF_INDEX;
    devl_lock(card.devlink);
    err = port_add(0, 0);
    devl_unlock(card.devlink);
    if (err) {
        devlink_free(card.devlink);
        pci_dev_put(card.pdev);
        return err;
    }
    devlink_register(card.devlink);
    return 0;
}

static void __exit
card_exit(void)
{
    devlink_unregister(card.devlink);
    devl_lock(card.devlink);
    remove_ports(true);
    devl_unlock(card.devlink);
    devlink_free(card.devlink);
    pci_dev_put(card.pdev);
}

module_init(card_init);
module_exit(card_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A card with SFs, for tests");
