//! From the tree to octets.
//!
//! Components stand in the order of their tags, whatever the order in the tree; descriptors and properties keep theirs.

mod audit;
mod command;
mod event;
mod media;
mod service;

use zeroize::Zeroizing;

use super::names::{self, Item, Parameters};
use super::naming::{self, Naming};
use super::value::{Type, write_parm};
use super::writer::{OCTET_STRING, SEQUENCE, Writer, constructed, primitive};
use crate::ast::*;

pub(super) fn message(message: &Message, naming: &Naming) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut w = Writer::new();
    Printer { naming }.message(&mut w, message);
    w.finish()
}

/// An element of a list: its tag is that of the list's type.
#[derive(Clone, Copy)]
struct Printer<'n> {
    naming: &'n Naming,
}

impl Printer<'_> {
    fn message(self, w: &mut Writer, message: &Message) {
        w.nest(SEQUENCE, |w| {
            if let Some(AuthHeader { spi, sequence, data }) = &message.auth {
                w.nest(constructed(0), |w| {
                    w.octets(primitive(0), &spi.to_be_bytes());
                    w.octets(primitive(1), &sequence.to_be_bytes());
                    w.octets(primitive(2), data);
                });
            }
            w.nest(constructed(1), |w| {
                w.uint(primitive(0), message.version);
                w.nest(constructed(1), |w| mid(w, &message.mid, 0));
                w.nest(constructed(2), |w| match &message.body {
                    Body::Error(found) => error(w, constructed(0), found),
                    Body::Transactions(transactions) => {
                        w.list(constructed(1), transactions, |w, transaction| {
                            self.transaction(w, transaction);
                        });
                    }
                });
            });
        });
    }

    fn transaction(self, w: &mut Writer, transaction: &Transaction) {
        match transaction {
            Transaction::Request(request) => w.nest(constructed(0), |w| {
                w.uint(primitive(0), request.id);
                w.list(constructed(1), &request.actions, |w, action| self.action_request(w, action));
            }),
            Transaction::Pending(id) => w.nest(constructed(1), |w| w.uint(primitive(0), *id)),
            Transaction::Reply(reply) => w.nest(constructed(2), |w| {
                w.uint(primitive(0), reply.id);
                w.null_if(primitive(1), reply.immediate_ack);
                w.nest(constructed(2), |w| match &reply.body {
                    ReplyBody::Error(found) => error(w, constructed(0), found),
                    ReplyBody::Actions(actions) => {
                        w.list(constructed(1), actions, |w, action| self.action_reply(w, action));
                    }
                });
                if let Some(segment) = reply.segment {
                    w.uint(primitive(3), segment.number);
                    w.null_if(primitive(4), segment.last);
                }
            }),
            Transaction::Ack(ranges) => w.list(constructed(3), ranges, |w, AckRange { first, last }| {
                w.nest(SEQUENCE, |w| {
                    w.uint(primitive(0), *first);
                    w.uint_if(primitive(1), (first != last).then_some(*last));
                });
            }),
            Transaction::SegmentReply { id, segment } => w.nest(constructed(4), |w| {
                w.uint(primitive(0), *id);
                w.uint(primitive(1), segment.number);
                w.null_if(primitive(2), segment.last);
            }),
        }
    }

    fn action_request(self, w: &mut Writer, action: &ActionRequest) {
        w.nest(SEQUENCE, |w| {
            w.uint(primitive(0), context_number(action.context));
            self.context_properties(w, 1, &action.properties);
            if let Some(audit) = &action.audit {
                self.context_audit(w, constructed(2), audit);
            }
            w.list(constructed(3), &action.commands, |w, command| self.command_request(w, command));
        });
    }

    fn action_reply(self, w: &mut Writer, action: &ActionReply) {
        w.nest(SEQUENCE, |w| {
            w.uint(primitive(0), context_number(action.context));
            if let Some(found) = &action.error {
                error(w, constructed(1), found);
            }
            self.context_properties(w, 2, &action.properties);
            w.list(constructed(3), &action.commands, |w, command| self.command_reply(w, command));
        });
    }

    /// `ContextRequest`, if there is anything in it.
    fn context_properties(self, w: &mut Writer, number: u8, properties: &ContextProperties) {
        if properties.is_empty() {
            return;
        }
        w.nest(constructed(number), |w| {
            w.uint_if(primitive(0), properties.priority);
            w.boolean_if(primitive(1), properties.emergency);
            if !properties.topology.is_empty() {
                w.list(constructed(2), &properties.topology, |w, triple| self.topology_triple(w, triple));
            }
            w.boolean_if(primitive(3), properties.ieps);
            if !properties.attributes.is_empty() {
                self.properties(w, 4, &properties.attributes);
            }
            if !properties.contexts.is_empty() {
                w.list(constructed(5), &properties.contexts, |w, id| w.uint(0x02, context_number(*id)));
            }
        });
    }

    fn topology_triple(self, w: &mut Writer, triple: &TopologyTriple) {
        // What version 3 added stands in an extension, beside the nearest that version 2 knows.
        let (direction, extension): (u8, Option<u8>) = match triple.direction {
            TopologyDirection::Bothway => (0, None),
            TopologyDirection::Isolate => (1, None),
            TopologyDirection::Oneway => (2, None),
            TopologyDirection::OnewayExternal => (2, Some(0)),
            TopologyDirection::OnewayBoth => (2, Some(1)),
        };
        w.nest(SEQUENCE, |w| {
            self.termination_id(w, constructed(0), &triple.from);
            self.termination_id(w, constructed(1), &triple.to);
            w.uint(primitive(2), direction);
            w.uint_if(primitive(3), triple.stream);
            w.uint_if(primitive(4), extension);
        });
    }

    fn terminations(self, w: &mut Writer, number: u8, terminations: &[TerminationId]) {
        w.list(constructed(number), terminations, |w, id| self.termination_id(w, SEQUENCE, id));
    }

    fn termination_id(self, w: &mut Writer, tag: u8, id: &TerminationId) {
        let Some((wildcards, octets)) = self.naming.write(id).or_else(|| naming::from_octets(id)) else {
            return w.unsayable(format_args!("TerminationID {id}"));
        };
        w.nest(tag, |w| {
            w.list(constructed(0), &wildcards, |w, octet| w.octets(OCTET_STRING, &[*octet]));
            w.octets(primitive(1), &octets);
        });
    }

    /// `SEQUENCE OF PropertyParm`
    fn properties(self, w: &mut Writer, number: u8, properties: &[PropertyParm]) {
        w.list(constructed(number), properties, |w, property| self.property(w, SEQUENCE, property));
    }

    fn property(self, w: &mut Writer, tag: u8, property: &PropertyParm) {
        w.nest(tag, |w| {
            pkgd_name(w, 0, Item::Property, &property.name);
            let kind = Type::of(names::property_kind(&property.name), self.naming.dscp);
            write_parm(w, kind, &property.value);
        });
    }

    /// `SEQUENCE OF EventParameter` or `SigParameter`
    fn parms(self, w: &mut Writer, number: u8, table: Parameters, parms: &[Parm]) {
        w.list(constructed(number), parms, |w, parm| {
            let Some((number, kind)) = table.by_name(&parm.name) else {
                return w.unsayable(format_args!("parameter {}", parm.name));
            };
            w.nest(SEQUENCE, |w| {
                w.octets(primitive(0), &number.to_be_bytes());
                write_parm(w, Type::of(kind, self.naming.dscp), &parm.value);
            });
        });
    }
}

