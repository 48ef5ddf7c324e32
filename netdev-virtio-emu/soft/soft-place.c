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


/* Places of functions.  See soft-place.h. */

#include <config.h>

#include "soft-place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bitmap.h"
#include "util.h"
#include "virtnet-error.h"
#include "virtnet-record.h"
#include "virtnet-settings.h"

/* PCI addresses, which are a part of the identity of a function.
 *
 * The card itself is on this bus.  Its first functions are not virtio's. */
#define CARD_BUS 0x14
#define FIRST_STATIC_FN 2
#define MAX_STATIC_PFS 254

/* The emulated switch has one bus behind each port, the first of which is this
 * one.  With more ports than busses the rest are further devices on the same
 * busses. */
#define FIRST_BUS 0x15
#define N_BUSSES 200
#define MAX_PORTS (32 * N_BUSSES)

/* VFs have the busses from here on: those of the first PF, as many as it can
 * have, then those of the second, and so on. */
#define FIRST_VF_BUS 0xe0
#define MAX_VFS ((0x100 - FIRST_VF_BUS) * 256)

/* Each function has a slot, by which it is numbered where numbers need not
 * mean anything: hotplug PFs that of their port, from 1, then come static PFs
 * and VFs. */
#define FIRST_STATIC_SLOT (MAX_PORTS + 1)
#define FIRST_VF_SLOT (FIRST_STATIC_SLOT + MAX_STATIC_PFS)

unsigned int
soft_max_vfs(void)
{
    return MAX_VFS;
}

unsigned int
soft_max_slots(void)
{
    return FIRST_VF_SLOT + MAX_VFS;
}

void
soft_places_init(struct soft_places *sp,
                 const struct virtnet_settings *settings)
{
    sp->settings = settings;
    sp->max_ports = MIN(settings->switch_num_port, MAX_PORTS);
    sp->slots = bitmap_allocate(soft_max_slots());
    sp->free_hint = 1;
}

void
soft_places_destroy(struct soft_places *sp)
{
    bitmap_free(sp->slots);
}

static int OVS_PRINTF_FORMAT(3, 4)
fail(int error, char **errp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *errp = xvasprintf(format, args);
    va_end(args);
    return error;
}

static uint16_t
port_to_bdf(unsigned int port)
{
    return VIRTNET_BDF(FIRST_BUS + (port - 1) % N_BUSSES,
                       (port - 1) / N_BUSSES, 0);
}

/* Works out the place of a static PF or VF, which follows from its ids. */
static int
fixed_place(const struct soft_places *sp, const struct virtnet_device *dev,
            struct soft_place *place, char **errp)
{
    unsigned int fn = FIRST_STATIC_FN + dev->pf_id;
    unsigned int vf = dev->pf_id * sp->settings->num_vf + dev->vf_id;
    const char *serial = sp->settings->serial;

    if (dev->pf_id >= MAX_STATIC_PFS) {
        return fail(VIRTNET_E_ID_RANGE, errp, "there is no PCI function for "
                    "static PF %u", dev->pf_id);
    } else if (dev->type == VIRTNET_STATIC_PF) {
        *place = (struct soft_place) {
            .slot = FIRST_STATIC_SLOT + dev->pf_id,
            .bdf = CARD_BUS << 8 | fn,
            .vuid = xasprintf("%sVNETS0D0F%u", serial, fn),
        };
    } else if (dev->vf_id >= sp->settings->num_vf) {
        /* It would have the place of a VF of the next PF. */
        return fail(VIRTNET_E_ID_RANGE, errp, "PF %u can have %u VFs",
                    dev->pf_id, sp->settings->num_vf);
    } else if (vf >= MAX_VFS) {
        return fail(-ENOMEM, errp, "there is no PCI address for VF %u of PF "
                    "%u", dev->vf_id, dev->pf_id);
    } else {
        *place = (struct soft_place) {
            .slot = FIRST_VF_SLOT + vf,
            .bdf = (FIRST_VF_BUS << 8) + vf,
            .vuid = xasprintf("%sVNETS0D0F%uVF%u", serial, fn,
                              dev->vf_id + 1),
        };
    }
    return 0;
}

