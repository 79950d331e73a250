//! MSRP as an endpoint speaks it (RFC 4975): messages are written whole and read whole. Written anew here, from the RFC, for a gateway's own
//! way of reading must not be what it is judged by.

use memchr::memmem;

/// The longest message that is read, body included.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A message that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The transact-id.
    pub id: String,
    /// What stands behind it: a method, or the digits of a status.
    pub kind: String,
    /// All headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body without the CRLF behind it; none, or an empty one, is no bytes.
    pub body: Vec<u8>,
    /// The continuation flag.
    pub flag: u8,
}

impl Message {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The status, if it is a response.
    pub fn status(&self) -> Option<u16> {
        self.kind.parse().ok()
    }
}

/// What of a message is the same in all chunks.
#[derive(Debug, Clone, Copy)]
pub struct Send<'a> {
    /// Whole To-Path.
    pub to_path: &'a str,
    /// Whole From-Path.
    pub from_path: &'a str,
    /// Message-ID.
    pub message_id: &'a str,
}

/// One chunk of a body as a SEND: the bytes from `at` on, `total` in all.
pub fn print_send(id: &str, send: &Send<'_>, at: usize, chunk: &[u8], total: usize, out: &mut Vec<u8>) {
    let Send { to_path, from_path, message_id } = send;
    let end = at + chunk.len();
    let head = format!(
        "MSRP {id} SEND\r\nTo-Path: {to_path}\r\nFrom-Path: {from_path}\r\nMessage-ID: {message_id}\r\n\
         Byte-Range: {}-{end}/{total}\r\nContent-Type: application/octet-stream\r\n\r\n",
        at + 1
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(chunk);
    let flag = if end == total { '$' } else { '+' };
    out.extend_from_slice(format!("\r\n-------{id}{flag}\r\n").as_bytes());
}

/// The response 200 to a SEND (section 7.2).
pub fn print_ok(id: &str, to_path: &str, from_path: &str) -> Vec<u8> {
    format!("MSRP {id} 200 OK\r\nTo-Path: {to_path}\r\nFrom-Path: {from_path}\r\n-------{id}$\r\n")
        .into_bytes()
}

/// Bytes that have come, and the messages in them.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    /// Up to where the end of the first message has been looked for.
    looked: usize,
}

impl Reader {
    /// Where bytes that come are to be appended.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The next whole message; `Ok(None)`: more has to come.
    ///
    /// # Errors
    /// What came is no MSRP; in words.
    pub fn read(&mut self) -> Result<Option<Message>, String> {
        let Some(line_end) = memmem::find(&self.bytes, b"\r\n") else {
            return if self.bytes.len() > 256 { Err("no start line".to_owned()) } else { Ok(None) };
        };
        let line =
            std::str::from_utf8(&self.bytes[..line_end]).map_err(|_| "a start line that is no text")?;
        let mut words = line.splitn(4, ' ');
        let (protocol, id, kind) = (words.next(), words.next(), words.next());
        let (Some("MSRP"), Some(id), Some(kind)) = (protocol, id, kind) else {
            return Err(format!("{line:?} is no start line"));
        };
        let ending = format!("\r\n-------{id}");
        let mut from = self.looked.max(line_end);
        let at = loop {
            let Some(found) = memmem::find(&self.bytes[from..], ending.as_bytes()) else {
                self.looked = self.bytes.len().saturating_sub(ending.len()).max(line_end);
                let long = self.bytes.len() > MAX_MESSAGE_BYTES;
                return if long { Err("a message without end".to_owned()) } else { Ok(None) };
            };
            let at = from + found;
            match &self.bytes[at + ending.len()..] {
                [b'$' | b'+' | b'#', b'\r', b'\n', ..] => break at,
                rest if rest.len() < 3 => return Ok(None),
                _ => from = at + 1,
            }
        };
        let end = at + ending.len() + 3;
        let (id, kind) = (id.to_owned(), kind.to_owned());
        let message = parse(id, kind, &self.bytes[line_end..at], self.bytes[end - 3])?;
        self.bytes.drain(..end);
        self.looked = 0;
        Ok(Some(message))
    }
}

/// What stands between the start line and the CRLF of the end-line.
fn parse(id: String, kind: String, middle: &[u8], flag: u8) -> Result<Message, String> {
    let (head, body) = match memmem::find(middle, b"\r\n\r\n") {
        Some(at) => (&middle[..at], &middle[at + 4..]),
        None => (middle, &b""[..]),
    };
    let head = std::str::from_utf8(head).map_err(|_| "headers that are no text")?;
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("{line:?} is no header"))?;
        Ok::<_, String>((name.to_owned(), value.to_owned()))
    };
    let headers = head.split("\r\n").skip(1).map(header).collect::<Result<_, _>>()?;
    Ok(Message { id, kind, headers, body: body.to_vec(), flag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_back_however_they_come() {
        let send = Send { to_path: "msrp://b;tcp", from_path: "msrp://a;tcp", message_id: "m1" };
        let body = b"one\r\n-------t001\r\ntwo";
        let mut stream = Vec::new();
        print_send("t001", &send, 0, &body[..10], body.len(), &mut stream);
        print_send("t002", &send, 10, &body[10..], body.len(), &mut stream);
        stream.extend(print_ok("t003", "msrp://a;tcp", "msrp://b;tcp"));
        for step in [1, 7, stream.len()] {
            let (mut reader, mut read) = (Reader::default(), Vec::new());
            for piece in stream.chunks(step) {
                reader.buffer().extend_from_slice(piece);
                while let Some(message) = reader.read().unwrap() {
                    read.push(message);
                }
            }
            assert_eq!(read.len(), 3);
            assert_eq!([&read[0].body[..], &read[1].body].concat(), body);
            assert_eq!((read[0].flag, read[1].flag), (b'+', b'$'));
            assert_eq!(read[1].header("Byte-Range"), Some("11-21/21"));
            assert_eq!((read[2].status(), read[2].header("To-Path")), (Some(200), Some("msrp://a;tcp")));
        }
    }

    #[test]
    fn what_is_no_msrp_is_said() {
        let judge = |bytes: &[u8]| {
            let mut reader = Reader::default();
            reader.buffer().extend_from_slice(bytes);
            reader.read()
        };
        assert!(judge(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(judge(&[b'x'; 300]).is_err());
        assert!(judge(b"MSRP 1234 SEND\r\nno header\r\n-------1234$\r\n").is_err());
    }
}
