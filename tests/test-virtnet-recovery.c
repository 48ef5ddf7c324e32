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

/* Unit test of the records: what is saved comes back, and nothing that can be
 * found in a file costs more than the device that it would have made. */

#include <config.h>
#undef NDEBUG

#include "virtnet-recovery.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"
#include "virtnet-backend-provider.h"
#include "virtnet-slice.h"

#define CHECK(EXPR)                                                         \
    do {                                                                    \
        if (!(EXPR)) {                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__,      \
                    #EXPR);                                                 \
            exit(1);                                                        \
        }                                                                   \
        n_checks++;                                                         \
    } while (0)

static unsigned int n_checks;

/* A backend that remembers one thing. */

static void
fake_save(const struct virtnet_device *dev OVS_UNUSED, struct smap *smap)
{
    smap_add(smap, "color", "\"blue\"\n");
}

static const struct virtnet_backend_class fake_class = {
    .type = "fake",
    .save = fake_save,
};
static struct virtnet_backend fake_backend = { &fake_class };

/* Initializes 'dev' as hotplug PF 'pf'. */
static void
make_device(struct virtnet_device *dev, unsigned int pf)
{
    memset(dev, 0, sizeof *dev);
    virtnet_device_init(dev, &fake_backend, VIRTNET_HOTPLUG_PF);
    dev->vuid = xasprintf("MT0000X00000VNETS%uD0F0", pf + 1);
    dev->pf_id = pf;
    dev->bdf = VIRTNET_BDF(0x15 + pf, 0, 0);
    dev->ib_device = xstrdup("mlx5_0");
    dev->sf_num = VIRTNET_SF_HOTPLUG_MIN + pf;
    eth_addr_from_uint64(UINT64_C(0x0cc47aff2293) + pf, &dev->config.mac);
    dev->config.mtu = 1500;
    dev->config.features = UINT64_C(0x230047082b);
    dev->config.max_queue_pairs = 1;
    dev->config.max_queue_size = 256;
    dev->config.num_msix = 4;
    dev->config.speed = 100000;
    dev->config.link_up = true;
}

