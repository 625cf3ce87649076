/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <vips/vips.h>

#include "normalize/buf.h"
#include "normalize/mem.h"
#include "normalize/photo.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

/* --- Files as phones and attackers make them --- */

static const char secret[] = "GPS of Sari Contoh, serial 0000";

/* A picture whose left half is red and whose right half is blue, with what a camera writes. */
static VipsImage *picture(int width, int height, int bands)
{
    static const double left[] = {200, 10, 10, 255}, right[] = {10, 10, 200, 40};
    VipsImage *halves[2], *joined, *named;
    VipsArrayDouble *colour;
    for (int i = 0; i < 2; i++) {
        VipsImage *black;
        colour = vips_array_double_new(i == 0 ? left : right, bands);
        assert_int_equal(vips_black(&black, width / 2, height, "bands", bands, NULL), 0);
        static const double one[] = {1, 1, 1, 1};
        assert_int_equal(
            vips_linear(black, &halves[i], one, i == 0 ? left : right, bands, "uchar", TRUE, NULL),
            0);
        g_object_unref(black);
        vips_area_unref(VIPS_AREA(colour));
    }
    assert_int_equal(vips_join(halves[0], halves[1], &joined, VIPS_DIRECTION_HORIZONTAL, NULL), 0);
    assert_int_equal(vips_copy(joined, &named, "interpretation", VIPS_INTERPRETATION_sRGB, NULL),
                     0);
    vips_image_set_string(named, "exif-ifd0-Copyright", secret);
    vips_image_set_string(named, "exif-ifd3-GPSLatitude", "6/1 12/1 0/1");
    vips_image_set_blob_copy(named, VIPS_META_XMP_NAME, secret, sizeof secret - 1);
    g_object_unref(halves[0]);
    g_object_unref(halves[1]);
    g_object_unref(joined);
    return named;
}

typedef int saver(VipsImage *image, void **data, size_t *len);

static int save_jpeg(VipsImage *image, void **data, size_t *len)
{
    return vips_jpegsave_buffer(image, data, len, "Q", 95, "profile", "p3", NULL);
}

static int save_png(VipsImage *image, void **data, size_t *len)
{
    return vips_pngsave_buffer(image, data, len, NULL);
}

static int save_webp(VipsImage *image, void **data, size_t *len)
{
    return vips_webpsave_buffer(image, data, len, "lossless", TRUE, NULL);
}

