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

/* Texts of error numbers.  See virtnet-error.h. */

#include <config.h>

#include "virtnet-error.h"

#include "util.h"

static const struct {
    const char *name;
    const char *text;
} rows[] = {
#define VIRTNET_ERROR(NAME, TEXT) { #NAME, TEXT },
    VIRTNET_ERRORS
#undef VIRTNET_ERROR
};

static bool
is_row(int error)
{
    return (error <= -VIRTNET_ERROR_BASE
            && error > -VIRTNET_ERROR_BASE - VIRTNET_N_ERRORS);
}

const char *
virtnet_strerror(int error)
{
    if (!error) {
        return "Success";
    } else if (is_row(error)) {
        return rows[-VIRTNET_ERROR_BASE - error].text;
    } else {
        return ovs_strerror(error < 0 ? -error : error);
    }
}

const char *
virtnet_error_name(int error)
{
    return is_row(error) ? rows[-VIRTNET_ERROR_BASE - error].name : NULL;
}
