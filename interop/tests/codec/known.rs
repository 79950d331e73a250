//! The only differences there may be between Erlang/OTP megaco's codec and ours, each with its reason.
//!
//! A difference is given by what avoids it: a change to a tree that takes away the one thing on which the two do not agree. So the
//! test can hold every generated message, once it avoids them all, to full agreement, and can show of each entry that it is still
//! true: messages in which it alone is not avoided must be found on which the codecs part.

use agw_iq::ast::*;

use crate::avoid::*;
use crate::walk::{Visit, walk};

/// One entry of the list.
pub(crate) struct Difference {
    /// Its name in what a test prints.
    pub(crate) name: &'static str,
    /// Who is right, by which clause.
    pub(crate) reason: &'static str,
    /// Changes a tree so that it does not meet this difference.
    pub(crate) avoid: fn(&mut Message),
}

/// The list for the text encoding.
pub(crate) const TEXT: &[Difference] = &[
    Difference {
        name: "text beyond ASCII in quoted strings",
        reason: "Annex B.2 quotedString has SafeChar, RestChar and WSP, all ASCII: OTP refuses the rest. We let UTF-8 through, because peers put names \
                 of people and places into error texts, and a reply must not fail by its words.",
        avoid: |message| walk(message, &mut Ascii),
    },
    Difference {
        name: "error codes of four digits",
        reason: "Annex B.2: ErrorCode = 1*4(DIGIT); OTP takes at most 999.",
        avoid: |message| walk(message, &mut ErrorCodes),
    },
    Difference {
        name: "MTP addresses",
        reason: "OTP reads the digits as text and finds more than 4 octets.",
        avoid: |message| walk(message, &mut NoMtp),
    },
    Difference {
        name: "authentication header",
        reason: "OTP writes a zero too many after each octet below 0x10.",
        avoid: |message| message.auth = None,
    },
    Difference {
        name: "version 3 in messages of version 1 and 2",
        reason: "The grammar of those versions has none of it; OTP has a parser for each version and refuses it.",
        avoid: |message| {
            if message.version < 3 {
                walk(message, &mut NoVersion3);
            }
        },
    },
    Difference {
        name: "version 2 in messages of version 1",
        reason: "The grammar of version 1 has none of it.",
        avoid: |message| {
            if message.version < 2 {
                walk(message, &mut NoVersion2);
            }
        },
    },
    Difference {
        name: "ContextAudit in version 1",
        reason: "OTP's parser of version 1 breaks at the descriptor that its grammar has.",
        avoid: |message| {
            if message.version == 1 {
                walk(message, &mut NoContextAudit);
            }
        },
    },
    Difference {
        name: "selection by a list of contexts",
        reason: "OTP drops it.",
        avoid: |message| walk(message, &mut NoSelectedContexts),
    },
    Difference {
        name: "lists in parameters of events and signals",
        reason: "Annex B.2 eventOther and sigOther have parmValue, lists and ranges included; OTP reads them and cannot write them.",
        avoid: |message| walk(message, &mut NoParameterLists),
    },
    Difference {
        name: "terminations called like Local and Remote",
        reason: "Annex B.2 pathNAME: L, R, Local and Remote are names like others where a name stands; OTP's scanner takes them for the beginning of SDP.",
        avoid: |message| walk(message, &mut NoSdpNames),
    },
    Difference {
        name: "audit of an event without a request",
        reason: "Annex B.2 indAudeventsDescriptor has a RequestID, the ASN.1 has it optional, and so has the tree.",
        avoid: |message| walk(message, &mut RequestInAudits),
    },
    Difference {
        name: "signals without a signal",
        reason: "Annex B.2 signalsDescriptor may be empty (RFC 3525); OTP has the braces only around something.",
        avoid: |message| walk(message, &mut SomeSignals),
    },
    Difference {
        name: "timer Z in version 1",
        reason: "RFC 3525 digitMapValue has none, version 2 has: OTP drops it.",
        avoid: |message| {
            if message.version == 1 {
                walk(message, &mut NoZ);
            }
        },
    },
    Difference {
        name: "error beside observed events",
        reason: "RFC 3525 notifyRequest has it; OTP's parser has not.",
        avoid: |message| walk(message, &mut NoNotifyError),
    },
    Difference {
        name: "selection by topology or by attributes",
        reason: "Version 3 has no selection by topology, the tree can say it; OTP drops attributes.",
        avoid: |message| walk(message, &mut SelectByValues),
    },
    Difference {
        name: "strings without a character",
        reason: "Annex B.2 quotedString may be empty; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoEmptyStrings),
    },
    Difference {
        name: "results of an action without any",
        reason: "Version 3 has C=1 without braces; versions 1 and 2 have no such action, but a gateway that set only context properties has nothing to say.",
        avoid: |message| walk(message, &mut SomeResult),
    },
    Difference {
        name: "one-way topologies of version 3",
        reason: "OTP reads OnewayExternal and OnewayBoth as undefined.",
        avoid: |message| walk(message, &mut NoOnewayOfVersion3),
    },
    Difference {
        name: "multiplex Nx64K",
        reason: "Annex B.2 MuxType has Nx64kToken; OTP's parsers do not know it.",
        avoid: |message| walk(message, &mut NoNx64k),
    },
    Difference {
        name: "braces in SDP",
        reason: "Annex B.2 octetString: a closing brace is escaped; OTP knows no escape and ends the description there.",
        avoid: |message| walk(message, &mut NoBraces),
    },
    Difference {
        name: "relations in parameters",
        reason: "Annex B.2 parmValue has > < #; OTP drops them in parameters of events and signals.",
        avoid: |message| walk(message, &mut NoParameterRelations),
    },
    Difference {
        name: "error in place of a context's terminations",
        reason: "Annex B.2 contextTerminationAudit may be an error; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoContextError),
    },
    Difference {
        name: "digit maps given in an event",
        reason: "Annex B.2 eventDM has an equals sign before the brace; OTP writes none.",
        avoid: |message| walk(message, &mut NamedDigitMaps),
    },
    Difference {
        name: "extensions of multiplex, modem and ServiceChange",
        reason: "Annex B.2 extensionParameter and serviceChangeMethod: OTP refuses or drops them.",
        avoid: |message| walk(message, &mut NoExtensions),
    },
    Difference {
        name: "modems",
        reason: "Annex B.2 modemDescriptor stayed in the grammar of version 2; OTP drops it.",
        avoid: |message| walk(message, &mut NoModems),
    },
    Difference {
        name: "address of ServiceChange that is no port",
        reason: "Annex B.2 serviceChangeAddress = mId or port; OTP wants a number where a device name stands.",
        avoid: |message| walk(message, &mut PortAddresses),
    },
    Difference {
        name: "address and controller in one ServiceChange",
        reason: "Annex B.2 allows one of them: OTP refuses both, we take both, since nothing is ambiguous, and never send both.",
        avoid: |message| walk(message, &mut NotBoth),
    },
    Difference {
        name: "SDP lines that are none",
        reason: "Annex B.2 has octets there, which we carry; OTP makes properties of them and adds the missing equals sign.",
        avoid: |message| walk(message, &mut WellFormedSdp),
    },
    Difference {
        name: "Media, streams, states, statistics and packages without anything in them",
        reason: "Annex B.2 wants one element between the braces, the ASN.1 wants none: the tree can say it, and we read and print it.",
        avoid: |message| walk(message, &mut SomethingInside),
    },
    Difference {
        name: "stream of a topology",
        reason: "Annex B.2 topologyTriple has eventStream (ST=1); OTP writes the number alone.",
        avoid: |message| walk(message, &mut NoTopologyStream),
    },
    Difference {
        name: "several topology triples",
        reason: "Annex B.2 topologyDescriptor is a list of triples; OTP reads one.",
        avoid: |message| walk(message, &mut OneTriple),
    },
    Difference {
        name: "what a ServiceChange concerns",
        reason: "Annex B.2 serviceChangeParm has auditItem since version 2; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoServiceChangeItem),
    },
    Difference {
        name: "KeepActive beside signals in an embedded event",
        reason: "Annex B.2 secondEventParameter is a list; OTP reads both and cannot write them.",
        avoid: |message| walk(message, &mut NoKeepActiveWithSignals),
    },
    Difference {
        name: "names with empty parts",
        reason: "Annex B.2 pathNAME may hold two slashes one after the other; OTP loses one.",
        avoid: |message| walk(message, &mut NoEmptyParts),
    },
    Difference {
        name: "semicolons in SDP",
        reason: "Annex B.2 octetString is taken as it is; OTP drops a line whose value begins with what would be a comment elsewhere.",
        avoid: |message| walk(message, &mut NoSemicolons),
    },
    Difference {
        name: "iterations in NotifyCompletion",
        reason: "Version 3 has it; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoIterations),
    },
    Difference {
        name: "segment replies",
        reason: "Version 3: a segment reply ends in a number or a word, and white space may follow; OTP refuses that.",
        avoid: |message| walk(message, &mut NoSegmentReplies),
    },
    Difference {
        name: "package versions of three digits",
        reason: "Annex B.2 packagesItem has a UINT16, Annex A 0 to 99; OTP takes the latter.",
        avoid: |message| walk(message, &mut SmallVersions),
    },
    Difference {
        name: "audit of Local and Remote",
        reason: "Version 3 indAudlocalParm: OTP takes the token for the beginning of SDP.",
        avoid: |message| walk(message, &mut NoSdpAudits),
    },
    Difference {
        name: "several parts of Media in one Audit",
        reason: "Version 2 has one (Annex B.2 indAudmediaDescriptor), version 3 a list; OTP refuses some lists.",
        avoid: |message| walk(message, &mut OneMediaAudit),
    },
    Difference {
        name: "stream and parameter in the audit of a buffered event",
        reason: "Annex B.2 indAudeventSpec has one of them, the tree can say both.",
        avoid: |message| walk(message, &mut OneOfBufferedEvent),
    },
    Difference {
        name: "logic of a selection",
        reason: "Version 3: ORLgc goes with properties to be selected by, the tree can say it alone; OTP's scanner knows ANDLgc, its parser does not.",
        avoid: |message| walk(message, &mut LogicWithValues),
    },
    Difference {
        name: "names and values that are tokens",
        reason: "Annex B.2: tokens are only reserved where they stand; OTP's parsers forgot some where any name or value may stand.",
        avoid: |message| walk(message, &mut NoTokens),
    },
    Difference {
        name: "lists of statistics",
        reason: "Version 3 has them; OTP reads them and cannot write them.",
        avoid: |message| walk(message, &mut SingleStatistics),
    },
    Difference {
        name: "single properties beside whole descriptors in an Audit",
        reason: "Annex B.2 auditDescriptor is a list of both; OTP takes one kind or the other.",
        avoid: |message| walk(message, &mut OneKindOfAudit),
    },
];

