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

/* Commands for NVIDIA's service.  See mlx5-vendor-internal.h. */

#include <config.h>

#include "mlx5-vendor-internal.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "util.h"
#include "virtnet-controller.h"

/* One that has been passed on. */
struct vendor_command {
    struct ovs_list node;
    struct vendor *v;
    char *name;                 /* "hotplug". */
    char *bridge;               /* Wanted for the new device, or NULL. */
    char *text;                 /* Answer. */
    virtnet_command_cb *cb;
    void *aux;
};

void
vendor_answer_waiting(struct vendor *v)
{
    struct vendor_command *c;

    LIST_FOR_EACH_POP (c, node, &v->waiting) {
        c->cb(0, NULL, c->text, c->aux);
        free(c->name);
        free(c->bridge);
        free(c->text);
        free(c);
    }
}

static void
command_done(const struct mlx5_vendor_answer *answer, void *c_)
{
    struct vendor_command *c = c_;
    struct vendor *v = c->v;
    struct virtnet_device *dev;
    const struct json *vuid;

    if (answer->error) {
        c->cb(answer->error, answer->reason, NULL, c->aux);
        free(c->name);
        free(c->bridge);
        free(c);
        return;
    }
    /* Without the line of arguments. */
    c->text = xstrdup(answer->text + (strspn(answer->text, " \n")));
    if (c->text[0] == '{' && c->text[1] == '\'') {
        char *body = xstrdup(c->text + strcspn(c->text, "\n"));

        free(c->text);
        c->text = xstrdup(body + strspn(body, "\n"));
        free(body);
    }
    if (answer->json->type == JSON_OBJECT && c->bridge) {
        vuid = shash_find_data(json_object(answer->json), "vuid");
        if (vuid && vuid->type == JSON_STRING) {
            free(shash_replace(&v->bridges, json_string(vuid), c->bridge));
            c->bridge = NULL;
        }
    }
    ovs_list_push_back(&v->waiting, &c->node);
    if (!strcmp(c->name, "hotplug") || !strcmp(c->name, "unplug")
        || !strcmp(c->name, "modify")) {
        /* Whoever has asked shall find it done. */
        if (!strcmp(c->name, "unplug")
            && !mlx5_vendor_get_errno(answer->json)) {
            VIRTNET_FOR_EACH_DEVICE (dev) {
                struct vendor_device *vd = vendor_device_cast(dev);

                /* If it is missing from the next list, it is this one. */
                vd->removed = dev->type == VIRTNET_HOTPLUG_PF;
            }
        }
        if (v->looking) {
            v->look_again = true;
        } else {
            v->next_look = 0;
        }
    } else {
        ovs_list_remove(&c->node);
        c->cb(0, NULL, c->text, c->aux);
        free(c->name);
        free(c->bridge);
        free(c->text);
        free(c);
    }
}

bool
vendor_command(struct virtnet_backend *backend, const char *name, int argc,
               const char *const argv[], virtnet_command_cb *cb, void *aux)
{
    static const char *const passed[] = { "hotplug", "unplug", "modify",
                                          "query", "stats", "health" };
    static const char *const ours[] = { "--vhost-path", "--vhost-mode",
                                        "--count" };
    struct vendor *v = vendor_cast(backend);
    struct vendor_command *c;
    const char **args;
    int n = 0;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(passed) && strcmp(name, passed[i]); i++) {
        continue;
    }
    if (i == ARRAY_SIZE(passed)) {
        return false;
    }
    for (int j = 0; j < argc; j++) {
        for (i = 0; i < ARRAY_SIZE(ours); i++) {
            if (!strncmp(argv[j], ours[i], strlen(ours[i]))) {
                char *why = xasprintf("%s is not for devices of a card",
                                      ours[i]);

                cb(VIRTNET_E_NOT_SUPPORTED, why, NULL, aux);
                free(why);
                return true;
            }
        }
    }

    c = xzalloc(sizeof *c);
    c->v = v;
    c->name = xstrdup(name);
    c->cb = cb;
    c->aux = aux;
    args = xmalloc((argc + 1) * sizeof *args);
    args[n++] = name;
    for (int j = 0; j < argc; j++) {
        if (!strcmp(name, "hotplug") && !strcmp(argv[j], "--bridge")
            && j + 1 < argc) {
            free(c->bridge);
            c->bridge = xstrdup(argv[++j]);
        } else if (!strcmp(name, "hotplug")
                   && !strncmp(argv[j], "--bridge=", 9)) {
            free(c->bridge);
            c->bridge = xstrdup(argv[j] + 9);
        } else {
            args[n++] = argv[j];
        }
    }
    mlx5_vendor_cli_submit(v->cli, true, n, args, command_done, c);
    free(args);
    return true;
}