static char *
path_of(const char *dir, const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static bool
exists(const char *dir, const char *name)
{
    char *path = path_of(dir, name);
    struct stat s;
    bool found = !lstat(path, &s);

    free(path);
    return found;
}

static void
write_file(const char *dir, const char *name, const char *text, size_t size)
{
    char *path = path_of(dir, name);
    FILE *stream = fopen(path, "w");

    CHECK(stream);
    CHECK(fwrite(text, 1, size, stream) == size);
    CHECK(!fclose(stream));
    free(path);
}

static char *
read_text(const char *dir, const char *name)
{
    char *path = path_of(dir, name);
    FILE *stream = fopen(path, "r");
    char *text = xzalloc(65536);

    CHECK(stream);
    CHECK(fread(text, 1, 65535, stream) > 0);
    CHECK(!fclose(stream));
    free(path);
    return text;
}

/* Reads all records of 'dir', as virtnet_record_reader_finish() has it. */
static size_t
load_all(const char *dir, struct virtnet_record ***recordsp)
{
    struct virtnet_record_reader *reader;
    struct virtnet_slice slice;

    virtnet_recovery_flush();
    reader = virtnet_recovery_read(dir);
    do {
        virtnet_slice_begin(&slice, false);
    } while (!virtnet_record_reader_run(reader, &slice));
    return virtnet_record_reader_finish(reader, recordsp);
}

/* Returns the number of records in 'dir'. */
static size_t
count(const char *dir)
{
    struct virtnet_record **records;
    size_t n = load_all(dir, &records);

    virtnet_records_destroy(records, n);
    return n;
}

static int
remove_cb(const char *path, const struct stat *s OVS_UNUSED,
          int type OVS_UNUSED, struct FTW *ftw OVS_UNUSED)
{
    return remove(path);
}

static void
remove_tree(const char *dir)
{
    virtnet_recovery_flush();
    CHECK(!nftw(dir, remove_cb, 16, FTW_DEPTH | FTW_PHYS));
}

static void
clear(const char *dir)
{
    remove_tree(dir);
    CHECK(!mkdir(dir, 0700));
}

/* A good record that has nothing in common with that of the first devices. */
static char *other_text;

/* Checks that 'text' as a record costs itself and no other. */
static void
check_bad(const char *dir, const char *text, size_t size)
{
    clear(dir);
    write_file(dir, "OTHERVNETS8D0F0", other_text, strlen(other_text));
    write_file(dir, "BADVNETS1D0F0", text, size);
    CHECK(count(dir) == 1);
    CHECK(!exists(dir, "BADVNETS1D0F0"));
    CHECK(exists(dir, "BADVNETS1D0F0.bad"));
    CHECK(exists(dir, "OTHERVNETS8D0F0"));
    CHECK(count(dir) == 1);
}

/* Returns the text of the record of hotplug PF 'pf'. */
static char *
make_text(const char *dir, unsigned int pf)
{
    struct virtnet_device dev;
    char *text;

    clear(dir);
    make_device(&dev, pf);
    CHECK(!virtnet_recovery_save(&dev, dir));
    virtnet_recovery_flush();
    text = read_text(dir, dev.vuid);
    virtnet_device_uninit(&dev);
    return text;
}

/* Checks the record that 'from' becomes when member 'key' is the JSON 'value';
 * without 'value', when it is not there. */
static void
check_member(const char *dir, const char *from, const char *key,
             const char *value, bool good)
{
    struct json *json = json_from_string(from);
    char *text;

    CHECK(json->type == JSON_OBJECT);
    CHECK(shash_find(json_object(json), key));
    json_destroy(shash_find_and_delete(json_object(json), key));
    if (value) {
        char *one = xasprintf("{\"%s\": %s}", key, value);
        struct json *member = json_from_string(one);

        CHECK(member->type == JSON_OBJECT);
        json_object_put(json, key,
                        shash_find_and_delete(json_object(member), key));
        json_destroy(member);
        free(one);
    }
    text = json_to_string(json, 0);
    json_destroy(json);
    if (good) {
        clear(dir);
        write_file(dir, "GOODVNETS1D0F0", text, strlen(text));
        CHECK(count(dir) == 1);
        CHECK(exists(dir, "GOODVNETS1D0F0"));
    } else {
        check_bad(dir, text, strlen(text));
    }
    free(text);
}

static void
test_round_trip(const char *dir)
{
    struct virtnet_device dev, copy;
    struct virtnet_record **records;
    struct stat s;
    char *path;
    char *text;

    clear(dir);
    make_device(&dev, 3);
    dev.bridge = xstrdup("br \"odd\"");
    dev.owner_port = xstrdup("vm1");
    dev.attachment_path = xstrdup("/run/x.sock");
    dev.attachment_mode = "server";
    dev.config.link_up = false;
    dev.config.transitional = true;
    dev.config.mtu = 9000;
    dev.config.max_queue_pairs = 31;
    dev.config.max_queue_size = 32768;
    dev.config.num_msix = 64;
    dev.config.speed = 400000;
    CHECK(!virtnet_recovery_save(&dev, dir));
    virtnet_recovery_flush();
    CHECK(exists(dir, dev.vuid));

    path = path_of(dir, dev.vuid);
    CHECK(!stat(path, &s) && (s.st_mode & 0777) == 0600);
    free(path);

    /* The keys that are known elsewhere. */
    text = read_text(dir, dev.vuid);
    CHECK(strstr(text, "\"port_ib_dev\": \"mlx5_0\""));
    CHECK(strstr(text, "\"pf_id\": 3,"));
    CHECK(strstr(text, "\"function_type\": \"pf\""));
    CHECK(strstr(text, "\"bdf_raw\": 6144,"));
    CHECK(strstr(text, "\"device_type\": \"hotplug\""));
    CHECK(strstr(text, "\"mac\": \"0c:c4:7a:ff:22:96\""));
    CHECK(strstr(text, "\"pf_num\": 0,"));
    CHECK(strstr(text, "\"sf_num\": 2003,"));
    CHECK(strstr(text, "\"mq\": 31,"));
    CHECK(!strstr(text, "vf_id"));
    free(text);

    CHECK(load_all(dir, &records) == 1);
    CHECK(!strcmp(smap_get(&records[0]->backend, "color"), "\"blue\"\n"));
    CHECK(records[0]->type == VIRTNET_HOTPLUG_PF);
    memset(&copy, 0, sizeof copy);
    virtnet_device_init(&copy, &fake_backend, VIRTNET_HOTPLUG_PF);
    virtnet_record_to_device(records[0], &copy);
    virtnet_records_destroy(records, 1);
    CHECK(!strcmp(copy.vuid, dev.vuid));
    CHECK(copy.pf_id == dev.pf_id);
    CHECK(copy.bdf == dev.bdf);
    CHECK(copy.sf_num == dev.sf_num);
    CHECK(!strcmp(copy.ib_device, dev.ib_device));
    CHECK(!strcmp(copy.bridge, dev.bridge));
    CHECK(!strcmp(copy.owner_port, dev.owner_port));
    CHECK(!strcmp(copy.attachment_path, dev.attachment_path));
    CHECK(!strcmp(copy.attachment_mode, dev.attachment_mode));
    CHECK(eth_addr_equals(copy.config.mac, dev.config.mac));
    CHECK(copy.config.mtu == dev.config.mtu);
    CHECK(copy.config.features == dev.config.features);
    CHECK(copy.config.max_queue_pairs == dev.config.max_queue_pairs);
    CHECK(copy.config.max_queue_size == dev.config.max_queue_size);
    CHECK(copy.config.num_msix == dev.config.num_msix);
    CHECK(copy.config.speed == dev.config.speed);
    CHECK(copy.config.link_up == dev.config.link_up);
    CHECK(copy.config.transitional == dev.config.transitional);

    /* The latest of many versions counts. */
    for (int i = 0; i < 200; i++) {
        dev.config.mtu = 1000 + i;
        CHECK(!virtnet_recovery_save(&dev, dir));
    }
    CHECK(load_all(dir, &records) == 1);
    CHECK(records[0]->config.mtu == 1199);
    virtnet_records_destroy(records, 1);

    virtnet_recovery_delete(dev.vuid, dir);
    virtnet_recovery_flush();
    CHECK(!exists(dir, dev.vuid));
    CHECK(!count(dir));
    virtnet_recovery_delete(dev.vuid, dir);

    virtnet_device_uninit(&dev);
    virtnet_device_uninit(&copy);
}

/* Saving, deleting and the saver in each other's way. */
static void
test_races(const char *dir)
{
    struct virtnet_device dev;

    clear(dir);
    make_device(&dev, 0);
    for (int i = 0; i < 500; i++) {
        CHECK(!virtnet_recovery_save(&dev, dir));
        if (i % 3 == 1) {
            virtnet_recovery_delete(dev.vuid, dir);
        }
        if (i % 7 == 1) {
            virtnet_recovery_flush();
            CHECK(exists(dir, dev.vuid) == (i % 3 != 1));
        }
    }
    virtnet_recovery_delete(dev.vuid, dir);
    virtnet_recovery_flush();
    CHECK(!exists(dir, dev.vuid));
    CHECK(!count(dir));
    virtnet_device_uninit(&dev);
}

static void
test_order_and_numbers(const char *dir)
{
    struct virtnet_record **records;
    struct virtnet_device dev;
    size_t n;

    clear(dir);
    for (int i = 19; i >= 0; i--) {
        make_device(&dev, i);
        CHECK(!virtnet_recovery_save(&dev, dir));
        virtnet_device_uninit(&dev);
    }
    n = load_all(dir, &records);
    CHECK(n == 20);
    for (size_t i = 0; i < n; i++) {
        CHECK(records[i]->pf_id == i);
    }
    virtnet_records_destroy(records, n);

    /* Two that claim the same. */
    for (int i = 0; i < 4; i++) {
        struct virtnet_device first;
        bool same_mac = i == 2;

        clear(dir);
        make_device(&first, 0);
        CHECK(!virtnet_recovery_save(&first, dir));
        make_device(&dev, 1);
        if (i == 0) {
            dev.pf_id = first.pf_id;
        } else if (i == 1) {
            dev.sf_num = first.sf_num;
        } else if (same_mac) {
            dev.config.mac = first.config.mac;
        }
        CHECK(!virtnet_recovery_save(&dev, dir));
        CHECK(count(dir) == (i < 3 ? 1 : 2));
        CHECK(exists(dir, first.vuid));
        CHECK(exists(dir, dev.vuid) == (i == 3));
        CHECK(exists(dir, "MT0000X00000VNETS2D0F0.bad") == (i < 3));
        virtnet_device_uninit(&first);
        virtnet_device_uninit(&dev);
    }
}

static void
test_torn(const char *dir, const char *text)
{
    size_t size = strlen(text);
    char *zeros = xmalloc(size);

    for (size_t i = 0; i < size; i++) {
        check_bad(dir, text, i);

        /* Blocks that never came to the disk. */
        memcpy(zeros, text, size);
        memset(zeros + i, 0, size - i);
        check_bad(dir, zeros, size);

        /* Torn while it had not got its name: the old one counts. */
        clear(dir);
        write_file(dir, "GOODVNETS1D0F0", text, size);
        write_file(dir, "GOODVNETS1D0F0.tmp", text, i);
        write_file(dir, "LOSTVNETS1D0F0.tmp", text, i);
        CHECK(count(dir) == 1);
        CHECK(exists(dir, "GOODVNETS1D0F0"));
        CHECK(!exists(dir, "GOODVNETS1D0F0.bad"));
        CHECK(!exists(dir, "GOODVNETS1D0F0.tmp"));
        CHECK(!exists(dir, "LOSTVNETS1D0F0.tmp"));
        CHECK(!exists(dir, "LOSTVNETS1D0F0"));
    }
    free(zeros);

    /* Every byte another one must not crash, whatever comes of it. */
    for (size_t i = 0; i < size; i++) {
        static const char bytes[] = "\0\x01\"\\{}[],:-9e\xff";
        char *damaged = xmemdup0(text, size);

        damaged[i] = bytes[i % (sizeof bytes - 1)];
        clear(dir);
        write_file(dir, "ODDVNETS1D0F0", damaged, size);
        CHECK(count(dir) <= 1);
        free(damaged);
    }
}

/* What the last process wrote and did not come to give its name to. */
static void
test_temp(const char *dir)
{
    struct virtnet_record **records;
    struct virtnet_device dev;
    char *old, *new;

    make_device(&dev, 0);
    clear(dir);
    CHECK(!virtnet_recovery_save(&dev, dir));
    virtnet_recovery_flush();
    old = read_text(dir, dev.vuid);
    dev.config.mtu = 9000;
    CHECK(!virtnet_recovery_save(&dev, dir));
    virtnet_recovery_flush();
    new = read_text(dir, dev.vuid);
    CHECK(strcmp(old, new));

    for (int with_old = 0; with_old < 2; with_old++) {
        clear(dir);
        if (with_old) {
            write_file(dir, dev.vuid, old, strlen(old));
        }
        write_file(dir, "MT0000X00000VNETS1D0F0.tmp", new, strlen(new));
        CHECK(load_all(dir, &records) == 1);
        CHECK(records[0]->config.mtu == 9000);
        virtnet_records_destroy(records, 1);
        CHECK(!exists(dir, "MT0000X00000VNETS1D0F0.tmp"));
        CHECK(count(dir) == 1);
    }
    free(old);
    free(new);
    virtnet_device_uninit(&dev);
}

static void
test_members(const char *dir, const char *text)
{
    static const struct {
        const char *key;
        const char *bad[8];
        const char *good[3];
        bool optional;
    } members[] = {
        { "pf_id", { "-1", "65536", "1.5", "\"0\"", "[]", "null" },
          { "0", "65535" }, false },
        { "function_type", { "\"VF\"", "1", "\"\"", "\"vf\"" }, { NULL },
          false },
        { "device_type", { "\"x\"", "{}" }, { "\"hotplug\"" }, false },
        { "bdf_raw", { "-1", "65536", "\"15:00.0\"" }, { "0", "65535" },
          false },
        { "mac", { "\"\"", "\"0c:c4\"", "\"01:00:00:00:00:00\"",
                   "\"00:00:00:00:00:00\"", "12" },
          { "\"0C:C4:7A:FF:22:93\"" }, false },
        { "pf_num", { "-1", "256", "\"0\"" }, { "7" }, true },
        { "sf_num", { "1999", "3000", "-1", "99999999999999999999" },
          { "2999" }, false },
        { "mq", { "0", "129", "true" }, { "1", "128" }, false },
        { "mtu", { "67", "9217", "\"1500\"" }, { "68", "9216" }, true },
        { "features", { "\"xyz\"", "1", "\"0x1ffffffffffffffff\"" },
          { "\"0xffffffffffffffff\"" }, false },
        { "max_queue_size", { "3", "100", "65536" }, { "4", "32768" }, true },
        { "num_msix", { "-1", "65536" }, { "0" }, true },
        { "speed", { "-1", "4294967296" }, { "0" }, true },
        { "link", { "2", "true" }, { "0" }, true },
        { "transitional", { "2" }, { "1" }, true },
        { "port_ib_dev", { "\"\"", "7", "[\"mlx5_0\"]", "\"x\xff\"",
                           "\"x\xc3\"" }, { "\"x\"", "\"x\xc3\xa9\"" },
          false },
        { "backend", { "[]", "{\"a\": 1}", "\"a\"" }, { "{}" }, true },
    };

    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char *key = members[i].key;

        for (size_t j = 0; members[i].bad[j]; j++) {
            check_member(dir, text, key, members[i].bad[j], false);
        }
        for (size_t j = 0; members[i].good[j]; j++) {
            check_member(dir, text, key, members[i].good[j], true);
        }
        check_member(dir, text, key, NULL, members[i].optional);
    }
}