/// The list for the binary encoding, beside that of the text encoding, by which OTP is asked.
pub(crate) const BINARY: &[Difference] = &[
    Difference {
        name: "IPv6 addresses of senders",
        reason: "Annex A MId has ip6Address of 16 octets; OTP cannot write it from text.",
        avoid: |message| walk(message, &mut NoIp6),
    },
    Difference {
        name: "digit maps by name",
        reason: "Annex A digitMapName is two octets, which no registry gives: OTP has its own numbers for names of its own.",
        avoid: |message| walk(message, &mut NoDigitMaps),
    },
    Difference {
        name: "Events without an event",
        reason: "Annex A has requestID optional, for just that; OTP cannot write the descriptor without.",
        avoid: |message| walk(message, &mut SomeEvents),
    },
    Difference {
        name: "empty descriptors in replies",
        reason: "Annex A auditReturnParameter has emptyDescriptors; OTP reads them from text and cannot write them.",
        avoid: |message| walk(message, &mut NoEmptyDescriptors),
    },
    Difference {
        name: "timer Z of digit maps",
        reason: "Annex A has durationTimer behind the extension mark; OTP reads it from text and does not write it.",
        avoid: |message| walk(message, &mut NoZ),
    },
    Difference {
        name: "alternatives",
        reason: "Annex A: values without extraInfo are alternatives, sublist makes them a list; OTP has sublist in both and cannot write the former as text.",
        avoid: |message| walk(message, &mut NoAlternatives),
    },
    Difference {
        name: "audit of a parameter of buffered events",
        reason: "Annex A indAudEventBufferDescriptor has no parameter; the text has, and OTP cannot write it.",
        avoid: |message| walk(message, &mut NoBufferedParameters),
    },
    Difference {
        name: "order and number of tokens in an Audit",
        reason: "Annex A has a bit for each token: no order, and twice is once, which OTP refuses to write.",
        avoid: |message| walk(message, &mut DistinctTokens),
    },
];

