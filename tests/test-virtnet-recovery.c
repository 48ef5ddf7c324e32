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
#include "virtnet-life.h"
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

static void
save(const struct virtnet_device *dev, const char *dir)
{
    CHECK(!virtnet_recovery_save(dev, dir, NULL, NULL));
}

/* Outcomes of records, in the order in which they were told. */
static struct outcome {
    int error;
    int number;                 /* Of the record. */
} outcomes[8];
static int n_outcomes;

static void
hear(int error, void *number)
{
    outcomes[n_outcomes++] = (struct outcome) {
        error, (uintptr_t) number
    };
}

/* Saves 'dev', of which hear() will be told as 'number'. */
static void
save_and_hear(const struct virtnet_device *dev, const char *dir, int number)
{
    CHECK(!virtnet_recovery_save(dev, dir, hear,
                                 (void *) (uintptr_t) number));
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

/* A VUID that is of another card. */
static char *
check_record(const struct virtnet_record *record)
{
    return (strncmp(record->vuid, "FOREIGN", 7) ? NULL
            : xstrdup("of another card"));
}

/* Reads all records of 'dir', as virtnet_record_reader_finish() has it. */
static size_t
load_all(const char *dir, struct virtnet_record ***recordsp)
{
    struct virtnet_record_reader *reader;
    struct virtnet_slice slice;

    virtnet_record_io_flush();
    reader = virtnet_recovery_read(dir);
    do {
        virtnet_slice_begin(&slice, false);
    } while (!virtnet_record_reader_run(reader, &slice));
    return virtnet_record_reader_finish(reader, check_record, recordsp);
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
    virtnet_record_io_flush();
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
    dev.config.rx_dma_q_num = 1;
    dev.config.cq_period = dev.config.cq_max_count = 1;
    save(&dev, dir);
    virtnet_record_io_flush();
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
    save(&dev, dir);
    virtnet_record_io_flush();
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
        save(&dev, dir);
    }
    CHECK(load_all(dir, &records) == 1);
    CHECK(records[0]->config.mtu == 1199);
    virtnet_records_destroy(records, 1);

    virtnet_recovery_delete(dev.vuid, dir);
    virtnet_record_io_flush();
    CHECK(!exists(dir, dev.vuid));
    CHECK(!count(dir));
    virtnet_recovery_delete(dev.vuid, dir);

    virtnet_device_uninit(&dev);
    virtnet_device_uninit(&copy);
}

/* Checks that the record of 'dev' comes back, with 'there' in its text and
 * 'not_there' not. */
static void
check_kind(const char *dir, const struct virtnet_device *dev,
           const char *there[], const char *not_there[])
{
    struct virtnet_record **records;
    struct virtnet_device copy;
    char *text;

    clear(dir);
    save(dev, dir);
    virtnet_record_io_flush();
    text = read_text(dir, dev->vuid);
    for (int i = 0; there[i]; i++) {
        CHECK(strstr(text, there[i]));
    }
    for (int i = 0; not_there[i]; i++) {
        CHECK(!strstr(text, not_there[i]));
    }
    free(text);

    CHECK(load_all(dir, &records) == 1);
    CHECK(records[0]->type == dev->type);
    memset(&copy, 0, sizeof copy);
    virtnet_device_init(&copy, &fake_backend, dev->type);
    virtnet_record_to_device(records[0], &copy);
    virtnet_records_destroy(records, 1);
    CHECK(!strcmp(copy.vuid, dev->vuid));
    CHECK(copy.pf_id == dev->pf_id && copy.vf_id == dev->vf_id);
    CHECK(copy.num_vfs == dev->num_vfs);
    CHECK(copy.sf_num == dev->sf_num);
    CHECK(!virtnet_config_changes(&copy.config, &dev->config));
    virtnet_device_uninit(&copy);
}

/* What records of static PFs and VFs have, and attributes that not all
 * have. */
