//! `agw-loadtest msrp` against a gateway made for the purpose: it answers on Iq, ends TLS, passes messages with the paths that it told, and spoils
//! some where a test wants it. Each thing it does must be counted, and nothing else.

use agw_core::flow::msrp::{MsrpStream, Rewrite};
use loadtest::control::{GatewayAddress, Protocol};
use loadtest::msrp::tls::fingerprint;
use loadtest::msrp::{Load, MessageWay, MsrpRun};
use loadtest::report::Report;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// What the gateway does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Messages leave with the paths that they came with.
    OldPaths,
    /// A byte of some body changes.
    SpoiltBytes,
    /// Another certificate than the one that was told.
    OtherCertificate,
    /// Connections end in the middle.
    Cut,
}

/// Takes any certificate.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ClientCertVerifier for Anyone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn certificate() -> (TlsAcceptor, String) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["gateway.invalid".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anyone(provider)))
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), fingerprint(certificate.der()))
}

async fn pass<R, W>(mut from: R, mut to: W, paths: Option<Rewrite>, fault: Fault)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut stream = MsrpStream::new(paths);
    let (mut input, mut output) = (vec![0; 4096], vec![0; 8192]);
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut input).await {
        let mut rest = &input[..count];
        while !rest.is_empty() {
            let (taken, put) = stream.transform(rest, &mut output).expect("the ends speak MSRP");
            rest = &rest[taken..];
            passed += put;
            // The filling of a message has all values; its last bytes before an end-line are filling.
            if fault == Fault::SpoiltBytes
                && let Some(at) = output[..put].windows(9).position(|bytes| bytes == b"\r\n-------")
                && at > 0
                && stream.requests() > 0
            {
                output[at - 1] ^= 1;
            }
            if to.write_all(&output[..put]).await.is_err() {
                return;
            }
        }
        if fault == Fault::Cut && passed > 20_000 {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// One context: waits for both ends, then passes messages.
async fn context(
    listeners: [TcpListener; 2],
    acceptor: TlsAcceptor,
    paths: [Option<Rewrite>; 2],
    fault: Fault,
) {
    let Ok((access, _)) = listeners[0].accept().await else { return };
    let Ok(access) = acceptor.accept(access).await else { return };
    let Ok((core, _)) = listeners[1].accept().await else { return };
    let (access_read, access_write) = tokio::io::split(access);
    let (core_read, core_write) = core.into_split();
    let [to_access, to_core] = paths;
    let up = pass(access_read, core_write, to_core, fault);
    let down = pass(core_read, access_write, to_access, Fault::None);
    if fault == Fault::Cut {
        tokio::select! { () = up => {}, () = down => {} }
    } else {
        tokio::join!(up, down);
    }
}

/// The value of the `n`th line that begins so.
fn line<'a>(text: &'a str, start: &str, n: usize) -> &'a str {
    text.lines().filter_map(|line| line.strip_prefix(start)).nth(n).unwrap_or_default().trim()
}

async fn gateway(iq: UdpSocket, fault: Fault) {
    let (acceptor, told) = certificate();
    let shown = if fault == Fault::OtherCertificate { certificate().1 } else { told };
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, from)) = iq.recv_from(&mut buffer).await else { return };
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let Some(id) = request.split("T=").nth(1).and_then(|rest| rest.split('{').next()) else { continue };
        let reply = if request.contains("S=*") {
            format!("!/2 [127.0.0.1]:2944 P={id}{{C={id}{{S=ip/1/access/1,S=ip/1/core/2}}}}")
        } else {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listeners = [TcpListener::bind(any).await.unwrap(), TcpListener::bind(any).await.unwrap()];
            let [access, core] = [0, 1].map(|side: usize| listeners[side].local_addr().unwrap().port());
            let ours = [
                format!("msrps://127.0.0.1:{access}/g{id};tcp"),
                format!("msrp://127.0.0.1:{core}/g{id};tcp"),
            ];
            // Of four paths in the request two are "$".
            let theirs = [line(&request, "a=path:", 1), line(&request, "a=path:", 3)];
            let rewrites = [0, 1].map(|side| {
                let paths = Rewrite { to_path: theirs[side].into(), from_path: ours[side].as_str().into() };
                (fault != Fault::OldPaths).then_some(paths)
            });
            tokio::spawn(context(listeners, acceptor.clone(), rewrites, fault));
            let local = |termination: &str, port: u16, transport: &str, lines: &str| {
                format!(
                    "A={termination}{{M{{ST=1{{L{{\nv=0\nc=IN IP4 127.0.0.1\nm=message {port} {transport} *\n{lines}\n}}}}}}}}"
                )
            };
            let secured = format!("a=fingerprint:{shown}\na=path:{}", ours[0]);
            let plain = format!("a=path:{}", ours[1]);
            format!(
                "!/2 [127.0.0.1]:2944 P={id}{{C={id}{{{},{}}}}}",
                local("ip/1/access/1", access, "TCP/TLS/MSRP", &secured),
                local("ip/1/core/2", core, "TCP/MSRP", &plain)
            )
        };
        iq.send_to(reply.as_bytes(), from).await.unwrap();
    }
}