/* PNG's check sum (ISO 3309), bit by bit. */
static uint32_t crc32_of(const char *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* Appends a chunk whose type and content are content. */
static void add_chunk(struct buf *out, const char *content, size_t len)
{
    buf_add_u32(out, (uint32_t)len - 4);
    buf_add(out, content, len);
    buf_add_u32(out, crc32_of(content, len));
}

/* Puts a comment and an EXIF chunk behind the header of a PNG. */
static void add_png_metadata(struct buf *file)
{
    enum { HEAD = 8 + 25 };
    static const char text[] = "tEXtTitle\0GPS of Sari Contoh";
    static const char exif_chunk[] = "eXIfII*\0\x08\0\0\0\0\0\0\0\0\0GPS of Sari Contoh";
    struct buf with = BUF_INIT(FILE_MAX);
    buf_add(&with, file->data, HEAD);
    add_chunk(&with, text, sizeof text - 1);
    add_chunk(&with, exif_chunk, sizeof exif_chunk - 1);
    buf_add(&with, file->data + HEAD, file->len - HEAD);
    buf_release(file);
    *file = with;
}

/* Saves image (which is released) into *out. */
static void save(VipsImage *image, saver *how, struct buf *out)
{
    void *data = NULL;
    size_t len = 0;
    if (how(image, &data, &len) != 0)
        fail_msg("%s", vips_error_buffer());
    buf_clear(out);
    buf_add(out, data, len);
    g_free(data);
    g_object_unref(image);
    if (how == save_png)
        add_png_metadata(out);
}

/* A HEIC with the same picture and metadata: 64 x 32. Made once, as few systems have an encoder. */
static void load_heic(struct buf *out)
{
    gchar *data;
    gsize len;
    assert_true(g_file_get_contents(TEST_DATA "/photo/camera.heic", &data, &len, NULL));
    buf_clear(out);
    buf_add(out, data, len);
    g_free(data);
}

/* The picture as each kind of file; index 3 is the HEIC. */
enum { KINDS = 4 };

static void make(size_t kind, struct buf *out)
{
    static saver *const savers[] = {save_jpeg, save_png, save_webp};
    if (kind < 3)
        save(picture(64, 32, 3), savers[kind], out);
    else
        load_heic(out);
}

/* --- Looking at what came out --- */

static unsigned byte_at(const struct photo *photo, size_t at)
{
    assert_true(at < photo->len);
    return (unsigned char)photo->data[at];
}

/* Only tables, one frame and its scan; nothing behind the end. */
static void assert_bare_jpeg(const struct photo *photo)
{
    size_t at = 2;
    assert_memory_equal(photo->data, "\xff\xd8", 2);
    while (byte_at(photo, at + 1) != 0xda) {
        unsigned marker = byte_at(photo, at + 1);
        assert_int_equal(byte_at(photo, at), 0xff);
        bool table = marker == 0xdb || marker == 0xc4 || marker == 0xdd;
        if (!table && marker != 0xc0)
            fail_msg("marker %02x survived", marker);
        at += 2 + (byte_at(photo, at + 2) << 8 | byte_at(photo, at + 3));
    }
    for (at += 2; byte_at(photo, at) != 0xff || byte_at(photo, at + 1) == 0 ||
                  (byte_at(photo, at + 1) & 0xf8) == 0xd0;)
        at++;
    assert_int_equal(byte_at(photo, at + 1), 0xd9);
    assert_int_equal(at + 2, photo->len);
}

static void assert_bare_png(const struct photo *photo)
{
    static const char *const chunks[] = {"IHDR", "PLTE", "tRNS", "pHYs", "IDAT", "IEND"};
    size_t at = 8;
    while (at < photo->len) {
        bool known = false;
        for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
            known |= memcmp(photo->data + at + 4, chunks[i], 4) == 0;
        if (!known)
            fail_msg("chunk %.4s survived", photo->data + at + 4);
        at += 12 + (byte_at(photo, at) << 24 | byte_at(photo, at + 1) << 16 |
                    byte_at(photo, at + 2) << 8 | byte_at(photo, at + 3));
    }
    assert_int_equal(at, photo->len);
}

static void assert_bare(const struct photo *photo)
{
    static const char *const words[] = {"Exif", "GPS",    "Sari", "http", "ICC_PROFILE",
                                        "xmp",  "Contoh", "lcms", "eXIf", "<script"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_null(memmem(photo->data, photo->len, words[i], strlen(words[i])));
    if (strcmp(photo->media_type, "image/png") == 0)
        assert_bare_png(photo);
    else
        assert_bare_jpeg(photo);
}

static void clean(const struct buf *file, struct photo *photo)
{
    struct err err = ERR_INIT;
    *photo = (struct photo){0};
    if (photo_clean(file->data, file->len, photo, &err) != 0)
        fail_msg("%s", err.text);
    assert_bare(photo);
}

static void assert_refused(const struct buf *file)
{
    struct photo photo = {0};
    struct err err = ERR_INIT;
    assert_int_equal(photo_clean(file->data, file->len, &photo, &err), -1);
    assert_int_equal(err.kind, ERR_PERMANENT);
    assert_null(photo.data);
}

/* Whether the pixel is more red than blue. */
static bool is_red(const struct photo *photo, int x, int y)
{
    VipsImage *image = vips_image_new_from_buffer(photo->data, photo->len, "", NULL);
    double *pixel;
    int bands;
    assert_non_null(image);
    assert_int_equal(vips_getpoint(image, &pixel, &bands, x, y, NULL), 0);
    assert_true(bands >= 3);
    bool red = pixel[0] > pixel[2];
    g_free(pixel);
    g_object_unref(image);
    return red;
}

/* --- Tests --- */

static void told_by_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *type;
    } cases[] = {
        {"\xff\xd8\xff\xe0", 4, "image/jpeg"},
        {"\x89PNG\r\n\x1a\n", 8, "image/png"},
        {"RIFF\0\0\0\0WEBPVP8L", 16, "image/webp"},
        {"\0\0\0\x18"
         "ftypheic\0\0\0\0mif1heic",
         24, "image/heic"},
        {"\0\0\0\x18"
         "ftypheix\0\0\0\0mif1heix",
         24, "image/heic"},
        {"\0\0\0\x18"
         "ftypmif1\0\0\0\0mif1heic",
         24, "image/heic"},
        {"\0\0\0\x18"
         "ftypmif1\0\0\0\0mif1avif",
         24, NULL},
        {"\0\0\0\x14"
         "ftypmif1\0\0\0\0mif1heic",
         24, NULL},
        {"\0\0\0\x18"
         "ftypavif\0\0\0\0mif1avif",
         24, NULL},
        {"\0\0\0\x18"
         "ftypheic",
         12, NULL},
        {"", 0, NULL},
        {"\xff\xd8", 2, NULL},
        {"GIF89a\1\0\1\0", 10, NULL},
        {"II*\0\10\0\0\0", 8, NULL},
        {"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", 41, NULL},
        {"%PDF-1.4", 8, NULL},
        {"RIFF\0\0\0\0WAVEfmt ", 16, NULL},
        {" \xff\xd8\xff", 4, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *type = photo_sniff(cases[i].bytes, cases[i].len);
        if (cases[i].type == NULL)
            assert_null(type);
        else
            assert_string_equal(type, cases[i].type);
    }
}

static void nothing_but_pixels_survives(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct buf file = BUF_INIT(FILE_MAX);
        struct photo photo;
        make(i, &file);
        assert_non_null(memmem(file.data, file.len, "Sari", 4)); /* it was there before */
        clean(&file, &photo);
        assert_string_equal(photo.media_type, "image/jpeg");
        assert_int_equal(photo.width, 64);
        assert_int_equal(photo.height, 32);
        assert_true(is_red(&photo, 4, 4));
        assert_false(is_red(&photo, 60, 4));
        photo_release(&photo);
        buf_release(&file);
    }
}