static void
test_kinds(const char *dir)
{
    struct virtnet_device dev;

    make_device(&dev, 0);
    dev.type = VIRTNET_STATIC_PF;
    dev.sf_num = VIRTNET_SF_STATIC_MIN;
    dev.num_vfs = 5;
    check_kind(dir, &dev,
               (const char *[]) { "\"function_type\": \"pf\"",
                                  "\"device_type\": \"static\"",
                                  "\"num_vfs\": 5,", NULL },
               (const char *[]) { "vf_id", "rx_mode", "hash_types", "dim",
                                  "aarfs", "counter", "rq_cq", NULL });

    dev.type = VIRTNET_VF;
    dev.sf_num = VIRTNET_SF_VF_MIN + 7;
    dev.num_vfs = 0;
    dev.vf_id = 7;
    dev.config.max_queue_pairs = 0;
    dev.config.num_msix = 0;
    check_kind(dir, &dev,
               (const char *[]) { "\"function_type\": \"vf\"",
                                  "\"pf_id\": 0,", "\"vf_id\": 7",
                                  "\"mac\": \"0c:c4:7a:ff:22:93\"", NULL },
               (const char *[]) { "device_type", "num_vfs", NULL });

    dev.config.max_queue_pairs = 2;
    dev.config.rx_mode_set = true;
    dev.config.rx_mode = VIRTNET_RX_ALL_BITS;
    dev.config.hash_types = 0x1ff;
    dev.config.rss_key_size = 40;
    dev.config.rx_dma_q_num = VIRTNET_MAX_QUEUE_PAIRS;
    dev.config.dim = true;
    dev.config.net_dim = dev.config.net_dim_set = true;
    dev.config.drop_counter = dev.config.packet_counter = true;
    dev.config.cq_period_mode = 2;
    dev.config.cq_period = VIRTNET_CQ_MAX;
    dev.config.cq_max_count = VIRTNET_CQ_MAX - 1;
    check_kind(dir, &dev, (const char *[]) { NULL },
               (const char *[]) { NULL });
    virtnet_device_uninit(&dev);
}

/* Whatever the disk takes, nobody waits for it, all is done in the order in
 * which it was asked for, and who wants to know is told. */
static void
test_order_of_jobs(const char *dir)
{
    struct virtnet_device again, gone, kept;
    struct virtnet_record **records;
    uint64_t n_jobs;
    char *temp;

    clear(dir);
    make_device(&again, 0);
    make_device(&gone, 1);
    make_device(&kept, 2);
    save(&kept, dir);
    virtnet_record_io_flush();
    CHECK(virtnet_record_io_is_flushed());

    virtnet_record_io_hold(true);
    n_jobs = virtnet_record_io_n_jobs();
    CHECK(virtnet_record_io_has_done(n_jobs));
    n_outcomes = 0;
    save_and_hear(&again, dir, 1);
    virtnet_recovery_delete(again.vuid, dir);
    save_and_hear(&gone, dir, 2);
    again.config.mtu = 9000;
    save_and_hear(&again, dir, 3);
    virtnet_recovery_delete(gone.vuid, dir);
    kept.config.mtu = 1400;
    save_and_hear(&kept, dir, 4);
    kept.config.mtu = 1300;
    save(&kept, dir);
    CHECK(virtnet_record_io_n_jobs() == n_jobs + 7);

    /* The disk stands still. */
    virtnet_record_io_run();
    CHECK(!n_outcomes);
    CHECK(!virtnet_record_io_is_flushed());
    CHECK(virtnet_record_io_has_done(n_jobs));
    CHECK(!virtnet_record_io_has_done(n_jobs + 1));
    CHECK(!exists(dir, again.vuid));

    /* It goes on. */
    virtnet_record_io_flush();
    CHECK(virtnet_record_io_is_flushed());
    CHECK(virtnet_record_io_has_done(n_jobs + 7));
    CHECK(!n_outcomes);
    virtnet_record_io_run();
    CHECK(n_outcomes == 4);
    for (int i = 0; i < n_outcomes; i++) {
        CHECK(!outcomes[i].error && outcomes[i].number == i + 1);
    }
    virtnet_record_io_run();
    CHECK(n_outcomes == 4);
    CHECK(!exists(dir, gone.vuid));
    CHECK(load_all(dir, &records) == 2);
    CHECK(records[0]->pf_id == 0 && records[0]->config.mtu == 9000);
    CHECK(records[1]->pf_id == 2 && records[1]->config.mtu == 1300);
    virtnet_records_destroy(records, 2);

    /* One that cannot be written costs no other, and not the old one. */
    temp = path_of(dir, "MT0000X00000VNETS1D0F0.tmp");
    CHECK(!mkdir(temp, 0700));
    virtnet_record_io_hold(true);
    n_outcomes = 0;
    save_and_hear(&again, dir, 1);
    save_and_hear(&kept, dir, 2);
    virtnet_record_io_flush();
    virtnet_record_io_run();
    CHECK(n_outcomes == 2);
    CHECK(outcomes[0].error == VIRTNET_E_REC_CFG_SAVE);
    CHECK(!outcomes[1].error);
    CHECK(exists(dir, again.vuid));
    CHECK(!rmdir(temp));
    free(temp);

    virtnet_device_uninit(&again);
    virtnet_device_uninit(&gone);
    virtnet_device_uninit(&kept);
}

