//! Commands and their replies (H.248.1 section 7.2).

use super::*;

/// One command of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// `O-`: a failure of this command does not end the transaction.
    pub optional: bool,
    /// `W-`: one wildcarded reply is enough for a wildcarded command.
    pub wildcard_reply: bool,
    /// The terminations it acts on; one, except for the lists of Annex A and of version 3.
    pub terminations: Vec<TerminationId>,
    /// What to do with them.
    pub command: Command,
}

impl CommandRequest {
    /// A command for one termination, neither optional nor with a wildcarded reply.
    pub fn new(termination: TerminationId, command: Command) -> Self {
        CommandRequest { optional: false, wildcard_reply: false, terminations: vec![termination], command }
    }
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Puts a termination into a context, making it if it is ephemeral.
    Add(Box<AmmRequest>),
    /// Moves a termination from its context to this one.
    Move(Box<AmmRequest>),
    /// Changes a termination.
    Modify(Box<AmmRequest>),
    /// Takes a termination out of its context; the descriptor says what to return.
    Subtract(Option<AuditDescriptor>),
    /// Returns the current state.
    AuditValue(AuditDescriptor),
    /// Returns what is possible.
    AuditCapability(AuditDescriptor),
    /// Reports events.
    Notify(Box<NotifyRequest>),
    /// Reports or orders a change of service.
    ServiceChange(Box<ServiceChangeRequest>),
}

impl Command {
    /// Which command this is.
    pub fn verb(&self) -> Verb {
        match self {
            Command::Add(_) => Verb::Add,
            Command::Move(_) => Verb::Move,
            Command::Modify(_) => Verb::Modify,
            Command::Subtract(_) => Verb::Subtract,
            Command::AuditValue(_) => Verb::AuditValue,
            Command::AuditCapability(_) => Verb::AuditCapability,
            Command::Notify(_) => Verb::Notify,
            Command::ServiceChange(_) => Verb::ServiceChange,
        }
    }
}

/// The name of a command, as used in replies and in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Add.
    Add,
    /// Move.
    Move,
    /// Modify.
    Modify,
    /// Subtract.
    Subtract,
    /// AuditValue.
    AuditValue,
    /// AuditCapability.
    AuditCapability,
    /// Notify.
    Notify,
    /// ServiceChange.
    ServiceChange,
}

/// The descriptors of Add, Move and Modify, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmmRequest {
    /// Streams and termination state.
    pub media: Option<MediaDescriptor>,
    /// Modem types.
    pub modem: Option<ModemDescriptor>,
    /// Multiplex.
    pub mux: Option<MuxDescriptor>,
    /// Events to be detected; an empty list ends detection.
    pub events: Option<EventsDescriptor>,
    /// Events to be buffered.
    pub event_buffer: Option<EventBufferDescriptor>,
    /// Signals to be played; an empty list stops them.
    pub signals: Option<SignalsDescriptor>,
    /// A digit map.
    pub digit_map: Option<DigitMapDescriptor>,
    /// What to return.
    pub audit: Option<AuditDescriptor>,
}

impl AmmRequest {
    /// Whether no descriptor is given.
    pub fn is_empty(&self) -> bool {
        *self == AmmRequest::default()
    }
}

/// What Notify carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyRequest {
    /// The events.
    pub observed: ObservedEventsDescriptor,
    /// An error that goes with them.
    pub error: Option<ErrorDescriptor>,
}

/// The reply to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandReply {
    /// The terminations it was executed on, with `$` replaced.
    pub terminations: Vec<TerminationId>,
    /// The result.
    pub result: CommandResult,
}

impl CommandReply {
    /// The reply of one termination.
    pub fn new(termination: TerminationId, result: CommandResult) -> Self {
        CommandReply { terminations: vec![termination], result }
    }
}

/// The result of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandResult {
    /// Of Add, with what the request asked to choose or to audit.
    Add(TerminationAudit),
    /// Of Move.
    Move(TerminationAudit),
    /// Of Modify.
    Modify(TerminationAudit),
    /// Of Subtract.
    Subtract(TerminationAudit),
    /// Of AuditValue.
    AuditValue(AuditResult),
    /// Of AuditCapability.
    AuditCapability(AuditResult),
    /// Of Notify.
    Notify(Option<ErrorDescriptor>),
    /// Of ServiceChange.
    ServiceChange(ServiceChangeResult),
}

impl CommandResult {
    /// Which command this answers.
    pub fn verb(&self) -> Verb {
        match self {
            CommandResult::Add(_) => Verb::Add,
            CommandResult::Move(_) => Verb::Move,
            CommandResult::Modify(_) => Verb::Modify,
            CommandResult::Subtract(_) => Verb::Subtract,
            CommandResult::AuditValue(_) => Verb::AuditValue,
            CommandResult::AuditCapability(_) => Verb::AuditCapability,
            CommandResult::Notify(_) => Verb::Notify,
            CommandResult::ServiceChange(_) => Verb::ServiceChange,
        }
    }
}

/// What an audit returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditResult {
    /// Descriptors of the terminations of the reply; empty means "exists, nothing asked".
    Termination(TerminationAudit),
    /// The reply lists the terminations of the context: [`CommandReply::terminations`] is that list.
    Context,
    /// The context could not be audited; [`CommandReply::terminations`] is empty.
    ContextError(ErrorDescriptor),
}

/// The descriptors of a reply, in order.
pub type TerminationAudit = Vec<AuditReturn>;

/// One descriptor of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditReturn {
    /// Streams and termination state.
    Media(MediaDescriptor),
    /// Modem types.
    Modem(ModemDescriptor),
    /// Multiplex.
    Mux(MuxDescriptor),
    /// Events asked for; an empty descriptor is [`AuditReturn::Empty`].
    Events(EventsDescriptor),
    /// Signals being played.
    Signals(SignalsDescriptor),
    /// A digit map.
    DigitMap(DigitMapDescriptor),
    /// Events observed.
    ObservedEvents(ObservedEventsDescriptor),
    /// Buffered events; an empty buffer is [`AuditReturn::Empty`].
    EventBuffer(EventBufferDescriptor),
    /// Statistics.
    Statistics(StatisticsDescriptor),
    /// Packages.
    Packages(Vec<PackageVersion>),
    /// An error in place of the descriptors.
    Error(ErrorDescriptor),
    /// A descriptor that was asked for and is empty.
    Empty(DescriptorKind),
}