fn run(calls: u32, load: Load, fault: Fault) -> Report {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let iq = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
            told.send(iq.local_addr().unwrap()).unwrap();
            gateway(iq, fault).await;
        });
    });
    let run = MsrpRun {
        gateway: GatewayAddress { protocol: Protocol::Iq, address: address.recv().unwrap() },
        calls,
        load,
        secured: [true, false],
        pid: Some(std::process::id()),
        window: 16,
        threads: 2,
        ends: None,
        stop: Arc::default(),
    };
    run.run(&mut |_| ()).unwrap()
}

fn messages(message_bytes: usize, chunk_bytes: usize) -> Load {
    Load::Messages {
        message_bytes,
        chunk_bytes,
        per_second: 400.0,
        way: MessageWay::Both,
        duration: Duration::from_secs(1),
        drain: Duration::from_millis(700),
        stall: Duration::ZERO,
    }
}

/// How fast the machine is, is not what is tested here.
fn is_clean(report: &Report) -> bool {
    let msrp = report.msrp.as_ref().unwrap();
    report.lost == 0
        && report.corrupt == 0
        && report.misdirected == 0
        && report.duplicated == 0
        && report.reordered == 0
        && report.received > 0
        && (msrp.handshakes_failed, msrp.connections_lost, msrp.responses_other) == (0, 0, 0)
}

#[test]
fn messages_in_chunks_arrive_and_are_answered_on_the_paths_that_were_told() {
    for (message_bytes, chunk_bytes) in [(24, 2048), (1000, 2048), (50_000, 3000)] {
        let report = run(6, messages(message_bytes, chunk_bytes), Fault::None);
        assert!(is_clean(&report), "{report}");
        let msrp = report.msrp.as_ref().unwrap();
        let chunks = report.received * message_bytes.div_ceil(chunk_bytes) as u64;
        assert_eq!((msrp.handshakes, msrp.chunks, msrp.responses_ok), (6, chunks, chunks), "{report}");
        assert_eq!(msrp.bytes, report.received * message_bytes as u64);
        assert!(report.sent <= 420, "over both ways together: {report}");
        assert!(report.latency_us.p50 > 0.0 && msrp.handshake_us.p50 > 0.0);
    }
}

#[test]
fn connections_that_are_held_are_there_at_the_end() {
    let idle = Load::Idle { duration: Duration::from_millis(500), max_stream_bytes: None };
    let report = run(20, idle, Fault::None);
    assert!(is_clean(&report), "{report}");
    assert_eq!(report.received, 40, "one message each way");
    assert!(report.msrp.unwrap().stream_bytes.is_some());
}

#[test]
fn handshakes_come_at_their_rate() {
    let report = run(20, Load::Handshakes { per_second: 50.0 }, Fault::None);
    let msrp = report.msrp.as_ref().unwrap();
    assert_eq!((msrp.handshakes, msrp.handshakes_failed), (20, 0), "{report}");
    assert!(msrp.handshakes_per_second < 55.0, "{report}");
}

#[test]
fn what_a_gateway_does_wrong_is_counted_and_never_passes() {
    let old_paths = run(2, messages(100, 2048), Fault::OldPaths);
    assert!(old_paths.misdirected > 0 && !old_paths.passed, "{old_paths}");

    let spoilt = run(2, messages(1000, 2048), Fault::SpoiltBytes);
    assert!(spoilt.corrupt > 0 && spoilt.lost > 0 && !spoilt.passed, "{spoilt}");

    let other = run(2, messages(100, 2048), Fault::OtherCertificate);
    let msrp = other.msrp.as_ref().unwrap();
    assert_eq!((msrp.handshakes, msrp.handshakes_failed, other.received), (0, 2, 0), "{other}");
    assert!(!other.passed && msrp.first_failure.as_ref().unwrap().contains("fingerprint"), "{other}");

    let cut = run(2, messages(1000, 2048), Fault::Cut);
    assert!(cut.msrp.as_ref().unwrap().connections_lost > 0 && !cut.passed, "{cut}");
}