/* Saving, deleting and the disk in each other's way. */
static void
test_races(const char *dir)
{
    struct virtnet_device dev;

    clear(dir);
    make_device(&dev, 0);
    for (int i = 0; i < 500; i++) {
        save(&dev, dir);
        if (i % 3 == 1) {
            virtnet_recovery_delete(dev.vuid, dir);
        }
        if (i % 7 == 1) {
            virtnet_record_io_flush();
            CHECK(exists(dir, dev.vuid) == (i % 3 != 1));
        }
    }
    virtnet_recovery_delete(dev.vuid, dir);
    virtnet_record_io_flush();
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
        save(&dev, dir);
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
        save(&first, dir);
        make_device(&dev, 1);
        if (i == 0) {
            dev.pf_id = first.pf_id;
        } else if (i == 1) {
            dev.sf_num = first.sf_num;
        } else if (same_mac) {
            dev.config.mac = first.config.mac;
        }
        save(&dev, dir);
        CHECK(count(dir) == (i < 3 ? 1 : 2));
        CHECK(exists(dir, first.vuid));
        CHECK(exists(dir, dev.vuid) == (i == 3));
        CHECK(exists(dir, "MT0000X00000VNETS2D0F0.bad") == (i < 3));
        virtnet_device_uninit(&first);
        virtnet_device_uninit(&dev);
    }

    /* One that is of another card, or is refused, claims nothing. */
    for (int foreign = 0; foreign < 2; foreign++) {
        const char *vuid = foreign ? "FOREIGNVNETS1D0F0" : "MT9";
        char *bad = xasprintf("%s.bad", vuid);

        clear(dir);
        for (int i = 0; i < 3; i++) {
            make_device(&dev, i);
            save(&dev, dir);
            virtnet_device_uninit(&dev);
        }
        make_device(&dev, 0);
        free(dev.vuid);
        dev.vuid = xstrdup(vuid);
        dev.sf_num++;
        eth_addr_from_uint64(UINT64_C(0x0cc47aff2295), &dev.config.mac);
        save(&dev, dir);
        virtnet_device_uninit(&dev);
        CHECK(load_all(dir, &records) == 3);
        for (int i = 0; i < 3; i++) {
            CHECK(!strncmp(records[i]->vuid, "MT0000X00000", 12));
            CHECK(records[i]->pf_id == i);
        }
        virtnet_records_destroy(records, 3);
        CHECK(exists(dir, bad));
        free(bad);
    }
}

