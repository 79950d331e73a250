//! `agw iq send FILE`: sends what is in the file and prints the reply. A whole message, a transaction, or only actions may be given;
//! what is missing around them is added. Requests get a fresh transaction number, so that the same file can be sent again and is
//! executed again. What does not parse is sent as it stands, to see what the gateway says to it. `--encoding ber` sends the same in the
//! binary encoding; the reply is printed as text all the same.

use crate::cli::Send;
use crate::config::values::Encoding;
use crate::failure::Failure;
use crate::print;
use agw_core::model::RealmName;
use agw_iq::ast::{
    AuditResult, AuditReturn, Body, CommandResult, ErrorDescriptor, Message, Mid, ReplyBody,
    ServiceChangeResult, Transaction, TransactionReply,
};
use agw_iq::ber::Naming;
use agw_iq::client::{Client, ClientConfig, ClientEvent};
use agw_iq::package::diffserv::DscpForm;
use agw_iq::package::realm::Realms;
use agw_iq::secret::redact;
use agw_iq::text::{self, Style};
use agw_iq::transport::Peer;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest file that is sent.
const MAX_FILE_BYTES: u64 = text::MAX_MESSAGE_BYTES as u64;
/// How often and how patiently something that does not parse is sent.
const RAW_TRIES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Sends the file's requests one after the other, prints each reply.
///
/// # Errors
/// When nobody answers, or a reply holds an error.
pub fn send(request: &Send) -> Result<(), Failure> {
    let text = read(&request.file)?;
    let to = request.address();
    let socket = connect(to).map_err(|e| Failure::because(format!("cannot reach {to}"), e))?;
    let own = socket.local_addr().map_err(|e| Failure::because("socket", e))?;
    let mut failed = false;
    match text::parse_strictly(complete(&text, own).as_bytes()) {
        Ok(message) => {
            let requests = requests_of(message)?;
            let mut client = Client::new(client_config(request, own), seed());
            for actions in requests {
                let reply = exchange(&mut client, &socket, actions, to)?;
                failed |= errors_in(&reply);
                print(&pretty(to, reply))?;
            }
        }
        Err(error) if request.encoding == Encoding::Ber => {
            let file = request.file.display();
            return Err(Failure::Failed(format!(
                "{file} is not right H.248 ({error}): it has no binary form"
            )));
        }
        Err(error) => {
            eprintln!(
                "agw: {} is not right H.248 ({error}); it is sent as it stands",
                request.file.display()
            );
            let answer = exchange_raw(&socket, text.as_bytes(), to)?;
            let shown = match text::parse_strictly(&answer) {
                Ok(message) => redact(&text::print(&message, Style::Pretty)),
                Err(_) => redact(&String::from_utf8_lossy(&answer)),
            };
            print(&format!("{}\n", shown.trim_end()))?;
            failed = true;
        }
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}

fn read(file: &Path) -> Result<String, Failure> {
    let because = |e: std::io::Error| Failure::because(format!("cannot read {}", file.display()), e);
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(because)?;
    } else {
        let opened = std::fs::File::open(file).map_err(because)?;
        opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(because)?;
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::Failed(format!("{} is longer than a message can be", file.display())));
    }
    String::from_utf8(bytes).map_err(|_| Failure::Failed(format!("{} is not text", file.display())))
}

/// What comes after white space and comments, which go from `;` to the end of the line.
fn skip_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix(';') {
        rest = comment.find(['\r', '\n']).and_then(|end| comment.get(end..)).unwrap_or_default().trim_start();
    }
    rest
}

/// Adds what stands around a transaction or around actions.
fn complete(text: &str, own: SocketAddr) -> String {
    let start = skip_comments(text);
    let word: String = start.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '!').collect();
    match word.to_ascii_uppercase().as_str() {
        "TRANSACTION" | "T" => format!("MEGACO/2 [{}]:{}\n{text}", own.ip(), own.port()),
        "CONTEXT" | "C" => format!("MEGACO/2 [{}]:{}\nTransaction = 1 {{\n{text}\n}}", own.ip(), own.port()),
        _ => text.to_owned(),
    }
}