/* APP1 with orientation 6 (turn right) and a GPS directory, by hand: TIFF, little endian. */
static const char exif[] = "\xff\xe1\x00\x4a"
                           "Exif\0\0"
                           "II*\0\x08\0\0\0"
                           "\x02\0"
                           "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
                           "\x25\x88\x04\0\x01\0\0\0\x26\0\0\0"
                           "\0\0\0\0"
                           "\x01\0"
                           "\x1d\0\x02\0\x0b\0\0\0\x38\0\0\0"
                           "\0\0\0\0"
                           "2026:11:21";

static void photos_stand_upright(void **state)
{
    (void)state;
    struct buf plain = BUF_INIT(FILE_MAX), turned = BUF_INIT(FILE_MAX);
    struct photo photo;
    VipsImage *image = picture(64, 32, 3);
    vips_image_remove(image, VIPS_META_XMP_NAME);
    vips_image_remove(image, "exif-ifd0-Copyright");
    vips_image_remove(image, "exif-ifd3-GPSLatitude");
    void *data;
    size_t len;
    assert_int_equal(vips_jpegsave_buffer(image, &data, &len, "strip", TRUE, NULL), 0);
    g_object_unref(image);
    buf_add(&plain, data, len);
    g_free(data);
    buf_add(&turned, plain.data, 2);
    buf_add(&turned, exif, sizeof exif - 1);
    buf_add(&turned, "\xff\xfe\0\x10komentar saya!", 18);
    buf_add(&turned, plain.data + 2, plain.len - 2);
    clean(&turned, &photo);
    assert_int_equal(photo.width, 32);
    assert_int_equal(photo.height, 64);
    assert_true(is_red(&photo, 16, 4)); /* left became top */
    assert_false(is_red(&photo, 16, 60));
    photo_release(&photo);
    buf_release(&plain);
    buf_release(&turned);
}

static void appended_bytes_are_gone(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct buf file = BUF_INIT(FILE_MAX);
        struct photo photo;
        make(i, &file);
        buf_add_text(&file, "PK\3\4<script>alert(1)</script>%PDF-1.4");
        clean(&file, &photo);
        photo_release(&photo);
        buf_release(&file);
    }
}