static void
test_not_files(const char *dir, const char *text)
{
    static const char deep[] = "[[[[[[[[";
    char *outside = xasprintf("%s.outside", dir);
    struct virtnet_device dev;
    struct ds ds = DS_EMPTY_INITIALIZER;
    char *huge = xmalloc(1 << 20);
    char *path;

    /* Links, directories and pipes. */
    clear(dir);
    CHECK(!count(dir));
    write_file(dir, "GOODVNETS1D0F0", text, strlen(text));
    path = path_of(dir, "GOODVNETS1D0F0");
    CHECK(!rename(path, outside));
    CHECK(!symlink(outside, path));
    CHECK(!count(dir));
    CHECK(!access(outside, F_OK));
    CHECK(exists(dir, "GOODVNETS1D0F0.bad"));
    CHECK(!mkdir(path, 0700));
    CHECK(!count(dir));
    free(path);
    path = path_of(dir, "PIPE");
    CHECK(!mkfifo(path, 0600));
    CHECK(!count(dir));
    CHECK(exists(dir, "PIPE.bad"));
    free(path);

    /* A link in the way of a new file is not written through. */
    clear(dir);
    make_device(&dev, 0);
    path = path_of(dir, "MT0000X00000VNETS1D0F0.tmp");
    CHECK(!symlink(outside, path));
    CHECK(!truncate(outside, 0));
    CHECK(!virtnet_recovery_save(&dev, dir));
    virtnet_recovery_flush();
    CHECK(count(dir) == 1);
    {
        struct stat s;

        CHECK(!stat(outside, &s) && !s.st_size);
    }
    free(path);
    CHECK(!unlink(outside));

    /* Names. */
    clear(dir);
    write_file(dir, "with space", text, strlen(text));
    write_file(dir, "esc\033[2J\nname", text, strlen(text));
    write_file(dir, ".hidden", text, strlen(text));
    write_file(dir, "OLD.bad", text, strlen(text));
    CHECK(!count(dir));
    CHECK(exists(dir, "with space.bad"));
    CHECK(exists(dir, ".hidden"));
    CHECK(exists(dir, "OLD.bad"));

    /* Sizes and depths. */
    memset(huge, ' ', 1 << 20);
    check_bad(dir, huge, 1 << 20);
    check_bad(dir, "", 0);
    check_bad(dir, "[]", 2);
    check_bad(dir, "\"text\"", 6);
    check_bad(dir, "{}", 2);
    check_bad(dir, "{} {}", 5);
    for (int i = 0; i < 60000; i += sizeof deep - 1) {
        ds_put_cstr(&ds, deep);
    }
    check_bad(dir, ds.string, ds.length);
    ds_destroy(&ds);
    free(huge);

    /* A directory that is not there is made; one that cannot be is said. */
    path = path_of(dir, "a/b/c");
    CHECK(!count(path));
    CHECK(!virtnet_recovery_save(&dev, path));
    CHECK(count(path) == 1);
    free(path);
    write_file(dir, "file", "x", 1);
    path = path_of(dir, "file/b");
    CHECK(virtnet_recovery_save(&dev, path) < 0);
    CHECK(!count(path));
    free(path);
    free(dev.vuid);
    dev.vuid = xstrdup("../escape");
    CHECK(virtnet_recovery_save(&dev, dir) == VIRTNET_E_REC_CREATE);
    virtnet_device_uninit(&dev);
    free(outside);
}

int
main(int argc, char *argv[])
{
    char dir[] = "test-virtnet-recovery.XXXXXX";
    char *text;

    ovs_set_program_name(argv[0], "1.0");
    if (argc < 2 || strcmp(argv[1], "-v")) {
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
    CHECK(mkdtemp(dir));

    test_round_trip(dir);
    test_races(dir);
    test_order_and_numbers(dir);
    test_temp(dir);

    text = make_text(dir, 0);
    other_text = make_text(dir, 7);
    test_torn(dir, text);
    test_members(dir, text);
    test_not_files(dir, text);
    free(text);
    free(other_text);
    remove_tree(dir);
    printf("%u checks passed\n", n_checks);
    return 0;
}