fn requests_of(message: Message) -> Result<Vec<Vec<agw_iq::ast::ActionRequest>>, Failure> {
    let Body::Transactions(transactions) = message.body else {
        return Err(Failure::Usage("the file holds an error message: nothing would be answered".to_owned()));
    };
    let requests: Vec<_> = transactions
        .into_iter()
        .filter_map(|t| if let Transaction::Request(request) = t { Some(request.actions) } else { None })
        .collect();
    if requests.is_empty() {
        return Err(Failure::Usage("the file holds no request: nothing would be answered".to_owned()));
    }
    Ok(requests)
}

fn client_config(request: &Send, own: SocketAddr) -> ClientConfig {
    let mid = match own.ip() {
        IpAddr::V4(address) => Mid::Ip4 { address, port: Some(own.port()) },
        IpAddr::V6(address) => Mid::Ip6 { address, port: Some(own.port()) },
    };
    let encoding = match request.encoding {
        Encoding::Pretty => agw_iq::Encoding::Text(Style::Pretty),
        Encoding::Compact => agw_iq::Encoding::Text(Style::Compact),
        Encoding::Ber => agw_iq::Encoding::BER,
    };
    let realms = Realms::new(request.realms.iter().filter_map(|name| RealmName::new(name)).collect());
    let naming = Naming::of(&realms, DscpForm::default());
    ClientConfig { encoding, naming, ..ClientConfig::new(Peer::udp(request.address()), mid) }
}

/// Transaction numbers must only differ from those of the last half minute.
fn seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ u64::from(std::process::id()) << 40
}

fn connect(to: SocketAddr) -> std::io::Result<UdpSocket> {
    let any = if to.is_ipv4() { SocketAddr::from(([0; 4], 0)) } else { SocketAddr::from(([0u16; 8], 0)) };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket)
}

fn exchange(
    client: &mut Client,
    socket: &UdpSocket,
    actions: Vec<agw_iq::ast::ActionRequest>,
    to: SocketAddr,
) -> Result<TransactionReply, Failure> {
    let began = Instant::now();
    let too_long = || {
        Failure::Failed("the request is longer than a datagram, or names what BER has no form for".to_owned())
    };
    client.request(began.elapsed(), actions).ok_or_else(too_long)?;
    let mut buffer = vec![0; text::MAX_MESSAGE_BYTES];
    loop {
        while let Some(transmit) = client.poll_transmit() {
            // A refused one is repeated by the timer.
            let _ = socket.send(&transmit.bytes);
        }
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Reply { id, body, .. } => {
                    // An acknowledgement may be wanted at once.
                    while let Some(transmit) = client.poll_transmit() {
                        let _ = socket.send(&transmit.bytes);
                    }
                    return Ok(TransactionReply { id, immediate_ack: false, segment: None, body });
                }
                ClientEvent::Unanswered(_) => return Err(Failure::Failed(format!("{to} did not answer"))),
                ClientEvent::Refused(error) | ClientEvent::Unreadable(error) => {
                    return Err(Failure::Failed(format!("error {}: {}", error.code.0, words(&error))));
                }
                ClientEvent::Request(_) => {}
            }
        }
        let now = began.elapsed();
        let wait = client.poll_timeout().map_or(Duration::from_millis(100), |then| then.saturating_sub(now));
        let wait = wait.clamp(Duration::from_millis(1), Duration::from_secs(1));
        socket.set_read_timeout(Some(wait)).map_err(|e| Failure::because("socket", e))?;
        if let Ok(length) = socket.recv(&mut buffer) {
            client.handle_datagram(began.elapsed(), buffer.get(..length).unwrap_or_default());
        }
        client.handle_timeout(began.elapsed());
    }
}