/// What we refuse and OTP takes: words of our error, and why we are right.
pub(crate) const WE_REFUSE: &[(&str, &str)] = &[
    ("given twice", "Annex B.2: at most once, said in comments of the grammar, which OTP does not keep"),
    ("unknown priority", "Annex A: 0 to 15"),
    ("is missing", "Annex B.2: auditRequest has an Audit descriptor, ServiceChange a method and a reason"),
    ("not a transaction identifier", "Annex A: 0, 0xFFFFFFFE and 0xFFFFFFFF are reserved"),
    (
        "a transaction identifier or range expected",
        "Section 8.2.2: the first of a range comes before the last",
    ),
    (
        "a transaction identifier expected",
        "Annex B.2: a number, and in version 3 a segment behind it, each at most 32 or 16 bits",
    ),
    ("a parameter name expected", "Annex B.2: NAME has letters, digits and underscores, no wildcard"),
    ("a digit map name expected", "Annex B.2: digitMapName is a NAME"),
    ("package-version expected", "Annex B.2 packagesItem: NAME, a dash and a number"),
    ("(package/name) expected", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    (
        "unknown descriptor to audit",
        "Annex B.2: what is no parameter of ServiceChange must be an auditItem; OTP takes P- for an extension",
    ),
    ("NAME/version expected", "Annex B.2 serviceChangeProfile: a NAME, a slash and a number"),
    (
        "'{' expected, found '}'",
        "Annex B.2: statistics and audited signal lists have braces; OTP takes the token alone",
    ),
    ("'=' expected, found '{'", "Annex B.2 digitMapDescriptor and eventDM have an equals sign"),
    ("unknown context property", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    ("unknown timer", "Annex B.2 digitMapValue: T, S, L and Z"),
    ("a transaction expected", "Annex B.2: no white space within a message identifier"),
    ("unknown property", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    ("not a digit map", "Annex B.2 digitMapLetter: a few letters and digits"),
    ("a digit map expected", "Annex B.2 digitMap is not empty"),
    ("a timer expected", "Annex B.2: one or two digits"),
    ("is not a domain name", "Annex B.2 domainName: letters, digits, dashes and dots"),
    ("is not an address", "Annex B.2 IPv4address and IPv6address"),
    ("not closed", "Annex B.2: an address has no white space inside"),
    ("white space expected", "Annex B.2: SEP stands behind the message identifier"),
];

/// How to know a text by what it shows, and why we take it.
type Leniency = (fn(&str) -> bool, &'static str);

/// What OTP refuses and we take where the tree cannot show it.
pub(crate) const THEY_REFUSE: &[Leniency] = &[
    (
        empty_braces,
        "Annex B.2 wants an element between most braces: we read none like no braces, since nothing else can be meant",
    ),
    (
        space_before_port,
        "Annex B.2 has no white space between the colon and the port of a message identifier: nothing else can be meant",
    ),
];

/// `[192.0.2.1]: 2944`
fn space_before_port(text: &str) -> bool {
    ["]: ", "]:\n", ">: ", ">:\n"].iter().any(|words| text.contains(words))
}

/// `{}` elsewhere than behind Audit and Pending.
fn empty_braces(text: &str) -> bool {
    let before = |head: &str| head.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    text.match_indices("{}")
        .any(|(at, _)| !text[..at].ends_with("AT") && !before(&text[..at]).ends_with("PN="))
}

/// Messages with what the generator seldom or never makes, so that its entry can be shown to be true.
pub(crate) const RARE: &[&str] = &[
    "!/2 gw T=1{C=1{AV=root{AT{PG{g-100}}}}}",
    "!/2 gw T=1{C=1{MF=ip/1//2}}",
    "!/2 gw T=1{C=1{MF=ip/1{M{ST=1{L{\nv=0\na=;\n}}}}}}",
];

/// What the text encoding does not tell apart for OTP.
pub(crate) fn common_form(message: &mut Message) {
    walk(message, &mut Common);
}
struct Common;
impl Visit for Common {
    fn value(&mut self, value: &mut Value) {
        *value = Value::token(value.as_str().to_lowercase());
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.sort_by_key(|it| if let AuditReturn::Empty(kind) = it { 1 + *kind as u8 } else { 0 });
    }
}