static void large_photos_shrink(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(FILE_MAX);
    struct photo photo;
    static const struct {
        int width, height;
        unsigned clean_width, clean_height;
    } cases[] = {{2560, 100, 2560, 100}, {2562, 1281, 2560, 1280}, {100, 5120, 50, 2560}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        save(picture(cases[i].width, cases[i].height, 3), save_jpeg, &file);
        clean(&file, &photo);
        assert_int_equal(photo.width, cases[i].clean_width);
        assert_int_equal(photo.height, cases[i].clean_height);
        photo_release(&photo);
    }
    buf_release(&file);
}

static void transparency_is_kept_while_small(void **state)
{
    (void)state;
    static const struct {
        int width, height, bands;
        saver *how;
        const char *type;
    } cases[] = {
        {64, 32, 4, save_png, "image/png"},
        {64, 32, 4, save_webp, "image/png"},
        {64, 32, 3, save_png, "image/jpeg"},
        {1600, 1000, 4, save_png, "image/jpeg"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf file = BUF_INIT(FILE_MAX);
        struct photo photo;
        save(picture(cases[i].width, cases[i].height, cases[i].bands), cases[i].how, &file);
        clean(&file, &photo);
        assert_string_equal(photo.media_type, cases[i].type);
        photo_release(&photo);
        buf_release(&file);
    }
}

static void every_kind_of_pixel_becomes_8_bit_rgb_or_grey(void **state)
{
    (void)state;
    static const VipsInterpretation spaces[] = {VIPS_INTERPRETATION_B_W, VIPS_INTERPRETATION_RGB16,
                                                VIPS_INTERPRETATION_GREY16,
                                                VIPS_INTERPRETATION_CMYK};
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        struct buf file = BUF_INIT(FILE_MAX);
        struct photo photo;
        VipsImage *rgb = picture(64, 32, 3), *other;
        assert_int_equal(vips_colourspace(rgb, &other, spaces[i], NULL), 0);
        g_object_unref(rgb);
        void *data;
        size_t len;
        if (spaces[i] == VIPS_INTERPRETATION_CMYK)
            assert_int_equal(vips_jpegsave_buffer(other, &data, &len, NULL), 0);
        else
            assert_int_equal(vips_pngsave_buffer(other, &data, &len, NULL), 0);
        g_object_unref(other);
        buf_add(&file, data, len);
        g_free(data);
        clean(&file, &photo);
        VipsImage *image = vips_image_new_from_buffer(photo.data, photo.len, "", NULL);
        assert_int_equal(vips_image_get_format(image), VIPS_FORMAT_UCHAR);
        int bands = vips_image_get_bands(image);
        assert_true(bands == 1 || bands == 3);
        g_object_unref(image);
        photo_release(&photo);
        buf_release(&file);
    }
}

static void animation_gives_its_first_frame(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(FILE_MAX);
    struct photo photo;
    VipsImage *wide = picture(64, 32, 3), *tall;
    assert_int_equal(vips_rot90(wide, &tall, NULL), 0); /* red above, blue below */
    g_object_unref(wide);
    vips_image_set_int(tall, VIPS_META_PAGE_HEIGHT, 32);
    save(tall, save_webp, &file);
    assert_non_null(memmem(file.data, file.len, "ANMF", 4));
    clean(&file, &photo);
    assert_int_equal(photo.height, 32);
    assert_true(is_red(&photo, 16, 28));
    photo_release(&photo);
    buf_release(&file);
}

/* Sets the size a JPEG's frame header claims. */
static void claim_size(struct buf *file, unsigned char high, unsigned char low)
{
    char *frame = memmem(file->data, file->len, "\xff\xc0\x00\x11\x08", 5);
    assert_non_null(frame);
    frame[5] = frame[7] = (char)high;
    frame[6] = frame[8] = (char)low;
}