/* Returns the port of the emulated switch of the card with 'serial' that
 * 'vuid' names, or 0. */
static unsigned int
vuid_to_port(const char *serial, const char *vuid)
{
    size_t len = strlen(serial);
    unsigned int port;
    int n = 0;

    return (!strncmp(vuid, serial, len)
            && ovs_scan(vuid + len, "VNETS%uD0F0%n", &port, &n)
            && !vuid[len + n] ? port : 0);
}

/* Works out the place of a hotplug PF: the port of the emulated switch that
 * its VUID names, if it has one already, otherwise the first free one. */
static int
hotplug_place(struct soft_places *sp, const struct virtnet_device *dev,
              struct soft_place *place, char **errp)
{
    unsigned int max = sp->max_ports;
    unsigned int port;

    if (dev->vuid) {
        port = vuid_to_port(sp->settings->serial, dev->vuid);
        if (!port || port > max) {
            return fail(VIRTNET_E_VUID_INVALID, errp,
                        "%s does not name one of the %u ports of the emulated "
                        "switch of %s", dev->vuid, max, sp->settings->serial);
        }
    } else {
        port = bitmap_scan(sp->slots, 0, sp->free_hint, max + 1);
        sp->free_hint = port;
        if (port > max) {
            return fail(VIRTNET_E_BACKEND_HOTPLUG, errp,
                        "all %u ports of the emulated switch are taken "
                        "(other_config:virtnet-switch-num-port)", max);
        }
    }
    *place = (struct soft_place) {
        .slot = port,
        .bdf = port_to_bdf(port),
        .vuid = xasprintf("%sVNETS%uD0F0", sp->settings->serial, port),
    };
    return 0;
}

/* Works out the place of 'dev', and whether that is the one it says. */
static int
find_place(struct soft_places *sp, const struct virtnet_device *dev,
           struct soft_place *place, char **errp)
{
    int error = (dev->type == VIRTNET_HOTPLUG_PF
                 ? hotplug_place(sp, dev, place, errp)
                 : fixed_place(sp, dev, place, errp));

    if (error) {
        return error;
    } else if (dev->vuid && strcmp(dev->vuid, place->vuid)) {
        error = fail(VIRTNET_E_VUID_INVALID, errp, "%s should be %s",
                     dev->vuid, place->vuid);
    } else if (dev->bdf && dev->bdf != place->bdf) {
        error = fail(-EEXIST, errp, "%s cannot be at PCI address "
                     VIRTNET_BDF_FMT, place->vuid,
                     VIRTNET_BDF_ARGS(dev->bdf));
    }
    if (error) {
        free(place->vuid);
    }
    return error;
}

int
soft_place_take(struct soft_places *sp, const struct virtnet_device *dev,
                struct soft_place *place, char **errp)
{
    int error = find_place(sp, dev, place, errp);

    if (!error && bitmap_is_set(sp->slots, place->slot)) {
        error = fail(-EEXIST, errp, "the place of %s is taken", place->vuid);
        free(place->vuid);
    }
    if (!error) {
        bitmap_set1(sp->slots, place->slot);
    }
    return error;
}

char *
soft_place_check(struct soft_places *sp, const struct virtnet_record *record)
{
    const struct virtnet_device dev = {
        .type = record->type,
        .pf_id = record->pf_id,
        .vf_id = record->vf_id,
        .vuid = record->vuid,
        .bdf = record->bdf,
    };
    struct soft_place place;
    char *why = NULL;

    if (!find_place(sp, &dev, &place, &why)) {
        free(place.vuid);
    }
    return why;
}

void
soft_place_release(struct soft_places *sp, unsigned int slot)
{
    bitmap_set0(sp->slots, slot);
    sp->free_hint = MIN(sp->free_hint, slot);
}
