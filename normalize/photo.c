/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvips is told to forget all its loaders but four, to keep no cache, to start one thread at most
 * and to generate no machine code. Its own messages are dropped: they quote what is in the file.
 */
#include "normalize/photo.h"

#include <stdbool.h>

#include <gmodule.h>
#include <vips/vips.h>
#include <vips/vector.h>

#include "normalize/photo_samples.h"

enum {
    PHOTO_QUALITY = 85,
    PHOTO_PNG_PIXELS_MAX = 1000 * 1000, /* above, transparency is worth less than its bytes */
    PHOTO_PNG_COMPRESSION = 6,
    PHOTO_BRANDS_MAX = 64,
};

/* Pixels per millimetre written to every photo: 72 dpi, so that the camera's own is not. */
#define PHOTO_RESOLUTION (72 / 25.4)

/* --- Telling what it is --- */

static bool photo_has_bytes(const char *data, size_t len, size_t at, const char *bytes,
                            size_t count)
{
    return len >= at + count && memcmp(data + at, bytes, count) == 0;
}

static bool photo_is_hevc(const char *brand)
{
    return memcmp(brand, "heic", 4) == 0 || memcmp(brand, "heix", 4) == 0;
}

/* ISO 14496-12 "ftyp": size, type, major brand, version, compatible brands. Phones write the major
 * brand "heic" or, less often, "mif1" with "heic" among the compatible ones. */
static bool photo_is_heic(const char *data, size_t len)
{
    if (!photo_has_bytes(data, len, 4, "ftyp", 4) || len < 16)
        return false;
    if (photo_is_hevc(data + 8))
        return true;
    if (memcmp(data + 8, "mif1", 4) != 0)
        return false;
    const unsigned char *size = (const unsigned char *)data;
    size_t end = (size_t)size[2] << 8 | size[3]; /* of the box; larger ones are no photo's */
    for (size_t at = 16; at + 4 <= end && at + 4 <= len && at < 16 + 4 * PHOTO_BRANDS_MAX;
         at += 4) {
        if (photo_is_hevc(data + at))
            return true;
    }
    return false;
}

const char *photo_sniff(const void *data, size_t len)
{
    if (photo_has_bytes(data, len, 0, "\xff\xd8\xff", 3))
        return "image/jpeg";
    if (photo_has_bytes(data, len, 0, "\x89PNG\r\n\x1a\n", 8))
        return "image/png";
    if (photo_has_bytes(data, len, 0, "RIFF", 4) && photo_has_bytes(data, len, 8, "WEBPVP8", 7))
        return "image/webp";
    return photo_is_heic(data, len) ? "image/heic" : NULL;
}

/* --- Start --- */

static void photo_drop_message(const gchar *domain, GLogLevelFlags level, const gchar *message,
                               gpointer context)
{
    (void)domain;
    (void)level;
    (void)message;
    (void)context;
}

/*
 * By itself vips_init() loads every module it finds: ImageMagick, Poppler, OpenSlide. Pointed at a
 * home without any, it loads none, and the one for HEIC is loaded alone.
 */
