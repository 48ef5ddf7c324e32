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

/* The kinds of backend that this build knows. */

#include <config.h>

#include "openvswitch/shash.h"
#include "virtnet-backend-provider.h"

/* Maps from 'type' to "const struct virtnet_backend_class *". */
static struct shash backend_classes = SHASH_INITIALIZER(&backend_classes);

void
virtnet_backend_register_class(const struct virtnet_backend_class *class)
{
    shash_replace(&backend_classes, class->type, class);
}

const struct virtnet_backend_class *
virtnet_backend_lookup_class(const char *type)
{
    return shash_find_data(&backend_classes, type);
}

const char *
virtnet_backend_no_effect(const struct virtnet_backend *backend,
                          const char *key)
{
    return (backend && backend->class->no_effect
            ? backend->class->no_effect(backend, key) : NULL);
}
