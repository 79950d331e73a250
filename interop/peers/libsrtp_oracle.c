/* C libsrtp2 as a second opinion, driven over a pipe. One request a line, one answer a line, all in hexadecimal.
 *   new ID in|out SUITE WINDOW KEY[:MKI][,KEY:MKI...]   a session (KEY is master key and salt)
 *   rtp ID PACKET [INDEX]    protects or unprotects, with the INDEX-th master key when sending
 *   rtcp ID PACKET [INDEX]   the same for RTCP
 * answers: "ok HEX", "ok" or "err STATUS"; "unsupported" for a suite that this build has not. */
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 64, KEYS = 16, LINE = 16384, ROOM = 4096 };

struct session {
    srtp_t handle;
    int out;
    int use_mki;
};
static struct session sessions[SESSIONS];

static int from_hex(const char *text, unsigned char *to, int room)
{
    int n = 0;
    unsigned byte;
    for (; text[0] && text[1] && n < room; text += 2, n++) {
        if (sscanf(text, "%2x", &byte) != 1)
            return -1;
        to[n] = (unsigned char)byte;
    }
    return n;
}

static int set_policy(const char *suite, srtp_policy_t *p)
{
    static const struct {
        const char *name;
        void (*rtp)(srtp_crypto_policy_t *);
        void (*rtcp)(srtp_crypto_policy_t *);
    } known[] = {
        { "AES_CM_128_HMAC_SHA1_80", srtp_crypto_policy_set_rtp_default, srtp_crypto_policy_set_rtcp_default },
        { "AES_CM_128_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, srtp_crypto_policy_set_rtcp_default },
        { "AES_192_CM_HMAC_SHA1_80", srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80 },
        { "AES_192_CM_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80 },
        { "AES_256_CM_HMAC_SHA1_80", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
        { "AES_256_CM_HMAC_SHA1_32", srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
        { "AEAD_AES_128_GCM", srtp_crypto_policy_set_aes_gcm_128_16_auth, srtp_crypto_policy_set_aes_gcm_128_16_auth },
        { "AEAD_AES_256_GCM", srtp_crypto_policy_set_aes_gcm_256_16_auth, srtp_crypto_policy_set_aes_gcm_256_16_auth },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!strcmp(suite, known[i].name)) {
            known[i].rtp(&p->rtp);
            known[i].rtcp(&p->rtcp);
            return 1;
        }
    }
    return 0;
}

static void create(int id, const char *direction, const char *suite, int window, char *keys)
{
    static unsigned char bytes[KEYS][64], mki[KEYS][64];
    static srtp_master_key_t masters[KEYS];
    srtp_master_key_t *list[KEYS];
    srtp_policy_t p;
    int count = 0, mki_bytes = 0;
    memset(&p, 0, sizeof p);
    if (!set_policy(suite, &p)) {
        puts("unsupported");
        return;
    }
    for (char *one = strtok(keys, ","); one && count < KEYS; one = strtok(NULL, ",")) {
        char *colon = strchr(one, ':');
        if (colon) {
            *colon = 0;
            mki_bytes = from_hex(colon + 1, mki[count], sizeof mki[count]);
        }
        from_hex(one, bytes[count], sizeof bytes[count]);
        masters[count].key = bytes[count];
        masters[count].mki_id = mki[count];
        masters[count].mki_size = (unsigned)mki_bytes;
        list[count] = &masters[count];
        count++;
    }
    p.ssrc.type = !strcmp(direction, "out") ? ssrc_any_outbound : ssrc_any_inbound;
    p.window_size = (unsigned long)window;
    p.keys = list;
    p.num_master_keys = (unsigned long)count;
    if (sessions[id].handle)
        srtp_dealloc(sessions[id].handle);
    memset(&sessions[id], 0, sizeof sessions[id]);
    srtp_err_status_t status = srtp_create(&sessions[id].handle, &p);
    if (status != srtp_err_status_ok) {
        sessions[id].handle = NULL;
        printf(status == srtp_err_status_cipher_fail || status == srtp_err_status_bad_param || status == srtp_err_status_fail ? "unsupported\n" : "err %d\n", status);
        return;
    }
    sessions[id].out = p.ssrc.type == ssrc_any_outbound;
    sessions[id].use_mki = mki_bytes > 0;
    puts("ok");
}

static void work(const struct session *s, int rtcp, const char *hex, unsigned index)
{
    static unsigned char packet[ROOM + 256];
    int length = from_hex(hex, packet, ROOM);
    unsigned use_mki = (unsigned)s->use_mki;
    srtp_err_status_t status;
    if (s->out)
        status = rtcp ? srtp_protect_rtcp_mki(s->handle, packet, &length, use_mki, index)
                      : srtp_protect_mki(s->handle, packet, &length, use_mki, index);
    else
        status = rtcp ? srtp_unprotect_rtcp_mki(s->handle, packet, &length, use_mki)
                      : srtp_unprotect_mki(s->handle, packet, &length, use_mki);
    if (status != srtp_err_status_ok) {
        printf("err %d\n", status);
        return;
    }
    fputs("ok ", stdout);
    for (int i = 0; i < length; i++)
        printf("%02x", packet[i]);
    putchar('\n');
}

int main(void)
{
    static char line[LINE], verb[8], direction[8], suite[64], rest[LINE];
    int id, window;
    unsigned index;
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    if (srtp_init() != srtp_err_status_ok)
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        index = 0;
        if (sscanf(line, "new %d %7s %63s %d %16383s", &id, direction, suite, &window, rest) == 5 && id >= 0 && id < SESSIONS)
            create(id, direction, suite, window, rest);
        else if (sscanf(line, "%7s %d %16383s %u", verb, &id, rest, &index) >= 3 && id >= 0 && id < SESSIONS && sessions[id].handle)
            work(&sessions[id], !strcmp(verb, "rtcp"), rest, index);
        else
            puts("err usage");
        fflush(stdout);
    }
    return 0;
}
