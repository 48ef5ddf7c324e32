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

/* The class "mlx5": BlueField cards, of which there are two ways to own one.
 *
 * It has only a function that opens: which of the two it is, the settings say,
 * and the backend that is opened has the class of that one. */

#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlx5-native-backend.h"
#include "mlx5-vendor.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-settings.h"

/* Is a process of NVIDIA's service there?  The kernel keeps 15 characters of
 * its name. */
static bool
service_runs(void)
{
    DIR *dir = opendir("/proc");
    bool found = false;
    struct dirent *de;

    while (dir && !found && (de = readdir(dir)) != NULL) {
        char comm[32] = "";
        char *path;
        FILE *f;

        if (de->d_name[0] < '1' || de->d_name[0] > '9') {
            continue;
        }
        path = xasprintf("/proc/%s/comm", de->d_name);
        f = fopen(path, "r");
        if (f) {
            found = (fgets(comm, sizeof comm, f)
                     && !strncmp(comm, "virtio_net_cont", 15));
            fclose(f);
        }
        free(path);
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

static int
mlx5_open(const struct virtnet_settings *settings,
          struct virtnet_backend **backendp, char **errp)
{
    if (settings->mlx5_vendor) {
        return virtnet_mlx5_vendor_class.open(settings, backendp, errp);
    } else if (service_runs()) {
        *errp = xstrdup("NVIDIA's virtio-net-controller service owns the "
                        "firmware: stop it, or set "
                        "other_config:virtnet-mlx5-mode=vendor");
        return -EBUSY;
    }
    return virtnet_mlx5_native_class.open(settings, backendp, errp);
}

const struct virtnet_backend_class virtnet_mlx5_backend_class = {
    .type = "mlx5",
    .open = mlx5_open,
};
