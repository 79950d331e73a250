//! A description as browsers write it, taken apart by hand (RFC 8866): lines of the session, then of each medium.

/// An offer or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What stands before the first medium, line by line.
    pub session: Vec<String>,
    /// The media.
    pub media: Vec<Medium>,
}

/// A medium of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// `audio` or `video`.
    pub kind: String,
    /// Where it wants it, without candidates.
    pub port: u16,
    /// Its other lines, without those of the session.
    pub lines: Vec<String>,
    /// Those of the session, which are for each medium too (RFC 8829 section 5.2.1).
    inherited: Vec<String>,
}

/// A codec of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// Its number.
    pub payload_type: u8,
    /// What stands in `a=rtpmap` behind it.
    pub encoding: String,
    /// What stands in `a=fmtp` behind it.
    pub parameters: Option<String>,
}

impl Description {
    /// Takes it apart.
    ///
    /// # Panics
    /// When a medium has no port.
    pub fn parse(text: &str) -> Self {
        let mut sections = text.split("m=").map(|section| section.lines().map(str::to_owned));
        let session: Vec<String> = sections.next().into_iter().flatten().collect();
        let media = sections.map(|mut lines| {
            let head = lines.next().expect("a medium has a line");
            let mut words = head.split(' ');
            let kind = words.next().expect("a medium is of a kind").to_owned();
            let port = words.next().and_then(|port| port.parse().ok()).expect("a medium has a port");
            Medium { kind, port, lines: lines.collect(), inherited: session.clone() }
        });
        let media = media.collect();
        Self { session, media }
    }
}

impl Medium {
    /// The values of its attribute `a=NAME:`; those of the session where it has none.
    pub fn all<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let find = |lines: &'a [String]| -> Vec<&'a str> {
            let value = |line: &'a String| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':');
            lines.iter().filter_map(value).collect()
        };
        let own = find(&self.lines);
        if own.is_empty() { find(&self.inherited) } else { own }
    }

    /// The first of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn one(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_else(|| panic!("no a={name} in {:?}", self.lines))
    }

    /// The first codec of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn codec(&self, name: &str) -> Codec {
        let of = |value: &str| {
            let (number, rest) = value.split_once(' ')?;
            Some((number.parse::<u8>().ok()?, rest.to_owned()))
        };
        let maps = self.all("rtpmap").into_iter().filter_map(of);
        let is_it =
            |encoding: &str| encoding.split('/').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
        let found = maps.into_iter().find(|(_, encoding)| is_it(encoding));
        let (payload_type, encoding) = found.unwrap_or_else(|| panic!("no {name} in {:?}", self.lines));
        let parameters =
            self.all("fmtp").into_iter().filter_map(of).find(|(number, _)| *number == payload_type);
        Codec { payload_type, encoding, parameters: parameters.map(|(_, rest)| rest) }
    }

    /// The first source that it signals (`a=ssrc`, RFC 5576).
    pub fn source(&self) -> Option<u32> {
        self.all("ssrc").first()?.split(' ').next()?.parse().ok()
    }

    /// The address of its `c=` line, which means nothing where it has candidates or none is known.
    pub fn address(&self) -> &str {
        let line = self.lines.iter().chain(&self.inherited).find_map(|line| line.strip_prefix("c=IN IP4 "));
        line.unwrap_or("0.0.0.0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_their_medium_and_those_of_the_session_to_all() {
        let text = "v=0\r\na=ice-lite\r\na=setup:actpass\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 192.0.2.1\r\n\
                    a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=mid:0\r\n\
                    m=video 5000 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=setup:active\r\n";
        let Description { session, media } = Description::parse(text);
        assert_eq!((session.len(), media.len()), (3, 2));
        assert_eq!((media[0].one("setup"), media[1].one("setup")), ("actpass", "active"));
        assert_eq!((media[0].address(), media[1].address(), media[1].port), ("192.0.2.1", "0.0.0.0", 5000));
        let opus = Codec {
            payload_type: 111,
            encoding: "opus/48000/2".to_owned(),
            parameters: Some("useinbandfec=1".to_owned()),
        };
        assert_eq!(media[0].codec("OPUS"), opus);
        assert_eq!(media[1].codec("vp8").parameters, None);
        assert_eq!(media[1].all("candidate"), Vec::<&str>::new());
    }
}
