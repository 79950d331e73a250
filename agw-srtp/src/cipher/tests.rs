//! The vectors of the RFCs on whole packets and key streams, for both engines, and both engines against each other.

use proptest::prelude::*;

use super::portable::Portable;
use super::*;
use crate::vectors::hex;

/// Runs a check on every engine that this machine has.
macro_rules! on_every_engine {
    ($check:ident) => {
        $check(Portable);
        #[cfg(target_arch = "x86_64")]
        for native in [x86::Native::detect(), x86::Native::detect_narrow()].into_iter().flatten() {
            $check(native);
        }
    };
}

fn job(kind: Kind, direction: Direction, packet_len: usize, overhead: usize, ssrc: u32, index: u64) -> Job {
    let body_len = if direction == Direction::Outbound { packet_len } else { packet_len - overhead };
    Job {
        kind,
        direction,
        outcome: Outcome::Pending,
        key: 0,
        encrypt: true,
        stale: None,
        try_restart: false,
        sequence: index as u16,
        ssrc,
        index,
        payload_at: if kind == Kind::Rtp { 12 } else { 8 },
        body_len: body_len as u32,
        wire_len: (body_len + overhead) as u32,
    }
}

/// Protects `plain` into `wire` and unprotects it again; then no changed bit of `wire` may verify.
fn check_both_ways<E: Engine>(keys: &Transform<E>, outbound: Job, tag_len: usize, plain: &[u8], wire: &[u8]) {
    let mut slot = plain.to_vec();
    slot.resize(outbound.wire_len(), 0);
    assert!(keys.run(&Frame { job: &outbound, tag_len, mki: None }, &mut slot));
    assert_eq!(slot, wire);
    let inbound = Job { direction: Direction::Inbound, ..outbound };
    let frame = Frame { job: &inbound, tag_len, mki: None };
    for at in 0..slot.len() {
        slot[at] ^= 1 << (at % 8);
        let damaged = slot.clone();
        // The SRTCP word is read when planning: the frame says what it was.
        let is_word = inbound.kind == Kind::Rtcp && at + 4 >= slot.len();
        assert_eq!(keys.run(&frame, &mut slot), is_word && tag_len == 16, "byte {at}");
        if !is_word {
            assert_eq!(slot, damaged, "a packet that fails must stay as it was");
        }
        slot.copy_from_slice(wire);
    }
    assert!(keys.run(&frame, &mut slot));
    assert_eq!(slot[..plain.len()], *plain);
}

const GCM_KEYS: [&str; 2] =
    ["000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"];
