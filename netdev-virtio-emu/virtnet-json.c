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

/* JSON whose members stay in order.  See virtnet-json.h. */

#include <config.h>

#include "virtnet-json.h"

#include <inttypes.h>
#include <stdio.h>

#include "openvswitch/json.h"
#include "util.h"
#include "virtnet-error.h"
#include "virtnet-feature.h"

void
virtnet_json_init(struct virtnet_json *j)
{
    ds_init(&j->text);
    j->depth = 0;
    j->empty = true;
}

char *
virtnet_json_steal(struct virtnet_json *j)
{
    ovs_assert(!j->depth);
    return ds_steal_cstr(&j->text);
}

/* Starts a new line for a member or an element. */
static void
put_key(struct virtnet_json *j, const char *key)
{
    if (j->depth) {
        ds_put_cstr(&j->text, j->empty ? "\n" : ",\n");
        ds_put_char_multiple(&j->text, ' ', 2 * j->depth);
    }
    if (key) {
        json_string_escape(key, &j->text);
        ds_put_cstr(&j->text, ": ");
    }
    j->empty = false;
}

static void
begin(struct virtnet_json *j, const char *key, char c)
{
    put_key(j, key);
    ds_put_char(&j->text, c);
    j->depth++;
    j->empty = true;
}

static void
end(struct virtnet_json *j, char c)
{
    j->depth--;
    if (!j->empty) {
        ds_put_char(&j->text, '\n');
        ds_put_char_multiple(&j->text, ' ', 2 * j->depth);
    }
    ds_put_char(&j->text, c);
    j->empty = false;
}

void
virtnet_json_begin_object(struct virtnet_json *j, const char *key)
{
    begin(j, key, '{');
}

void
virtnet_json_end_object(struct virtnet_json *j)
{
    end(j, '}');
}

void
virtnet_json_begin_array(struct virtnet_json *j, const char *key)
{
    begin(j, key, '[');
}

void
virtnet_json_end_array(struct virtnet_json *j)
{
    end(j, ']');
}

void
virtnet_json_string(struct virtnet_json *j, const char *key,
                    const char *value)
{
    put_key(j, key);
    json_string_escape(value, &j->text);
}

void
virtnet_json_number(struct virtnet_json *j, const char *key,
                    long long int value)
{
    put_key(j, key);
    ds_put_format(&j->text, "%lld", value);
}

void
virtnet_json_real(struct virtnet_json *j, const char *key, double value)
{
    put_key(j, key);
    ds_put_format(&j->text, "%.6f", value);
}

void
virtnet_json_dec(struct virtnet_json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    ds_put_format(&j->text, "\"%"PRIu64"\"", value);
}

void
virtnet_json_hex(struct virtnet_json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    ds_put_format(&j->text, "\"0x%"PRIx64"\"", value);
}

void
virtnet_json_hex_upper(struct virtnet_json *j, const char *key,
                       uint64_t value)
{
    put_key(j, key);
    ds_put_format(&j->text, "\"0x%"PRIX64"\"", value);
}

void
virtnet_json_errno(struct virtnet_json *j, int error)
{
    virtnet_json_number(j, "errno", error);
    virtnet_json_string(j, "errstr", virtnet_strerror(error));
}

void
virtnet_json_bits(struct virtnet_json *j, const char *key,
                  const struct virtnet_bit *names, uint64_t value)
{
    virtnet_json_begin_object(j, key);
    virtnet_json_hex(j, "value", value);
    for (int bit = 0; bit < 64; bit++) {
        if (value & (UINT64_C(1) << bit)) {
            char number[16];

            while (names->name && names->bit < bit) {
                names++;
            }
            snprintf(number, sizeof number, " %d", bit);
            virtnet_json_string(j, number,
                                names->name && names->bit == bit
                                ? names->name : "UNKNOWN FEATURE BIT");
        }
    }
    virtnet_json_end_object(j);
}
