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

#include "mlx5-devargs.h"
#include "mlx5-native-backend.h"
#include "mlx5-vendor.h"
#include "virtnet-backend-provider.h"
#include "virtnet-settings.h"

static int
mlx5_open(const struct virtnet_settings *settings,
          struct virtnet_backend **backendp, char **errp)
{
    const struct virtnet_backend_class *class
        = (settings->mlx5_vendor ? &virtnet_mlx5_vendor_class
           : &virtnet_mlx5_native_class);

    return class->open(settings, backendp, errp);
}

const struct virtnet_backend_class virtnet_mlx5_backend_class = {
    .type = "mlx5",
    .rep_get_devargs = mlx5_devargs_get,
    .open = mlx5_open,
};