static int photo_load_vips(struct err *err)
{
    g_setenv("VIPSHOME", "/nonexistent", TRUE);
    int result = vips_init("kanal");
    g_unsetenv("VIPSHOME");
    if (result != 0)
        return err_set(err, ERR_CONFIG, "cannot start libvips");
    GModule *heif = g_module_open(KANAL_VIPS_HEIF, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    if (heif == NULL)
        return err_set(err, ERR_CONFIG, "cannot load '%s'", KANAL_VIPS_HEIF);
    g_module_make_resident(heif);
    return 0;
}

static void photo_confine_vips(void)
{
    vips_block_untrusted_set(TRUE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    vips_operation_block_set("VipsForeignLoadJpeg", FALSE);
    vips_operation_block_set("VipsForeignLoadPng", FALSE);
    vips_operation_block_set("VipsForeignLoadWebp", FALSE);
    vips_operation_block_set("VipsForeignLoadHeif", FALSE);
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    vips_vector_set_enabled(FALSE);
}

int photo_start(struct err *err)
{
    g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, photo_drop_message, NULL);
    if (photo_load_vips(err) != 0)
        return -1;
    photo_confine_vips();
    for (size_t i = 0; photo_samples[i] != NULL; i++) {
        struct photo photo = {0};
        gsize len;
        guchar *sample = g_base64_decode(photo_samples[i], &len);
        struct err why = ERR_INIT;
        int result = photo_clean(sample, len, &photo, &why);
        photo_release(&photo);
        g_free(sample);
        if (result != 0)
            return err_set(err, ERR_CONFIG, "cannot start photo decoders: %s", why.text);
    }
    return 0;
}

/* --- One photo --- */

/* Gives next and releases the image it was made from. */
static void photo_replace(VipsImage **image, VipsImage *next)
{
    g_object_unref(*image);
    *image = next;
}

/* Opens data far enough to know its size, before anything is decoded. */
static int photo_measure(const void *data, size_t len, const char *media_type, struct err *err)
{
    VipsImage *header =
        vips_image_new_from_buffer(data, len, "", "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    if (header == NULL)
        return err_set(err, ERR_PERMANENT, "cannot decode photo: broken '%s'", media_type);
    int64_t width = vips_image_get_width(header);
    int64_t height = vips_image_get_height(header);
    g_object_unref(header);
    if (width * height > PHOTO_PIXELS_MAX)
        return err_set(err, ERR_PERMANENT, "cannot decode photo: more than %d pixels",
                       PHOTO_PIXELS_MAX);
    return 0;
}

/*
 * Upright and at most PHOTO_SIDE_MAX a side, the decoder itself shrinking where it can. A JPEG that
 * is cut short is shown as far as it goes, grey below. The other decoders leave in the missing rows
 * what the memory held before, pixels of another photo perhaps: there it is an error.
 */
static VipsImage *photo_decode(const void *data, size_t len, const char *media_type)
{
    bool lenient = strcmp(media_type, "image/jpeg") == 0;
    VipsImage *image = NULL;
    VipsBlob *blob = vips_blob_new(NULL, data, len);
    int result = vips_thumbnail_buffer(VIPS_AREA(blob)->data, len, &image, PHOTO_SIDE_MAX, "height",
                                       PHOTO_SIDE_MAX, "size", VIPS_SIZE_DOWN, "option_string",
                                       lenient ? "" : "[fail_on=truncated]", NULL);
    vips_area_unref(VIPS_AREA(blob));
    return result == 0 ? image : NULL;
}

/* Whether the profile in the file says anything the pixels do not. Most phones embed a copy of the
 * sRGB profile, by the name its makers gave it. */
static bool photo_has_profile(VipsImage *image)
{
    static const char srgb[] = "sRGB IEC61966";
    const void *profile = NULL;
    size_t len = 0;
    if (vips_image_get_typeof(image, VIPS_META_ICC_NAME) == 0 ||
        vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &len) != 0)
        return false;
    return memmem(profile, len, srgb, sizeof srgb - 1) == NULL;
}

/* Colours as a browser without profiles would show them. A profile that is broken or belongs to
 * other pixels is passed over: a photo in slightly wrong colours is still evidence. */
static int photo_to_srgb(VipsImage **image)
{
    VipsImage *next = NULL;
    if (photo_has_profile(*image) &&
        vips_icc_transform(*image, &next, "srgb", "embedded", TRUE, NULL) == 0) {
        VipsImage *pixels = vips_image_copy_memory(next);
        g_object_unref(next);
        if (pixels != NULL)
            photo_replace(image, pixels);
    }
    if (vips_image_get_interpretation(*image) == VIPS_INTERPRETATION_B_W)
        return 0;
    if (vips_colourspace(*image, &next, VIPS_INTERPRETATION_sRGB, NULL) != 0)
        return -1;
    photo_replace(image, next);
    return 0;
}

/* Into memory as plain 8 bit sRGB or grey: everything after works on pixels that are there. */
static int photo_settle(VipsImage **image)
{
    VipsImage *next = vips_image_copy_memory(*image);
    if (next == NULL)
        return -1;
    photo_replace(image, next);
    if (photo_to_srgb(image) != 0 || vips_cast_uchar(*image, &next, NULL) != 0)
        return -1;
    photo_replace(image, next);
    if (vips_copy(*image, &next, "xres", PHOTO_RESOLUTION, "yres", PHOTO_RESOLUTION, NULL) != 0)
        return -1;
    photo_replace(image, next);
    return 0;
}

/* Whether any pixel is not opaque. */
static bool photo_is_transparent(VipsImage *image)
{
    VipsImage *alpha = NULL;
    double least = 255;
    if (!vips_image_hasalpha(image))
        return false;
    if (vips_extract_band(image, &alpha, vips_image_get_bands(image) - 1, NULL) != 0)
        return false;
    if (vips_min(alpha, &least, NULL) != 0)
        least = 255;
    g_object_unref(alpha);
    return least < 255;
}

static int photo_save_png(VipsImage *image, struct photo *out)
{
    void *data = NULL;
    size_t len = 0;
    if (vips_pngsave_buffer(image, &data, &len, "strip", TRUE, "compression", PHOTO_PNG_COMPRESSION,
                            NULL) != 0)
        return -1;
    out->data = data;
    out->len = len;
    out->media_type = "image/png";
    return 0;
}

static int photo_save_jpeg(VipsImage **image, struct photo *out)
{
    VipsImage *flat = NULL;
    if (vips_image_hasalpha(*image)) {
        double white[] = {255};
        VipsArrayDouble *background = vips_array_double_new(white, 1);
        int result = vips_flatten(*image, &flat, "background", background, NULL);
        vips_area_unref(VIPS_AREA(background));
        if (result != 0)
            return -1;
        photo_replace(image, flat);
    }
    void *data = NULL;
    size_t len = 0;
    if (vips_jpegsave_buffer(*image, &data, &len, "strip", TRUE, "Q", PHOTO_QUALITY, NULL) != 0)
        return -1;
    out->data = data;
    out->len = len;
    out->media_type = "image/jpeg";
    return 0;
}

static int photo_encode(VipsImage **image, struct photo *out)
{
    out->width = (uint32_t)vips_image_get_width(*image);
    out->height = (uint32_t)vips_image_get_height(*image);
    bool small = (size_t)out->width * out->height <= PHOTO_PNG_PIXELS_MAX;
    if (small && photo_is_transparent(*image))
        return photo_save_png(*image, out);
    return photo_save_jpeg(image, out);
}

int photo_clean(const void *data, size_t len, struct photo *out, struct err *err)
{
    const char *media_type = photo_sniff(data, len);
    VipsImage *image = NULL;
    int result = -1;
    if (media_type == NULL || len > PHOTO_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "cannot decode photo: not one, or too many bytes");
    if (photo_measure(data, len, media_type, err) != 0)
        goto out;
    image = photo_decode(data, len, media_type);
    if (image == NULL || photo_settle(&image) != 0 || photo_encode(&image, out) != 0) {
        err_set(err, ERR_PERMANENT, "cannot decode photo: broken '%s'", media_type);
        goto out;
    }
    result = 0;
out:
    if (image != NULL)
        g_object_unref(image);
    vips_error_clear();
    return result;
}

void photo_release(struct photo *photo)
{
    free(photo->data); /* GLib's allocator is malloc() */
    *photo = (struct photo){0};
}
