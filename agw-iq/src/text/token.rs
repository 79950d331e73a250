//! The tokens of H.248.1 Annex B.2 in their long and short forms.
//!
//! The same letters mean different things in different places (`O` is LocalControl, or the start of `O-`; `SP` is LockStep; `IN` is
//! a mode, `IS` a topology), so there is no table to look a word up in: each place of the grammar asks for the tokens that it knows.

/// A keyword in both spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) long: &'static str,
    pub(super) short: &'static str,
}

impl Token {
    /// Whether a word is this token, in either spelling and any case.
    pub(super) fn is(self, word: &str) -> bool {
        word.eq_ignore_ascii_case(self.short) || word.eq_ignore_ascii_case(self.long)
    }
}

/// Names each token once: long form, then short form where it differs.
macro_rules! tokens {
    ($($name:ident = $long:literal / $short:literal),* $(,)?) => {
        $(pub(super) const $name: Token = Token { long: $long, short: $short };)*

        #[cfg(test)]
        pub(super) const EVERY: &[Token] = &[$($name),*];
    };
}

tokens! {
    ADD = "Add" / "A",
    AND_SELECT = "ANDLgc" / "ANDLgc",
    AUDIT = "Audit" / "AT",
    AUDIT_CAPABILITY = "AuditCapability" / "AC",
    AUDIT_VALUE = "AuditValue" / "AV",
    AUTHENTICATION = "Authentication" / "AU",
    BOTH = "Both" / "B",
    BOTHWAY = "Bothway" / "BW",
    BRIEF = "Brief" / "BR",
    BUFFER = "Buffer" / "BF",
    CONTEXT = "Context" / "C",
    CONTEXT_ATTR = "ContextAttr" / "CT",
    CONTEXT_AUDIT = "ContextAudit" / "CA",
    CONTEXT_LIST = "ContextList" / "CLT",
    DELAY = "Delay" / "DL",
    DIGIT_MAP = "DigitMap" / "DM",
    DIRECTION = "SPADirection" / "SPADI",
    DISCONNECTED = "Disconnected" / "DC",
    DURATION = "Duration" / "DR",
    EMBED = "Embed" / "EM",
    EMERGENCY = "Emergency" / "EG",
    EMERGENCY_OFF = "EmergencyOff" / "EGO",
    EMERGENCY_VALUE = "EmergencyValue" / "EGV",
    END = "END" / "&",
    ERROR = "Error" / "ER",
    EVENTS = "Events" / "E",
    EVENT_BUFFER = "EventBuffer" / "EB",
    EXTERNAL = "External" / "EX",
    FAILOVER = "Failover" / "FL",
    FORCED = "Forced" / "FO",
    GRACEFUL = "Graceful" / "GR",
    H221 = "H221" / "H221",
    H223 = "H223" / "H223",
    H226 = "H226" / "H226",
    HAND_OFF = "HandOff" / "HO",
    IEPS = "IEPSCall" / "IEPS",
    IMMEDIATE_ACK = "ImmAckRequired" / "IA",
    INACTIVE = "Inactive" / "IN",
    INTERNAL = "Internal" / "IT",
    INTERRUPT_BY_EVENT = "IntByEvent" / "IBE",
    INTERRUPT_BY_SIGNALS = "IntBySigDescr" / "IBS",
    INTERSIGNAL = "Intersignal" / "SPAIS",
    IN_SERVICE = "InService" / "IV",
    ISOLATE = "Isolate" / "IS",
    ITERATION = "Iteration" / "IR",
    KEEP_ACTIVE = "KeepActive" / "KA",
    LOCAL = "Local" / "L",
    LOCAL_CONTROL = "LocalControl" / "O",
    LOCK_STEP = "LockStep" / "SP",
    LOOPBACK = "Loopback" / "LB",
    MEDIA = "Media" / "M",
    MEGACO = "MEGACO" / "!",
    METHOD = "Method" / "MT",
    MGC_ID = "MgcIdToTry" / "MG",
    MODE = "Mode" / "MO",
    MODEM = "Modem" / "MD",
    MODIFY = "Modify" / "MF",
    MOVE = "Move" / "MV",
    MTP = "MTP" / "MTP",
    MUX = "Mux" / "MX",
    NOTIFY = "Notify" / "N",
    NOTIFY_COMPLETION = "NotifyCompletion" / "NC",
    NOTIFY_IMMEDIATE = "ImmediateNotify" / "NBIN",
    NOTIFY_NEVER = "NeverNotify" / "NBNN",
    NOTIFY_REGULATED = "RegulatedNotify" / "NBRN",
    NX64K = "Nx64Kservice" / "N64",
    OBSERVED_EVENTS = "ObservedEvents" / "OE",
    OFF = "OFF" / "OFF",
    ON = "ON" / "ON",
    ONEWAY = "Oneway" / "OW",
    ONEWAY_BOTH = "OnewayBoth" / "OWB",
    ONEWAY_EXTERNAL = "OnewayExternal" / "OWE",
    ON_OFF = "OnOff" / "OO",
    OR_SELECT = "ORLgc" / "ORLgc",
    OTHER_REASON = "OtherReason" / "OR",
    OUT_OF_SERVICE = "OutOfService" / "OS",
    PACKAGES = "Packages" / "PG",
    PENDING = "Pending" / "PN",
    PRIORITY = "Priority" / "PR",
    PROFILE = "Profile" / "PF",
    REASON = "Reason" / "RE",
    RECEIVE_ONLY = "ReceiveOnly" / "RC",
    REMOTE = "Remote" / "R",
    REPLY = "Reply" / "P",
    REQUEST_ID = "SPARequestID" / "SPARQ",
    RESERVED_GROUP = "ReservedGroup" / "RG",
    RESERVED_VALUE = "ReservedValue" / "RV",
    RESET_EVENTS = "ResetEventsDescriptor" / "RSE",
    RESPONSE_ACK = "TransactionResponseAck" / "K",
    RESTART = "Restart" / "RS",
    SEGMENT = "Segment" / "SM",
    SEND_ONLY = "SendOnly" / "SO",
    SEND_RECEIVE = "SendReceive" / "SR",
    SERVICES = "Services" / "SV",
    SERVICE_CHANGE = "ServiceChange" / "SC",
    SERVICE_CHANGE_ADDRESS = "ServiceChangeAddress" / "AD",
    SERVICE_CHANGE_INCOMPLETE = "ServiceChangeInc" / "SIC",
    SERVICE_STATES = "ServiceStates" / "SI",
    SIGNALS = "Signals" / "SG",
    SIGNAL_LIST = "SignalList" / "SL",
    SIGNAL_TYPE = "SignalType" / "SY",
    STATISTICS = "Statistics" / "SA",
    STREAM = "Stream" / "ST",
    SUBTRACT = "Subtract" / "S",
    SYNCH_ISDN = "SynchISDN" / "SN",
    TERMINATION_STATE = "TerminationState" / "TS",
    TEST = "Test" / "TE",
    TIME_OUT = "TimeOut" / "TO",
    TOPOLOGY = "Topology" / "TP",
    TRANSACTION = "Transaction" / "T",
    V18 = "V18" / "V18",
    V22 = "V22" / "V22",
    V22BIS = "V22b" / "V22b",
    V32 = "V32" / "V32",
    V32BIS = "V32b" / "V32b",
    V34 = "V34" / "V34",
    V76 = "V76" / "V76",
    V90 = "V90" / "V90",
    V91 = "V91" / "V91",
    VERSION = "Version" / "V",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_both_spellings_in_any_case() {
        assert!(LOCAL_CONTROL.is("o") && LOCAL_CONTROL.is("LOCALCONTROL"));
        assert!(!LOCAL_CONTROL.is("L"));
    }

    #[test]
    fn no_spelling_names_two_tokens() {
        let mut seen = std::collections::HashMap::new();
        for token in EVERY {
            for spelling in [token.long.to_lowercase(), token.short.to_lowercase()] {
                let other = seen.insert(spelling.clone(), token);
                assert!(other.is_none_or(|other| other == token), "{spelling} is taken twice");
            }
        }
    }
}