static void bombs_are_refused_by_their_header(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(FILE_MAX);
    save(picture(64, 32, 3), save_jpeg, &file);
    claim_size(&file, 0xff, 0xff);
    assert_refused(&file);
    claim_size(&file, 0x1b, 0xa0); /* 7072 x 7072: just above 50 million */
    assert_refused(&file);
    buf_clear(&file);
    static const char header[] = "IHDR\0\0\xff\xff\0\0\xff\xff\x08\2\0\0\0";
    buf_add(&file, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(&file, header, sizeof header - 1);
    add_chunk(&file, "IDAT", 4);
    add_chunk(&file, "IEND", 4);
    assert_refused(&file);
    buf_release(&file);
}

static void what_is_no_photo_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "GIF89a", "<svg/>", "%PDF-1.4", "\xff\xd8\xff\xe0junk", "\x89PNG\r\n\x1a\njunk",
        "II*", "8BPS",
    };
    struct buf file = BUF_INIT(FILE_MAX);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        buf_clear(&file);
        buf_add_text(&file, texts[i]);
        assert_refused(&file);
    }
    buf_release(&file);
    struct err err = ERR_INIT;
    struct photo photo = {0};
    char *large = mem_calloc(PHOTO_BYTES_MAX + 1, 1);
    memcpy(large, "\xff\xd8\xff", 3);
    assert_int_equal(photo_clean(large, PHOTO_BYTES_MAX + 1, &photo, &err), -1);
    free(large);
}

/* A JPEG that ends early is shown as far as it goes; of the others only whole ones are. */
static void cut_files_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct buf file = BUF_INIT(FILE_MAX);
        make(i, &file);
        for (size_t cut = 0; cut < file.len; cut++) {
            struct photo photo = {0};
            struct err err = ERR_INIT;
            char *part = mem_strndup(file.data, cut);
            bool shown = photo_clean(part, cut, &photo, &err) == 0;
            if (shown)
                assert_bare(&photo);
            else
                assert_null(photo.data);
            if (cut == file.len - (i == 0 ? 8 : file.len / 8)) /* within the pixels */
                assert_int_equal(shown, i == 0);
            photo_release(&photo);
            free(part);
        }
        buf_release(&file);
    }
}

/* The rows that are missing must not show what was decoded before. */
static void cut_photos_show_nothing_of_others(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(FILE_MAX), other = BUF_INIT(FILE_MAX);
    struct photo once, again, between;
    save(picture(1280, 960, 3), save_jpeg, &other);
    VipsImage *noise, *pixels;
    assert_int_equal(vips_gaussnoise(&noise, 1280, 960, "mean", 128.0, "sigma", 40.0, NULL), 0);
    assert_int_equal(vips_cast_uchar(noise, &pixels, NULL), 0);
    g_object_unref(noise);
    save(pixels, save_jpeg, &file);
    buf_truncate(&file, file.len / 3);
    clean(&file, &once);
    clean(&other, &between);
    clean(&file, &again);
    assert_int_equal(once.len, again.len);
    assert_memory_equal(once.data, again.data, once.len);
    photo_release(&once);
    photo_release(&between);
    photo_release(&again);
    buf_release(&file);
    buf_release(&other);
}

static void same_file_gives_same_bytes(void **state)
{
    (void)state;
    struct buf file = BUF_INIT(FILE_MAX);
    struct photo once, twice;
    save(picture(640, 480, 3), save_jpeg, &file);
    clean(&file, &once);
    clean(&file, &twice);
    assert_int_equal(once.len, twice.len);
    assert_memory_equal(once.data, twice.data, once.len);
    photo_release(&once);
    photo_release(&twice);
    buf_release(&file);
}

static int start(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    if (photo_start(&err) == 0)
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

static int stop(void **state)
{
    (void)state;
    vips_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_by_first_bytes),
        cmocka_unit_test(nothing_but_pixels_survives),
        cmocka_unit_test(photos_stand_upright),
        cmocka_unit_test(appended_bytes_are_gone),
        cmocka_unit_test(large_photos_shrink),
        cmocka_unit_test(transparency_is_kept_while_small),
        cmocka_unit_test(every_kind_of_pixel_becomes_8_bit_rgb_or_grey),
        cmocka_unit_test(animation_gives_its_first_frame),
        cmocka_unit_test(bombs_are_refused_by_their_header),
        cmocka_unit_test(what_is_no_photo_is_refused),
        cmocka_unit_test(cut_files_do_no_harm),
        cmocka_unit_test(cut_photos_show_nothing_of_others),
        cmocka_unit_test(same_file_gives_same_bytes),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