/// `MId`, and `ServiceChangeAddress`, whose alternatives are numbered one higher.
fn mid(w: &mut Writer, mid: &Mid, shift: u8) {
    let with_port = |w: &mut Writer, number: u8, address: &[u8], port: &Option<u16>| {
        w.nest(constructed(number + shift), |w| {
            w.octets(primitive(0), address);
            w.uint_if(primitive(1), *port);
        });
    };
    match mid {
        Mid::Ip4 { address, port } => with_port(w, 0, &address.octets(), port),
        Mid::Ip6 { address, port } => with_port(w, 1, &address.octets(), port),
        Mid::Domain { name, port } => with_port(w, 2, name.as_str().as_bytes(), port),
        Mid::Device(name) => w.ia5(primitive(3 + shift), name.as_str()),
        Mid::Mtp(octets) => w.octets(primitive(4 + shift), octets),
    }
}

/// `ErrorDescriptor`
fn error(w: &mut Writer, tag: u8, error: &ErrorDescriptor) {
    w.nest(tag, |w| {
        w.uint(primitive(0), error.code.0);
        if let Some(text) = &error.text {
            w.ia5(primitive(1), text);
        }
    });
}

fn context_number(context: ContextId) -> u32 {
    match context {
        ContextId::Null => 0,
        ContextId::Choose => 0xFFFF_FFFE,
        ContextId::All => 0xFFFF_FFFF,
        ContextId::Id(id) => id,
    }
}

fn request_number(request: RequestId) -> u32 {
    match request {
        RequestId::Id(id) => id,
        RequestId::All => u32::MAX,
    }
}

fn pkgd_name(w: &mut Writer, number: u8, item: Item, name: &PkgdName) {
    match names::pkgd_octets(item, name) {
        Some(octets) => w.octets(primitive(number), &octets),
        None => w.unsayable(name),
    }
}

/// `TimeNotation`
fn timestamp(w: &mut Writer, tag: u8, time: &TimeStamp) {
    w.nest(tag, |w| {
        w.ia5(primitive(0), &format!("{:08}", time.date));
        w.ia5(primitive(1), &format!("{:08}", time.time));
    });
}