fn exchange_raw(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> Result<Vec<u8>, Failure> {
    let mut buffer = vec![0; text::MAX_MESSAGE_BYTES];
    for wait in RAW_TRIES {
        let _ = socket.send(bytes);
        socket.set_read_timeout(Some(wait)).map_err(|e| Failure::because("socket", e))?;
        if let Ok(length) = socket.recv(&mut buffer) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
    Err(Failure::Failed(format!("{to} did not answer")))
}

fn words(error: &ErrorDescriptor) -> String {
    error.text.as_deref().map(redact).unwrap_or_default()
}

fn pretty(from: SocketAddr, reply: TransactionReply) -> String {
    let mid = match from.ip() {
        IpAddr::V4(address) => Mid::Ip4 { address, port: Some(from.port()) },
        IpAddr::V6(address) => Mid::Ip6 { address, port: Some(from.port()) },
    };
    let body = Body::Transactions(vec![Transaction::Reply(reply)]);
    let message = Message { auth: None, version: 2, mid, body };
    format!("{}\n", redact(&text::print(&message, Style::Pretty)).trim_end())
}

/// Whether any part of a reply says that something was not done.
fn errors_in(reply: &TransactionReply) -> bool {
    let ReplyBody::Actions(actions) = &reply.body else { return true };
    let audit = |returned: &[AuditReturn]| returned.iter().any(|r| matches!(r, AuditReturn::Error(_)));
    actions.iter().any(|action| {
        action.error.is_some()
            || action.commands.iter().any(|command| match &command.result {
                CommandResult::Add(r)
                | CommandResult::Move(r)
                | CommandResult::Modify(r)
                | CommandResult::Subtract(r) => audit(r),
                CommandResult::AuditValue(r) | CommandResult::AuditCapability(r) => match r {
                    AuditResult::Termination(r) => audit(r),
                    AuditResult::Context => false,
                    AuditResult::ContextError(_) => true,
                },
                CommandResult::Notify(error) => error.is_some(),
                CommandResult::ServiceChange(result) => matches!(result, ServiceChangeResult::Error(_)),
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_around_a_request_is_added() {
        let own = SocketAddr::from(([127, 0, 0, 1], 4000));
        for text in [
            "Context = - { AuditValue = ROOT { Audit {} } }",
            "  T = 7 { C = - { AV = ROOT { AT {} } } }",
            "; Context of a phone\n ; { and more\r\n\n Context = - { AuditValue = ROOT { Audit {} } }",
            ";;\rT = 7 { C = - { AV = ROOT { AT {} } } } ; the end",
            "; whole\nMEGACO/2 [127.0.0.1]:4000 T = 7 { C = - { AV = ROOT { AT {} } } }",
            "MEGACO/2 [127.0.0.1]:4000 Transaction = 7 { Context = - { AuditValue = ROOT { Audit {} } } }",
            "!/2 [127.0.0.1]:4000 T=7{C=-{AV=ROOT{AT{}}}}",
        ] {
            let message = text::parse_strictly(complete(text, own).as_bytes()).unwrap();
            assert_eq!(requests_of(message).unwrap().len(), 1, "{text}");
        }
    }

    #[test]
    fn a_file_of_comments_alone_is_left_as_it_stands() {
        let own = SocketAddr::from(([127, 0, 0, 1], 4000));
        for text in ["", "; nothing", ";\n;\n"] {
            assert_eq!(complete(text, own), text);
        }
    }

    #[test]
    fn an_error_anywhere_in_a_reply_is_seen() {
        let reply = |text: &str| {
            let message = text::parse_strictly(text.as_bytes()).unwrap();
            let Body::Transactions(mut transactions) = message.body else { panic!("no transaction") };
            let Some(Transaction::Reply(reply)) = transactions.pop() else { panic!("no reply") };
            errors_in(&reply)
        };
        assert!(!reply("!/2 [127.0.0.1]:1 P=7{C=1{A=ip/1/access/1}}"));
        assert!(reply("!/2 [127.0.0.1]:1 P=7{ER=501{\"no\"}}"));
        assert!(reply("!/2 [127.0.0.1]:1 P=7{C=1{A=ip/1/access/1{ER=449{\"no\"}}}}"));
        assert!(reply("!/2 [127.0.0.1]:1 P=7{C=1{ER=411{\"no\"}}}"));
    }
}
