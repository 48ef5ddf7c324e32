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

/* What DPDK is asked for. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-devargs.h"
#include "util.h"
#include "virtnet-conf.h"

static void
check(const char *template, const char *pci, bool bond, const char *expected)
{
    char *s = mlx5_devargs_format(template, pci, bond, 4000,
                                  "en3f0pf0sf4000");

    if (strcmp(s, expected)) {
        ovs_fatal(0, "%s: %s, not %s", template, s, expected);
    }
    free(s);
}

int
main(int argc OVS_UNUSED, char *argv[])
{
    const char *template = NULL;

    set_program_name(argv[0]);
    for (size_t i = 0; i < virtnet_n_settings; i++) {
        if (!strcmp(virtnet_settings_table[i].key, "virtnet-mlx5-devargs")) {
            template = virtnet_settings_table[i].def;
        }
    }
    assert(template);

    /* As in DPDK's guide "mlx5", and in "Switch Representation". */
    check(template, "0000:03:00.0", false, "0000:03:00.0,representor=sf4000");
    check(template, "0000:03:00.1", false, "0000:03:00.1,representor=sf4000");
    check(template, "0000:03:00.0", true,
          "0000:03:00.0,representor=pf0sf4000");

    check("", "0000:03:00.0", false, "");
    check("{pci},representor=[{sf}],dv_flow_en=1", "0000:03:00.0", true,
          "0000:03:00.0,representor=[4000],dv_flow_en=1");
    check("net_x{sf},iface={rep}", "0000:03:00.0", false,
          "net_x4000,iface=en3f0pf0sf4000");
    /* What is no placeholder stays. */
    check("{pci}{pc}{{sf}}{", "a", false, "a{pc}{4000}{");
    return 0;
}
