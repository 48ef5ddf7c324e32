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

/* Representors as ports of DPDK.  See mlx5-devargs.h.
 *
 * The driver "mlx5" of DPDK takes the PCI function of the eSwitch and
 * "representor=sfN", N being the number of the SF (DPDK's guides, "Switch
 * Representation" and "mlx5").  Functions of a bond are one device to DPDK,
 * that of the first, and there it is "representor=pfMsfN". */

#include <config.h>

#include "mlx5-devargs.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-controller.h"
#include "virtnet-settings.h"

/* Number of the PCI function 'pci': 0 for "0000:03:00.0". */
static const char *
function_number(const char *pci)
{
    const char *dot = strrchr(pci, '.');

    return dot ? dot + 1 : "0";
}

/* Goes past 'word' if '*s' begins with it. */
static bool
take(const char **s, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*s, word, n)) {
        return false;
    }
    *s += n;
    return true;
}

char *
mlx5_devargs_format(const char *template, const char *pci, bool bond,
                    unsigned int sf_num, const char *rep_name)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    while (*template) {
        if (take(&template, "{pci}")) {
            ds_put_cstr(&s, pci);
        } else if (take(&template, "{port}")) {
            if (bond) {
                ds_put_format(&s, "pf%s", function_number(pci));
            }
            ds_put_format(&s, "sf%u", sf_num);
        } else if (take(&template, "{sf}")) {
            ds_put_format(&s, "%u", sf_num);
        } else if (take(&template, "{rep}")) {
            ds_put_cstr(&s, rep_name);
        } else {
            ds_put_char(&s, *template++);
        }
    }
    return ds_steal_cstr(&s);
}

char *
mlx5_devargs_get(const struct virtnet_device *dev, const char **pci)
{
    const struct virtnet_settings *s = virtnet_controller_settings();
    const struct virtnet_ib_device *ibs;
    size_t n;

    if (s->mlx5_kernel_rep) {
        return NULL;
    }
    n = dev->backend->class->get_ib_devices(dev->backend, &ibs);
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(ibs[i].name, dev->ib_device)) {
            *pci = strstr(s->mlx5_devargs, "{pci}") ? ibs[i].pci_addr : NULL;
            return mlx5_devargs_format(s->mlx5_devargs, ibs[i].pci_addr,
                                       s->is_lag, dev->sf_num, dev->rep_name);
        }
    }
    return NULL;
}