/* The firmware configuration that records go with. */
static void
test_firmware(const char *dir)
{
    static const char now[] = "num-pf=1 num-vf=2 is-lag=0";
    struct virtnet_device dev;
    char *text;

    /* Torn, of another version, or nonsense: nothing is known of a change. */
    make_device(&dev, 0);
    for (size_t i = 0; i < 2 * sizeof now + 4; i++) {
        char *torn = xmemdup0(now, sizeof now - 1);

        clear(dir);
        save(&dev, dir);
        if (i < sizeof now - 1) {
            write_file(dir, ".firmware", torn, i);
        } else if (i < 2 * (sizeof now - 1)) {
            size_t n = i - (sizeof now - 1);

            memset(torn + n, 0, sizeof now - 1 - n);
            write_file(dir, ".firmware", torn, sizeof now - 1);
        } else {
            static const char *const others[] = {
                "num-pf=1 num-vf=2 is-lag=0 more=1", "num-pf=1 is-lag=0",
                "num-pf=1 num-vm=2 is-lag=0", "===", " ", "\n",
            };

            text = CONST_CAST(char *, others[i % ARRAY_SIZE(others)]);
            write_file(dir, ".firmware", text, strlen(text));
        }
        virtnet_recovery_check_firmware(dir, now);
        CHECK(count(dir) == 1);
        CHECK(exists(dir, ".firmware.bad"));
        text = read_text(dir, ".firmware");
        CHECK(!strcmp(text, now));
        free(text);
        free(torn);
    }

    /* Written, but killed before it had its name; and torn then. */
    for (int torn = 0; torn < 2; torn++) {
        clear(dir);
        save(&dev, dir);
        write_file(dir, ".firmware", "num-pf=9 num-vf=2 is-lag=0", 26);
        write_file(dir, ".firmware.tmp", now, torn ? 25 : 26);
        virtnet_recovery_check_firmware(dir, now);
        CHECK(count(dir) == !torn);
        CHECK(!exists(dir, ".firmware.tmp"));
        text = read_text(dir, ".firmware");
        CHECK(!strcmp(text, now));
        free(text);
    }

    /* Missing, the same, and another one. */
    for (int i = 0; i < 3; i++) {
        clear(dir);
        save(&dev, dir);
        if (i) {
            write_file(dir, ".firmware", i == 1 ? now
                       : "num-pf=1 num-vf=13 is-lag=0",
                       i == 1 ? strlen(now) : strlen(now) + 1);
        }
        virtnet_recovery_check_firmware(dir, now);
        CHECK(count(dir) == (i < 2));
        CHECK(!exists(dir, ".firmware.bad"));
        text = read_text(dir, ".firmware");
        CHECK(!strcmp(text, now));
        free(text);
    }
    virtnet_device_uninit(&dev);
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
    save(&dev, dir);
    virtnet_record_io_flush();
    old = read_text(dir, dev.vuid);
    dev.config.mtu = 9000;
    save(&dev, dir);
    virtnet_record_io_flush();
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
        { "rx_dma_q_num", { "-1", "129" }, { "0", "128" }, true },
        { "rq_cq_period", { "-1", "65536" }, { "0", "65535" }, true },
        { "rq_cq_max_count", { "-1", "65536" }, { "0", "65535" }, true },
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
    path = path_of(dir, "PIPEVNETS1D0F0");
    CHECK(!mkfifo(path, 0600));
    CHECK(!count(dir));
    CHECK(exists(dir, "PIPEVNETS1D0F0.bad"));
    free(path);

    /* A link in the way of a new file is not written through. */
    clear(dir);
    make_device(&dev, 0);
    path = path_of(dir, "MT0000X00000VNETS1D0F0.tmp");
    CHECK(!symlink(outside, path));
    CHECK(!truncate(outside, 0));
    save(&dev, dir);
    virtnet_record_io_flush();
    CHECK(count(dir) == 1);
    {
        struct stat s;

        CHECK(!stat(outside, &s) && !s.st_size);
    }
    free(path);
    CHECK(!unlink(outside));

    /* Names. */
    clear(dir);
    write_file(dir, "VNETS with space", text, strlen(text));
    write_file(dir, "VNETS esc\033[2J\nname", text, strlen(text));
    write_file(dir, ".hidden", text, strlen(text));
    write_file(dir, "OLD.bad", text, strlen(text));
    CHECK(!count(dir));
    CHECK(exists(dir, "VNETS with space.bad"));
    CHECK(exists(dir, "VNETS esc\033[2J\nname.bad"));
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
    save(&dev, path);
    CHECK(count(path) == 1);
    free(path);
    write_file(dir, "file", "x", 1);
    path = path_of(dir, "file/b");
    n_outcomes = 0;
    save_and_hear(&dev, path, 1);
    CHECK(!count(path));
    virtnet_record_io_run();
    CHECK(n_outcomes == 1 && outcomes[0].error == VIRTNET_E_REC_CFG_SAVE);
    free(path);
    free(dev.vuid);
    dev.vuid = xstrdup("../escape");
    CHECK(virtnet_recovery_save(&dev, dir, hear, NULL)
          == VIRTNET_E_REC_CREATE);
    virtnet_record_io_flush();
    virtnet_record_io_run();
    CHECK(n_outcomes == 1);

    /* The longest VUID that there can be, and one that is longer. */
    for (int extra = 0; extra < 2; extra++) {
        clear(dir);
        free(dev.vuid);
        dev.vuid = xasprintf("%0*dVNETS31D0F0", 128 - 11 + extra, 1);
        CHECK(strlen(dev.vuid) == 128 + extra);
        CHECK(virtnet_recovery_save(&dev, dir, NULL, NULL)
              == (extra ? VIRTNET_E_REC_CREATE : 0));
        CHECK(count(dir) == !extra);
    }
    virtnet_device_uninit(&dev);
    free(outside);
}

/* A directory that is somebody else's, too: what is theirs stays as it is. */
static void
test_others(const char *dir, const char *text)
{
    static const char *const others[] = {
        "conf.db", "passwd", "my file", "keep.tmp", "x.y.tmp", "esc\033[2J\n",
    };
    char *subdir = path_of(dir, "subdir");

    clear(dir);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        write_file(dir, others[i], "theirs", 6);
    }
    CHECK(!mkdir(subdir, 0700));
    free(subdir);
    write_file(dir, "MT9", text, strlen(text));
    CHECK(count(dir) == 1);

    /* A new firmware configuration: only records go. */
    virtnet_recovery_check_firmware(dir, "num-pf=1");
    virtnet_recovery_check_firmware(dir, "num-pf=2");
    CHECK(count(dir) == 0);
    CHECK(!exists(dir, "MT9"));

    CHECK(exists(dir, "subdir"));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        char *theirs = read_text(dir, others[i]);

        CHECK(!strcmp(theirs, "theirs"));
        free(theirs);
    }
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
    test_kinds(dir);
    test_order_of_jobs(dir);
    test_races(dir);
    test_order_and_numbers(dir);
    test_firmware(dir);
    test_temp(dir);

    text = make_text(dir, 0);
    other_text = make_text(dir, 7);
    test_torn(dir, text);
    test_members(dir, text);
    test_not_files(dir, text);
    test_others(dir, text);
    free(text);
    free(other_text);
    remove_tree(dir);
    printf("%u checks passed\n", n_checks);
    return 0;
}
