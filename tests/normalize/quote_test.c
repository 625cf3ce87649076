/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "normalize/buf.h"
#include "normalize/quote.h"

static const struct {
    const char *in, *out;
} cut[] = {
    {"Di samping masjid.\n\n> Mohon lengkapi lokasi.\n> -- Petugas", "Di samping masjid."},
    {"Ya.\n\nOn Wed, Nov 21, 2026 at 6:03 PM Kanal <aduan@example.org> wrote:\n> Apa?\n>\n> Di "
     "mana?",
     "Ya."},
    {"Ya.\n\nPada Rab, 21 Nov 2026 pukul 18.03 Kanal <aduan@example.org> menulis:\n\n> Apa?",
     "Ya."},
    {"Ya.\n\nPada Rab, 21 Nov 2026 pukul 18.03 Kanal <\naduan@example.org> menulis:\n\n> Apa?",
     "Ya."},
    {"Ya.\n\nOn Wed, 21 Nov 2026 at 18:03, Dinas Bina Marga Kota "
     "Contoh\n<aduan@example.org>\nwrote:\n> x",
     "Ya."},
    {"Ya.\nBudi <budi@example.com> menulis:\n> x", "Ya."},
    {"Pada 21 Nov 2026, pukul 18.03, Kanal <aduan@example.org> menulis:\n> Di mana?\n\nDi pasar.",
     "Di pasar."},
    {"Lihat jawaban:\n\n> Di mana?\nDi pasar.\n\n> Sejak kapan?\nKemarin.",
     "Lihat jawaban:\n\nDi pasar.\n\nKemarin."},
    {"Sudah.\n\n-----Original Message-----\nFrom: Kanal\nSubject: x\n\nisi lama", "Sudah."},
    {"Sudah.\n\n----- Pesan Asli -----\nDari: Kanal\n\nisi lama", "Sudah."},
    {"Sudah.\n\n________________________________\nFrom: Kanal <aduan@example.org>\nSent: "
     "Wednesday, "
     "November 21, 2026 6:03 PM\nTo: Budi\nSubject: Laporan\n\nisi lama",
     "Sudah."},
    {"Sudah.\n\n*Dari:* Kanal <aduan@example.org>\n*Dikirim:* 21 November 2026 18.03\n*Kepada:* "
     "Budi\n"
     "*Perihal:* Laporan\n\nisi lama",
     "Sudah."},
    {"Jalan rusak.\n\n--\nBudi Contoh\n0812-0000-1111", "Jalan rusak."},
    {"Jalan rusak.\n\n-- \nBudi", "Jalan rusak."},
    {"Jalan rusak.\n--\nBudi\nOn 21/11/26 18:03, Kanal wrote:\n> x", "Jalan rusak."},
    {"Jalan rusak.\n\nDikirim dari iPhone saya", "Jalan rusak."},
    {"Jalan rusak.\n\nSent from my Galaxy\n\n-----Original Message-----\nisi", "Jalan rusak."},
    {"satu\n\n\n> x\n\n\n> y\n\n\ndua", "satu\n\n\ndua"},
};

/* What looks like a quotation and is none, or would leave nothing. */
static const char *const kept[] = {
    "Jalan rusak di RT 003/05.",
    "",
    "> semua kutipan\n> saja",
    "-----Original Message-----\nsemua isi",
    "On 21/11/26 18:03, Budi <budi@example.com> wrote:\nJalan rusak",
    "Lubang selebar\n> 50 cm di tengah jalan",
    "Pada tanggal 12 Januari warga menulis:\nmohon diperbaiki",
    "Pada hari Senin saya melapor.\nSampai sekarang belum ada.",
    "Kepada Yth. Dinas\n\nDari: Budi Contoh\nTanggal: 12 Januari 2030\nPerihal: Jalan "
    "rusak\n\nDengan "
    "hormat, jalan rusak.",
    ("Mohon ditindaklanjuti.\n\n---------- Forwarded message ---------\nFrom: Ani "
     "<ani@example.net>\nDate: Wed, 21 Nov 2026 18:03\nSubject: Jalan\nTo: Budi\n\nJalan rusak"),
    "Isi\n--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n21",
    "From: sini ke sana jalan rusak\ndan To: Jakarta",
};

static void cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        char *own = quote_cut(cut[i].in);
        assert_string_equal(own, cut[i].out);
        free(own);
    }
}

static void keeps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        char *own = quote_cut(kept[i]);
        assert_string_equal(own, kept[i]);
        free(own);
    }
}

static void long_texts_are_no_trap(void **state)
{
    (void)state;
    static const char *const lines[] = {"--\n", "On \n", "From:\n",
                                        "> \n", "\n",    "Pada x\nmenulis:\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct buf text = BUF_INIT(1024 * 1024);
        buf_add_text(&text, "awal\n");
        while (text.len < 50 * 1000)
            buf_add_text(&text, lines[i]);
        char *own = quote_cut(text.data);
        assert_true(strlen(own) > 0);
        free(own);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts),
        cmocka_unit_test(keeps),
        cmocka_unit_test(long_texts_are_no_trap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
