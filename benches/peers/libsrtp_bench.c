/* Times Debian's libsrtp2 for the SRTP table: one session, one SSRC, sequence numbers rising, ROC and replay as in use.
 *   libsrtp_bench SUITE protect|unprotect|protect-rtcp|unprotect-rtcp PACKET_BYTES PACKETS
 * prints nanoseconds per packet (median of nine blocks), or "unsupported" when the library lacks the suite. */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int set_policy(const char *suite, srtp_policy_t *p)
{
    if (!strcmp(suite, "AES_CM_128_HMAC_SHA1_80")) {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AES_CM_128_HMAC_SHA1_32")) {
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&p->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AES_192_CM_HMAC_SHA1_80")) {
        srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&p->rtp);
        srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AES_192_CM_HMAC_SHA1_32")) {
        srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32(&p->rtp);
        srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AES_256_CM_HMAC_SHA1_32")) {
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32(&p->rtp);
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AES_256_CM_HMAC_SHA1_80")) {
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtp);
        srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80(&p->rtcp);
    } else if (!strcmp(suite, "AEAD_AES_128_GCM")) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&p->rtcp);
    } else if (!strcmp(suite, "AEAD_AES_256_GCM")) {
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&p->rtcp);
    } else {
        return 0;
    }
    return 1;
}

static srtp_t session(const char *suite, srtp_ssrc_type_t direction)
{
    static unsigned char key[64];
    srtp_policy_t p;
    srtp_t s;
    memset(&p, 0, sizeof p);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (unsigned char)(i * 7 + 1);
    if (!set_policy(suite, &p))
        return NULL;
    p.ssrc.type = direction;
    p.key = key;
    p.window_size = 128;
    return srtp_create(&s, &p) == srtp_err_status_ok ? s : NULL;
}

static void make(unsigned char *b, int bytes, unsigned n, int rtcp)
{
    memset(b, 0x55, (size_t)bytes);
    b[0] = 0x80;
    if (rtcp) {
        b[1] = 200;
        b[2] = (unsigned char)((bytes / 4 - 1) >> 8);
        b[3] = (unsigned char)(bytes / 4 - 1);
        memcpy(b + 4, "\x11\x22\x33\x44", 4);
        return;
    }
    b[1] = 8;
    b[2] = (unsigned char)(n >> 8);
    b[3] = (unsigned char)n;
    memcpy(b + 8, "\x11\x22\x33\x44", 4);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { ROOM = 2048, BLOCK = 256, BLOCKS_MAX = 4096 };

int main(int argc, char **argv)
{
    static unsigned char buffer[BLOCK][ROOM];
    static double ns[BLOCKS_MAX];
    int lengths[BLOCK];
    if (argc != 5)
        return 2;
    int rtcp = strstr(argv[2], "rtcp") != NULL, open = argv[2][0] == 'u', bytes = atoi(argv[3]), blocks = atoi(argv[4]) / BLOCK;
    if (bytes < 12 || bytes > 1500 || blocks < 1 || blocks > BLOCKS_MAX || srtp_init() != srtp_err_status_ok)
        return 2;
    srtp_t out = session(argv[1], ssrc_any_outbound), in = session(argv[1], ssrc_any_inbound);
    if (!out || !in) {
        puts("unsupported");
        return 0;
    }
    unsigned n = 0;
    for (int block = 0; block < blocks; block++) {
        for (int i = 0; i < BLOCK; i++)
            make(buffer[i], bytes, n++, rtcp), lengths[i] = bytes;
        double start = now_ns();
        int bad = 0;
        for (int i = 0; i < BLOCK; i++)
            bad |= rtcp ? srtp_protect_rtcp(out, buffer[i], &lengths[i]) : srtp_protect(out, buffer[i], &lengths[i]);
        if (open) {
            start = now_ns();
            for (int i = 0; i < BLOCK; i++)
                bad |= rtcp ? srtp_unprotect_rtcp(in, buffer[i], &lengths[i]) : srtp_unprotect(in, buffer[i], &lengths[i]);
        }
        ns[block] = (now_ns() - start) / BLOCK;
        if (bad)
            return 1;
    }
    qsort(ns, (size_t)blocks, sizeof ns[0], ascending);
    printf("%.1f\n", ns[blocks / 2]);
    return 0;
}