const GCM_SUITES: [Suite; 2] = [Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

fn gcm<E: Engine>(engine: E, which: usize) -> Transform<E> {
    let derived = Derived::from_session_keys(&hex(GCM_KEYS[which]), [0; 20], b"Quid pro quo");
    Transform::from_derived(engine, GCM_SUITES[which], &derived)
}

/// RFC 7714 section 16.
#[test]
fn the_srtp_vectors_of_rfc_7714_hold() {
    fn check<E: Engine>(engine: E) {
        let plain =
            [hex("8040f17b8041f8d35501a0b2"), b"Gallia est omnis divisa in partes tres".to_vec()].concat();
        let wires = [
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ];
        for (which, wire) in wires.into_iter().enumerate() {
            let outbound = job(Kind::Rtp, Direction::Outbound, plain.len(), 16, 0x5501_a0b2, 0xf17b);
            check_both_ways(&gcm(engine, which), outbound, 16, &plain, &hex(wire));
        }
    }
    on_every_engine!(check);
}

/// RFC 7714 sections 17.1 to 17.4.
#[test]
fn the_srtcp_vectors_of_rfc_7714_hold() {
    const PLAIN: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                         deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    const ENCRYPTED: [&str; 2] = [
        "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded\
         0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de047\
         6f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
    ];
    const TAGS: [&str; 2] =
        ["841dd9683dd78ec92ae58790125f62b3000005d4", "91db4afbfeee5a978fab4393ed2615fe000005d4"];
    fn check<E: Engine>(engine: E) {
        let plain = hex(PLAIN);
        for which in 0..2 {
            let keys = gcm(engine, which);
            let outbound = job(Kind::Rtcp, Direction::Outbound, plain.len(), 20, 0x4d61_7273, 0x5d4);
            check_both_ways(&keys, outbound, 16, &plain, &hex(ENCRYPTED[which]));
            let wire = [plain.clone(), hex(TAGS[which])].concat();
            check_both_ways(&keys, Job { encrypt: false, ..outbound }, 16, &plain, &wire);
        }
    }
    on_every_engine!(check);
}

/// RFC 3711 appendix B.2 and RFC 6188 sections 7.1 and 7.3: three blocks at the start and three near the end of a long segment.
#[test]
fn the_counter_mode_vectors_of_rfc_3711_and_6188_hold() {
    const VECTORS: [[&str; 3]; 3] = [
        [
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
        ],
        [
            "eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7",
            "35096cba4610028dc1b57503804ce37c 5de986291dcce161d5165ec4568f5c9a 474a40c77894bc17180202272a4c264d",
            "d108d1a31a00bad6367ec23eb044b415 c8f57129fdeb970b59f917b257662d4c a5dab625811034e8cebdfeb6dc158dd3",
        ],
        [
            "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98",
            "92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31",
            "cea518c90fd91ced9cbb18c078a54711 3dbc4814f4da5f00a08772b63c6a046d 6eb246913062a16891433e97dd01a57f",
        ],
    ];
    fn check<E: Engine>(engine: E) {
        for [key, first, last] in VECTORS {
            let mut stream = vec![0; 1_044_512];
            let mut counter = [0; 16];
            counter.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"));
            engine.aes(&hex(key)).ctr_xor(&counter, &mut stream);
            assert_eq!(stream[..48], hex(first));
            assert_eq!(stream[stream.len() - 48..], hex(last));
        }
    }
    on_every_engine!(check);
}

/// FIPS 197 appendix C: one block under each key length.
#[test]
fn the_block_vectors_of_fips_197_hold() {
    fn check<E: Engine>(engine: E) {
        let key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        for (len, expected) in [
            (16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
            (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
            (32, "8ea2b7ca516745bfeafc49904b496089"),
        ] {
            let mut block = [0; 16];
            block.copy_from_slice(&hex("00112233445566778899aabbccddeeff"));
            engine.aes(&key[..len]).encrypt_block(&mut block);
            assert_eq!(block.as_slice(), hex(expected));
        }
    }
    on_every_engine!(check);
}

#[cfg(target_arch = "x86_64")]
mod differential {
    use super::*;

    /// A stream of bytes that depends on every bit of its seed.
    fn bytes(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect()
    }

    /// The native engine with and without its wide half, as far as this machine has them.
    fn natives() -> impl Iterator<Item = x86::Native> {
        [x86::Native::detect(), x86::Native::detect_narrow()].into_iter().flatten()
    }

    fn compare_ctr(native: x86::Native, key: &[u8], counter: [u8; 16], data: &[u8]) {
        let (mut ours, mut oracle) = (data.to_vec(), data.to_vec());
        native.aes(key).ctr_xor(&counter, &mut ours);
        Portable.aes(key).ctr_xor(&counter, &mut oracle);
        assert_eq!(ours, oracle, "{} bytes", data.len());
    }

    fn compare_gcm(native: x86::Native, key: &[u8], iv: [u8; 12], aad: AssociatedData<'_>, data: &[u8]) {
        let (mut ours, mut oracle) = (data.to_vec(), data.to_vec());
        let (fast, slow) = (native.gcm(key), Portable.gcm(key));
        let tag = fast.seal(&iv, aad, &mut ours);
        assert_eq!(tag, slow.seal(&iv, aad, &mut oracle));
        assert_eq!(ours, oracle);
        let mut wrong = tag;
        wrong[data.len() % 16] ^= 1;
        assert!(!fast.open(&iv, aad, &mut ours, &wrong));
        assert_eq!(ours, oracle, "untouched after a wrong tag");
        assert!(fast.open(&iv, aad, &mut ours, &tag));
        assert!(slow.open(&iv, aad, &mut oracle, &tag));
        assert_eq!(ours, data);
        assert_eq!(oracle, data);
    }

    #[test]
    fn both_engines_agree_at_every_length() {
        for native in natives() {
            agree_at_every_length(native);
        }
    }

    fn agree_at_every_length(native: x86::Native) {
        for len in 0..1600 {
            let material = bytes(len as u64, 32 + 16 + 40);
            let data = bytes(!(len as u64), len);
            let key = &material[..[16, 24, 32][len % 3]];
            let counter: [u8; 16] = material[32..48].try_into().unwrap();
            compare_ctr(native, key, counter, &data);
            let iv: [u8; 12] = material[32..44].try_into().unwrap();
            let aad = AssociatedData {
                head: &material[48..48 + len % 37],
                tail: &material[84..84 + (len % 2) * 4],
            };
            compare_gcm(native, &material[..[16, 32][len % 2]], iv, aad, &data);
        }
    }

    #[test]
    fn both_engines_agree_where_the_counter_wraps() {
        for low in [u32::MAX, u32::MAX - 1, u32::MAX - 9, u32::MAX - 40] {
            let mut counter = [0xff; 16];
            counter[12..].copy_from_slice(&low.to_be_bytes());
            for native in natives() {
                compare_ctr(native, &[7; 16], counter, &bytes(1, 1000));
            }
        }
    }

    proptest! {
        #[test]
        fn both_engines_agree_on_any_packet(
            key in any::<[u8; 32]>(),
            counter in any::<[u8; 16]>(),
            head in prop::collection::vec(any::<u8>(), 0..200),
            tail in prop_oneof![Just(vec![]), prop::collection::vec(any::<u8>(), 4)],
            data in prop::collection::vec(any::<u8>(), 0..3000),
            long in any::<bool>(),
        ) {
            for native in natives() {
                compare_ctr(native, &key, counter, &data);
                compare_ctr(native, &key[..24], counter, &data);
                let aad = AssociatedData { head: &head, tail: &tail };
                let iv: [u8; 12] = counter[..12].try_into().unwrap();
                compare_gcm(native, if long { &key } else { &key[..16] }, iv, aad, &data);
            }
        }
    }
}
